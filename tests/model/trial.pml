/* SPDX-License-Identifier: Apache-2.0 */
#define OLD 0                           /* content, and places */
#define NEW 1
#define NOBODY 2
/* The parts: what happens in each, beside the new process's fault. */
#if defined(WORKER)                     /* the worker dies */
#define AHEAD
#define ALONE
#define NEW_ONLY
#define FAULTS 1
#define DEATHS 1
#define AGENTS 0
#elif defined(BOTH)                     /* both processes fail */
#define AHEAD
#define ALONE
#define FAULTS 2
#define DEATHS 0
#define AGENTS 0
#elif defined(AGENT)                    /* the agent dies; nothing else */
#define FAULTS 0
#define DEATHS 0
#define AGENTS 1
#elif defined(FORMER)                   /* the former one fails, not the new */
#define OLD_ONLY
#define FAULTS 1
#define DEATHS 0
#define AGENTS 0
#else
#define AHEAD
#define NEW_ONLY
#define FAULTS 1
#define DEATHS 0
#define AGENTS 0
#endif

#define EMPTY 0                         /* phase of a session */
#define LOADING 1
#define SERVING 2
#define ENDING 3
#define DROPPED 4

#define UNREAD 0                        /* a question */
#define READ 1
#define ASKED 2
#define ANSWERED 3

#define READY 0                         /* the new version, by the journal */
#define ACTIVATING 1
#define TRIAL 2
#define GOOD 3
#define OUT 4

mtype = { SWITCH, SWITCH_BACK, TRIAL_END, GONE, ADD, /* to the engine */
	SWITCHED, BACK, FAULT, IDLE, STARTED,   /* from it */
	TRY_START, TRY_STOP, RESTART,           /* from the agent */
	PRODUCT, BEGIN, TRY_READY, TRY_ENDED, ENDED, REFUSED };

/* Processes of the product, by place. */
bool alive[2], frozen[2], hung[2], given[2], said[2];
byte content[2];

/* Memory that outlives a worker. */
byte asked, kept, phase[2], status, owing;
bool told_idle, charged[2], back_charged;
byte asked_told, instance[2];

/* Threads of the worker. */
bool worker = true, reply_runs = true, service_runs = true, look;

/* Disk. */
byte journal, current;

bool agent_alive, agent_known, agent_runs;
bool heard;             /* of the end of the one on trial */

chan to_engine = [6] of { mtype, byte, byte, bool };
chan to_monitor = [6] of { mtype, byte, byte, bool };
chan to_agent = [9] of { mtype, byte, byte, bool };
chan from_agent = [4] of { mtype, byte };

#define KEPT (kept != 0 && kept - 1 != asked && phase[kept - 1] == SERVING)
#define HOLDS(i) (status == ASKED && owing == i)

/* ---- the product's processes ---- */

proctype product(byte i)
{
end:	do
	:: atomic { alive[i] && !frozen[i] && !hung[i] && given[i] ->
		    given[i] = false; said[i] = true }
	od
}

/* ---- the engine: reply thread ---- */

#define GIVE(i) status = ASKED; owing = i; given[i] = true; said[i] = false

#define FORGET owing = 0; given[0] = false; given[1] = false; \
	said[0] = false; said[1] = false

/* Nobody can be asked; not so while one is kept that could be. */
#define FALLBACK assert(!(KEPT && alive[kept - 1])); \
	status = ANSWERED; FORGET

inline go_back(i)
{
	d_step {
		former = NOBODY;
		if
		:: asked != i && phase[asked] == SERVING -> former = asked
		:: asked == i && KEPT -> former = kept - 1
		:: else
		fi;
		goes = (asked == i && former != NOBODY)
	}
	if
	:: goes ->
		back_charged = charged[i];
#ifdef BACK_FIRST
		kept = 0;
		asked = former
#else
		asked = former;
		kept = 0
#endif
	:: else
	fi;
	goes = false
}

/* Which is asked is looked up, then it is given the question: between the two
 * a switch may come. */
