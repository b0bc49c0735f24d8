/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FAULTS
#define FAULTS 1                        /* of either content's processes */
#endif
#ifndef CUTS
#define CUTS 1                          /* of the agent or of the power */
#endif
#ifndef ENGINES
#define ENGINES 0
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
	journal = ACTIVATING;
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
	:: journal == ACTIVATING ->     /* abandon() */
#ifdef NO_ABANDON
		journal = TRIAL
#else
		journal = READY
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
	:: crashes == 0 -> crashes++; pending = false
	fi
}

/* ---- the host: monitor and engine, each act one step (switch.pml) ---- */

inline tell(type, a, b)
{
	if
	:: agent_known && agent_alive -> to_agent!type, a, b
	:: else
	fi
}

/* Content and try, 0 of none, in one byte. */
#define WHO(content, try) (content + 4 * try)
#define CONTENT (x % 4)
#define TRY (x / 4)

/* mon_product_start(): what `current' leads to */
inline start()
{
	assert(seen == OLD || slot);
	asked = seen; asked_try = 0;
	serves = true;
	tell(STARTED, WHO(asked, asked_try), 0)
}

/* The other one asked again: mon_trial_switched(), mon_instance_ended(). The
 * death of the one on trial is told before or after. */
inline went_back(charged)
{
	if
	:: true ->
		tell(ENDED, WHO(asked, asked_try), charged);
		tell(BACK, WHO(kept_content, kept_try), charged)
	:: true ->
		tell(BACK, WHO(kept_content, kept_try), charged);
		tell(ENDED, WHO(asked, asked_try), charged)
	fi;
	asked = kept_content; asked_try = kept_try;
	kept_content = NONE; kept_try = 0; beside = 0
}

/* agent_table[] */
inline order()
{
	if
	:: m == TRY_START && beside == 0 -> beside = LOADING; host_try = x
	:: m == TRY_STOP && beside > 0 && beside < KEPT && x == host_try ->
		beside = 0;
		tell(TRY_ENDED, x, false)
	:: m == SWITCH && beside == STANDS && x == host_try && serves ->
		beside = SWITCHED_TO
	:: m == SWITCH_BACK && beside == KEPT -> went_back(false)
	:: m == TRIAL_END && beside == KEPT ->
		tell(ENDED, NONE, false);
		beside = 0; kept_content = NONE; kept_try = 0
	:: m == RESTART && beside < SWITCHED_TO ->
		if
		:: serves -> serves = false; tell(ENDED, WHO(asked, asked_try), false)
		:: else
		fi
	:: else -> tell(REFUSED, m, x)
	fi;
	m = 0; x = 0
}

/* mon_engine_lost() */
inline engine_lost()
{
	engines++;
	if
	:: beside == KEPT -> tell(ENDED, NONE, false)
	:: beside > 0 && beside < KEPT -> tell(TRY_ENDED, host_try, false)
	:: else
	fi;
	beside = 0; kept_content = NONE; kept_try = 0;
	if
	:: serves -> serves = false; tell(ENDED, WHO(asked, asked_try), false)
	:: else
	fi
}

inline forget_agent()
{
	agent_known = false;
	do
	:: nempty(to_agent) -> to_agent?_, _, _
	:: nempty(to_host) -> to_host?_, _
	:: empty(to_agent) && empty(to_host) -> break
	od
}

/* mon_agent_started() */
inline begin_agent()
{
	agent_known = true; agent_alive = true;
	tell(PRODUCT, beside == KEPT, 0);
	if
	:: serves -> tell(STARTED, WHO(asked, asked_try), 0)
	:: else
	fi;
	tell(BEGIN, 0, 0)
}

/* What was not synced may be there, or not. */
inline boot()
{
	forget_agent();
	if
	:: seen = current
	:: current = seen
	fi;
	assert(current == OLD || slot);
	beside = 0; kept_content = NONE; kept_try = 0; asked = current;
	asked_try = 0; serves = true;
	power = true; booted = false
}

