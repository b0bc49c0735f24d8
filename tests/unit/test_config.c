/* SPDX-License-Identifier: Apache-2.0 */
/* What holds of bailey.conf and its drop-ins, and where was it said? */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "config/config.h"

static int parse(const char *text, const char *file, struct config *c,
		 struct manifest_error *error)
{
	return config_parse(text, strlen(text), file, c, error);
}

static void tell(void *context, const struct config_value *v)
{
	char *all = context;

	sprintf(all + strlen(all), "[%s] %s = %s (%s:%u)\n", v->section,
		v->name, v->value, v->file ? v->file : "default", v->line);
}

static void test_effective_with_origin(void **state)
{
	struct manifest_error error = { "" };
	struct config c;
	char all[4096] = "";

	config_defaults(&c);
	if (parse("[broker]\noverload = deny\nopen_per_uid = 32\n"
		  "keep = /opt/agent\n"
		  "[scopes]\nfilesystem = local\nfilesystem = /data disk\n"
		  "tree = /srv\n"
		  "[products]\nenable = scan allow\nenable = scan log\n",
		  "bailey.conf", &c, &error) ||
	    parse("; later\n[broker]\nopen_per_uid = 16\n"
		  "keep = /opt/agent\nkeep = /opt/other\n",
		  "10.conf", &c, &error)) {
		fail_msg("%s", error.text);
	}
	config_each(&c, tell, all);
	assert_string_equal(all,
		"[broker] mode = enforce (default:0)\n"
		"[broker] overload = deny (bailey.conf:2)\n"
		"[broker] open_per_uid = 16 (10.conf:3)\n"
		"[broker] open_total = 512 (default:0)\n"
		"[broker] keep = /opt/agent (bailey.conf:4)\n"
		"[broker] keep = /opt/other (10.conf:5)\n"
		"[scopes] tree = /srv (bailey.conf:8)\n"
		"[scopes] filesystem = local (bailey.conf:6)\n"
		"[scopes] filesystem = /data disk (bailey.conf:7)\n"
		"[products] enable = scan (bailey.conf:10)\n"
		"[products] enable = allow (bailey.conf:10)\n"
		"[products] enable = log (bailey.conf:11)\n");
	assert_int_equal(c.overload, CONFIG_OVERLOAD_DENY);
	assert_int_equal(c.open_per_uid, 16);
	assert_int_equal(c.filesystem.count, 2);
}

static void test_refused(void **state)
{
	static const struct {
		const char *text, *reason;
	} table[] = {
		{ "[brokr]\n", "f:1: unknown section [brokr]" },
		{ "[broker]\nmoed = observe\n", "f:2: unknown key moed" },
		{ "[broker]\nmode = on\n", "none of: observe enforce" },
		{ "[broker]\noverload = wait\n", "none of: allow deny" },
		{ "[broker]\nopen_total = 5\nopen_total = 6\n",
		  "f:3: open_total is set twice" },
		{ "[broker]\nopen_per_uid = 0\n", "1 to 4096" },
		{ "[broker]\nopen_per_uid = 600\n", "over open_total of 512" },
		{ "[broker]\nkeep = bin/sh\n", "not absolute" },
		{ "[scopes]\ntree = /a/../b\n", "component" },
		{ "[scopes]\nfilesystem = all\n", "write `local' or" },
		{ "[products]\nenable = Scan\n", "not a product's name" },
		{ "[products]\nenable = "
		  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n", "at most 31" },
	};
	struct config c, before;
	struct manifest_error error;

	config_defaults(&before);
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		c = before;
		error.text[0] = '\0';
		if (parse(table[i].text, "f", &c, &error) != -EBADMSG ||
		    !strstr(error.text, table[i].reason)) {
			fail_msg("%s: %s", table[i].text, error.text);
		}
		assert_memory_equal(&c, &before, sizeof(c));
	}
}

static void test_limits(void **state)
{
	struct manifest_error error;
	char text[4096] = "[scopes]\n";
	struct config c;

	config_defaults(&c);
	for (int i = 0; i < 32; i++) {
		sprintf(text + strlen(text), "tree = /d%d\n", i);
	}
	assert_int_equal(parse(text, "f", &c, &error), 0);
	assert_int_equal(parse("[scopes]\ntree = /one\n", "g", &c, &error),
			 -EBADMSG);
	assert_non_null(strstr(error.text, "g:2: tree: more than 32"));
	for (int i = 0; i < 31; i++) {
		assert_int_equal(parse("", "h", &c, &error), 0);
	}
	assert_int_equal(parse("", "h", &c, &error), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_effective_with_origin),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
