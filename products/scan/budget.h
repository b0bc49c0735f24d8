/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scan/budget.h - how long a scan may take
 *
 * A question has a deadline. The scan must be over a margin before it, so that
 * the answer still gets through a busy host: an eighth of the whole time, at
 * least 2 ms, at most 20 ms.
 */
#ifndef SCAN_BUDGET_H
#define SCAN_BUDGET_H

#include <stdint.h>

#define BUDGET_MS 1000000ull
#define BUDGET_MARGIN_LEAST (2 * BUDGET_MS)
#define BUDGET_MARGIN_MOST (20 * BUDGET_MS)
#define BUDGET_NONE 1

/* All in ns of CLOCK_MONOTONIC: when the broker read the question, until when
 * an answer counts, now. 0 with the time that a scan may take (never 0), or
 * BUDGET_NONE: too late to begin. */
int budget_for(uint64_t asked, uint64_t deadline, uint64_t now,
	       uint64_t *ret_ns) __attribute__((warn_unused_result));

/* CLOCK_MONOTONIC in ns. */
uint64_t budget_now(void);

#endif
