/* SPDX-License-Identifier: Apache-2.0 */
/* Is each malformed or forbidden line refused, with its line and reason? */
#include <errno.h>

#include "rule_lib.h"

static void check_refused(const char *text, size_t length,
			  const struct rule_limits *limits, int line,
			  const char *reason)
{
	struct rule_program *program = NULL;
	struct rule_error error = { 0 };
	int r = rule_compile(text, length, limits, &program, &error);

	if (r != -EBADMSG || error.line != line ||
	    !strstr(error.text, reason) || program) {
		fail_msg("%s: result %d, line %d: %s", text, r, error.line,
			 error.text);
	}
}

static void test_malformed(void **state)
{
	static const struct {
		const char *text;
		int line;
		const char *reason;
	} table[] = {
		{ "forbid any", 1, "unknown action `forbid'" },
		{ "deny", 1, "unknown event `the end of the line'" },
		{ "\n\ndeny file.opne", 3, "unknown event `file.opne'" },
		{ "deny file.open,", 1, "unknown event" },
		{ "deny control.stop", 1, "is news" },
		{ "deny process.exit", 1, "only notify and quiet" },
		{ "deny any path", 1, "in \"quotes\"" },
		{ "deny any path /srv/x", 1, "in \"quotes\"" },
		{ "deny any path \"srv\"", 1, "begin it with '/'" },
		{ "deny any path \"/srv", 1, "close it with" },
		{ "deny any path \"/a//b\"", 1, "empty component" },
		{ "deny any path \"/a/../b\"", 1, "`..'" },
		{ "deny any path \"/a/.\"", 1, "`.'" },
		{ "deny any path \"/a/\"", 1, "ends with '/'" },
		{ "deny any path \"/a\\q\"", 1, "unknown escape" },
		{ "deny any path \"/a\\x0\"", 1, "unknown escape" },
		{ "deny any path \"/a\\x00\"", 1, "NUL byte" },
		{ "deny any path \"/a\tb\"", 1, "\\x09" },
		{ "deny any path \"/a\\", 1, "unknown escape" },
		{ "deny any path-prefix \"/a*\"", 1, "holds a wildcard" },
		{ "deny any path-prefix \"//\"", 1, "empty component" },
		{ "deny any user 0", 1, "unknown predicate `user'" },
		{ "deny any uid", 1, "user id" },
		{ "deny any uid root", 1, "user id" },
		{ "deny any uid 4294967296", 1, "user id" },
		{ "deny any uid -1", 1, "user id" },
		{ "deny any uid in staff", 1, "collection NAME" },
		{ "deny any uid in collection", 1, "needs a name" },
		{ "deny any uid in collection none", 1, "`none'" },
		{ "deny any cgroup in collection bad", 1, "cgroup id" },
		{ "deny any size 5T", 1, "K, M or G" },
		{ "deny any size 99999999999999999G", 1, "K, M or G" },
		{ "deny any mode suid", 1, "mode needs one of" },
		{ "deny any object 8 1", 1, "MAJOR:MINOR" },
		{ "deny any object 8:1", 1, "inode number" },
		{ "deny any object 8:1 x", 1, "inode number" },
		{ "deny any object 5000:1 1", 1, "MAJOR:MINOR" },
		{ "deny any sha256 abc", 1, "64 hexadecimal" },
		{ "deny any uid 0 uid 1", 1, "joined by `and'" },
		{ "deny any uid 0 and", 1, "unknown predicate" },
		{ "deny any and uid 0", 1, "unknown predicate" },
		{ "deny any (uid 0", 1, "without a ')'" },
		{ "deny any uid 0)", 1, "without a '('" },
		{ "deny any ()", 1, "unknown predicate" },
		{ "deny any not", 1, "unknown predicate" },
		{ "deny any (((((((((uid 0)))))))))", 1, "parentheses" },
		{ "deny any priority", 1, "whole number" },
		{ "deny any priority high", 1, "whole number" },
		{ "deny any priority 1001", 1, "-1000 to 1000" },
		{ "deny any priority 1 uid 0", 1, "unexpected `uid'" },
		{ "deny any uid ! 0", 1, "!=" },
		{ "deny any uid 0;", 1, "0x3b" },
		{ "deny any\r\n", 1, "carriage return" },
		{ "allow any path \"/a\" any-namespace", 1, "any-namespace" },
		{ "quiet any exe \"/a\" any-namespace", 1, "any-namespace" },
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		check_refused(table[i].text, strlen(table[i].text), &lib_admin,
			      table[i].line, table[i].reason);
	}
	check_refused("deny any\nask\0any", 16, &lib_admin, 2, "NUL byte");
}

