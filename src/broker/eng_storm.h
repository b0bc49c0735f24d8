/* SPDX-License-Identifier: Apache-2.0 */
/*
 * eng_storm.h - kept answers to one user's crowd, while others ask
 */
#ifndef BAILEY_BROKER_ENG_STORM_H
#define BAILEY_BROKER_ENG_STORM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/mono.h"
#include "broker/handoff.h"

#define STORM_UIDS 16u          /* direct-mapped */
#define STORM_KEPT 512u         /* answers: the next one writes the first */

struct storm {                  /* when a uid asked, and whether it storms */
	uint32_t uid;
	mono_t asked;
	mono_t since, last;     /* that it filled our reads, without a pause */
	mono_t until;           /* its answers are kept */
};

struct storm_answer {
	int fd;
	uint32_t verdict;       /* enum bailey_verdict */
	bool close;             /* nobody needs it any more */
};

/* In the worker's own order; kept answers are a ring. */
struct storms {
	struct storm of[STORM_UIDS];
	uint32_t first, count;
	mono_t next;            /* no kept answer is written before */
	struct storm_answer kept[STORM_KEPT];
	uint16_t at[HANDOFF_FDS];       /* place in kept[], plus 1 */
};

#endif
