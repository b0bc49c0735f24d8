/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_cli_content.c - does `bailey content` ask what it was told to, say what
 * the agent answers, whatever it answers, and exit as promised?
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "lib/fake_content.h"
#include "lib/run_cli.h"
#include "proto/content.h"

#define HASH "aaaaaaaaaaaaaaaa00000000000000000000000000000000000000000000aaaa"
#define PRODUCT "{\"type\":\"product\",\"product\":\"scan\","                 \
	"\"version\":\"2026.11.25\",\"number\":17,\"state\":\"good\","        \
	"\"hash\":\"" HASH "\",\"since\":1700000000,"                         \
	"\"next_version\":\"2026.11.26\",\"waits_for\":\"the lease: bucket "  \
	"7 of 5\",\"paused\":false,\"unheard_of\":[1]}"
#define VERSION "{\"type\":\"version\",\"product\":\"scan\","                 \
	"\"version\":\"2026.11.26\",\"number\":18,\"hash\":\"" HASH "\","     \
	"\"class\":\"data\",\"state\":\"quarantined\",\"active\":true,"       \
	"\"revoked\":false,\"reason\":\"crashed twice\"}"
#define REASON "{\"type\":\"reason\",\"product\":\"scan\",\"time\":"          \
	"1700000000,\"now\":false,\"what\":\"reverted\",\"version\":"         \
	"\"2026.11.26\",\"by\":\"trial\",\"reason\":\"it died\","             \
	"\"inputs\":\"crashes=2\"}"
#define PROGRESS "{\"type\":\"progress\",\"product\":\"scan\","               \
	"\"step\":\"preflight\",\"done\":3,\"total\":9}"
#define REFUSED "{\"end\":true,\"error\":74,\"text\":\"file rules/x: not "    \
	"listed; add it\"}"

static int setup(void **state)
{
	*state = fake_content_new();
	return 0;
}

static int teardown(void **state)
{
	fake_content_free(*state);
	return 0;
}

static void assert_says(const struct run_cli *run, int status,
			const char *out)
{
	if (run->status != status || (out && !strstr(run->out, out))) {
		fail_msg("exit %d, not %d; or no \"%s\" in:\n%s\nerror: %s",
			 run->status, status, out ? out : "", run->out,
			 run->err);
	}
}

static json_t *parse(const char *text)
{
	json_error_t error;
	json_t *root = json_loads(text, JSON_REJECT_DUPLICATES, &error);

	if (!root) {
		fail_msg("no JSON: %s in:\n%s", error.text, text);
	}
	return root;
}

#define CONTENT(fake, ...)                                                    \
	RUN_CLI("content", __VA_ARGS__, "--state", (fake)->dir)

/* ---- what is asked ---- */

static void each_verb_asks_what_it_was_told(void **state)
{
	static const struct {
		const char *args[6], *request;
	} rows[] = {
		{ { "list" }, "{\"do\":\"list\"}" },
		{ { "list", "scan" },
		  "{\"do\":\"list\",\"product\":\"scan\"}" },
		{ { "show", "scan" },
		  "{\"do\":\"show\",\"product\":\"scan\"}" },
		{ { "why", "scan", "17" }, "{\"do\":\"why\",\"product\":"
		  "\"scan\",\"version\":\"17\"}" },
		{ { "pin", "scan", "17", "--reason", "ticket 4" },
		  "{\"do\":\"pin\",\"product\":\"scan\",\"version\":\"17\","
		  "\"reason\":\"ticket 4\"}" },
		{ { "unpin", "scan" },
		  "{\"do\":\"unpin\",\"product\":\"scan\"}" },
		{ { "pause", "--for", "90m" },
		  "{\"do\":\"pause\",\"for_s\":5400}" },
		{ { "pause", "scan" },
		  "{\"do\":\"pause\",\"product\":\"scan\",\"for_s\":0}" },
		{ { "resume" }, "{\"do\":\"resume\"}" },
		{ { "revert", "scan" },
		  "{\"do\":\"revert\",\"product\":\"scan\"}" },
		{ { "check", "scan" },
		  "{\"do\":\"check\",\"product\":\"scan\"}" },
		{ { "lift", "scan", "aaaaaaaa" },
		  "{\"do\":\"lift\",\"product\":\"scan\",\"version\":"
		  "\"aaaaaaaa\"}" },
	};
	size_t i, k;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct fake_content *fake = fake_content_new();
		const char *args[12] = { "content" };
		struct run_cli *run;

		for (k = 0; rows[i].args[k]; k++) {
			args[k + 1] = rows[i].args[k];
		}
		args[k + 1] = "--state";
		args[k + 2] = fake->dir;
		fake_content_start(fake);
		run = run_cli(args);
		assert_string_equal(fake->seen->request, rows[i].request);
		assert_int_equal(fake->seen->count, 1);
		assert_int_equal(fake->seen->passed, 0);
		free(run);
		fake_content_free(fake);
	}
}

