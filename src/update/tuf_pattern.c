/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tuf_pattern.c - which paths a delegation is trusted for
 *
 * Patterns of the shell, component by component: '*' any number of characters,
 * '?' one, "[a-z]" and "[!a-z]" one of a set; none of them matches a '/'. A '['
 * without its ']' stands for itself. A character is one of UTF-8. No recursion:
 * a '*' that was passed is the only place to which a mismatch goes back.
 */
#include <string.h>

#include <openssl/sha.h>

#include "update/tuf_internal.h"

/* The character at *p, and past it; a byte that is no UTF-8 is itself. */
static uint32_t next(const char **p)
{
	const uint8_t *s = (const uint8_t *)*p;
	unsigned more = *s < 0xc0 ? 0 : *s < 0xe0 ? 1 : *s < 0xf0 ? 2 : 3;
	uint32_t c = more ? *s & (0x3fu >> more) : *s;

	for (unsigned i = 1; i <= more; i++) {
		if ((s[i] & 0xc0) != 0x80) {
			++*p;
			return *s;
		}
		c = c << 6 | (s[i] & 0x3f);
	}
	*p += more + 1;
	return c;
}

/* pattern stands behind '['. The ']' that ends the set, or null. */
static const char *set_end(const char *pattern)
{
	pattern += *pattern == '!';
	pattern += *pattern == ']';
	pattern += strcspn(pattern, "]/");
	return *pattern == ']' ? pattern : NULL;
}

static bool set_has(const char *pattern, const char *end, uint32_t c)
{
	bool inverse = *pattern == '!', found = false;

	pattern += inverse;
	while (pattern < end) {
		uint32_t low = next(&pattern), high = low;

		if (*pattern == '-' && pattern + 1 < end) {
			pattern++;
			high = next(&pattern);
		}
		found |= c >= low && c <= high;
	}
	return found != inverse;
}

/* Does what stands at *pattern, which is no '*', match what is at *path? Both
 * go past it if so. */
static bool match_one(const char **pattern, const char **path)
{
	const char *end, *p = *pattern;
	uint32_t want = next(&p), c;

	if (!**path) {
		return false;
	}
	c = next(path);
	if (want == '?' || want == '[') {
		end = want == '[' ? set_end(p) : NULL;
		if (want == '?' || end) {
			*pattern = end ? end + 1 : p;
			return c != '/' && (!end || set_has(p, end, c));
		}
	}
	*pattern = p;
	return c == want;
}

bool tuf_pattern_match(const char *pattern, const char *path)
{
	const char *star = NULL, *from = NULL;

	while (*pattern || *path) {
		if (*pattern == '*') {
			star = ++pattern;
			from = path;
			continue;
		}
		if (*pattern && match_one(&pattern, &path)) {
			continue;
		}
		if (!star || !*from || *from == '/') {
			return false;
		}
		next(&from);
		pattern = star;
		path = from;
	}
	return true;
}

static bool hash_trusted(const json_t *prefixes, const char *path)
{
	uint8_t digest[SHA256_DIGEST_LENGTH];
	char hex[2 * SHA256_DIGEST_LENGTH + 1];

	SHA256((const uint8_t *)path, strlen(path), digest);
	for (size_t i = 0; i < sizeof(digest); i++) {
		hex[2 * i] = "0123456789abcdef"[digest[i] >> 4];
		hex[2 * i + 1] = "0123456789abcdef"[digest[i] & 15];
	}
	hex[sizeof(hex) - 1] = '\0';
	for (size_t i = 0; i < json_array_size(prefixes); i++) {
		const char *text =
			json_string_value(json_array_get(prefixes, i));

		if (strncmp(hex, text, strlen(text)) == 0) {
			return true;
		}
	}
	return false;
}

bool tuf_pattern_trusted(const json_t *delegation, const char *path)
{
	const json_t *patterns = json_object_get(delegation, "paths");

	if (!json_is_array(patterns)) {
		return hash_trusted(json_object_get(delegation,
						    "path_hash_prefixes"),
				    path);
	}
	for (size_t i = 0; i < json_array_size(patterns); i++) {
		if (tuf_pattern_match(json_string_value(json_array_get(
					      patterns, i)), path)) {
			return true;
		}
	}
	return false;
}
