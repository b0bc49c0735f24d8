/* SPDX-License-Identifier: Apache-2.0 */
/*
 * content/decide.h - what a host does next about a product's content
 *
 * Problem: a version may be activated only under a lease that covers this
 * host, and if the customer agrees, and if the host is well; and must be
 * taken back when it fails or is revoked, with or without a network. Why it
 * was or was not must be answerable afterwards.
 *
 * So there is one pure function, decide(), shared by the host and by whoever
 * simulates a fleet. All that it looks at stands in struct decide_inputs,
 * without pointers; the inputs are written to the journal, and decide again
 * to the same result. It is total: whatever the inputs hold, it returns.
 *
 * What it keeps to:
 *
 *	- no lease, no new exposure; an expired one is none;
 *	- a missing or expired lease takes nothing away from what runs;
 *	- a customer's choice makes a host later, never earlier, but within
 *	  the lease for the early ring; override-allow lifts only his own;
 *	- a halt, a quarantine, a revocation never lead to an activation;
 *	- nothing that went well before makes anything sooner.
 *
 * How the caller uses it: fill in the inputs, decide, journal the inputs if
 * the decision is another than the last, do what it says, and decide again on
 * every news and when wait_s is over. If `accepted` is set, the lease is
 * remembered (lease_remember) with its time; if `admitted`, DECIDE_IS_LEASED
 * is remembered for its release.
 */
#ifndef CONTENT_DECIDE_H
#define CONTENT_DECIDE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/result.h"
#include "content/clock.h"
#include "content/health.h"
#include "content/lease.h"
#include "content/policy.h"

#define DECIDE_FORMAT 1u
#define DECIDE_VERSIONS 7u
#define DECIDE_SCHEMAS 8u
#define DECIDE_LIMITS_BYTES 8192u       /* of policy.json */
#define DECIDE_NONE UINT32_MAX  /* no index */
#define DECIDE_BYTES 512u       /* of encoded inputs, at most: a journal's
				 * payload */
#define DECIDE_AGE_MOST_S ((1u << 28) - 1u)     /* older counts as this old */
#define DECIDE_TIME_MOST_S (1ll << 50)
#define DECIDE_POLL_S 60u       /* without a lease */
#define DECIDE_RETRY_S 60u      /* while something of the host's is missing */

/* How far a version is on this host. X(SYMBOL, number, "name") */
#define DECIDE_STATE_TABLE(X)                                                 \
	X(LISTED, 0, "listed")          /* signed metadata name it */         \
	X(FETCHED, 1, "fetched")        /* its files are in a slot */         \
	X(VERIFIED, 2, "verified")                                            \
	X(PREFLIGHTED, 3, "preflighted")                                      \
	X(TRIAL, 4, "trial")                                                  \
	X(GOOD, 5, "good")                                                    \
	X(QUARANTINED, 6, "quarantined")

enum decide_state {
#define DECIDE_ENUM(sym, num, name) DECIDE_##sym = num,
	DECIDE_STATE_TABLE(DECIDE_ENUM)
#undef DECIDE_ENUM
	DECIDE_STATES
};

/* X(SYMBOL, bit, "name") */
#define DECIDE_FLAG_TABLE(X)                                                  \
	/* the publisher took it back */                                      \
	X(REVOKED, 0, "revoked")                                              \
	/* its metadata have expired: nothing new with it */                  \
	X(EXPIRED, 1, "expired")                                              \
	/* as its publisher signed */                                         \
	X(URGENT, 2, "urgent")                                                \
	/* an accepted lease once admitted this host to it */                 \
	X(LEASED, 3, "leased")                                                \
	/* the lease says so (decide_lease) */                                \
	X(HALTED, 4, "halted")                                                \
	X(BARRED, 5, "quarantined-by-lease")                                  \
	/* the running code reads another schema or number of fields */       \
	X(MISFIT, 6, "schema")                                                \
	/* policy.json does not list its schema */                            \
	X(FOREIGN, 7, "schema-not-listed")

