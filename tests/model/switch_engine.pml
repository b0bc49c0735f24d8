/* SPDX-License-Identifier: Apache-2.0 */
/* switch_engine.pml - of switch.pml: the two threads of the engine */

/* ---- the engine: reply thread ---- */

/* eng_dispatch_one() */
inline give(i)
{
	assert(status == READ && owing == NOBODY);
	status = ASKED; owing = i; has[i] = GIVEN
}

inline settle()
{
	status = ANSWERED; owing = NOBODY; has[0] = 0; has[1] = 0
}

/* eng_fallback(): for nobody can be asked. */
inline fallback()
{
	assert(!(KEPT && alive[kept - 1]));
	settle()
}

/* eng_beside_back() */
inline back(i)
{
	d_step {
		former = NOBODY; goes = false;
		if
		:: asked != i && phase[asked] == SERVING -> former = asked
		:: asked == i && KEPT -> former = kept - 1; goes = true
		:: else
		fi
	}
	TOGETHER {
		if
		:: goes ->
#ifdef BACK_FIRST
			kept = 0; asked = former
#else
			asked = former; kept = 0
#endif
		:: else
		fi;
		goes = false
	}
}

#define ASK_FORMER if \
	:: former != NOBODY -> give(former) \
	:: else -> fallback() \
	fi

/* eng_dispatch(): whom to ask is looked up, then it is asked, whatever came
 * between. A socket that is closed is seen, or not. */
inline dispatch()
{
	if                              /* dispatch_serving() */
	:: phase[to] == SERVING
	:: d_step { phase[to] < SERVING -> fallback() }
#ifdef NO_ENDING
	:: d_step { phase[to] > SERVING -> fallback() }
#else
	:: phase[to] > SERVING ->
		back(to);
		d_step {
			to = former;
			if
			:: to == NOBODY -> fallback()
			:: else
			fi
		}
#endif
	fi;
#ifdef SECOND_LOOK
	if
	:: d_step { status == READ && phase[to] != SERVING -> fallback() }
	:: else
	fi;
#endif
	if
	:: status == ANSWERED
	:: d_step { status == READ -> give(to) }
	:: d_step { status == READ && !alive[to] -> phase[to] = ENDING };
		back(to);               /* dispatch_to() */
		d_step { ASK_FORMER }
	fi;
	d_step { to = 0; former = 0; busy = false }
}

/* eng_session_drop() */
inline drop(i)
{
	back(i);
	d_step {
		if
		:: owing == i ->
			has[i] = 0; owing = NOBODY; status = READ; ASK_FORMER
		:: else
		fi;
		former = 0
	}
	d_step { phase[i] = DROPPED; busy = false }
}

#ifdef ANYBODY
#define OWES(i) true
#else
#define OWES(i) (owing == i)
#endif
#ifdef EARLY_SLEEP
#define SESSIONS false
#else
#define SESSIONS true
#endif

/* worker_sessions(): on_verdict(); due_suspect(), by a later question if not by
 * this one. */
#define REPLY(i) \
	:: d_step { phase[i] == ENDING -> busy = SESSIONS }; drop(i) \
	:: d_step { phase[i] == SERVING && RUNS(i) && has[i] != 0 -> \
		    if \
		    :: OWES(i) -> assert(status == ASKED); settle() \
		    :: else -> has[i] = 0 \
		    fi } \
	:: d_step { phase[i] == SERVING && alive[i] && hung[i] -> \
		    phase[i] = ENDING }

/* eng_succeed(): what is open enters anew. */
inline succeed()
{
	d_step {
		if
		:: status == ASKED ->
			status = READ; owing = NOBODY;
			has[0] = (has[0] != 0 -> STALE : 0);
			has[1] = (has[1] != 0 -> STALE : 0)
		:: else
		fi
	}
}

proctype reply()
{
	byte to, former;
	bool goes;

end:	do
	:: reply_runs ->
		{
			succeed();
end_idle:		do
			:: d_step { status <= READ -> status = READ;
				    busy = true; to = asked };
				dispatch()
			REPLY(0)
			REPLY(1)
			od
		} unless { !worker };
		d_step { to = 0; former = 0; goes = false; busy = false;
			 reply_runs = false }
	od
}

/* ---- the engine: service thread ---- */

/* beside_tell() */
inline tell_switched()
{
	TOGETHER {
		number = asked;
		to_monitor!SWITCHED, number, 0;
		d_step { asked_told = number; number = 0 }
	}
}

