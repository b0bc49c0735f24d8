/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_cli_view.c - does `bailey` say the truth about what the engine and the
 * monitor tell it, whatever they tell it, and exit as promised?
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "cli/text.h"
#include "lib/fake_view.h"
#include "lib/run_cli.h"

#define S 1000000000ull
#define T0 (1700000000ull * S)          /* 2023-11-14T22:13:20Z */
#define BOTH 3u

static int setup(void **state)
{
	*state = fake_view_new();
	return 0;
}

static int teardown(void **state)
{
	fake_view_free(*state);
	return 0;
}

/* ---- scripts ---- */

static void script_monitor(struct fake_view *fake, uint32_t forced)
{
	struct admin_monitor m = {
		.monitor_pid = 100, .keeper_pid = 101, .helper_pid = 103,
		.forced = forced, .keeper_restarts = 1, .worker_restarts = 4,
		.since_ns = T0, .unprotected_ms = 7, .kernel_denied = 2,
		.unmarked = 3,
	};
	struct admin_product p = {
		.index = 0, .mode = BAILEY_MODE_ENFORCE, .pid = 200,
		.restarts = 5, .uid = 64001, .enabled = 1, .name = "scan",
		.last_exit = "signal 11",
	};
	struct admin_scope scope = { .marked = 1, .kind = "tree",
				     .fstype = "tmpfs", .path = "/srv/a" };

	fake_view_record(fake, FAKE_MONITOR, ADMIN_STATUS, ADMIN_MONITOR, &m,
			 sizeof(m));
	fake_view_record(fake, FAKE_MONITOR, ADMIN_STATUS, ADMIN_PRODUCT, &p,
			 sizeof(p));
	fake_view_record(fake, FAKE_MONITOR, ADMIN_STATUS, ADMIN_SCOPE, &scope,
			 sizeof(scope));
}

static void script_engine(struct fake_view *fake, uint32_t state, uint32_t mode)
{
	struct view_engine e = {
		.keeper_pid = 101, .worker_pid = 102, .worker_restarts = 4,
		.open_questions = 1, .cached_objects = 9, .processes = 50,
		.since_ns = T0 + 500000000, .questions = 1000, .denied = 3,
		.kernel_denied = 1, .would_deny = 6,
	};
	struct view_product p = {
		.state = state, .mode = mode, .name = "scan",
		.since_ns = T0 + S, .asked = 40, .answered = 39, .missed = 1,
		.denied = 3, .would_deny = 6, .poison = 2,
		.last_fault = "answered for an event that it was not asked",
	};

	fake_view_record(fake, FAKE_ENGINE, VIEW_STATUS, VIEW_ENGINE, &e,
			 sizeof(e));
	fake_view_record(fake, FAKE_ENGINE, VIEW_STATUS, VIEW_PRODUCT, &p,
			 sizeof(p));
}

static void script_good(struct fake_view *fake)
{
	script_monitor(fake, 0);
	script_engine(fake, VIEW_STATE_SERVING, BAILEY_MODE_ENFORCE);
}

static struct view_decision decision(uint64_t id, uint32_t verdict,
				     const char *path)
{
	struct view_decision d = {
		.id = id, .time_ns = T0 + id * S, .took_ns = 21000,
		.kind = BAILEY_EVENT_FILE_OPEN, .verdict = verdict,
		.would = BAILEY_VERDICT_DENY, .by = VIEW_BY_PRODUCT,
		.deciders = 5, .missed = 2, .pid = 4242, .ppid = 1,
		.uid = 1000, .gid = 1000, .device = 42, .inode = 77,
		.generation = 3, .product = "scan", .exe = "/bin/cat",
		.finding = { .size = sizeof(struct bailey_finding),
			     .severity = 90, .confidence = 80,
			     .rule = "Eicar", .title = "EICAR test file",
			     .technique = "T1204" },
	};

	snprintf(d.path, sizeof(d.path), "%s", path);
	return d;
}

static void script_decision(struct fake_view *fake, unsigned request,
			    struct view_decision d)
{
	fake_view_record(fake, FAKE_ENGINE, request, VIEW_DECISION, &d,
			 sizeof(d));
}

static void script_denials(struct fake_view *fake, unsigned request)
{
	struct view_decision other = decision(3, BAILEY_VERDICT_DENY,
					      "/srv/a/sub/x");

	other.uid = 2000;
	script_decision(fake, request, decision(1, BAILEY_VERDICT_DENY,
						"/srv/a/evil"));
	script_decision(fake, request, decision(2, BAILEY_VERDICT_ALLOW,
						"/srv/a/seen"));
	script_decision(fake, request, other);
}

