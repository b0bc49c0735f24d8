/* SPDX-License-Identifier: Apache-2.0 */
#include "update/bundle.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/text.h"
#include "update/updater_file.h"

#define AT_PRODUCT 16u
#define AT_COUNT 48u
#define AT_ZERO 52u
#define AT_TOTAL 56u
#define ENTRY_LENGTH 256u
#define ENTRY_HASH 264u
#define BUNDLE_CHUNK 65536u

/* ---- numbers ---- */

static uint64_t take_number(const uint8_t *bytes, unsigned size)
{
	uint64_t n = 0;

	while (size--) {
		n = n << 8 | bytes[size];
	}
	return n;
}

static void put_number(uint8_t *bytes, unsigned size, uint64_t n)
{
	for (; size--; n >>= 8) {
		*bytes++ = (uint8_t)n;
	}
}

/* ---- what may stand in a list ---- */

__attribute__((format(printf, 2, 3)))
static int bundle_refuse(struct bundle *bundle, const char *format, ...)
{
	va_list list;

	va_start(list, format);
	vsnprintf(bundle->why, sizeof(bundle->why), format, list);
	va_end(list);
	return -EBADMSG;
}

/* A text in a field of its own: ends with a NUL, and NULs to the end. */
static bool field_good(const char *field, size_t size)
{
	size_t n = strnlen(field, size);

	if (n == 0 || n == size) {
		return false;
	}
	while (n < size && field[n] == '\0') {
		n++;
	}
	return n == size;
}

static bool name_good(const char *name)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
		"abcdefghijklmnopqrstuvwxyz0123456789._-%";
	bool metadata = strncmp(name, "metadata/", 9) == 0;
	unsigned parts = 0;

	if (strcmp(name, "site.json") == 0 ||
	    strcmp(name, "version.json") == 0) {
		return true;
	}
	if (!metadata && strncmp(name, "targets/", 8) != 0) {
		return false;
	}
	for (;; parts++) {
		size_t n = strspn(name, letters);

		if (n == 0 || *name == '.') {
			return false;
		}
		name += n;
		if (*name == '\0') {
			break;
		}
		if (*name++ != '/') {
			return false;
		}
	}
	return parts < FILE_DEEPEST && (!metadata || parts == 1);
}

static uint64_t name_most(const char *name)
{
	if (strncmp(name, "metadata/", 9) == 0) {
		return BUNDLE_META_BYTES;
	}
	return strncmp(name, "targets/blob/", 13) == 0 ? BUNDLE_BLOB_BYTES :
							  BUNDLE_TARGET_BYTES;
}

static bool product_good(const char *product)
{
	return product[strspn(product, "abcdefghijklmnopqrstuvwxyz"
			      "0123456789-_")] == '\0';
}

/* ---- reading ---- */

int bundle_head(const uint8_t *bytes, struct bundle *ret_bundle)
{
	const char *product = (const char *)bytes + AT_PRODUCT;
	uint64_t count = take_number(bytes + AT_COUNT, 4);
	uint64_t total = take_number(bytes + AT_TOTAL, 8);

	*ret_bundle = (struct bundle){ .count = 0 };
	if (memcmp(bytes, BUNDLE_MAGIC, AT_PRODUCT) != 0) {
		return bundle_refuse(ret_bundle, "this is no bundle that "
				     "`bailey content export` wrote");
	}
	if (!field_good(product, BUNDLE_PRODUCT) || !product_good(product)) {
		return bundle_refuse(ret_bundle, "malformed: the product");
	}
	if (count == 0 || count > BUNDLE_FILES ||
	    take_number(bytes + AT_ZERO, 4) != 0) {
		return bundle_refuse(ret_bundle, "malformed: %llu files",
				     (unsigned long long)count);
	}
	if (total > BUNDLE_TOTAL_BYTES) {
		return bundle_refuse(ret_bundle, "%llu bytes in all are over "
				     "the limit", (unsigned long long)total);
	}
	memcpy(ret_bundle->product, product, BUNDLE_PRODUCT);
	ret_bundle->count = (size_t)count;
	ret_bundle->total = total;
	return 0;
}

