/* SPDX-License-Identifier: Apache-2.0 */
#include <time.h>

#include "budget.h"

static uint64_t margin(uint64_t whole)
{
	uint64_t eighth = whole / 8;

	if (eighth < BUDGET_MARGIN_LEAST) {
		return BUDGET_MARGIN_LEAST;
	}
	return eighth > BUDGET_MARGIN_MOST ? BUDGET_MARGIN_MOST : eighth;
}

int budget_for(uint64_t asked, uint64_t deadline, uint64_t now,
	       uint64_t *ret_ns)
{
	/* A clock value from outside may be anything: no sum here wraps. */
	uint64_t whole = deadline > asked ? deadline - asked : 0;
	uint64_t keep = margin(whole);

	if (deadline <= now || deadline - now <= keep) {
		return BUDGET_NONE;
	}
	*ret_ns = deadline - now - keep;
	return 0;
}

uint64_t budget_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec;
}
