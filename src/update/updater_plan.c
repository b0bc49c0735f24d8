/* SPDX-License-Identifier: Apache-2.0 */
#include "update/updater.h"

#define PLAN_MS 1000u

static uint64_t plan_clamp(uint64_t seconds)
{
	return seconds < UPDATER_POLL_LEAST_S ? UPDATER_POLL_LEAST_S :
	       seconds > UPDATER_POLL_MOST_S ? UPDATER_POLL_MOST_S : seconds;
}

/* Without a lease an hour, and up to a tenth of it more: hosts that started
 * together do not ask together for ever. */
static uint64_t plan_good(const struct updater_plan *plan, uint64_t random)
{
	uint64_t poll = plan->poll_s ? plan_clamp(plan->poll_s) :
				       UPDATER_POLL_S;
	uint64_t jitter = plan->poll_s ? plan->jitter_s : UPDATER_POLL_S / 10;

	jitter = jitter > UPDATER_POLL_MOST_S ? UPDATER_POLL_MOST_S : jitter;
	return poll * PLAN_MS + random % (jitter * PLAN_MS + 1);
}

/* Doubled with each failure up to an hour, or to the lease's interval where
 * that is longer; then anywhere in its upper half. */
static uint64_t plan_bad(const struct updater_plan *plan, uint64_t random)
{
	uint64_t poll = plan->poll_s ? plan_clamp(plan->poll_s) :
				       UPDATER_POLL_S;
	uint64_t most = poll > UPDATER_POLL_S ? poll : UPDATER_POLL_S;
	uint64_t wait = poll < UPDATER_RETRY_S ? poll : UPDATER_RETRY_S;
	uint32_t doubled;

	for (doubled = 1; doubled < plan->failures && wait < most; doubled++) {
		wait *= 2;
	}
	wait = (wait > most ? most : wait) * PLAN_MS;
	return wait / 2 + random % (wait / 2 + 1);
}

uint64_t updater_plan_next(struct updater_plan *plan,
			   const struct updater_outcome *outcome,
			   uint64_t random)
{
	uint64_t good, bad;

	if (outcome->reached) {
		plan->poll_s = outcome->poll_s;
		plan->jitter_s = outcome->jitter_s;
	}
	if (outcome->error == 0) {
		plan->failures = 0;
		return plan_good(plan, random);
	}
	plan->failures += plan->failures < UINT32_MAX;
	bad = plan_bad(plan, random);
	good = plan_good(plan, random);
	/* the lease came: what else is missing makes no host miss a halt */
	return outcome->reached && good < bad ? good : bad;
}