enum decide_flag {
#define DECIDE_ENUM(sym, bit, name) DECIDE_IS_##sym = 1 << bit,
	DECIDE_FLAG_TABLE(DECIDE_ENUM)
#undef DECIDE_ENUM
	DECIDE_FLAGS = 255
};

/* A version that this host knows of, from verified metadata only. The caller
 * keeps its hash and name, by its index. */
struct decide_version {
	uint64_t number, floor;
	uint32_t class;                 /* enum version_class */
	uint32_t state;                 /* enum decide_state */
	uint32_t flags;                 /* enum decide_flag */
	uint32_t files;
	uint64_t bytes;
	uint32_t bake_s, min_events;
	uint32_t seen_s;                /* since this host first knew of it */
	uint32_t retry_s;               /* not tried again before; 0: free */
};

/* The lease as far as it concerns this host: decide_lease. */
struct decide_lease {
	uint32_t given;                 /* 0: none */
	uint32_t release;               /* index; DECIDE_NONE: not known here */
	uint32_t roll_back;             /* 1: it names a version to go back to
					 * (known here or not) */
	uint32_t back;                  /* index of that, or DECIDE_NONE */
	uint64_t bound[LEASE_RINGS];    /* of its stratum */
	uint32_t rings;                 /* bit per ring that takes part */
	uint32_t dwell_s[LEASE_RINGS];
	uint32_t poll_s, jitter_s;
	uint32_t passes, passes_needed;
	int64_t valid_until_s;
	uint32_t age_s;                 /* CLOCK_BOOTTIME since it came */
	uint32_t life_s;                /* valid_until - now when it came */
};

/* The last lease that was accepted. */
struct decide_prior {
	uint32_t known;                 /* 0: never one */
	uint32_t same;                  /* 1: it named the same release */
	uint32_t reach, rings;
	uint32_t dwell_s[LEASE_RINGS];
	uint32_t age_s;                 /* CLOCK_BOOTTIME since then */
};

/* policy.json: the bounds of the data class. */
struct decide_limits {
	uint32_t given;                 /* 0: there is none */
	uint32_t max_files;
	uint64_t max_bytes;
	uint32_t min_interval_s, min_bake_s, min_events;
};

struct decide_inputs {
	int64_t now_s;                  /* clock_now */
	uint32_t trust;                 /* enum clock_trust: for people */
	uint32_t weekday, minute;       /* local; weekday 0 is Sunday */

	/* The newest verified lease, accepted or not. */
	struct decide_lease lease;
	struct decide_prior prior;

	/* The customer. */
	struct policy policy[LEASE_CLASSES];
	uint32_t pinned[LEASE_CLASSES]; /* index: decide_pin; DECIDE_NONE */

	/* The host. */
	uint64_t bucket;                /* lease_bucket */
	uint32_t unhealthy;             /* 1: nothing new now */
	uint32_t affordable;            /* 1: it can run a preflight */

	/* Versions, in any order: the running one, those the lease and the
	 * policy name, then the newest. */
	uint32_t versions;
	struct decide_version version[DECIDE_VERSIONS];
	uint32_t running;               /* index, or DECIDE_NONE */
	uint32_t verdict;               /* enum health_verdict, if on trial */
	uint32_t trial_s;               /* how long it has been on trial */
	struct decide_limits limits;
	uint32_t data_known;            /* 1: data was activated before... */
	uint32_t data_age_s;            /* ...this long ago */
};

/* What an age counts as. */
static inline uint32_t decide_age(uint64_t seconds)
{
	return seconds < DECIDE_AGE_MOST_S ? (uint32_t)seconds
					   : DECIDE_AGE_MOST_S;
}

/* No lease, no version, every index DECIDE_NONE, default policies. */
void decide_begin(struct decide_inputs *ret_inputs);
/*
 * The lease's word on this host: fills inputs->lease, ->prior and the flags
 * HALTED and BARRED of the versions; age and life are the caller's. hash: of
 * each version, in their order. lease may be null: none.
 */
