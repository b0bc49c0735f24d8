/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Content denies too much, and there is no kept process: how long does the
 * product observe, whoever dies meanwhile and whatever a person says?
 *
 * As test_trial.c: all is real but the content agent, which is the test.
 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "test_trial_case.h"

#define BAD 1

/* What it was ready on before may still be told. */
static void becomes_ready_on(uint8_t slot)
{
	while (trial_wait(&t, AGENT_PRODUCT_READY)->hash[0] != slot) {
	}
}

static void restart_on(uint8_t slot)
{
	trial_current(&t, slot);
	trial_ask(&t, AGENT_RESTART, 0, 0, 0);
	becomes_ready_on(slot);
}

static void live_on(uint8_t slot)
{
	const struct agent_message *m;

	trial_current(&t, slot);
	trial_ask(&t, AGENT_LIVE, 0, 0, 0);
	m = trial_wait(&t, AGENT_CONTENT_DONE);
	assert_int_equal(m->number, 0);
	assert_int_equal(m->hash[0], slot);
}

static void is_refused(uint32_t type, uint8_t slot)
{
	const struct agent_message *m;

	trial_ask(&t, type, 0, 0, slot);
	m = trial_wait(&t, AGENT_REFUSED);
	assert_int_equal(m->refused, type);
}

/* It is loaded, denies, and trips the brake. */
static void goes_bad(void (*load)(uint8_t slot))
{
	trial_slot(&t, BAD, "when 1 is * deny\n", TRIAL_FIELDS);
	trial_run(&t);
	load(BAD);
	host_load_start(&t.host);
	assert_int_equal(trial_wait(&t, AGENT_PRODUCT_ALARM)->hash[0], BAD);
	host_load_stop(&t.host);
	host_wait_text(&t.host, "brittle", "mode", "observe", WAIT_MS);
	assert_int_equal(host_open(&t.host, HOST_EICAR, NULL), 0);
}

static void is_believed(void)
{
	trial_ask(&t, AGENT_BELIEVE, 0, 0, BAD);
	host_wait_text(&t.host, "brittle", "mode", "enforce", WAIT_MS);
	(void)host_wait_open(&t.host, HOST_EICAR, EPERM, WAIT_MS);
	assert_int_equal(host_open(&t.host, "good1", NULL), 0);
	is_refused(AGENT_BELIEVE, BAD);         /* it is over */
	host_stop(&t.host);
}

static void it_enforces_again_when_other_content_is_loaded(void **state)
{
	(void)state;
	goes_bad(restart_on);
	is_refused(AGENT_BELIEVE, BAD);         /* that one is asked still */
	restart_on(0);
	is_refused(AGENT_BELIEVE, 0);           /* not what raised it */
	is_believed();
}

static void or_when_the_running_one_takes_it(void **state)
{
	(void)state;
	goes_bad(live_on);
	is_refused(AGENT_BELIEVE, BAD);
	live_on(0);
	is_believed();
}

static void an_engine_that_dies_meanwhile_changes_nothing(void **state)
{
	json_t *status;
	pid_t keeper;

	(void)state;
	goes_bad(restart_on);
	status = host_status(&t.host);
	keeper = (pid_t)host_number(status, "keeper.pid");
	json_decref(status);
	assert_true(keeper > 1);
	assert_int_equal(kill(keeper, SIGKILL), 0);
	becomes_ready_on(BAD);
	host_wait_text(&t.host, "brittle", "mode", "observe", WAIT_MS);
	restart_on(0);
	is_believed();
}

static void an_agent_that_comes_anew_is_told_again(void **state)
{
	const struct agent_message *m;

	(void)state;
	goes_bad(restart_on);
	close(t.relay);                 /* it leaves */
	t.relay = -1;
	trial_accept(&t);
	becomes_ready_on(BAD);
	m = trial_wait(&t, AGENT_PRODUCT_ALARM);
	assert_int_equal(m->hash[0], BAD);
	restart_on(0);
	is_believed();
}

static void a_person_has_the_last_word(void **state)
{
	(void)state;
	goes_bad(restart_on);
	assert_int_equal(HOST_CLI(&t.host, "product", "brittle", "observe"),
			 0);
	restart_on(0);
	is_refused(AGENT_BELIEVE, BAD);
	host_wait_text(&t.host, "brittle", "mode", "observe", WAIT_MS);
	assert_int_equal(host_open(&t.host, HOST_EICAR, NULL), 0);
	host_stop(&t.host);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(restart, it_enforces_again_when_other_content_is_loaded),
		TEST(live, or_when_the_running_one_takes_it),
		TEST(restart, an_engine_that_dies_meanwhile_changes_nothing),
		TEST(restart, an_agent_that_comes_anew_is_told_again),
		TEST(restart, a_person_has_the_last_word),
	};
	int r = trial_case_begin(argc, argv);

	return r ? r : cmocka_run_group_tests(tests, NULL, NULL);
}