/* What grows without an end is refused at its limit, and not before. */
static void test_limits(void **state)
{
	static char text[200000];
	struct rule_program *program = NULL;
	struct rule_error error;
	size_t n;

	n = (size_t)sprintf(text, "deny any path \"/%01023d\"", 0);
	check_refused(text, n, &lib_admin, 1, "string too long");
	n = (size_t)sprintf(text, "deny any path \"/%01022d\"", 0);
	assert_int_equal(rule_compile(text, n, &lib_admin, &program, &error),
			 0);
	free(program);
	program = NULL;
	n = (size_t)sprintf(text, "deny any # %08200d", 0);
	check_refused(text, n, &lib_admin, 1, "line too long");
	n = (size_t)sprintf(text, "deny any path \"/*%0130d*\"", 0);
	check_refused(text, n, &lib_admin, 1, "pattern too long");
	n = (size_t)sprintf(text, "deny any uid 0");
	for (int i = 1; i < 32; i++) {
		n += (size_t)sprintf(text + n, " %s uid %d",
				     i % 2 ? "or" : "and", i);
	}
	assert_int_equal(rule_compile(text, n, &lib_admin, &program, &error),
			 0);
	free(program);
	program = NULL;
	n += (size_t)sprintf(text + n, " or uid 99");
	check_refused(text, n, &lib_admin, 1, "more than 32 predicates");
	n = 0;
	for (int i = 0; i < 16384; i++) {
		n += (size_t)sprintf(text + n, "deny any\n");
	}
	assert_int_equal(rule_compile(text, n, &lib_admin, &program, &error),
			 0);
	assert_int_equal(rule_program_count(program), 16384);
	free(program);
	n += (size_t)sprintf(text + n, "deny any\n");
	assert_int_equal(rule_compile(text, n, &lib_admin, &program,
				      &error), -E2BIG);
	assert_int_equal(error.line, 16385);
	assert_int_equal(rule_compile(text, RULE_MAX_TEXT + 1, &lib_admin,
				      &program, &error), -E2BIG);
}

/* How far do a product's rules reach? */
static void test_product(void **state)
{
	static const struct {
		const char *text;
		const char *reason;     /* null: accepted */
	} table[] = {
		{ "deny any path \"/srv/x\"", NULL },
		{ "deny any path \"/srv\"", NULL },
		{ "deny any path \"/srv/*.exe\"", NULL },
		{ "deny any path \"/srv/**\"", NULL },
		{ "deny any path-prefix \"/home/shared/a\" and uid 5", NULL },
		{ "deny any path-prefix \"/srv/a\" or path \"/srv/b\"", NULL },
		{ "deny any uid 0 and (path \"/srv/b\" or path \"/srv/c\")",
		  NULL },
		{ "deny any not (not path \"/srv/b\" or uid 0)", NULL },
		{ "allow any path-prefix \"/\"", NULL },
		{ "quiet any", NULL },
		{ "ask any path \"/etc/**\" any-namespace", NULL },
		{ "deny any", "outside may_deny" },
		{ "deny any path-prefix \"/\"", "outside may_deny" },
		{ "deny any path \"/srvx\"", "outside may_deny" },
		{ "deny any path \"/srv*\"", "outside may_deny" },
		{ "deny any path \"/home/share?/x\"", "outside may_deny" },
		{ "deny any path \"/**/srv/x\"", "outside may_deny" },
		{ "deny any not path \"/srv/x\"", "outside may_deny" },
		{ "deny any not (path \"/srv/x\" and uid 0)",
		  "outside may_deny" },
		{ "deny any path \"/srv/x\" or uid 0", "outside may_deny" },
		{ "deny any exe \"/srv/x\"", "outside may_deny" },
		{ "deny any sha256 in collection bad", "outside may_deny" },
		{ "deny any path \"/srv/x\" any-namespace", "any-namespace" },
		{ "allow any path \"/srv/x\" any-namespace",
		  "any-namespace" },
	};
	struct rule_limits limits = {
		.product = true, .may_deny = { "/srv", "/home/shared/" },
		.set_index = lib_set_index
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct rule_program *program = NULL;
		struct rule_error error;

		if (table[i].reason) {
			check_refused(table[i].text, strlen(table[i].text),
				      &limits, 1, table[i].reason);
			continue;
		}
		if (rule_compile(table[i].text, strlen(table[i].text), &limits,
				 &program, &error)) {
			fail_msg("%s: %s", table[i].text, error.text);
		}
		free(program);
	}
	limits.deny_nothing = true;
	check_refused("ask any\ndeny any path \"/srv/x\"", 30, &limits, 2,
		      "may not deny by rules");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_malformed),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_product),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