void decide_lease(struct decide_inputs *inputs, const struct lease *lease,
		  const char *stratum, const struct lease_prior *prior,
		  const uint8_t (*hash)[VERSION_HASH]);
/* The version that a policy's words mean, or DECIDE_NONE; of several, the
 * one with the highest number. */
uint32_t decide_pin(const struct decide_inputs *inputs, const char *text,
		    const char *const *name,
		    const uint8_t (*hash)[VERSION_HASH]);

#define DECIDE_ACTION_TABLE(X)                                                \
	X(NONE, 0, "none")              /* nothing to do */                   \
	X(FETCH, 1, "fetch")            /* fill its slot, and verify */       \
	X(PREFLIGHT, 2, "preflight")                                          \
	X(ACTIVATE, 3, "activate")      /* on trial */                        \
	X(HOLD, 4, "hold")              /* something stands in the way */     \
	X(REVERT, 5, "revert")          /* to the target, at once */

enum decide_action {
#define DECIDE_ENUM(sym, num, name) DECIDE_DO_##sym = num,
	DECIDE_ACTION_TABLE(DECIDE_ENUM)
#undef DECIDE_ENUM
	DECIDE_ACTIONS
};

/* Why. X(SYMBOL, number, "name", "by", "text"); numbers stay as they are:
 * journals have them. by: whose word it is. */
#define DECIDE_REASON_TABLE(X)                                                \
	X(INPUT, 0, "bad-input", "host",                                      \
	  "what the decision was to be made from makes no sense")             \
	X(CURRENT, 1, "current", "lease",                                     \
	  "it runs the version that it should")                               \
	X(NEWER_RUNS, 2, "newer-runs", "lease",                               \
	  "what runs is newer than what is released")                         \
	X(GO, 3, "go", "lease",                                               \
	  "the lease admits this host, and nothing stands against it")        \
	X(LOCAL_GO, 4, "go-local", "policy",                                  \
	  "the administrator's own policy stands for the gate")               \
	X(PASSED_ELSEWHERE, 5, "passed-elsewhere", "lease",                   \
	  "no preflight here: enough hosts like this one passed it")          \
	X(REVOKED, 6, "revoked", "publisher", "its publisher took it back")   \
	X(QUARANTINED, 7, "quarantined", "host",                              \
	  "it failed on this host before")                                    \
	X(QUARANTINED_THERE, 8, "quarantined-by-lease", "lease",              \
	  "the gate says that it fails")                                      \
	X(TRIAL_FAULT, 9, "trial-fault", "trial", "it failed on trial")       \
	X(ROLL_BACK, 10, "roll-back", "publisher",                            \
	  "the gate says to go back")                                         \
	X(NO_OTHER, 11, "no-other", "host",                                   \
	  "it should go back, but no earlier good version is here")           \
	X(ON_TRIAL, 12, "on-trial", "trial", "what runs is still on trial")   \
	X(TRIAL_GOOD, 13, "trial-good", "trial", "it passed its trial")       \
	X(NO_LEASE, 14, "no-lease", "lease",                                  \
	  "no lease: nothing new is activated")                               \
	X(LEASE_EXPIRED, 15, "lease-expired", "lease",                        \
	  "the lease has ended: nothing new is activated")                    \
	X(LEASE_JUMP, 16, "lease-jump", "lease",                              \
	  "the lease jumps over a ring within that ring's time")              \
	X(NOT_ADMITTED, 17, "not-admitted", "lease",                          \
	  "it is not this host's turn yet")                                   \
	X(HALTED, 18, "halted", "lease", "the rollout was halted")            \
	X(UNKNOWN, 19, "unknown-release", "lease",                            \
	  "the lease names a version that is not listed here")                \
	X(EXPIRED, 20, "expired", "publisher", "its signatures have expired") \
	X(BELOW_FLOOR, 21, "below-floor", "publisher",                        \
	  "it is older than what runs may go back to")                        \
	X(SCHEMA, 22, "schema", "host",                                       \
	  "the running code reads another schema or field count")             \
	X(NO_LIMITS, 23, "no-limits", "publisher",                            \
	  "the publisher states no bounds for data")                          \
	X(LIMITS, 24, "limits", "publisher",                                  \
	  "it is outside of the bounds of data")                              \
	X(INTERVAL, 25, "interval", "publisher",                              \
	  "data may not follow data that soon")                               \
	X(PAUSED, 26, "paused", "policy", "paused")                           \
	X(PINNED, 27, "pinned", "policy", "pinned to the version that runs")  \
	X(PIN_UNKNOWN, 28, "pin-unknown", "policy",                           \
	  "pinned to a version that is not known here")                       \
	X(BEHIND, 29, "behind", "policy",                                     \
	  "it stays one or two versions behind, and no such one is known")    \
	X(DELAYED, 30, "delayed", "policy", "the customer's delay")           \
	X(WINDOW, 31, "window", "policy",                                     \
	  "it waits for the maintenance window")                              \
	X(POLICY_BROKEN, 32, "policy-broken", "policy",                       \
	  "a mistake in the policy's files: nothing new is activated")        \
	X(OVERRIDE_PAUSE, 33, "override-pause", "policy",                     \
	  "override-pause: nothing is changed")                               \
	X(OVERRIDE_REVERT, 34, "override-revert", "policy",                   \
	  "the administrator went back from it")                              \
	X(UNHEALTHY, 35, "unhealthy", "host", "the host is not well itself")  \
	X(UNAFFORDABLE, 36, "unaffordable", "host",                           \
	  "it cannot run a preflight, and too few hosts like it passed it")   \
	X(RETRY, 37, "retry", "host", "it failed lately, and waits")          \
	X(NOTHING, 38, "nothing", "host", "no version is known")

