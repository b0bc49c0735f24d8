/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trial.pml - new content on trial: agent and journal, against a host whose
 * processes fail, an agent that is killed, and a power cut
 *
 * The agent is as in the functions that are named here; its store is records,
 * each whole or not there (test_store_cut), and `current', which after a power
 * cut leads to where it led before unless the directory was synced. A new
 * version is ready, the old one is good. Monitor and engine are one automaton,
 * whose every act is one step (switch.pml has the steps within).
 *
 * Searches, each whole within its bound. Without a word: two failures of
 * processes, the end of an engine, and one death of the agent or the power's.
 * CUTS_TWO: one failure and two of those deaths. ONE, for the mutations: one of
 * each and no engine's. A version is tried twice by an agent, then it waits.
 *
 * Left out: preflights and replays (what they find is any of it), other
 * versions, leases, health (a verdict is either), time-outs of the agent (no
 * word is lost here), alarms, a former one that is restarted live.
 *
 * Checked:
 *   What is started, or stands in `current' when the power comes back, has its
 *   slot, and a record said before that it is to be used.
 *     POINT_FIRST  activate() leads `current' on before the record
 *   What is switched to is on trial by the journal.
 *     ACT_LATE     standby_ready() asks for the switch first
 *   A version is good only while it runs and no fault of it is unjudged.
 *     NO_FAULT     agent_think() does not look at faults first
 *     NO_LOST      agent_faults_lost() does not look for those of a dead agent
 *   The former process is not given up while it would be gone back to; one that
 *   is of no use does not stand in the way of a restart.
 *     END_FIRST    frozen_release() before the record
 *     NO_RELEASE   agent_align() keeps one of the same version
 *   When nothing moves any more, the version of the journal serves, alone, the
 *   trial is over, and `current' leads there for good: never to one that is in
 *   quarantine.
 *     NO_POINT     change() does not lead `current' back
 *     NO_SYNC      slot_point() does not sync
 *     NO_SETTLE    store_recover() does not lead `current' on
 *     NO_ABANDON   nor does it end an activation that was cut short
 */
#if defined(ONE)
#define FAULTS 1                        /* of processes */
#define CUTS 1                          /* of the agent or of the power */
#define ENGINES 0
#elif defined(CUTS_TWO)
#define FAULTS 1
#define CUTS 2
#define ENGINES 0
#else
#define FAULTS 2
#define CUTS 1
#define ENGINES 1
#endif
#define TRIES 2                         /* then it is put off for good */

#define OLD 0                           /* contents */
#define NEW 1
#define NONE 2

#define READY 0                         /* the new one, by the journal */
#define ACTIVATING 1
#define TRIAL 2
#define GOOD 3
#define OUT 4

#define IDLE 0                          /* steps of the agent */
#define STANDBY 1
#define SWITCHING 2
#define RETURNING 3

#define LOADING 1                       /* the second process */
#define STANDS 2
#define SWITCHED_TO 3                   /* the engine is told */
#define KEPT 4

mtype = { TRY_START, TRY_STOP, SWITCH, SWITCH_BACK, TRIAL_END, RESTART,
	PRODUCT, BEGIN, STARTED, TRY_READY, TRY_ENDED, SWITCHED, BACK, ENDED,
	REFUSED };

/* On disk. seen: as it is read until the power goes. */
byte journal = READY, current = OLD, seen = OLD;
bool pending;           /* noted: a fault that was not judged */
bool slot = true;       /* of the new one */
bool admitted;          /* there was a record that it is to be used */
byte crashes;

/* The host. */
byte asked = OLD, asked_try, beside, kept_content = NONE, kept_try, host_try;
bool serves = true, power = true, booted = true;
byte faults, cuts, engines;

bool agent_runs, agent_alive, agent_known;

chan to_agent = [12] of { mtype, byte, byte };
chan to_host = [3] of { mtype, byte };

#define ACTIVE (journal == TRIAL || journal == GOOD -> NEW : OLD)

/* ---- the store: a record is whole or not there (test_store_cut) ---- */

/* The agent may be killed here, or the power goes. */
#define CUT if \
	:: d_step { cuts < CUTS && agent_alive -> cuts++; \
		    agent_alive = false } \
	:: d_step { cuts < CUTS && agent_alive -> cuts++; \
		    agent_alive = false; power = false } \
	:: true \
	fi

