/* SPDX-License-Identifier: Apache-2.0 */
/* tests/bench/bench_sizes.c - see bench_sizes.h */
#include "bench/bench_sizes.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bench/bench_broker.h"
#include "bench/bench_probe.h"
#include "lib/ns_proc.h"

#define IDLE_MS 10000u

struct idle {
	uint64_t all, monitor, others;
	pid_t monitor_pid;
};

static void add_sleeps(pid_t pid, void *context)
{
	struct idle *idle = context;
	uint64_t n = ns_proc_sleeps(pid);

	idle->all += n;
	if (pid == idle->monitor_pid) {
		idle->monitor += n;
	}
}

/* What is shared counts once, whoever maps it: so all of it is Pss. */
static void measure_memory(const struct broker_status *status,
			   struct figures *figures)
{
	double monitor = (double)ns_proc_pss(status->monitor);
	double engine = (double)ns_proc_pss(status->keeper) +
			(double)ns_proc_pss(status->worker);

	if (monitor > 0 && engine > 0) {
		figures_set(figures, monitor, "rss_monitor_kb");
		figures_set(figures, engine, "rss_engine_kb");
	}
	figures_set(figures, (double)ns_proc_pss(status->product[0].pid),
		    "rss_product_kb");
	figures_set(figures, (double)ns_proc_status(status->monitor, "VmRSS"),
		    "vmrss_monitor_kb");
	figures_set(figures, (double)ns_proc_status(status->worker, "VmRSS"),
		    "vmrss_worker_kb");
}

static int measure_idle(const struct server *server,
			const struct bench_paths *paths,
			struct figures *figures)
{
	struct broker_status status;
	struct idle before, after;
	int r;

	ns_sleep_ms(2000);
	r = broker_status(server, paths, &status);
	if (r != 0) {
		return r;
	}
	measure_memory(&status, figures);
	ns_sleep_ms(500);
	before = after = (struct idle){ .monitor_pid = status.monitor };
	ns_proc_tree(server->child, add_sleeps, &before);
	ns_sleep_ms(IDLE_MS);
	ns_proc_tree(server->child, add_sleeps, &after);
	figures_set(figures, (double)(after.all - before.all) * 1000 / IDLE_MS,
		    "idle_wakeups_per_s");
	figures_set(figures, (double)(after.monitor - before.monitor) * 1000 /
		    IDLE_MS, "idle_wakeups_monitor_per_s");
	return ns_stopped() ? -EINTR : 0;
}

#define FLUSH_FILES 100000u
#define FLUSH_SAMPLES 64u
#define CACHED_US 8.0           /* no question takes less, no other more */

/* What the watching child finds out. */
struct flush {
	_Atomic int ready;
	double first_ms, last_ms;       /* when samples were asked again */
	double cached_us;               /* median before */
	uint32_t fallen;                /* samples that were asked again */
};

static double open_us(const char *name)
{
	uint64_t start = ns_now_ns();
	int fd = open(name, O_RDONLY | O_CLOEXEC);
	uint64_t end = ns_now_ns();

	if (fd >= 0) {
		close(fd);
	}
	return (double)(end - start) / 1000;
}

static void sample_name(char *name, size_t size, unsigned i)
{
	snprintf(name, size, "many%u", i * (FLUSH_FILES / FLUSH_SAMPLES));
}

/* Opens samples again and again: those that take as long as a question, not
 * as long as a cached open, were forgotten. */
static void watch(struct flush *flush)
{
	double us[FLUSH_SAMPLES], limit;
	bool fallen[FLUSH_SAMPLES] = { false };
	char name[32];
	uint64_t start;

	for (unsigned i = 0; i < FLUSH_SAMPLES; i++) {
		sample_name(name, sizeof name, i);
		us[i] = open_us(name);
	}
	flush->cached_us = stat_median(us, FLUSH_SAMPLES);
	limit = flush->cached_us * 5;
	start = ns_now_ns();
	flush->ready = 1;
	while (flush->fallen < FLUSH_SAMPLES &&
	       ns_now_ns() - start < 5000000000u) {
		for (unsigned i = 0; i < FLUSH_SAMPLES; i++) {
			sample_name(name, sizeof name, i);
			if (fallen[i] || open_us(name) < limit) {
				continue;
			}
			fallen[i] = true;
			flush->last_ms = (double)(ns_now_ns() - start) / 1e6;
			/* a few may only have been interrupted */
			if (++flush->fallen == 4) {
				flush->first_ms = flush->last_ms;
			}
		}
	}
}

/* All files once, so that the verdict about each is kept. */
static void visit_all(void)
{
	char name[32];

	for (unsigned i = 0; i < FLUSH_FILES; i++) {
		snprintf(name, sizeof name, "many%u", i);
		open_us(name);
	}
}

static int measure_flush(struct server *server, const struct bench_paths *paths,
			 struct figures *figures)
{
	static const char *const allow[] = { "allow", "/nowhere/bench",
					     "--for", "1h", "--reason",
					     "bench", NULL };
	struct flush *flush = mmap(NULL, sizeof *flush, PROT_READ | PROT_WRITE,
				   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int status, r;
	pid_t pid;

	if (flush == MAP_FAILED) {
		return -errno;
	}
	pid = ns_env_fork(&server->env);
	if (pid == 0) {
		visit_all();
		watch(flush);
		_exit(0);
	}
	if (pid < 0) {
		return pid;
	}
	for (int i = 0; i < 3000 && flush->ready == 0; i++) {
		ns_sleep_ms(10);
	}
	r = broker_command(server, paths, allow, NULL, 0);
	if (r != 0) {
		fprintf(stderr, "bench: flush: bailey allow says %d\n", r);
	}
	r = ns_wait(pid, 10000, &status);
	if (r == 0 && flush->cached_us > CACHED_US) {
		fprintf(stderr, "bench: flush: a known open takes %.1f us: the "
			"kernel was not told the verdicts\n", flush->cached_us);
		r = -ENODATA;
	} else if (r == 0 && flush->fallen < FLUSH_SAMPLES) {
		fprintf(stderr, "bench: flush: %u of %u samples asked again\n",
			flush->fallen, FLUSH_SAMPLES);
		r = -ENODATA;
	}
	if (r == 0) {
		figures_set(figures, flush->last_ms - flush->first_ms,
			    "flush_100k_ms");
		figures_set(figures, flush->cached_us, "open_flush_cached_us");
	}
	munmap(flush, sizeof *flush);
	return r;
}

static int on_server(const struct bench_options *options, enum broker_kind kind,
		     struct figures *figures)
{
	struct server server = { .made = false };
	int r = server_start_none(&server, options->paths.trivial);

	if (r == 0 && kind == BROKER_KCACHED) {
		r = server_add_files(&server, "many", FLUSH_FILES, 0644);
	}
	r = r == 0 ? broker_start_in(&server, kind, &options->paths) : r;
	if (r == 0) {
		r = kind == BROKER_ASK1 ?
			measure_idle(&server, &options->paths, figures) :
			measure_flush(&server, &options->paths, figures);
	}
	if (r != 0) {
		fprintf(stderr, "bench: sizes, %s: %s\n", broker_name(kind),
			strerror(-r));
	}
	server_stop(&server);
	return r != 0;
}

int sizes_run(const struct bench_options *options, struct figures *figures)
{
	return on_server(options, BROKER_ASK1, figures) +
	       on_server(options, BROKER_KCACHED, figures);
}
