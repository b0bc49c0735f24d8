/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_cli_text.c - are names escaped reversibly, times read as written, and
 * is JSON refused rather than wrong?
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/json.h"
#include "cli/text.h"
#include "cli/when.h"

static void every_pair_of_bytes_survives_both_escapes(void **state)
{
	char bytes[3] = { 0 }, text[TEXT_ESCAPED(2)], back[TEXT_ESCAPED(2)];
	int a, b, purpose;

	(void)state;
	for (a = 1; a < 256; a++) {
		for (b = 1; b < 256; b++) {
			bytes[0] = (char)a;
			bytes[1] = (char)b;
			for (purpose = 0; purpose < 2; purpose++) {
				json_t *string;

				text_escape((enum text_for)purpose, bytes, 2,
					    text);
				assert_int_equal(text_unescape(text, back), 2);
				assert_memory_equal(back, bytes, 2);
				string = json_string(text);
				assert_non_null(string);
				json_decref(string);
			}
		}
	}
}

static void broken_escapes_are_refused(void **state)
{
	static const char *const texts[] = { "\\", "\\x", "\\x1", "\\xg0",
					     "\\q" };
	char back[8];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		assert_int_equal(text_unescape(texts[i], back), -EINVAL);
	}
}

static void nothing_that_drives_a_terminal_is_printed(void **state)
{
	static const char *const bad[] = { "\x1b", "\x9b", "\xc2\x9b", "\x07",
		"\r", "\n", "\x7f", "\xe2\x80\xae", "\xe2\x80\x8b",
		"\xef\xbb\xbf", "\xf3\xa0\x81\x81" };
	char text[64];
	size_t i, k;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		text_escape(TEXT_HUMAN, bad[i], strlen(bad[i]), text);
		for (k = 0; text[k]; k++) {
			assert_in_range(text[k], 0x20, 0x7e);
		}
	}
}

static void durations_are_read_as_people_write_them(void **state)
{
	static const struct { const char *text; int r; uint64_t ms; } rows[] = {
		{ "30s", 0, 30000 }, { "5m", 0, 300000 },
		{ "2h", 0, 7200000 }, { "1d", 0, 86400000 },
		{ "500ms", 0, 500 }, { "1h30m", 0, 5400000 },
		{ "", -EINVAL, 0 }, { "5", -EINVAL, 0 }, { "m", -EINVAL, 0 },
		{ "-5m", -EINVAL, 0 }, { "5m ", -EINVAL, 0 },
		{ "5M", -EINVAL, 0 }, { "1.5h", -EINVAL, 0 },
		{ "40000d", -ERANGE, 0 },
		{ "18446744073709551617s", -ERANGE, 0 },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint64_t ns = 42;

		assert_int_equal(when_duration(rows[i].text, &ns), rows[i].r);
		assert_int_equal(ns, rows[i].r ? 42 : rows[i].ms * 1000000);
	}
}

static void points_in_time_are_ago_or_dates(void **state)
{
	const uint64_t s = 1000000000ull, now = 1700000000ull * s;
	uint64_t ns = 0;

	(void)state;
	assert_int_equal(when_parse("1h", now, &ns), 0);
	assert_int_equal(ns, now - 3600 * s);
	assert_int_equal(when_parse("90000d", now, &ns), -EINVAL);
	assert_int_equal(when_parse("2023-11-14T22:13:20Z", now, &ns), 0);
	assert_int_equal(ns, now);
	assert_int_equal(when_parse("2023-11-14 22:13Z", now, &ns), 0);
	assert_int_equal(ns, now - 20 * s);
	assert_int_equal(when_parse("2023-11-14x", now, &ns), -EINVAL);
	assert_int_equal(when_parse("1900-01-01", now, &ns), -ERANGE);
}

static void a_key_given_twice_spoils_the_document(void **state)
{
	struct json_doc doc;

	(void)state;
	assert_int_equal(json_open(&doc), 0);
	json_put_number(&doc, doc.root, "a", 1);
	json_put_text(&doc, doc.root, "a", "again");
	assert_int_equal(json_print(&doc, true), -EEXIST);
	assert_int_equal(json_integer_value(json_object_get(doc.root, "a")), 1);
	json_closep(&doc);
}

static void numbers_beyond_json_become_digits(void **state)
{
	struct json_doc doc;

	(void)state;
	assert_int_equal(json_open(&doc), 0);
	json_put_number(&doc, doc.root, "big", UINT64_MAX);
	json_put_number(&doc, doc.root, "most", INT64_MAX);
	assert_string_equal(json_string_value(json_object_get(doc.root, "big")),
			    "18446744073709551615");
	assert_int_equal(json_integer_value(json_object_get(doc.root, "most")),
			 INT64_MAX);
	json_closep(&doc);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_pair_of_bytes_survives_both_escapes),
		cmocka_unit_test(broken_escapes_are_refused),
		cmocka_unit_test(nothing_that_drives_a_terminal_is_printed),
		cmocka_unit_test(durations_are_read_as_people_write_them),
		cmocka_unit_test(points_in_time_are_ago_or_dates),
		cmocka_unit_test(a_key_given_twice_spoils_the_document),
		cmocka_unit_test(numbers_beyond_json_become_digits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
