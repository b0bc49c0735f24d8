/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/bench/bench_fault.c - what innocents feel while something is broken
 *
 * One broker, one product, the load of bench_load.h; then, one after the other,
 * parts of it are killed, stopped or made to spin. Wrong is:
 *   an evil open that was allowed although the administrator's rule or the
 *   product's own forbids it (whoever lives), or the product's answer does
 *   (while nothing is broken, and when only the worker was killed);
 *   an innocent operation that was refused (but for those that the monitor
 *   had to refuse when both halves of the engine had died: kernel_denied).
 * While the monitor is dead the kernel allows everything: that is not wrong
 * but unprotected, and measured as time.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "bench/bench_broker.h"
#include "bench/bench_load.h"
#include "bench/bench_probe.h"
#include "bench/bench_sizes.h"

enum target { TARGET_NOTHING, TARGET_PRODUCT, TARGET_WORKER, TARGET_ENGINE,
	      TARGET_MONITOR, TARGET_SPIN };

struct fault {
	const char *name;
	enum target target;
	int signal;
	int times;
	unsigned window_ms;
	bool sum;               /* all stalls, not the longest */
	bool answers;           /* the answers of the product stand too */
};

/* The first is what the machine does by itself: hold the others against it. */
static const struct fault faults[] = {
	{ "nothing", TARGET_NOTHING, 0, 1, 10000, false, true },
	{ "product_killed", TARGET_PRODUCT, SIGKILL, 12, 800, false, false },
	{ "product_stopped", TARGET_PRODUCT, SIGSTOP, 1, 10000, true, false },
	{ "product_spinning", TARGET_SPIN, 0, 1, 10000, true, false },
	{ "worker_killed", TARGET_WORKER, SIGKILL, 6, 500, false, true },
	{ "worker_stopped", TARGET_WORKER, SIGSTOP, 2, 1500, false, false },
	{ "engine_killed", TARGET_ENGINE, SIGKILL, 3, 1500, false, false },
	{ "monitor_killed", TARGET_MONITOR, SIGKILL, 1, 3000, false, false },
};

#define FAULTS (sizeof faults / sizeof faults[0])
#define LEAD_MS 300u            /* undisturbed, before each fault */

struct context {
	const struct bench_options *options;
	struct figures *figures;
	struct server server;
	struct load *load;
	struct stat_series back_ms;     /* product crash to protection */
	uint32_t wrong_admin, wrong_rule, wrong_asked;  /* allowed, yet... */
	uint32_t wrong_deny, engine_refused;
	uint32_t fallback_allow;        /* answers that nobody could give */
	double unprotected_ms;
};

static int hit(struct context *c, const struct fault *fault)
{
	const struct bench_paths *paths = &c->options->paths;
	struct probe spin = { .name = "spin", .files = 1, .count = 1,
			      .uid = PROBE_UID, .limit_ms = 5000 };
	struct probe_result result;
	struct broker_status status;
	int r = broker_status(&c->server, paths, &status);

	if (r != 0) {
		return r;
	}
	switch (fault->target) {
	case TARGET_NOTHING:
		return 0;
	case TARGET_PRODUCT:
		return broker_signal(&c->server, status.product[0].pid,
				     fault->signal);
	case TARGET_WORKER:
		return broker_signal(&c->server, status.worker, fault->signal);
	case TARGET_ENGINE:
		r = broker_signal(&c->server, status.keeper, fault->signal);
		/* it may have gone with its keeper */
		(void)!broker_signal(&c->server, status.worker, fault->signal);
		return r;
	case TARGET_MONITOR:
		return broker_signal(&c->server, status.monitor,
				     fault->signal);
	case TARGET_SPIN:
		return probe_open(&c->server.env, &spin, &result);
	}
	return -EINVAL;
}

/* As a service manager would: what has ended is started again, at once. */
static int bring_back(struct context *c)
{
	int status;

	for (int i = 0; i < 500; i++) {
		if (waitpid(c->server.child, &status, WNOHANG) ==
		    c->server.child) {
			c->server.child = 0;
			return broker_restart(&c->server, BROKER_FAULT,
					      &c->options->paths);
		}
		ns_sleep_ms(2);
	}
	return 0;
}