static void submit_hands_the_folder_over(void **state)
{
	struct fake_content *fake = *state;
	struct run_cli *run;

	fake_content_record(fake, PROGRESS);
	fake_content_record(fake, PROGRESS);
	fake_content_end(fake, FAKE_CONTENT_GOOD, "{\"end\":true,\"error\":0,"
			 "\"text\":\"on trial until 14:00\"}");
	fake_content_start(fake);
	run = CONTENT(fake, "submit", "/tmp", "--product", "scan");
	assert_says(run, 0, "scan: preflight");
	assert_says(run, 0, "on trial until 14:00\n");
	assert_null(strstr(strstr(run->out, "preflight") + 1, "preflight"));
	assert_string_equal(fake->seen->request,
			    "{\"do\":\"submit\",\"product\":\"scan\"}");
	assert_int_equal(fake->seen->passed, 1);
	free(run);
	run = CONTENT(fake, "submit", "/dev/null");
	assert_says(run, 2, NULL);
	assert_non_null(strstr(run->err, "give a folder"));
	assert_int_equal(fake->seen->count, 1);
	free(run);
}

static void command_lines_are_checked_before_anything_is_asked(void **state)
{
	static const struct {
		const char *args[6], *text;
	} rows[] = {
		{ { "show" }, "write: bailey content show PRODUCT" },
		{ { "pin", "scan" }, "write: bailey content pin" },
		{ { "list", "a", "b" }, "write: bailey content list" },
		{ { "list", "--reason", "x" }, "--reason does not go with" },
		{ { "pin", "scan", "1", "--json" }, "--json does not go" },
		{ { "unpin", "scan", "--for", "1h" }, "--for does not go" },
		{ { "check", "--from", "/" }, "--from does not go with" },
		{ { "show", "\xff" }, "not UTF-8" },
	};
	struct fake_content *fake = *state;
	size_t i, k;

	fake_content_start(fake);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *args[12] = { "content", "--state", fake->dir };
		struct run_cli *run;

		for (k = 0; rows[i].args[k]; k++) {
			args[k + 3] = rows[i].args[k];
		}
		run = run_cli(args);
		assert_says(run, 2, NULL);
		if (!strstr(run->err, rows[i].text)) {
			fail_msg("no \"%s\" in: %s", rows[i].text, run->err);
		}
		free(run);
	}
	assert_int_equal(fake->seen->count, 0);
}

/* ---- what is shown ---- */