/* ---- helpers ---- */

static json_t *parse(const char *text)
{
	json_error_t error;
	json_t *root = json_loads(text, JSON_REJECT_DUPLICATES, &error);

	if (!root) {
		fail_msg("not JSON: %s: %s", error.text, text);
	}
	return root;
}

static void assert_says(const struct run_cli *run, int status,
			const char *part)
{
	if (run->status != status ||
	    (part && !strstr(run->out, part) && !strstr(run->err, part))) {
		fail_msg("wanted exit %d and \"%s\", got exit %d\nout: %s\n"
			 "err: %s", status, part ? part : "", run->status,
			 run->out, run->err);
	}
}

/* Output equals tests/unit/golden/NAME; BAILEY_GOLDEN_WRITE=1 writes it. */
static void assert_golden(const char *name, const char *text)
{
	static char expected[RUN_CLI_OUTPUT];
	const char *source = getenv("SOURCE");
	char path[512];
	size_t n;
	FILE *file;

	assert_non_null(source);
	snprintf(path, sizeof(path), "%s/tests/unit/golden/%s", source, name);
	if (getenv("BAILEY_GOLDEN_WRITE")) {
		file = fopen(path, "w");
		assert_non_null(file);
		fputs(text, file);
		fclose(file);
	}
	file = fopen(path, "r");
	assert_non_null(file);
	n = fread(expected, 1, sizeof(expected) - 1, file);
	expected[n] = '\0';
	fclose(file);
	assert_string_equal(text, expected);
}

/* ---- status ---- */

static void status_json_is_the_golden_one(void **state)
{
	struct fake_view *fake = *state;
	struct run_cli *run;

	script_good(fake);
	fake_view_start(fake, BOTH);
	run = RUN_CLI("status", "--json", "--state", fake->dir);
	assert_says(run, 0, NULL);
	assert_string_equal(run->err, "");
	json_decref(parse(run->out));
	assert_golden("cli_status.json", run->out);
	free(run);
}

static void status_exit_code_tells_degraded_from_protected(void **state)
{
	struct fake_view *fake = *state;
	struct run_cli *run;

	script_monitor(fake, 0);
	script_engine(fake, VIEW_STATE_SUSPENDED, BAILEY_MODE_ENFORCE);
	fake_view_start(fake, BOTH);
	run = RUN_CLI("status", "--state", fake->dir);
	assert_says(run, 1, "degraded");
	assert_says(run, 1, "product scan");
	free(run);
}

static void status_observe_mode_is_not_called_protected(void **state)
{
	struct fake_view *fake = *state;
	struct run_cli *run;

	script_monitor(fake, 0);
	script_engine(fake, VIEW_STATE_SERVING, BAILEY_MODE_OBSERVE);
	fake_view_start(fake, BOTH);
	run = RUN_CLI("status", "--state", fake->dir);
	assert_says(run, 0, "observing");
	free(run);
}

static void status_switched_off_is_degraded(void **state)
{
	struct fake_view *fake = *state;
	struct run_cli *run;

	script_monitor(fake, 2);
	script_engine(fake, VIEW_STATE_SERVING, BAILEY_MODE_ENFORCE);
	fake_view_start(fake, BOTH);
	run = RUN_CLI("status", "--state", fake->dir);
	assert_says(run, 1, "switched off");
	free(run);
}

static void status_without_engine_is_degraded(void **state)
{
	struct fake_view *fake = *state;
	struct run_cli *run;
	json_t *root;

	script_good(fake);
	fake_view_start(fake, 1u << FAKE_MONITOR);
	run = RUN_CLI("status", "--json", "--state", fake->dir);
	assert_says(run, 1, "not running");
	root = parse(run->out);
	assert_true(json_is_null(json_object_get(root, "engine")));
	assert_int_equal(json_integer_value(json_object_get(
		json_object_get(root, "keeper"), "pid")), 101);
	json_decref(root);
	free(run);
}

static void status_without_monitor_is_degraded(void **state)
{
	struct fake_view *fake = *state;
	struct run_cli *run;

	script_good(fake);
	fake_view_start(fake, 1u << FAKE_ENGINE);
	run = RUN_CLI("status", "--state", fake->dir);
	assert_says(run, 1, "monitor");
	free(run);
}

static void status_without_anybody_is_unknown(void **state)
{
	struct fake_view *fake = *state;
	struct run_cli *run;

	fake_view_start(fake, 0);
	run = RUN_CLI("status", "--json", "--state", fake->dir);
	assert_says(run, 2, "\"unknown\"");
	json_decref(parse(run->out));
	free(run);
}

