/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Is what was there before in force again, when there is no kept process, no
 * version behind, or when the trial has just ended?
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

#define WAIT_MS 20000u

static const char *agent, *product;
static const uint8_t nothing[32];

#define CORPUS { { "evil", "EVIL", true }, { "good", "nothing", false } }

static const struct host_version first = {
	1, "deny EVIL\n", 20, 0, 0, CORPUS
};
static const struct host_version fragile = {
	2, "deny EVIL\ncrash-on FRAGILE\n", 20, 3600, 0, CORPUS
};

static void wait_runs(struct host *host, const uint8_t hash[32])
{
	mono_t end = mono_add(mono_now(), WAIT_MS * MONO_MS);

	while (memcmp(host->runs, hash, 32) != 0) {
		assert_true(mono_now().ns < end.ns);
		host_serve(host, 5);
	}
}

static void wait_enforces(struct host *host)
{
	mono_t end = mono_add(mono_now(), WAIT_MS * MONO_MS);

	while (host->observes) {
		assert_true(mono_now().ns < end.ns);
		host_serve(host, 5);
	}
}

/* On trial, asked, with a good one behind it. */
static void begin(struct host *host, uint32_t reload, uint8_t ret_good[32],
		  uint8_t ret_trial[32])
{
	host_start(host, agent, product, reload);
	host->counting = true;
	assert_int_equal(host_submit(host, &first, ret_good), 0);
	host_bring(host, &fragile, ret_trial);
	host_await(host, ret_trial, "trial");
	wait_runs(host, ret_trial);
}

/* The first ever, on trial: nothing is behind it. */
static void begin_only(struct host *host, uint32_t reload,
		       uint8_t ret_trial[32])
{
	struct host_version only = fragile;

	only.number = 1;
	host_start(host, agent, product, reload);
	host->serving = true;
	host_agent_end(host);
	host_agent_start(host);         /* it runs without content */
	host_bring(host, &only, ret_trial);
	host_await(host, ret_trial, "trial");
	wait_runs(host, ret_trial);
}

static void is_denied(struct host *host, const uint8_t trial[32])
{
	char text[4096];

	host_await(host, trial, "quarantined");
	host_version(host, trial, text, sizeof(text));
	if (!strstr(text, "denials: ")) {
		fail_msg("%s", text);
	}
}

/* ---- an alarm, and the mode that was chosen ---- */

static void check_alarm(uint32_t reload)
{
	uint8_t good[32], trial[32];
	struct host host;

	begin(&host, reload, good, trial);
	host_denies(&host);
	wait_runs(&host, good);
	wait_enforces(&host);
	is_denied(&host, trial);
	assert_int_equal(host.seen[AGENT_BELIEVE], 1);
	host_stop(&host);
}

static void does_an_alarm_end_with_what_was_on_trial(void **state)
{
	(void)state;
	check_alarm(MANIFEST_RELOAD_RESTART);
	check_alarm(MANIFEST_RELOAD_LIVE);
}

static void does_one_outside_of_a_trial_stay(void **state)
{
	uint8_t good[32], trial[32];
	struct host host;

	(void)state;
	host_start(&host, agent, product, MANIFEST_RELOAD_RESTART);
	host.deadline_ms = 100;
	host_agent_kill(&host);
	host_agent_start(&host);
	host.counting = true;
	assert_int_equal(host_submit(&host, &first, good), 0);
	host_serve(&host, 1500);
	host_denies(&host);
	host_serve(&host, 200);
	host_await(&host, good, "good");
	/* Nor does the next version end it. */
	host_bring(&host, &fragile, trial);
	wait_runs(&host, trial);
	host_crash(&host, "a FRAGILE file");
	host_await(&host, trial, "quarantined");
	wait_runs(&host, good);
	host_serve(&host, 100);
	assert_true(host.observes);
	assert_int_equal(host.seen[AGENT_BELIEVE], 0);
	host_stop(&host);
}

/* After each record that it writes about it. */
static void does_it_end_if_the_agent_dies_meanwhile(void **state)
{
	(void)state;
	for (unsigned n = 0; n < 4; n++) {
		uint8_t good[32], trial[32];
		struct host host;

		begin(&host, n % 2 ? MANIFEST_RELOAD_LIVE
				   : MANIFEST_RELOAD_RESTART, good, trial);
		if (n < 2) {            /* it never reads of it */
			host_agent_kill(&host);
			host_denies(&host);
			host_agent_start(&host);
		} else {
			host_kill_at(&host, host_records(&host) + 1);
			host_denies(&host);
		}
		wait_runs(&host, good);
		wait_enforces(&host);
		is_denied(&host, trial);
		assert_int_equal(host.kills, n / 2);
		host_stop(&host);
	}
}

