/* SPDX-License-Identifier: Apache-2.0 */
/* Does each answer reach the ring as said, once, and only in time? */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/mono.h"
#include "client_case.h"

#define ALLOW BAILEY_VERDICT_ALLOW
#define DENY BAILEY_VERDICT_DENY
#define ONCE BAILEY_SCOPE_ONCE

/* A question in a slot whose deadline is so many ms away; 0: none. */
static struct bailey_event *ask(struct pair *pair, uint32_t slot, int ms)
{
	struct bailey_event *event = NULL;
	struct wire_event *wire;

	wire = fake_event(pair->fake, slot, 1000 + slot,
			  BAILEY_EVENT_FILE_OPEN, WIRE_EVENT_QUESTION);
	if (ms != 0) {
		fake_number(wire, BAILEY_FIELD_DEADLINE,
			    (int64_t)mono_now().ns + ms * (int64_t)MONO_MS);
	}
	fake_publish(pair->fake, slot);
	assert_int_equal(bailey_next(pair->client, 5000, &event), 1);
	return event;
}

static struct wire_answer taken(struct pair *pair)
{
	struct wire_answer answer = { 0 };

	assert_true(fake_take(pair->fake, &answer));
	return answer;
}

static struct bailey_finding finding(void)
{
	return (struct bailey_finding){
		.size = sizeof(struct bailey_finding),
		.severity = 90,
		.confidence = 80,
		.rule = "eicar",
		.title = "test file",
		.technique = "T1204",
	};
}

static void does_a_verdict_carry_scope_and_finding(void **state)
{
	struct pair *pair = *state;
	struct bailey_event *event = ask(pair, 4, 1000);
	struct bailey_finding found = finding();
	struct wire_answer answer;

	memset(found.title, 'x', sizeof(found.title));
	assert_int_equal(bailey_answer(pair->client, event, DENY,
				       BAILEY_SCOPE_OBJECT, &found), 0);
	answer = taken(pair);
	assert_int_equal(answer.type, WIRE_ANSWER_VERDICT);
	assert_int_equal(answer.slot, 4);
	assert_int_equal(answer.id, 1004);
	assert_int_equal(answer.verdict, DENY);
	assert_int_equal(answer.scope, BAILEY_SCOPE_OBJECT);
	assert_int_equal(answer.has_finding, 1);
	assert_string_equal(answer.finding.rule, "eicar");
	assert_int_equal(strlen(answer.finding.title),
			 sizeof(found.title) - 1);
	bailey_event_unref(event);
}

static void is_a_second_decision_refused(void **state)
{
	struct pair *pair = *state;
	struct bailey_event *event = ask(pair, 0, 1000);
	struct bailey_event *other = ask(pair, 1, 1000);

	assert_int_equal(bailey_answer(pair->client, event, ALLOW, ONCE,
				       NULL), 0);
	assert_int_equal(bailey_answer(pair->client, event, DENY, ONCE, NULL),
			 -EALREADY);
	assert_int_equal(bailey_extend(pair->client, event, 5), -EALREADY);
	assert_int_equal(bailey_defer(pair->client, other), 0);
	assert_int_equal(bailey_defer(pair->client, other), -EALREADY);
	assert_int_equal(bailey_answer(pair->client, other, DENY, ONCE, NULL),
			 -EALREADY);
	assert_int_equal(taken(pair).verdict, ALLOW);
	assert_int_equal(taken(pair).type, WIRE_ANSWER_DEFER);
	bailey_event_unref(event);
	bailey_event_unref(other);
}

