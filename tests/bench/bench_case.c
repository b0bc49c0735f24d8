/* SPDX-License-Identifier: Apache-2.0 */
/* tests/bench/bench_case.c - see bench_case.h */
#include "bench/bench_case.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bench/bench_broker.h"
#include "bench/bench_probe.h"
#include "bench/bench_server.h"

/* X(SYMBOL, name, server, files, opens a slice, think time in us) */
#define CASE_TABLE(X)                                                         \
	X(BARE, "bare", NONE, "root", 8000, 0)                                \
	X(FLOOR, "floor", FLOOR, "root", 2000, 0)                             \
	X(FLOOR_IDLE, "floor_idle", FLOOR, "root", 100, 5000)                 \
	X(FAPOLICYD, "fapolicyd", FAPOLICYD, "root", 2000, 0)                 \
	X(KCACHED, "kcached", KCACHED, "root", 8000, 0)                       \
	X(ECACHED, "ecached", ECACHED, "user", 2000, 0)                       \
	X(RULE, "rule", RULE, "root", 2000, 0)                                \
	X(PATHRULE, "pathrule", PATHRULE, "root", 2000, 0)                    \
	X(BIGRULES, "bigrules", BIGRULES, "root", 2000, 0)                    \
	X(ASK1, "ask1", ASK1, "root", 2000, 0)                                \
	X(ASK1_IDLE, "ask1_idle", ASK1, "root", 100, 5000)                    \
	X(ASK3, "ask3", ASK3, "root", 2000, 0)

enum bench_case {
#define X(sym, name, server, files, count, think) CASE_##sym,
	CASE_TABLE(X)
#undef X
	CASES
};

struct case_row {
	const char *name;
	enum broker_kind server;
	const char *files;
	unsigned count, think_us;
};

