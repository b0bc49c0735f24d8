/* SPDX-License-Identifier: Apache-2.0 */
/* Is a bad version taken back soon, and a good one never? */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "health_sim.h"

#define TRIALS 20000u

static struct health health;            /* 70 kB */

static double choose(unsigned n, unsigned k)
{
	return lgamma(n + 1.0) - lgamma(k + 1.0) - lgamma(n - k + 1.0);
}

/* Under the limit itself a bet is fair: its mean is 1, whatever n is. */
static void test_bets_are_fair(void **state)
{
	static const double q[] = { 1e-4, 0.02, 0.1, 0.25, 0.5, 0.9 };
	static const unsigned n[] = { 1, 2, 10, 100, 1000 };

	for (size_t i = 0; i < sizeof(q) / sizeof(q[0]); i++) {
		for (size_t j = 0; j < sizeof(n) / sizeof(n[0]); j++) {
			double mean = 0;

			for (unsigned k = 0; k <= n[j]; k++) {
				mean += exp(choose(n[j], k) + k * log(q[i]) +
					    (n[j] - k) * log1p(-q[i]) +
					    health_won(k, n[j], q[i]));
			}
			if (fabs(mean - 1.0) > 1e-9) {
				fail_msg("q %g n %u: %.12f", q[i], n[j],
					 mean);
			}
		}
	}
}

/* The closed form is the integral. */
static void test_bets_are_the_integral(void **state)
{
	static const struct {
		unsigned k, n;
		double q;
	} table[] = {
		{ 0, 5, 0.1 }, { 3, 5, 0.1 }, { 5, 5, 0.1 }, { 40, 900, 0.1 },
		{ 200, 900, 0.1 }, { 7, 9, 0.5 }, { 1, 400, 0.25 },
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		double k = table[i].k, n = table[i].n, q = table[i].q;
		double from = asin(sqrt(q)), sum = 0;
		int steps = 200000;

		/* p = sin(t)^2: Beta(1/2, 1/2) is even in t. */
		for (int s = 0; s < steps; s++) {
			double t = from + (M_PI / 2 - from) * (s + 0.5) /
				   steps;
			double p = sin(t) * sin(t);

			sum += exp(k * log(p / q) +
				   (n - k) * log((1 - p) / (1 - q)));
		}
		if (fabs(log(sum / steps) - health_won(table[i].k, table[i].n,
						       q)) > 1e-6) {
			fail_msg("row %zu: %g, not %g", i, health_won(
				 table[i].k, table[i].n, q),
				 log(sum / steps));
		}
	}
	assert_true(health_won(0, 0, 0.1) == 0.0);
	assert_true(isfinite(health_won(1000000000, 4000000000ull, 1e-7)));
	assert_true(isfinite(health_won(0, 4000000000ull, 1e-7)));
	assert_true(isfinite(health_won(1, 4000000000ull, 0.9)));
}

/* Looked at after every event, it is passed as seldom as promised; events
 * may depend on each other as long as each stays within the limit. */
static void test_looking_all_the_time(void **state)
{
	struct sim sim = { .random = 4 };
	unsigned passed = 0, runs = 4000;

	for (unsigned run = 0; run < runs; run++) {
		unsigned k = 0;
		bool calm = false;

		for (unsigned n = 1; n <= 1000; n++) {
			bool bad = sim_uniform(&sim) < (calm ? 0.05 : 0.1);

			calm = run % 2 && bad;
			k += bad;
			if (bad && health_won(k, n, 0.1) >= log(50)) {
				passed++;
				break;
			}
		}
	}
	print_message("won 50 to 1: %u of %u\n", passed, runs);
	assert_true(passed <= runs / 50);
	assert_true(passed > 0);
}

static void test_upper_bound(void **state)
{
	struct sim sim = { .random = 9 };
	unsigned below = 0;

	for (unsigned run = 0; run < 2000; run++) {
		unsigned k = 0;

		for (unsigned n = 0; n < 300; n++) {
			k += sim_uniform(&sim) < 0.03;
		}
		below += health_upper(k, 300, 0.01) < 0.03;
	}
	assert_true(below <= 20);
	assert_true(health_upper(0, 0, 0.01) == 1.0);
	assert_true(health_upper(5, 5, 0.01) == 1.0);
	assert_true(health_upper(0, 100000, 1e-7) < 1e-3);
	assert_true(health_upper(5000, 10000, 1e-7) > 0.5);
	assert_true(health_upper(5000, 10000, 1e-7) < 0.54);
}

/* The budget is spent once. */
static void test_budget(void **state)
{
	double sum = HEALTH_BUDGET / 16;        /* bounds of before */

	for (unsigned i = 0; i < HEALTH_MEASURES; i++) {
		sum += exp(-health_needs(i));
	}
	assert_true(sum <= HEALTH_BUDGET * 1.0000001);
	assert_true(sum >= HEALTH_BUDGET * 0.99);
}