inline dispatch()
{
	if
	:: d_step { phase[asked] < SERVING -> FALLBACK }
#ifdef NO_ENDING
	:: d_step { phase[asked] > SERVING -> FALLBACK }
	:: phase[asked] == SERVING -> to = asked
#else
	:: phase[asked] >= SERVING -> to = asked
#endif
	fi;
	if
	:: status == READ && phase[to] == SERVING -> d_step { GIVE(to) }
	:: status == READ && phase[to] > SERVING ->
		go_back(to);
		d_step {
			if
			:: former != NOBODY -> GIVE(former)
			:: former == NOBODY && phase[to] > SERVING -> FALLBACK
			:: else -> status = ANSWERED    /* as it was */
			fi
		}
	:: else
	fi;
	d_step { to = 0; former = 0 }
}

inline pass_on(i)
{
	d_step {
		if
		:: HOLDS(i) && former != NOBODY ->
			given[i] = false;
			said[i] = false;
			GIVE(former)
		:: HOLDS(i) && former == NOBODY ->
			FALLBACK
		:: else
		fi
	}
}

inline drop(i)
{
	go_back(i);
	pass_on(i);
	d_step { former = 0; phase[i] = DROPPED }
}

#ifdef ANYBODY
#define OWES(i) true
#else
#define OWES(i) HOLDS(i)
#endif

inline answer()
{
	d_step {
		assert(status == ASKED);
		status = ANSWERED;
		FORGET
	}
}

#define REPLY(i) \
	:: phase[i] == ENDING -> drop(i) \
	:: phase[i] == SERVING && said[i] && OWES(i) -> answer() \
	:: d_step { phase[i] == SERVING && hung[i] -> \
		    charged[i] = true; phase[i] = ENDING }

proctype reply()
{
	byte to, former;
	bool goes;

end_wait:
	do
	:: reply_runs ->
		{
			/* What is open enters anew, as if just read. */
			d_step {
				if
				:: status == ASKED -> status = READ; FORGET
				:: else
				fi
			}
end_idle:		do
			:: look -> look = false
			:: status == UNREAD -> status = READ
			:: status == READ -> dispatch()
			REPLY(0)
			REPLY(1)
			od
		} unless { !worker };
		d_step { to = 0; former = 0; goes = false; reply_runs = false }
	od
}

/* ---- the engine: service thread ---- */

inline tell_switched(c)
{
	number = asked;
#ifdef TOLD_FIRST
	asked_told = number;
	to_monitor!SWITCHED, number, 0, c
#else
	to_monitor!SWITCHED, number, 0, c;
	asked_told = number
#endif
}

inline grace()
{
#ifndef NO_GRACE
	look = true;
	!look
#endif
}

inline do_switch(x)
{
	if
	:: asked != x && phase[x] == SERVING ->
		d_step { assert(journal == TRIAL || !alive[x]); told_idle = false }
#ifdef SWITCH_FIRST
		asked = x;
		kept = 2 - x
#else
		kept = 2 - x;
		asked = x
#endif
	:: else
	fi;
	grace();
#ifndef NO_RECHECK
	/* It ended meanwhile, and the reply thread did not see it asked. */
	if
	:: asked == x && phase[x] != SERVING && phase[x] != ENDING && KEPT ->
		asked = kept - 1;
		kept = 0
	:: else
	fi;
#endif
	tell_switched(false)
}

inline do_add(x, number, is_asked)
{
	if
	:: phase[x] == SERVING -> phase[x] = ENDING
	:: else
	fi;
	phase[x] != ENDING;
#ifndef NO_PLACE
	if
	:: is_asked && asked != x && phase[asked] != SERVING ->
		kept = 0;
		asked = x
	:: else
	fi;
#endif
	d_step { phase[x] = LOADING; instance[x] = number; charged[x] = false }
}

