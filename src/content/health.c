/* SPDX-License-Identifier: Apache-2.0 */
#include "content/health.h"

#include <math.h>
#include <string.h>

#include "base/hash.h"

#define SHARES 16.0
#define MARGIN 2.0              /* of a rate over its upper bound */
#define DENIED_LEAST 0.1        /* share of objects, whatever was before */
#define DENIED_MOST 0.3         /* ...when nothing is known of before */
#define MISSED_LEAST 0.5
#define SUSPICION 3.0           /* e^3: 20 to 1 against it is not good yet */

#define BLOCKS_LEAST 6u         /* of the version before */
#define BLOCK_ANSWERS 20u
#define BLOCK_BAD 0.25          /* a version within its limits may have one
				 * bad block of four */
#define BUCKETS_WORSE 3u        /* 4 to 16 times as long */
#define LOAD_MORE 2u
#define MEMORY_MORE (16ull << 20)
#define PROCESSOR_MORE 1000u    /* us for 1,000 answers */
#define LOST_MORE 10u           /* of 1,000 */
#define MISSED_MORE 100u        /* of 1,000 */

static const struct {
	const char *name, *text;
	double share;
} measures[] = {
#define ROW(sym, num, name_, share_, text_) [num] = { name_, text_, share_ },
	HEALTH_MEASURE_TABLE(ROW)
#undef ROW
};

static const char *const verdicts[] = {
#define ROW(sym, num, name) [num] = name,
	HEALTH_VERDICT_TABLE(ROW)
#undef ROW
};

const char *health_measure_name(uint32_t measure)
{
	return measure < HEALTH_MEASURES ? measures[measure].name : "?";
}

const char *health_measure_text(uint32_t measure)
{
	return measure < HEALTH_MEASURES ? measures[measure].text : "?";
}

const char *health_verdict_name(uint32_t verdict)
{
	return verdict < HEALTH_VERDICTS ? verdicts[verdict] : "?";
}

double health_needs(enum health_measure measure)
{
	return -log(HEALTH_BUDGET * measures[measure].share / SHARES);
}

/* ---- users and objects ---- */

/* 0: subordinate ids, all together; 1: root. */
static uint32_t user_slot(uint32_t uid)
{
	if (uid >= HEALTH_UID_MANY) {
		return 0;
	}
	return uid ? 2 + (uint32_t)(hash_mix(uid) % (HEALTH_USERS - 2)) : 1;
}

/* True if this was not seen since the table was last emptied. */
static bool first_seen(struct health_rates *rates, uint64_t object,
		       uint32_t outcome)
{
	uint64_t key = hash_pair(object, outcome) | 1;

	if (rates->objects >= HEALTH_OBJECTS / 2) {
		memset(rates->object, 0, sizeof(rates->object));
		rates->objects = 0;
	}
	for (uint64_t i = key >> 8; ; i++) {
		uint64_t *place = &rates->object[i % HEALTH_OBJECTS];

		if (*place == key) {
			return false;
		}
		if (!*place) {
			*place = key;
			rates->objects++;
			return true;
		}
	}
}

enum counted { DENIED, MISSED, FAULTS };

static uint32_t count_of(const struct health_user *user, enum counted what)
{
	switch (what) {
	case DENIED:
		return user->denied;
	case MISSED:
		return user->missed;
	case FAULTS:
		return user->faults;
	}
	return 0;
}

struct share {
	uint64_t k, n;
};

static struct share all_of(const struct health_rates *rates,
			   enum counted what)
{
	struct share all = { 0, 0 };

	for (uint32_t i = 0; i < HEALTH_USERS; i++) {
		all.k += count_of(&rates->user[i], what);
		all.n += rates->user[i].seen;
	}
	return all;
}

/* The least that is won without one of the users. */
static double won_without(const struct health_rates *rates, enum counted what,
			  struct share all, double q)
{
	double least = INFINITY;

