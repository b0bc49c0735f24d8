/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Do the service thread's works disturb the reply thread's?
 *
 * All threads of a worker run; time flows. One thread asks as fast as it is
 * answered, one judges as a product, this one sends control requests: mutes,
 * subscriptions, rules, collections. Every question gets its right answer.
 * Meant for TSan; without it it still counts answers.
 */
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "lib/replay_engine.h"

#define QUESTIONS 2000u
#define FILES 16
#define EVIL 5                  /* bytes of an evil file */

static struct replay *r;
static struct replay_product p;
static int files[FILES];
static _Atomic bool done;

static void *thread_reply(void *unused)
{
	eng_worker_loop(r->e);
	return unused;
}

static void wake_engine(void)
{
	const char byte = 1;

	atomic_thread_fence(memory_order_seq_cst);
	if (atomic_load(&p.events->engine_sleeping)) {
		(void)!write(p.fd[WIRE_FD_WAKE_ENGINE], &byte, 1);
	}
}

static void *thread_product(void *unused)
{
	const struct wire_event *w;

	while (!atomic_load(&done)) {
		w = replay_take(&p);
		if (!w) {
			poll(NULL, 0, 1);
			continue;
		}
		replay_judge(&p, w, w->number[BAILEY_FIELD_SIZE] == EVIL
					    ? BAILEY_VERDICT_DENY
					    : BAILEY_VERDICT_ALLOW);
		wake_engine();
	}
	return unused;
}

static uint32_t answered(uint32_t from)
{
	pthread_mutex_lock(&r->group->lock);
	while (from < QUESTIONS &&
	       r->group->question[from].state == REPLAY_ANSWERED) {
		from++;
	}
	pthread_mutex_unlock(&r->group->lock);
	return from;
}

static void *thread_kernel(void *unused)
{
	uint32_t asked = 0, from = 0;

	while (from < QUESTIONS) {
		while (asked < QUESTIONS && asked - from < 20) {
			replay_open(r, files[asked % FILES],
				    REPLAY_PID + (int)(asked % 64));
			asked++;
		}
		poll(NULL, 0, 1);
		from = answered(from);
	}
	atomic_store(&done, true);
	return unused;
}

/* One request; waits for its reply. */
static int request(uint32_t type, uint32_t count, const void *payload,
		   size_t size)
{
	struct wire_request head = { type, count };
	struct iovec iov[] = { { &head, sizeof(head) },
			       { (void *)(uintptr_t)payload, size } };
	struct msghdr h = { .msg_iov = iov, .msg_iovlen = 2 };
	struct wire_reply reply;

	assert_true(sendmsg(p.session, &h, MSG_NOSIGNAL) > 0);
	assert_int_equal(recv(p.session, &reply, sizeof(reply), 0),
			 sizeof(reply));
	assert_int_equal(reply.type, type);
	return reply.error;
}

static void requests(unsigned round)
{
	static const char text[] = "allow file.open uid in collection staff\n";
	const struct bailey_mute mute = { .size = sizeof(mute),
					  .by = BAILEY_MUTE_UID,
					  .number = 7 + round % 2 };
	const struct bailey_subscription list[] = {
		{ sizeof(*list), BAILEY_EVENT_FILE_OPEN, 0, 0 },
		{ sizeof(*list), BAILEY_EVENT_PROCESS_EXEC, 0, round % 2 },
	};
	const struct wire_set set = { .kind = BAILEY_COLLECTION_NUMBER,
				      .name = "staff" };
	const uint64_t members[] = { 50 + round, 40, 60 };

	assert_int_equal(request(WIRE_REQUEST_MUTE, 1, &mute, sizeof(mute)), 0);
	assert_int_equal(request(WIRE_REQUEST_SUBSCRIBE, 2, list, sizeof(list)),
			 0);
	assert_int_equal(request(WIRE_REQUEST_SET_BEGIN, 1, &set, sizeof(set)),
			 0);
	assert_int_equal(request(WIRE_REQUEST_SET_ADD, 3, members,
				 sizeof(members)), 0);
	assert_int_equal(request(WIRE_REQUEST_SET_COMMIT, 0, NULL, 0), 0);
	assert_int_equal(request(WIRE_REQUEST_TEXT_BEGIN, 0, NULL, 0), 0);
	assert_int_equal(request(WIRE_REQUEST_TEXT_ADD, sizeof(text) - 1, text,
				 sizeof(text) - 1), 0);
	assert_int_equal(request(WIRE_REQUEST_TEXT_COMMIT, 0, NULL, 0), 0);
	assert_int_equal(request(WIRE_REQUEST_UNMUTE, 1, &mute, sizeof(mute)),
			 0);
}

static void start(void *(*body)(void *), void *argument, pthread_t *ret_thread)
{
	assert_int_equal(pthread_create(ret_thread, NULL, body, argument), 0);
}

static void does_control_disturb_the_answers(void **state)
{
	struct manifest manifest;
	pthread_t endless, kernel, product;
	unsigned rounds = 0;

	r = replay_start(0);
	replay_manifest(&manifest, "busy");
	manifest.deadline_max_ms = 60000;
	manifest.ask[0].deadline_ms = manifest.ask[1].deadline_ms = 30000;
	manifest.max_denials = 0;
	replay_product_serve(r, &p, 0, &manifest);
	for (int i = 0; i < FILES; i++) {
		files[i] = replay_file(r, i % 2 ? "evil!" : "good");
	}
	for (int i = 0; i < 64; i++) {
		replay_process(r, REPLAY_PID + i, 1000, 77);
	}
	r->group->flows = true;
	r->e->asleep = 0;
	start(eng_closer_main, r->e, &endless);
	start(eng_closer_main, r->e, &endless);
	start(eng_service_main, r->e, &endless);
	start(thread_reply, NULL, &endless);
	start(thread_product, NULL, &product);
	start(thread_kernel, NULL, &kernel);
	while (!atomic_load(&done)) {
		requests(rounds++);
		poll(NULL, 0, 10);      /* fewer than it may send a second */
	}
	pthread_join(kernel, NULL);
	pthread_join(product, NULL);
	for (uint32_t i = 0; i < QUESTIONS; i++) {
		assert_int_equal(replay_answer(r, i),
				 i % 2 ? BAILEY_VERDICT_DENY
				       : BAILEY_VERDICT_ALLOW);
	}
	print_message("%u rounds of requests\n", rounds);
	assert_true(rounds > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(does_control_disturb_the_answers),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	fflush(NULL);
	_exit(failed);          /* the engine's threads have no end */
}
