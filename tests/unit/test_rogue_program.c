/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Does rogue do what its modes say? A mischief that does not happen would let
 * the integration tests pass for nothing.
 *
 * The real program against the fake broker, outside a jail.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/run_product.h"

static const char *rogue;

static void start(struct run *run, const char *mode, const char *argument)
{
	const char *argv[] = { rogue, mode, argument, NULL };

	run_start_ready(run, argv, NULL);
}

/* What the mode answers to a question about path. */
static void check_verdict(const char *mode, const char *argument,
			  const char *path, enum bailey_verdict verdict)
{
	struct wire_answer answer;
	struct run run;
	uint64_t id;

	start(&run, mode, argument);
	id = run_ask(&run, 7, path, -1, 200);
	answer = run_answer(&run, WIRE_ANSWER_VERDICT);
	assert_int_equal(answer.id, id);
	assert_int_equal(answer.slot, 7);
	assert_int_equal(answer.verdict, verdict);
	assert_int_equal(run_answer(&run, WIRE_ANSWER_RELEASE).id, id);
	run_stop(&run);
}

static void do_verdicts_follow_the_mode(void **state)
{
	check_verdict("allow", NULL, "/a", BAILEY_VERDICT_ALLOW);
	check_verdict("allow-file", NULL, "/a", BAILEY_VERDICT_ALLOW);
	check_verdict("allow-object", NULL, "/a", BAILEY_VERDICT_ALLOW);
	check_verdict("observe", NULL, "/a", BAILEY_VERDICT_ALLOW);
	check_verdict("delay", "5", "/a", BAILEY_VERDICT_ALLOW);
	check_verdict("deny-all", NULL, "/a", BAILEY_VERDICT_DENY);
	check_verdict("deny-name", NULL, "/a/evil", BAILEY_VERDICT_DENY);
	check_verdict("deny-name", NULL, "/a/devil", BAILEY_VERDICT_ALLOW);
	check_verdict("deny-name", NULL, "/evil/a", BAILEY_VERDICT_ALLOW);
	check_verdict("deny-name", "bad", "/a/bad", BAILEY_VERDICT_DENY);
	check_verdict("crash-on", NULL, "/a/good", BAILEY_VERDICT_ALLOW);
	check_verdict("remap", NULL, "/a", BAILEY_VERDICT_ALLOW);
	check_verdict("no-receive", NULL, "/a", BAILEY_VERDICT_ALLOW);
	check_verdict("pipes", NULL, "/a", BAILEY_VERDICT_ALLOW);
}

static int status_of(const char *mode, const char *argument)
{
	struct run run;
	int status;

	start(&run, mode, argument);
	run_ask(&run, 0, "/tmp/evil", -1, 200);
	status = run_wait(&run);
	run_stop(&run);
	return status;
}

static void do_deaths_happen_at_the_first_question(void **state)
{
	assert_int_equal(WTERMSIG(status_of("segfault", NULL)), SIGSEGV);
	assert_int_equal(WTERMSIG(status_of("abort", NULL)), SIGABRT);
	assert_int_equal(WTERMSIG(status_of("crash-on", NULL)), SIGSEGV);
	assert_int_equal(WSTOPSIG(status_of("stop", NULL)), SIGSTOP);
	assert_int_equal(status_of("exit0", NULL), 0);
}

static void does_a_product_wait_until_it_is_ready(void **state)
{
	const char *never[] = { rogue, "never-ready", NULL };
	const char *slow[] = { rogue, "slow-load", "1", NULL };
	struct run run;

	run_start(&run, never, NULL);
	fake_await(run.fake, WIRE_REQUEST_SUBSCRIBE, 1);
	usleep(200000);
	assert_int_equal(fake_requests(run.fake, WIRE_REQUEST_READY), 0);
	run_stop(&run);
	assert_true(run_start_ready(&run, slow, NULL) >= 1000);
	run_stop(&run);
}

static void is_silence_silent(void **state)
{
	static const char *const modes[] = { "hang", "hold", "spin", "close" };
	struct run run;

	for (unsigned i = 0; i < 4; i++) {
		start(&run, modes[i], NULL);
		run_ask(&run, 0, "/a", -1, 50);
		run_ask(&run, 1, "/b", -1, 50);
		assert_false(run_hears(&run, WIRE_ANSWER_VERDICT, 150));
		assert_int_equal(kill(run.pid, 0), 0);
		run_stop(&run);
	}
}

