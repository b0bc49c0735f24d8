/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mon_tick.c - four times a second: does the engine make progress?
 *
 * No heartbeats: a loaded host would kill healthy engines. A worker is ended
 * when questions are unread or open, no progress counter moved in two ticks,
 * and it was stopped or used processor meanwhile. A tick that came late itself
 * (suspend, a paused VM) does not count.
 */
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/resource.h>

#include "base/log.h"
#include "broker/mon.h"

#define TICK_LATE_NS (2 * MON_TICK_MS * MONO_MS)
/* Each wakes the service manager; its patience is 5 s (`bailey run`) or 10. */
#define WATCHDOG_NS (2 * MONO_S)
#define NICE_FIRST (-20)
#define TICK_KILL_WORKER 2
#define TICK_KILL_KEEPER 4
#define TICK_CPU_NS (20 * MONO_MS)

static uint64_t tick_cpu(const struct mon *m)
{
	struct timespec t;
	clockid_t clock;

	/* A number that the engine wrote: good for reading a clock, nothing
	 * else. */
	if (clock_getcpuclockid(atomic_load(&m->table->worker_pid), &clock) ||
	    clock_gettime(clock, &t) < 0) {
		return 0;
	}
	return (uint64_t)t.tv_sec * MONO_S + (uint64_t)t.tv_nsec;
}

static bool tick_waiting(const struct mon *m)
{
	int unread = 0;

	return (ioctl(m->group, FIONREAD, &unread) == 0 && unread > 0) ||
	       atomic_load(&m->table->open_questions) > 0;
}

static void tick_watch(struct mon *m)
{
	uint64_t progress = atomic_load(&m->table->progress);
	uint64_t cpu = tick_cpu(m);
	bool stopped = atomic_load(&m->table->worker_stopped) ||
		       m->keeper_stopped;
	/* Without a clock there is no such worker. */
	bool active = cpu > m->tick_cpu + TICK_CPU_NS || stopped || !cpu;

	if (!m->engine_ready || progress != m->tick_progress ||
	    !tick_waiting(m) || !active) {
		m->tick_stalled = 0;
	} else if (++m->tick_stalled >= TICK_KILL_KEEPER ||
		   m->keeper_stopped) {
		log_error("the keeper does not react; it is ended");
		kill(m->keeper_pid, SIGKILL);
	} else if (m->tick_stalled >= TICK_KILL_WORKER || stopped) {
		log_error("the worker makes no progress; it is ended");
		kill(m->keeper_pid, SIGUSR1);
	}
	m->tick_progress = progress;
	m->tick_cpu = cpu;
}

/* All processes of that user are the engine's. */
static void tick_storm(struct mon *m, mono_t now)
{
	bool first = atomic_load(&m->table->storm_until) > now.ns;

	if (first != m->engine_first &&
	    setpriority(PRIO_USER, m->table->engine_uid,
			first ? NICE_FIRST : 0) == 0) {
		m->engine_first = first;
	}
}

static void tick_off(struct mon *m, mono_t now)
{
	if (m->off_until.ns && m->off_until.ns <= now.ns) {
		m->off_until = (mono_t){ 0 };
		log_notice("the time of `off` is over");
		atomic_store(&m->table->forced, HANDOFF_NORMAL);
		mon_scopes_mark(m);
	}
}

void mon_tick(struct mon *m)
{
	mono_t now = mono_now();
	bool late = mono_between(m->tick, now) > TICK_LATE_NS;

	m->tick = now;
	if (m->engine_ready || !m->marked) {
		mon_alive_touch(m);
	}
	if (mono_between(m->watchdog, now) >= WATCHDOG_NS) {
		m->watchdog = now;
		mon_notify(m, "WATCHDOG=1");
	}
	for (uint32_t i = 0; i < HANDOFF_PRODUCTS; i++) {
		if (m->product[i].used) {
			mon_instance_measure(m, i);
		}
	}
	tick_storm(m, now);
	tick_off(m, now);
	if (m->rules_until && m->rules_until <= wall_now_ns()) {
		mon_helper_rules(m);    /* an exception has ended */
	}
	if (late) {
		m->tick_stalled = 0;
		m->tick_progress = atomic_load(&m->table->progress);
		m->tick_cpu = tick_cpu(m);
		return;
	}
	if (m->keeper_pid > 0) {
		tick_watch(m);
	}
	if (m->next_keeper.ns && m->next_keeper.ns <= now.ns) {
		mon_keeper_start(m);
	}
}
