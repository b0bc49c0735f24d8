/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whose fault is a crash on trial, and does the right one pay for it?
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include <cmocka.h>

#include "base/mono.h"
#include "config/manifest.h"
#include "lib/agent_host.h"

static const char *agent, *product;

#define CORPUS { { "evil", "EVIL", true }, { "good", "nothing", false } }

/* A real one: an object that no corpus has crashes the new version. */
static const struct host_version first = {
	1, "deny EVIL\n", 20, 0, 0, CORPUS
};
static const struct host_version fragile = {
	2, "deny EVIL\ncrash-on FRAGILE\n", 20, 3600, 0, CORPUS
};

static void begin(struct host *host, uint32_t reload, uint8_t ret_good[32],
		  uint8_t ret_trial[32])
{
	host_start(host, agent, product, reload);
	host->counting = true;
	assert_int_equal(host_submit(host, &first, ret_good), 0);
	host_bring(host, &fragile, ret_trial);
	host_await(host, ret_trial, "trial");
	while (memcmp(host->runs, ret_trial, 32) != 0) {
		host_serve(host, 5);
	}
}

static void check_back(struct host *host, const uint8_t good[32],
		       const uint8_t trial[32], const char *reason)
{
	char text[4096];

	host_await(host, trial, "quarantined");
	host_version(host, trial, text, sizeof(text));
	if (!strstr(text, reason)) {
		fail_msg("%s", text);
	}
	assert_true(host_is_current(host, good));
	host_serve(host, 50);
	assert_memory_equal(host->runs, good, 32);
}

static void check_reproduced(uint32_t reload)
{
	uint8_t good[32], trial[32];
	struct host host;
	mono_t began;

	begin(&host, reload, good, trial);
	began = mono_now();
	host_crash(&host, "a FRAGILE file");
	while (!host_is_current(&host, good)) {
		host_serve(&host, 1);
	}
	printf("reload %u: back after %llu ms\n", reload,
	       (unsigned long long)(mono_between(began, mono_now()) /
				    MONO_MS));
	check_back(&host, good, trial, "not with the version before");
	host_stop(&host);
}

static void does_a_reproduced_fault_quarantine(void **state)
{
	check_reproduced(MANIFEST_RELOAD_PARALLEL);
	check_reproduced(MANIFEST_RELOAD_RESTART);
	check_reproduced(MANIFEST_RELOAD_LIVE);
}

/* A user's file that crashes the product whatever its content. */
static void check_user(uint32_t reload)
{
	uint8_t good[32], trial[32];
	char text[64], why[65536];
	struct host host;

	begin(&host, reload, good, trial);
	for (int i = 0; i < 4; i++) {
		snprintf(text, sizeof(text), "user's file %d: BOTH", i);
		host_crash(&host, text);
		host_serve(&host, 400);
		while (memcmp(host.runs, trial, 32) != 0) {
			host_serve(&host, 20);
		}
	}
	host_await(&host, trial, "trial");
	assert_true(host_is_current(&host, trial));
	assert_int_equal(host_ask(&host, "{\"do\":\"why\",\"product\":"
				  "\"tester\"}", -1, why, sizeof(why)), 0);
	assert_non_null(strstr(why, "the version before fails on it too"));
	host_stop(&host);
}

static void can_a_users_file_not_revert_content(void **state)
{
	check_user(MANIFEST_RELOAD_PARALLEL);
	check_user(MANIFEST_RELOAD_RESTART);
}

static void wait_for_trial(struct host *host, const uint8_t trial[32])
{
	host_serve(host, 400);
	while (memcmp(host->runs, trial, 32) != 0) {
		host_serve(host, 20);
	}
	host_await(host, trial, "trial");
}

static void do_two_objects_quarantine(void **state)
{
	uint8_t good[32], trial[32];
	struct host host;

	begin(&host, MANIFEST_RELOAD_PARALLEL, good, trial);
	host_crash(&host, "one");
	wait_for_trial(&host, trial);
	host_crash(&host, "another");
	check_back(&host, good, trial, "did not come again");
	host_stop(&host);
}

