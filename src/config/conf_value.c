/* SPDX-License-Identifier: Apache-2.0 */
/* conf_value.c - values of the INI form (conf.h): numbers, sizes, times, shares
 * and words, each with what is wrong about it */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/conf.h"

#define REASON(...) (snprintf(ret_reason, CONF_REASON, __VA_ARGS__), -EINVAL)

static void *field(const struct conf_key *key, void *object)
{
	return (char *)object + key->offset;
}

/* Bytes after the text are zeroed: the struct travels through pipes. */
static int set_string(const struct conf_key *key, const char *value,
		      void *object, char ret_reason[CONF_REASON])
{
	size_t n = strlen(value);

	if (n + 1 > key->size) {
		return REASON("too long: at most %zu bytes", key->size - 1);
	}
	memset(field(key, object), 0, key->size);
	memcpy(field(key, object), value, n);
	return 0;
}

CONF_SETTER(conf_set_text)
{
	if (!*value) {
		return REASON("empty: write a text");
	}
	return set_string(key, value, object, ret_reason);
}

CONF_SETTER(conf_set_name)
{
	if (!*value ||
	    value[strspn(value, "abcdefghijklmnopqrstuvwxyz0123456789-_")]) {
		return REASON("`%.40s' is not a name: use a-z 0-9 - _", value);
	}
	return set_string(key, value, object, ret_reason);
}

const char *conf_path_fault(const char *path)
{
	if (path[0] != '/') {
		return "is not absolute: begin it with '/'";
	}
	for (const char *p = path; *p; ) {
		size_t n = 1 + strcspn(p + 1, "/");

		if ((n == 1 && path[1]) || (n == 2 && p[1] == '.') ||
		    (n == 3 && p[1] == '.' && p[2] == '.')) {
			return "has an empty, `.' or `..' component, or "
			       "ends with '/'";
		}
		p += n;
	}
	return "";
}

CONF_SETTER(conf_set_path)
{
	const char *fault = conf_path_fault(value);

	if (*fault) {
		return REASON("`%.60s' %s", value, fault);
	}
	return set_string(key, value, object, ret_reason);
}

int conf_number(const char *text, uint64_t *ret_value, const char **ret_end)
{
	unsigned long long value;
	char *end;

	if (*text < '0' || *text > '9') {
		return -EINVAL;
	}
	errno = 0;
	value = strtoull(text, &end, 10);
	if (errno || value > INT64_MAX) {
		return -ERANGE;
	}
	*ret_value = value;
	*ret_end = end;
	return 0;
}

static int store_u32(const struct conf_key *key, uint64_t value, void *object,
		     const char *unit, char ret_reason[CONF_REASON])
{
	uint32_t narrow = (uint32_t)value;

	if (value < key->low || value > key->high) {
		return REASON("out of range: %llu to %llu%s",
			      (unsigned long long)key->low,
			      (unsigned long long)key->high, unit);
	}
	memcpy(field(key, object), &narrow, sizeof(narrow));
	return 0;
}

CONF_SETTER(conf_set_number)
{
	const char *end = "";
	uint64_t number;

	if (conf_number(value, &number, &end) || *end) {
		return REASON("`%.40s' is not a whole number without a unit",
			      value);
	}
	return store_u32(key, number, object, "", ret_reason);
}

CONF_SETTER(conf_set_percent)
{
	const char *end = "";
	uint64_t number;

	if (conf_number(value, &number, &end) || strcmp(end, "%") != 0) {
		return REASON("`%.40s' is not a share: write it as 80%%",
			      value);
	}
	return store_u32(key, number, object, "%", ret_reason);
}

/* Multiplies by the unit's factor; false on overflow or an unknown unit. */
static bool scale(uint64_t *value, const char *end, const char *units,
		  const uint64_t *factors)
{
	const char *unit = *end ? strchr(units, *end) : NULL;

	if (!unit || end[1] || *value > INT64_MAX / factors[unit - units]) {
		return false;
	}
	*value *= factors[unit - units];
	return true;
}

int conf_seconds(const char *text, uint64_t *ret_seconds)
{
	static const uint64_t factors[] = { 1, 60, 3600, 86400 };
	const char *end = "";
	uint64_t number;

	if (conf_number(text, &number, &end) ||
	    !scale(&number, end, "smhd", factors)) {
		return -EINVAL;
	}
	*ret_seconds = number;
	return 0;
}

CONF_SETTER(conf_set_duration)
{
	uint64_t seconds;

	if (conf_seconds(value, &seconds)) {
		return REASON("`%.40s' is not a duration: write a number with "
			      "s, m, h or d, like 1h", value);
	}
	return store_u32(key, seconds, object, " seconds", ret_reason);
}

CONF_SETTER(conf_set_bytes)
{
	static const uint64_t factors[] = { 1ull << 10, 1ull << 20,
					    1ull << 30 };
	const char *end = "";
	uint64_t number;

	if (conf_number(value, &number, &end) ||
	    (number && !scale(&number, end, "KMG", factors)) ||
	    (!number && *end)) {
		return REASON("`%.40s' is not a size: write a number with K, "
			      "M or G, like 256M", value);
	}
	if (number < key->low || number > key->high) {
		return REASON("out of range: %lluK to %lluG",
			      (unsigned long long)key->low >> 10,
			      (unsigned long long)key->high >> 30);
	}
	memcpy(field(key, object), &number, sizeof(number));
	return 0;
}

int conf_word_find(const struct conf_word *words, const char *word,
		  uint32_t *ret_value, char ret_reason[CONF_REASON])
{
	size_t n;

	for (const struct conf_word *w = words; w->word; w++) {
		if (!strcmp(w->word, word)) {
			*ret_value = w->value;
			return 0;
		}
	}
	n = (size_t)snprintf(ret_reason, CONF_REASON,
			     "`%.40s' is none of:", word);
	for (const struct conf_word *w = words; w->word && n < CONF_REASON;
	     w++) {
		n += (size_t)snprintf(ret_reason + n, CONF_REASON - n, " %s",
				      w->word);
	}
	return -ENOENT;
}

CONF_SETTER(conf_set_word)
{
	uint32_t number;
	int r = conf_word_find(key->words, value, &number, ret_reason);

	if (!r) {
		memcpy(field(key, object), &number, sizeof(number));
	}
	return r;
}

int conf_piece(const char **value, char *ret_piece, size_t size)
{
	const char *p = *value + strspn(*value, " \t");
	size_t n = strcspn(p, " \t");

	if (n + 1 > size) {
		return -E2BIG;
	}
	memset(ret_piece, 0, size);
	memcpy(ret_piece, p, n);
	*value = p + n;
	return n > 0;
}
