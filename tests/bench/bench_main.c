/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/bench/bench_main.c - `make bench`: how fast, how small, how calm
 *
 * Measures side by side in one run: nobody asking, an in-process fanotify
 * loop, Bailey in its several ways to decide, and fapolicyd where it is
 * installed; then program starts; then, with --fault, what innocents feel
 * while parts are killed, stopped and made to spin. Prints a table, writes one
 * flat JSON object. Exit code: 0 measured; 1 a wrong verdict, or with --strict
 * any missed budget (a busy machine misses some: look at the ratios again on a
 * quiet one); 2 something could not be measured. With --verdicts the times do
 * not matter: 1 a wrong verdict or no evil refused at all, else 0.
 */
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "bench/bench_case.h"
#include "bench/bench_content.h"
#include "lib/ns_env.h"

static void usage(FILE *out)
{
	fputs("usage: bench [--rounds N] [--fault | --fault-only] [--quick]\n"
	      "             [--content | --content-only] (in the source "
	      "folder)\n"
	      "             [--json FILE] [--markdown FILE]\n"
	      "             [--strict | --verdicts]\n"
	      "             [--only CASE,...] [--verbose]\n", out);
}

/* The build folder is two above the folder of this program. */
static int find_build(char *ret_build, size_t size)
{
	char self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);

	if (n < 0) {
		return -errno;
	}
	self[n] = '\0';
	for (int up = 0; up < 3; up++) {
		char *slash = strrchr(self, '/');

		if (slash == NULL) {
			return -ENOENT;
		}
		*slash = '\0';
	}
	if (strlen(self) >= size) {
		return -ENAMETOOLONG;
	}
	strcpy(ret_build, self);
	return 0;
}

static void describe(FILE *out)
{
	char line[256], model[256] = "unknown processor";
	struct utsname name;
	FILE *file = fopen("/proc/cpuinfo", "re");

	while (file != NULL && fgets(line, sizeof line, file) != NULL) {
		char *colon = strstr(line, ": ");

		if (strncmp(line, "model name", 10) == 0 && colon != NULL) {
			snprintf(model, sizeof model, "%s", colon + 2);
			model[strcspn(model, "\n")] = '\0';
			break;
		}
	}
	if (file != NULL) {
		fclose(file);
	}
	uname(&name);
	fprintf(out, "%ld processors (%s), %ld MiB, Linux %s\n\n",
		sysconf(_SC_NPROCESSORS_ONLN), model,
		sysconf(_SC_PHYS_PAGES) / 256, name.release);
}

static int save_markdown(const struct figures *figures, const char *path)
{
	FILE *out = fopen(path, "we");
	int absent;

	if (out == NULL) {
		return -errno;
	}
	describe(out);
	figures_print(figures, out, true, &absent);
	return fclose(out) != 0 ? -errno : 0;
}

static const struct option long_options[] = {
	{ "content", no_argument, NULL, 'c' },
	{ "content-only", no_argument, NULL, 'C' },
	{ "rounds", required_argument, NULL, 'r' },
	{ "fault", no_argument, NULL, 'f' },
	{ "fault-only", no_argument, NULL, 'F' },
	{ "json", required_argument, NULL, 'j' },
	{ "markdown", required_argument, NULL, 'm' },
	{ "only", required_argument, NULL, 'o' },
	{ "quick", no_argument, NULL, 'q' },
	{ "strict", no_argument, NULL, 's' },
	{ "verdicts", no_argument, NULL, 'V' },
	{ "verbose", no_argument, NULL, 'v' },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 }
};

struct request {
	struct bench_options options;
	bool cases, faults, content, strict, verdicts;
	const char *json, *markdown;
};

/* 0 go on, 1 done (help), -EINVAL. */
static int parse(int argc, char **argv, struct request *request)
{
	int c;

	while ((c = getopt_long(argc, argv, "", long_options, NULL)) >= 0) {
		switch (c) {
		case 'r':
			request->options.rounds = atoi(optarg);
			break;
		case 'C':
			request->cases = false;
			request->content = true;
			break;
		case 'c':
			request->content = true;
			break;
		case 'F':
			request->cases = false;
			request->faults = true;
			break;
		case 'f':
			request->faults = true;
			break;
		case 'j':
			request->json = optarg;
			break;
		case 'm':
			request->markdown = optarg;
			break;
		case 'o':
			request->options.only = optarg;
			break;
		case 'q':
			request->options.quick = true;
			break;
		case 's':
			request->strict = true;
			break;
		case 'V':
			request->verdicts = true;
			break;
		case 'v':
			request->options.verbose = true;
			break;
		default:
			usage(c == 'h' ? stdout : stderr);
			return c == 'h' ? 1 : -EINVAL;
		}
	}
	return optind < argc || request->options.rounds < 1 ? -EINVAL : 0;
}

static bool wrong(const struct figures *figures)
{
	double allowed = 0, denied = 0;

	(void)figures_get(figures, "wrong_allow", &allowed);
	(void)figures_get(figures, "wrong_deny", &denied);
	return allowed + denied > 0;
}

/* Was any evil refused at all? */
static bool tried(const struct figures *figures)
{
	double denied = 0;

	(void)figures_get(figures, "evil_denied", &denied);
	return denied > 0;
}

static int finish(const struct request *request, const struct figures *figures,
		  int failed)
{
	int absent, missed, r = 0;

	describe(stdout);
	missed = figures_print(figures, stdout, false, &absent);
	if (request->json != NULL) {
		r = figures_save(figures, request->json);
	}
	if (r == 0 && request->markdown != NULL) {
		r = save_markdown(figures, request->markdown);
	}
	if (r != 0) {
		fprintf(stderr, "bench: cannot save: %s\n", strerror(-r));
		return 2;
	}
	if (request->verdicts) {
		return wrong(figures) || !tried(figures);
	}
	printf("\n%d budgets missed, %d figures with a budget not measured\n",
	       missed, absent);
	if (failed != 0) {
		return 2;
	}
	return wrong(figures) || (request->strict && missed > 0);
}

int main(int argc, char **argv)
{
	static struct figures figures;
	struct request request = { .cases = true, .options.rounds = 9 };
	struct bench_paths *paths = &request.options.paths;
	char build[200], source[PATH_MAX];
	int failed = 0, r = parse(argc, argv, &request);

	if (r != 0) {
		return r < 0 ? 2 : 0;
	}
	if (geteuid() != 0 || find_build(build, sizeof build) != 0) {
		fputs("bench: needs root, in its build folder\n", stderr);
		return request.verdicts ? 77 : 2;
	}
	snprintf(paths->trivial, sizeof paths->trivial,
		 "%s/tests/bench/trivial", build);
	snprintf(paths->bailey, sizeof paths->bailey, "%s/src/cli/bailey",
		 build);
	snprintf(paths->product, sizeof paths->product,
		 "%s/tests/bench/bench-product", build);
	request.options.build = build;
	request.options.source = realpath(".", source);
	ns_catch_signals();
	if (request.cases) {
		failed = cases_run(&request.options, &figures);
	}
	if (failed >= 0 && request.faults) {
		r = faults_run(&request.options, &figures);
		failed = r < 0 ? r : failed + r;
	}
	if (failed >= 0 && request.content && request.options.source) {
		r = content_run(&request.options, &figures);
		failed = r < 0 ? r : failed + r;
	}
	if (failed < 0) {
		fprintf(stderr, "bench: %s\n", strerror(-failed));
		return 2;
	}
	return finish(&request, &figures, failed);
}
