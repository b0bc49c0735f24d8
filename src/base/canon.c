/* SPDX-License-Identifier: Apache-2.0 */
#include "base/canon.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"

/* Written twice: once without bytes, to know how many. */
struct canon {
	uint8_t *bytes;         /* null: only counted */
	size_t length;
	int error;              /* sticky */
};

static void put(struct canon *c, const void *bytes, size_t n)
{
	if (c->bytes) {
		memcpy(c->bytes + c->length, bytes, n);
	}
	c->length += n;
}

static void put_text(struct canon *c, const char *text, size_t length)
{
	size_t from = 0;

	put(c, "\"", 1);
	for (size_t i = 0; i < length; i++) {
		if (text[i] == '"' || text[i] == '\\') {
			put(c, text + from, i - from);
			put(c, "\\", 1);
			from = i;
		}
	}
	put(c, text + from, length - from);
	put(c, "\"", 1);
}

static void put_value(struct canon *c, const json_t *value, unsigned depth);

/* Bytes of UTF-8 stand in the order of their code points. */
static int by_bytes(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void put_object(struct canon *c, const json_t *object, unsigned depth)
{
	size_t count = json_object_size(object), n = 0;
	cleanup_free const char **keys = calloc(count + 1, sizeof(*keys));
	const char *key;
	json_t *value;

	if (!keys) {
		c->error = -ENOMEM;
		return;
	}
	json_object_foreach((json_t *)object, key, value) {
		keys[n++] = key;
	}
	qsort(keys, n, sizeof(*keys), by_bytes);
	put(c, "{", 1);
	for (size_t i = 0; i < n; i++) {
		put(c, ",", i > 0);
		put_text(c, keys[i], strlen(keys[i]));
		put(c, ":", 1);
		put_value(c, json_object_get(object, keys[i]), depth);
	}
	put(c, "}", 1);
}

static void put_array(struct canon *c, const json_t *array, unsigned depth)
{
	put(c, "[", 1);
	for (size_t i = 0; i < json_array_size(array); i++) {
		put(c, ",", i > 0);
		put_value(c, json_array_get(array, i), depth);
	}
	put(c, "]", 1);
}

static void put_value(struct canon *c, const json_t *value, unsigned depth)
{
	char digits[24];
	int n;

	if (depth > JSON_DEPTH) {
		c->error = -EINVAL;
		return;
	}
	switch (json_typeof(value)) {
	case JSON_OBJECT:
		put_object(c, value, depth + 1);
		break;
	case JSON_ARRAY:
		put_array(c, value, depth + 1);
		break;
	case JSON_STRING:
		put_text(c, json_string_value(value),
			 json_string_length(value));
		break;
	case JSON_INTEGER:
		n = snprintf(digits, sizeof(digits), "%" PRId64,
			     (int64_t)json_integer_value(value));
		put(c, digits, (size_t)n);
		break;
	case JSON_TRUE:
		put(c, "true", 4);
		break;
	case JSON_FALSE:
		put(c, "false", 5);
		break;
	case JSON_NULL:
		put(c, "null", 4);
		break;
	default:
		c->error = -EINVAL;
	}
}

int canon_write(const json_t *value, uint8_t **ret_bytes, size_t *ret_length)
{
	struct canon count = { NULL, 0, 0 }, text = { NULL, 0, 0 };

	put_value(&count, value, 0);
	if (count.error) {
		return count.error;
	}
	text.bytes = malloc(count.length);
	if (!text.bytes) {
		return -ENOMEM;
	}
	put_value(&text, value, 0);
	if (text.error) {
		free(text.bytes);
		return text.error;
	}
	*ret_bytes = text.bytes;
	*ret_length = text.length;
	return 0;
}