static int bundle_entry_read(struct bundle *bundle, const uint8_t *bytes,
			     size_t index)
{
	const char *name = (const char *)bytes;
	struct bundle_entry *entry = &bundle->entry[index];

	if (!field_good(name, BUNDLE_NAME) || !name_good(name)) {
		return bundle_refuse(bundle, "malformed: the name of file %zu",
				     index);
	}
	if (index && strcmp(bundle->entry[index - 1].name, name) >= 0) {
		return bundle_refuse(bundle, "malformed: %s is out of order",
				     name);
	}
	memcpy(entry->name, name, BUNDLE_NAME);
	entry->length = take_number(bytes + ENTRY_LENGTH, 8);
	if (entry->length > name_most(name)) {
		return bundle_refuse(bundle, "%s: %llu bytes are over the "
				     "limit", name,
				     (unsigned long long)entry->length);
	}
	memcpy(entry->sha256, bytes + ENTRY_HASH, sizeof(entry->sha256));
	return 0;
}

static int bundle_entries(struct bundle *bundle, const uint8_t *bytes)
{
	uint64_t total = 0;
	size_t i;
	int r;

	bundle->entry = calloc(bundle->count, sizeof(*bundle->entry));
	if (!bundle->entry) {
		return -ENOMEM;
	}
	for (i = 0; i < bundle->count; i++) {
		r = bundle_entry_read(bundle, bytes + i * BUNDLE_ENTRY, i);
		if (r < 0) {
			return r;
		}
		total += bundle->entry[i].length;
	}
	return total == bundle->total ? 0 :
	       bundle_refuse(bundle, "malformed: the total is not the sum");
}

int bundle_parse(const uint8_t *bytes, size_t length,
		 struct bundle *ret_bundle)
{
	uint8_t digest[BUNDLE_DIGEST];
	size_t listed;
	int r;

	*ret_bundle = (struct bundle){ .count = 0 };
	if (length < BUNDLE_HEAD) {
		return bundle_refuse(ret_bundle, "it ends in its head");
	}
	r = bundle_head(bytes, ret_bundle);
	if (r < 0) {
		return r;
	}
	listed = BUNDLE_HEAD + ret_bundle->count * BUNDLE_ENTRY;
	if (length != listed + BUNDLE_DIGEST) {
		return bundle_refuse(ret_bundle, "it ends in its list");
	}
	if (!EVP_Digest(bytes, listed, digest, NULL, EVP_sha256(), NULL)) {
		return -ENOMEM;
	}
	if (memcmp(digest, bytes + listed, sizeof(digest)) != 0) {
		return bundle_refuse(ret_bundle, "damaged: the list's digest "
				     "differs; carry it over again");
	}
	r = bundle_entries(ret_bundle, bytes + BUNDLE_HEAD);
	if (r < 0) {
		free(ret_bundle->entry);
		ret_bundle->entry = NULL;
	}
	return r;
}

void bundle_fini(struct bundle *bundle)
{
	free(bundle->entry);
	bundle->entry = NULL;
	bundle->count = 0;
}

/* Exactly length bytes. 0, -ENODATA at an early end. */
static int read_all(int fd, void *bytes, size_t length)
{
	uint8_t *to = bytes;

	while (length) {
		ssize_t n = read(fd, to, length);

		if (n == 0 || (n < 0 && errno != EINTR)) {
			return n == 0 ? -ENODATA : result_errno();
		}
		to += n > 0 ? n : 0;
		length -= n > 0 ? (size_t)n : 0;
	}
	return 0;
}

static int bundle_early(struct bundle *bundle, int r)
{
	return r == -ENODATA ? bundle_refuse(bundle, "it ends too early; carry "
					     "it over again") : r;
}

