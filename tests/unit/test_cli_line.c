/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_cli_line.c - which state directories are refused, and what does a
 * mistake on the command line say?
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/fake_view.h"
#include "lib/run_cli.h"

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

/* ---- state directory ---- */

static void a_state_directory_that_others_reach_is_refused(void **state)
{
	static const mode_t modes[] = { 0755, 0711, 0770, 0701, 01700, 0500 };
	struct fake_view *fake = *state;
	char link[128], below[160];
	struct run_cli *run;
	size_t i;

	fake_view_start(fake, BOTH);
	for (i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		assert_int_equal(chmod(fake->dir, modes[i]), 0);
		run = RUN_CLI("status", "--state", fake->dir);
		assert_says(run, 2, "has mode");
		free(run);
	}
	assert_int_equal(chmod(fake->dir, 0700), 0);
	snprintf(link, sizeof(link), "%s.link", fake->dir);
	assert_int_equal(symlink(fake->dir, link), 0);
	run = RUN_CLI("status", "--state", link);
	assert_says(run, 2, "symbolic link");
	free(run);
	snprintf(below, sizeof(below), "%s/../%s", link,
		 strrchr(fake->dir, '/') + 1);
	run = RUN_CLI("status", "--state", below);
	assert_says(run, 2, "symbolic link");
	free(run);
	unlink(link);
	run = RUN_CLI("status", "--state", "/dev/null");
	assert_says(run, 2, "not a directory");
	free(run);
	run = RUN_CLI("status", "--state", "/nonexistent/x");
	assert_says(run, 2, "not there");
	free(run);
}

static void another_ones_state_directory_is_refused(void **state)
{
	struct fake_view *fake = *state;
	const char *path = "/";
	struct run_cli *run;

	fake_view_start(fake, BOTH);
	if (geteuid() == 0) {
		path = fake->dir;
		assert_int_equal(chown(path, 65534, 65534), 0);
	}
	run = RUN_CLI("status", "--state", path);
	assert_says(run, 2, "not to you");
	free(run);
}

/* ---- the command line ---- */

static void mistakes_on_the_command_line_say_what_to_write(void **state)
{
	static const struct {
		const char *args[5];
		const char *part;
	} rows[] = {
		{ { "stauts" }, "no command \"stauts\"" },
		{ { "status", "--jsno" }, "no option --jsno" },
		{ { "status", "--json=1" }, "takes no value" },
		{ { "status", "--json", "--json" }, "twice" },
		{ { "status", "-j" }, "options are written out" },
		{ { "status", "what" }, "do not know what to do" },
		{ { "off", "--for" }, "needs a value" },
		{ { "off", "--for", "5" }, "30s, 5m, 2h" },
		{ { "off", "--for", "99999999999999999999d" }, "30s, 5m" },
		{ { "denials", "--since", "yesterday" }, "2026-01-31" },
		{ { "denials", "--user", "no such one" }, "getent" },
		{ { "denials", "--user", "1", "--mine" }, "exclude" },
		{ { "denials", "--path=" }, "needs a value" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct run_cli *run = run_cli(rows[i].args);

		assert_says(run, 2, rows[i].part);
		assert_string_equal(run->out, "");
		free(run);
	}
}

static void output_on_a_full_disk_is_an_error(void **state)
{
	struct fake_view *fake = *state;
	char command[512];
	int status;

	fake_view_start(fake, BOTH);
	snprintf(command, sizeof(command), "\"$BAILEY\" status --state %s "
		 ">/dev/full 2>/dev/null", fake->dir);
	status = system(command);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 2);
}

/* ---- allow, product, doctor, rules ---- */