static void is_a_late_answer_refused_and_more_time_counted(void **state)
{
	struct pair *pair = *state;
	struct bailey_event *event = ask(pair, 0, 20);
	struct bailey_event *late = ask(pair, 1, 20);
	struct bailey_event *ever = ask(pair, 2, 0);
	struct timespec t = { .tv_nsec = 40000000 };

	assert_int_equal(bailey_extend(pair->client, event, 60000), 0);
	assert_int_equal(taken(pair).ms, 60000);
	nanosleep(&t, NULL);
	assert_int_equal(bailey_answer(pair->client, late, ALLOW, ONCE, NULL),
			 -BAILEY_E_TOO_LATE);
	assert_int_equal(bailey_extend(pair->client, late, 10),
			 -BAILEY_E_TOO_LATE);
	assert_int_equal(bailey_defer(pair->client, late),
			 -BAILEY_E_TOO_LATE);
	assert_int_equal(bailey_answer(pair->client, event, ALLOW, ONCE, NULL),
			 0);
	assert_int_equal(bailey_answer(pair->client, ever, ALLOW, ONCE, NULL),
			 0);
	bailey_event_unref(event);
	bailey_event_unref(late);
	bailey_event_unref(ever);
}

static void are_impossible_answers_refused(void **state)
{
	struct pair *pair = *state;
	struct bailey_event *event = ask(pair, 0, 1000), *news = NULL;
	struct bailey_finding found = finding();
	struct bailey_client *c = pair->client;
	struct wire_answer answer;

	fake_event(pair->fake, 1, 9, BAILEY_EVENT_PROCESS_EXIT, 0);
	fake_publish(pair->fake, 1);
	assert_int_equal(bailey_next(c, 1000, &news), 1);
	assert_int_equal(bailey_answer(c, news, ALLOW, ONCE, NULL), -EINVAL);
	assert_int_equal(bailey_defer(c, news), -EINVAL);
	assert_int_equal(bailey_extend(c, event, 0), -EINVAL);
	assert_int_equal(bailey_answer(c, event, BAILEY_VERDICT_NONE, ONCE,
				       NULL), -EINVAL);
	assert_int_equal(bailey_answer(c, event, (enum bailey_verdict)3, ONCE,
				       NULL), -EINVAL);
	assert_int_equal(bailey_answer(c, event, ALLOW, (enum bailey_scope)3,
				       NULL), -EINVAL);
	assert_int_equal(bailey_answer(c, event, ALLOW, (enum bailey_scope)-1,
				       NULL), -EINVAL);
	assert_int_equal(bailey_report(c, event, NULL), -EINVAL);
	found.size--;
	assert_int_equal(bailey_report(c, event, &found), -EINVAL);
	found = finding();
	found.severity = 101;
	assert_int_equal(bailey_answer(c, event, DENY, ONCE, &found), -EINVAL);
	assert_false(fake_take(pair->fake, &answer));
	bailey_event_unref(event);
	bailey_event_unref(news);
}

static void do_report_and_revise_say_what_they_mean(void **state)
{
	struct pair *pair = *state;
	struct bailey_event *event = ask(pair, 0, 1000);
	struct bailey_object object = { 1, 2, 3 };
	struct bailey_finding found = finding();
	struct wire_answer answer;

	assert_int_equal(bailey_report(pair->client, event, &found), 0);
	answer = taken(pair);
	assert_int_equal(answer.type, WIRE_ANSWER_REPORT);
	assert_int_equal(answer.id, 1000);
	assert_int_equal(answer.has_finding, 1);
	assert_int_equal(bailey_revise(pair->client, &object, DENY, NULL), 0);
	answer = taken(pair);
	assert_int_equal(answer.type, WIRE_ANSWER_REVISE);
	assert_int_equal(answer.has_finding, 0);
	assert_memory_equal(&answer.object, &object, sizeof(object));
	assert_int_equal(bailey_revise(pair->client, &object,
				       BAILEY_VERDICT_NONE, NULL), -EINVAL);
	bailey_event_unref(event);
}

/* An engine that reads nothing: reports run out of room, decisions and
 * releases never do. */
