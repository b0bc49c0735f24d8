/* SPDX-License-Identifier: Apache-2.0 */
/* Does the matcher agree with the definition, and in bounded time? */
#include <time.h>

#include "rule/glob.h"
#include "rule_lib.h"

/* The definition, by recursion; only for short inputs. */
static bool naive(const char *p, const char *s, bool at_start)
{
	if (!*p) {
		return !*s;
	}
	if (at_start && !strncmp(p, "**/", 3)) {
		for (const char *t = s; ; t++) {
			if ((t == s || t[-1] == '/') &&
			    naive(p + 3, t, true)) {
				return true;
			}
			if (!*t) {
				return false;
			}
		}
	}
	if (!strncmp(p, "**", 2)) {
		return naive(p + 2, s, false) ||
		       (*s && naive(p, s + 1, false));
	}
	if (*p == '*') {
		return naive(p + 1, s, false) ||
		       (*s && *s != '/' && naive(p, s + 1, false));
	}
	return *s && (*p == *s || (*p == '?' && *s != '/')) &&
	       naive(p + 1, s + 1, *p == '/');
}

static bool match(const char *pattern, const char *path, size_t length)
{
	struct glob_token mid[GLOB_TOKENS];
	bool wild[1024];
	size_t n = strlen(pattern), prefix, suffix;
	int tokens;

	for (size_t i = 0; i < n; i++) {
		wild[i] = pattern[i] == '*' || pattern[i] == '?';
	}
	tokens = glob_cut(pattern, wild, n, &prefix, mid, &suffix);
	assert_in_range(tokens, 0, GLOB_TOKENS);

	struct glob glob = {
		.prefix = (const uint8_t *)pattern, .prefix_length = prefix,
		.mid = mid, .mid_count = (size_t)tokens,
		.suffix = (const uint8_t *)pattern + n - suffix,
		.suffix_length = suffix
	};

	return glob_match(&glob, path, length);
}

static void test_table(void **state)
{
	static const struct {
		const char *pattern, *path;
		bool matches;
	} table[] = {
		{ "/a/*", "/a/b", true },
		{ "/a/*", "/a/", true },
		{ "/a/*", "/a/b/c", false },
		{ "/a/**", "/a/b/c", true },
		{ "/a/**", "/a", false },
		{ "/a/**/c", "/a/c", true },
		{ "/a/**/c", "/a/b/c", true },
		{ "/a/**/c", "/a/b/b/c", true },
		{ "/a/**/c", "/a/bc", false },
		{ "/a/**/*", "/a/x", true },
		{ "/a/**/**/c", "/a/c", true },
		{ "/a/**/c/**/d", "/a/c/c/x/d", true },
		{ "/a/**/c/**/d", "/a/d", false },
		{ "/**", "/", true },
		{ "/**/x", "/x", true },
		{ "/a/*b*", "/a/xbx", true },
		{ "/a/*b*", "/a/x/b", false },
		{ "/a?c", "/abc", true },
		{ "/a?c", "/a/c", false },
		{ "/ab*ba", "/aba", false },
		{ "/***", "/a/b", true },
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		if (match(table[i].pattern, table[i].path,
			  strlen(table[i].path)) != table[i].matches) {
			fail_msg("%s %s", table[i].pattern, table[i].path);
		}
	}
}

static void random_text(uint32_t *seed, const char *letters, size_t most,
			char *ret_text)
{
	size_t n = 1 + lib_random(seed, (uint32_t)most);

	ret_text[0] = '/';
	for (size_t i = 1; i < n; i++) {
		ret_text[i] = letters[lib_random(seed,
						 (uint32_t)strlen(letters))];
	}
	ret_text[n] = '\0';
}

static void test_agrees_with_definition(void **state)
{
	uint32_t seed = 4711;
	unsigned matched = 0;

	for (unsigned i = 0; i < 300000; i++) {
		char pattern[16], path[16];
		bool want;

		random_text(&seed, "ab//?***", 10, pattern);
		random_text(&seed, "aab//", 11, path);
		want = naive(pattern, path, false);
		matched += want;
		if (match(pattern, path, strlen(path)) != want) {
			fail_msg("%s %s", pattern, path);
		}
	}
	assert_in_range(matched, 3000, 290000);
}

/* A pattern made to blow up a backtracking matcher. */
static void test_bounded(void **state)
{
	static const char pattern[] =
		"/**a*a**a*a**a*a**a*a**a*a**a*a**a*a**a*a**a*a**ab?";
	static char path[4096];
	clock_t start = clock();

	memset(path, 'a', sizeof(path));
	path[0] = '/';
	assert_false(match(pattern, path, sizeof(path)));
	assert_true(clock() - start < CLOCKS_PER_SEC / 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_agrees_with_definition),
		cmocka_unit_test(test_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