#define FAIL faults < FAULTS -> faults++

proctype host()
{
	mtype m;
	byte x;

end:	do
	:: atomic { power && nempty(to_host) -> to_host?m, x; order() }
	:: atomic { power && !serves && beside != KEPT -> start() }
	:: atomic { power && beside == LOADING -> beside = STANDS;
		    tell(TRY_READY, host_try, 0) }
	:: atomic { power && beside > 0 && beside < SWITCHED_TO && FAIL;
		    beside = 0; tell(TRY_ENDED, host_try, true) }
	:: atomic { power && beside == SWITCHED_TO ->
		    if                          /* eng_switch() */
		    :: assert(journal == TRIAL);
			    beside = (serves -> KEPT : 0);
			    kept_content = (serves -> asked : NONE);
			    kept_try = (serves -> asked_try : 0);
			    asked = NEW; asked_try = host_try;
			    serves = true; tell(SWITCHED, host_try, beside)
		    :: FAIL; beside = 0; tell(REFUSED, SWITCH, host_try);
			    tell(TRY_ENDED, host_try, true)
		    fi }
	:: atomic { power && beside == KEPT && FAIL; went_back(true) }
	:: atomic { power && beside == KEPT && FAIL; beside = 0;
		    kept_content = NONE; kept_try = 0; tell(ENDED, NONE, false) }
	:: atomic { power && beside != KEPT && serves && FAIL;
		    serves = false; tell(ENDED, WHO(asked, asked_try), true) }
	:: atomic { power && engines < ENGINES -> engine_lost() }
	:: atomic { power && agent_known && !agent_alive && !agent_runs ->
		    forget_agent();
		    if                          /* mon_trials_abandon() */
		    :: beside > 0 && beside < SWITCHED_TO -> beside = 0
		    :: else
		    fi }
	:: atomic { power && !agent_known && beside != SWITCHED_TO ->
		    begin_agent() }             /* mon_agent_due() */
	:: atomic { !power && !agent_runs -> boot() }
	:: d_step { faults < FAULTS || engines < ENGINES ->
		    faults = FAULTS; engines = ENGINES }
	od
}

/* ---- the agent ---- */

inline say(what, t)
{
	CUT;
	to_host!what, t
}

/* Nobody is gone back to any more. */
inline release()
{
	assert(journal == GOOD || frozen_content != ACTIVE);
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

#define ON_TRIAL (serves_told && runs == NEW && journal == TRIAL)
#define ALIGNED (serves_told && runs == ACTIVE)

/* agent_think(): faults first. Each act once more if it comes to nothing. */
inline think()
{
	if
#ifndef NO_FAULT
	:: pending && journal == TRIAL -> judge()
	:: !(pending && journal == TRIAL) &&
#else
	::
#endif
	   serves_told && runs != ACTIVE -> align()
#ifdef NO_FAULT
	:: ON_TRIAL -> good()
#else
	:: ON_TRIAL && !pending -> good()
#endif
	:: ON_TRIAL && !pending -> leave(OUT)   /* trial_bad() */
	:: ALIGNED && journal == GOOD && frozen -> release()
	:: ALIGNED && journal == READY && tries < TRIES && slot -> begin_try()
	:: ALIGNED && journal == OUT && slot && !frozen -> slot = false
	fi
}

#define THINKS ((pending && journal == TRIAL) || (serves_told && \
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
		if                              /* is_tried() */
		:: t && CONTENT == NEW && journal == GOOD -> journal = TRIAL
		:: t && CONTENT == NEW && journal == GOOD
		:: else
		fi;
		if
		:: t && CONTENT == NEW && journal == TRIAL ->
			pending = true;         /* fault_take() */
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
	byte x, t, step, try, next_try, tries, runs, runs_try, frozen_content = NONE;
	bool begun, frozen, serves_told, awaits;

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
			runs = 0; runs_try = 0; frozen_content = NONE; begun = false;
			frozen = false; serves_told = false; awaits = false;
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