static void do_three_crashes_quarantine(void **state)
{
	uint8_t good[32], trial[32];
	struct host host;

	begin(&host, MANIFEST_RELOAD_PARALLEL, good, trial);
	host_crash(&host, "one");
	wait_for_trial(&host, trial);
	host_crash(&host, "one");
	wait_for_trial(&host, trial);
	host_crash(&host, "one");
	check_back(&host, good, trial, "did not come again");
	host_stop(&host);
}

/* SIGKILL while a fault is looked into. */
static void kill_in_replay(struct host *host, const char *text)
{
	unsigned tries = host->seen[AGENT_TRY_START];

	host_crash(host, text);
	while (host->seen[AGENT_TRY_START] == tries) {
		host_turn(host, 1);
	}
	host_agent_kill(host);
	host_agent_start(host);
}

static void does_a_fault_count_whose_replay_was_cut_short(void **state)
{
	uint8_t good[32], trial[32];
	struct host host;

	begin(&host, MANIFEST_RELOAD_PARALLEL, good, trial);
	for (int i = 0; i < 3; i++) {
		wait_for_trial(&host, trial);
		kill_in_replay(&host, i % 2 ? "one" : "another");
	}
	check_back(&host, good, trial, "ended before it could be looked into");
	host_stop(&host);
}

/* It has never seen the former one run. */
static void does_an_agent_that_came_anew_know_what_runs(void **state)
{
	uint8_t good[32], trial[32];
	struct host host;

	begin(&host, MANIFEST_RELOAD_PARALLEL, good, trial);
	host_agent_kill(&host);
	host_agent_start(&host);
	host_serve(&host, 100);
	assert_true(host.frozen);
	host_crash(&host, "a FRAGILE file");
	check_back(&host, good, trial, "not with the version before");
	assert_int_equal(host.seen[AGENT_RESTART], 1);  /* of the first */
	host_stop(&host);
}

static void is_it_said_that_nothing_good_is_left(void **state)
{
	struct host_version only = fragile, next = first;
	uint8_t trial[32], good[32];
	struct host host;

	only.number = 1;
	next.number = 2;
	host_start(&host, agent, product, MANIFEST_RELOAD_RESTART);
	host.counting = true;
	host_bring(&host, &only, trial);
	host_await(&host, trial, "trial");
	while (memcmp(host.runs, trial, 32) != 0) {
		host_serve(&host, 5);
	}
	assert_string_equal(host.alarm, "");
	host_crash(&host, "a FRAGILE file");
	host_await(&host, trial, "quarantined");
	host_serve(&host, 50);
	assert_non_null(strstr(host.alarm, "no good version is here"));
	assert_int_equal(host_submit(&host, &next, good), 0);
	host_await(&host, good, "good");
	host_serve(&host, 50);
	assert_string_equal(host.alarm, "");
	host_stop(&host);
}

static void is_a_standby_that_dies_no_harm(void **state)
{
	struct host_version second = { 2, "deny EVIL\n#\n", 20, 0, 0, CORPUS };
	uint8_t good[32], hash[32];
	struct host host;

	host_start(&host, agent, product, MANIFEST_RELOAD_PARALLEL);
	host.counting = true;
	assert_int_equal(host_submit(&host, &first, good), 0);
	host.standby_fails = true;
	assert_int_equal(host_submit(&host, &second, hash), ECANCELED);
	assert_true(host_is_current(&host, good));
	assert_memory_equal(host.runs, good, 32);
	/* Tried again after a while, and it may have been the host. */
	host.standby_fails = false;
	host_await(&host, hash, "good");
	host_stop(&host);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(does_a_reproduced_fault_quarantine),
		cmocka_unit_test(can_a_users_file_not_revert_content),
		cmocka_unit_test(do_two_objects_quarantine),
		cmocka_unit_test(do_three_crashes_quarantine),
		cmocka_unit_test(
			does_a_fault_count_whose_replay_was_cut_short),
		cmocka_unit_test(does_an_agent_that_came_anew_know_what_runs),
		cmocka_unit_test(is_it_said_that_nothing_good_is_left),
		cmocka_unit_test(is_a_standby_that_dies_no_harm),
	};

	if (argc != 3) {
		return EX_USAGE;
	}
	agent = argv[1];
	product = argv[2];
	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
