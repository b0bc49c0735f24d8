/* SPDX-License-Identifier: Apache-2.0 */
/* Inputs of a decision to activate, for tests to spoil. */
#ifndef TESTS_DECIDE_READY_H
#define TESTS_DECIDE_READY_H

#include "content/decide.h"

#define NOW 1795348800ll        /* 2026-11-22T12:00:00Z, a Sunday */

enum { OLDEST, OLDER, RUNNING, NEXT, LIST };    /* numbers 14 to 17 */

/* A host that runs 16, with 15 and 14 kept; 17 is leased to it and passed. */
static inline struct decide_inputs ready(void)
{
	struct decide_inputs in;

	decide_begin(&in);
	in.now_s = NOW;
	in.weekday = 0;
	in.minute = 12 * 60;
	in.bucket = 1000;
	in.affordable = 1;
	in.versions = LIST;
	for (uint32_t i = 0; i < LIST; i++) {
		in.version[i] = (struct decide_version){
			.number = 14 + i, .floor = 10, .state = DECIDE_GOOD,
			.flags = DECIDE_IS_LEASED, .files = 3, .bytes = 4096,
			.bake_s = 3600, .min_events = 1000, .seen_s = 86400
		};
	}
	in.version[NEXT].state = DECIDE_PREFLIGHTED;
	in.version[NEXT].flags = 0;
	in.running = RUNNING;
	in.lease = (struct decide_lease){
		.given = 1, .release = NEXT, .back = DECIDE_NONE,
		.bound = { LEASE_BUCKETS, 2000, 0 }, .rings = 7,
		.dwell_s = { 3600, 7200, 0 }, .poll_s = 60, .jitter_s = 30,
		.valid_until_s = NOW + 300, .life_s = 300
	};
	in.prior = (struct decide_prior){
		.known = 1, .same = 1, .reach = 2, .rings = 7,
		.dwell_s = { 3600, 7200, 0 }, .age_s = 60
	};
	return in;
}

#endif