/* ---- whole trials ---- */

static void before(struct sim *sim, const struct sim_version *version)
{
	static const struct health_goal goal = {
		.bake_ms = 20 * HEALTH_BLOCK_MS, .min_events = 1500
	};

	health_init(&health);
	for (unsigned i = 0; i < SIM_BEFORE; i++) {
		assert_int_equal(sim_block(sim, &health, version), 0);
	}
	health_begin(&health, &goal);
}

static void test_healthy(void **state)
{
	unsigned good = 0, reverted[HEALTH_MEASURES] = { 0 }, all = 0;
	unsigned rough = 0;

	for (unsigned trial = 0; trial < TRIALS; trial++) {
		enum health_measure why = HEALTH_FAULTS;
		struct sim_version old, new;
		struct sim sim;

		sim_init(&sim, trial);
		old = sim_good(&sim);
		new = sim_good(&sim);
		before(&sim, &old);
		for (unsigned i = 0; i < SIM_TRIAL; i++) {
			if (sim_block(&sim, &health, &new)) {
				break;
			}
		}
		if (health_verdict(&health, &why) == HEALTH_REVERT) {
			reverted[why]++;
			all++;
			print_message("trial %u: %s\n", trial,
				      health_measure_text(why));
		}
		good += health_verdict(&health, NULL) == HEALTH_GOOD;
		rough += health.bets[HEALTH_MISS_RATE].bad > 0;
	}
	print_message("%u healthy trials: %u good, %u reverted, %u with bad "
		      "blocks\n", TRIALS, good, all, rough);
	assert_true(rough > TRIALS / 100);      /* or it shows nothing */
	for (unsigned i = 0; i < HEALTH_MEASURES; i++) {
		assert_int_equal(reverted[i], 0);
	}
	assert_true(good > TRIALS * 99 / 100);
}

/* One row: how a version is bad, the measure that should tell, and within how
 * many answers in the mean; the host answers 10 in a second. */
static const struct bad {
	const char *what;
	enum health_measure why;
	double most;
	struct sim_version version;
} bad[] = {
	{ "denies everything", HEALTH_DENIALS, 15,
	  { 1.0, 0, 0, 1, 1, 1, 0 } },
	{ "denies half", HEALTH_DENIALS, 100, { 0.5, 0, 0, 1, 1, 1, 0 } },
	{ "denies a quarter", HEALTH_DENIALS, 600,
	  { 0.25, 0, 0, 1, 1, 1, 0 } },
	{ "answers nothing", HEALTH_MISSES, 45, { 0, 1.0, 0, 1, 1, 1, 0 } },
	{ "misses 80 %", HEALTH_MISSES, 200, { 0, 0.8, 0, 1, 1, 1, 0 } },
	{ "crashes at 10 %", HEALTH_FAULTS, 60, { 0, 0, 0.1, 1, 1, 1, 0 } },
	{ "crashes at 1 %", HEALTH_FAULTS, 500, { 0, 0, 0.01, 1, 1, 1, 0 } },
	{ "crashes at 0.1 %", HEALTH_FAULTS, 8000,
	  { 0, 0, 0.001, 1, 1, 1, 0 } },
	{ "takes 64 times as long", HEALTH_MEDIAN, 2500,
	  { 0, 0, 0, 64, 1, 1, 0 } },
	{ "takes 10 times the memory", HEALTH_MEMORY, 2500,
	  { 0, 0, 0, 1, 10, 1, 0 } },
	{ "takes 20 times the processor", HEALTH_PROCESSOR, 3500,
	  { 0, 0, 0, 1, 1, 20, 0 } },
	{ "loses 20 % of the news", HEALTH_DROPS, 2500,
	  { 0, 0, 0, 1, 1, 1, 0.2 } },
	{ "misses a quarter", HEALTH_MISS_RATE, 5000,
	  { 0, 0.12, 0, 1, 1, 1, 0 } },
};

/* Answers until one trial of it was reverted by the right measure. */
static uint64_t until_reverted(const struct bad *row, unsigned seed)
{
	enum health_measure why = HEALTH_MEASURES;
	struct sim_version old;
	struct sim sim;
	uint64_t answers = 0;

	sim_init(&sim, 1000000 + seed);
	sim.hostile = false;
	old = sim_good(&sim);
	before(&sim, &old);
	while (!health.tripped && answers < 200000) {
		uint32_t n = sim_block(&sim, &health, &row->version);

		answers += n ? n : SIM_BLOCK_ANSWERS;
	}
	if (health_verdict(&health, &why) != HEALTH_REVERT) {
		fail_msg("%s: not reverted, seed %u", row->what, seed);
	}
	/* The p99 may tell before the p50, misses before their rate. */
	if (row->why != HEALTH_MEDIAN && row->why != HEALTH_MISS_RATE &&
	    row->why != why) {
		fail_msg("%s: reverted for %s", row->what,
			 health_measure_name(why));
	}
	return answers;
}