inline act()
{
	if
	:: m == SWITCH -> do_switch(x)
	:: m == SWITCH_BACK ->
		if
		:: KEPT && phase[asked] == SERVING ->
			phase[asked] = ENDING
		:: else -> tell_switched(false)
		fi
	:: m == TRIAL_END -> kept = 0
	:: m == GONE ->
		d_step {
			if
			:: phase[x] == SERVING ->
				charged[x] = true; phase[x] = ENDING
			:: phase[x] == LOADING -> phase[x] = EMPTY
			:: else
			fi
		}
	:: m == ADD -> do_add(x, number, flag)
	fi;
	to_engine?_, _, _, _;
	d_step { m = 0; x = 0; number = 0; flag = false }
}

#define SERVICE(i) \
	:: d_step { asked == asked_told && phase[i] == LOADING && alive[i] && !frozen[i] && \
		    nfull(to_monitor) -> phase[i] = SERVING; \
		    to_monitor!STARTED, i, instance[i], false } \
	:: d_step { asked == asked_told && phase[i] == SERVING && !alive[i] -> \
		    charged[i] = true; phase[i] = ENDING } \
	:: d_step { asked == asked_told && phase[i] == LOADING && !alive[i] -> \
		    charged[i] = true; phase[i] = DROPPED } \
	:: asked == asked_told && phase[i] == DROPPED -> \
		to_monitor!FAULT, i, instance[i], charged[i]; \
		phase[i] = EMPTY

proctype service()
{
	mtype m;
	byte x, number;
	bool flag;

end_wait:
	do
	:: service_runs ->
		{
			/* What the dead one was about comes first. */
			if
			:: nempty(to_engine) ->
				to_engine?<m, x, number, flag>;
				act()
			:: empty(to_engine)
			fi;
end_idle:		do
			:: atomic { asked == asked_told && nempty(to_engine) ->
				    to_engine?<m, x, number, flag> };
				act()
			:: asked != asked_told ->
				tell_switched(back_charged);
				number = 0
#ifdef NO_HELD
			:: asked == asked_told && KEPT && !told_idle ->
#else
			:: asked == asked_told && KEPT && !told_idle && !HOLDS(kept - 1) ->
#endif
				number = 1 - asked;
#ifdef TOLD_FIRST
				told_idle = true;
				to_monitor!IDLE, number, instance[number], false;
#else
				to_monitor!IDLE, number, instance[number], false;
				told_idle = true;
#endif
				number = 0
			SERVICE(0)
			SERVICE(1)
			od
		} unless { !worker };
		d_step { m = 0; x = 0; number = 0; flag = false; look = false;
			 service_runs = false }
	od
}

proctype keeper()
{
end:	do
	:: d_step { !worker && !reply_runs && !service_runs -> worker = true;
		    reply_runs = true; service_runs = true }
	od
}

/* ---- the monitor ---- */

byte m_asked, m_instance[2], m_try;
bool m_pid[2], m_ready[2], m_once[2], m_why[2], m_charged[2];
bool m_kept, m_failed, m_switched, m_start;

#define BESIDE (1 - m_asked)

/* A switch that is under way ends first. */
#ifdef EARLY_AGENT
#define TOLD true
#else
#define TOLD !m_switched
#endif
#ifdef EARLY_START
#define SETTLED true
#else
#define SETTLED !m_switched
#endif
#ifdef NO_READY
#define ASKED_READY true
#else
#define ASKED_READY (m_pid[m_asked] && m_ready[m_asked])
#endif

inline m_kill(i, c)
{
	d_step {
		if
		:: m_pid[i] && !m_why[i] -> m_why[i] = true; m_charged[i] = c
		:: else
		fi;
		if
		:: m_pid[i] -> alive[i] = false; hung[i] = false
		:: else
		fi
	}
}

inline m_thaw()
{
	m_failed = true;
#ifndef NO_THAW
	frozen[BESIDE] = false
#endif
}

