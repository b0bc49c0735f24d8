/* SPDX-License-Identifier: Apache-2.0 */
/*
 * content/state.h - the state of a product's versions: a pure fold of records
 *
 *   fetched -> verified -> preflighted -> trial -> good
 *      \__________\____________\____________\_______\___> quarantined
 *
 * State is what state_apply() makes of the journal's records in their order,
 * and of nothing else: no clock, no disk. The tables below are all of it: which
 * record is permitted in which state, and which state follows. What is not
 * permitted is refused and changes nothing.
 *
 * fetched      its description is known; it has no slot
 * verified     its slot is whole; files are as the signed description says
 * preflighted  the real product passed with it in a jail
 * trial        in use, and watched: *pending*
 * good         its trial ended well
 * quarantined  by hash, until it is lifted
 *
 * Quarantine (content.md). While a version is on trial its faults are counted:
 * STATE_CRASHES of them, or faults on STATE_OBJECTS different objects, put it
 * into quarantine; so does, at any time, one that the preflight jail reproduced
 * with this version and not with the one before. A fault without an object
 * (key 0: nothing was being asked) counts as a crash only. A fault that the
 * version before has too is CLEARED: what a user puts into a file cannot revert
 * content. The rule is part of the fold, so that the record of the fault is the
 * decision too. A host that went down without a word while a version was on
 * trial counts as interrupted: from the second time on the version goes back,
 * at the fourth it is quarantined.
 *
 * Going back leads to the newest good version that has a slot, is not below the
 * floor that a good version set, and was not gone back from; if all were,
 * to the newest of those; else to none. Past success counts for nothing: a
 * version that lost its slot, or was lifted, starts again.
 *
 * Bounds: STATE_VERSIONS. When full, the fetched version that was touched
 * longest ago is forgotten; a quarantined one never: then it is refused.
 */
#ifndef CONTENT_STATE_H
#define CONTENT_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/result.h"
#include "content/journal.h"

#define STATE_VERSIONS 256u
#define STATE_KEPT 3u                   /* N, N-1, N-2 */
#define STATE_READY 2u                  /* slots of those not yet good */
#define STATE_CRASHES 3u
#define STATE_OBJECTS 2u
#define STATE_INTERRUPTED_BACK 2u
#define STATE_INTERRUPTED_OUT 4u
#define STATE_NAME 64u                  /* of a version, with its NUL */
#define STATE_MEMORY JOURNAL_PAYLOAD

/* X(SYMBOL, number, "name") */
#define STATE_TABLE(X)                                                        \
	X(NONE, 0, "unknown")                                                 \
	X(FETCHED, 1, "fetched")                                              \
	X(VERIFIED, 2, "verified")                                            \
	X(PREFLIGHTED, 3, "preflighted")                                      \
	X(TRIAL, 4, "trial")                                                  \
	X(GOOD, 5, "good")                                                    \
	X(QUARANTINED, 6, "quarantined")

enum state_id {
#define STATE_ENUM(sym, num, name) STATE_##sym = num,
	STATE_TABLE(STATE_ENUM)
#undef STATE_ENUM
	STATES
};

/* Who wants it. X(SYMBOL, number, "name") */
#define STATE_BY_TABLE(X)                                                     \
	X(BAILEY, 0, "bailey")          /* the machinery itself */            \
	X(PERSON, 1, "person")                                                \
	X(POLICY, 2, "policy")                                                \
	X(LEASE, 3, "lease")                                                  \
	X(PREFLIGHT, 4, "preflight")                                          \
	X(TRIAL, 5, "trial")                                                  \
	X(PUBLISHER, 6, "publisher")    /* by a signed statement */           \
	X(RECOVERY, 7, "recovery")      /* after a crash */

enum state_by {
#define STATE_ENUM(sym, num, name) STATE_BY_##sym = num,
	STATE_BY_TABLE(STATE_ENUM)
#undef STATE_ENUM
	STATE_BYS
};

#define STATE_FROM(sym) (1u << STATE_##sym)
#define STATE_FROM_HOST 0u              /* about no version: hash is 0 */
#define STATE_FROM_WHOLE (STATE_FROM(VERIFIED) | STATE_FROM(PREFLIGHTED) |    \
			  STATE_FROM(TRIAL) | STATE_FROM(GOOD))
#define STATE_FROM_USABLE (STATE_FROM(PREFLIGHTED) | STATE_FROM(GOOD))
#define STATE_FROM_KNOWN (STATE_FROM_WHOLE | STATE_FROM(FETCHED) |            \
			  STATE_FROM(QUARANTINED))
#define STATE_FROM_ANY (STATE_FROM_KNOWN | STATE_FROM(NONE))
#define STATE_SAME STATES

