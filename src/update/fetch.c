/* SPDX-License-Identifier: Apache-2.0 */
#include "update/fetch.h"

#include <string.h>

void fetch_free(struct fetch *f)
{
	if (f) {
		f->free(f);
	}
}

struct buffer {
	uint8_t *bytes;
	size_t length, room, maximum;
};

/* Grows as bytes come: a maximum that is never reached costs nothing. */
static int take(void *context, uint64_t offset, const void *bytes, size_t n)
{
	struct buffer *b = context;

	if (offset != b->length) {
		return -EPROTO;
	}
	if (n > b->maximum - b->length) {
		return -EFBIG;
	}
	if (b->length + n + 1 > b->room) {
		size_t room = 2 * (b->length + n) + 1024;
		uint8_t *more = realloc(b->bytes, room);

		if (!more) {
			return -ENOMEM;
		}
		b->bytes = more;
		b->room = room;
	}
	memcpy(b->bytes + b->length, bytes, n);
	b->length += n;
	return 0;
}

int fetch_bytes(struct fetch *f, const char *name, size_t maximum,
		uint8_t **ret_bytes, size_t *ret_length)
{
	struct buffer b = { calloc(1, 1), 0, 1, maximum };
	int r;

	f->why[0] = '\0';
	r = b.bytes ? f->get(f, name, 0, maximum, take, &b) : -ENOMEM;
	if (r) {
		if (!f->why[0]) {
			strncat(f->why, strerror(r < 0 ? -r : ENOENT),
				sizeof(f->why) - 1);
		}
		free(b.bytes);
		return r;
	}
	b.bytes[b.length] = '\0';
	*ret_bytes = b.bytes;
	*ret_length = b.length;
	return 0;
}

static int is_plain(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
	       (c >= '0' && c <= '9') || (c && strchr("-_.~", c));
}

int fetch_quote(const char *text, int keep_slash, char *ret_quoted,
		size_t size)
{
	size_t n = 0;

	for (; *text; text++) {
		uint8_t byte = (uint8_t)*text;
		int plain = is_plain(*text) || (keep_slash && *text == '/');

		if (n + (plain ? 1 : 3) >= size) {
			return -ENAMETOOLONG;
		}
		if (plain) {
			ret_quoted[n++] = *text;
			continue;
		}
		ret_quoted[n++] = '%';
		ret_quoted[n++] = "0123456789ABCDEF"[byte >> 4];
		ret_quoted[n++] = "0123456789ABCDEF"[byte & 15];
	}
	ret_quoted[n] = '\0';
	return 0;
}
