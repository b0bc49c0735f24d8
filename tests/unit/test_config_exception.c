/* SPDX-License-Identifier: Apache-2.0 */
/* Is an exception what was written, and does it end when it should? */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "config/exception.h"

#define NOON 1795348800ull      /* 2026-11-22T12:00:00Z */

static void test_parse(void **state)
{
	static const char line[] =
		"7 2026-11-22T12:00:00Z 2026-11-22T13:00:00Z "
		"\"say \\\"hi\\\" \\\\ caf\xc3\xa9 # 100%\" "
		"allow any path \"/srv/a # b\" priority 9";
	struct rule_error error = { 0 };
	struct exception e;

	if (exception_parse(line, strlen(line), 3, &e, &error)) {
		fail_msg("%s", error.text);
	}
	assert_int_equal(e.id, 7);
	assert_int_equal(e.added_s, NOON);
	assert_int_equal(e.expires_s, NOON + 3600);
	assert_string_equal(e.reason, "say \"hi\" \\ caf\xc3\xa9 # 100%");
	assert_string_equal(e.rule,
			    "allow any path \"/srv/a # b\" priority 9");
	assert_int_equal(exception_parse("# x", 3, 1, &e, &error), 1);
	assert_int_equal(exception_parse("  \t", 3, 1, &e, &error), 1);
	assert_int_equal(exception_parse("", 0, 1, &e, &error), 1);
}

static void test_refused(void **state)
{
#define T "2026-11-22T12:00:00Z "
	static const struct {
		const char *line, *reason;
	} table[] = {
		{ "allow any", "begins with its number" },
		{ "0 " T "never \"r\" allow any", "begins with its number" },
		{ "-1 " T "never \"r\" allow any", "begins with its number" },
		{ "18446744073709551616 " T "never \"r\" allow any",
		  "begins with its number" },
		{ "1 never never \"r\" allow any", "added: write the time" },
		{ "1 2026-13-22T12:00:00Z never \"r\" allow any", "added" },
		{ "1 2026-02-30T12:00:00Z never \"r\" allow any", "added" },
		{ "1 2026-11-22 never \"r\" allow any", "added" },
		{ "1 " T "\"r\" allow any", "expires: write the time" },
		{ "1 " T "never r allow any", "reason is missing" },
		{ "1 " T "never \"\" allow any", "reason is empty" },
		{ "1 " T "never \"r allow any", "has no end" },
		{ "1 " T "never \"r\\", "has no end" },
		{ "1 " T "never \"r\x1b[2J\" allow any", "control character" },
		{ "1 " T "never \"r\"", "is an allow rule" },
		{ "1 " T "never \"r\" deny any", "is an allow rule" },
		{ "1 " T "never \"r\" allow anything", "unknown event" },
		{ "1 " T "never \"r\" allow any path \"/a\" any-namespace",
		  "any-namespace" },
		{ "1 " T "never \"r\" allow any\ndeny any", "newline" },
	};
	struct rule_error error;
	struct exception e;
	char line[1024];

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		memset(&error, 0, sizeof(error));
		if (exception_parse(table[i].line, strlen(table[i].line), 5,
				    &e, &error) != -EBADMSG ||
		    error.line != 5 || !strstr(error.text, table[i].reason)) {
			fail_msg("%s: %s", table[i].line, error.text);
		}
	}
	sprintf(line, "1 " T "never \"%0128d\" allow any", 0);
	assert_int_equal(exception_parse(line, strlen(line), 1, &e, &error),
			 -EBADMSG);
	assert_non_null(strstr(error.text, "reason too long"));
	sprintf(line, "1 " T "never \"r\" allow any # %0510d", 0);
	assert_int_equal(exception_parse(line, strlen(line), 1, &e, &error),
			 -EBADMSG);
	assert_non_null(strstr(error.text, "rule too long"));
}

static void test_round_trip(void **state)
{
	struct exception e = { .id = 1, .added_s = NOON }, again;
	struct rule_error error;
	char line[EXCEPTION_LINE];
	int n;

	strcpy(e.rule, "allow file.open path \"/a\\x01\\\"b\"");
	for (int c = 0x20; c < 0x100; c++) {
		if (c == 0x7f) {
			continue;
		}
		e.id++;
		e.expires_s = c % 2 ? 0 : NOON + (uint64_t)c;
		memset(e.reason, 0, sizeof(e.reason));
		memset(e.reason, c, c % 3 ? 1 : sizeof(e.reason) - 1);
		n = exception_format(&e, line);
		assert_true(n > 0);
		assert_int_equal(line[n - 1], '\n');
		assert_int_equal(exception_parse(line, (size_t)n - 1, 1,
						 &again, &error), 0);
		assert_memory_equal(&e, &again, sizeof(e));
	}
	e.reason[0] = '\n';
	assert_int_equal(exception_format(&e, line), -EINVAL);
	e.reason[0] = '\0';
	assert_int_equal(exception_format(&e, line), -EINVAL);
	strcpy(e.reason, "r");
	strcpy(e.rule, "allow any\ndeny any");
	assert_int_equal(exception_format(&e, line), -EINVAL);
}

static void test_ends(void **state)
{
	static const struct exception list[] = {
		{ .expires_s = NOON, .rule = "allow any uid 1" },
		{ .expires_s = 0, .rule = "allow any uid 2" },
		{ .expires_s = NOON + 9, .rule = "allow any uid 3" },
	};
	char text[64];
	int64_t n;

	assert_true(exception_live(&list[0], NOON - 1));
	assert_false(exception_live(&list[0], NOON));
	assert_true(exception_live(&list[1], NOON));
	n = exception_render(list, 3, NOON, text, sizeof(text));
	assert_int_equal(n, 33);
	assert_memory_equal(text, "\nallow any uid 2\nallow any uid 3\n", 33);
	assert_int_equal(exception_render(list, 3, NOON, text, 33), 33);
	assert_int_equal(exception_render(list, 3, NOON, text, 32), -ENOSPC);
	assert_int_equal(exception_render(list, 0, NOON, text, 0), 0);
	assert_int_equal(exception_next_end(list, 3, NOON - 1), NOON);
	assert_int_equal(exception_next_end(list, 3, NOON), NOON + 9);
	assert_int_equal(exception_next_end(list, 3, NOON + 9), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