static void status_survives_more_products_than_there_can_be(void **state)
{
	struct fake_view *fake = *state;
	struct run_cli *run;
	unsigned i;

	script_good(fake);
	for (i = 0; i < VIEW_PRODUCTS + 4; i++) {
		struct view_product p = { .state = 77, .mode = 99 };

		snprintf(p.name, sizeof(p.name), "p%u", i);
		fake_view_record(fake, FAKE_ENGINE, VIEW_STATUS, VIEW_PRODUCT,
				 &p, sizeof(p));
	}
	fake_view_start(fake, BOTH);
	run = RUN_CLI("status", "--json", "--state", fake->dir);
	assert_says(run, 1, "had no room");
	assert_says(run, 1, "\"unknown\"");
	json_decref(parse(run->out));
	free(run);
}

static void texts_without_an_end_do_not_run_on(void **state)
{
	struct fake_view *fake = *state;
	struct admin_degraded row = { .since_ns = T0 };
	struct run_cli *run;
	json_t *root, *list;

	script_good(fake);
	memset(row.what, 'w', sizeof(row.what));
	memset(row.why, 'y', sizeof(row.why));
	fake_view_record(fake, FAKE_MONITOR, ADMIN_STATUS, ADMIN_DEGRADED,
			 &row, sizeof(row));
	fake_view_start(fake, BOTH);
	run = RUN_CLI("status", "--json", "--state", fake->dir);
	root = parse(run->out);
	list = json_object_get(root, "degraded");
	assert_int_equal(json_array_size(list), 1);
	assert_int_equal(json_string_length(json_object_get(
		json_array_get(list, 0), "what")), sizeof(row.what) - 1);
	json_decref(root);
	free(run);
}

/* ---- peers that misbehave ---- */

static void a_misbehaving_engine_is_a_clear_error_in_time(void **state)
{
	static const struct {
		enum fake_mischief mischief;
		int error, status;
		const char *part;
	} rows[] = {
		{ FAKE_STALL, 0, 2, "did not answer in time" },
		{ FAKE_HANG_UP, 0, 2, "went away" },
		{ FAKE_TRUNCATED, 0, 2, "does not understand" },
		{ FAKE_GARBAGE, 0, 2, "does not understand" },
		{ FAKE_OVERSIZE, 0, 2, "does not understand" },
		{ FAKE_WRONG_SIDE, 0, 2, "does not understand" },
		{ FAKE_LYING_SIZE, 0, 2, "does not understand" },
		{ FAKE_ERROR, EPERM, 1, "run this as root" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct fake_view *fake = fake_view_new();
		struct run_cli *run;

		script_denials(fake, VIEW_DENIALS);
		fake_view_mischief(fake, FAKE_ENGINE, VIEW_DENIALS,
				   rows[i].mischief, rows[i].error);
		fake_view_start(fake, BOTH);
		run = RUN_CLI("denials", "--json", "--timeout", "200ms",
			      "--state", fake->dir);
		assert_says(run, rows[i].status, rows[i].part);
		assert_string_equal(run->out, "");      /* no half list */
		free(run);
		fake_view_free(fake);
	}
}

static void a_misbehaving_engine_is_a_reason_in_status(void **state)
{
	static const enum fake_mischief rows[] = {
		FAKE_STALL, FAKE_HANG_UP, FAKE_TRUNCATED, FAKE_GARBAGE,
		FAKE_OVERSIZE, FAKE_WRONG_SIDE, FAKE_LYING_SIZE, FAKE_EMPTY,
		FAKE_ENDLESS,
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct fake_view *fake = fake_view_new();
		struct run_cli *run;

		script_good(fake);
		fake_view_mischief(fake, FAKE_ENGINE, VIEW_STATUS, rows[i], 0);
		fake_view_start(fake, BOTH);
		run = RUN_CLI("status", "--json", "--timeout", "200ms",
			      "--state", fake->dir);
		assert_says(run, 1, "\"engine\": null");
		json_decref(parse(run->out));
		free(run);
		fake_view_free(fake);
	}
}

/* ---- denials ---- */

static void denials_json_is_the_golden_one(void **state)
{
	struct fake_view *fake = *state;
	struct run_cli *run;

	script_denials(fake, VIEW_DENIALS);
	fake_view_start(fake, BOTH);
	run = RUN_CLI("denials", "--json", "--state", fake->dir);
	assert_says(run, 0, NULL);
	json_decref(parse(run->out));
	assert_golden("cli_denials.json", run->out);
	free(run);
}

static void denials_filters_choose(void **state)
{
	static const struct {
		const char *option, *value, *there, *not_there;
		int status;
	} rows[] = {
		{ "--path", "/srv/a/evil", "/srv/a/evil", "sub/x", 0 },
		{ "--path", "/srv/a/sub/", "sub/x", "evil", 0 },
		{ "--path", "/srv/a/sub", "", "/srv", 1 },
		{ "--user", "2000", "sub/x", "evil", 0 },
		{ "--user", "77", "", "/srv", 1 },
		{ "--would", NULL, "/srv/a/seen", "evil", 0 },
		{ "--since", "2023-11-14T22:13:23Z", "sub/x", "evil", 0 },
		{ "--since", "1h", "", "/srv", 1 },
	};
	struct fake_view *fake = *state;
	size_t i;

	script_denials(fake, VIEW_DENIALS);
	fake_view_start(fake, BOTH);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct run_cli *run = RUN_CLI("denials", "--state", fake->dir,
					      rows[i].option, rows[i].value);

		assert_says(run, rows[i].status, rows[i].there);
		assert_null(strstr(run->out, rows[i].not_there));
		free(run);
	}
	assert_true(fake->seen->view.number > T0);
}

