/* SPDX-License-Identifier: Apache-2.0 */
/*
 * eng_worker.c - the engine's working half: threads, and the reply loop
 *
 * The reply loop looks at the kernel's queue, at the products' answers and at
 * the clock. It sleeps for the kernel's questions: who asks sleeps too, and the
 * scheduler passes one processor between the two for less than a wake-up across
 * processors costs. It looks on, for ENG_SPIN_NS, only for the answer of a
 * product that was awake when it was asked, and only where every serving
 * product has a processor beside it. (decision 017)
 */
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/timerfd.h>

#include "base/log.h"
#include "broker/eng.h"

#define CLOSE_IDLE_NS MONO_MS
#define READ_EVERY_NS 5000u
#define PAUSES 8

static void cpu_pause(void)
{
#ifdef __x86_64__
	__builtin_ia32_pause();
#endif
}

static int worker_sessions(struct engine *e)
{
	int busy = 0;

	if (atomic_load_explicit(&e->last_over, memory_order_relaxed)) {
		atomic_store(&e->last_over, 0);
		eng_last_close(e);
	}
	for ENG_EACH(i, e->active) {
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
	for ENG_EACH(i, e->active) {
		atomic_store_explicit(&e->region[i].events->engine_sleeping,
				      asleep, memory_order_relaxed);
	}
	atomic_thread_fence(memory_order_seq_cst);
}

static void worker_swallow(int fd)
{
	char bytes[256];

	while (read(fd, bytes, sizeof(bytes)) == sizeof(bytes)) {
	}
}

/* A time-out of its own for each sleep would be set and cancelled for each
 * question, and cost more than the rest of it (22 us in place of 14 for one
 * asked). The timer is set only to go off earlier than it would, and may go off
 * for nothing. */
static void worker_arm(struct engine *e)
{
	struct itimerspec at = { 0 };
	mono_t next = e->next_due, storm = eng_storm_due(e);

	if (!eng_close_waits(e)) {
		e->close_at.ns = UINT64_MAX;
	} else if (e->close_at.ns == UINT64_MAX) {
		e->close_at = mono_add(mono_now(), CLOSE_IDLE_NS);
	}
	if (e->close_at.ns < next.ns) {
		next = e->close_at;
	}
	if (storm.ns < next.ns) {
		next = storm;
	}
	if (next.ns < e->armed.ns) {
		at.it_value.tv_sec = (time_t)(next.ns / MONO_S);
		at.it_value.tv_nsec = (long)(next.ns % MONO_S);
		timerfd_settime(e->timer, TFD_TIMER_ABSTIME, &at, NULL);
		e->armed = next;
	}
}

static void worker_rang(struct engine *e)
{
	e->armed.ns = UINT64_MAX;
	if (e->close_at.ns <= mono_now().ns) {
		e->close_at.ns = UINT64_MAX;
		eng_close_wake(e);
	}
}

/* True if the kernel has questions, or may have. */
static bool worker_sleep(struct engine *e)
{
	struct pollfd p[4 + HANDOFF_PRODUCTS];
	nfds_t n = 0;

	p[n++] = (struct pollfd){ e->begun ? HANDOFF_FD_GROUP : -1, POLLIN, 0 };
	p[n++] = (struct pollfd){ e->timer, POLLIN, 0 };
	p[n++] = (struct pollfd){ e->kick_reply[0], POLLIN, 0 };
	if (e->table->features & HANDOFF_HAS_BPF) {
		p[n++] = (struct pollfd){ HANDOFF_FD_PROCESS_RING, POLLIN, 0 };
	}
	for ENG_EACH(i, e->active) {
		if (e->session[i].phase == SESSION_SERVING) {
			p[n++] = (struct pollfd){ e->session[i].wake_engine,
						  POLLIN, 0 };
		}
	}
	worker_say_asleep(e, 1);
	if (!worker_sessions(e)) {
		worker_arm(e);
		/* Not before: who waits in eng_grace() would not wait for a
		 * session that is being dropped. */
		atomic_store(&e->asleep, 1);
		poll(p, n, -1);
		atomic_store(&e->asleep, 0);
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
	if (p[1].revents) {
		worker_rang(e);
	}
	eng_records_drain(e);
	return p[0].revents;
}

static int worker_turn(struct engine *e, bool read)
{
	int busy = worker_sessions(e);  /* slots that products gave back */
	mono_t now;

	if (read && e->begun) {
		busy += eng_source_read(e);
	}
	atomic_fetch_add_explicit(&e->turns, 1, memory_order_release);
	now = mono_now();
	if (now.ns >= e->next_due.ns) {
		eng_due_fire(e, now);
	}
	return busy + eng_storm_turn(e, now);
}

int eng_worker_turn(struct engine *e)
{
	return worker_turn(e, true);
}

/* Processes that may be looking on, too: not those that stand aside. */
static uint32_t worker_asked(const struct engine *e)
{
	uint32_t n = 0;

	for ENG_EACH(i, e->active) {
		n += eng_is_asked(e, &e->session[i]);
	}
	return n;
}

static bool worker_may_look(const struct engine *e)
{
	return e->open_count && (e->looking & e->active) &&
	       e->processors > worker_asked(e);
}

/* An answer is awaited from a product that looks on: so do we. True if
 * something happened. Only memory is looked at, but for the kernel's queue now
 * and then: others ask, too. */
static bool worker_look_on(struct engine *e)
{
	mono_t began = mono_now(), read = began, now = began;

	while (worker_may_look(e) && mono_between(began, now) < ENG_SPIN_NS) {
		bool again = mono_between(read, now) > READ_EVERY_NS;

		for (int i = 0; i < PAUSES; i++) {
			cpu_pause();
		}
		if (worker_turn(e, again)) {
			return true;
		}
		now = mono_now();
		read = again ? now : read;
	}
	return false;
}

_Noreturn void eng_worker_loop(struct engine *e)
{
	bool read = true;

	for (;;) {
		worker_turn(e, read);
		read = worker_look_on(e) || worker_sleep(e);
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
	/* Anybody's death, or his open while we look for writers by a lease. */
	signal(SIGPIPE, SIG_IGN);
	signal(SIGIO, SIG_IGN);
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