static const struct case_row rows[CASES] = {
#define X(sym, name, server, files, count, think)                             \
	{ name, BROKER_##server, files, count, think },
	CASE_TABLE(X)
#undef X
};

/* What is held against what. Without a name: only the times are wanted. */
struct pair {
	enum bench_case a, b;
	const char *ratio, *ratio_p99, *cpu;
};

static const struct pair pairs[] = {
	{ CASE_KCACHED, CASE_BARE, "ratio_kcached_bare", NULL, NULL },
	{ CASE_ECACHED, CASE_FLOOR, "ratio_ecached_floor", NULL, NULL },
	{ CASE_RULE, CASE_FLOOR, "ratio_rule_floor", NULL, NULL },
	{ CASE_PATHRULE, CASE_FLOOR, "ratio_pathrule_floor", NULL, NULL },
	{ CASE_BIGRULES, CASE_FLOOR, "ratio_bigrules_floor", NULL, NULL },
	{ CASE_ASK1, CASE_FLOOR, "ratio_ask1_floor",
	  "ratio_ask1_p99_floor_p99", "cpu_ask1_floor" },
	{ CASE_ASK1, CASE_FAPOLICYD, "ratio_ask1_fapolicyd", NULL,
	  "cpu_ask1_fapolicyd" },
	{ CASE_ASK3, CASE_FLOOR, "ratio_ask3_floor", NULL, "cpu_ask3_floor" },
	{ CASE_ASK1_IDLE, CASE_FLOOR, "ratio_ask1_idle_floor", NULL, NULL },
	{ CASE_ASK1_IDLE, CASE_FLOOR_IDLE, "ratio_ask1_idle_floor_idle", NULL,
	  NULL },
	{ CASE_FLOOR, CASE_BARE, "ratio_floor_bare", NULL, NULL },
	{ CASE_FAPOLICYD, CASE_FLOOR, "ratio_fapolicyd_floor", NULL, NULL },
};

#define PAIRS (sizeof pairs / sizeof pairs[0])

struct run {
	const struct bench_options *options;
	struct server server[BROKER_KINDS];
	bool failed[BROKER_KINDS];
	struct stat_series p50[CASES], p99[CASES];
	struct stat_series ratio[PAIRS], ratio_p99[PAIRS], cpu[PAIRS];
};

struct slice {
	double p50, p99, cpu;           /* us, us, ns an operation */
};

static int measure(struct run *run, enum bench_case which,
		   struct slice *ret_slice)
{
	const struct case_row *row = &rows[which];
	struct server *server = &run->server[row->server];
	struct probe probe = {
		.name = row->files, .files = 16, .count = row->count,
		.warm = row->think_us > 0 ? 2 : 200,
		.think_us = row->think_us, .uid = PROBE_UID,
		.limit_ms = 20000,
	};
	struct probe_result result;
	uint64_t cpu = server_cpu_ns(server);
	int r = probe_open(&server->env, &probe, &result);

	if (r == 0 && result.failed > 0) {
		fprintf(stderr, "bench: %s: %u opens refused\n", row->name,
			result.failed);
		r = -EACCES;
	}
	if (r != 0) {
		return r;
	}
	cpu = server_cpu_ns(server) - cpu;
	ret_slice->p50 = result.ns.p50 / 1000;
	ret_slice->p99 = result.ns.p99 / 1000;
	ret_slice->cpu = (double)cpu / (probe.count + probe.warm);
	stat_add(&run->p50[which], ret_slice->p50);
	stat_add(&run->p99[which], ret_slice->p99);
	if (run->options->verbose) {
		fprintf(stderr, "%-12s %9.2f us, p99 %9.2f, cpu %9.2f\n",
			row->name, ret_slice->p50, ret_slice->p99,
			ret_slice->cpu / 1000);
	}
	return 0;
}

static bool usable(const struct run *run, enum bench_case which)
{
	return run->server[rows[which].server].made &&
	       !run->failed[rows[which].server];
}

static void fail(struct run *run, enum bench_case which, int r)
{
	fprintf(stderr, "bench: %s: %s\n", rows[which].name, strerror(-r));
	run->failed[rows[which].server] = true;
}

/* One neighbourhood; the order changes from round to round. */
static void measure_pair(struct run *run, size_t i, bool swap)
{
	const struct pair *pair = &pairs[i];
	enum bench_case first = swap ? pair->a : pair->b;
	enum bench_case second = swap ? pair->b : pair->a;
	struct slice one, two;
	const struct slice *a = swap ? &one : &two, *b = swap ? &two : &one;
	int r;

	if (!usable(run, first) || !usable(run, second)) {
		return;
	}
	r = measure(run, first, &one);
	if (r != 0) {
		fail(run, first, r);
		return;
	}
	r = measure(run, second, &two);
	if (r != 0) {
		fail(run, second, r);
		return;
	}
	stat_add(&run->ratio[i], a->p50 / b->p50);
	stat_add(&run->ratio_p99[i], a->p99 / b->p99);
	if (b->cpu > 0) {
		stat_add(&run->cpu[i], a->cpu / b->cpu);
	}
}

static bool wanted(const struct run *run, enum broker_kind kind)
{
	const char *only = run->options->only;

	if (only == NULL) {
		return true;
	}
	for (int i = 0; i < CASES; i++) {
		if (rows[i].server == kind &&
		    strstr(only, rows[i].name) != NULL) {
			return true;
		}
	}
	return kind == BROKER_NONE || kind == BROKER_FLOOR;
}

static int start_all(struct run *run)
{
	int failed = 0;

	for (int i = 0; i < BROKER_FAULT && !ns_stopped(); i++) {
		int r = 0;

		if (wanted(run, i)) {
			r = broker_start(&run->server[i], i,
					 &run->options->paths);
		}
		if (r != 0) {
			fprintf(stderr, "bench: %s does not start: %s\n",
				broker_name(i), strerror(-r));
			failed++;
		}
	}
	return failed;
}

static void report(const struct run *run, struct figures *figures)
{
	for (int i = 0; i < CASES; i++) {
		if (run->p50[i].count > 0) {
			figures_set(figures, stat_series_median(&run->p50[i]),
				    "open_%s_us", rows[i].name);
			figures_set(figures, stat_series_median(&run->p99[i]),
				    "open_%s_p99_us", rows[i].name);
		}
	}
	for (size_t i = 0; i < PAIRS; i++) {
		const struct pair *pair = &pairs[i];

		if (run->ratio[i].count == 0) {
			continue;
		}
		figures_set(figures, stat_series_median(&run->ratio[i]), "%s",
			    pair->ratio);
		if (pair->ratio_p99 != NULL) {
			figures_set(figures,
				    stat_series_median(&run->ratio_p99[i]),
				    "%s", pair->ratio_p99);
		}
		if (pair->cpu != NULL && run->cpu[i].count > 0) {
			figures_set(figures, stat_series_median(&run->cpu[i]),
				    "%s", pair->cpu);
		}
	}
}

/*
 * Program starts. A broker's tracepoints see every exec of the machine: while
 * the others are measured none may be running.
 */
static const enum bench_case exec_cases[] = {
	CASE_BARE, CASE_FLOOR, CASE_FAPOLICYD, CASE_ASK1
};

#define EXEC_CASES (sizeof exec_cases / sizeof exec_cases[0])
#define EXEC_ROUNDS 5

static int measure_exec(struct run *run, enum bench_case which,
			struct stat_series *p50, struct stat_series *p99)
{
	struct probe probe = {
		.name = "trivial", .files = 1, .count = 300, .warm = 20,
		.uid = PROBE_UID, .limit_ms = 20000,
	};
	struct probe_result result;
	int r = probe_exec(&run->server[rows[which].server].env, &probe,
			   &result);

	if (r == 0 && result.failed > 0) {
		r = -EACCES;
	}
	if (r == 0) {
		stat_add(p50, result.ns.p50 / 1000);
		stat_add(p99, result.ns.p99 / 1000);
	}
	return r;
}

static void exec_round(struct run *run, struct stat_series *p50,
		       struct stat_series *p99)
{
	struct server *ask1 = &run->server[BROKER_ASK1];

	for (size_t i = 0; i < EXEC_CASES && !ns_stopped(); i++) {
		enum bench_case which = exec_cases[i];
		int r = 0;

		if (which == CASE_ASK1 && !run->failed[BROKER_ASK1]) {
			r = broker_start(ask1, BROKER_ASK1,
					 &run->options->paths);
		}
		if (r == 0 && usable(run, which)) {
			r = measure_exec(run, which, &p50[i], &p99[i]);
		}
		if (r != 0) {
			fail(run, which, r);
		}
	}
	server_stop(ask1);
}

static void exec_all(struct run *run, struct figures *figures)
{
	static struct stat_series p50[EXEC_CASES], p99[EXEC_CASES], ratio;

	for (int i = BROKER_FIRST; i < BROKER_KINDS; i++) {
		server_stop(&run->server[i]);
	}
	for (int i = 0; i < EXEC_ROUNDS && !ns_stopped(); i++) {
		exec_round(run, p50, p99);
	}
	for (size_t i = 0; i < EXEC_CASES; i++) {
		if (p50[i].count > 0) {
			const char *name = rows[exec_cases[i]].name;

			figures_set(figures, stat_series_median(&p50[i]),
				    "exec_%s_us", name);
			figures_set(figures, stat_series_median(&p99[i]),
				    "exec_%s_p99_us", name);
		}
	}
	for (size_t i = 0; i < p50[3].count && i < p50[2].count; i++) {
		stat_add(&ratio, p50[3].value[i] / p50[2].value[i]);
	}
	if (ratio.count > 0) {
		figures_set(figures, stat_series_median(&ratio),
			    "ratio_exec_ask1_fapolicyd");
	}
}

int cases_run(const struct bench_options *options, struct figures *figures)
{
	static struct run run;
	int failed;

	run.options = options;
	failed = start_all(&run);
	for (int round = 0; round < options->rounds; round++) {
		for (size_t i = 0; i < PAIRS && !ns_stopped(); i++) {
			measure_pair(&run, i, round % 2 == 1);
		}
	}
	report(&run, figures);
	exec_all(&run, figures);
	for (int i = 0; i < BROKER_KINDS; i++) {
		failed += run.failed[i];
		server_stop(&run.server[i]);
	}
	return ns_stopped() ? -EINTR : failed;
}