/* eng_switch() */
inline do_switch()
{
	if
	:: asked != x && phase[x] == SERVING ->
		TOGETHER {
			d_step { idle_told = false; number = asked + 1 }
#ifdef SWITCH_FIRST
			asked = x; kept = number
#else
			kept = number; asked = x
#endif
		}
#ifndef NO_GRACE
		!busy                   /* eng_grace() */
#endif
	:: else
	fi;
#ifndef NO_UNDO
	d_step {                        /* switch_undo() */
		number = (asked == x && phase[x] != SERVING &&
			  phase[x] != ENDING && KEPT -> kept : 0)
	}
	TOGETHER {
		if
		:: number != 0 -> asked = number - 1; kept = 0
		:: else
		fi
	}
#endif
	tell_switched()
}

#ifdef GONE_ANY
#define THIS true
#else
#define THIS (instance[x] == number)
#endif

/* eng_session_gone() */
inline do_gone()
{
	d_step {
		if
		:: THIS && phase[x] != EMPTY ->
			gone[x] = true;
			phase[x] = (phase[x] == SERVING -> ENDING :
				    (phase[x] == LOADING -> EMPTY : phase[x]))
		:: else
		fi
	}
}

/* eng_session_reap() */
inline reap(i)
{
	TOGETHER {
		if
		:: !gone[i] -> to_monitor!FAULT, i, instance[i]
		:: else
		fi;
		d_step { phase[i] = EMPTY; gone[i] = false }
	}
}

/* eng_session_add(), session_product() */
inline do_add()
{
	if
	:: phase[x] == SERVING -> phase[x] = ENDING
	:: else
	fi;
	phase[x] != ENDING;
	if
	:: phase[x] == DROPPED -> reap(x)
	:: else
	fi;
#ifndef NO_PLACE
	TOGETHER {
		if
		:: to_be_asked && asked != x && phase[asked] != SERVING ->
			kept = 0; asked = x
		:: else
		fi
	}
#endif
	d_step { phase[x] = LOADING; instance[x] = number; gone[x] = false }
}

/* service_control(): a message is taken out when it was acted on. */
inline taken()
{
	d_step { to_engine?_, _, _, _; m = 0; x = 0; number = 0;
		 to_be_asked = false }
}

inline act()
{
	if
	:: m == SWITCH_BACK ->          /* eng_switch_back() */
		if
		:: d_step { KEPT && phase[asked] == SERVING ->
			    phase[asked] = ENDING }
		:: !(KEPT && phase[asked] == SERVING) -> tell_switched()
		fi
	:: m == TRIAL_END ->            /* eng_trial_end() */
		d_step {
			if
			:: KEPT -> gone[kept - 1] = true
			:: else
			fi;
			kept = 0
		}
	:: m == GONE -> do_gone()
	:: m == ADD -> do_add()
	fi;
	taken()
}

#define SWITCH_NEXT to_engine?[SWITCH, _, _, _]
#define HEAR to_engine?<m, x, number, to_be_asked>
#ifdef NO_HELD
#define HELD false
#else
#define HELD (owing == kept - 1)
#endif
#define UNTOLD (asked != asked_told)

/* eng_request.c: READY; eng_session_reap(): not ready in time; a socket that is
 * closed: eng_session_fail() */
#define SERVICE(i) \
	:: d_step { phase[i] == LOADING && RUNS(i) && nfull(to_monitor) -> \
		    phase[i] = SERVING; to_monitor!STARTED, i, instance[i] } \
	:: d_step { phase[i] == LOADING && !RUNS(i) -> phase[i] = DROPPED } \
	:: d_step { phase[i] == SERVING && !alive[i] -> phase[i] = ENDING } \
	:: phase[i] == DROPPED -> reap(i)

proctype service()
{
	mtype m;
	byte x, number;
	bool to_be_asked;

end:	do
	:: service_runs ->
		{
			/* In a turn a message comes before reap. */
			if
			:: UNTOLD -> tell_switched()
			:: !UNTOLD
			fi;
			if
			:: atomic { SWITCH_NEXT -> HEAR }; do_switch(); taken()
			:: !SWITCH_NEXT
			fi;
end_idle:		do
			:: atomic { SWITCH_NEXT -> HEAR }; do_switch(); taken()
			:: TOGETHER {
				atomic { nempty(to_engine) && !SWITCH_NEXT ->
					 HEAR };
				act()
			}
			/* eng_beside_watch() */
			:: asked != asked_told -> tell_switched()
			:: TOGETHER {
				atomic { KEPT && !UNTOLD && !idle_told &&
					 !HELD -> number = kept - 1 };
				to_monitor!IDLE, number, instance[number];
				d_step { idle_told = true; number = 0 }
			}
			SERVICE(0)
			SERVICE(1)
			od
		} unless { !worker };
		d_step { m = 0; x = 0; number = 0; to_be_asked = false;
			 service_runs = false }
	od
}
