/* SPDX-License-Identifier: Apache-2.0 */
/* Does a manifest say what its author wrote, and why not where it does not? */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "config/manifest.h"

static const char whole[] =
	"; a comment\n"
	"[product]\n"
	"name = scan\n"
	"title = Bailey signature scanner   ; shown to people\n"
	"exec = /usr/lib/bailey/products/scan\n"
	"vendor = Bailey project\n"
	"args = --rules main\n"
	"\n"
	"[events]\n"
	"ask = file.open process.exec\n"
	"ask? = file.unlink\n"
	"notify = process.fork process.exit\n"
	"[policy]\n"
	"mode = enforce\n"
	"deadline_ms = open:50 exec:900\n"
	"deadline_max_ms = 3000\n"
	"on_miss = deny\n"
	"while_loading = allow\n"
	"start_s = 60\n"
	"on_poison = rules\n"
	"may_deny = /srv /home/shared\n"
	"max_denials = 20 in 1m\n"
	"rules_ttl = 2h\n"
	"hold = 128\n"
	"[see]\n"
	"files = none\n"
	"arguments = yes\n"
	"environment = no\n"
	"[jail]\n"
	"profile = rust\n"
	"memory = 1G\n"
	"tasks = 32\n"
	"files = 100\n"
	"cpu = 150%\n"
	"[storage]\n"
	"state = 64M\n"
	"[network]\n"
	"[content]\n"
	"path = /var/lib/scan rules\n"
	"root = /etc/bailey/scan.root.json\n"
	"url = https://content.example/scan\n"
	"reload = live\n";

static int parse(const char *text, struct manifest *m,
		 struct manifest_error *error)
{
	return manifest_parse(text, strlen(text), "a.manifest", m, error);
}

static void test_every_key(void **state)
{
	struct manifest_error error = { "" };
	struct manifest m;

	manifest_defaults(&m);
	if (parse(whole, &m, &error) || manifest_check(&m, "a", &error)) {
		fail_msg("%s", error.text);
	}
	assert_string_equal(m.name, "scan");
	assert_string_equal(m.title, "Bailey signature scanner");
	assert_string_equal(m.vendor, "Bailey project");
	assert_string_equal(m.exec, "/usr/lib/bailey/products/scan");
	assert_string_equal(m.argument[0], "--rules");
	assert_string_equal(m.argument[1], "main");
	assert_string_equal(m.argument[2], "");
	assert_int_equal(m.ask[0].kind, BAILEY_EVENT_FILE_OPEN);
	assert_int_equal(m.ask[0].deadline_ms, 50);
	assert_int_equal(m.ask[1].kind, BAILEY_EVENT_PROCESS_EXEC);
	assert_int_equal(m.ask[1].deadline_ms, 900);
	assert_int_equal(m.ask[2].kind, 0);
	assert_int_equal(m.notify[0].kind, BAILEY_EVENT_PROCESS_FORK);
	assert_int_equal(m.notify[1].kind, BAILEY_EVENT_PROCESS_EXIT);
	assert_int_equal(m.mode, BAILEY_MODE_ENFORCE);
	assert_int_equal(m.deadline_max_ms, 3000);
	assert_int_equal(m.on_miss, MANIFEST_DENY);
	assert_int_equal(m.while_loading, MANIFEST_ALLOW);
	assert_int_equal(m.on_poison, MANIFEST_RULES);
	assert_int_equal(m.start_s, 60);
	assert_int_equal(m.may_deny_asked, 0);
	assert_string_equal(m.may_deny[0], "/srv");
	assert_string_equal(m.may_deny[1], "/home/shared");
	assert_string_equal(m.may_deny[2], "");
	assert_int_equal(m.max_denials, 20);
	assert_int_equal(m.max_denials_window_s, 60);
	assert_int_equal(m.rules_ttl_s, 7200);
	assert_int_equal(m.hold, 128);
	assert_int_equal(m.see_files, 0);
	assert_int_equal(m.see_arguments, 1);
	assert_int_equal(m.see_environment, 0);
	assert_int_equal(m.profile, MANIFEST_PROFILE_RUST);
	assert_int_equal(m.memory_bytes, 1ull << 30);
	assert_int_equal(m.tasks, 32);
	assert_int_equal(m.files, 100);
	assert_int_equal(m.cpu_percent, 150);
	assert_int_equal(m.state_bytes, 64ull << 20);
	assert_string_equal(m.content, "/var/lib/scan rules");
	assert_string_equal(m.content_root, "/etc/bailey/scan.root.json");
	assert_string_equal(m.content_url, "https://content.example/scan");
	assert_int_equal(m.reload, MANIFEST_RELOAD_LIVE);
}

