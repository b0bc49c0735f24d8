/* SPDX-License-Identifier: Apache-2.0 */
/*
 * content/health.h - is a version on trial worse than the one before?
 *
 * Problem: look at every moment, take a bad version back within seconds, and
 * never a good one, however the load drifts and whatever one user does.
 *
 * Each measure is a bet against the version (an e-process): what would be won
 * by now, were it no worse than the limit. The chance that a version within
 * its limit ever wins 1/a is at most a, at whatever moment one looks. The
 * limits come from the version before and lie well above what it showed: drift
 * below them is no evidence. docs/decisions/016 has the formulas.
 *
 *	faults		crash, hang: one arm, against HEALTH_FAULT_RATE
 *	denials		two arms, over distinct objects
 *	misses		the same; most questions of the moment
 *	miss rate, latency, memory, processor, drops
 *			two arms, one bet per block of HEALTH_BLOCK_MS
 *
 * A block under a load that the version before never had, or in which one
 * user took most of the product's time, says nothing.
 *
 * Use: one struct health per product. The version before is observed for a
 * while (arm HEALTH_BEFORE), then health_begin, then the one on trial (arm
 * HEALTH_TRIAL). Without a version before the limits are the constants below.
 *
 * P10. An *observation* is one answer of the product: object and user as the
 * engine saw them. The user is the object's owner, if that is not root, else
 * the asker: what a user puts into files is his, whoever opens it. The same
 * object with the same outcome counts once until HEALTH_OBJECTS / 2 others
 * were seen. Each bet is made once more without each one user, and the least
 * of these counts: one user alone moves nothing. All uids from HEALTH_UID_MANY
 * on (subordinate ids) are one user.
 *
 * Pure, fixed size, no allocation. Times are the caller's.
 */
#ifndef CONTENT_HEALTH_H
#define CONTENT_HEALTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HEALTH_BUCKETS 32u              /* of latency: i has 2^i us and less */
#define HEALTH_USERS 64u
#define HEALTH_OBJECTS 2048u
#define HEALTH_UID_MANY 100000u
#define HEALTH_BLOCK_MS 10000u
#define HEALTH_BUDGET 1e-6              /* false reverts per trial */
#define HEALTH_FAULT_RATE 1e-7          /* faults per answer that are none of
					 * the content's */
#define HEALTH_FAULTS_KEPT 16u

enum health_arm { HEALTH_BEFORE = 0, HEALTH_TRIAL, HEALTH_ARMS };

#define HEALTH_VERDICT_TABLE(X)                                               \
	X(GO_ON, 0, "go-on")                                                  \
	X(GOOD, 1, "good")                                                    \
	X(REVERT, 2, "revert")

enum health_verdict {
#define HEALTH_ENUM(sym, num, name) HEALTH_##sym = num,
	HEALTH_VERDICT_TABLE(HEALTH_ENUM)
#undef HEALTH_ENUM
	HEALTH_VERDICTS
};

/* Measures. X(SYMBOL, number, "name", share of the budget in 1/16, "text");
 * one share is left for the bounds of the version before. */
#define HEALTH_MEASURE_TABLE(X)                                               \
	X(FAULTS, 0, "faults", 3, "it crashed or hung")                       \
	X(DENIALS, 1, "denials", 4,                                           \
	  "it denies much more than the version before")                      \
	X(MISSES, 2, "misses", 2, "it misses most deadlines")                 \
	X(MISS_RATE, 3, "miss-rate", 1,                                       \
	  "it misses more deadlines than the version before")                 \
	X(MEDIAN, 4, "p50", 1, "its median answer takes much longer")         \
	X(SLOWEST, 5, "p99", 1, "its slowest answers take much longer")       \
	X(MEMORY, 6, "memory", 1, "it uses much more memory")                 \
	X(PROCESSOR, 7, "processor", 1,                                       \
	  "it uses much more processor for an answer")                        \
	X(DROPS, 8, "drops", 1, "it loses much more news")

enum health_measure {
#define HEALTH_ENUM(sym, num, name, share, text) HEALTH_##sym = num,
	HEALTH_MEASURE_TABLE(HEALTH_ENUM)
#undef HEALTH_ENUM
	HEALTH_MEASURES
};

/* One answer, or the lack of one. */
struct health_observation {
	uint64_t object;                /* a hash of device, inode, version */
	uint32_t user;                  /* whom it is charged to, see above */
	bool denied, missed;
	uint64_t took_us;
};

