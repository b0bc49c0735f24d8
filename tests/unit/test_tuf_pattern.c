/* SPDX-License-Identifier: Apache-2.0 */
/* Do path patterns match what the specification's glob matches, never across a
 * slash, and in time that is not exponential? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "update/tuf_internal.h"

static const struct {
	const char *pattern, *path;
	bool match;
} rows[] = {
	/* the specification's own */
	{ "targets/*.tgz", "targets/foo.tgz", true },
	{ "targets/*.tgz", "targets/bar.tgz", true },
	{ "targets/*.tgz", "targets/foo.txt", false },
	{ "foo-version-?.tgz", "foo-version-2.tgz", true },
	{ "foo-version-?.tgz", "foo-version-a.tgz", true },
	{ "foo-version-?.tgz", "foo-version-alpha.tgz", false },
	{ "*.tgz", "foo.tgz", true },
	{ "*.tgz", "targets/foo.tgz", false },
	{ "foo.tgz", "foo.tgz", true },
	{ "foo.tgz", "foo_tgz", false },
	/* stars */
	{ "*", "", true },
	{ "*", "a", true },
	{ "*", ".hidden", true },
	{ "*", "a/b", false },
	{ "**", "a/b", false },
	{ "*/*", "a/b", true },
	{ "*/*", "/", true },
	{ "*/*", "a/b/c", false },
	{ "a*b*c", "aXbXbXc", true },
	{ "a*b*c", "aXbXbX", false },
	{ "*ab", "aab", true },
	{ "*aab", "aaab", true },
	{ "a*/b", "abc/b", true },
	{ "a*/b", "ab/c/b", false },
	{ "*/x*y", "a/xyxy", true },
	{ "*a/*b", "ca/ab", true },
	{ "*a/*b", "cb/ab", false },
	/* question marks */
	{ "?", "", false },
	{ "?", "/", false },
	{ "a?b", "a/b", false },
	{ "?", "\xc3\xa4", true },
	{ "??", "\xc3\xa4", false },
	{ "?", "\xff", true },
	{ "?", "\xf0\x9f\x98\x80", true },
	{ "?", "\xc3", true },
	/* sets */
	{ "[ab]c", "ac", true },
	{ "[ab]c", "cc", false },
	{ "[!ab]c", "cc", true },
	{ "[!ab]c", "ac", false },
	{ "[a-f0-9]", "7", true },
	{ "[a-f0-9]", "g", false },
	{ "[]]", "]", true },
	{ "[!]]", "]", false },
	{ "[a-]", "-", true },
	{ "[\xc3\xa0-\xc3\xbf]", "\xc3\xa4", true },
	{ "a[!x]b", "a/b", false },
	{ "[a", "[a", true },
	{ "[a", "a", false },
	{ "[/]", "/", false },
	{ "[/]", "[/]", true },
	{ "*[0-9]", "abc7", true },
	{ "*[0-9]", "abc", false },
	/* nothing else is special */
	{ "\\*", "\\x", true },
	{ "a.c", "abc", false },
	{ "{a,b}", "a", false },
	{ "", "", true },
	{ "", "a", false },
	{ "a", "", false },
};

static void test_rows(void **state)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (tuf_pattern_match(rows[i].pattern, rows[i].path) !=
		    rows[i].match) {
			fail_msg("\"%s\" and \"%s\"", rows[i].pattern,
				 rows[i].path);
		}
	}
}

/* Every short text over few letters, against a plain recursive matcher. */
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

static void spell(unsigned n, const char *letters, char *ret_text)
{
	size_t base = strlen(letters) + 1;

	for (; n % base; n /= (unsigned)base) {
		*ret_text++ = letters[n % base - 1];
	}
	*ret_text = '\0';
}

static void test_against_a_plain_matcher(void **state)
{
	char pattern[16], path[16];

	for (unsigned i = 0; i < 3125; i++) {
		spell(i, "a*/?", pattern);
		for (unsigned j = 0; j < 1024; j++) {
			spell(j, "ab/", path);
			if (tuf_pattern_match(pattern, path) !=
			    plain(pattern, path)) {
				fail_msg("\"%s\" and \"%s\"", pattern, path);
			}
		}
	}
}

static void test_many_stars(void **state)
{
	static char pattern[1024], path[1024];

	for (size_t i = 0; i + 2 < sizeof(pattern); i += 2) {
		memcpy(pattern + i, "a*", 2);
	}
	pattern[sizeof(pattern) - 2] = 'b';
	memset(path, 'a', sizeof(path) - 1);
	for (int i = 0; i < 100; i++) {
		assert_false(tuf_pattern_match(pattern, path));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_against_a_plain_matcher),
		cmocka_unit_test(test_many_stars),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
