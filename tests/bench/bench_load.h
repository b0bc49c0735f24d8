/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/bench/bench_load.h - a host at work, and somebody who means ill
 *
 * While a fault is made, processes of their own open and start things and note
 * how long each took:
 *   innocents  one user: 100 opens a second, 10 program starts a second
 *   evil       another user: the same four files, every 2 ms each; one of
 *              them by a working directory that was entered before, too
 *   waiters    a third user: 1,000 threads that open what is never answered
 *   stormers   a third user: 100 threads that open as fast as they can
 * All but that one open by whole paths, as a program does that was started
 * anywhere: what is mounted over the tree later is then what they meet.
 *
 * The notes lie in memory that they share with us; each list has one writer
 * and a fixed room. What does not fit is dropped and counted.
 */
#ifndef BENCH_LOAD_H
#define BENCH_LOAD_H

#include <stdbool.h>
#include <stdint.h>

#include "bench/bench_server.h"
#include "bench/bench_stat.h"

#define LOAD_NOTES 49152u

/* X(SYMBOL, "name", "files", us between two, by its whole path); evil ones by
 * what denies them */
#define LOAD_TABLE(X)                                                         \
	X(OPENS, "opens", "user", 10000, true)          /* innocent */        \
	X(EXECS, "execs", "trivial", 100000, true)      /* innocent */        \
	X(EVIL_ADMIN, "admin", "admin_evil", 2000, true) /* by his rule */    \
	X(EVIL_CWD, "cwd", "admin_evil", 2000, false)   /* the same file */   \
	X(EVIL_RULE, "rule", "rule_evil", 2000, true)   /* a product's rule */\
	X(EVIL_OBJECT, "object", "object_evil", 2000, true) /* its answer */  \
	X(EVIL_ONCE, "once", "once_evil", 2000, true)   /* the same, once */

enum load_kind {
#define X(sym, name, files, us, whole) LOAD_##sym,
	LOAD_TABLE(X)
#undef X
	LOAD_KINDS
};

struct load_note {
	uint32_t at_us;                 /* begin, since load_start() */
	uint32_t took_us;
	uint32_t allowed;
};

struct load_list {
	uint32_t count, dropped, backwards;
	struct load_note note[LOAD_NOTES];
};

struct load {
	_Atomic int stop;
	uint64_t start_ns;
	pid_t child[LOAD_KINDS];
	pid_t crowd;                    /* waiters or stormers */
	struct load_list list[LOAD_KINDS];
};

const char *load_name(enum load_kind kind);
/* Makes the files that the load opens. */
int load_files(struct server *server) __attribute__((warn_unused_result));

struct load *load_new(void);            /* null: no memory */
struct load *load_free(struct load *load);      /* null-safe, returns null */

#define LOAD_ALL ((1u << LOAD_KINDS) - 1u)
#define LOAD_INNOCENT (1u << LOAD_OPENS | 1u << LOAD_EXECS)

/* Starts the kinds in the mask (1 << LOAD_*); forgets older notes. */
int load_start(struct load *load, const struct server *server, unsigned kinds)
	__attribute__((warn_unused_result));
/* Threads that open name0, name1...; pause_us between two opens of one. */
int load_crowd(struct load *load, const struct server *server,
	       const char *name, unsigned threads, unsigned pause_us)
	__attribute__((warn_unused_result));
/* Ends all of them. Those that hang in an open are killed. */
void load_stop(struct load *load);
uint32_t load_now_us(const struct load *load);

/* Of what began in [from, to), or was still going on at from: */
uint32_t load_longest_us(const struct load *load, enum load_kind kind,
			 uint32_t from, uint32_t to);
/* ... the sum of what each took beyond 1 ms */
uint32_t load_stalled_us(const struct load *load, enum load_kind kind,
			 uint32_t from, uint32_t to);
/* Times that the clock of the machine was seen to go back. */
uint32_t load_backwards(const struct load *load);
/* Notes that had no room: figures of such a run are not to be had. */
uint32_t load_dropped(const struct load *load);
double load_p99_us(const struct load *load, enum load_kind kind, uint32_t from,
		   uint32_t to);
/* ... only what began in it */
uint32_t load_count(const struct load *load, enum load_kind kind, bool allowed,
		    uint32_t from, uint32_t to);
/* When the last of those that were allowed from `from` on had been: until none
 * was for LOAD_QUIET_US. A miss seconds later is another matter. */
#define LOAD_QUIET_US 250000u
uint32_t load_last_allowed_us(const struct load *load, enum load_kind kind,
			      uint32_t from, uint32_t to);

#endif