static void test_defaults(void **state)
{
	struct manifest_error error = { "" };
	struct manifest m;

	manifest_defaults(&m);
	assert_int_equal(parse("[product]\nname = a\nexec = /a\n"
			       "[events]\nask = process.exec file.open\n",
			       &m, &error), 0);
	assert_int_equal(manifest_check(&m, "a", &error), 0);
	assert_int_equal(m.ask[0].deadline_ms, 500);
	assert_int_equal(m.ask[1].deadline_ms, 100);
	assert_int_equal(m.mode, BAILEY_MODE_OBSERVE);
	assert_int_equal(m.deadline_max_ms, 2000);
	assert_int_equal(m.on_miss, MANIFEST_RULES);
	assert_int_equal(m.while_loading, MANIFEST_RULES);
	assert_int_equal(m.on_poison, MANIFEST_ALLOW);
	assert_int_equal(m.may_deny_asked, 1);
	assert_int_equal(m.max_denials, 50);
	assert_int_equal(m.max_denials_window_s, 10);
	assert_int_equal(m.rules_ttl_s, 3600);
	assert_int_equal(m.hold, 256);
	assert_int_equal(m.memory_bytes, 256ull << 20);
	assert_int_equal(m.cpu_percent, 80);
	assert_int_equal(m.state_bytes, 0);
}

/* The administrator's words over the vendor's. */
static void test_drop_in(void **state)
{
	struct manifest_error error = { "" };
	struct manifest m, before;

	manifest_defaults(&m);
	assert_int_equal(parse(whole, &m, &error), 0);
	assert_int_equal(parse("[events]\nask = file.open\n[policy]\n"
			       "mode = observe\nmay_deny = asked\n", &m,
			       &error), 0);
	assert_string_equal(m.name, "scan");
	assert_int_equal(m.mode, BAILEY_MODE_OBSERVE);
	assert_int_equal(m.may_deny_asked, 1);
	assert_string_equal(m.may_deny[0], "");
	assert_int_equal(m.ask[0].kind, BAILEY_EVENT_FILE_OPEN);
	assert_int_equal(m.ask[0].deadline_ms, 50);
	assert_int_equal(m.ask[1].kind, 0);
	assert_int_equal(parse("[policy]\ndeadline_ms = exec:7 open:8\n", &m,
			       &error), 0);
	assert_int_equal(m.ask[0].deadline_ms, 8);
	before = m;
	assert_int_equal(parse("[policy]\nhold = 5\nhopp = 6\n", &m, &error),
			 -EBADMSG);
	assert_memory_equal(&m, &before, sizeof(m));
}

