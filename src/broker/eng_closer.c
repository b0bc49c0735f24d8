/* SPDX-License-Identifier: Apache-2.0 */
/*
 * eng_closer.c - closing what was answered, away from the reply thread
 *
 * Closing the last descriptor of a deleted file runs its truncation: seconds,
 * and any user can arrange it. The reply thread only puts the number into a
 * ring; closer threads take it with one compare-and-swap each. They are woken
 * a millisecond after the reply thread first slept with something to close, or
 * when CLOSE_BATCH are waiting: a wake costs more than a close.
 *
 * The ring has as many places as there are descriptors, so it is never full. A
 * successor finds what was not closed from the descriptor table itself.
 */
#include <linux/futex.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>

#include "broker/eng.h"

#define CLOSE_BATCH 64u

void eng_close_later(struct engine *e, int fd)
{
	struct close_queue *c = &e->close;
	uint32_t head = atomic_load_explicit(&c->head, memory_order_relaxed);

	atomic_store_explicit(&c->fd[head % ENG_CLOSE_QUEUE], fd,
			      memory_order_relaxed);
	atomic_store_explicit(&c->head, head + 1, memory_order_release);
	if ((head + 1 - atomic_load_explicit(&c->tail, memory_order_relaxed)) %
		    CLOSE_BATCH == 0) {
		eng_close_wake(e);
	}
}

bool eng_close_waits(const struct engine *e)
{
	const struct close_queue *c = &e->close;

	return atomic_load(&c->tail) != atomic_load(&c->head) &&
	       atomic_load(&c->sleepers);
}

/* One closer: the other comes when this one is stuck and more has piled up. */
void eng_close_wake(struct engine *e)
{
	struct close_queue *c = &e->close;

	if (eng_close_waits(e)) {
		atomic_fetch_add(&c->calls, 1);
		syscall(SYS_futex, &c->calls, FUTEX_WAKE, 1, NULL, NULL, 0);
	}
}

/*
 * Closers can be held up for seconds, by anybody's deleted files. A read that
 * finds no free number makes the kernel deny everything unseen; so nothing is
 * read then: askers wait, the pause is progress. The limit leaves room for all
 * that is open otherwise.
 */
bool eng_close_brake(struct engine *e)
{
	const struct timespec pause = { 0, 1000000 };
	struct close_queue *c = &e->close;
	struct rlimit files;

	if (!c->most) {
		c->most = getrlimit(RLIMIT_NOFILE, &files) == 0 &&
					  files.rlim_cur > 2 * ENG_QUESTIONS
				  ? (uint32_t)files.rlim_cur -
					    2 * ENG_QUESTIONS
				  : ENG_READ_EVENTS;
	}
	if (atomic_load_explicit(&c->head, memory_order_relaxed) -
		    atomic_load(&c->tail) < c->most) {
		return false;
	}
	eng_close_wake(e);
	nanosleep(&pause, NULL);
	atomic_fetch_add_explicit(&e->table->progress, 1,
				  memory_order_relaxed);
	return true;
}

static int close_take(struct close_queue *c)
{
	uint32_t tail = atomic_load(&c->tail);

	while (tail != atomic_load_explicit(&c->head, memory_order_acquire)) {
		int fd = atomic_load(&c->fd[tail % ENG_CLOSE_QUEUE]);

		if (atomic_compare_exchange_weak(&c->tail, &tail, tail + 1)) {
			return fd;
		}
	}
	return -1;
}

void eng_close_turn(struct engine *e)
{
	int fd;

	while ((fd = close_take(&e->close)) >= 0) {
		/* Before the number can be given out again. */
		atomic_store(&e->asked_by[fd], 0);
		atomic_store(&e->table->verdict[fd], HANDOFF_VERDICT_NONE);
		close(fd);
	}
}

void *eng_closer_main(void *engine)
{
	struct engine *e = engine;
	struct close_queue *c = &e->close;
	uint32_t calls;

	for (;;) {
		eng_close_turn(e);
		calls = atomic_load(&c->calls);
		atomic_fetch_add(&c->sleepers, 1);
		if (atomic_load(&c->tail) == atomic_load(&c->head)) {
			syscall(SYS_futex, &c->calls, FUTEX_WAIT, calls, NULL,
				NULL, 0);
		}
		atomic_fetch_sub(&c->sleepers, 1);
	}
	return NULL;
}
