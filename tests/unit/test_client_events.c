/* SPDX-License-Identifier: Apache-2.0 */
/* Do events come in order, stay as they are, and end when the session ends? */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "client_case.h"

#define Q WIRE_EVENT_QUESTION
#define OPEN BAILEY_EVENT_FILE_OPEN
#define EXITED BAILEY_EVENT_PROCESS_EXIT

static struct bailey_event *next(struct pair *pair)
{
	struct bailey_event *event = NULL;

	assert_int_equal(bailey_next(pair->client, 5000, &event), 1);
	return event;
}

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void do_questions_come_before_news(void **state)
{
	struct pair *pair = *state;
	static const uint64_t wanted[] = { 13, 14, 11, 12 };
	uint64_t got[4];

	fake_event(pair->fake, 1, 11, EXITED, 0);
	fake_event(pair->fake, 2, 12, EXITED, 0);
	fake_event(pair->fake, 3, 13, OPEN, Q);
	fake_event(pair->fake, 4, 14, OPEN, Q);
	for (uint32_t slot = 1; slot <= 4; slot++) {
		fake_publish(pair->fake, slot);
	}
	for (size_t i = 0; i < 4; i++) {
		struct bailey_event *event = next(pair);

		got[i] = bailey_event_id(event);
		assert_int_equal(bailey_event_is_question(event), got[i] > 12);
		assert_int_equal(bailey_event_kind(event),
				 got[i] > 12 ? OPEN : EXITED);
		bailey_event_unref(event);
	}
	assert_memory_equal(got, wanted, sizeof(wanted));
}

static void is_a_timeout_kept_and_the_output_untouched(void **state)
{
	struct pair *pair = *state;
	struct bailey_event *untouched = (void *)8, *event = untouched;
	uint64_t start = now_ms();

	assert_int_equal(bailey_next(pair->client, 0, &event), 0);
	assert_int_equal(bailey_next(pair->client, 60, &event), 0);
	assert_true(now_ms() - start >= 60);
	assert_ptr_equal(event, untouched);
}

static bool readable(int fd, int timeout)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, timeout) == 1;
}

static void does_the_descriptor_poll_as_promised(void **state)
{
	struct pair *pair = *state;
	struct bailey_event *event;
	int fd = bailey_fd(pair->client);

	assert_false(readable(fd, 0));
	for (uint32_t round = 0; round < 50; round++) {
		fake_event(pair->fake, 7, round, OPEN, Q);
		fake_publish(pair->fake, 7);
		assert_true(readable(fd, 1000));
		assert_int_equal(bailey_next(pair->client, 0, &event), 1);
		assert_int_equal(bailey_event_id(event), round);
		bailey_event_unref(event);
		assert_int_equal(bailey_next(pair->client, 0, &event), 0);
		assert_false(readable(fd, 0));
	}
	fake_end(pair->fake);
	assert_true(readable(fd, 1000));
	assert_int_equal(bailey_next(pair->client, 0, &event), -EPIPE);
}