static void a_list_is_a_table_and_a_document(void **state)
{
	struct fake_content *fake = *state;
	struct run_cli *run;
	json_t *root, *first;

	fake_content_record(fake, PRODUCT);
	fake_content_start(fake);
	run = CONTENT(fake, "list");
	assert_says(run, 0, "PRODUCT  VERSION");
	assert_says(run, 0, "scan     2026.11.25      17  good");
	assert_says(run, 0, "the lease: bucket 7 of 5\n");
	assert_null(strchr(run->out, '\033'));
	free(run);
	run = CONTENT(fake, "list", "--json");
	assert_says(run, 0, NULL);
	root = parse(run->out);
	first = json_array_get(json_object_get(root, "products"), 0);
	assert_int_equal(json_integer_value(json_object_get(first, "number")),
			 17);
	assert_string_equal(json_string_value(json_object_get(first, "since")),
			    "2023-11-14T22:13:20.000000Z");
	assert_true(json_is_false(json_object_get(first, "paused")));
#define MEMBER(name, kind, help)                                              \
	assert_non_null(json_object_get(first, #name));
	CONTENT_PRODUCT_TABLE(MEMBER)
#undef MEMBER
	assert_true(json_is_null(json_object_get(first, "pinned")));
	assert_null(json_object_get(first, "unheard_of"));
	json_decref(root);
	free(run);
}

static void show_and_why_tell_all(void **state)
{
	struct fake_content *show = *state, *why = fake_content_new();
	struct run_cli *run;
	json_t *root;

	fake_content_record(show, PRODUCT);
	fake_content_record(show, VERSION);
	fake_content_start(show);
	run = CONTENT(show, "show", "scan");
	assert_says(run, 0, "waits_for     the lease: bucket 7 of 5\n");
	assert_says(run, 0, "*  2026.11.26      18  data   quarantined");
	assert_says(run, 0, "aaaaaaaaaaaa  crashed twice\n");
	free(run);
	run = CONTENT(show, "show", "scan", "--json");
	assert_says(run, 0, NULL);
	root = parse(run->out);
	assert_int_equal(json_array_size(json_object_get(root, "versions")), 1);
	json_decref(root);
	free(run);
	fake_content_record(why, REASON);
	fake_content_start(why);
	run = CONTENT(why, "why", "scan");
	assert_says(run, 0, "  reverted 2026.11.26: it died (by trial)\n");
	assert_says(run, 0, "crashes=2\n");
	free(run);
	run = CONTENT(why, "why", "scan", "--json");
	root = parse(run->out);
	assert_int_equal(json_array_size(json_object_get(root, "reasons")), 1);
	json_decref(root);
	free(run);
	fake_content_free(why);
}

static void an_empty_list_is_a_no(void **state)
{
	struct fake_content *fake = *state;
	struct run_cli *run;

	fake_content_start(fake);
	run = CONTENT(fake, "list");
	assert_says(run, 1, NULL);
	assert_string_equal(run->out, "");
	free(run);
	run = CONTENT(fake, "list", "--json");
	assert_says(run, 1, "\"products\": []");
	free(run);
}

static void progress_as_json_is_a_line_each(void **state)
{
	struct fake_content *fake = *state;
	struct run_cli *run;
	char *end;

	fake_content_record(fake, PROGRESS);
	fake_content_end(fake, FAKE_CONTENT_GOOD, REFUSED);
	fake_content_start(fake);
	run = CONTENT(fake, "check", "--json");
	assert_says(run, 1, "\"type\":\"end\",\"error\":74");
	end = strchr(run->out, '\n');
	assert_non_null(end);
	*end = '\0';
	json_decref(parse(run->out));
	json_decref(parse(end + 1));
	free(run);
}

/* ---- what goes wrong ---- */

static void refusals_are_said_with_what_to_do(void **state)
{
	static const struct { const char *end, *text; } rows[] = {
		{ REFUSED, "refused: file rules/x: not listed; add it" },
		{ "{\"end\":true,\"error\":1,\"text\":\"\"}",
		  "only root may; run this as root" },
		{ "{\"end\":true,\"error\":19,\"text\":null}",
		  "bailey content list" },
		{ "{\"end\":true,\"error\":2}", "no such version" },
		{ "{\"end\":true,\"error\":5,\"text\":\"a\\u001b[2Jb\\nc\"}",
		  "refused: a\\x1b[2Jb\\nc\n" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct fake_content *fake = fake_content_new();
		struct run_cli *run;

		fake_content_end(fake, FAKE_CONTENT_GOOD, rows[i].end);
		fake_content_start(fake);
		run = CONTENT(fake, "revert", "scan");
		assert_says(run, 1, NULL);
		if (!strstr(run->err, rows[i].text)) {
			fail_msg("no \"%s\" in: %s", rows[i].text, run->err);
		}
		free(run);
		fake_content_free(fake);
	}
}

static void a_broken_agent_is_no_answer(void **state)
{
	static const enum fake_content_end rows[] = {
		FAKE_CONTENT_STALL, FAKE_CONTENT_HANG_UP, FAKE_CONTENT_CUT,
		FAKE_CONTENT_GARBAGE, FAKE_CONTENT_OVERSIZE,
		FAKE_CONTENT_EMPTY, FAKE_CONTENT_ENDLESS,
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct fake_content *fake = fake_content_new();
		struct run_cli *run;

		fake_content_record(fake, PRODUCT);
		fake_content_end(fake, rows[i], NULL);
		fake_content_start(fake);
		run = CONTENT(fake, "list", "--timeout", "300ms");
		assert_says(run, 2, NULL);
		assert_string_equal(run->out, "");
		assert_non_null(strstr(run->err, "the content agent"));
		free(run);
		fake_content_free(fake);
	}
}

static void records_of_wrong_kinds_are_refused(void **state)
{
	static const char *const rows[] = {
		"{\"type\":\"product\",\"number\":\"17\"}",
		"{\"type\":\"product\",\"number\":-1}",
		"{\"type\":\"product\",\"number\":1.5}",
		"{\"type\":\"product\",\"number\":99999999999999999999}",
		"{\"type\":\"product\",\"product\":7}",
		"{\"type\":\"product\",\"paused\":\"yes\"}",
		"{\"type\":\"product\",\"product\":\"a\",\"product\":\"b\"}",
		"{\"type\":\"version\"}",
		"{\"type\":\"nothing\"}",
		"{\"product\":\"scan\"}",
		"{\"type\":\"product\",\"product\":\"a\\u0000b\"}",
		"{\"type\":\"product\",\"product\":\"\xff\"}",
		"{\"end\":true}",
		"{\"end\":true,\"error\":-1}",
		"{\"end\":true,\"error\":0,\"text\":7}",
		"[]", "x", "{\"type\":\"product\"} x",
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct fake_content *fake = fake_content_new();
		struct run_cli *run;

		fake_content_record(fake, rows[i]);
		fake_content_start(fake);
		run = CONTENT(fake, "list");
		if (run->status != 2 || *run->out ||
		    !strstr(run->err, "does not understand")) {
			fail_msg("%s: exit %d, %s%s", rows[i], run->status,
				 run->out, run->err);
		}
		free(run);
		fake_content_free(fake);
	}
}

static void hostile_texts_do_not_drive_a_terminal(void **state)
{
	struct fake_content *fake = *state;
	struct run_cli *run;

	fake_content_record(fake, "{\"type\":\"reason\",\"what\":"
			    "\"\\u001b[2J\",\"reason\":\"a\\nnow  good: b"
			    "\\u202e\",\"inputs\":\"\\u0007\",\"time\":"
			    "9223372036854775807}");
	fake_content_start(fake);
	run = CONTENT(fake, "why", "scan");
	assert_says(run, 0, "\\x1b[2J: a\\nnow  good: b");
	assert_null(strchr(run->out, '\033'));
	assert_null(strchr(run->out, '\a'));
	assert_null(strstr(run->out, "\xe2\x80\xae"));
	free(run);
}

static void a_closed_pipe_is_quiet(void **state)
{
	struct fake_content *fake = *state;
	struct run_cli *run;

	fake_content_record(fake, REASON);
	fake_content_end(fake, FAKE_CONTENT_ENDLESS, NULL);
	fake_content_start(fake);
	run = RUN_CLI_START("content", "why", "scan", "--state", fake->dir);
	assert_true(run_cli_expect(run, "it died"));
	close(run->out_fd);
	run->out_fd = -1;
	run_cli_wait(run);
	assert_says(run, 0, NULL);
	assert_string_equal(run->err, "");
	free(run);
}

static void no_agent_says_what_to_start(void **state)
{
	struct fake_content *fake = *state;
	struct run_cli *run = CONTENT(fake, "list");

	assert_says(run, 2, NULL);
	assert_non_null(strstr(run->err, "start the service"));
	free(run);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(each_verb_asks_what_it_was_told),
		T(submit_hands_the_folder_over),
		T(command_lines_are_checked_before_anything_is_asked),
		T(a_list_is_a_table_and_a_document),
		T(show_and_why_tell_all),
		T(an_empty_list_is_a_no),
		T(progress_as_json_is_a_line_each),
		T(refusals_are_said_with_what_to_do),
		T(a_broken_agent_is_no_answer),
		T(records_of_wrong_kinds_are_refused),
		T(hostile_texts_do_not_drive_a_terminal),
		T(a_closed_pipe_is_quiet),
		T(no_agent_says_what_to_start),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