/*
 * X(SYMBOL, number, "name", from, to, note)
 * to: STATE_SAME where it stays, or where the body of the fold decides.
 * note: store_note() takes it; the others have a call of their own.
 */
#define STATE_EVENT_TABLE(X)                                                  \
	/* the journal begins, or begins again: reason says why */            \
	X(START, 1, "start", STATE_FROM_HOST, STATE_SAME, 0)                  \
	/* a rewritten journal: state starts anew here, with HOST, VERSIONs */ \
	X(BASE, 2, "base", STATE_FROM_HOST, STATE_SAME, 0)                    \
	X(HOST, 3, "host", STATE_FROM_HOST, STATE_SAME, 0)                    \
	X(VERSION, 4, "version", STATE_FROM(NONE), STATE_SAME, 0)             \
	/* payload: struct state_facts */                                     \
	X(FETCHED, 10, "fetched", STATE_FROM(NONE), STATE_FETCHED, 0)         \
	X(VERIFIED, 11, "verified", STATE_FROM(FETCHED), STATE_VERIFIED, 0)   \
	/* the journal was lost; `current` leads to this whole slot */        \
	X(ADOPTED, 12, "adopted", STATE_FROM(NONE), STATE_GOOD, 0)            \
	X(UNFIT, 13, "unfit", STATE_FROM_KNOWN, STATE_SAME, 1)                \
	X(PUT_OFF, 14, "put-off", STATE_FROM_KNOWN, STATE_SAME, 1)            \
	X(PREFLIGHTED, 15, "preflighted", STATE_FROM(VERIFIED),               \
	  STATE_PREFLIGHTED, 1)                                               \
	X(ACTIVATING, 20, "activating", STATE_FROM_USABLE, STATE_SAME, 0)     \
	/* begun, and cut short: never in use */                              \
	X(ABANDONED, 21, "abandoned", STATE_FROM_USABLE, STATE_SAME, 0)       \
	X(TRIAL, 22, "trial", STATE_FROM_USABLE, STATE_TRIAL, 0)              \
	X(GOOD, 23, "good", STATE_FROM(TRIAL), STATE_GOOD, 0)                 \
	/* hash: where to; what was in use goes from trial to preflighted */  \
	X(REVERTED, 24, "reverted", STATE_FROM(GOOD), STATE_SAME, 0)          \
	/* the same where there is no good version: nothing is in use */      \
	X(WITHDRAWN, 25, "withdrawn", STATE_FROM_HOST, STATE_SAME, 0)         \
	X(INTERRUPTED, 26, "interrupted", STATE_FROM(TRIAL), STATE_SAME, 0)   \
	/* what is in use failed before it was known to be good: its trial    \
	 * goes on */                                                         \
	X(REOPENED, 29, "reopened", STATE_FROM(GOOD), STATE_TRIAL, 0)         \
	/* an orderly end of the agent: not an interruption */                \
	X(STOPPED, 27, "stopped", STATE_FROM_HOST, STATE_SAME, 0)             \
	/* the agent is there again, the trial goes on */                     \
	X(STARTED, 28, "started", STATE_FROM_HOST, STATE_SAME, 0)             \
	X(FAULT, 30, "fault", STATE_FROM_WHOLE, STATE_SAME, 0)                \
	/* hash, object: that fault is not the content's */                   \
	X(CLEARED, 31, "cleared", STATE_FROM_WHOLE, STATE_SAME, 1)            \
	X(REPRODUCED, 32, "reproduced", STATE_FROM_WHOLE,                     \
	  STATE_QUARANTINED, 0)                                               \
	X(QUARANTINED, 33, "quarantined", STATE_FROM_ANY,                     \
	  STATE_QUARANTINED, 0)                                               \
	X(LIFTED, 34, "lifted", STATE_FROM(QUARANTINED), STATE_SAME, 0)       \
	/* its slot goes: nobody needs it; it is not whole */                 \
	X(REMOVING, 35, "removing", STATE_FROM_KNOWN, STATE_SAME, 0)          \
	X(DAMAGED, 36, "damaged", STATE_FROM_KNOWN, STATE_SAME, 0)            \
	X(PINNED, 40, "pinned", STATE_FROM_ANY, STATE_SAME, 0)                \
	X(UNPINNED, 41, "unpinned", STATE_FROM_HOST, STATE_SAME, 0)           \
	/* number: until, seconds since 1970; 0: until RESUMED */             \
	X(PAUSED, 42, "paused", STATE_FROM_HOST, STATE_SAME, 0)               \
	X(RESUMED, 43, "resumed", STATE_FROM_HOST, STATE_SAME, 0)             \
	/* payload: what the caller wants to find again, all of it */         \
	X(REMEMBER, 44, "remember", STATE_FROM_HOST, STATE_SAME, 0)           \
	/* for people: a decision, its inputs as payload (text) */            \
	X(DECIDED, 45, "decided", STATE_FROM_ANY, STATE_SAME, 1)              \
	X(NOTE, 46, "note", STATE_FROM_ANY, STATE_SAME, 1)

