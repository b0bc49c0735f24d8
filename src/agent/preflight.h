/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent/preflight.h - a content version is executed before it is believed
 *
 * Problem: content that passes every static check can still crash, hang or
 * blind the program that reads it. So the product's own executable loads the
 * candidate, in a jail, and is driven through questions with known answers.
 *
 * A *run* is one instance of the product and the engine's side of the wire
 * (proto/wire.h): HELLO with the comparison of schema and field count (C1),
 * subscriptions, mutes, rules, collections, READY; then the cases, one
 * question at a time, each with its deadline. The caller starts the process
 * and stops it; a run only has the other end of its session, and borrowed
 * directories. A *judgement* compares the candidate's run with that of the
 * version in use.
 *
 * Threads: one; nothing blocks, but for the reading of local files. The
 * caller polls the run's descriptors beside its own. Bounds: PREFLIGHT_CASES
 * cases, PREFLIGHT_QUESTIONS questions, plan->total_ms in all, an event's
 * deadline times PREFLIGHT_PATIENCE until silence is a hang. Library: it logs
 * nothing.
 *
 * A deferred question counts as its fallback (on_miss). A late answer is
 * asked for once more at the end, for the whole runs at idle priority: late
 * twice is a miss.
 */
#ifndef AGENT_PREFLIGHT_H
#define AGENT_PREFLIGHT_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/mono.h"
#include "base/result.h"
#include "config/manifest.h"

#define PREFLIGHT_CASES 4096u
#define PREFLIGHT_QUESTIONS 65536u      /* cases times repeat, and events */
#define PREFLIGHT_NAME 256u
#define PREFLIGHT_TEXT 256u
#define PREFLIGHT_LOGS 8u               /* last lines that it logged */
#define PREFLIGHT_TOTAL_MS 120000u
#define PREFLIGHT_PATIENCE 4u
#define PREFLIGHT_DIRECTORIES 4u        /* index: enum bailey_directory */
#define PREFLIGHT_FDS 2u                /* that a run wants to have polled */

/* X(SYMBOL, number, "name", "meaning"). From TIME on: could not tell. */
#define PREFLIGHT_VERDICT_TABLE(X)                                            \
	X(PASSED, 0, "passed", "every question was answered as expected")     \
	X(SCHEMA, 1, "schema",                                                \
	  "the running code states another schema or field count")            \
	X(CRASH, 2, "crash", "it was killed by a signal")                     \
	X(EXIT, 3, "exit", "it ended by itself")                              \
	X(NOT_READY, 4, "not-ready", "it was not ready in time")              \
	X(RULE, 5, "rule", "its rules were refused")                          \
	X(PROTOCOL, 6, "protocol", "it broke the protocol")                   \
	X(HANG, 7, "hang", "it did not answer at all")                        \
	X(MISS, 8, "miss", "it answered after the deadline, twice")           \
	X(WRONG, 9, "wrong-verdict", "a verdict was not the expected one")    \
	X(MEMORY, 10, "memory", "it used more memory than it may")            \
	X(SLOW, 11, "slow", "an event takes much longer than before")         \
	X(TIME, 12, "time", "the time for the whole was over")                \
	X(UNCLEAR, 13, "unclear", "it could not be tried")

enum preflight_verdict {
#define PREFLIGHT_ENUM(sym, num, name, help) PREFLIGHT_##sym = num,
	PREFLIGHT_VERDICT_TABLE(PREFLIGHT_ENUM)
#undef PREFLIGHT_ENUM
};

static inline bool preflight_could_not_tell(enum preflight_verdict verdict)
{
	return verdict >= PREFLIGHT_TIME;
}

/* One file that is asked about. */
struct preflight_case {
	char name[PREFLIGHT_NAME];      /* below the corpus folder; also said
					 * to people */
	char label[PREFLIGHT_NAME];     /* path that the product is told; "":
					 * "/corpus/" and the name */
	int fd;                         /* borrowed; -1: name is opened */
	uint32_t kind;                  /* enum bailey_event_kind, a question */
	uint32_t expect;                /* enum bailey_verdict; NONE: any */
	uint32_t repeat;                /* how often; 0 is 1 */
};

/* Everything is borrowed and outlives the run. */
struct preflight_plan {
	const struct manifest *manifest;
	bool check_schema;
	char schema[64];
	uint32_t fields;
	int directory[PREFLIGHT_DIRECTORIES];   /* handed over; -1: not */
	int corpus;                     /* folder of the cases; -1: none */
	int events;                     /* recorded events; -1: none */
	const struct preflight_case *cases;
	size_t count;
	uint32_t total_ms;              /* 0: PREFLIGHT_TOTAL_MS */
};

struct preflight_figures {
	uint32_t asked, answered, ruled, denied, deferred, late, missed, full;
	uint32_t wrong, news;
	uint64_t ready_ns;              /* from start to READY */
	uint64_t median_ns, p99_ns, slowest_ns; /* per answered question */
	uint64_t memory_bytes;          /* most seen resident; 0 unknown */
	uint64_t took_ns;               /* the whole run */
};

struct preflight_outcome {
	enum preflight_verdict verdict;
	char text[PREFLIGHT_TEXT];      /* for people: what, and where */
	char file[PREFLIGHT_NAME];      /* the case; "" none */
	char schema[64];                /* what the code stated */
	uint32_t fields;
	struct preflight_figures figures;
	char log[PREFLIGHT_LOGS][PREFLIGHT_TEXT];
	size_t logs;
};

struct preflight_run;

/* session: the engine's end; statm: /proc/PID/statm of the product, or -1.
 * Both are the run's from now on, even on failure. */
int preflight_run_new(const struct preflight_plan *plan, int session, int statm,
		      struct preflight_run **ret_run) must_use;
/* Null-safe; returns null. The process is the caller's. */
struct preflight_run *preflight_run_free(struct preflight_run *run);
/* What to poll for, and until when (several times a second: its memory).
 * Returns the number of entries. */
size_t preflight_run_poll(const struct preflight_run *run,
			  struct pollfd ret_poll[PREFLIGHT_FDS],
			  mono_t *ret_due);
/* Does what can be done now. True: it is over, the product may be stopped. */
bool preflight_run_turn(struct preflight_run *run);
/* The process is gone: its wait status, or -1 and a text. */
void preflight_run_ended(struct preflight_run *run, int status,
			 const char *text);
/* Gives up: verdict UNCLEAR with this text. */
void preflight_run_cancel(struct preflight_run *run, const char *text);
/* Borrowed; final once preflight_run_turn() said so. */
const struct preflight_outcome *
preflight_run_outcome(const struct preflight_run *run);

/* The candidate's outcome, and what its figures say beside those of the
 * version in use. baseline: null, or whatever came of that run; only one that
 * was driven to its end is compared with. */
struct preflight_result {
	struct preflight_outcome candidate;
	bool compared;
	struct preflight_figures baseline;
	uint32_t ratio_percent;         /* median to median; 0: not compared */
};

void preflight_judge(const struct preflight_outcome *candidate,
		     const struct preflight_outcome *baseline,
		     struct preflight_result *ret_result);

/* "passed", "crash", ...; never null. */
const char *preflight_verdict_name(enum preflight_verdict verdict);
/* One JSON object, malloc'd; null without memory. */
char *preflight_json(const struct preflight_result *result);

#endif
