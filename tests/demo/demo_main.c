/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/demo/demo_main.c - `make demo`: a wall, and everything thrown at it
 *
 * Root; on a tmpfs of its own in a private mount namespace, so that nothing
 * else of the machine is watched. Ctrl-C ends it at any time and leaves nothing
 * behind. Exit code 0 if every line held.
 */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "demo/demo.h"

static bool left_behind(const char *base)
{
	struct stat st;

	return lstat(base, &st) == 0;
}

static void set_paths(struct demo *demo, const char *build, const char *source)
{
	struct bench_paths *paths = &demo->paths;

	snprintf(demo->source, sizeof demo->source, "%s", source);
	snprintf(demo->build, sizeof demo->build, "%s", build);
	snprintf(paths->trivial, sizeof paths->trivial,
		 "%s/tests/bench/trivial", build);
	snprintf(paths->bailey, sizeof paths->bailey, "%s/src/cli/bailey",
		 build);
}

static int run(struct demo *demo)
{
	char base[sizeof demo->server.env.base];
	int r = demo_host_set_up(demo);

	if (r != 0) {
		fprintf(stderr, "demo: no place of its own: %s\n",
			strerror(-r));
		return 2;
	}
	printf("Bailey: security products as confined processes.\n"
	       "Watched is %s, a tmpfs of its own; nothing else of this "
	       "machine.\n", demo->server.env.tree);
	demo_steps_faults(demo);
	if (demo->bad == 0 || demo->good > 3) {
		demo_steps_rogues(demo);
	}
	if (!ns_stopped()) {
		demo_steps_content(demo);
	}
	memcpy(base, demo->server.env.base, sizeof base);
	load_stop(demo->load);
	server_stop(&demo->server);
	demo_title("The end");
	demo_check(demo, !left_behind(base), "%s is gone, with all in it",
		   base);
	printf("\n%d held, %d did not, %.0f s%s\n", demo->good, demo->bad,
	       (double)(ns_now_ns() - demo->start_ns) / 1e9,
	       ns_stopped() ? " (interrupted)" : "");
	return demo->bad > 0 || ns_stopped();
}

int main(int argc, char **argv)
{
	static struct demo demo;
	char build[200];
	int r;

	if (argc != 3 || access(argv[1], X_OK) != 0 ||
	    strlen(argv[1]) >= sizeof build ||
	    strlen(argv[2]) >= sizeof build) {
		fputs("usage: demo BUILD SOURCE\n", stderr);
		return 2;
	}
	if (geteuid() != 0) {
		fputs("demo: needs root (a mount of its own, fanotify)\n",
		      stderr);
		return 2;
	}
	snprintf(build, sizeof build, "%s", argv[1]);
	set_paths(&demo, build, argv[2]);
	demo.start_ns = ns_now_ns();
	demo.load = load_new();
	if (demo.load == NULL) {
		fputs("demo: no memory\n", stderr);
		return 2;
	}
	ns_catch_signals();
	r = run(&demo);
	demo.load = load_free(demo.load);
	return r;
}
