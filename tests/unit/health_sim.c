/* SPDX-License-Identifier: Apache-2.0 */
#include "health_sim.h"

#include <math.h>
#include <string.h>

#include "base/hash.h"

uint64_t sim_random(struct sim *sim)
{
	sim->random += 0x9e3779b97f4a7c15ull;
	return hash_mix(sim->random);
}

double sim_uniform(struct sim *sim)
{
	return (double)(sim_random(sim) >> 11) * 0x1p-53;
}

static double normal(struct sim *sim)
{
	double sum = 0;

	for (int i = 0; i < 6; i++) {
		sum += sim_uniform(sim);
	}
	return (sum - 3.0) * 1.4142135623730951;
}

void sim_init(struct sim *ret_sim, uint64_t seed)
{
	memset(ret_sim, 0, sizeof(*ret_sim));
	ret_sim->random = hash_mix(seed);
	ret_sim->load = normal(ret_sim);
	ret_sim->evil = 0.02 * sim_uniform(ret_sim);
	ret_sim->hostile = sim_uniform(ret_sim) < 0.2;
}

struct sim_version sim_good(struct sim *sim)
{
	return (struct sim_version){
		.denied = 0.005 * sim_uniform(sim),
		.missed = 0.002 * sim_uniform(sim), .crash = 2e-8,
		.latency = 0.7 + 0.8 * sim_uniform(sim),
		.memory = 0.8 + 0.6 * sim_uniform(sim),
		.processor = 0.7 + 0.8 * sim_uniform(sim),
		.lost = 0.001 * sim_uniform(sim)
	};
}

/* The host's load of this block, for whatever version runs. */
static double next_load(struct sim *sim)
{
	sim->load = 0.95 * sim->load + 0.2 * normal(sim);
	if (sim->burst > 0) {
		sim->burst--;
		return exp(sim->load) * sim->burst_load;
	}
	if (sim_uniform(sim) < 0.02) {
		sim->burst = floor(6.0 * sim_uniform(sim));
		sim->burst_load = 2.0 + 30.0 * sim_uniform(sim);
	}
	return exp(sim->load);
}

static uint32_t someone(struct sim *sim)
{
	static const uint32_t users[] = { 0, 0, 0, 101, 33, 1000, 1000, 1001,
					  1002, 1003 };

	return users[sim_random(sim) % 10];
}

static uint64_t something(struct sim *sim, uint32_t user)
{
	if (sim_uniform(sim) < 0.6) {
		return hash_pair(user, sim_random(sim) % 200);
	}
	return hash_pair(77, ++sim->fresh);
}

/* Whether an object is evil does not change; in an outbreak there are more. */
static bool evil(const struct sim *sim, uint64_t object)
{
	return (double)(hash_mix(object ^ 5) >> 11) * 0x1p-53 <
	       sim->evil + sim->outbreak;
}

/* One answer, with what it adds to the block's counters. */
static void answer(struct sim *sim, struct health *health, double load,
		   const struct sim_version *version,
		   struct health_delta *delta)
{
	bool hostile = sim->hostile && sim_uniform(sim) < 0.4;
	struct health_observation o = {
		.user = hostile ? 1001 : someone(sim)
	};
	double missed = version->missed * (1.0 + load);
	uint32_t bucket = 0;

	if (load > 20.0 && missed < 0.3) {
		missed = 0.3;
	}
	o.object = hostile ? hash_pair(66, ++sim->fresh)
			   : something(sim, o.user);
	o.denied = hostile || evil(sim, o.object) ||
		   sim_uniform(sim) < version->denied;
	o.missed = sim_uniform(sim) < missed;
	o.took_us = (uint64_t)(80.0 * version->latency *
			       (1.0 + 0.2 * load) * exp(normal(sim)));
	while (bucket + 1 < HEALTH_BUCKETS && o.took_us > 1ull << bucket) {
		bucket++;
	}
	health_observe(health, &o);
	delta->asked++;
	delta->answered += !o.missed;
	delta->missed += o.missed;
	delta->denied += o.denied;
	delta->latency[bucket]++;
	delta->processor_us += (uint64_t)(50.0 * version->processor *
					  (1.0 + 0.05 * load));
	if (sim_uniform(sim) < version->crash) {
		health_fault(health, HEALTH_UNCLEAR, o.object, o.user);
	}
}

uint32_t sim_block(struct sim *sim, struct health *health,
		   const struct sim_version *version)
{
	struct health_delta delta = { .elapsed_ms = HEALTH_BLOCK_MS };
	double load = next_load(sim);

	sim->outbreak *= 0.7;
	if (sim_uniform(sim) < 0.005) {
		sim->outbreak = 0.1 * sim_uniform(sim);
	}
	for (uint32_t i = 0; i < SIM_BLOCK_ANSWERS; i++) {
		answer(sim, health, load, version, &delta);
		if (health->tripped) {
			return i + 1;
		}
	}
	delta.news = 1000;
	delta.news_lost = (uint64_t)(1000.0 * version->lost);
	delta.memory_bytes = (uint64_t)(100e6 * version->memory *
					(1.0 + 0.02 * load));
	health_count(health, &delta);
	return health->tripped ? SIM_BLOCK_ANSWERS : 0;
}
