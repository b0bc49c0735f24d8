/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How long does a question take to a product in another process and back?
 *
 * Both sides spin for 30 us after the last event, as in the broker, then
 * sleep by the protocol of wire.h. Fails if a round trip is lost or doubled;
 * the times are printed, not judged.
 */
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include <bailey/client.h>

#include "base/mono.h"
#include "lib/fake_broker.h"

#define ROUNDS 4000
#define SPIN_NS 30000u

static int product(void)
{
	struct bailey_client *client;
	struct bailey_event *event;
	int count = 0;

	if (bailey_client_connect(&client, BAILEY_API, "", 0) < 0 ||
	    bailey_ready(client) < 0) {
		return 2;
	}
	while (bailey_next(client, -1, &event) == 1) {
		bailey_answer(client, event, BAILEY_VERDICT_ALLOW,
			      BAILEY_SCOPE_ONCE, NULL);
		bailey_event_unref(event);
		count++;
	}
	bailey_client_close(client);
	return count == 2 * ROUNDS ? 0 : 3;
}

static bool answered(struct fake *fake)
{
	return atomic_load_explicit(&fake->answers->head,
				    memory_order_acquire) != fake->taken;
}

/* The engine's wait: spins, then sleeps on its pipe. */
static void engine_wait(struct fake *fake, uint64_t spin_ns)
{
	uint64_t until = mono_now().ns + spin_ns;
	struct pollfd p = { .fd = fake->wake_engine, .events = POLLIN };
	char bytes[64];

	while (!answered(fake)) {
		if (mono_now().ns < until) {
			continue;
		}
		atomic_store(&fake->events->engine_sleeping, 1);
		atomic_thread_fence(memory_order_seq_cst);
		if (!answered(fake)) {
			assert_int_equal(poll(&p, 1, 5000), 1);
			assert_true(read(p.fd, bytes, sizeof(bytes)) > 0);
		}
		atomic_store(&fake->events->engine_sleeping, 0);
	}
}

static int by_size(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static void hops(struct fake *fake, uint64_t first, uint64_t spin_ns,
		 const char *name)
{
	static uint64_t took[ROUNDS];
	struct wire_answer answer;

	for (uint64_t i = 0; i < ROUNDS; i++) {
		mono_t start = mono_now();

		fake_event(fake, 0, first + i, BAILEY_EVENT_FILE_OPEN,
			   WIRE_EVENT_QUESTION);
		fake_publish(fake, 0);
		engine_wait(fake, spin_ns);
		took[i] = mono_between(start, mono_now());
		fake_wait(fake, &answer);
		assert_int_equal(answer.type, WIRE_ANSWER_VERDICT);
		assert_int_equal(answer.id, first + i);
		fake_wait(fake, &answer);
		assert_int_equal(answer.type, WIRE_ANSWER_RELEASE);
	}
	assert_false(answered(fake));
	qsort(took, ROUNDS, sizeof(took[0]), by_size);
	printf("%s: p50 %llu ns, p99 %llu ns\n", name,
	       (unsigned long long)took[ROUNDS / 2],
	       (unsigned long long)took[ROUNDS * 99 / 100]);
}

static void does_every_question_come_back_once(void **state)
{
	struct fake *fake = fake_start(NULL);
	int status = -1;
	pid_t pid = fork();

	(void)state;
	if (pid == 0) {
		_exit(product());
	}
	fake_await(fake, WIRE_REQUEST_READY, 1);
	hops(fake, 0, SPIN_NS, "spinning");
	hops(fake, ROUNDS, 0, "engine sleeps at once");
	fake_end(fake);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	fake_stop(fake);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(does_every_question_come_back_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