/* What happened since the last call: differences of counters. */
struct health_delta {
	uint64_t elapsed_ms;            /* CLOCK_BOOTTIME, while it served */
	uint64_t asked, answered, missed, denied;
	uint64_t news, news_lost;
	uint64_t processor_us;
	uint64_t memory_bytes;          /* now; 0: not known */
	uint64_t latency[HEALTH_BUCKETS];       /* answers in each */
};

/* A fault as it was judged by a replay in the preflight jail. */
enum health_cause {
	HEALTH_UNCLEAR = 0,     /* did not come again */
	HEALTH_REPRODUCED,      /* with the new version, not with the old:
				 * reverts by itself */
	HEALTH_NOT_CONTENT      /* with the old one too: counts nothing */
};

#define HEALTH_NOBODY UINT32_MAX        /* user: nobody's question was open */

/* What the version must reach. */
struct health_goal {
	uint64_t bake_ms;
	uint64_t min_events;
};

struct health_user {
	uint32_t seen, denied, missed;  /* over distinct objects */
	uint32_t faults;
};

struct health_rates {
	struct health_user user[HEALTH_USERS];
	uint64_t object[HEALTH_OBJECTS];        /* open addressing; 0 free */
	uint32_t objects;
};

/* Being filled. Observations fill time, seen, missed and slow by user. */
struct health_block {
	struct health_delta sum;        /* memory: the lowest */
	uint64_t time_us[HEALTH_USERS];
	uint32_t seen[HEALTH_USERS], missed[HEALTH_USERS];
	uint32_t slow[HEALTH_USERS], slowest[HEALTH_USERS];
};

/* Blocks of the version before: the worst of each kind; misses: their sum. */
struct health_bound {
	uint32_t blocks;
	uint32_t median, slowest;       /* bucket of p50 and p99 */
	uint64_t asked, news;
	uint64_t memory_bytes;
	uint64_t processor_us;          /* of 1,000 answers */
	uint64_t lost;                  /* of 1,000 news */
	uint32_t missed;                /* of 1,000 questions */
};

struct health_bets {
	uint32_t blocks, bad;
};

struct health {
	uint32_t arm;                   /* enum health_arm */
	uint32_t tripped;               /* bit per measure that reverts */
	struct health_goal goal;
	uint64_t elapsed_ms, answered;  /* on trial */
	uint32_t faults;                /* at distinct objects, or at none */
	uint64_t fault_object[HEALTH_FAULTS_KEPT];
	uint32_t fault_objects;
	struct health_rates rates[HEALTH_ARMS];
	struct health_block block;
	struct health_bound bound;
	struct health_bets bets[HEALTH_MEASURES];
	double limit_denied;            /* by health_begin */
	double limit_missed;
};

void health_init(struct health *ret_health);
/* The version on trial is asked from now on. What was learned of the one
 * before stays. */
void health_begin(struct health *health, const struct health_goal *goal);
void health_observe(struct health *health,
		    const struct health_observation *observation);
void health_count(struct health *health, const struct health_delta *delta);
/* A crash or hang on trial. object and user of the question that was open:
 * two faults at one object are one. */
void health_fault(struct health *health, enum health_cause cause,
		  uint64_t object, uint32_t user);

/* ret_why: the measure, if it is REVERT; may be null. */
enum health_verdict health_verdict(const struct health *health,
				   enum health_measure *ret_why);

/* What a bet must have won to revert by this measure, and what it has won;
 * natural logs. */
double health_needs(enum health_measure measure);
double health_has_won(const struct health *health, enum health_measure measure);
const char *health_measure_name(uint32_t measure);
const char *health_measure_text(uint32_t measure);
const char *health_verdict_name(uint32_t verdict);

/*
 * The bets themselves. Natural log of what was won after n trials with k
 * successes against "at most q each", whatever came before each:
 * the mixture of (p/q)^k ((1-p)/(1-q))^(n-k) over p in (q, 1) with the density
 * of Beta(1/2, 1/2) there. q in (0, 1), k <= n.
 */
double health_won(uint64_t k, uint64_t n, double q);
/* An upper bound of a rate after k of n, by the same bet read backwards: the
 * rate is above it at no moment, but with chance a. 1 if n is 0. */
double health_upper(uint64_t k, uint64_t n, double a);

#endif