inline m_run(i, c, is_asked)
{
	d_step {
		m_pid[i] = true;
		m_instance[i] = m_instance[i] + 1;
		m_ready[i] = false;
		m_once[i] = is_asked;
		m_why[i] = false;
		m_charged[i] = false;
		alive[i] = true;
		frozen[i] = false;
		hung[i] = false;
		content[i] = c
	}
	to_engine!ADD, i, m_instance[i], is_asked
}

inline m_tell(type, a, b, c)
{
	if
	:: agent_known -> to_agent!type, a, b, c
	:: else
	fi
}

inline m_ended(i)
{
	d_step {
		if
		:: !m_why[i] -> m_charged[i] = true
		:: else
		fi;
		m_pid[i] = false;
		m_ready[i] = false
	}
	to_engine!GONE, i, 0, false;
	if
	:: m_once[i] -> m_tell(ENDED, content[i], (frozen[i] -> 1 : 0),
			       m_charged[i])
	:: else -> m_tell(TRY_ENDED, 0, m_try, m_charged[i])
	fi;
	d_step { frozen[i] = false; m_charged[i] = false; m_why[i] = false;
		 m_once[i] = false }
}

inline m_reap_asked()
{
	x = m_asked;
	if
	:: m_kept -> m_thaw()
	:: else
	fi;
	m_ended(x);
	if
	:: !m_kept -> m_start = true
	:: else
	fi;
	x = 0
}

inline m_reap_beside()
{
	x = BESIDE;
	if
	:: m_kept ->
#ifndef NO_WORD
		if
		:: m_failed -> m_tell(REFUSED, SWITCH_BACK, 0, false)
		:: else
		fi;
#endif
		m_kept = false;
		m_failed = false;
		to_engine!TRIAL_END, 0, 0, false
	:: else
	fi;
	m_ended(x);
	if
	:: !m_pid[m_asked] -> m_start = true
	:: else
	fi;
	x = 0
}

inline m_on_switched(place, c)
{
	if
	:: place == BESIDE && m_pid[place] && !m_kept ->
		d_step {
			m_once[m_asked] = true;
			m_once[place] = true;
			m_kept = m_pid[m_asked];
			m_asked = place;
			m_start = false
		}
		m_tell(SWITCHED, 0, m_try, false)
	:: place == BESIDE && m_pid[place] && m_kept ->
		m_thaw();
		d_step { m_asked = place; m_kept = false; m_failed = false }
		m_tell(BACK, 0, 0, c);
		m_kill(BESIDE, c)
	:: !(place == BESIDE && m_pid[place]) && m_switched ->
		m_tell(REFUSED, SWITCH, m_try, false)
	:: else
	fi;
	m_switched = false
}

inline m_engine()
{
	if
	:: m == SWITCHED -> m_on_switched(x, flag)
	:: m == IDLE ->
		if
		:: x == BESIDE && m_pid[x] && number == m_instance[x] &&
		   m_kept && !m_failed -> frozen[x] = true
		:: else
		fi
	:: m == FAULT ->
		if
		:: m_pid[x] && number == m_instance[x] ->
			if
			:: x == m_asked && m_kept -> m_thaw()
			:: else
			fi;
			m_kill(x, flag)
		:: else
		fi
	:: m == STARTED ->
		if
		:: m_pid[x] && number == m_instance[x] ->
			m_ready[x] = true;
			if
			:: x == m_asked ->
				m_tell(STARTED, content[x], 0, false)
			:: else -> m_tell(TRY_READY, 0, m_try, false)
			fi
		:: else
		fi
	fi;
	d_step { m = 0; x = 0; number = 0; flag = false }
}

#define REFUSE(what, t) m_tell(REFUSED, what, t, false)