enum state_event {
#define STATE_ENUM(sym, num, name, from, to, note) STATE_EVENT_##sym = num,
	STATE_EVENT_TABLE(STATE_ENUM)
#undef STATE_ENUM
	STATE_EVENTS = 64
};

/* What a description says, as far as decisions need it without its slot. */
struct state_facts {
	uint64_t number;
	uint64_t floor;
	char name[STATE_NAME];
	uint32_t kind;                  /* enum version_class */
	uint32_t reserved;
};

/* Saved as it is: no padding. */
struct state_version {
	uint8_t hash[JOURNAL_HASH];
	struct state_facts facts;
	struct journal_time since;      /* in this state */
	uint64_t touched;               /* sequence of its last record */
	uint64_t good;                  /* sequence of GOOD; 0 */
	uint64_t admitted;              /* sequence of VERIFIED; 0 */
	uint8_t object[STATE_OBJECTS][JOURNAL_OBJECT]; /* of its faults */
	uint32_t objects;
	uint32_t crashes;
	uint32_t interrupted;
	uint32_t reverts;               /* how often it was gone back from */
	uint32_t state;                 /* enum state_id */
	uint32_t by;                    /* enum state_by: of the state */
	uint8_t kept;                   /* it has a whole slot */
	uint8_t left;                   /* gone back from since it was good */
	uint8_t lifted;                 /* the publisher lifted it once */
	uint8_t reserved[5];
};

static_assert(sizeof(struct state_version) == 240, "state_version layout");
static_assert(sizeof(struct state_version) <= JOURNAL_PAYLOAD,
	      "a version fits a record");

/* The product's. Saved as it is. */
struct state_host {
	uint8_t active[JOURNAL_HASH];   /* 0: none */
	uint8_t pin[JOURNAL_HASH];      /* 0: none */
	uint64_t floor;                 /* highest of those that became good */
	uint64_t paused_until_s;        /* 0: until resumed */
	uint32_t paused;
	uint32_t stopped;               /* the last agent ended in order */
	uint8_t boot_id[16];            /* of the last record */
};

struct state {
	struct state_host host;
	uint8_t activating[JOURNAL_HASH]; /* 0: none */
	uint32_t memory_size;
	uint8_t memory[STATE_MEMORY];
	uint64_t refused;               /* records that were not permitted */
	size_t count;
	struct state_version version[STATE_VERSIONS];
	char reason[STATE_VERSIONS][JOURNAL_REASON]; /* of version[i]'s state */
};

/* Conditions of state_may. */
enum state_refusal {
	STATE_MAY,
	STATE_NOT_FROM_HERE,            /* its state does not permit it */
	STATE_FULL,                     /* STATE_VERSIONS */
	STATE_NO_RECORD                 /* not one of the table, or malformed */
};

void state_init(struct state *state);
/* Whether the record is permitted now. Changes nothing. */
int state_may(const struct state *state,
	      const struct journal_record *record) must_use;
/* The fold. Returns what state_may does; unless that is STATE_MAY the state is
 * unchanged, but for `refused`. */
int state_apply(struct state *state, const struct journal_record *record);

/* Null if it is not known. */
const struct state_version *state_find(const struct state *state,
				       const uint8_t hash[JOURNAL_HASH]);
const char *state_reason(const struct state *state,
			 const struct state_version *version);
/* What is in use: trial or good; null: nothing. */
const struct state_version *state_active(const struct state *state);
/* To what it would go back from what is in use; null: to nothing. */
const struct state_version *state_back(const struct state *state);
/* The good ones that are kept, newest first: N, N-1, N-2. Returns how many. */
size_t state_newest(const struct state *state,
		    const struct state_version *ret_newest[STATE_KEPT]);
/* Whether its slot may not be removed. */
bool state_needs(const struct state *state,
		 const struct state_version *version);
/* Whether the rule above would quarantine it. */
bool state_bad(const struct state_version *version);

/*
 * The records that make this state from nothing, for a rewritten journal:
 * record number index, 0 is BASE. 0; 1: there are no more.
 */
int state_save(const struct state *state, size_t index,
	       struct journal_record *ret_record) must_use;

const char *state_name(uint32_t state);         /* "?" if there is none */
const char *state_event_name(uint32_t event);
const char *state_by_name(uint32_t by);
bool state_event_is_note(uint32_t event);

#endif