static void do_events_read_as_written(void **state)
{
	struct pair *pair = *state;
	struct wire_event *wire = fake_event(pair->fake, 0, 5, OPEN, Q);
	struct bailey_event *event;
	struct bailey_string s;
	struct bailey_object object;
	int64_t n = 0;

	fake_number(wire, BAILEY_FIELD_UID, 1000);
	fake_number(wire, BAILEY_FIELD_INODE, 7);
	fake_number(wire, BAILEY_FIELD_DEVICE, 8);
	fake_string(wire, BAILEY_FIELD_PATH, "/tmp/\n\xff");
	fake_publish(pair->fake, 0);
	event = next(pair);
	assert_int_equal(bailey_event_number(event, BAILEY_FIELD_UID, &n), 0);
	assert_int_equal(n, 1000);
	assert_int_equal(bailey_event_number(event, BAILEY_FIELD_GID, &n),
			 -ENODATA);
	assert_int_equal(bailey_event_string(event, BAILEY_FIELD_PATH, &s), 0);
	assert_int_equal(s.length, 7);
	assert_string_equal(s.bytes, "/tmp/\n\xff");
	assert_int_equal(bailey_event_string(event, BAILEY_FIELD_COMM, &s),
			 -ENODATA);
	assert_int_equal(bailey_event_string(event, BAILEY_FIELD_UID, &s),
			 -ENODATA);
	assert_int_equal(bailey_event_number(event, BAILEY_FIELD_PATH, &n),
			 -ENODATA);
	assert_int_equal(bailey_event_object(event, &object), -ENODATA);
	fake_number(wire, BAILEY_FIELD_OBJECT_GENERATION, 9);
	assert_int_equal(bailey_event_object(event, &object), 0);
	assert_int_equal(object.device, 8);
	assert_int_equal(object.inode, 7);
	assert_int_equal(object.generation, 9);
	bailey_event_unref(event);
}

/* Is every field of a slot full of garbage absent or inside the slot? */
static void are_malformed_slots_absent_not_read(void **state)
{
	struct pair *pair = *state;
	struct wire_event *wire = fake_event(pair->fake, 0, 5, OPEN, Q);
	static const struct {
		uint32_t size;
		uint16_t offset, length;
	} cases[] = {
		{ 600, 500, 100 }, { 600, 65535, 65535 }, { 600, 0, 10 },
		{ 600, 447, 1 }, { 600, 600, 0 }, { 0, 448, 0 },
		{ 8193, 448, 10 }, { 0xffffffff, 8190, 200 },
		{ 8192, 8192, 0 }, { 8192, 8000, 192 },
	};
	struct bailey_event *event;
	struct bailey_string s;

	memset(wire + 1, 'A', WIRE_SLOT_SIZE - sizeof(*wire));
	wire->present = ~0ull;
	fake_publish(pair->fake, 0);
	event = next(pair);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		wire->size = cases[i].size;
		wire->string[0].offset = cases[i].offset;
		wire->string[0].length = cases[i].length;
		assert_int_equal(bailey_event_string(event, BAILEY_FIELD_PATH,
						     &s), -ENODATA);
	}
	wire->size = 8192;
	wire->string[0].offset = 448;
	wire->string[0].length = 10;            /* no NUL follows */
	assert_int_equal(bailey_event_string(event, BAILEY_FIELD_PATH, &s),
			 -ENODATA);
	for (int field = -70; field < 200; field++) {
		int64_t n;
		int r = bailey_event_number(event, (enum bailey_field)field,
					    &n);

		assert_int_equal(r, field > 0 && field < 40 ? 0 : -ENODATA);
		r = bailey_event_string(event, (enum bailey_field)field, &s);
		assert_int_equal(r, -ENODATA);
	}
	bailey_event_unref(event);
}

static void does_a_release_follow_the_last_unref_only(void **state)
{
	struct pair *pair = *state;
	struct bailey_event *event;
	struct wire_answer answer;

	fake_event(pair->fake, 9, 77, EXITED, 0);
	fake_publish(pair->fake, 9);
	event = next(pair);
	assert_ptr_equal(bailey_event_ref(event), event);
	bailey_event_unref(event);
	assert_false(fake_take(pair->fake, &answer));
	bailey_event_unref(event);
	bailey_event_unref(NULL);
	assert_null(bailey_event_ref(NULL));
	assert_true(fake_take(pair->fake, &answer));
	assert_int_equal(answer.type, WIRE_ANSWER_RELEASE);
	assert_int_equal(answer.slot, 9);
	assert_int_equal(answer.id, 77);
}

