/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The next event: two queues of slot numbers, questions first.
 *
 * Of all threads in bailey_next() one leads: it spins, then sleeps in poll();
 * the others follow and wait for their turn, so that one event wakes one
 * thread. Who leaves passes the turn on.
 *
 * Spinning: after an event, for as long as the engine advises (spin_ns: not at
 * all where products and engine would outnumber the processors), and only while
 * events come close together: alone, an event would cost a spin for nothing.
 * No guessing from spins that failed: a product that sleeps makes the next
 * question late enough for each probe to fail too (seen: 40 us a question in
 * place of 23).
 *
 * Sleeping: as wire.h says. `armed` is our copy of product_sleeping. It stays
 * set when a call returns 0, so that bailey_fd() polls readable for whatever
 * comes next, and is cleared by the event that is taken next; but never by
 * another thread while the leader is asleep: the engine may have published
 * and not yet looked at the flag, and then nobody would wake the leader.
 */
#include "client/client.h"

#include <poll.h>

#define SPIN_MOST_NS 100000u     /* whatever the engine advises */
#define CLOSE_NS 500000u         /* two events that are close together */
#define NEVER UINT64_MAX

static void cpu_relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield");
#endif
}

/* Lock held. Takes the oldest entry of one queue: 1, 0 or -EPIPE. */
static int queue_take(struct bailey_client *client,
		      const struct wire_queue *queue, uint32_t *tail,
		      struct bailey_event **ret_event)
{
	uint32_t head = atomic_load_explicit(&queue->head,
					     memory_order_acquire);
	uint32_t slot;

	if (head == *tail) {
		return 0;
	}
	slot = queue->slot[*tail & (WIRE_QUEUE - 1)];
	if (head - *tail > WIRE_QUEUE || slot >= client->slots ||
	    atomic_load_explicit(&client->event[slot].refs,
				 memory_order_acquire) != 0) {
		client->over = true;
		return -EPIPE;
	}
	*tail += 1;
	client->before = client->latest;
	client->latest = mono_now();
	if (client->armed && !client->asleep) {
		client->armed = false;
		atomic_store_explicit(&client->answers->product_sleeping, 0,
				      memory_order_relaxed);
	}
	*ret_event = client_event_take(client, slot);
	return 1;
}

/* Lock held. What the engine sent before the end still comes out. */
static int event_take(struct bailey_client *client,
		      struct bailey_event **ret_event)
{
	const struct wire_events *events = client->events;
	bool over = client->over ||
		    atomic_load_explicit(&events->ended,
					 memory_order_acquire) != 0;
	int r;

	r = queue_take(client, &events->questions, &client->question_tail,
		       ret_event);
	if (r == 0) {
		r = queue_take(client, &events->news, &client->news_tail,
			       ret_event);
	}
	return r == 0 && over ? -EPIPE : r;
}

static bool something_new(const struct bailey_client *client,
			  uint32_t question_tail, uint32_t news_tail)
{
	const struct wire_events *events = client->events;

	return atomic_load_explicit(&events->questions.head,
				    memory_order_acquire) != question_tail ||
	       atomic_load_explicit(&events->news.head,
				    memory_order_acquire) != news_tail ||
	       atomic_load_explicit(&events->ended,
				    memory_order_acquire) != 0;
}

static uint64_t spin_advised(const struct bailey_client *client)
{
	uint32_t ns = client->events->spin_ns;

	return ns < SPIN_MOST_NS ? ns : SPIN_MOST_NS;
}

/* Lock held, given up meanwhile. */
static bool spin(struct bailey_client *client, uint64_t end)
{
	uint32_t question_tail = client->question_tail;
	uint32_t news_tail = client->news_tail;
	uint64_t until = mono_now().ns + spin_advised(client);
	bool found = false;

	until = until < end ? until : end;
	pthread_mutex_unlock(&client->lock);
	do {
		for (int i = 0; i < 20 && !found; i++) {
			cpu_relax();
			found = something_new(client, question_tail,
					      news_tail);
		}
	} while (!found && mono_now().ns < until);
	pthread_mutex_lock(&client->lock);
	return found;
}

/* A spin follows an event, not a sleep: an armed client has slept. */
static bool may_spin(struct bailey_client *client)
{
	return client->can_spin && !client->armed &&
	       mono_between(client->before, client->latest) < CLOSE_NS &&
	       spin_advised(client) > 0;
}

