/* SPDX-License-Identifier: Apache-2.0 */
/* trial_host.pml - of trial.pml: the monitor, with the engine */

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
	assert(seen == OLD || (slot && admitted));
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
	:: m == RESTART ->
		assert(beside < SWITCHED_TO);   /* else refused for ever */
		if
		:: serves ->
			serves = false;
			tell(ENDED, WHO(asked, asked_try), false)
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
	assert(current == OLD || (slot && admitted));
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
		    kept_content = NONE; kept_try = 0;
		    tell(ENDED, NONE, false) }
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