int bundle_open(int fd, struct bundle *ret_bundle)
{
	cleanup_free uint8_t *bytes = malloc(BUNDLE_HEAD);
	uint8_t *more;
	size_t length;
	int r = bytes ? read_all(fd, bytes, BUNDLE_HEAD) : -ENOMEM;

	*ret_bundle = (struct bundle){ .count = 0 };
	if (r < 0) {
		return bundle_early(ret_bundle, r);
	}
	r = bundle_head(bytes, ret_bundle);
	if (r < 0) {
		return r;
	}
	length = BUNDLE_HEAD + ret_bundle->count * BUNDLE_ENTRY +
		 BUNDLE_DIGEST;
	more = realloc(bytes, length);
	if (!more) {
		return -ENOMEM;
	}
	bytes = more;
	r = read_all(fd, bytes + BUNDLE_HEAD, length - BUNDLE_HEAD);
	return r < 0 ? bundle_early(ret_bundle, r) :
		       bundle_parse(bytes, length, ret_bundle);
}

/* ---- bytes of files ---- */

static int write_all(int fd, const uint8_t *bytes, size_t length)
{
	while (length) {
		ssize_t n = write(fd, bytes, length);

		if (n < 0 && errno != EINTR) {
			return result_errno();
		}
		bytes += n > 0 ? n : 0;
		length -= n > 0 ? (size_t)n : 0;
	}
	return 0;
}

/* Copies entry->length bytes and hashes them. 0, 1: the hash differs. */
static int bundle_copy(int in, int out, const struct bundle_entry *entry)
{
	EVP_MD_CTX *hash = EVP_MD_CTX_new();
	cleanup_free uint8_t *chunk = malloc(BUNDLE_CHUNK);
	uint64_t left = entry->length;
	uint8_t found[32];
	int r = hash && chunk && EVP_DigestInit_ex(hash, EVP_sha256(), NULL) ?
		0 : -ENOMEM;

	while (r == 0 && left) {
		size_t n = left < BUNDLE_CHUNK ? (size_t)left : BUNDLE_CHUNK;

		r = read_all(in, chunk, n);
		r = r < 0 ? r : EVP_DigestUpdate(hash, chunk, n) ?
			write_all(out, chunk, n) : -EIO;
		left -= n;
	}
	if (r == 0 && !EVP_DigestFinal_ex(hash, found, NULL)) {
		r = -EIO;
	}
	EVP_MD_CTX_free(hash);
	return r < 0 ? r : memcmp(found, entry->sha256, sizeof(found)) != 0;
}

static int bundle_extract_one(int fd, struct bundle *bundle, int folder,
			      const struct bundle_entry *entry)
{
	cleanup_fd int at = -1, out = -1;
	const char *last;
	int r = file_folder(folder, entry->name, &at, &last);

	if (r < 0) {
		return r;
	}
	out = openat(at, last, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW |
		     O_CLOEXEC, 0640);
	r = out < 0 ? result_errno() : bundle_copy(fd, out, entry);
	if (r == 1) {
		return bundle_refuse(bundle, "damaged: %s; carry it over "
				     "again", entry->name);
	}
	return bundle_early(bundle, r);
}

int bundle_extract(int fd, struct bundle *bundle, int folder)
{
	uint8_t beyond;
	size_t i;
	int r = 0;

	for (i = 0; r == 0 && i < bundle->count; i++) {
		r = bundle_extract_one(fd, bundle, folder, &bundle->entry[i]);
		if (r < 0 && r != -EBADMSG) {
			text_format(bundle->why, sizeof(bundle->why), "%s: %s",
				    bundle->entry[i].name, strerror(-r));
		}
	}
	if (r < 0) {
		return r;
	}
	r = read_all(fd, &beyond, 1);
	return r == -ENODATA ? 0 : r < 0 ? r :
	       bundle_refuse(bundle, "malformed: there is more behind its end");
}

/* ---- writing ---- */

static int bundle_open_file(int folder, const char *name)
{
	struct stat st;
	cleanup_fd int fd = openat(folder, name, O_RDONLY | O_NOFOLLOW |
				   O_NONBLOCK | O_CLOEXEC);

	if (fd < 0 || fstat(fd, &st) < 0) {
		return result_errno();
	}
	return S_ISREG(st.st_mode) ? fd_take(&fd) : -EINVAL;
}

