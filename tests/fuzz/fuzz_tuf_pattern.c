/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Path patterns: PATTERN, a newline, PATH. The answer is that of a plain
 * recursive matcher as long as there are no sets, and never has a wildcard
 * matched a slash.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "update/tuf_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define PLAIN_MOST 24           /* the plain one takes exponential time */

static void require(int condition)
{
	if (!condition) {
		abort();
	}
}

static bool plain(const char *pattern, const char *path)
{
	if (*pattern == '*') {
		return plain(pattern + 1, path) ||
		       (*path && *path != '/' && plain(pattern, path + 1));
	}
	if (!*pattern || !*path) {
		return *pattern == *path;
	}
	return (*pattern == *path || (*pattern == '?' && *path != '/')) &&
	       plain(pattern + 1, path + 1);
}

static size_t slashes(const char *text)
{
	size_t n = 0;

	for (; *text; text++) {
		n += *text == '/';
	}
	return n;
}

static bool is_ascii(const char *text)
{
	for (; *text; text++) {
		if (*text & 0x80) {
			return false;
		}
	}
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text, *path;
	bool match;

	if (memchr(data, '\0', size) || !memchr(data, '\n', size)) {
		return 0;
	}
	text = malloc(size + 1);
	require(text != NULL);
	memcpy(text, data, size);
	text[size] = '\0';
	path = strchr(text, '\n');
	*path++ = '\0';
	match = tuf_pattern_match(text, path);
	require(!match || slashes(text) == slashes(path));
	if (size < PLAIN_MOST && !strchr(text, '[') && is_ascii(text) &&
	    is_ascii(path)) {
		require(match == plain(text, path));
	}
	free(text);
	return 0;
}
