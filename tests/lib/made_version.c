/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/made_version.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/hash.h"

#define CORPUS 3u
#define EVENTS 4u

const char *const made_path[3] = {
	"rules.yar", "set/common.yar", "set/deep/big.bin",
};

size_t made_bytes(uint64_t number, unsigned i, uint8_t ret_bytes[MADE_BLOB])
{
	const uint64_t generation[] = { number, number / 3, 0, 0, number };
	const size_t length[] = { 300 + number % 700, 40, 1500, 68, 100 };

	for (size_t n = 0; n < length[i]; n++) {
		ret_bytes[n] = (uint8_t)hash_pair(generation[i] * 8 + i, n);
	}
	return length[i];
}

static void add_blob(struct made_source *source, uint64_t number, unsigned i,
		     char ret_hex[VERSION_HEX], size_t *ret_length)
{
	uint8_t bytes[MADE_BLOB], hash[VERSION_HASH];
	size_t length = made_bytes(number, i, bytes);

	version_hash(bytes, length, hash);
	version_hex(hash, ret_hex);
	*ret_length = length;
	for (size_t n = 0; n < source->blobs; n++) {
		if (memcmp(source->blob[n].hash, hash, sizeof(hash)) == 0) {
			return;
		}
	}
	assert(source->blobs < MADE_BLOBS);
	memcpy(source->blob[source->blobs].hash, hash, sizeof(hash));
	memcpy(source->blob[source->blobs].bytes, bytes, length);
	source->blob[source->blobs++].length = length;
}

__attribute__((format(printf, 2, 3)))
static void put(struct made_version *version, const char *format, ...)
{
	va_list list;
	int n;

	va_start(list, format);
	n = vsnprintf(version->text + version->length,
		      sizeof(version->text) - version->length, format, list);
	va_end(list);
	assert(n > 0 && version->length + (size_t)n < sizeof(version->text));
	version->length += (size_t)n;
}

static void put_file(struct made_version *version, struct made_source *source,
		     unsigned i)
{
	char hex[VERSION_HEX];
	size_t length;

	add_blob(source, version->number, i, hex, &length);
	put(version, "\"length\":%zu,\"sha256\":\"%s\"", length, hex);
}

static void put_case(struct made_version *version, struct made_source *source,
		     const char *event)
{
	put(version, "{\"path\":\"eicar\",");
	put_file(version, source, CORPUS);
	put(version, ",\"event\":\"%s\",\"expect\":\"deny\",\"repeat\":1}",
	    event);
}

void made_version(struct made_source *source, uint64_t number, uint64_t floor,
		  struct made_version *ret_version)
{
	struct made_version *v = ret_version;

	v->number = number;
	v->length = 0;
	put(v, "{\"format\":1,\"product\":\"%s\",\"version\":\"v%llu\","
	    "\"number\":%llu,\"class\":\"code\",\"schema\":\"%s\","
	    "\"fields\":%u,\"bake_s\":1,\"min_events\":1,\"floor\":%llu,"
	    "\"urgent\":false,\"files\":[", MADE_PRODUCT,
	    (unsigned long long)number, (unsigned long long)number,
	    MADE_SCHEMA, MADE_FIELDS, (unsigned long long)floor);
	for (unsigned i = 0; i < 3; i++) {
		put(v, "%s{\"path\":\"%s\",", i > 0 ? "," : "", made_path[i]);
		put_file(v, source, i);
		put(v, "}");
	}
	put(v, "],\"corpus\":[");
	put_case(v, source, "file.open");
	put(v, ",");
	put_case(v, source, "process.exec");
	put(v, "]");
	if (number % 4 == 0) {
		put(v, ",\"events\":{");
		put_file(v, source, EVENTS);
		put(v, "}");
	}
	put(v, "}");
	version_hash(v->text, v->length, v->hash);
}

/* ---- the source ---- */

static struct made_source *made_of(struct slot_source *source)
{
	return (struct made_source *)source;
}

static int made_open(struct slot_source *source, const char *path,
		     const uint8_t hash[VERSION_HASH])
{
	struct made_source *made = made_of(source);

	if (made->opened++ == made->in && made->fault == MADE_MISSING) {
		return -ENOENT;
	}
	for (size_t i = 0; i < made->blobs; i++) {
		if (memcmp(made->blob[i].hash, hash, VERSION_HASH) == 0) {
			made->offset = 0;
			return (int)i;
		}
	}
	return -ENOENT;
}

/* Small pieces: a copy takes several turns. */
static ssize_t made_read(struct slot_source *source, int handle, void *bytes,
			 size_t size)
{
	struct made_source *made = made_of(source);
	enum made_fault fault = made->opened == made->in + 1 ? made->fault :
		MADE_NONE;
	size_t length = made->blob[handle].length;
	size_t n;

	if (fault == MADE_UNREADABLE && made->offset > 0) {
		return -EIO;
	}
	length -= fault == MADE_SHORT;
	if (fault == MADE_LONG && made->offset == length) {
		made->offset++;
		*(char *)bytes = 'x';
		return 1;
	}
	if (made->offset >= length) {
		return 0;
	}
	n = length - made->offset;
	n = n > 1024 ? 1024 : n;
	n = n > size ? size : n;
	memcpy(bytes, made->blob[handle].bytes + made->offset, n);
	if (fault == MADE_CHANGED) {
		((uint8_t *)bytes)[n / 2] ^= 1;
	}
	made->offset += n;
	return (ssize_t)n;
}

static void made_close(struct slot_source *source, int handle)
{
}

void made_source_init(struct made_source *source)
{
	*source = (struct made_source){
		.source = { made_open, made_read, made_close },
	};
}
