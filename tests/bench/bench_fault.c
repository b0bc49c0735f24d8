/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/bench/bench_fault.c - what innocents feel while something is broken
 *
 * One broker, one product, the load of bench_load.h; then, one after the other,
 * parts of it are killed, stopped or made to spin. Wrong is:
 *   an evil open that was allowed although the administrator's rule forbids
 *   it, or the product's own rule, or an answer of its that it gave for the
 *   object: whoever lives or does not;
 *   an innocent operation that was refused (but for those that the monitor
 *   had to refuse when both halves of the engine had died: kernel_denied).
 * What the product denies one open at a time nobody else can know. While it is
 * not there its configured fallback stands: `rules` here, so that innocents go
 * on, and then such evil gets through (fallback_allow, not wrong). A second
 * broker, whose fallback is `deny`, is judged by that too: "strict".
 *
 * While the monitor is dead the kernel allows everything: that is not wrong
 * but unprotected, and measured as time.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "bench/bench_broker.h"
#include "bench/bench_crowd.h"
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
};

/* The first is what the machine does by itself: hold the others against it. A
 * product that dies within 10 s of its start is restarted later each time: so
 * that what is measured is a product, not the brake, it lives longer here. */
static const struct fault faults[] = {
	{ "nothing", TARGET_NOTHING, 0, 1, 10000, false },
	{ "product_killed", TARGET_PRODUCT, SIGKILL, 5, 10500, false },
	{ "product_stopped", TARGET_PRODUCT, SIGSTOP, 1, 10000, true },
	{ "product_spinning", TARGET_SPIN, 0, 1, 10000, true },
	{ "worker_killed", TARGET_WORKER, SIGKILL, 6, 500, false },
	{ "worker_stopped", TARGET_WORKER, SIGSTOP, 2, 1500, false },
	{ "engine_killed", TARGET_ENGINE, SIGKILL, 3, 1500, false },
	{ "monitor_killed", TARGET_MONITOR, SIGKILL, 1, 3000, false },
};

#define FAULTS (sizeof faults / sizeof faults[0])

/* Those before the strict broker: for verdicts, not for times. */
static const struct fault strict_faults[] = {
	{ "strict_product_killed", TARGET_PRODUCT, SIGKILL, 3, 800, false },
	{ "strict_product_stopped", TARGET_PRODUCT, SIGSTOP, 1, 1500, false },
	{ "strict_worker_killed", TARGET_WORKER, SIGKILL, 2, 500, false },
	{ "strict_worker_stopped", TARGET_WORKER, SIGSTOP, 1, 1500, false },
	{ "strict_engine_killed", TARGET_ENGINE, SIGKILL, 2, 1500, false },
};

#define STRICT_FAULTS (sizeof strict_faults / sizeof strict_faults[0])
#define LEAD_MS 300u            /* undisturbed, before each fault */

struct context {
	const struct bench_options *options;
	struct figures *figures;
	struct server server;
	enum broker_kind kind;
	unsigned loads;                 /* which of the load, by bit */
	struct load *load;
	struct stat_series back_ms;     /* product crash to protection */
	uint32_t wrong[LOAD_KINDS];     /* allowed evil, by what it is */
	uint32_t wrong_deny, engine_refused;
	uint32_t evil_denied;
	uint32_t fallback_allow;        /* nobody was there who could know */
	uint32_t calm_allow;            /* ... though nothing was broken */
	double unprotected_ms, unprotected_cwd_ms;
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
			return broker_restart(&c->server, c->kind,
					      &c->options->paths);
		}
		ns_sleep_ms(2);
	}
	return 0;
}

static void judge_evil(struct context *c, uint32_t from, uint32_t to)
{
	for (int kind = LOAD_EVIL_ADMIN; kind < LOAD_KINDS; kind++) {
		uint32_t allowed = load_count(c->load, kind, true, from, to);

		c->evil_denied += load_count(c->load, kind, false, from, to);
		if (kind == LOAD_EVIL_ONCE && c->kind != BROKER_STRICT) {
			c->fallback_allow += allowed;
		} else {
			c->wrong[kind] += allowed;
		}
	}
}