static void test_refused(void **state)
{
	static const struct {
		const char *text, *reason;
	} table[] = {
		{ "[prodct]\n", "a.manifest:1: unknown section [prodct]" },
		{ "[policy]\n[policy]\n", ":2: section [policy] stands twice" },
		{ "[policy\n", ":1: section without" },
		{ "[policy] mode = observe\n", ":1: text after" },
		{ "name = x\n", ":1: name stands before any [section]" },
		{ "[product]\nnmae = x\n", ":2: unknown key nmae in" },
		{ "[policy]\n\nhold = 1\nhold = 2\n",
		  ":4: hold is set twice, first in line 3" },
		{ "[product]\nname\n", ":2: not understood" },
		{ "[product]\n name = a\n", ":2: the line begins with" },
		{ "[product]\nname = \n", ":2: name: `' is not a name" },
		{ "[product]\nname = A\n", "is not a name" },
		{ "[product]\nname = a/b\n", "is not a name" },
		{ "[product]\nname = "
		  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n", "at most 31" },
		{ "[product]\ntitle =\n", "title: empty" },
		{ "[product]\ntitle = a\x1b[1m\n", ":2: byte 0x1b" },
		{ "[product]\nexec = scan\n", "not absolute" },
		{ "[product]\nexec = /a/../b\n", "component" },
		{ "[product]\nexec = /a/\n", "component" },
		{ "[product]\nargs = a b c d e\n", "more than 4" },
		{ "[events]\nask = file.opne\n", "unknown event `file.opne'" },
		{ "[events]\nask = file.unlink\n", "unknown event" },
		{ "[events]\nask? = file.unlnik\n", "unknown event" },
		{ "[events]\nask = process.exit\n", "news: write it under" },
		{ "[events]\nnotify = control.stop\n", "unasked" },
		{ "[events]\nask = file.open file.open\n", "stands twice" },
		{ "[events]\nask = file.open\nask? = file.open\n",
		  ":3: ask?: file.open stands twice" },
		{ "[policy]\nmode = both\n", "none of: observe enforce" },
		{ "[policy]\ndeadline_ms = 100\n", "TYPE:MILLISECONDS" },
		{ "[policy]\ndeadline_ms = open:0\n", "1 to 10000" },
		{ "[policy]\ndeadline_ms = open:10001\n", "1 to 10000" },
		{ "[policy]\ndeadline_ms = open:9 open:9\n", "twice" },
		{ "[policy]\ndeadline_ms = fork:9\n", "neither open nor" },
		{ "[policy]\ndeadline_ms = open:9ms\n", "TYPE:" },
		{ "[policy]\ndeadline_max_ms = 2s\n", "without a unit" },
		{ "[policy]\non_miss = maybe\n", "none of: rules allow deny" },
		{ "[policy]\nstart_s = 0\n", "1 to 3600" },
		{ "[policy]\nstart_s = 99999999999999999999\n", "unit" },
		{ "[policy]\nmay_deny = srv\n", "not absolute" },
		{ "[policy]\nmay_deny =\n", "write `asked'" },
		{ "[policy]\nmay_deny = / /a /b /c /d /e /f /g /h\n",
		  "more than 8" },
		{ "[policy]\nmax_denials = 50\n", "like 50 in 10s" },
		{ "[policy]\nmax_denials = 50 in 10\n", "like 50 in 10s" },
		{ "[policy]\nmax_denials = 50 in 10s now\n", "like 50 in" },
		{ "[policy]\nmax_denials = 0 in 10s\n", "out of range" },
		{ "[policy]\nrules_ttl = 60\n", "like 1h" },
		{ "[policy]\nrules_ttl = 1w\n", "like 1h" },
		{ "[policy]\nrules_ttl = 999999999999999999d\n", "like 1h" },
		{ "[policy]\nhold = 257\n", "1 to 256" },
		{ "[see]\narguments = maybe\n", "none of: yes no" },
		{ "[jail]\nprofile = java\n", "none of: c go rust" },
		{ "[jail]\nmemory = 256\n", "like 256M" },
		{ "[jail]\nmemory = 256MB\n", "like 256M" },
		{ "[jail]\nmemory = 99999999999999G\n", "like 256M" },
		{ "[jail]\nmemory = 1K\n", "out of range" },
		{ "[jail]\ncpu = 80\n", "as 80%" },
		{ "[jail]\ncpu = 0%\n", "1 to 6400%" },
		{ "[network]\ncloud = tls a:443\n",
		  ":2: cloud: this version gives no product access" },
		{ "[content]\nreload = never\n", "none of: parallel" },
	};
	struct manifest_error error;
	struct manifest m;

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		manifest_defaults(&m);
		error.text[0] = '\0';
		if (parse(table[i].text, &m, &error) != -EBADMSG ||
		    !strstr(error.text, table[i].reason)) {
			fail_msg("%s: %s", table[i].text, error.text);
		}
	}
}