	if ((double)all.k <= q * (double)all.n) {
		return 0.0;     /* nothing can be won */
	}
	for (uint32_t i = 0; i < HEALTH_USERS; i++) {
		uint64_t k = count_of(&rates->user[i], what);
		uint64_t n = what == FAULTS ? 0 : rates->user[i].seen;
		double won = 0.0;

		if (!k) {
			continue;
		}
		if ((double)(all.k - k) > q * (double)(all.n - n)) {
			won = health_won(all.k - k, all.n - n, q);
		}
		least = fmin(least, won);
	}
	return least < INFINITY ? least : health_won(all.k, all.n, q);
}

/* The rate of the version before, without the user who has most: what one
 * user did before may not hide what the next version does to all. */
static double limit_of(const struct health_rates *before, enum counted what,
		       double least)
{
	double bound = HEALTH_BUDGET / SHARES / 2.0, rate, most;
	struct share all = all_of(before, what);
	uint32_t top = 0;

	for (uint32_t i = 1; i < HEALTH_USERS; i++) {
		if (count_of(&before->user[i], what) >
		    count_of(&before->user[top], what)) {
			top = i;
		}
	}
	all.k -= count_of(&before->user[top], what);
	if (count_of(&before->user[top], what)) {
		all.n -= before->user[top].seen;
	}
	rate = (double)all.k / ((double)all.n + 1.0);
	most = fmax(DENIED_MOST, least);
	most += (1.0 - most) * rate;
	return fmin(fmax(MARGIN * health_upper(all.k, all.n, bound), least),
		    most);
}

/* ---- blocks ---- */

static uint32_t bucket_of(uint64_t us)
{
	uint32_t bucket = 0;

	while (bucket + 1 < HEALTH_BUCKETS && us > 1ull << bucket) {
		bucket++;
	}
	return bucket;
}

/* The bucket in which the answer at num / den of all stands. */
static uint32_t quantile(const uint64_t latency[HEALTH_BUCKETS], uint64_t num,
			 uint64_t den)
{
	uint64_t all = 0, seen = 0;

	for (uint32_t i = 0; i < HEALTH_BUCKETS; i++) {
		all += latency[i];
	}
	for (uint32_t i = 0; i < HEALTH_BUCKETS; i++) {
		seen += latency[i];
		if (seen * den >= all * num) {
			return i;
		}
	}
	return HEALTH_BUCKETS - 1;
}

static uint64_t per_1000(uint64_t part, uint64_t whole)
{
	return whole ? part * 1000 / whole : 0;
}

