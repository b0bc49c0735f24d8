/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A host with a product, in numbers: what the judgement of a trial is shown.
 * Load drifts and comes in bursts, latency and misses go with it, users open
 * what they always open and now and then something new.
 */
#ifndef TESTS_HEALTH_SIM_H
#define TESTS_HEALTH_SIM_H

#include "content/health.h"

#define SIM_BLOCK_ANSWERS 100u
#define SIM_BEFORE 12u                  /* blocks */
#define SIM_TRIAL 30u

/* How a version behaves. Factors are of the version before. */
struct sim_version {
	double denied;                  /* share, beside what is evil */
	double missed;
	double crash;                   /* per answer */
	double latency, memory, processor;
	double lost;
};

struct sim {
	uint64_t random;
	double load;                    /* log of it, AR(1) */
	double burst;                   /* blocks that one still lasts */
	double burst_load;
	double evil, outbreak;          /* share of evil objects */
	uint64_t fresh;                 /* number of the next new object */
	bool hostile;                   /* one user does what he can */
};

uint64_t sim_random(struct sim *sim);
double sim_uniform(struct sim *sim);
/* A host of its own. */
void sim_init(struct sim *ret_sim, uint64_t seed);
/* A version that is well, with the variation that well ones have. */
struct sim_version sim_good(struct sim *sim);
/* One block of a version. Returns the answers until it was to be reverted, or
 * 0 if it was not. */
uint32_t sim_block(struct sim *sim, struct health *health,
		   const struct sim_version *version);

#endif
