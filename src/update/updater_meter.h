/* SPDX-License-Identifier: Apache-2.0 */
/*
 * update/updater_meter.h - a fetcher around a fetcher: how much, how long
 *
 * Whatever a repository does within one request's limits, the sum of all is
 * bounded too: bytes left, and a deadline. Both are counted while bytes come.
 */
#ifndef UPDATE_UPDATER_METER_H
#define UPDATE_UPDATER_METER_H

#include "base/mono.h"
#include "update/fetch.h"

struct meter {
	struct fetch base;      /* what is given to others */
	struct fetch *inner;    /* borrowed */
	uint64_t left;          /* bytes */
	mono_t end;
	uint64_t bytes, files;  /* so far */
};

void meter_init(struct meter *ret_meter, struct fetch *inner, uint64_t most,
		uint64_t seconds);

#endif
