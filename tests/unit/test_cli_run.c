/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_cli_run.c - does `bailey run` keep a monitor alive, and leave nothing
 * behind? With a fake monitor beside a copy of the command.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/run.h"
#include "lib/run_cli.h"

struct bed {
	char top[64], state[96], tree[96], manifest[96];
};

static void copy(const char *from, const char *to)
{
	char buffer[65536];
	int in = open(from, O_RDONLY);
	int out = open(to, O_WRONLY | O_CREAT, 0755);
	ssize_t n;

	assert_true(in >= 0 && out >= 0);
	while ((n = read(in, buffer, sizeof(buffer))) > 0) {
		assert_int_equal(write(out, buffer, (size_t)n), n);
	}
	close(in);
	close(out);
}

static void put(const struct bed *bed, const char *name, const char *text)
{
	char path[160];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", bed->state, name);
	file = fopen(path, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

/* The number in a file of the state directory; 0 if it is not there. */
static long number(const struct bed *bed, const char *name)
{
	char path[160];
	long value = 0;
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", bed->state, name);
	file = fopen(path, "r");
	if (file) {
		if (fscanf(file, "%ld", &value) != 1) {
			value = 0;
		}
		fclose(file);
	}
	return value;
}

static int setup(void **state)
{
	struct bed *bed = calloc(1, sizeof(*bed));
	char path[160];
	FILE *file;

	assert_non_null(bed);
	strcpy(bed->top, "/tmp/bailey-run-test.XXXXXX");
	assert_non_null(mkdtemp(bed->top));
	snprintf(bed->state, sizeof(bed->state), "%s/state", bed->top);
	snprintf(bed->tree, sizeof(bed->tree), "%s/tree", bed->top);
	snprintf(bed->manifest, sizeof(bed->manifest), "%s/p.ini", bed->top);
	assert_int_equal(mkdir(bed->state, 0700), 0);
	assert_int_equal(mkdir(bed->tree, 0700), 0);
	file = fopen(bed->manifest, "w");
	assert_non_null(file);
	fclose(file);
	snprintf(path, sizeof(path), "%s/bailey", bed->top);
	copy(getenv("REAL_BAILEY"), path);
	setenv("BAILEY", path, 1);
	snprintf(path, sizeof(path), "%s/bailey-monitor", bed->top);
	copy(getenv("FAKE_MONITOR"), path);
	*state = bed;
	return 0;
}

static int teardown(void **state)
{
	struct bed *bed = *state;
	char command[160];
	int r;

	snprintf(command, sizeof(command), "rm -rf %s", bed->top);
	r = system(command);
	free(bed);
	return r;
}

static struct run_cli *start(const struct bed *bed)
{
	return RUN_CLI_START("run", "--tree", bed->tree, "--product",
			     bed->manifest, "--enforce", "--state",
			     bed->state);
}

static void assert_says(const struct run_cli *run, int status,
			const char *part)
{
	if (run->status != status || !strstr(run->err, part)) {
		fail_msg("wanted exit %d and \"%s\", got exit %d\nout: %s\n"
			 "err: %s", status, part, run->status, run->out,
			 run->err);
	}
}

static void ready_is_said_once_and_ctrl_c_ends_it_cleanly(void **state)
{
	static const int ends[] = { SIGINT, SIGTERM, SIGHUP };
	const struct bed *bed = *state;
	size_t i;

	for (i = 0; i < 3; i++) {
		struct run_cli *run = start(bed);

		assert_true(run_cli_expect(run, "ready\n"));
		kill(run->pid, ends[i]);
		run_cli_wait(run);
		assert_says(run, 0, "ending");
		assert_string_equal(run->out, "ready\n");
		assert_int_equal(number(bed, "clean"), 1);
		assert_int_equal(kill((pid_t)number(bed, "orphan"), 0), -1);
		free(run);
		put(bed, "clean", "0");
	}
}

static void the_monitor_is_told_all(void **state)
{
	const struct bed *bed = *state;
	struct run_cli *run = start(bed);
	char path[160], text[1024], wanted[1024];
	FILE *file;
	size_t n;

	assert_true(run_cli_expect(run, "ready\n"));
	snprintf(path, sizeof(path), "%s/args", bed->state);
	file = fopen(path, "r");
	assert_non_null(file);
	n = fread(text, 1, sizeof(text) - 1, file);
	text[n] = '\0';
	fclose(file);
	snprintf(wanted, sizeof(wanted), "--state\n%s\n--etc\n%s/etc\n--tree\n"
		 "%s\n--product\n%s\n--enforce\n", bed->state, bed->state,
		 bed->tree, bed->manifest);
	assert_string_equal(text, wanted);
	kill(run->pid, SIGTERM);
	run_cli_wait(run);
	free(run);
}

static void a_killed_monitor_is_back_at_once_without_its_leftovers(void **state)
{
	const struct bed *bed = *state;
	struct run_cli *run = start(bed);
	pid_t orphan;

	assert_true(run_cli_expect(run, "ready\n"));
	orphan = (pid_t)number(bed, "orphan");
	kill((pid_t)number(bed, "pid"), SIGKILL);
	assert_true(run_cli_expect(run, "is back"));
	assert_int_equal(kill(orphan, 0), -1);
	kill(run->pid, SIGINT);
	run_cli_wait(run);
	assert_says(run, 0, "was killed by signal 9");
	assert_string_equal(run->out, "ready\n");
	free(run);
}

static void a_monitor_that_cannot_start_is_no_loop(void **state)
{
	const struct bed *bed = *state;
	struct run_cli *run;

	put(bed, "mischief", "refuse");
	run = start(bed);
	run_cli_wait(run);
	assert_says(run, 1, "ended with code 3");
	assert_string_equal(run->out, "");
	free(run);
}

static void a_silent_monitor_is_replaced(void **state)
{
	const struct bed *bed = *state;
	struct run_cli *run;

	put(bed, "mischief", "stall");
	run = start(bed);
	assert_true(run_cli_expect(run, "ready\n"));
	assert_true(run_cli_expect(run, "was silent"));
	assert_true(run_cli_expect(run, "is back"));
	kill(run->pid, SIGINT);
	run_cli_wait(run);
	assert_int_equal(run->status, 0);
	free(run);
}

static void two_runs_in_one_state_directory_are_refused(void **state)
{
	const struct bed *bed = *state;
	struct run_cli *run = start(bed), *second;

	assert_true(run_cli_expect(run, "ready\n"));
	second = start(bed);
	run_cli_wait(second);
	assert_says(second, 2, "another `bailey run`");
	free(second);
	kill(run->pid, SIGINT);
	run_cli_wait(run);
	free(run);
}

static void a_made_state_directory_is_gone_afterwards(void **state)
{
	const struct bed *bed = *state;
	struct run_cli *run = RUN_CLI_START("run", "--tree", bed->tree);
	char path[256];
	const char *at;
	struct stat st;

	assert_true(run_cli_expect(run, "ready\n"));
	assert_true(run_cli_expect(run, "--state /"));
	at = strstr(run->err, "--state /");
	assert_int_equal(sscanf(at, "--state %255s", path), 1);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	kill(run->pid, SIGINT);
	run_cli_wait(run);
	assert_int_equal(run->status, 0);
	assert_int_equal(stat(path, &st), -1);
	free(run);
}

static void what_is_not_there_is_said_before_anything_starts(void **state)
{
	const struct bed *bed = *state;
	struct run_cli *run;

	run = RUN_CLI("run", "--state", bed->state);
	assert_says(run, 2, "say what to watch");
	free(run);
	run = RUN_CLI("run", "--tree", "/nonexistent", "--state", bed->state);
	assert_says(run, 2, "give a directory that is there");
	free(run);
	run = RUN_CLI("run", "--tree", bed->tree, "--product", "no-such",
		      "--state", bed->state);
	assert_says(run, 2, "no product no-such");
	free(run);
	assert_int_equal(number(bed, "pid"), 0);
}

static void etc_file(const struct bed *bed, const char *name, const char *text)
{
	char path[160];
	FILE *file;

	snprintf(path, sizeof(path), "%s/etc/%s", bed->top, name);
	file = fopen(path, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

/* A run without --product, with this bailey.conf: is there an updater? */
static bool starts_updater(const struct bed *bed, const char *conf)
{
	char etc[160];
	struct run_cli *run;
	int ms = 0;

	snprintf(etc, sizeof(etc), "%s/etc", bed->top);
	etc_file(bed, "bailey.conf", conf);
	put(bed, "updater", "0");
	run = RUN_CLI_START("run", "--tree", bed->tree, "--etc", etc,
			    "--state", bed->state);
	assert_true(run_cli_expect(run, "ready\n"));
	while (!number(bed, "updater") && ms < 1500) {
		usleep(10000);
		ms += 10;
	}
	kill(run->pid, SIGTERM);
	run_cli_wait(run);
	free(run);
	return number(bed, "updater") != 0;
}

static void the_updater_is_started_for_what_bailey_conf_enables(void **state)
{
	static const char *const folder[] = { "etc", "etc/products.d",
					      "etc/products.d/dropped.d" };
	const struct bed *bed = *state;
	char path[160], script[256];

	for (size_t i = 0; i < 3; i++) {
		snprintf(path, sizeof(path), "%s/%s", bed->top, folder[i]);
		assert_int_equal(mkdir(path, 0755), 0);
	}
	etc_file(bed, "products.d/fetched.ini", "[product]\nname = fetched\n"
		 "[content]\nurl = http://127.0.0.1/\nroot = /r.json\n");
	etc_file(bed, "products.d/plain.ini", "[product]\nname = plain\n");
	etc_file(bed, "products.d/dropped.ini", "[product]\nname = dropped\n");
	etc_file(bed, "products.d/dropped.d/url.ini", "[content]\n"
		 "url = http://127.0.0.1/\nroot = /r.json\n");
	snprintf(script, sizeof(script), "#!/bin/sh\necho $$ > %s/updater\n"
		 "exec sleep 60\n", bed->state);
	put(bed, "../bailey-updater", script);
	snprintf(path, sizeof(path), "%s/bailey-updater", bed->top);
	assert_int_equal(chmod(path, 0755), 0);
	assert_true(starts_updater(bed, "[products]\nenable = fetched\n"));
	assert_true(starts_updater(bed, "[products]\nenable = dropped\n"));
	assert_false(starts_updater(bed, "[products]\nenable = plain\n"));
	assert_false(starts_updater(bed, ""));
}

static void restarts_are_at_once_then_rarer_then_forgiven(void **state)
{
	struct run_backoff b = { 0 };
	mono_t now = { 100 * MONO_S };
	uint64_t before = 0;
	int i;

	(void)state;
	for (i = 0; i < 3; i++) {
		assert_int_equal(run_backoff_death(&b, now), 0);
	}
	for (i = 0; i < 20; i++) {
		uint64_t delay = run_backoff_death(&b, now);

		assert_true(delay > before || delay == RUN_DELAY_MOST_NS);
		assert_true(delay <= RUN_DELAY_MOST_NS);
		before = delay;
	}
	assert_int_equal(run_backoff_death(&b, mono_add(now, RUN_CALM_NS)), 0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(ready_is_said_once_and_ctrl_c_ends_it_cleanly),
		T(the_monitor_is_told_all),
		T(a_killed_monitor_is_back_at_once_without_its_leftovers),
		T(a_monitor_that_cannot_start_is_no_loop),
		T(a_silent_monitor_is_replaced),
		T(two_runs_in_one_state_directory_are_refused),
		T(a_made_state_directory_is_gone_afterwards),
		T(what_is_not_there_is_said_before_anything_starts),
		T(the_updater_is_started_for_what_bailey_conf_enables),
		cmocka_unit_test(restarts_are_at_once_then_rarer_then_forgiven),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
