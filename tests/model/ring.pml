/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ring.pml - can a queue of proto/wire.h lose a wake-up or show a half-written
 * entry?
 *
 * One writer and one reader, as between engine and product, in both
 * directions. Processors may hold stores back: each store first stands in a
 * buffer of its processor and reaches memory at any later time, in any order,
 * but that a store with release waits for the stores before it. A fence waits
 * until all stores of its processor are in memory. Loads see memory only, so
 * a processor may well load something newer before its own store is out: that
 * is what the sequentially consistent fences on both sides are there for.
 *
 * Checked: the reader takes every entry whole and in order, and both sides end
 * (spin finds a reader that sleeps for ever as an invalid end state).
 *
 * Each mutation must make spin find an error: NO_WRITER_FENCE,
 * NO_READER_FENCE, NO_SECOND_LOOK, NO_RELEASE, NO_WAKE.
 */
#define ITEMS 4

/* what all processors see */
byte head, sleeping;
bool entry[ITEMS];
/* stores that only the writer's processor knows of */
bool held_entry[ITEMS], held_head;
byte new_head;
/* and only the reader's */
bool held_sleeping;
byte new_sleeping;

chan wake = [2] of { bit };     /* O_NONBLOCK for the writer: full is fine */

#ifdef NO_RELEASE
#define RELEASED true
#else
#define RELEASED (!held_entry[0] && !held_entry[1] && !held_entry[2] && \
		  !held_entry[3])
#endif

/* The memory system: any held store may get through at any time. */
active proctype memory()
{
end:
	do
	:: atomic { held_head && RELEASED -> head = new_head;
		    held_head = false; new_head = 0 }
	:: atomic { held_sleeping -> sleeping = new_sleeping;
		    held_sleeping = false; new_sleeping = 0 }
	:: atomic { held_entry[0] -> entry[0] = true; held_entry[0] = false }
	:: atomic { held_entry[1] -> entry[1] = true; held_entry[1] = false }
	:: atomic { held_entry[2] -> entry[2] = true; held_entry[2] = false }
	:: atomic { held_entry[3] -> entry[3] = true; held_entry[3] = false }
	od
}

active proctype writer()
{
	byte written;

	do
	:: written == ITEMS -> break
	:: else ->
		held_entry[written] = true;
		written++;
		atomic { new_head = written; held_head = true }
#ifndef NO_WRITER_FENCE
		!held_head && RELEASED;
#endif
		if
		:: sleeping == 1 ->
#ifndef NO_WAKE
			if
			:: nfull(wake) -> wake!1
			:: full(wake)   /* EAGAIN: it will wake anyway */
			fi
#else
			skip
#endif
		:: else
		fi
	od
}

active proctype reader()
{
	byte taken;

	do
	:: taken == ITEMS -> break
	:: else ->
		if
		:: head != taken ->
			assert(entry[taken]);
			taken++
		:: else ->
			atomic { new_sleeping = 1; held_sleeping = true }
#ifndef NO_READER_FENCE
			!held_sleeping;
#endif
#ifndef NO_SECOND_LOOK
			if
			:: head != taken
			:: else -> wake?_
			fi;
#else
			wake?_;
#endif
			atomic { new_sleeping = 0; held_sleeping = true }
		fi
	od
}