static void test_bad(void **state)
{
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		uint64_t all = 0, worst = 0;
		unsigned runs = 100;

		for (unsigned run = 0; run < runs; run++) {
			uint64_t n = until_reverted(&bad[i], run);

			all += n;
			worst = n > worst ? n : worst;
		}
		print_message("%-30s %7.0f answers, at most %llu\n",
			      bad[i].what, (double)all / runs,
			      (unsigned long long)worst);
		if ((double)all / runs > bad[i].most) {
			fail_msg("%s: %.0f answers", bad[i].what,
				 (double)all / runs);
		}
	}
}

/* ---- what one user can do (P10) ---- */

static void begin_after_quiet_days(void)
{
	static const struct health_goal goal = { .bake_ms = 1, .min_events = 1 };
	struct health_observation o = { .took_us = 50 };

	health_init(&health);
	for (unsigned i = 0; i < 1000; i++) {
		o.object = i;
		o.user = i % 3 ? 1000 : 0;
		health_observe(&health, &o);
	}
	health_begin(&health, &goal);
}

static void deny(uint64_t object, uint32_t user)
{
	struct health_observation o = {
		.object = object, .user = user, .denied = true, .took_us = 50
	};

	health_observe(&health, &o);
}

static void test_deny_everything(void **state)
{
	unsigned n = 0;

	begin_after_quiet_days();
	while (health_verdict(&health, NULL) != HEALTH_REVERT) {
		deny(5000 + n, n % 2 ? 1000 : 0);
		assert_true(++n < 100);
	}
	print_message("two users denied everything: %u answers\n", n);
	assert_true(n <= 18);
	/* Nothing known of before: some more. */
	health_init(&health);
	health_begin(&health, &(struct health_goal){ 1, 1 });
	for (n = 0; health_verdict(&health, NULL) != HEALTH_REVERT; n++) {
		deny(5000 + n, n % 2 ? 1000 : 0);
		assert_true(n < 100);
	}
	assert_true(n <= 32);
}

static void test_one_evil_file(void **state)
{
	begin_after_quiet_days();
	for (unsigned i = 0; i < 1000000; i++) {
		deny(5000, 1001);
	}
	assert_int_equal(health_verdict(&health, NULL), HEALTH_GO_ON);
	/* Whoever opens it: one object is one. */
	for (unsigned i = 0; i < 1000000; i++) {
		deny(5000, i % 2 ? 1002 : 0);
	}
	assert_int_equal(health_verdict(&health, NULL), HEALTH_GO_ON);
}

static void test_one_user_many_evil_files(void **state)
{
	begin_after_quiet_days();
	for (unsigned i = 0; i < 1000000; i++) {
		deny(5000 + i, 1001);
	}
	assert_int_equal(health_verdict(&health, NULL), HEALTH_GO_ON);
	/* With all his subordinate ids. */
	begin_after_quiet_days();
	for (unsigned i = 0; i < 100000; i++) {
		deny(5000 + i, 100000 + i);
	}
	assert_int_equal(health_verdict(&health, NULL), HEALTH_GO_ON);
	/* His faults, too; and misses of his files. */
	for (unsigned i = 0; i < 100; i++) {
		health_fault(&health, HEALTH_UNCLEAR, i, 1001);
	}
	assert_int_equal(health_verdict(&health, NULL), HEALTH_GO_ON);
	for (unsigned i = 0; i < 100000; i++) {
		struct health_observation o = {
			.object = i, .user = 1001, .missed = true
		};

		health_observe(&health, &o);
	}
	assert_int_equal(health_verdict(&health, NULL), HEALTH_GO_ON);
}

/* Denied before by one user does not excuse what is denied to all after. */
static void test_hidden_by_one_user_before(void **state)
{
	unsigned n = 0;

	health_init(&health);
	for (unsigned i = 0; i < 2000; i++) {
		struct health_observation o = {
			.object = i, .user = i % 2 ? 1001 : i % 3 ? 1000 : 0,
			.denied = i % 2
		};

		health_observe(&health, &o);
	}
	health_begin(&health, &(struct health_goal){ 1, 1 });
	while (health_verdict(&health, NULL) != HEALTH_REVERT) {
		deny(5000 + n, n % 2 ? 1000 : 0);
		assert_true(++n < 20);
	}
}