static void do_decisions_and_releases_always_fit(void **state)
{
	struct pair *pair = *state;
	struct bailey_event *held[WIRE_SLOTS];
	struct bailey_object object = { 1, 2, 3 };
	struct wire_answer answer;
	unsigned reports = 0, rest = 0;

	for (uint32_t i = 0; i < WIRE_SLOTS; i++) {
		held[i] = ask(pair, i, 60000);
	}
	while (bailey_revise(pair->client, &object, DENY, NULL) == 0) {
		reports++;
		assert_true(reports <= WIRE_ANSWERS);
	}
	assert_int_equal(bailey_revise(pair->client, &object, DENY, NULL),
			 -BAILEY_E_FULL);
	assert_int_equal(bailey_extend(pair->client, held[0], 1),
			 -BAILEY_E_FULL);
	for (uint32_t i = 0; i < WIRE_SLOTS; i++) {
		assert_int_equal(bailey_answer(pair->client, held[i], DENY,
					       ONCE, NULL), 0);
		bailey_event_unref(held[i]);
	}
	while (fake_take(pair->fake, &answer)) {
		rest++;
	}
	assert_int_equal(reports, WIRE_ANSWERS - 2 * WIRE_SLOTS);
	assert_int_equal(rest, reports + 2 * WIRE_SLOTS);
}

static void is_a_nonsense_count_of_taken_answers_the_end(void **state)
{
	struct pair *pair = *state;
	struct bailey_event *event = ask(pair, 0, 60000);

	atomic_store(&pair->fake->events->answers_taken, 5000);
	assert_int_equal(bailey_answer(pair->client, event, DENY, ONCE, NULL),
			 -EPIPE);
	bailey_event_unref(event);
}

static void is_the_engine_woken_only_when_it_sleeps(void **state)
{
	struct pair *pair = *state;
	struct bailey_event *first = ask(pair, 0, 60000);
	struct bailey_event *second = ask(pair, 1, 60000);
	struct bailey_event *third = ask(pair, 2, 60000);
	int engine = pair->fake->wake_engine;
	char byte;

	assert_int_equal(bailey_answer(pair->client, first, DENY, ONCE, NULL),
			 0);
	assert_int_equal(read(engine, &byte, 1), -1);
	atomic_store(&pair->fake->events->engine_sleeping, 1);
	/* a slot alone is given back for later */
	bailey_event_unref(first);
	assert_int_equal(read(engine, &byte, 1), -1);
	assert_int_equal(bailey_answer(pair->client, second, DENY, ONCE, NULL),
			 0);
	assert_int_equal(read(engine, &byte, 1), 1);
	bailey_event_unref(second);
	assert_int_equal(read(engine, &byte, 1), -1);
	/* that nobody will decide this one is a miss, now */
	bailey_event_unref(third);
	assert_int_equal(read(engine, &byte, 1), 1);
	assert_int_equal(read(engine, &byte, 1), -1);
}

static void does_an_engine_that_died_asleep_kill_nobody(void **state)
{
	struct pair *pair = *state;
	struct bailey_event *event = ask(pair, 0, 60000);

	signal(SIGPIPE, SIG_DFL);
	atomic_store(&pair->fake->events->engine_sleeping, 1);
	fake_hang_up(pair->fake);
	assert_int_equal(bailey_answer(pair->client, event, DENY, ONCE, NULL),
			 0);
	bailey_event_unref(event);
	assert_int_equal(bailey_next(pair->client, -1, &event), -EPIPE);
}

static void do_answers_after_the_end_say_epipe(void **state)
{
	struct pair *pair = *state;
	struct bailey_event *event = ask(pair, 0, 60000);
	struct bailey_object object = { 1, 2, 3 };

	fake_end(pair->fake);
	assert_int_equal(bailey_answer(pair->client, event, DENY, ONCE, NULL),
			 -EPIPE);
	assert_int_equal(bailey_revise(pair->client, &object, DENY, NULL),
			 -EPIPE);
	bailey_event_unref(event);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(does_a_verdict_carry_scope_and_finding),
		TEST(is_a_second_decision_refused),
		TEST(is_a_late_answer_refused_and_more_time_counted),
		TEST(are_impossible_answers_refused),
		TEST(do_report_and_revise_say_what_they_mean),
		TEST(do_decisions_and_releases_always_fit),
		TEST(is_a_nonsense_count_of_taken_answers_the_end),
		TEST(is_the_engine_woken_only_when_it_sleeps),
		TEST(does_an_engine_that_died_asleep_kill_nobody),
		TEST(do_answers_after_the_end_say_epipe),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
