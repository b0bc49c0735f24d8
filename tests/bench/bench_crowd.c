/* SPDX-License-Identifier: Apache-2.0 */
/* tests/bench/bench_crowd.c - see bench_crowd.h */
#include "bench/bench_crowd.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "bench/bench_broker.h"

#define CROWD_MS 5000u
#define CROWD_QUICK_MS 1500u
#define FIRST_US 200000u        /* until the load is under way */
#define SETTLE_MS 500u          /* until the crowd is */

const struct crowd crowd_waiters = { "waiters", "hold", 1000, 1000000 };
const struct crowd crowd_storm = { "storm", "storm", 100, 0 };

int crowd_measure(struct load *load, const struct server *server,
		  unsigned loads, const struct crowd *crowd, bool quick,
		  struct crowd_times *ret_times)
{
	unsigned ms = quick ? CROWD_QUICK_MS : CROWD_MS;
	int r = load_start(load, server, loads);
	uint32_t middle, settled;

	if (r != 0) {
		return r;
	}
	ns_sleep_ms(ms);
	middle = load_now_us(load);
	r = load_crowd(load, server, crowd->files, crowd->threads,
		       crowd->pause_us);
	ns_sleep_ms(SETTLE_MS);
	settled = load_now_us(load);
	ns_sleep_ms(ms);
	ret_times->end_us = load_now_us(load);
	load_stop(load);
	ret_times->alone_us = load_p99_us(load, LOAD_OPENS, FIRST_US, middle);
	ret_times->beside_us = load_p99_us(load, LOAD_OPENS, settled,
					   ret_times->end_us);
	return r == 0 && load_dropped(load) > 0 ? -ENOSPC : r;
}

static int peer(const struct bench_options *options, enum broker_kind kind,
		struct load *load, struct crowd_times *ret_times)
{
	struct server server;
	int r = broker_start(&server, kind, &options->paths);

	if (r != 0) {
		return r;
	}
	r = load_files(&server);
	if (r == 0) {
		r = crowd_measure(load, &server, LOAD_INNOCENT, &crowd_storm,
				  options->quick, ret_times);
	}
	server_stop(&server);
	return r;
}

int crowd_peers(const struct bench_options *options, struct load *load,
		struct figures *figures)
{
	static const enum broker_kind peers[] = { BROKER_NONE, BROKER_FLOOR,
						  BROKER_FAPOLICYD };
	int failed = 0;

	for (size_t i = 0; i < sizeof peers / sizeof *peers && !ns_stopped();
	     i++) {
		const char *name = broker_name(peers[i]);
		struct crowd_times times;
		int r = peer(options, peers[i], load, &times);

		if (r != 0) {
			fprintf(stderr, "bench: %s: storm: %s\n", name,
				strerror(-r));
			failed++;
			continue;
		}
		figures_set(figures, times.beside_us,
			    "innocent_p99_storm_%s_us", name);
		if (times.alone_us > 0) {
			figures_set(figures, times.beside_us / times.alone_us,
				    "innocent_p99_ratio_storm_%s", name);
		}
	}
	return failed;
}