static void denials_in_observe_mode_point_to_would(void **state)
{
	struct fake_view *fake = *state;
	struct run_cli *run;

	script_decision(fake, VIEW_DENIALS, decision(2, BAILEY_VERDICT_ALLOW,
						     "/srv/a/seen"));
	fake_view_start(fake, BOTH);
	run = RUN_CLI("denials", "--state", fake->dir);
	assert_says(run, 1, "--would");
	free(run);
}

static void any_name_comes_back_from_json_as_it_was(void **state)
{
	static const char *const names[] = {
		"/a\nb", "/\xff\xfe", "/back\\slash", "/\\xff", "/\x1b[31mred",
		"/\xc3\xa9t\xc3\xa9", "/\xed\xa0\x80", "/\xc0\xaf", "/\"q\"",
		"/\xf4\x90\x80\x80", "/end\xc3", "/\xe2\x80\xae!", "/\x7f",
	};
	struct fake_view *fake = *state;
	struct run_cli *run;
	json_t *root, *list;
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		script_decision(fake, VIEW_DENIALS,
				decision(i, BAILEY_VERDICT_DENY, names[i]));
	}
	fake_view_start(fake, BOTH);
	run = RUN_CLI("denials", "--json", "--state", fake->dir);
	assert_says(run, 0, NULL);
	root = parse(run->out);
	list = json_object_get(root, "denials");
	assert_int_equal(json_array_size(list), i);
	while (i-- > 0) {
		char back[2048];
		long n = text_unescape(json_string_value(json_object_get(
			json_array_get(list, i), "path")), back);

		assert_int_equal(n, strlen(names[i]));
		assert_memory_equal(back, names[i], (size_t)n);
	}
	json_decref(root);
	free(run);
	run = RUN_CLI("denials", "--state", fake->dir);
	assert_null(strchr(run->out, '\x1b'));
	assert_null(strstr(run->out, "\xe2\x80\xae"));
	assert_non_null(strstr(run->out, "/a\\nb"));
	free(run);
}

/* ---- events ---- */

static void events_stream_one_json_object_a_line(void **state)
{
	struct fake_view *fake = *state;
	struct run_cli *run;
	char *line, *rest;
	int lines = 0;

	script_denials(fake, VIEW_EVENTS);
	fake_view_mischief(fake, FAKE_ENGINE, VIEW_EVENTS, FAKE_STALL, 0);
	fake_view_start(fake, BOTH);
	run = RUN_CLI_START("events", "--json", "--timeout", "100ms",
			    "--state", fake->dir);
	assert_true(run_cli_expect(run, "sub/x"));
	usleep(300000);                 /* a quiet engine is no time-out */
	kill(run->pid, SIGINT);
	run_cli_wait(run);
	assert_says(run, 0, NULL);
	assert_string_equal(run->err, "");
	for (line = strtok_r(run->out, "\n", &rest); line;
	     line = strtok_r(NULL, "\n", &rest)) {
		json_decref(parse(line));
		lines++;
	}
	assert_int_equal(lines, 3);
	free(run);
}

static void events_end_when_nobody_reads(void **state)
{
	struct fake_view *fake = *state;
	struct run_cli *run;

	script_denials(fake, VIEW_EVENTS);
	fake_view_mischief(fake, FAKE_ENGINE, VIEW_EVENTS, FAKE_STALL, 0);
	fake_view_start(fake, BOTH);
	run = RUN_CLI_START("events", "--state", fake->dir);
	assert_true(run_cli_expect(run, "sub/x"));
	close(run->out_fd);             /* the engine stays silent */
	run->out_fd = -1;
	run_cli_wait(run);
	assert_says(run, 0, NULL);
	assert_string_equal(run->err, "");
	free(run);
}