/* Counts what was wrong from `from` on; hit at `at`. */
static void judge(struct context *c, const struct fault *fault, uint32_t from,
		  uint32_t at, uint32_t to)
{
	const struct load *load = c->load;
	uint32_t refused = load_count(load, LOAD_OPENS, false, from, to) +
			   load_count(load, LOAD_EXECS, false, from, to);

	judge_evil(c, from, fault->target == TARGET_MONITOR ? at : to);
	if (fault->target == TARGET_NOTHING) {
		c->calm_allow += load_count(load, LOAD_EVIL_ONCE, true, from,
					    to);
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
	if (fault->target == TARGET_PRODUCT && fault->signal == SIGKILL &&
	    !c->options->quick && c->kind == BROKER_FAULT) {
		stat_add(&c->back_ms, (load_last_allowed_us(load,
				LOAD_EVIL_ONCE, at, to) - at) / 1000.0);
	}
	if (fault->target == TARGET_MONITOR) {
		c->unprotected_ms = (load_last_allowed_us(load,
				LOAD_EVIL_ADMIN, at, to) - at) / 1000.0;
		c->unprotected_cwd_ms = (load_last_allowed_us(load,
				LOAD_EVIL_CWD, at, to) - at) / 1000.0;
	}
	return 0;
}

static void say_fault(const struct context *c, const struct fault *fault,
		      int r, uint32_t worst)
{
	fprintf(stderr, "fault %s: %s, stall %.1f ms; wrong so far: allowed",
		fault->name, r != 0 ? strerror(-r) : "done", worst / 1000.0);
	for (int kind = LOAD_EVIL_ADMIN; kind < LOAD_KINDS; kind++) {
		fprintf(stderr, " %s %u", load_name(kind), c->wrong[kind]);
	}
	fprintf(stderr, ", refused %u; by fallback %u\n", c->wrong_deny,
		c->fallback_allow);
}

/* Why it does not serve. */
static void say_state(const struct context *c)
{
	struct broker_status status;

	if (broker_status(&c->server, &c->options->paths, &status) == 0 &&
	    status.products > 0) {
		fprintf(stderr, "bench: the product: %s, %s, %.0f restarts, "
			"last: %s\n", status.product[0].state,
			status.product[0].mode, status.product[0].restarts,
			status.product[0].last_fault);
	}
	broker_show_log(&c->server.env);
}

static int run_fault(struct context *c, const struct fault *fault)
{
	int times = c->options->quick && fault->times > 2 ? 2 : fault->times;
	uint32_t stall, worst = 0;
	int r = load_start(c->load, &c->server, c->loads);

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
	if (r == 0 && c->kind == BROKER_FAULT) {
		figures_set(c->figures, worst / 1000.0, "stall_%s_ms",
			    fault->name);
	}
	if (c->options->verbose || r != 0) {
		say_fault(c, fault, r, worst);
	}
	if (r != 0) {
		say_state(c);
	}
	return r;
}

/* Innocents' p99 beside a crowd, against the same just before. */
static int run_crowd(struct context *c, const struct crowd *crowd)
{
	struct broker_status status;
	struct load *load = c->load;
	struct crowd_times times;
	int r = crowd_measure(load, &c->server, c->loads, crowd,
			      c->options->quick, &times);

	if (r != 0) {
		return r;
	}
	judge_evil(c, 0, times.end_us);
	c->wrong_deny += load_count(load, LOAD_OPENS, false, 0, times.end_us) +
			 load_count(load, LOAD_EXECS, false, 0, times.end_us);
	figures_set(c->figures, times.alone_us, "innocent_p99_alone_us");
	figures_set(c->figures, times.beside_us, "innocent_p99_%s_us",
		    crowd->name);
	if (times.alone_us > 0) {
		figures_set(c->figures, times.beside_us / times.alone_us,
			    "innocent_p99_ratio_%s", crowd->name);
	}
	/* the product still holds what it was never to answer: a fresh one */
	r = broker_status(&c->server, &c->options->paths, &status);
	r = r == 0 ? broker_signal(&c->server, status.product[0].pid,
				   SIGKILL) : r;
	ns_sleep_ms(200);
	return r != 0 ? r : broker_wait_serving(&c->server, &c->options->paths,
						20000);
}

static void report_wrong(const struct context *c)
{
	uint32_t sum = 0;

	for (int kind = LOAD_EVIL_ADMIN; kind < LOAD_KINDS; kind++) {
		sum += c->wrong[kind];
		figures_set(c->figures, c->wrong[kind], "wrong_allow_%s",
			    load_name(kind));
	}
	figures_set(c->figures, sum, "wrong_allow");
	figures_set(c->figures, c->wrong_deny, "wrong_deny");
	figures_set(c->figures, c->evil_denied, "evil_denied");
	figures_set(c->figures, c->fallback_allow, "fallback_allow");
	figures_set(c->figures, c->calm_allow, "fallback_allow_nothing");
}

static void report(struct context *c)
{
	struct broker_status status;

	figures_set(c->figures, c->engine_refused, "engine_killed_refused");
	if (c->back_ms.count > 0) {
		figures_set(c->figures, stat_series_p99(&c->back_ms),
			    "product_back_ms_p99");
	}
	if (broker_status(&c->server, &c->options->paths, &status) == 0) {
		figures_set(c->figures, status.kernel_denied, "kernel_denied");
	}
}

#define PRIME_MS 10000

/* Until the product has said of the evil object what it says: from then on it
 * is to be known, whatever happens to the product. */
static int prime(const struct context *c)
{
	struct probe probe = { .name = "object_evil", .files = 1, .count = 1,
			       .uid = PROBE_UID, .limit_ms = 5000 };
	struct probe_result result = { .failed = 0 };
	int r = 0;

	for (int ms = 0; r == 0 && result.failed == 0 && !ns_stopped();
	     ms += 50) {
		if (ms >= PRIME_MS) {
			return -ETIMEDOUT;
		}
		ns_sleep_ms(50);
		r = probe_open(&c->server.env, &probe, &result);
	}
	return r;
}

static int run_faults(struct context *c, const struct fault *list, size_t count)
{
	int failed = 0;

	for (size_t i = 0; i < count && !ns_stopped(); i++) {
		if (list[i].target == TARGET_MONITOR) {
			report(c);      /* its counters go with it */
		}
		failed += run_fault(c, &list[i]) != 0;
	}
	return failed;
}

static int run_all(struct context *c)
{
	int failed = 0;

	failed += run_crowd(c, &crowd_waiters) != 0;
	failed += run_crowd(c, &crowd_storm) != 0;
	failed += run_faults(c, faults, FAULTS);
	if (c->unprotected_ms > 0) {
		figures_set(c->figures, c->unprotected_ms, "unprotected_ms");
		figures_set(c->figures, c->unprotected_cwd_ms,
			    "unprotected_cwd_ms");
	}
	return failed;
}

/* A broker of this kind, what is done to it, and its end. Negative: it does
 * not even start. */
static int on_broker(struct context *c, enum broker_kind kind, unsigned loads)
{
	int r = server_start_none(&c->server, c->options->paths.trivial);

	c->kind = kind;
	c->loads = loads;
	r = r == 0 ? load_files(&c->server) : r;
	r = r == 0 ? broker_start_in(&c->server, kind, &c->options->paths) : r;
	r = r == 0 ? prime(c) : r;
	if (r != 0) {
		fprintf(stderr, "bench: %s: %s\n", broker_name(kind),
			strerror(-r));
	} else if (kind == BROKER_STRICT) {
		r = run_faults(c, strict_faults, STRICT_FAULTS);
	} else {
		r = run_all(c);
	}
	server_stop(&c->server);
	return r;
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
	r = on_broker(&c, BROKER_FAULT, LOAD_ALL);
	failed += r < 0 ? 1 : r;
	if (r >= 0) {
		r = on_broker(&c, BROKER_STRICT, LOAD_ALL & ~LOAD_INNOCENT);
		failed += r < 0 ? 1 : r;
		report_wrong(&c);
	}
	if (!options->quick && !ns_stopped()) {
		failed += crowd_peers(options, c.load, figures);
	}
	c.load = load_free(c.load);
	return ns_stopped() ? -EINTR : failed;
}