/* slot_point() */
inline point(c)
{
	if
	:: seen != c || current != c ->
		seen = c;
#ifndef NO_SYNC
		CUT;
		current = seen
#endif
	:: else
	fi
}

/* store_quarantine(), store_revert() */
inline leave(how)
{
	assert(journal == TRIAL);
	journal = how;
	pending = false;
	CUT;
#ifndef NO_POINT
	point(OLD)
#endif
}

/* store_activate() */
inline activate()
{
	assert(journal == READY && slot);
#ifdef POINT_FIRST
	point(NEW);
	CUT;
#endif
	d_step { journal = ACTIVATING; admitted = true }
	CUT;
#ifndef POINT_FIRST
	point(NEW);
	CUT;
#endif
	journal = TRIAL
}

/* store_recover(), agent_faults_lost() */
inline recover()
{
	if
#ifndef NO_ABANDON
	:: journal == ACTIVATING -> journal = READY     /* abandon() */
#endif
	:: journal == TRIAL && !booted ->       /* note_interruption() */
		if
		:: true
		:: journal = READY; pending = false
		fi
	:: else
	fi;
	booted = true;
	CUT;
#ifndef NO_SETTLE
	point(ACTIVE);
#endif
	CUT;
#ifndef NO_LOST
	if
	:: pending && journal == TRIAL -> judge()
	:: else
	fi
#endif
}

/* count(), clear(): of what was looked into */
inline judge()
{
	if
	:: leave(OUT)
	:: crashes == 0 -> d_step { crashes++; pending = false }
	fi;
	fault = false
}

#include "trial_host.pml"

/* ---- the agent ---- */

inline say(what, t)
{
	CUT;
	to_host!what, t
}

/* Nobody is gone back to any more. */
inline release()
{
	assert(frozen_content != ACTIVE || journal == GOOD);
	assert(journal != TRIAL || frozen_content != OLD || runs == OLD);
	say(TRIAL_END, 0);
	frozen = false
}

/* agent_on_try_over() */
inline try_over(charged)
{
	if
	:: try != 0 -> say(TRY_STOP, try)
	:: else
	fi;
	step = IDLE; try = 0;
	if
	:: journal == TRIAL && charged ->
		pending = true;
		judge()
	:: else
	fi;
	if
	:: journal == TRIAL -> leave(READY)
	:: else
	fi
}

inline begin_try()
{
	next_try = next_try % 3 + 1; tries++;
	try = next_try; step = STANDBY;
	say(TRY_START, try)
}

/* agent_align() */
inline align()
{
	if
	:: frozen && frozen_content == ACTIVE ->
		step = RETURNING; say(SWITCH_BACK, 0)
	:: !(frozen && frozen_content == ACTIVE) && journal == TRIAL &&
	   !frozen && tries < TRIES -> begin_try()
	:: !(frozen && frozen_content == ACTIVE) && (journal != TRIAL ||
	   frozen || tries == TRIES) ->
		step = RETURNING;
#ifndef NO_RELEASE
		if
		:: frozen -> release()
		:: else
		fi;
#endif
		say(RESTART, 0)
	fi
}

/* trial_good(), frozen_release() */
inline good()
{
#ifdef END_FIRST
	if
	:: frozen -> release()
	:: else
	fi;
#endif
	assert(journal == TRIAL && !pending && runs == NEW);
	journal = GOOD;
	CUT;
#ifndef END_FIRST
	if
	:: frozen -> release()
	:: else
	fi
#else
	skip
#endif
}

#ifdef NO_FAULT
#define FAILED false
#else
#define FAILED (fault && journal == TRIAL)
#endif
#define ON_TRIAL (serves_told && runs == NEW && journal == TRIAL)
#define ALIGNED (serves_told && runs == ACTIVE)

/* agent_think(): faults first. Each act once more if it comes to nothing. */
inline think()
{
	if
	:: FAILED -> judge()
	:: !FAILED && serves_told && runs != ACTIVE -> align()
	:: !FAILED && ON_TRIAL -> good()
	:: !FAILED && ON_TRIAL -> leave(OUT)   /* trial_bad() */
	:: ALIGNED && journal == GOOD && frozen -> release()
	:: ALIGNED && journal == READY && tries < TRIES && slot -> begin_try()
	:: ALIGNED && journal == OUT && slot && !frozen -> slot = false
	fi
}