inline m_order()
{
	if
	:: m == TRY_START ->
		if
		:: m_pid[BESIDE] || m_kept -> REFUSE(TRY_START, x)
		:: else ->
			m_try = x;
			m_run(BESIDE, NEW, false)
		fi
	:: m == TRY_STOP ->
		if
		:: m_pid[BESIDE] && !m_kept && x == m_try ->
			m_kill(BESIDE, false)
		:: else
		fi
	:: m == SWITCH ->
		if
		:: !m_kept && !m_switched && ASKED_READY && m_pid[BESIDE] &&
		   m_ready[BESIDE] && x == m_try && !m_why[BESIDE] ->
			m_switched = true;
			to_engine!SWITCH, BESIDE, 0, false
		:: else -> REFUSE(SWITCH, x)
		fi
	:: m == SWITCH_BACK ->
		if
		:: m_kept ->
			m_thaw();
			to_engine!SWITCH_BACK, 0, 0, false
		:: else -> REFUSE(SWITCH_BACK, 0)
		fi
	:: m == TRIAL_END ->
		if
		:: m_kept ->
			assert(journal == GOOD);
			to_engine!TRIAL_END, 0, 0, false;
			m_kill(BESIDE, false)
		:: else -> REFUSE(TRIAL_END, 0)
		fi
	:: m == RESTART ->
		if
		:: m_kept || m_switched -> REFUSE(RESTART, 0)
		:: else ->
			if
			:: m_pid[m_asked] -> m_kill(m_asked, false)
			:: else -> m_start = true
			fi
		fi
	fi;
	d_step { m = 0; x = 0 }
}

inline m_lost()
{
	agent_known = false;
	do
	:: nempty(to_agent) -> to_agent?_, _, _, _
	:: nempty(from_agent) -> from_agent?_, _
	:: empty(to_agent) && empty(from_agent) -> break
	od;
	if
	:: !m_kept && !m_switched -> m_kill(BESIDE, false)
	:: else
	fi
}

inline m_tell_all()
{
	agent_known = true;
	agent_alive = true;
	m_tell(PRODUCT, m_kept, 0, false);
	if
	:: m_ready[m_asked] -> m_tell(STARTED, content[m_asked], 0, false)
	:: else
	fi;
	m_tell(BEGIN, 0, 0, false)
}

proctype monitor()
{
	mtype m;
	byte x, number;
	bool flag;

end:	do
	:: atomic { to_monitor?m, x, number, flag -> m_engine() }
	:: atomic { from_agent?m, x -> m_order() }
	:: atomic { m_pid[m_asked] && !alive[m_asked] -> m_reap_asked() }
	:: atomic { m_pid[BESIDE] && !alive[BESIDE] -> m_reap_beside() }
	:: atomic { m_start && !m_pid[m_asked] && SETTLED ->
		    m_start = false; m_run(m_asked, current, true) }
	:: atomic { agent_known && !agent_alive && !agent_runs ->
		    m_lost() }
#ifndef ALONE
	:: atomic { !agent_known && TOLD -> m_tell_all() }
#endif
	od
}

/* ---- the agent ---- */

#define REST 0                          /* its steps */
#define STANDBY 1
#define SWITCHING 2
#define RETURNING 3

#ifdef AHEAD
byte next_try = 2;
#else
byte next_try = 1;
#endif
byte agents = AGENTS;

#define ACTIVE (journal == TRIAL || journal == GOOD -> NEW : OLD)

/* It may be killed here. */
#define CUT if \
	:: agents > 0 -> d_step { agents--; agent_alive = false } \
	:: true \
	fi

inline tell(what, x)
{
	CUT;
	from_agent!what, x
}

inline record_out()
{
	journal = OUT;
	CUT;
#ifndef NO_RENAME
	current = OLD
#endif
}

inline try_over()
{
	if
	:: try != 0 -> tell(TRY_STOP, try)
	:: else
	fi;
	d_step { step = REST; try = 0 }
	if
	:: journal == TRIAL -> record_out()
	:: else
	fi
}

inline begin_try()
{
	d_step { step = STANDBY; try = next_try; next_try++ }
	tell(TRY_START, try)
}