static void can_every_slot_be_held_and_given_back_many_times(void **state)
{
	struct pair *pair = *state;
	struct bailey_event *held[WIRE_SLOTS];
	struct wire_answer answer;

	for (unsigned round = 0; round < 9; round++) {
		for (uint32_t i = 0; i < WIRE_SLOTS; i++) {
			fake_event(pair->fake, i, round * 1000 + i, OPEN, Q);
			fake_publish(pair->fake, i);
			held[i] = next(pair);
		}
		for (uint32_t i = 0; i < WIRE_SLOTS; i++) {
			assert_int_equal(bailey_event_id(held[i]),
					 round * 1000 + i);
			bailey_event_unref(held[i]);
			assert_true(fake_take(pair->fake, &answer));
			assert_int_equal(answer.id, round * 1000 + i);
		}
	}
}

static void is_a_nonsense_queue_the_end_not_a_wild_read(void **state)
{
	struct pair *pair = *state;
	struct bailey_event *event;

	fake_publish_slot(pair->fake, true, 0x7fffffff);
	assert_int_equal(bailey_next(pair->client, 1000, &event), -EPIPE);
	assert_int_equal(bailey_next(pair->client, 1000, &event), -EPIPE);
}

static void is_a_slot_that_is_held_never_handed_out_twice(void **state)
{
	struct pair *pair = *state;
	struct bailey_event *event, *other;

	fake_event(pair->fake, 3, 1, OPEN, Q);
	fake_publish(pair->fake, 3);
	event = next(pair);
	fake_publish(pair->fake, 3);
	assert_int_equal(bailey_next(pair->client, 1000, &other), -EPIPE);
	bailey_event_unref(event);
}

static void is_a_head_beyond_the_queue_the_end(void **state)
{
	struct pair *pair = *state;
	struct bailey_event *event;

	atomic_store(&pair->fake->events->news.head, WIRE_QUEUE + 1);
	assert_int_equal(bailey_next(pair->client, 1000, &event), -EPIPE);
}

static void do_events_sent_before_the_end_still_come(void **state)
{
	struct pair *pair = *state;
	struct bailey_event *event, *last;

	fake_event(pair->fake, 3, 1, BAILEY_EVENT_STOP, 0);
	fake_publish(pair->fake, 3);
	fake_end(pair->fake);
	last = next(pair);
	assert_int_equal(bailey_next(pair->client, -1, &event), -EPIPE);
	bailey_event_unref(last);
}

struct sleeper {
	struct bailey_client *client;
	int timeout;
	int result;
	struct bailey_event *event;
};

static void *sleep_in_next(void *argument)
{
	struct sleeper *sleeper = argument;

	sleeper->result = bailey_next(sleeper->client, sleeper->timeout,
				      &sleeper->event);
	return NULL;
}

static void await_sleep(struct fake *fake)
{
	struct timespec ms = { .tv_nsec = 20000000 };

	for (int i = 0; i < 500 &&
	     !atomic_load(&fake->answers->product_sleeping); i++) {
		nanosleep(&ms, NULL);
	}
	assert_true(atomic_load(&fake->answers->product_sleeping));
	nanosleep(&ms, NULL);           /* it said so, and goes to sleep */
}

static void does_the_end_wake_sleepers(void **state, bool polite)
{
	struct pair *pair = *state;
	struct sleeper sleepers[3];
	pthread_t threads[3];

	for (int i = 0; i < 3; i++) {
		sleepers[i] = (struct sleeper){ pair->client, -1, 0, NULL };
		pthread_create(&threads[i], NULL, sleep_in_next, &sleepers[i]);
	}
	await_sleep(pair->fake);
	if (polite) {
		fake_end(pair->fake);
	} else {
		fake_hang_up(pair->fake);
	}
	for (int i = 0; i < 3; i++) {
		pthread_join(threads[i], NULL);
		assert_int_equal(sleepers[i].result, -EPIPE);
	}
}

static void does_a_polite_end_wake_every_sleeper(void **state)
{
	does_the_end_wake_sleepers(state, true);
}

static void does_the_engines_death_wake_every_sleeper(void **state)
{
	does_the_end_wake_sleepers(state, false);
}