static uint64_t most(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* Of 1,000, over all users but the one who has most. */
static uint32_t missed_of_others(const struct health_block *block)
{
	uint32_t top = 0;
	uint64_t missed = 0, seen = 0;

	for (uint32_t i = 0; i < HEALTH_USERS; i++) {
		if (block->missed[i] > block->missed[top]) {
			top = i;
		}
		missed += block->missed[i];
		seen += block->seen[i];
	}
	missed -= block->missed[top];
	seen -= block->seen[top];
	return seen < BLOCK_ANSWERS ? 0 : (uint32_t)per_1000(missed, seen);
}

static void learn(struct health_bound *bound, const struct health_block *block)
{
	const struct health_delta *sum = &block->sum;

	bound->blocks++;
	bound->median = (uint32_t)most(bound->median,
				       quantile(sum->latency, 1, 2));
	bound->slowest = (uint32_t)most(bound->slowest,
					quantile(sum->latency, 99, 100));
	bound->asked = most(bound->asked, sum->asked);
	bound->news = most(bound->news, sum->news);
	bound->memory_bytes = most(bound->memory_bytes, sum->memory_bytes);
	bound->processor_us = most(bound->processor_us,
				   per_1000(sum->processor_us,
					    sum->answered));
	bound->lost = most(bound->lost, per_1000(sum->news_lost, sum->news));
	bound->missed += missed_of_others(block);
}

/* Whether one user, not root, took most of the time. */
static bool dominated(const struct health_block *block)
{
	uint64_t all = 0, top = 0;

	for (uint32_t i = 0; i < HEALTH_USERS; i++) {
		all += block->time_us[i];
		if (i != user_slot(0)) {
			top = most(top, block->time_us[i]);
		}
	}
	return top > all / 2;
}

/* Whether at least two users were slow, neither of them nearly alone. */
static bool shared(const uint32_t slow[HEALTH_USERS])
{
	uint64_t all = 0, top = 0;

	for (uint32_t i = 0; i < HEALTH_USERS; i++) {
		all += slow[i];
		top = most(top, slow[i]);
	}
	return all - top >= 3 && (all - top) * 5 >= all;
}

static void bet(struct health *h, enum health_measure measure, bool bad)
{
	struct health_bets *bets = &h->bets[measure];

	bets->blocks++;
	bets->bad += bad;
	if (bad && health_has_won(h, measure) >= health_needs(measure)) {
		h->tripped |= 1u << measure;
	}
}

static void judge(struct health *h)
{
	const struct health_block *block = &h->block;
	const struct health_delta *sum = &block->sum;
	const struct health_bound *bound = &h->bound;
	uint64_t memory = 2 * bound->memory_bytes + MEMORY_MORE;

	if (bound->blocks < BLOCKS_LEAST || dominated(block) ||
	    sum->asked > LOAD_MORE * bound->asked ||
	    sum->news > LOAD_MORE * bound->news + BLOCK_ANSWERS) {
		return;
	}
	bet(h, HEALTH_MISS_RATE, missed_of_others(block) >
	    2 * bound->missed / bound->blocks + MISSED_MORE);
	bet(h, HEALTH_DROPS, per_1000(sum->news_lost, sum->news) >
	    4 * bound->lost + LOST_MORE);
	if (bound->memory_bytes && sum->memory_bytes) {
		bet(h, HEALTH_MEMORY, sum->memory_bytes > memory);
	}
	if (sum->answered < BLOCK_ANSWERS) {
		return;
	}
	bet(h, HEALTH_MEDIAN, shared(block->slow) &&
	    quantile(sum->latency, 1, 2) >= bound->median + BUCKETS_WORSE);
	bet(h, HEALTH_SLOWEST, shared(block->slowest) &&
	    quantile(sum->latency, 99, 100) >=
	    bound->slowest + BUCKETS_WORSE);
	bet(h, HEALTH_PROCESSOR,
	    per_1000(sum->processor_us, sum->answered) >
	    4 * bound->processor_us + PROCESSOR_MORE);
}

static void add(struct health_delta *sum, const struct health_delta *delta)
{
	sum->elapsed_ms += delta->elapsed_ms;
	sum->asked += delta->asked;
	sum->answered += delta->answered;
	sum->missed += delta->missed;
	sum->denied += delta->denied;
	sum->news += delta->news;
	sum->news_lost += delta->news_lost;
	sum->processor_us += delta->processor_us;
	if (delta->memory_bytes && (!sum->memory_bytes ||
				    delta->memory_bytes < sum->memory_bytes)) {
		sum->memory_bytes = delta->memory_bytes;
	}
	for (uint32_t i = 0; i < HEALTH_BUCKETS; i++) {
		sum->latency[i] += delta->latency[i];
	}
}

void health_count(struct health *h, const struct health_delta *delta)
{
	struct health_block *block = &h->block;

	if (h->arm == HEALTH_TRIAL) {
		h->elapsed_ms += delta->elapsed_ms;
		h->answered += delta->answered;
	}
	add(&block->sum, delta);
	if (block->sum.elapsed_ms < HEALTH_BLOCK_MS) {
		return;
	}
	/* One long one (a suspend, a stopped caller) is no block. */
	if (block->sum.elapsed_ms < 2 * HEALTH_BLOCK_MS) {
		if (h->arm == HEALTH_TRIAL) {
			judge(h);
		} else if (block->sum.answered >= BLOCK_ANSWERS) {
			learn(&h->bound, block);
		}
	}
	memset(block, 0, sizeof(*block));
}

/* ---- the whole ---- */

void health_init(struct health *ret_health)
{
	memset(ret_health, 0, sizeof(*ret_health));
	ret_health->limit_denied = DENIED_MOST;
	ret_health->limit_missed = MISSED_LEAST;
}

void health_begin(struct health *h, const struct health_goal *goal)
{
	const struct health_rates *before = &h->rates[HEALTH_BEFORE];

	h->limit_denied = limit_of(before, DENIED, DENIED_LEAST);
	h->limit_missed = limit_of(before, MISSED, MISSED_LEAST);
	h->arm = HEALTH_TRIAL;
	h->tripped = 0;
	h->goal = *goal;
	h->elapsed_ms = h->answered = 0;
	h->faults = h->fault_objects = 0;
	memset(&h->rates[HEALTH_TRIAL], 0, sizeof(h->rates[HEALTH_TRIAL]));
	memset(&h->block, 0, sizeof(h->block));
	memset(h->bets, 0, sizeof(h->bets));
}

double health_has_won(const struct health *h, enum health_measure measure)
{
	const struct health_rates *rates = &h->rates[HEALTH_TRIAL];
	const struct health_bets *bets = &h->bets[measure];

	switch (measure) {
	case HEALTH_FAULTS:
		return won_without(rates, FAULTS, (struct share){
				   h->faults, h->answered + h->faults },
				   HEALTH_FAULT_RATE);
	case HEALTH_DENIALS:
		return won_without(rates, DENIED, all_of(rates, DENIED),
				   h->limit_denied);
	case HEALTH_MISSES:
		return won_without(rates, MISSED, all_of(rates, MISSED),
				   h->limit_missed);
	default:
		return health_won(bets->bad, bets->blocks, BLOCK_BAD);
	}
}

static void look(struct health *h, enum health_measure measure)
{
	if (health_has_won(h, measure) >= health_needs(measure)) {
		h->tripped |= 1u << measure;
	}
}

void health_observe(struct health *h,
		    const struct health_observation *observation)
{
	struct health_rates *rates = &h->rates[h->arm];
	uint32_t slot = user_slot(observation->user);
	struct health_user *user = &rates->user[slot];
	struct health_block *block = &h->block;
	uint32_t bucket = bucket_of(observation->took_us);

	block->time_us[slot] += observation->took_us;
	block->seen[slot]++;
	block->missed[slot] += observation->missed;
	block->slow[slot] += bucket >= h->bound.median + BUCKETS_WORSE;
	block->slowest[slot] += bucket >= h->bound.slowest + BUCKETS_WORSE;
	if (!first_seen(rates, observation->object,
			(uint32_t)observation->denied |
			(uint32_t)observation->missed << 1)) {
		return;
	}
	user->seen++;
	user->denied += observation->denied;
	user->missed += observation->missed;
	if (h->arm != HEALTH_TRIAL) {
		return;
	}
	if (observation->denied) {
		look(h, HEALTH_DENIALS);
	}
	if (observation->missed) {
		look(h, HEALTH_MISSES);
	}
}

/* True if a fault at this object was counted before. */
static bool fault_known(struct health *h, uint64_t object)
{
	for (uint32_t i = 0; i < h->fault_objects; i++) {
		if (h->fault_object[i] == object) {
			return true;
		}
	}
	if (h->fault_objects < HEALTH_FAULTS_KEPT) {
		h->fault_object[h->fault_objects++] = object;
	}
	return false;
}

void health_fault(struct health *h, enum health_cause cause, uint64_t object,
		  uint32_t user)
{
	if (h->arm != HEALTH_TRIAL || cause == HEALTH_NOT_CONTENT) {
		return;
	}
	if (cause == HEALTH_REPRODUCED) {
		h->tripped |= 1u << HEALTH_FAULTS;
		return;
	}
	if (user != HEALTH_NOBODY) {
		if (fault_known(h, object)) {
			return;
		}
		h->rates[HEALTH_TRIAL].user[user_slot(user)].faults++;
	}
	h->faults++;
	look(h, HEALTH_FAULTS);
}

enum health_verdict health_verdict(const struct health *h,
				   enum health_measure *ret_why)
{
	for (uint32_t i = 0; i < HEALTH_MEASURES; i++) {
		if (h->tripped & 1u << i) {
			if (ret_why) {
				*ret_why = i;
			}
			return HEALTH_REVERT;
		}
	}
	if (h->arm != HEALTH_TRIAL || h->elapsed_ms < h->goal.bake_ms ||
	    h->answered < h->goal.min_events) {
		return HEALTH_GO_ON;
	}
	for (uint32_t i = 0; i < HEALTH_MEASURES; i++) {
		if (health_has_won(h, i) >= SUSPICION) {
			return HEALTH_GO_ON;
		}
	}
	return HEALTH_GOOD;
}