inline align()
{
	if
	:: is_frozen && frozen_content == ACTIVE ->
		step = RETURNING;
		tell(SWITCH_BACK, 0)
	:: !(is_frozen && frozen_content == ACTIVE) && journal == TRIAL &&
	   !is_frozen -> begin_try()
	:: else ->
		step = RETURNING;
		tell(RESTART, 0)
	fi
}

inline good()
{
#ifdef END_FIRST
	if
	:: is_frozen -> tell(TRIAL_END, 0)
	:: else
	fi;
#endif
	d_step { assert(!heard); journal = GOOD }
#ifndef END_FIRST
	if
	:: is_frozen -> tell(TRIAL_END, 0)
	:: else
	fi;
#endif
	is_frozen = false
}

/* What it decides, and that faults are looked at first. */
inline think()
{
	if
	:: fault && journal == TRIAL -> /* counted, or quarantined by it */
		if
		:: record_out()
#ifdef AGAIN
		:: skip
#endif
		fi;
		d_step { fault = false; heard = false }
#ifdef NO_FAULT
	:: true ->
#else
	:: !(fault && journal == TRIAL) ->
#endif
		fault = false;
		if
		:: serves && runs != ACTIVE -> align()
		:: serves && runs == ACTIVE && journal == GOOD && is_frozen ->
			tell(TRIAL_END, 0);
			is_frozen = false
		:: serves && runs == ACTIVE && journal == READY ->
			begin_try()
		:: serves && runs == NEW && journal == TRIAL -> good()
		:: serves && runs == NEW && journal == TRIAL -> record_out()
		fi
	fi
}

#define THINKS (fault || (serves && (runs != ACTIVE || journal == READY || \
		journal == TRIAL || (journal == GOOD && is_frozen))))

inline activate()
{
	if
	:: journal == READY ->
		journal = ACTIVATING;
		CUT;
		current = NEW;
		CUT;
		journal = TRIAL
	:: else
	fi
}

inline recover()
{
	if
	:: journal == ACTIVATING -> journal = READY
	:: else
	fi;
	CUT;
	current = ACTIVE
}

inline on_message()
{
	if
	:: m == PRODUCT ->
		d_step {
			is_frozen = x;
			frozen_content = (is_frozen -> OLD : NOBODY)
		}
	:: m == BEGIN -> begun = true
	:: m == STARTED ->
		d_step {
			serves = true;
			runs = x;
			step = (step == RETURNING -> REST : step)
		}
	:: m == TRY_READY ->
		if
		:: step == STANDBY && t == try ->
#ifdef ACT_FIRST
			tell(SWITCH, try);
			activate();
#else
			activate();
			tell(SWITCH, try);
#endif
			step = SWITCHING
		:: else
		fi
	:: m == TRY_ENDED ->
		if
		:: try != 0 && t == try -> try = 0; try_over()
		:: else
		fi
	:: m == SWITCHED ->
		d_step {
			if
			:: step == SWITCHING && t == try ->
				is_frozen = true;
				frozen_content = runs;
				runs = NEW;
				serves = true;
				try = 0;
				step = REST;
				heard = false
			:: else
			fi
		}
	:: m == BACK ->
		d_step {
			assert(frozen_content != NOBODY);
			is_frozen = false;
			awaits = flag && serves;
			serves = true;
			runs = frozen_content;
			if
			:: step == RETURNING || step == SWITCHING ->
				step = REST;
				try = 0
			:: else
			fi
		}
	:: m == ENDED ->
		d_step {
			if
			:: t == 1 -> is_frozen = false
			:: else ->
				awaits = false;
				serves = (x == runs -> false : serves);
				if
				:: flag && x == NEW && journal == TRIAL ->
					fault = true;
					heard = true;
					step = (step == RETURNING -> REST :
						step)
				:: else
				fi
			fi
		}
	:: m == REFUSED ->
		if
		:: x == TRY_START && t == try ->
			d_step { next_try = try; try = 0 }
			try_over()
		:: x == SWITCH && step == SWITCHING -> try_over()
		:: else ->
			d_step {
				is_frozen = (x == SWITCH_BACK -> false :
					     is_frozen);
				step = (step == RETURNING && x != TRY_START ->
					REST : step)
			}
		fi
	fi;
	d_step { m = 0; x = 0; t = 0; flag = false }
}