/* Lock held. Announces sleep; true if something came before that was seen. */
static bool arm(struct bailey_client *client)
{
	client->armed = true;
	atomic_store_explicit(&client->answers->product_sleeping, 1,
			      memory_order_relaxed);
	atomic_thread_fence(memory_order_seq_cst);
	return something_new(client, client->question_tail,
			     client->news_tail);
}

/* Lock held; the pipe is known to hold a byte that nobody else takes. */
static void drain(struct bailey_client *client)
{
	char bytes[256];

	client->drains++;
	if (read(client->wake_product, bytes, sizeof(bytes)) == 0) {
		client->over = true;
	}
}

static int time_left_ms(uint64_t end)
{
	uint64_t left;

	if (end == NEVER) {
		return -1;
	}
	left = mono_between(mono_now(), (mono_t){ end }) + MONO_MS - 1;
	return left / MONO_MS > INT32_MAX ? INT32_MAX : (int)(left / MONO_MS);
}

/* Lock held, given up while it sleeps: 1 look again, 0 time-out, -EINTR. */
static int sleep_until(struct bailey_client *client, uint64_t end)
{
	struct pollfd p[] = {
		{ .fd = client->wake_product, .events = POLLIN },
		{ .fd = client->session },      /* hang-up only */
	};
	uint32_t drains = client->drains;
	int timeout = time_left_ms(end);
	int n, error;

	client->asleep = true;
	pthread_mutex_unlock(&client->lock);
	n = poll(p, 2, timeout);
	error = errno;
	pthread_mutex_lock(&client->lock);
	client->asleep = false;
	if (n <= 0) {
		return n == 0 ? 0 : -error;
	}
	if ((p[0].revents & POLLIN) && client->drains == drains) {
		drain(client);
	} else if (p[0].revents & (POLLHUP | POLLERR | POLLNVAL)) {
		client->over = true;
	}
	if (p[1].revents != 0) {
		client->over = true;
	}
	return 1;
}

static int lead(struct bailey_client *client, uint64_t end)
{
	int r = 1;

	client->leading = true;
	if ((!may_spin(client) || !spin(client, end)) && !arm(client)) {
		r = sleep_until(client, end);
	}
	client->leading = false;
	return r;
}

static int follow(struct bailey_client *client, uint64_t end)
{
	struct timespec t = {
		.tv_sec = (time_t)(end / MONO_S),
		.tv_nsec = (long)(end % MONO_S),
	};
	int r;

	client->followers++;
	r = end == NEVER ? pthread_cond_wait(&client->turn, &client->lock)
			 : pthread_cond_timedwait(&client->turn, &client->lock,
						  &t);
	client->followers--;
	return r == ETIMEDOUT ? 0 : 1;
}

/* Time-out 0: nothing is there. The pipe is emptied, so that bailey_fd()
 * does not stay readable; then armed. 1: something came meanwhile. */
static int nothing_now(struct bailey_client *client)
{
	struct pollfd p[] = {
		{ .fd = client->wake_product, .events = POLLIN },
		{ .fd = client->session },
	};

	if (poll(p, 2, 0) > 0) {
		if (p[0].revents & POLLIN) {
			drain(client);
		} else if (p[0].revents != 0) {
			client->over = true;
		}
		client->over |= p[1].revents != 0;
	}
	return arm(client) || client->over;
}

/* Lock held. */
static int next_locked(struct bailey_client *client, uint64_t end,
		       struct bailey_event **ret_event)
{
	for (;;) {
		int r = event_take(client, ret_event);

		if (r != 0) {
			return r;
		}
		if (end == 0) {
			r = nothing_now(client);
		} else if (client->leading) {
			r = follow(client, end);
		} else {
			r = lead(client, end);
		}
		if (r < 0) {
			return r;
		}
		if (r == 0) {
			return event_take(client, ret_event);
		}
	}
}

int bailey_next(struct bailey_client *client, int timeout_ms,
		struct bailey_event **ret_event)
{
	uint64_t end = NEVER;
	int r;

	if (client_is_child(client)) {
		return -EPIPE;
	}
	if (client->record != NULL) {
		return client_record_next(client, ret_event);
	}
	if (timeout_ms == 0) {
		end = 0;
	} else if (timeout_ms > 0) {
		end = mono_add(mono_now(),
			       (uint64_t)timeout_ms * MONO_MS).ns;
	}
	pthread_mutex_lock(&client->lock);
	r = next_locked(client, end, ret_event);
	if (client->followers > 0 && !client->leading) {
		pthread_cond_signal(&client->turn);
	}
	pthread_mutex_unlock(&client->lock);
	return r;
}

int bailey_fd(const struct bailey_client *client)
{
	return client->wake_product;
}