enum decide_reason {
#define DECIDE_ENUM(sym, num, name, by, text) DECIDE_BECAUSE_##sym = num,
	DECIDE_REASON_TABLE(DECIDE_ENUM)
#undef DECIDE_ENUM
	DECIDE_REASONS
};

struct decision {
	uint32_t action;                /* enum decide_action */
	uint32_t reason;                /* enum decide_reason */
	uint32_t target;                /* index of the version that it is
					 * about, or DECIDE_NONE */
	uint32_t poll_s;                /* look for news after */
	uint64_t wait_s;                /* decide again after; 0: on news */
	uint32_t accepted;              /* 1: remember the lease */
	uint32_t admitted;              /* 1: remember that its release is
					 * DECIDE_IS_LEASED */
};

struct decision decide(const struct decide_inputs *inputs);

/* What the trial of a version takes: signed with it, and not less than
 * policy.json asks of data. */
uint32_t decide_bake_s(const struct decide_version *version,
		       const struct decide_limits *limits);
uint32_t decide_min_events(const struct decide_version *version,
			   const struct decide_limits *limits);

/* Names and texts; "?" for what is none of the table. */
const char *decide_action_name(uint32_t action);
const char *decide_reason_name(uint32_t reason);
const char *decide_reason_by(uint32_t reason);
const char *decide_reason_text(uint32_t reason);
const char *decide_state_name(uint32_t state);

/* Whether counts, enumerations and texts are within bounds: what decodes is,
 * and only such encode. */
bool decide_sound(const struct decide_inputs *inputs);
/* Bytes written, or -EINVAL (not sound), -ENOSPC. Same inputs, same bytes. */
int decide_encode(const struct decide_inputs *inputs, void *ret_bytes,
		  size_t size) must_use;
/* 0; -EBADMSG: not what decide_encode writes, to the last byte. */
int decide_decode(const void *bytes, size_t length,
		  struct decide_inputs *ret_inputs) must_use;

/* policy.json; ret_schemas: those that data may have, ret_count of them. 0,
 * -EBADMSG with the reason, -EFBIG, -ENOMEM. */
int decide_limits_parse(const void *bytes, size_t length,
			struct decide_limits *ret_limits,
			char ret_schema[DECIDE_SCHEMAS][VERSION_TEXT],
			uint32_t *ret_schemas, struct lease_error *ret_error)
	must_use;

#endif