static void does_late_answer_after_the_deadline(void **state)
{
	struct run run;
	double began;

	start(&run, "late", NULL);
	began = run_now_ms();
	run_ask(&run, 0, "/a", -1, 100);
	/* The library may refuse to send it: then only the release comes. */
	run_answer(&run, WIRE_ANSWER_RELEASE);
	assert_true(run_now_ms() - began >= 150);
	run_stop(&run);
}

static void does_twice_answer_twice(void **state)
{
	struct wire_answer first, second;
	struct run run;

	start(&run, "twice", NULL);
	run_ask(&run, 9, "/a", -1, 100);
	first = run_answer(&run, WIRE_ANSWER_VERDICT);
	second = run_answer(&run, WIRE_ANSWER_VERDICT);
	assert_int_equal(first.id, second.id);
	assert_int_equal(first.verdict, BAILEY_VERDICT_ALLOW);
	assert_int_equal(second.verdict, BAILEY_VERDICT_DENY);
	run_stop(&run);
}

static void does_others_answer_for_others(void **state)
{
	struct wire_answer answer;
	unsigned strangers = 0;
	struct run run;
	uint64_t id;

	start(&run, "others", NULL);
	id = run_ask(&run, 9, "/a", -1, 100);
	do {
		answer = run_answer(&run, WIRE_ANSWER_VERDICT);
		strangers += answer.slot != 9;
	} while (answer.slot != 9);
	assert_int_equal(answer.id, id);
	assert_true(strangers > 20);
	run_stop(&run);
}

static void does_scribble_scribble(void **state)
{
	struct wire_answer before;
	struct run run;

	start(&run, "scribble", NULL);
	before = run.fake->answers->answer[100];
	run_ask(&run, 0, "/a", -1, 100);
	for (int i = 0; i < 1000 &&
	     memcmp(&before, &run.fake->answers->answer[100],
		    sizeof(before)) == 0; i++) {
		usleep(1000);
	}
	assert_memory_not_equal(&before, &run.fake->answers->answer[100],
				sizeof(before));
	run_stop(&run);
}

static void does_overrun_claim_too_much(void **state)
{
	struct run run;

	start(&run, "overrun", NULL);
	run_ask(&run, 0, "/a", -1, 100);
	for (int i = 0; i < 1000 &&
	     atomic_load(&run.fake->answers->head) == 0; i++) {
		usleep(1000);
	}
	assert_true(atomic_load(&run.fake->answers->head) > WIRE_ANSWERS);
	run_stop(&run);
}

static void do_rules_of_a_rogue_deny_everything(void **state)
{
	const char *argv[] = { rogue, "rule-deny-root", NULL };
	struct run run;
	int status;

	run_start(&run, argv, NULL);
	status = run_wait(&run);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(fake_requests(run.fake, WIRE_REQUEST_TEXT_COMMIT), 2);
	assert_non_null(strstr((char *)run.fake->last[WIRE_REQUEST_TEXT_ADD],
			       "deny any"));
	run_stop(&run);
}

/* Outside a jail they must not even begin. */
static void do_bombs_refuse_to_go_off_here(void **state)
{
	static const char *const modes[] = { "alloc", "fork-bomb", "threads" };
	struct run run;
	int status;

	for (unsigned i = 0; i < 3; i++) {
		start(&run, modes[i], NULL);
		status = run_wait(&run);
		assert_true(WIFEXITED(status));
		assert_int_equal(WEXITSTATUS(status), 77);
		run_stop(&run);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(do_verdicts_follow_the_mode),
		cmocka_unit_test(do_deaths_happen_at_the_first_question),
		cmocka_unit_test(does_a_product_wait_until_it_is_ready),
		cmocka_unit_test(is_silence_silent),
		cmocka_unit_test(does_late_answer_after_the_deadline),
		cmocka_unit_test(does_twice_answer_twice),
		cmocka_unit_test(does_others_answer_for_others),
		cmocka_unit_test(does_scribble_scribble),
		cmocka_unit_test(does_overrun_claim_too_much),
		cmocka_unit_test(do_rules_of_a_rogue_deny_everything),
		cmocka_unit_test(do_bombs_refuse_to_go_off_here),
	};

	if (argc != 2) {
		return EX_USAGE;
	}
	rogue = argv[1];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
