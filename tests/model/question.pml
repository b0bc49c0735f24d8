/* SPDX-License-Identifier: Apache-2.0 */
/*
 * question.pml - does every question get exactly one, and no wrong, answer,
 * whoever dies at whatever step?
 *
 * The kernel hands out questions by descriptor number and takes answers by
 * number. The worker's reply thread reads a question into shared memory,
 * enters it in a table, asks the product, and answers when the product has or
 * when the deadline has passed; a closer thread gives the number back. The
 * worker dies at any step, DEATHS times; its successor goes on from the shared
 * memory (the descriptors are there still: the keeper shares them). The keeper
 * dies at any step, once, and takes the worker with it; the monitor then
 * answers every number with the verdict that stands for it, deny where there
 * is none, and starts anew.
 *
 * Three questions, two numbers, so that numbers are used again. The product
 * denies the evil ones (0 and 2), allows the innocent one (1), or is silent;
 * a deadline may pass at any time once its question was read. The fallback is
 * allow.
 *
 * Checked at each answer: it is for the question that was meant; an evil
 * question that the product denied before its deadline is not allowed; the
 * innocent one is denied only by a monitor that found no verdict. At the end
 * every question has its answer and every number was given back (else the
 * process `end` waits for ever, which spin calls an invalid end state). That
 * the kernel takes no second answer is its own doing, and modelled so.
 *
 * Each mutation must make spin find an error:
 * NO_TABLE     the monitor allows what is open, without a look at the verdicts
 * NO_LOOK      a deadline fires without a last look at the answers
 * NO_CLEAR     a verdict outlives its question
 * NO_BUFFER    a successor does not look at what its predecessor had read
 * NO_SWEEP     a successor does not close what nobody knows any more
 * SWEEP_FIRST  it does so before it looked at what was read
 * CLOSE_FIRST  the number is given back before its entry is free
 * DROP_FIRST   what was read is forgotten before it stands in the table
 */
#define QUESTIONS 3
#define NUMBERS 2
#define INNOCENT 1
#ifndef DEATHS
#define DEATHS 2
#endif
#define NOBODY 15

#define NONE 0                          /* verdicts */
#define ALLOW 1
#define DENY 2

#define UNREAD 0                        /* a question, in the kernel */
#define PENDING 1
#define ANSWERED 2

#define FREE 0                          /* an entry of the table */
#define ASKED 1
#define DECIDED 2
#define DONE 3

/* The kernel's own. */
byte status[QUESTIONS], number_of[QUESTIONS], next;
bool number_open[NUMBERS];

/* Memory that outlives a worker. One entry for each number. */
bool read_full;
byte read_question, read_number;
byte state[NUMBERS], question[NUMBERS];
bool to_close[NUMBERS];
/* Memory that outlives the engine; meant[] is only for the checks. */
byte verdict[NUMBERS], meant[NUMBERS];

/* The product's regions, and time. */
bool asked[QUESTIONS], late[QUESTIONS], denied_in_time[QUESTIONS];
byte answer[QUESTIONS];

bool keeper_alive = true, keeper_died;
bool worker_alive, reply_runs, closer_runs;
byte deaths;

/* What no longer matters gets one value, so that spin sees fewer states. */
#define FORGET(q) asked[q] = true; late[q] = true; answer[q] = ALLOW; \
	denied_in_time[q] = false

/* write(2) of an answer: taken if the number is pending, else ENOENT. by: the
 * question that a worker has in mind; NOBODY for the monitor. */
inline kernel_answer(n, v, by)
{
	d_step {
		k = 0;
		do
		:: k == QUESTIONS -> break
		:: k < QUESTIONS && status[k] == PENDING && number_of[k] == n ->
			assert(by == NOBODY || by == k);
			assert(!denied_in_time[k] || v == DENY);
			assert(k != INNOCENT || v == ALLOW ||
			       (by == NOBODY && verdict[n] == NONE));
			assert(verdict[n] == NONE || meant[n] == k);
			status[k] = ANSWERED;
			FORGET(k);
			k++
		:: else -> k++
		od;
		k = 0
	}
}

/* read(2): the next question gets the lowest free number and stands in the
 * buffer. */
inline kernel_read()
{
	d_step {
		read_number = (number_open[0] -> 1 : 0);
		number_open[read_number] = true;
		number_of[next] = read_number;
		status[next] = PENDING;
		read_question = next;
		read_full = true;
		next++
	}
}

/* What was read goes into the table; a successor may come here again, and
 * finds that a dead worker came as far as that. */
inline enter(n)
{
#ifdef DROP_FIRST
	read_full = false;
#endif
	d_step {
		if
		:: state[n] == FREE -> question[n] = read_question
		:: else
		fi
	}
	d_step {
		if
		:: state[n] == FREE -> state[n] = ASKED
		:: else
		fi
	}
	d_step { read_full = false; read_number = 0; read_question = 0 }
}

inline enter_read()
{
	if
	:: read_number == 0 -> enter(0)
	:: else -> enter(1)
	fi
}

/* The table's verdict is written first: a successor or the monitor repeats
 * it. The guard is part of the first step: to die between them is to die
 * before both. */
