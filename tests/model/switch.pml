/* SPDX-License-Identifier: Apache-2.0 */
/*
 * switch.pml - two processes of a product: whoever fails whenever, is a
 * question asked of the one that counts, and is nobody left behind?
 *
 * The old process (place 0) is asked, the new one (place 1) stands by, its
 * switch is ordered (decision 018). The engine's two threads, its memory, which
 * outlives a worker, and the monitor are as in the functions that are named
 * here. One question comes at any time. Either process dies or hangs; at any
 * time the agent gives one further order: back, end of the trial, restart, give
 * up the standby. A frozen process does not answer, dies of nothing but the
 * monitor, and hangs for ever if nobody thaws it.
 *
 * Searches, each whole within its bound. Without a word: two failures and an
 * order, no worker dies. WORKER: a worker dies at any step, beside one failure
 * or order. ENGINE: so does the engine, beside one of them. ONE, for mutations:
 * one failure and an order. What only a worker's death can see is one step
 * elsewhere (TOGETHER).
 *
 * Left out: what is asked and answered within a worker's life (question.pml),
 * starts by the helper (one step), counters, rules, time. A deadline passes for
 * a process that hangs, and for no other. mon_trial_due() waits a second, which
 * is longer than anything here. Which content a start uses: trial.pml.
 *
 * Checked:
 *   An answer counts once, and only from whom the question was asked last.
 *     ANYBODY      (WORKER) what a dead worker had asked counts, too
 *   Nobody gets a fallback while a process is kept that could be asked.
 *     NO_ENDING    eng_dispatch() does not look for another one
 *     SECOND_LOOK  it looks twice whether one serves
 *     SWITCH_FIRST (WORKER) eng_switch() stores `asked' before `kept'
 *   The kept one can be asked whenever the other one failed: mon_trial_due()
 *   has never to end it.
 *     NO_GRACE     eng_switch() does not wait for the reply thread's turn
 *     EARLY_SLEEP  that thread counts as asleep while it looks at sessions
 *     NO_UNDO      no switch_undo()
 *   When nothing moves any more, the question has its answer, and one process
 *   serves, thawed, which engine and monitor both mean; the other one is kept,
 *   frozen, on trial, or it is gone; the agent had a word for each order.
 *     BACK_FIRST   (WORKER) eng_beside_back() stores `kept' before `asked'
 *     NO_HELD      IDLE is said of one that holds the question
 *     NO_THAW      mon_trial_failed() does not thaw
 *     NO_PLACE     session_product() does not take a start as who is asked
 *     EARLY_START  mon_products_due() starts one while a switch is under way
 *     NO_WORD      trial_kept_ended() does not tell the agent
 *     GONE_ANY     (ENGINE) the end of one that a former engine left counts
 */
#if defined(WORKER)
#define FAILS 1                         /* of the two processes */
#define MOST 1                          /* failures and orders */
#define WORKERS 1
#define ENGINES 0
#define TOGETHER
#elif defined(ONE)
#define FAILS 1
#define MOST 2
#define WORKERS 0
#define ENGINES 0
#define TOGETHER atomic
#elif defined(ENGINE)
#define FAILS 1
#define MOST 1
#define WORKERS 0
#define ENGINES 1
#define TOGETHER atomic
#else
#define FAILS 2
#define MOST 3
#define WORKERS 0
#define ENGINES 0
#define TOGETHER atomic
#endif
#define NOBODY 2

#define EMPTY 0                         /* phase of a session */
#define LOADING 1
#define SERVING 2
#define ENDING 3
#define DROPPED 4

#define UNREAD 0                        /* the question */
#define READ 1
#define ASKED 2
#define ANSWERED 3

#define GIVEN 1                         /* what a process has of it */
#define STALE 2                         /* asked by a worker that died */

mtype = { SWITCH, SWITCH_BACK, TRIAL_END, GONE, ADD,    /* to the engine */
	SWITCHED, IDLE, FAULT, STARTED };               /* from it */

/* Processes, by place. */
bool alive[2], frozen[2], hung[2];
byte has[2];
/* The engine's memory. busy: the reply thread is within a turn. */
byte asked, kept, asked_told, phase[2], instance[2], status, owing = NOBODY;
bool gone[2], idle_told, busy, worker, engine, reply_runs, service_runs;
/* The monitor. left: killed with an engine, and not reaped yet: the one that
 * was asked, in left_place, and the other one. */
byte m_asked, m_instance[2], left_place, left_instance[2];
bool m_engine, m_pid[2], m_ready[2], m_kept, m_failed, m_switched, m_start;
bool left[2];
/* The agent: what it waits for. */
bool a_switch, a_back, a_refused, ordered;
byte fails;

chan to_engine = [6] of { mtype, byte, byte, bool };
chan to_monitor = [5] of { mtype, byte, byte };

#define KEPT (kept != 0 && kept - 1 != asked && phase[kept - 1] == SERVING)
#define RUNS(i) (alive[i] && !frozen[i] && !hung[i])
#define BESIDE (1 - m_asked)

#include "switch_engine.pml"
#include "switch_monitor.pml"

/* ---- what goes wrong ---- */

#define FAIL(i) fails < FAILS && fails + ordered < MOST && alive[i] && \
	!frozen[i] && m_pid[i]

proctype trouble()
{
	byte workers, engines;

end:	do
	:: d_step { FAIL(0) -> alive[0] = false; hung[0] = false; fails++ }
	:: d_step { FAIL(1) -> alive[1] = false; hung[1] = false; fails++ }
	:: d_step { FAIL(0) && !hung[0] -> hung[0] = true; fails++ }
	:: d_step { FAIL(1) && !hung[1] -> hung[1] = true; fails++ }
	:: d_step { workers < WORKERS && worker -> worker = false; workers++ }
	:: d_step { engines < ENGINES && engine -> worker = false;
		    engine = false; engines++ }
	:: d_step { fails < FAILS || workers < WORKERS || engines < ENGINES ->
		    fails = FAILS; workers = WORKERS; engines = ENGINES }
	od
}

/* Nothing moves any more: but for mon_trial_due(). */
proctype rest()
{
	do
	:: timeout ->
		if
		:: atomic { m_kept && m_failed && !m_pid[m_asked] ->
			    assert(!(KEPT && RUNS(BESIDE)));
			    m_failed = false; kill_one(BESIDE) }
		:: else -> break
		fi
	od;
	assert(status == ANSWERED && owing == NOBODY);
	assert(empty(to_engine) && empty(to_monitor));
	assert(asked == m_asked && asked == asked_told);
	assert(phase[asked] == SERVING && RUNS(asked));
	assert(m_pid[asked] && m_ready[asked]);
	assert(!a_switch && !a_back && !left[0] && !left[1]);
	assert(m_pid[BESIDE] == alive[BESIDE] && m_kept == m_pid[BESIDE]);
	assert(m_kept -> (KEPT && frozen[BESIDE]) : phase[BESIDE] == EMPTY)
}

init {
	d_step {
		alive[0] = true; alive[1] = true;
		phase[0] = SERVING; phase[1] = SERVING;
		instance[0] = 1; instance[1] = 1;
		m_instance[0] = 1; m_instance[1] = 1;
		m_pid[0] = true; m_pid[1] = true;
		m_ready[0] = true; m_ready[1] = true;
		m_engine = true; engine = true; worker = true;
		reply_runs = true; service_runs = true;
		m_switched = true; a_switch = true;
		to_engine!SWITCH, 1, 0, false
	}
	atomic {
		run reply(); run service(); run monitor(); run agent();
		run trouble(); run rest()
	}
}