static void allow_goes_by_identity_where_there_is_one(void **state)
{
	struct fake_view *fake = *state;
	char path[96], wanted[160];
	struct run_cli *run;
	struct stat st;

	fake_view_start(fake, BOTH);
	snprintf(path, sizeof(path), "%s/view.sock", fake->dir);
	assert_int_equal(stat(path, &st), 0);
	snprintf(wanted, sizeof(wanted), "allow any object %u:%u %lu",
		 major(st.st_dev), minor(st.st_dev), st.st_ino);
	run = RUN_CLI("allow", path, "--for", "2h", "--reason", "mine",
		      "--state", fake->dir);
	assert_says(run, 0, wanted);
	assert_int_equal(fake->seen->admin.type, ADMIN_EXCEPTION_ADD);
	assert_string_equal(fake->seen->admin.text, wanted);
	assert_string_equal(fake->seen->admin.reason, "mine");
	assert_int_equal(fake->seen->admin.number, 7200);
	free(run);
	run = RUN_CLI("allow", "/nonexistent/a\"b\\c*\n\xff", "--reason",
		      "x", "--state", fake->dir);
	assert_says(run, 0, NULL);
	assert_string_equal(fake->seen->admin.text, "allow any path "
			    "\"/nonexistent/a\\\"b\\\\c\\*\\x0a\\xff\"");
	free(run);
}

static void allow_of_an_event_wants_the_same_file(void **state)
{
	struct fake_view *fake = *state;
	struct view_decision d = { .id = 7, .device = 1, .inode = 2 };
	struct run_cli *run;

	snprintf(d.path, sizeof(d.path), "%s", fake->dir);
	fake_view_record(fake, FAKE_ENGINE, VIEW_EXPLAIN, VIEW_DECISION, &d,
			 sizeof(d));
	fake_view_start(fake, BOTH);
	run = RUN_CLI("allow", "7", "--reason", "x", "--state", fake->dir);
	assert_says(run, 1, "not the file of that event");
	free(run);
	run = RUN_CLI("allow", "8", "--reason", "x", "--state", fake->dir);
	assert_says(run, 1, "no event has this id");
	free(run);
	run = RUN_CLI("allow", "8", "--state", fake->dir);
	assert_says(run, 2, "--reason");
	free(run);
	assert_int_equal(fake->seen->count[FAKE_MONITOR][ADMIN_EXCEPTION_ADD],
			 0);
}

static void explain_tells_who_decided(void **state)
{
	struct fake_view *fake = *state;
	struct view_decision d = { .id = 7, .by = VIEW_BY_PRODUCT,
				   .verdict = BAILEY_VERDICT_DENY,
				   .product = "scan", .path = "/srv/e" };
	struct run_cli *run;

	fake_view_record(fake, FAKE_ENGINE, VIEW_EXPLAIN, VIEW_DECISION, &d,
			 sizeof(d));
	fake_view_start(fake, BOTH);
	run = RUN_CLI("explain", "7", "--state", fake->dir);
	assert_says(run, 0, "bailey allow 7");
	assert_says(run, 0, "product scan");
	assert_int_equal(fake->seen->view.number, 7);
	free(run);
	run = RUN_CLI("explain", "--path", "/srv/e", "--state", fake->dir);
	assert_says(run, 0, NULL);
	assert_string_equal(fake->seen->view.path, "/srv/e");
	free(run);
}

static void product_verbs_reach_the_monitor(void **state)
{
	struct fake_view *fake = *state;
	struct run_cli *run;

	fake_view_mischief(fake, FAKE_MONITOR, ADMIN_PRODUCT_STOP, FAKE_ERROR,
			   2 /* ENOENT */);
	fake_view_start(fake, BOTH);
	run = RUN_CLI("product", "scan", "bypass", "--for", "5m", "--state",
		      fake->dir);
	assert_says(run, 0, NULL);
	assert_int_equal(fake->seen->admin.type, ADMIN_PRODUCT_BYPASS);
	assert_int_equal(fake->seen->admin.number, 300);
	assert_string_equal(fake->seen->admin.product, "scan");
	free(run);
	run = RUN_CLI("product", "scan", "stop", "--state", fake->dir);
	assert_says(run, 1, "No such file");
	free(run);
	run = RUN_CLI("product", "scan", "bypass", "--state", fake->dir);
	assert_says(run, 2, "--for T");
	free(run);
	run = RUN_CLI("product", "scan", "explode", "--state", fake->dir);
	assert_says(run, 2, "has no \"explode\"");
	free(run);
}

