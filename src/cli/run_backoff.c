/* SPDX-License-Identifier: Apache-2.0 */
/* run_backoff.c - when what died is started again (run.h) */
#include "cli/run.h"

uint64_t run_backoff_death(struct run_backoff *backoff, mono_t now)
{
	uint64_t delay = RUN_DELAY_FIRST_NS;
	unsigned i;

	if (mono_between(backoff->last, now) >= RUN_CALM_NS) {
		backoff->deaths = 0;
	}
	backoff->last = now;
	backoff->deaths++;
	if (backoff->deaths <= RUN_AT_ONCE) {
		return 0;
	}
	for (i = RUN_AT_ONCE + 1; i < backoff->deaths; i++) {
		if (delay >= RUN_DELAY_MOST_NS / 2) {
			return RUN_DELAY_MOST_NS;
		}
		delay *= 2;
	}
	return delay;
}