static void an_endless_stream_into_a_closed_pipe_ends(void **state)
{
	struct fake_view *fake = *state;
	struct run_cli *run;

	script_denials(fake, VIEW_EVENTS);
	fake_view_mischief(fake, FAKE_ENGINE, VIEW_EVENTS, FAKE_ENDLESS, 0);
	fake_view_start(fake, BOTH);
	run = RUN_CLI_START("events", "--json", "--state", fake->dir);
	assert_true(run_cli_expect(run, "sub/x"));
	close(run->out_fd);
	run->out_fd = -1;
	run_cli_wait(run);
	assert_says(run, 0, NULL);
	assert_string_equal(run->err, "");
	free(run);
}

static void events_filter_by_type_and_product(void **state)
{
	struct fake_view *fake = *state;
	struct view_decision other = decision(9, BAILEY_VERDICT_DENY, "/other");
	struct run_cli *run;

	strcpy(other.product, "rogue");
	other.kind = BAILEY_EVENT_PROCESS_EXEC;
	script_denials(fake, VIEW_EVENTS);
	script_decision(fake, VIEW_EVENTS, other);
	fake_view_mischief(fake, FAKE_ENGINE, VIEW_EVENTS, FAKE_HANG_UP, 0);
	fake_view_start(fake, BOTH);
	run = RUN_CLI("events", "--type", "process.exec", "--state", fake->dir);
	assert_says(run, 2, "/other");
	assert_null(strstr(run->out, "evil"));
	free(run);
	run = RUN_CLI("events", "--product", "scan", "--state", fake->dir);
	assert_says(run, 2, "evil");
	assert_null(strstr(run->out, "/other"));
	free(run);
	run = RUN_CLI("events", "--type", "file.opne", "--state", fake->dir);
	assert_says(run, 2, "known ones: ");
	free(run);
}

/* ---- off, on ---- */

static void off_and_on_ask_the_monitor(void **state)
{
	struct fake_view *fake = *state;
	struct run_cli *run;

	fake_view_start(fake, BOTH);
	run = RUN_CLI("off", "--for", "5m", "--state", fake->dir);
	assert_says(run, 0, "5m 0s");
	assert_int_equal(fake->seen->admin.type, ADMIN_OFF);
	assert_int_equal(fake->seen->admin.number, 300);
	free(run);
	run = RUN_CLI("off", "--state", fake->dir);
	assert_says(run, 0, "until");
	assert_int_equal(fake->seen->admin.number, 0);
	free(run);
	run = RUN_CLI("on", "--state", fake->dir);
	assert_says(run, 0, "on");
	assert_int_equal(fake->seen->admin.type, ADMIN_ON);
	free(run);
	run = RUN_CLI("off", "--for", "0s", "--state", fake->dir);
	assert_says(run, 2, "--for 0");
	assert_int_equal(fake->seen->count[FAKE_MONITOR][ADMIN_OFF], 2);
	free(run);
}

static void off_refused_says_who_may(void **state)
{
	struct fake_view *fake = *state;
	struct run_cli *run;

	fake_view_mischief(fake, FAKE_MONITOR, ADMIN_OFF, FAKE_ERROR, EPERM);
	fake_view_start(fake, BOTH);
	run = RUN_CLI("off", "--state", fake->dir);
	assert_says(run, 1, "root");
	assert_string_equal(run->out, "");
	free(run);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(status_json_is_the_golden_one),
		T(status_exit_code_tells_degraded_from_protected),
		T(status_observe_mode_is_not_called_protected),
		T(status_switched_off_is_degraded),
		T(status_without_engine_is_degraded),
		T(status_without_monitor_is_degraded),
		T(status_without_anybody_is_unknown),
		T(status_survives_more_products_than_there_can_be),
		T(texts_without_an_end_do_not_run_on),
		T(a_misbehaving_engine_is_a_clear_error_in_time),
		T(a_misbehaving_engine_is_a_reason_in_status),
		T(denials_json_is_the_golden_one),
		T(denials_filters_choose),
		T(denials_in_observe_mode_point_to_would),
		T(any_name_comes_back_from_json_as_it_was),
		T(events_stream_one_json_object_a_line),
		T(events_end_when_nobody_reads),
		T(an_endless_stream_into_a_closed_pipe_ends),
		T(events_filter_by_type_and_product),
		T(off_and_on_ask_the_monitor),
		T(off_refused_says_who_may),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
