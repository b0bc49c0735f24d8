/* SPDX-License-Identifier: Apache-2.0 */
/* Is exactly the JSON taken that may be, with a reason for what may not; and is
 * canonical JSON what others sign over? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/canon.h"
#include "base/json.h"

static struct json_fault fault;

static int read_text(const char *text, json_t **ret_tree,
		     struct json_at *ret_top)
{
	fault.text[0] = '\0';
	return json_read(text, strlen(text), 1 << 16, ret_tree, ret_top,
			 &fault);
}

static void refused(const char *text, const char *why)
{
	struct json_at top;
	json_t *tree = NULL;

	assert_int_equal(read_text(text, &tree, &top), -EBADMSG);
	assert_null(tree);
	if (!strstr(fault.text, why)) {
		fail_msg("%s: \"%s\", not \"%s\"", text, fault.text, why);
	}
}

static void test_what_is_refused(void **state)
{
	refused("", "line 1");
	refused("{", "line 1");
	refused("[]", "not an object");
	refused("1", "line 1");
	refused("{} x", "end of file");
	refused("{\"a\":1,\"a\":1}", "duplicate");
	refused("{\"a\":{\"b\":1,\"b\":2}}", "duplicate");
	refused("{\"a\":1.0}", "not whole");
	refused("{\"a\":1e3}", "not whole");
	refused("{\"a\":-1E3}", "not whole");
	refused("{\"a\":-0}", "minus zero");
	refused("{\"a\":00}", "line 1");
	refused("{\"a\":12345678901234567890}", "too long");
	refused("{\"a\":9223372036854775808}", "big");
	refused("{\"a\":\"\\u0000\"}", "\\u0000");
	refused("{\"a\":\"\xff\"}", "0xff");
	refused("{\"a\":\"\xed\xa0\x80\"}", "decode");
	refused("{\"a\":\"\\ud800\"}", "line 1");
	refused("{\"a\":\"x\ny\"}", "line 1");
	refused("\xef\xbb\xbf{}", "line 1");
	refused("{\"a\":NaN}", "line 1");
	refused("{\"a\":1,}", "line 1");
	refused("{'a':1}", "line 1");
}

static void test_size_is_looked_at_first(void **state)
{
	struct json_at top;
	json_t *tree = NULL;

	assert_int_equal(json_read("{\"a\":1.5}", 9, 8, &tree, &top, &fault),
			 -EFBIG);
	assert_string_equal(fault.text, "9 bytes, at most 8");
	assert_int_equal(json_read("{}\0{}", 5, 8, &tree, &top, &fault),
			 -EBADMSG);
}

static void nest(char *text, unsigned depth)
{
	strcpy(text, "{\"a\":");
	memset(text + 5, '[', depth - 1);
	memset(text + 5 + depth - 1, ']', depth - 1);
	strcpy(text + 5 + 2 * (depth - 1), "}");
}

static void test_depth(void **state)
{
	static char text[200000];
	struct json_at top;
	json_t *tree = NULL;

	nest(text, JSON_DEPTH);
	assert_int_equal(read_text(text, &tree, &top), 0);
	json_decref(tree);
	nest(text, JSON_DEPTH + 1);
	refused(text, "nested too deep");
	memset(text, '[', 60000);
	text[60000] = '\0';
	refused(text, "nested too deep");
	refused("{\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\":\"\\\"[\"",
		"line 1");
}

static void test_getters_name_the_path(void **state)
{
	struct json_at top, one, list, item;
	json_t *tree = NULL;
	const char *text;
	uint8_t hex[2];
	int64_t n;
	bool flag;
	size_t count;

	assert_int_equal(read_text("{\"s\":{\"list\":[{\"n\":7,\"t\":\"\","
				   "\"f\":true,\"h\":\"0aFf\",\"z\":null,"
				   "\"d\":\"2024-02-30T00:00:00Z\","
				   "\"e\":\"2024-02-29T23:59:59Z\"}]}}",
				   &tree, &top), 0);
	assert_int_equal(json_member(&top, "s", &one), 0);
	assert_int_equal(json_list(&one, "list", 1, &list, &count), 0);
	assert_int_equal(count, 1);
	assert_int_equal(json_element(&list, 0, &item), 0);
	assert_int_equal(json_int(&item, "n", 1, 7, &n), 0);
	assert_int_equal(n, 7);
	assert_int_equal(json_int(&item, "n", 8, 9, &n), -EBADMSG);
	assert_string_equal(fault.text, "s.list[0].n: 7, not 8 to 9");
	assert_int_equal(json_text(&item, "t", 9, &text), -EBADMSG);
	assert_string_equal(fault.text, "s.list[0].t: 0 bytes, not 1 to 9");
	assert_int_equal(json_text(&item, "n", 9, &text), -EBADMSG);
	assert_string_equal(fault.text, "s.list[0].n: not a text");
	assert_int_equal(json_flag(&item, "f", &flag), 0);
	assert_true(flag);
	assert_int_equal(json_flag(&item, "missing", &flag), -EBADMSG);
	assert_string_equal(fault.text, "s.list[0].missing: missing");
	assert_int_equal(json_hex(&item, "h", hex, 2), 0);
	assert_memory_equal(hex, "\x0a\xff", 2);
	assert_int_equal(json_hex(&item, "h", hex, 1), -EBADMSG);
	assert_int_equal(json_time(&item, "d", &n), -EBADMSG);
	assert_int_equal(json_time(&item, "e", &n), 0);
	assert_int_equal(n, 1709251199);
	assert_false(json_has(&item, "z"));
	assert_true(json_has(&item, "n"));
	assert_int_equal(json_list(&one, "list", 0, &list, &count), -EBADMSG);
	assert_int_equal(json_element(&list, 1, &item), -EBADMSG);
	assert_string_equal(fault.text, "s.list[1]: not an object");
	json_decref(tree);
}

static void test_messages_are_one_line_of_ascii(void **state)
{
	struct json_at top, member;
	json_t *tree = NULL;
	void *iterator = NULL;

	assert_int_equal(read_text("{\"a\\n\\u001b\xc3\xa4\":1}", &tree, &top),
			 0);
	assert_int_equal(json_next(&top, &iterator, &member), 1);
	assert_int_equal(json_all_objects(&top, 9), -EBADMSG);
	assert_string_equal(fault.text, "a????: not an object");
	assert_int_equal(json_next(&top, &iterator, &member), 0);
	json_decref(tree);
}

static void canon_is(const char *text, const char *want)
{
	struct json_at top;
	json_t *tree = NULL;
	uint8_t *bytes = NULL;
	size_t length = 0;

	assert_int_equal(read_text(text, &tree, &top), 0);
	assert_int_equal(canon_write(tree, &bytes, &length), 0);
	assert_int_equal(length, strlen(want));
	assert_memory_equal(bytes, want, length);
	free(bytes);
	json_decref(tree);
}

static void test_canonical(void **state)
{
	json_t *real = json_pack("{s:f}", "a", 1.5);
	uint8_t *bytes = NULL;
	size_t length = 0;

	canon_is(" { } ", "{}");
	canon_is("{\"b\": 1, \"a\": [ -5, true, false, null ], \"B\":{}}",
		 "{\"B\":{},\"a\":[-5,true,false,null],\"b\":1}");
	/* raw but for the quotation mark and the backslash */
	canon_is("{\"\\u0001\\n\\\"\\\\\\/\":\"\\u00e4\\ud83d\\ude00\"}",
		 "{\"\x01\n\\\"\\\\/\":\"\xc3\xa4\xf0\x9f\x98\x80\"}");
	/* by code point: U+FF5E before U+1F600, unlike UTF-16 */
	canon_is("{\"\\ud83d\\ude00\":2,\"\\uff5e\":1}",
		 "{\"\xef\xbd\x9e\":1,\"\xf0\x9f\x98\x80\":2}");
	canon_is("{\"a\":9223372036854775807,\"b\":-9223372036854775808}",
		 "{\"a\":9223372036854775807,\"b\":-9223372036854775808}");
	assert_int_equal(canon_write(real, &bytes, &length), -EINVAL);
	json_decref(real);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_refused),
		cmocka_unit_test(test_size_is_looked_at_first),
		cmocka_unit_test(test_depth),
		cmocka_unit_test(test_getters_name_the_path),
		cmocka_unit_test(test_messages_are_one_line_of_ascii),
		cmocka_unit_test(test_canonical),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
