/* SPDX-License-Identifier: Apache-2.0 */
/* switch_monitor.pml - of switch.pml: the monitor, and what the agent orders */

/* ---- the monitor: one thread, so each of its acts is one step ---- */

/* mon_engine_tell() */
inline tell_engine(what, i, n, b)
{
	if
	:: m_engine && engine -> to_engine!what, i, n, b
	:: else
	fi
}

/* mon_instance_kill() */
inline kill_one(i)
{
	if
	:: m_pid[i] -> alive[i] = false; hung[i] = false
	:: else
	fi
}

/* mon_trial_failed() */
inline failed()
{
	m_failed = true;
#ifndef NO_THAW
	frozen[BESIDE] = false
#endif
}

/* mon_product_start(), mon_instance_started() */
inline start()
{
	x = m_asked; m_start = false;
	m_pid[x] = true; m_ready[x] = false;
	m_instance[x] = m_instance[x] % 5 + 1;
	alive[x] = true; frozen[x] = false; hung[x] = false;
	tell_engine(ADD, x, m_instance[x], true);
	x = 0
}

/* mon_instance_ended() */
inline ended(i)
{
	m_pid[i] = false; m_ready[i] = false; frozen[i] = false; has[i] = 0;
	tell_engine(GONE, i, m_instance[i], false)
}

/* mon_product_ended() */
inline asked_ended()
{
	if
	:: m_kept -> failed()
	:: else
	fi;
	ended(m_asked);
	m_start = !m_kept && m_engine
}

/* mon_trial_ended() */
inline beside_ended()
{
	a_switch = false;               /* TRY_ENDED */
	if
	:: m_kept ->                    /* trial_kept_ended() */
#ifndef NO_WORD
		a_back = false;         /* REFUSED */
#endif
		m_kept = false; m_failed = false;
		tell_engine(TRIAL_END, 0, 0, false)
	:: else
	fi;
	ended(BESIDE);
	m_start = m_start || (!m_pid[m_asked] && m_engine)
}

/* mon_trial_switched() */
inline switched()
{
	if
	:: x == BESIDE && m_pid[x] && !m_kept ->
		m_kept = m_pid[m_asked]; m_asked = x; m_start = false;
		a_switch = false        /* SWITCHED */
	:: x == BESIDE && m_pid[x] && m_kept ->
		failed();
		m_asked = x; m_kept = false; m_failed = false;
		a_back = false;         /* SWITCHED_BACK */
		kill_one(BESIDE)
	:: !(x == BESIDE && m_pid[x]) && m_switched ->
		a_switch = false; a_refused = true
	:: else
	fi;
	m_switched = false
}

#define MEANT (m_pid[x] && number == m_instance[x])     /* engine_means() */

/* engine_table[] */
inline from_engine()
{
	if
	:: m == SWITCHED -> switched()
	:: m == IDLE && MEANT && x == BESIDE && m_kept && !m_failed ->
		frozen[x] = true        /* mon_trial_idle() */
	:: m == FAULT && MEANT ->       /* on_fault() */
		if
		:: x == m_asked && m_kept -> failed()
		:: else
		fi;
		kill_one(x)
	:: m == STARTED && MEANT ->     /* on_product_ready() */
		m_ready[x] = true; a_back = a_back && x != m_asked
	:: else
	fi;
	m = 0; x = 0; number = 0
}

/* mon_engine_lost(), mon_products_kill(), mon_trials_reset(),
 * mon_keeper_start() */
inline engine_lost()
{
	do
	:: nempty(to_engine) -> to_engine?_, _, _, _
	:: empty(to_engine) -> break
	od;
	if
	:: status == READ || status == ASKED -> settle()
	:: else
	fi;
	left[0] = m_pid[m_asked]; left[1] = m_pid[BESIDE];
	left_place = m_asked;
	left_instance[0] = m_instance[m_asked];
	left_instance[1] = m_instance[BESIDE];
	m_asked = 0; m_kept = false; m_switched = false; m_failed = false;
	m_start = false; m_engine = false; a_back = false;
	x = 0;
	do
	:: x < 2 ->
		m_pid[x] = false; m_ready[x] = false; alive[x] = false;
		frozen[x] = false; hung[x] = false; has[x] = 0;
		phase[x] = EMPTY; instance[x] = 0; gone[x] = false; x++
	:: else -> break
	od;
	x = 0;
	asked = 0; kept = 0; asked_told = 0; idle_told = false;
	engine = true; worker = true; reply_runs = true; service_runs = true
}

/* child_ended(), of what was killed with an engine. */
inline left_ended(role)
{
	left[role] = false; a_switch = false;
	x = (role == 0 -> left_place : 1 - left_place);
	tell_engine(GONE, x, left_instance[role], false);
	m_start = m_start || (!left[0] && !m_pid[m_asked] && m_engine);
	x = 0; left_instance[role] = 0;
	left_place = (left[0] || left[1] -> left_place : 0)
}

#ifdef EARLY_START
#define SETTLED true
#else
#define SETTLED !m_switched
#endif

proctype monitor()
{
	mtype m;
	byte x, number;

end:	do
	:: atomic { to_monitor?m, x, number -> from_engine() }
	:: atomic { m_pid[m_asked] && !alive[m_asked] -> asked_ended() }
	:: atomic { m_pid[BESIDE] && !alive[BESIDE] -> beside_ended() }
	:: atomic { m_start && !m_pid[m_asked] && m_engine && SETTLED ->
		    start() }           /* mon_products_due() */
	:: atomic { !engine && !reply_runs && !service_runs &&
		    empty(to_monitor) -> engine_lost() }
	:: d_step { engine && !m_engine ->      /* on_ready() */
		    m_engine = true; m_start = !m_pid[m_asked] && !left[0] }
	:: atomic { left[0] -> left_ended(0) }
	:: atomic { left[1] -> left_ended(1) }
	:: d_step { engine && !worker && !reply_runs && !service_runs ->
		    worker = true; reply_runs = true; /* the keeper */
		    service_runs = true }
	od
}

#define ORDER !ordered && fails + 1 <= MOST -> ordered = true

/* agent_table[]: what the agent orders, and what it does if the switch is
 * refused; at last, nothing more. */
proctype agent()
{
end:	do
	:: atomic { m_kept && ORDER; a_back = true;     /* mon_trial_back() */
		    failed(); tell_engine(SWITCH_BACK, 0, 0, false) }
	:: atomic { m_kept && ORDER;            /* mon_trial_end() */
		    tell_engine(TRIAL_END, 0, 0, false); kill_one(BESIDE) }
	:: atomic { !m_kept && !m_switched && !left[0] && ORDER;
		    if                          /* on_restart() */
		    :: m_pid[m_asked] -> kill_one(m_asked)
		    :: else -> m_start = true
		    fi }
	:: atomic { !m_kept && !m_switched && ORDER;
		    kill_one(BESIDE) }          /* mon_trials_abandon() */
	:: atomic { a_refused -> a_refused = false;
		    if                          /* on_try_stop() */
		    :: !m_kept -> kill_one(BESIDE)
		    :: else
		    fi }
	:: d_step { ORDER }
	od
}
