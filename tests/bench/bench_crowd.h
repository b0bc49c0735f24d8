/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/bench/bench_crowd.h - innocents beside a crowd of another user
 *
 * What a crowd does to others is partly the machine's: a hundred threads stand
 * before two processors whoever answers them. So the storm is measured beside
 * peers too: nobody who answers, the floor's loop, fapolicyd.
 */
#ifndef BENCH_CROWD_H
#define BENCH_CROWD_H

#include "bench/bench_case.h"
#include "bench/bench_load.h"

struct crowd {
	const char *name, *files;
	unsigned threads, pause_us;
};

extern const struct crowd crowd_waiters, crowd_storm;

/* The load runs alone, then beside the crowd; its notes stay readable until
 * the next load_start(). */
struct crowd_times {
	double alone_us, beside_us;     /* p99 of an innocent's open */
	uint32_t end_us;                /* of the notes */
};

int crowd_measure(struct load *load, const struct server *server,
		  unsigned loads, const struct crowd *crowd, bool quick,
		  struct crowd_times *ret_times)
	__attribute__((warn_unused_result));
/* Returns how many of the peers could not be measured. */
int crowd_peers(const struct bench_options *options, struct load *load,
		struct figures *figures) __attribute__((warn_unused_result));

#endif