/* ---- nothing behind it ---- */

static void does_a_first_one_that_denies_too_much_go(void **state)
{
	static const uint32_t reload[] = { MANIFEST_RELOAD_RESTART,
					   MANIFEST_RELOAD_LIVE,
					   MANIFEST_RELOAD_PARALLEL };

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		uint8_t trial[32];
		struct host host;

		begin_only(&host, reload[i], trial);
		host_denies(&host);
		wait_runs(&host, nothing);
		wait_enforces(&host);
		is_denied(&host, trial);
		host_serve(&host, 600);
		assert_non_null(strstr(host.alarm, "no good version is here"));
		host_stop(&host);
	}
}

/* By what is counted, not by an alarm. */
static void does_a_first_one_go_by_its_health(void **state)
{
	uint8_t trial[32];
	struct host host;

	(void)state;
	begin_only(&host, MANIFEST_RELOAD_RESTART, trial);
	host.counting = true;
	host.denying = true;
	wait_runs(&host, nothing);
	is_denied(&host, trial);
	host_stop(&host);
}

/* ---- it died, and that is told when it is good ---- */

static void good_at_once(struct host *host, uint32_t reload,
			 uint8_t ret_good[32], uint8_t ret_next[32])
{
	struct host_version next = fragile;

	next.bake_s = 0;
	host_start(host, agent, product, reload);
	host->deadline_ms = 100;
	host_agent_kill(host);
	host_agent_start(host);
	host->counting = true;
	assert_int_equal(host_submit(host, &first, ret_good), 0);
	host_bring(host, &next, ret_next);
	host_await(host, ret_next, "good");
}

static void is_a_death_that_was_on_its_way_the_trials(void **state)
{
	static const uint32_t reload[] = { MANIFEST_RELOAD_RESTART,
					   MANIFEST_RELOAD_LIVE,
					   MANIFEST_RELOAD_PARALLEL };

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		uint8_t good[32], next[32];
		struct host host;
		char text[4096];

		good_at_once(&host, reload[i], good, next);
		host_crash(&host, "a FRAGILE file");
		host_await(&host, next, "quarantined");
		host_version(&host, next, text, sizeof(text));
		assert_non_null(strstr(text, "not with the version before"));
		wait_runs(&host, good);
		assert_true(host_is_current(&host, good));
		host_stop(&host);
	}
}

static void is_a_later_one_not(void **state)
{
	uint8_t good[32], next[32];
	struct host host;

	(void)state;
	good_at_once(&host, MANIFEST_RELOAD_RESTART, good, next);
	host_serve(&host, 1500);
	host_crash(&host, "a FRAGILE file");
	host_serve(&host, 500);
	host_await(&host, next, "good");
	assert_true(host_is_current(&host, next));
	host_stop(&host);
}

/* One that the version before has too: the trial goes on, and ends. */
static void does_a_users_file_not_undo_its_end(void **state)
{
	uint8_t good[32], next[32];
	struct host host;

	(void)state;
	good_at_once(&host, MANIFEST_RELOAD_PARALLEL, good, next);
	host_crash(&host, "a user's file: BOTH");
	host_serve(&host, 400);
	host_await(&host, next, "good");
	wait_runs(&host, next);
	host_stop(&host);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(does_an_alarm_end_with_what_was_on_trial),
		cmocka_unit_test(does_one_outside_of_a_trial_stay),
		cmocka_unit_test(does_it_end_if_the_agent_dies_meanwhile),
		cmocka_unit_test(does_a_first_one_that_denies_too_much_go),
		cmocka_unit_test(does_a_first_one_go_by_its_health),
		cmocka_unit_test(is_a_death_that_was_on_its_way_the_trials),
		cmocka_unit_test(is_a_later_one_not),
		cmocka_unit_test(does_a_users_file_not_undo_its_end),
	};

	if (argc != 3) {
		return EX_USAGE;
	}
	agent = argv[1];
	product = argv[2];
	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
