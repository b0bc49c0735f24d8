/* SPDX-License-Identifier: Apache-2.0 */
/*
 * eng_worker.c - the engine's working half: threads, and the reply loop
 *
 * The reply loop looks at the kernel's queue, at the products' answers and at
 * the clock. After the last thing that happened it looks on for ENG_SPIN_NS
 * before it sleeps, because a wake-up across processors costs more than most
 * answers take; only where every serving product has a processor beside it.
 */
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#include "base/log.h"
#include "broker/eng.h"

#define CLOSE_IDLE_NS MONO_MS

static uint32_t worker_serving(const struct engine *e)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < HANDOFF_PRODUCTS; i++) {
		n += e->session[i].phase == SESSION_SERVING &&
		     eng_is_asked(e, &e->session[i]);
	}
	return n;
}

static int worker_sessions(struct engine *e)
{
	int busy = 0;

	if (atomic_load_explicit(&e->last.state, memory_order_relaxed) ==
	    LAST_OVER) {
		eng_last_close(e);
	}
	for (uint32_t i = 0; i < HANDOFF_PRODUCTS; i++) {
		struct session *s = &e->session[i];
		uint32_t phase = atomic_load_explicit(&s->phase,
						      memory_order_acquire);

		if (phase == SESSION_SERVING) {
			if (e->unsent_count) {
				eng_unsent_send(e, s);
			}
			busy += eng_answers_drain(e, s);
			eng_tell(e, s);
		} else if (phase == SESSION_ENDING) {
			eng_session_drop(e, s);
			busy++;
		}
	}
	return busy;
}

static void worker_say_asleep(struct engine *e, uint32_t asleep)
{
	for (uint32_t i = 0; i < HANDOFF_PRODUCTS; i++) {
		if (e->session[i].phase == SESSION_SERVING) {
			atomic_store_explicit(
				&e->region[i].events->engine_sleeping, asleep,
				memory_order_relaxed);
		}
	}
	atomic_store(&e->asleep, asleep);
	atomic_thread_fence(memory_order_seq_cst);
}

static void worker_swallow(int fd)
{
	char bytes[256];

	while (read(fd, bytes, sizeof(bytes)) == sizeof(bytes)) {
	}
}

/* Until the next deadline, or until closers are to be woken. */
static struct timespec worker_until(const struct engine *e, bool to_close)
{
	uint64_t ns = mono_between(mono_now(), e->next_due);

	if (to_close && ns > CLOSE_IDLE_NS) {
		ns = CLOSE_IDLE_NS;
	}
	return (struct timespec){ (time_t)(ns / MONO_S), (long)(ns % MONO_S) };
}

static void worker_sleep(struct engine *e)
{
	struct pollfd p[3 + HANDOFF_PRODUCTS];
	struct timespec until;
	nfds_t n = 0;

	p[n++] = (struct pollfd){ e->begun ? HANDOFF_FD_GROUP : -1, POLLIN, 0 };
	p[n++] = (struct pollfd){ e->kick_reply[0], POLLIN, 0 };
	if (e->table->features & HANDOFF_HAS_BPF) {
		p[n++] = (struct pollfd){ HANDOFF_FD_PROCESS_RING, POLLIN, 0 };
	}
	for (uint32_t i = 0; i < HANDOFF_PRODUCTS; i++) {
		if (e->session[i].phase == SESSION_SERVING) {
			p[n++] = (struct pollfd){ e->session[i].wake_engine,
						  POLLIN, 0 };
		}
	}
	if (atomic_load(&e->streaming) && e->events.head != e->events_told) {
		e->events_told = e->events.head;
		eng_service_kick(e);
	}
	worker_say_asleep(e, 1);
	if (!worker_sessions(e)) {
		bool to_close = eng_close_waits(e);

		until = worker_until(e, to_close);
		if (ppoll(p, n, e->next_due.ns == UINT64_MAX && !to_close
					? NULL : &until, NULL) == 0) {
			eng_close_wake(e);
		}
	}
	worker_say_asleep(e, 0);
	/* Bytes first: a kick that comes after this stays for the next poll,
	 * and what came with those before is looked at now. */
	for (nfds_t i = 1; i < n; i++) {
		if ((p[i].revents & POLLIN) &&
		    p[i].fd != HANDOFF_FD_PROCESS_RING) {
			worker_swallow(p[i].fd);
		}
	}
	eng_records_drain(e);
}

int eng_worker_turn(struct engine *e)
{
	int busy = e->begun ? eng_source_read(e) : 0;
	mono_t now;

	atomic_fetch_add_explicit(&e->turns, 1, memory_order_release);
	busy += worker_sessions(e);
	now = mono_now();
	if (now.ns >= e->next_due.ns) {
		eng_due_fire(e, now);
	}
	return busy;
}

/* Products look on after an answer as we do. While an answer is awaited, each
 * needs a processor and so do we; after it, so does who asked: with as many
 * spinners as processors he would wait for one of them to give up. */
static bool worker_may_spin(const struct engine *e, mono_t last, mono_t now)
{
	uint32_t busy = 1 + worker_serving(e);

	if (mono_between(last, now) > ENG_SPIN_NS) {
		return false;
	}
	if (!e->open_count && mono_between(e->last_asked, now) < ENG_SPIN_NS) {
		busy++;
	}
	return e->open_count || mono_between(e->last_asked, now) < ENG_SPIN_NS
		       ? e->processors >= busy
		       : e->processors > 1;
}

_Noreturn void eng_worker_loop(struct engine *e)
{
	mono_t last = mono_now();

	for (;;) {
		if (eng_worker_turn(e)) {
			last = mono_now();
		} else if (!worker_may_spin(e, last, mono_now())) {
			worker_sleep(e);
		} else {
			__builtin_ia32_pause();
		}
	}
}

static void worker_thread(void *(*body)(void *), struct engine *e)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, body, e)) {
		log_error("cannot start a thread; ending, to be started anew");
		_exit(1);
	}
	pthread_detach(thread);
}

_Noreturn void eng_worker_main(struct engine *e)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_NAME, "bailey-worker");
	log_init("bailey-worker", LOG_INFO);
	if (mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) < 0) {
		e->memory_unlocked = 1;
	}
	e->view.worker_pid = getpid();
	e->view.since_ns = wall_now_ns();
	atomic_store(&e->table->worker_pid, getpid());
	if (eng_programs_map(e) < 0) {
		log_error("cannot map rules again; ending");
		_exit(1);
	}
	eng_succeed(e);
	for (uint32_t i = 0; i < ENG_CLOSERS; i++) {
		worker_thread(eng_closer_main, e);
	}
	worker_thread(eng_service_main, e);
	eng_worker_loop(e);
}