static void test_content_refused(void **state)
{
	static const struct {
		const char *text, *reason;
	} table[] = {
		{ "[content]\nurl = ftp://a/\n", "begins with https://" },
		{ "[content]\nurl = https://\n", "is not a URL" },
		{ "[content]\nurl = https://u:p@a/\n", "no blank, ?, #, @" },
		{ "[content]\nurl = https://a/?b\n", "no blank, ?, #, @" },
		{ "[content]\nroot = root.json\n", "is not absolute" },
	};
	struct manifest_error error;
	struct manifest m;

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		manifest_defaults(&m);
		error.text[0] = '\0';
		if (parse(table[i].text, &m, &error) != -EBADMSG ||
		    !strstr(error.text, table[i].reason)) {
			fail_msg("%s: %s", table[i].text, error.text);
		}
	}
}

/* Bytes that no editor writes. */
static void test_hostile_bytes(void **state)
{
	static char text[70000];
	struct manifest_error error;
	struct manifest m;
	int n;

	manifest_defaults(&m);
	assert_int_equal(manifest_parse("[see]\nfiles\0= all", 17, "m", &m,
					&error), -EBADMSG);
	assert_string_equal(error.text, "m:2: byte 0x00: only printable text "
			    "may stand here");
	n = sprintf(text, "[product]\ntitle = %02000d\n", 1);
	assert_int_equal(manifest_parse(text, (size_t)n, "m", &m, &error),
			 -EBADMSG);
	assert_non_null(strstr(error.text, "m:2: line too long"));
	n = sprintf(text, "[product]\ntitle = %0900d\n", 1);
	assert_int_equal(manifest_parse(text, (size_t)n, "m", &m, &error),
			 -EBADMSG);
	assert_non_null(strstr(error.text, "m:2: title: too long"));
	n = sprintf(text, "[content]\npath = /%0254d\n;%0900d\n[see]\n", 1, 1);
	assert_int_equal(manifest_parse(text, (size_t)n, "m", &m, &error), 0);
	assert_int_equal(strlen(m.content), 255);
	memset(text, '\n', sizeof(text));
	assert_int_equal(manifest_parse(text, sizeof(text), "m", &m, &error),
			 -E2BIG);
	assert_int_equal(manifest_parse("", 0, "m", &m, &error), 0);
}

static void test_incomplete(void **state)
{
	static const struct {
		const char *text, *reason;
	} table[] = {
		{ "", "a: [product] name is missing" },
		{ "[product]\nname = x\n", "a: [product] exec is missing" },
		{ "[product]\nname = x\nexec = /x\n", "names no event" },
		{ "[product]\nname = x\nexec = /x\n[events]\nask = file.open\n"
		  "[policy]\ndeadline_max_ms = 99\n", "over deadline_max_ms" },
		{ "[product]\nname = x\nexec = /x\n[events]\nask = file.open\n"
		  "[content]\nurl = https://x/\n", "url without " },
	};
	struct manifest_error error;
	struct manifest m;

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		manifest_defaults(&m);
		assert_int_equal(parse(table[i].text, &m, &error), 0);
		assert_int_equal(manifest_check(&m, "a", &error), -EBADMSG);
		assert_non_null(strstr(error.text, table[i].reason));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_key),
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_drop_in),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_content_refused),
		cmocka_unit_test(test_hostile_bytes),
		cmocka_unit_test(test_incomplete),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