/* An object that was allowed first and is denied later counts again. */
static void test_turns_bad_later(void **state)
{
	struct health_observation o = { .took_us = 50 };
	unsigned n = 0;

	begin_after_quiet_days();
	for (unsigned i = 0; i < 100000; i++) {
		o.object = i % 200;
		o.user = i % 3 ? 1000 : 0;
		health_observe(&health, &o);
	}
	while (health_verdict(&health, NULL) != HEALTH_REVERT) {
		deny(n, n % 3 ? 1000 : 0);
		assert_true(++n <= 100);
	}
}

/* ---- faults ---- */

static void test_faults(void **state)
{
	struct health_delta delta = { .answered = 100 };
	enum health_measure why = HEALTH_DROPS;

	begin_after_quiet_days();
	health_fault(&health, HEALTH_NOT_CONTENT, 1, 1000);
	health_fault(&health, HEALTH_UNCLEAR, 1, 1000);
	health_fault(&health, HEALTH_UNCLEAR, 1, 0);
	assert_int_equal(health_verdict(&health, NULL), HEALTH_GO_ON);
	health_fault(&health, HEALTH_REPRODUCED, 1, 1000);
	assert_int_equal(health_verdict(&health, &why), HEALTH_REVERT);
	assert_int_equal(why, HEALTH_FAULTS);
	/* Two that are nobody's: at load, on a timer. */
	begin_after_quiet_days();
	health_count(&health, &delta);
	health_fault(&health, HEALTH_UNCLEAR, 0, HEALTH_NOBODY);
	assert_int_equal(health_verdict(&health, NULL), HEALTH_GO_ON);
	health_fault(&health, HEALTH_UNCLEAR, 0, HEALTH_NOBODY);
	assert_int_equal(health_verdict(&health, NULL), HEALTH_REVERT);
	/* Three users, three objects. */
	begin_after_quiet_days();
	health_count(&health, &delta);
	health_fault(&health, HEALTH_UNCLEAR, 1, 1000);
	health_fault(&health, HEALTH_UNCLEAR, 2, 1001);
	assert_int_equal(health_verdict(&health, NULL), HEALTH_GO_ON);
	health_fault(&health, HEALTH_UNCLEAR, 3, 0);
	assert_int_equal(health_verdict(&health, NULL), HEALTH_REVERT);
	/* Before the trial they are the other version's. */
	health_init(&health);
	health_fault(&health, HEALTH_REPRODUCED, 1, 1000);
	assert_int_equal(health_verdict(&health, NULL), HEALTH_GO_ON);
}

static void test_good_when(void **state)
{
	static const struct health_goal goal = {
		.bake_ms = 60000, .min_events = 500
	};
	struct health_delta delta = { .elapsed_ms = 10000, .answered = 100 };

	health_init(&health);
	health_begin(&health, &goal);
	for (unsigned i = 0; i < 5; i++) {
		health_count(&health, &delta);
		assert_int_equal(health_verdict(&health, NULL), HEALTH_GO_ON);
	}
	health_count(&health, &delta);
	assert_int_equal(health_verdict(&health, NULL), HEALTH_GOOD);
	/* The time alone is not enough, nor are the events. */
	delta.answered = 0;
	health_begin(&health, &goal);
	for (unsigned i = 0; i < 50; i++) {
		health_count(&health, &delta);
	}
	assert_int_equal(health_verdict(&health, NULL), HEALTH_GO_ON);
	delta.elapsed_ms = 1;
	delta.answered = 100000;
	health_begin(&health, &goal);
	health_count(&health, &delta);
	assert_int_equal(health_verdict(&health, NULL), HEALTH_GO_ON);
	/* A suspicion is not good yet. */
	delta.elapsed_ms = 60000;
	health_begin(&health, &goal);
	health_count(&health, &delta);
	assert_int_equal(health_verdict(&health, NULL), HEALTH_GOOD);
	for (unsigned i = 0; i < 12; i++) {
		deny(i, i % 2 ? 1000 : 0);
	}
	assert_int_equal(health_verdict(&health, NULL), HEALTH_GO_ON);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bets_are_fair),
		cmocka_unit_test(test_bets_are_the_integral),
		cmocka_unit_test(test_looking_all_the_time),
		cmocka_unit_test(test_upper_bound),
		cmocka_unit_test(test_budget),
		cmocka_unit_test(test_healthy),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_deny_everything),
		cmocka_unit_test(test_one_evil_file),
		cmocka_unit_test(test_one_user_many_evil_files),
		cmocka_unit_test(test_hidden_by_one_user_before),
		cmocka_unit_test(test_turns_bad_later),
		cmocka_unit_test(test_faults),
		cmocka_unit_test(test_good_when),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