/* Counts what was wrong from `from` on; hit at `at`. */
static void judge(struct context *c, const struct fault *fault, uint32_t from,
		  uint32_t at, uint32_t to)
{
	const struct load *load = c->load;
	bool dead = fault->target == TARGET_MONITOR;
	uint32_t end = dead ? at : to;
	uint32_t refused = load_count(load, LOAD_OPENS, false, from, to) +
			   load_count(load, LOAD_EXECS, false, from, to);

	c->wrong_admin += load_count(load, LOAD_EVIL_ADMIN, true, from, end);
	c->wrong_rule += load_count(load, LOAD_EVIL_RULE, true, from, end);
	if (fault->answers) {
		c->wrong_asked += load_count(load, LOAD_EVIL_ASKED, true, from,
					     to);
	} else {
		c->fallback_allow += load_count(load, LOAD_EVIL_ASKED, true,
						at, to);
	}
	if (fault->target == TARGET_ENGINE) {
		c->engine_refused += refused;
	} else {
		c->wrong_deny += refused;
	}
}

static unsigned window_ms(const struct context *c, const struct fault *fault)
{
	return c->options->quick && fault->window_ms > 2500 ? 2500 :
							       fault->window_ms;
}

#define PROTECTED_MS 15000u

/* Until the administrator's rule has held for 100 ms. */
static void wait_protected(const struct load *load, uint32_t at)
{
	uint32_t now = load_now_us(load);

	while (now < at + PROTECTED_MS * 1000u && !ns_stopped() &&
	       (load_count(load, LOAD_EVIL_ADMIN, true, now - 100000u, now) ||
		!load_count(load, LOAD_EVIL_ADMIN, false, now - 100000u,
			    now))) {
		ns_sleep_ms(10);
		now = load_now_us(load);
	}
}

/* One time of one fault; its stall in us. */
static int once(struct context *c, const struct fault *fault,
		uint32_t *ret_stall)
{
	struct load *load = c->load;
	uint32_t from = load_now_us(load), at, to;
	int r;

	ns_sleep_ms(LEAD_MS);
	at = load_now_us(load);
	r = hit(c, fault);
	if (r == 0 && fault->target == TARGET_MONITOR) {
		r = bring_back(c);
	}
	if (r != 0) {
		return r;
	}
	while (load_now_us(load) < at + window_ms(c, fault) * 1000u) {
		ns_sleep_ms(10);
	}
	if (fault->target == TARGET_MONITOR) {
		wait_protected(load, at);
	}
	to = load_now_us(load);
	if (fault->signal == SIGSTOP && fault->target == TARGET_PRODUCT) {
		struct broker_status status;

		r = broker_status(&c->server, &c->options->paths, &status);
		if (r == 0) {
			(void)!broker_signal(&c->server, status.product[0].pid,
					     SIGKILL);
		}
	}
	judge(c, fault, from, at, to);
	*ret_stall = fault->sum ? load_stalled_us(load, LOAD_OPENS, at, to) :
				  load_longest_us(load, LOAD_OPENS, at, to);
	if (fault->target == TARGET_PRODUCT && fault->signal == SIGKILL) {
		stat_add(&c->back_ms, (load_last_allowed_us(load,
				LOAD_EVIL_ASKED, at, to) - at) / 1000.0);
	}
	if (fault->target == TARGET_MONITOR) {
		c->unprotected_ms = (load_last_allowed_us(load,
				LOAD_EVIL_ADMIN, at, to) - at) / 1000.0;
	}
	return 0;
}

static int run_fault(struct context *c, const struct fault *fault)
{
	int times = c->options->quick && fault->times > 2 ? 2 : fault->times;
	uint32_t stall, worst = 0;
	int r = load_start(c->load, &c->server, LOAD_ALL);

	for (int i = 0; r == 0 && i < times && !ns_stopped(); i++) {
		r = once(c, fault, &stall);
		if (r == 0) {
			worst = stall > worst ? stall : worst;
			r = broker_wait_serving(&c->server, &c->options->paths,
						20000);
		}
	}
	load_stop(c->load);
	r = r == 0 && load_dropped(c->load) > 0 ? -ENOSPC : r;
	if (load_backwards(c->load) > 0) {
		fprintf(stderr, "bench: the clock went back %u times in %s\n",
			load_backwards(c->load), fault->name);
	}
	if (r == 0) {
		figures_set(c->figures, worst / 1000.0, "stall_%s_ms",
			    fault->name);
	}
	if (c->options->verbose || r != 0) {
		fprintf(stderr, "fault %s: %s, stall %.1f ms; allowed wrongly "
			"so far: %u admin, %u rule, %u asked; refused %u\n",
			fault->name, r != 0 ? strerror(-r) : "done",
			worst / 1000.0, c->wrong_admin, c->wrong_rule,
			c->wrong_asked, c->wrong_deny);
	}
	return r;
}

#define CROWD_MS 5000u
#define CROWD_QUICK_MS 1500u