static void does_one_event_wake_one_of_several_threads(void **state)
{
	struct pair *pair = *state;
	struct sleeper sleepers[3];
	pthread_t threads[3];
	int got = 0, late = 0;

	for (int i = 0; i < 3; i++) {
		sleepers[i] = (struct sleeper){ pair->client, 600, 0, NULL };
		pthread_create(&threads[i], NULL, sleep_in_next, &sleepers[i]);
	}
	await_sleep(pair->fake);
	for (uint32_t i = 0; i < 2; i++) {
		fake_event(pair->fake, i, i, OPEN, Q);
		fake_publish(pair->fake, i);
	}
	for (int i = 0; i < 3; i++) {
		pthread_join(threads[i], NULL);
		got += sleepers[i].result == 1;
		late += sleepers[i].result == 0;
		bailey_event_unref(sleepers[i].event);
	}
	assert_int_equal(got, 2);
	assert_int_equal(late, 1);
}

struct many {
	struct bailey_client *client;
	_Atomic unsigned taken;
};

static void *take_and_answer(void *argument)
{
	struct many *many = argument;
	struct bailey_event *event;

	while (bailey_next(many->client, -1, &event) == 1) {
		bailey_answer(many->client, event, BAILEY_VERDICT_ALLOW,
			      BAILEY_SCOPE_ONCE, NULL);
		bailey_event_unref(event);
		atomic_fetch_add(&many->taken, 1);
	}
	return NULL;
}

/* Four threads take and answer; each event is taken and given back once. */
static void do_many_threads_share_one_session(void **state)
{
	struct pair *pair = *state;
	struct many many = { .client = pair->client };
	struct wire_answer answer;
	pthread_t threads[4];
	unsigned verdicts = 0, releases = 0, sent = 0, all = 8000;
	uint32_t free_slots[WIRE_SLOTS], free_count = 64;

	for (uint32_t i = 0; i < free_count; i++) {
		free_slots[i] = i;
	}
	for (int i = 0; i < 4; i++) {
		pthread_create(&threads[i], NULL, take_and_answer, &many);
	}
	while (releases < all) {
		if (free_count > 0 && sent < all) {
			uint32_t slot = free_slots[--free_count];

			fake_event(pair->fake, slot, ++sent, OPEN, Q);
			fake_publish(pair->fake, slot);
		}
		if (!fake_take(pair->fake, &answer)) {
			sched_yield();
			continue;
		}
		verdicts += answer.type == WIRE_ANSWER_VERDICT;
		if (answer.type == WIRE_ANSWER_RELEASE) {
			free_slots[free_count++] = answer.slot;
			releases++;
		}
	}
	fake_end(pair->fake);
	for (int i = 0; i < 4; i++) {
		pthread_join(threads[i], NULL);
	}
	assert_int_equal(many.taken, all);
	assert_int_equal(verdicts, all);
}

struct beside {
	struct bailey_client *client;
	_Atomic unsigned round;         /* odd: look for events; 0: stop */
};

static void *take_in_odd_rounds(void *argument)
{
	struct beside *beside = argument;
	struct bailey_event *event;
	unsigned round, done = 0;

	while ((round = atomic_load(&beside->round)) != 0) {
		if (round % 2 == 1 && round != done &&
		    bailey_next(beside->client, 0, &event) == 1) {
			bailey_event_unref(event);
			done = round;
		}
	}
	return NULL;
}

/* One thread sleeps without limit; another takes events from under it. In
 * even rounds only the sleeper is there: it must still be woken. */