static void doctor_says_what_is_missing_and_its_cost(void **state)
{
	struct fake_view *fake = *state;
	struct admin_doctor row = { .what = "BPF", .why = "no BTF",
				    .cost = "names may be stale" };
	struct view_known known = { .kind = BAILEY_EVENT_FILE_OPEN,
				    .mediation = 3 };
	struct run_cli *run;

	fake_view_record(fake, FAKE_MONITOR, ADMIN_DOCTOR, ADMIN_DOCTOR_ROW,
			 &row, sizeof(row));
	fake_view_record(fake, FAKE_ENGINE, VIEW_KNOWN, VIEW_KNOWN_ROW, &known,
			 sizeof(known));
	fake_view_start(fake, BOTH);
	run = RUN_CLI("doctor", "--state", fake->dir);
	assert_says(run, 1, "names may be stale");
	assert_says(run, 1, "file.open");
	free(run);
}

static void exceptions_are_listed_and_removed(void **state)
{
	struct fake_view *fake = *state;
	struct admin_exception e = { .id = 3, .added_ns = 1700000000000000000,
				     .text = "allow any path \"/x\"",
				     .reason = "why not" };
	struct run_cli *run;

	fake_view_record(fake, FAKE_MONITOR, ADMIN_EXCEPTIONS,
			 ADMIN_EXCEPTION, &e, sizeof(e));
	fake_view_start(fake, BOTH);
	run = RUN_CLI("exceptions", "--json", "--state", fake->dir);
	assert_says(run, 0, "\"reason\": \"why not\"");
	free(run);
	run = RUN_CLI("exceptions", "remove", "3", "--state", fake->dir);
	assert_says(run, 0, NULL);
	assert_int_equal(fake->seen->admin.type, ADMIN_EXCEPTION_REMOVE);
	assert_int_equal(fake->seen->admin.number, 3);
	free(run);
}

static void are_rules_read_again(void **state)
{
	struct fake_view *fake = *state;
	struct run_cli *run;

	fake_view_start(fake, BOTH);
	run = RUN_CLI("rules", "reload", "--state", fake->dir);
	assert_says(run, 0, NULL);
	assert_int_equal(fake->seen->admin.type, ADMIN_RELOAD);
	free(run);
	run = RUN_CLI("rules", "reload", "--json", "--state", fake->dir);
	assert_says(run, 2, "--json goes with");
	free(run);
}

static void does_reload_name_what_is_malformed(void **state)
{
	struct fake_view *fake = *state;
	struct admin_degraded bad = { .why = "rules.d/a.rules:3: what?" };
	struct run_cli *run;

	fake_view_record(fake, FAKE_MONITOR, ADMIN_RELOAD, ADMIN_DEGRADED,
			 &bad, sizeof(bad));
	fake_view_start(fake, BOTH);
	run = RUN_CLI("rules", "reload", "--state", fake->dir);
	assert_says(run, 1, "a.rules:3: what?");
	free(run);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_state_directory_that_others_reach_is_refused),
		T(another_ones_state_directory_is_refused),
		T(mistakes_on_the_command_line_say_what_to_write),
		T(output_on_a_full_disk_is_an_error),
		T(allow_goes_by_identity_where_there_is_one),
		T(allow_of_an_event_wants_the_same_file),
		T(explain_tells_who_decided),
		T(product_verbs_reach_the_monitor),
		T(doctor_says_what_is_missing_and_its_cost),
		T(exceptions_are_listed_and_removed),
		T(are_rules_read_again),
		T(does_reload_name_what_is_malformed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