/* Innocents' p99 beside a crowd, against the same just before. */
static int run_crowd(struct context *c, const char *figure, const char *files,
		     unsigned threads, unsigned pause_us)
{
	struct load *load = c->load;
	int r = load_start(load, &c->server, LOAD_ALL);
	unsigned ms = c->options->quick ? CROWD_QUICK_MS : CROWD_MS;
	uint32_t middle, end, settled;
	struct broker_status status;
	double before, after;

	if (r != 0) {
		return r;
	}
	ns_sleep_ms(ms);
	middle = load_now_us(load);
	r = load_crowd(load, &c->server, files, threads, pause_us);
	ns_sleep_ms(500);
	settled = load_now_us(load);
	ns_sleep_ms(ms);
	end = load_now_us(load);
	load_stop(load);
	r = r == 0 && load_dropped(load) > 0 ? -ENOSPC : r;
	if (r != 0) {
		return r;
	}
	before = load_p99_us(load, LOAD_OPENS, 200000, middle);
	after = load_p99_us(load, LOAD_OPENS, settled, end);
	c->wrong_admin += load_count(load, LOAD_EVIL_ADMIN, true, 0, end);
	c->wrong_rule += load_count(load, LOAD_EVIL_RULE, true, 0, end);
	c->wrong_asked += load_count(load, LOAD_EVIL_ASKED, true, 0, middle);
	c->wrong_deny += load_count(load, LOAD_OPENS, false, 0, end) +
			 load_count(load, LOAD_EXECS, false, 0, end);
	figures_set(c->figures, before, "innocent_p99_alone_us");
	figures_set(c->figures, after, "innocent_p99_%s_us", figure);
	if (before > 0) {
		figures_set(c->figures, after / before,
			    "innocent_p99_ratio_%s", figure);
	}
	/* the product still holds what it was never to answer: a fresh one */
	r = broker_status(&c->server, &c->options->paths, &status);
	r = r == 0 ? broker_signal(&c->server, status.product[0].pid,
				   SIGKILL) : r;
	ns_sleep_ms(200);
	return r != 0 ? r : broker_wait_serving(&c->server, &c->options->paths,
						20000);
}

static uint32_t wrong_allow(const struct context *c)
{
	return c->wrong_admin + c->wrong_rule + c->wrong_asked;
}

static void report_wrong(struct context *c)
{
	figures_set(c->figures, wrong_allow(c), "wrong_allow");
	figures_set(c->figures, c->wrong_admin, "wrong_allow_admin");
	figures_set(c->figures, c->wrong_rule, "wrong_allow_rule");
	figures_set(c->figures, c->wrong_asked, "wrong_allow_asked");
	figures_set(c->figures, c->wrong_deny, "wrong_deny");
}

static void report(struct context *c)
{
	struct broker_status status;

	report_wrong(c);
	figures_set(c->figures, c->engine_refused, "engine_killed_refused");
	figures_set(c->figures, c->fallback_allow, "fallback_allow");
	if (c->back_ms.count > 0) {
		figures_set(c->figures, stat_series_p99(&c->back_ms),
			    "product_back_ms_p99");
	}
	if (c->unprotected_ms > 0) {
		figures_set(c->figures, c->unprotected_ms, "unprotected_ms");
	}
	if (broker_status(&c->server, &c->options->paths, &status) == 0) {
		figures_set(c->figures, status.kernel_denied, "kernel_denied");
	}
}

static int run_all(struct context *c)
{
	int failed = 0;

	failed += run_crowd(c, "waiters", "hold", 1000, 1000000) != 0;
	failed += run_crowd(c, "storm", "storm", 100, 0) != 0;
	for (size_t i = 0; i < FAULTS && !ns_stopped(); i++) {
		if (faults[i].target == TARGET_MONITOR) {
			report(c);      /* its counters go with it */
		}
		failed += run_fault(c, &faults[i]) != 0;
	}
	if (c->unprotected_ms > 0) {
		figures_set(c->figures, c->unprotected_ms, "unprotected_ms");
	}
	report_wrong(c);
	return failed;
}

int faults_run(const struct bench_options *options, struct figures *figures)
{
	static struct context c;
	int failed = options->quick ? 0 : sizes_run(options, figures), r;

	c.options = options;
	c.figures = figures;
	c.load = load_new();
	if (c.load == NULL) {
		return -ENOMEM;
	}
	r = server_start_none(&c.server, options->paths.trivial);
	r = r == 0 ? load_files(&c.server) : r;
	r = r == 0 ? broker_start_in(&c.server, BROKER_FAULT,
				     &options->paths) : r;
	if (r != 0) {
		fprintf(stderr, "bench: faults: %s\n", strerror(-r));
		failed++;
	} else {
		failed += run_all(&c);
	}
	server_stop(&c.server);
	c.load = load_free(c.load);
	return ns_stopped() ? -EINTR : failed;
}