static void is_a_sleeper_woken_though_others_took_its_event(void **state)
{
	struct pair *pair = *state;
	struct many many = { .client = pair->client };
	struct beside beside = { .client = pair->client, .round = 2 };
	struct wire_answer answer;
	pthread_t sleeper, taker;

	pthread_create(&sleeper, NULL, take_and_answer, &many);
	pthread_create(&taker, NULL, take_in_odd_rounds, &beside);
	for (unsigned round = 3; round < 600; round++) {
		atomic_store(&beside.round, round);
		pair->fake->preempted = round % 2 == 1;
		fake_event(pair->fake, 0, round, EXITED, 0);
		fake_publish(pair->fake, 0);
		do {
			fake_wait(pair->fake, &answer);
		} while (answer.type != WIRE_ANSWER_RELEASE);
		assert_int_equal(answer.id, round);
	}
	atomic_store(&beside.round, 0);
	fake_end(pair->fake);
	pthread_join(sleeper, NULL);
	pthread_join(taker, NULL);
}

static void do_held_events_outlive_the_client(void **state)
{
	struct pair *pair = *state;
	struct bailey_event *event;
	struct bailey_string s;

	fake_string(fake_event(pair->fake, 3, 1, OPEN, Q), BAILEY_FIELD_PATH,
		    "/kept");
	fake_publish(pair->fake, 3);
	event = next(pair);
	bailey_client_close(pair->client);
	pair->client = NULL;
	assert_int_equal(bailey_event_string(event, BAILEY_FIELD_PATH, &s), 0);
	assert_string_equal(s.bytes, "/kept");
	bailey_event_unref(event);
	assert_int_equal(atomic_load(&pair->fake->answers->head), 0);
}

/* What the child of fork() does; 0 if all is as promised. */
static int child_checks(struct pair *pair, struct bailey_event *event)
{
	struct bailey_event *other;
	struct bailey_string s;

	if (bailey_event_string(event, BAILEY_FIELD_PATH, &s) != 0 ||
	    strcmp(s.bytes, "/kept") != 0) {
		return 1;
	}
	if (bailey_answer(pair->client, event, BAILEY_VERDICT_DENY,
			  BAILEY_SCOPE_ONCE, NULL) != -EPIPE ||
	    bailey_next(pair->client, 0, &other) != -EPIPE ||
	    bailey_ready(pair->client) != -EPIPE ||
	    bailey_log(pair->client, 3, "child") != -EPIPE) {
		return 2;
	}
	bailey_event_unref(event);
	bailey_client_close(pair->client);
	return 0;
}

static void does_a_child_of_fork_read_but_never_write(void **state)
{
	struct pair *pair = *state;
	struct bailey_event *event;
	int status = -1;
	pid_t child;

	fake_string(fake_event(pair->fake, 3, 1, OPEN, Q), BAILEY_FIELD_PATH,
		    "/kept");
	fake_publish(pair->fake, 3);
	event = next(pair);
	child = fork();
	if (child == 0) {
		_exit(child_checks(pair, event));
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_int_equal(atomic_load(&pair->fake->answers->head), 0);
	bailey_event_unref(event);
	assert_int_equal(atomic_load(&pair->fake->answers->head), 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(do_questions_come_before_news),
		TEST(is_a_timeout_kept_and_the_output_untouched),
		TEST(does_the_descriptor_poll_as_promised),
		TEST(do_events_read_as_written),
		TEST(are_malformed_slots_absent_not_read),
		TEST(does_a_release_follow_the_last_unref_only),
		TEST(can_every_slot_be_held_and_given_back_many_times),
		TEST(is_a_nonsense_queue_the_end_not_a_wild_read),
		TEST(is_a_slot_that_is_held_never_handed_out_twice),
		TEST(is_a_head_beyond_the_queue_the_end),
		TEST(do_events_sent_before_the_end_still_come),
		TEST(does_a_polite_end_wake_every_sleeper),
		TEST(does_the_engines_death_wake_every_sleeper),
		TEST(does_one_event_wake_one_of_several_threads),
		TEST(do_many_threads_share_one_session),
		TEST(is_a_sleeper_woken_though_others_took_its_event),
		TEST(do_held_events_outlive_the_client),
		TEST(does_a_child_of_fork_read_but_never_write),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
