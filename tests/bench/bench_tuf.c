/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_tuf BAILEY_TUF - what a refresh without change costs: one line of JSON
 *
 *	refresh_cpu_us       processor, a handle that stays open, over HTTP
 *	refresh_first_cpu_us processor, a new handle each time (all is read and
 *	                     verified), over HTTP
 *	refresh_rss_kb       heap in use by the handle and the fetcher, at most,
 *	                     beyond what the libraries keep of their own
 *	refresh_program_cpu_us  processor of `bailey-tuf refresh` beyond that of
 *	                     `bailey-tuf --help`, run in turn: what a program
 *	                     costs before it does anything is no refresh
 *	refresh_program_rss_kb  its own memory (no file's) at its end, beyond
 *	                     the same
 *	refresh_help_cpu_us  `--help` itself: the program and its libraries
 *
 * The repository: four roles and two delegations with 100 targets each.
 */
#include <malloc.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/tuf_http.h"

#define ROUNDS 200

static size_t heap_now(void)
{
	return mallinfo2().uordblks;
}

static size_t heap_most;

/* Asked in the middle of a refresh. */
static int64_t watching_clock(void *context)
{
	size_t now = heap_now();

	heap_most = now > heap_most ? now : heap_most;
	return time(NULL);
}

static uint64_t cpu_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000u + (uint64_t)t.tv_nsec / 1000u;
}