inline decide(n, v)
{
	d_step { verdict[n] = v; meant[n] = question[n] }
	state[n] = DECIDED
}

#ifdef NO_LOOK
#define LAST_LOOK(n) ALLOW
#else
#define LAST_LOOK(n) (answer[question[n]] == NONE -> ALLOW : \
		      answer[question[n]])
#endif

inline finish(n)
{
#ifdef CLOSE_FIRST
	to_close[n] = true;
#endif
#ifndef NO_CLEAR
	verdict[n] = NONE;
#endif
	d_step { state[n] = FREE; question[n] = 0; meant[n] = 0 }
#ifndef CLOSE_FIRST
	to_close[n] = true
#endif
}

/* Before it reads anything, and before its closers run, a successor closes
 * each number that neither the table nor the buffer knows. */
inline sweep(n)
{
	d_step {
		if
		:: state[n] == FREE && !(read_full && read_number == n) ->
			to_close[n] = false;
			number_open[n] = false
		:: else
		fi
	}
}

#define WORK(n) \
	:: d_step { state[n] == ASKED && !asked[question[n]] -> \
		    asked[question[n]] = true } \
	:: state[n] == ASKED && answer[question[n]] != NONE -> \
		decide(n, answer[question[n]]) \
	:: state[n] == ASKED && late[question[n]] -> decide(n, LAST_LOOK(n)) \
	:: state[n] == DECIDED -> \
		kernel_answer(n, verdict[n], question[n]); \
		state[n] = DONE \
	:: state[n] == DONE -> finish(n)

active proctype reply()
{
	byte k;

end_wait:
	do
	:: reply_runs ->
		{
#ifdef NO_BUFFER
			d_step { read_full = false; read_number = 0;
				 read_question = 0 }
#endif
#ifdef SWEEP_FIRST
			d_step {
				if
				:: state[read_number] == FREE ->
					number_open[read_number] = false
				:: else
				fi
			}
#endif
			if
			:: read_full -> enter_read()
			:: else
			fi;
#ifndef NO_SWEEP
			sweep(0);
			sweep(1);
#endif
			closer_runs = true;
end_idle:		do
			:: next < QUESTIONS &&
			   (!number_open[0] || !number_open[1]) ->
				kernel_read();
				enter_read()
			WORK(0)
			WORK(1)
			od
		} unless { !worker_alive };
		d_step { k = 0; reply_runs = false }
	od
}

/* Takes a number from the queue, then closes it. */
active proctype closer()
{
end_wait:
	do
	:: closer_runs ->
		{
end_idle:		do
			:: to_close[0] ->
				to_close[0] = false;
				number_open[0] = false
			:: to_close[1] ->
				to_close[1] = false;
				number_open[1] = false
			od
		} unless { !worker_alive };
		closer_runs = false
	od
}

/* Starts the next worker when the last one is gone to its last thread. */
active proctype keeper()
{
end_wait:
	do
	:: d_step { keeper_alive && !worker_alive && !reply_runs &&
		    !closer_runs -> worker_alive = true; reply_runs = true }
	od
}

active proctype death()
{
end_wait:
	do
	:: d_step { worker_alive && deaths < DEATHS -> worker_alive = false;
		    deaths++ }
	:: d_step { keeper_alive && !keeper_died -> keeper_alive = false;
		    keeper_died = true; worker_alive = false }
	od
}

inline monitor_answer(n)
{
#ifdef NO_TABLE
	kernel_answer(n, ALLOW, NOBODY);
#else
	kernel_answer(n, (verdict[n] == NONE -> DENY : verdict[n]), NOBODY);
#endif
	verdict[n] = NONE
}

/* Both reaped: the engine's memory and descriptors are gone. */
active proctype monitor()
{
	byte k;

end_wait:
	!keeper_alive && !worker_alive && !reply_runs && !closer_runs;
	d_step {
		read_full = false;
		state[0] = FREE;
		state[1] = FREE;
		to_close[0] = false;
		to_close[1] = false;
		number_open[0] = false;
		number_open[1] = false
	}
	monitor_answer(0);
	monitor_answer(1);
	keeper_alive = true
}

inline say(q)
{
	d_step {
		answer[q] = (q == INNOCENT -> ALLOW : DENY);
		denied_in_time[q] = (q != INNOCENT && !late[q] &&
				     status[q] == PENDING)
	}
}

/* May stop answering at any time, for good. */
active proctype product()
{
end_wait:
	do
	:: asked[0] && answer[0] == NONE -> say(0)
	:: asked[1] && answer[1] == NONE -> say(1)
	:: asked[2] && answer[2] == NONE -> say(2)
	:: break
	od
}

active proctype clock()
{
end_wait:
	do
	:: status[0] == PENDING && !late[0] -> late[0] = true
	:: status[1] == PENDING && !late[1] -> late[1] = true
	:: status[2] == PENDING && !late[2] -> late[2] = true
	od
}

active proctype end()
{
	status[0] == ANSWERED && status[1] == ANSWERED &&
	    status[2] == ANSWERED && !number_open[0] && !number_open[1]
}