int bundle_add(struct bundle *bundle, int folder, const char *name)
{
	cleanup_fd int fd = -1;
	struct bundle_entry entry = { .name = "" }, *more;
	struct stat st;
	int r;

	if (strlen(name) >= sizeof(entry.name) || !name_good(name)) {
		return bundle_refuse(bundle, "%.200s: such a name does not go "
				     "into a bundle", name);
	}
	fd = bundle_open_file(folder, name);
	r = fd < 0 ? fd : fstat(fd, &st) < 0 ? result_errno() :
	    file_hash(fd, entry.sha256);
	if (r < 0) {
		text_format(bundle->why, sizeof(bundle->why), "%s: %s", name,
			    strerror(-r));
		return r;
	}
	text_format(entry.name, sizeof(entry.name), "%s", name);
	entry.length = (uint64_t)st.st_size;
	if (entry.length > name_most(name) || bundle->count == BUNDLE_FILES ||
	    bundle->total + entry.length > BUNDLE_TOTAL_BYTES) {
		return bundle_refuse(bundle, "%s: over the limit of a bundle",
				     name);
	}
	more = reallocarray(bundle->entry, bundle->count + 1, sizeof(*more));
	if (!more) {
		return -ENOMEM;
	}
	bundle->entry = more;
	bundle->entry[bundle->count++] = entry;
	bundle->total += entry.length;
	return 0;
}

static int entry_order(const void *a, const void *b)
{
	return strcmp(((const struct bundle_entry *)a)->name,
		      ((const struct bundle_entry *)b)->name);
}

static int bundle_write_list(int fd, const struct bundle *bundle)
{
	static const char magic[AT_PRODUCT] = BUNDLE_MAGIC;
	size_t listed = BUNDLE_HEAD + bundle->count * BUNDLE_ENTRY, i;
	cleanup_free uint8_t *bytes = calloc(1, listed + BUNDLE_DIGEST);

	if (!bytes) {
		return -ENOMEM;
	}
	memcpy(bytes, magic, sizeof(magic));
	memcpy(bytes + AT_PRODUCT, bundle->product,
	       strnlen(bundle->product, BUNDLE_PRODUCT - 1));
	put_number(bytes + AT_COUNT, 4, bundle->count);
	put_number(bytes + AT_TOTAL, 8, bundle->total);
	for (i = 0; i < bundle->count; i++) {
		const struct bundle_entry *entry = &bundle->entry[i];
		uint8_t *at = bytes + BUNDLE_HEAD + i * BUNDLE_ENTRY;

		memcpy(at, entry->name, strlen(entry->name));
		put_number(at + ENTRY_LENGTH, 8, entry->length);
		memcpy(at + ENTRY_HASH, entry->sha256, sizeof(entry->sha256));
	}
	if (!EVP_Digest(bytes, listed, bytes + listed, NULL, EVP_sha256(),
			NULL)) {
		return -ENOMEM;
	}
	return write_all(fd, bytes, listed + BUNDLE_DIGEST);
}

int bundle_write(int fd, struct bundle *bundle, int folder)
{
	size_t i;
	int r;

	if (bundle->count == 0 || !product_good(bundle->product)) {
		return bundle_refuse(bundle, "there is nothing to export");
	}
	qsort(bundle->entry, bundle->count, sizeof(*bundle->entry),
	      entry_order);
	r = bundle_write_list(fd, bundle);
	for (i = 0; r == 0 && i < bundle->count; i++) {
		const struct bundle_entry *entry = &bundle->entry[i];
		cleanup_fd int in = bundle_open_file(folder, entry->name);

		r = in < 0 ? in : bundle_copy(in, fd, entry);
		if (r == 1 || r == -ENODATA) {
			r = bundle_refuse(bundle, "%s changed meanwhile; "
					  "export again", entry->name);
		} else if (r < 0) {
			text_format(bundle->why, sizeof(bundle->why), "%s: %s",
				    entry->name, strerror(-r));
		}
	}
	return r;
}