#define THINKS (FAILED || (serves_told && \
	runs != ACTIVE) || ON_TRIAL || (ALIGNED && ((journal == GOOD && \
	frozen) || (journal == READY && tries < TRIES && slot) || \
	(journal == OUT && slot && !frozen))))

/* message_plain() */
inline hear()
{
	if
	:: m == PRODUCT ->
		frozen = x; frozen_content = (frozen -> OLD : NONE)
	:: m == BEGIN -> begun = true
	:: m == STARTED ->
		serves_told = true; runs = CONTENT; runs_try = TRY;
		step = (step == RETURNING -> IDLE : step)
	:: m == TRY_READY && step == STANDBY && x == try ->
		if
		:: journal == READY ->
#ifdef ACT_LATE
			say(SWITCH, try);
			activate()
#else
			activate();
			say(SWITCH, try)
#endif
		:: else -> say(SWITCH, try)
		fi;
		step = SWITCHING
	:: m == TRY_ENDED && try != 0 && x == try -> try = 0; try_over(t)
	:: m == SWITCHED && step == SWITCHING && x == try ->
		frozen = (t == KEPT); frozen_content = runs; runs = NEW;
		runs_try = x;
		serves_told = true; try = 0; step = IDLE
	:: m == BACK ->
		frozen = false; awaits = t && serves_told; serves_told = true;
		runs = CONTENT; runs_try = TRY;
		if
		:: step == RETURNING || step == SWITCHING ->
			step = IDLE; try = 0
		:: else
		fi
	:: m == ENDED && x == NONE -> frozen = false
	:: m == ENDED && x != NONE ->
		awaits = false;
		serves_told = (TRY == runs_try -> false : serves_told);
		if                              /* is_tried(), fault_take() */
		:: t && CONTENT == NEW && journal == GOOD -> journal = TRIAL
		:: t && CONTENT == NEW && journal == GOOD
		:: else
		fi;
		if
		:: t && CONTENT == NEW && journal == TRIAL ->
			d_step { pending = true; fault = true }
			step = (step == RETURNING -> IDLE : step)
		:: else
		fi
	:: m == REFUSED && x == TRY_START && t == try ->
		try = 0; tries--; try_over(false)
	:: m == REFUSED && x == SWITCH && step == SWITCHING ->
		try_over(false)
	:: m == REFUSED && x != TRY_START && x != SWITCH ->
		frozen = (x == SWITCH_BACK -> false : frozen);
		step = (step == RETURNING -> IDLE : step)
	:: else
	fi;
	d_step { m = 0; x = 0; t = 0 }
}

proctype agent()
{
	mtype m;
	byte x, t, step, try, next_try, tries, runs, runs_try;
	byte frozen_content = NONE;
	bool begun, frozen, serves_told, awaits, fault;

end_wait:
	do
	:: agent_alive ->
		{
			agent_runs = true;
			recover();
end_idle:		do
			:: to_agent?m, x, t -> hear()
			:: begun && step == IDLE && !awaits && THINKS ->
				think()
			:: d_step { cuts < CUTS -> cuts++; agent_alive = false }
			:: d_step { cuts < CUTS -> cuts++; agent_alive = false;
				    power = false }
			:: d_step { cuts < CUTS -> cuts = CUTS }
			od
		} unless { !agent_alive };
		d_step {
			m = 0; x = 0; t = 0; step = IDLE; try = 0; tries = 0;
			runs = 0; runs_try = 0; frozen_content = NONE;
			begun = false;
			frozen = false; serves_told = false; awaits = false;
			fault = false;
			next_try = 0; agent_runs = false
		}
	od
}

/* Nothing moves any more. */
proctype rest()
{
	timeout;
	assert(power && agent_alive && agent_known);
	assert(empty(to_agent) && empty(to_host));
	assert(serves && beside == 0);
	assert(journal != ACTIVATING && journal != TRIAL && !pending);
	assert(asked == ACTIVE && seen == ACTIVE);
	assert(current == ACTIVE)
}

init {
	atomic { run host(); run agent(); run rest() }
}