proctype agent()
{
	mtype m;
	byte x, t, step, try, runs, frozen_content = NOBODY;
	bool flag, begun, is_frozen, serves, fault, awaits;

#ifdef AHEAD
	d_step { step = SWITCHING; try = 1; begun = true; serves = true }
#endif
end_wait:
	do
	:: agent_alive ->
		{
			atomic { agent_runs = true; recover() }
end_idle:		do
			:: atomic { to_agent?m, x, t, flag -> on_message() }
			:: atomic { begun && step == REST && !awaits && THINKS ->
				    think() }
			:: agents > 0 -> CUT
			od
		} unless { !agent_alive };
		d_step {
			m = 0; x = 0; t = 0; flag = false; step = REST;
			try = 0; runs = 0; frozen_content = NOBODY;
			begun = false; is_frozen = false; serves = false;
			fault = false; awaits = false; heard = false;
			agent_runs = false
		}
	od
}

/* ---- what goes wrong ---- */

proctype deaths()
{
	byte faults, workers;

	do
#ifndef NEW_ONLY
	:: d_step { faults < FAULTS && alive[0] && !frozen[0] && m_pid[0] ->
		    alive[0] = false; hung[0] = false; faults++ }
#endif
#ifndef OLD_ONLY
	:: d_step { faults < FAULTS && alive[1] && !frozen[1] && m_pid[1] ->
		    alive[1] = false; hung[1] = false; faults++ }
	:: d_step { faults < FAULTS && alive[1] && !frozen[1] && !hung[1] ->
		    hung[1] = true; faults++ }
#endif
	:: d_step { workers < DEATHS && worker -> worker = false; workers++ }
	:: break
	od;
	faults = 0; workers = 0
}

/* The last word of an agent that is gone then. */
proctype order()
{
	if
#ifdef BOTH
	:: from_agent!SWITCH_BACK, 0
	:: atomic { m_kept -> journal = GOOD; from_agent!TRIAL_END, 0 }
#endif
	:: true
	fi
}

/* Nothing moves any more. */
proctype rest()
{
	timeout;
	assert(status == ANSWERED && asked == asked_told);
	assert(empty(to_engine) && empty(to_monitor) && empty(to_agent));
	assert(asked == m_asked && phase[asked] == SERVING);
	assert(alive[asked] && !frozen[asked]);
#ifdef ALONE
	assert(!m_kept || (KEPT && m_pid[BESIDE] && frozen[BESIDE]));
	assert(m_kept || (!m_pid[BESIDE] && phase[BESIDE] == EMPTY))
#else
	assert(agent_alive && agent_known && empty(from_agent));
	assert(!m_kept && !m_pid[BESIDE] && phase[BESIDE] == EMPTY);
	assert(journal == GOOD || journal == OUT);
	assert(current == ACTIVE && content[asked] == ACTIVE)
#endif
}

init {
	d_step {
		alive[0] = true;
		phase[0] = SERVING;
		m_pid[0] = true;
		m_ready[0] = true;
		m_once[0] = true;
#ifdef AHEAD
		/* The switch is ordered. */
		alive[1] = true;
		phase[1] = SERVING;
		content[1] = NEW;
		instance[1] = 1;
		m_instance[1] = 1;
		m_pid[1] = true;
		m_ready[1] = true;
		m_try = 1;
		m_switched = true;
		journal = TRIAL;
		current = NEW;
#ifndef ALONE
		agent_known = true;
		agent_alive = true;
#endif
		to_engine!SWITCH, 1, 0, false
#endif
	}
	atomic {
		run product(0);
		run product(1);
		run reply();
		run service();
		run keeper();
		run monitor();
#ifdef ALONE
		run order();
#else
		run agent();
#endif
		run deaths();
		run rest()
	}
}