static int by_size(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static uint64_t median(uint64_t *times)
{
	qsort(times, ROUNDS, sizeof(*times), by_size);
	return times[ROUNDS / 2];
}

static void need(int good, const char *what, const struct tuf *tuf)
{
	if (!good) {
		fprintf(stderr, "bench_tuf: %s: %s\n", what,
			tuf ? tuf_why(tuf) : "");
		exit(1);
	}
}

static uint64_t open_handle(struct tuf *tuf, struct fetch *fetch)
{
	uint64_t times[ROUNDS];

	for (int i = 0; i < ROUNDS; i++) {
		uint64_t begin = cpu_us();

		need(tuf_refresh(tuf, fetch) == 0, "refresh", tuf);
		times[i] = cpu_us() - begin;
		watching_clock(NULL);
	}
	return median(times);
}

static uint64_t new_handles(const char *folder, struct fetch *fetch)
{
	uint64_t times[ROUNDS];

	for (int i = 0; i < ROUNDS; i++) {
		uint64_t begin = cpu_us();
		struct tuf *tuf;

		need(tuf_open(folder, &tuf) == 0, folder, NULL);
		tuf_clock(tuf, watching_clock, NULL);
		need(tuf_refresh(tuf, fetch) == 0, "refresh", tuf);
		tuf_close(tuf);
		times[i] = cpu_us() - begin;
	}
	return median(times);
}

static pid_t start(char *const *words, bool traced)
{
	pid_t child = fork();

	if (child == 0) {
		if (!freopen("/dev/null", "w", stdout) ||
		    (traced && ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0)) {
			_exit(127);
		}
		execv(words[0], words);
		_exit(127);
	}
	return child;
}

/* Processor time of one run. */
static int64_t cpu_of(char *const *words)
{
	struct rusage used;
	int status = 0;
	pid_t child = start(words, false);

	need(wait4(child, &status, 0, &used) == child && status == 0, words[0],
	     NULL);
	return (used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1000000 +
	       used.ru_utime.tv_usec + used.ru_stime.tv_usec;
}

static int64_t anonymous_kb(pid_t pid)
{
	char path[64], line[128];
	long long kb = -1;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", (int)pid);
	file = fopen(path, "re");
	while (file && kb < 0 && fgets(line, sizeof(line), file)) {
		(void)sscanf(line, "Anonymous: %lld kB", &kb);
	}
	need(kb >= 0, path, NULL);
	fclose(file);
	return kb;
}

/* Its own memory when it exits: it is stopped there and looked at. */
static int64_t memory_of(char *const *words)
{
	int status = 0;
	int64_t kb = -1;
	pid_t child = start(words, true);

	need(waitpid(child, &status, 0) == child && WIFSTOPPED(status) &&
	     ptrace(PTRACE_SETOPTIONS, child, NULL, PTRACE_O_TRACEEXIT) == 0,
	     "ptrace", NULL);
	while (WIFSTOPPED(status)) {
		if (status >> 8 == (SIGTRAP | PTRACE_EVENT_EXIT << 8)) {
			kb = anonymous_kb(child);
		}
		need(ptrace(PTRACE_CONT, child, NULL, NULL) == 0 &&
		     waitpid(child, &status, 0) == child, "ptrace", NULL);
	}
	need(status == 0 && kb >= 0, words[0], NULL);
	return kb;
}

static uint64_t beyond(int64_t value, int64_t base)
{
	return value > base ? (uint64_t)(value - base) : 0;
}

struct program {
	uint64_t cpu_us, rss_kb, help_cpu_us;   /* medians */
};

/* A refresh and a --help in turn; the differences of neighbours. */
static void measure_program(char *path, char *folder, char *url,
			    struct program *ret_program)
{
	static char dir_word[] = "--metadata-dir", url_word[] =
		"--metadata-url", refresh_word[] = "refresh",
		help_word[] = "--help";
	char *refresh[] = { path, dir_word, folder, url_word, url,
			    refresh_word, NULL };
	char *help[] = { path, help_word, NULL };
	uint64_t cpu[ROUNDS], rss[ROUNDS], helps[ROUNDS];

	for (int i = 0; i < ROUNDS; i++) {
		int64_t its = cpu_of(refresh), base = cpu_of(help);

		cpu[i] = beyond(its, base);
		helps[i] = (uint64_t)base;
		its = memory_of(refresh);
		rss[i] = beyond(its, memory_of(help));
	}
	*ret_program = (struct program){ median(cpu), median(rss),
					 median(helps) };
}

static void fill(struct sim *s)
{
	static const char *const roles[] = { "content/scan", "data/scan" };
	char path[64];

	/* the program's clock is the machine's */
	s->now = time(NULL);
	for (size_t i = 0; i < 4; i++) {
		sim_expires(s, s->roles[i].name, s->now + SIM_DAY);
		sim_unpublish(s, s->roles[i].name);
	}
	for (size_t i = 0; i < 2; i++) {
		sim_delegate(s, "targets", roles[i], "content/*/*/*", false);
		for (int j = 0; j < 25; j++) {
			snprintf(path, sizeof(path), "content/scan/code/%d",
				 j);
			sim_add_target(s, roles[i], path, "x");
		}
	}
	sim_publish_all(s);
}

int main(int argc, char **argv)
{
	struct sim *s = sim_new();
	struct program program;
	struct sim_client c;
	struct sim_http h;
	struct fetch *fetch, *warm;
	struct tuf *tuf;
	char url[100];
	size_t before;
	uint64_t stays, first;

	need(argc == 2, "usage: bench_tuf BAILEY_TUF", NULL);
	setenv("no_proxy", "*", 1);
	fill(s);
	sim_client_init(&c, s);
	sim_http_start(&h, s, false);
	snprintf(url, sizeof(url), "%smetadata/", h.base);
	/* once, so that the libraries have what they keep */
	need(fetch_url(url, NULL, &warm) == 0, url, NULL);
	new_handles(c.metadata, warm);
	before = heap_now();
	heap_most = before;
	need(fetch_url(url, NULL, &fetch) == 0, url, NULL);
	need(tuf_open(c.metadata, &tuf) == 0, c.metadata, NULL);
	tuf_clock(tuf, watching_clock, NULL);
	stays = open_handle(tuf, fetch);
	first = new_handles(c.metadata, fetch);
	measure_program(argv[1], c.metadata, url, &program);
	printf("{\"refresh_cpu_us\": %llu, \"refresh_first_cpu_us\": %llu, "
	       "\"refresh_rss_kb\": %zu, \"refresh_program_cpu_us\": %llu, "
	       "\"refresh_program_rss_kb\": %llu, "
	       "\"refresh_help_cpu_us\": %llu}\n", (unsigned long long)stays,
	       (unsigned long long)first, (heap_most - before) / 1024,
	       (unsigned long long)program.cpu_us,
	       (unsigned long long)program.rss_kb,
	       (unsigned long long)program.help_cpu_us);
	tuf_close(tuf);
	fetch_free(fetch);
	fetch_free(warm);
	sim_http_stop(&h);
	sim_client_fini(&c);
	sim_free(s);
	return 0;
}
