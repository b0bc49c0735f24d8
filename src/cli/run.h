/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/run.h - `bailey run`: a service manager in the foreground
 *
 * Problem: without systemd somebody must start the monitor, start it again at
 * once when it dies (meanwhile the kernel allows everything), and see that the
 * host is left as it was, whichever way the shell ends.
 *
 * One thread, one poll loop. It waits for: signals, the monitor's words
 * (sd_notify datagrams, from the monitor's pid only), decisions of the engine,
 * the end of standard input (a terminal or a pipe), and its own deadlines.
 * Printing never blocks it: a line that standard error does not take is
 * dropped and counted.
 *
 * Its children are the monitor and, if a product's content has a url, the
 * updater. What a dead monitor leaves behind comes to it as subreaper, and is
 * killed before the next monitor starts, as a service manager does with a
 * control group. Children that were there before are not touched.
 */
#ifndef CLI_RUN_H
#define CLI_RUN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/mono.h"
#include "cli/cli.h"
#include "cli/peer.h"

#define RUN_PATH 512
#define RUN_STATE_LONGEST 90u   /* a socket's path has 107 bytes */
#define RUN_ARGUMENTS 160
#define RUN_WATCHDOG_NS (5 * MONO_S)
#define RUN_STOP_NS (15 * MONO_S)

/* ---- run_place.c: where things are ---- */

struct run_place {
	char state[RUN_PATH];
	char etc[RUN_PATH];
	int state_fd;           /* owned; holds the lock */
	bool made;              /* state is ours: remove it at the end */
};

int run_place_open(const struct cli_args *args, struct run_place *ret_place)
	__attribute__((warn_unused_result));
/* Removes a directory that was made, with all in it; never across a mount. */
void run_place_close(struct run_place *place);
/* bailey-monitor, beside this program, where it was built or installed. */
int run_find_monitor(char ret_path[RUN_PATH])
	__attribute__((warn_unused_result));
/* bailey-updater and bailey-publish, likewise. */
int run_find_updater(char ret_path[RUN_PATH])
	__attribute__((warn_unused_result));
int run_find_publish(char ret_path[RUN_PATH])
	__attribute__((warn_unused_result));
/* A manifest: a path, or the name of one that is installed or built. */
int run_find_manifest(const char *name, const char *etc,
		      char ret_path[RUN_PATH])
	__attribute__((warn_unused_result));

/* ---- run_backoff.c: when to start again ---- */

/* At once for the first few deaths; then longer and longer, until it lived for
 * RUN_CALM_NS. */
#define RUN_AT_ONCE 3u
#define RUN_CALM_NS (10 * MONO_S)
#define RUN_DELAY_FIRST_NS (100 * MONO_MS)
#define RUN_DELAY_MOST_NS (5 * MONO_S)

struct run_backoff {
	unsigned deaths;        /* without a calm between them */
	mono_t last;
};

/* A death now: how long to wait. */
uint64_t run_backoff_death(struct run_backoff *backoff, mono_t now);

/* ---- run_monitor.c: the monitor as a child ---- */

struct run_monitor {
	const char *const *argv;        /* borrowed */
	const struct run_place *place;  /* borrowed */
	pid_t pid;              /* 0: not running */
	int notify_fd;          /* owned */
	mono_t heard;           /* last WATCHDOG=1 */
	bool ready, stopping, watched;
	int before[64];         /* children of this process that are not ours */
	unsigned befores;
};

int run_monitor_init(struct run_monitor *monitor,
		     const struct run_place *place, const char *const *argv)
	__attribute__((warn_unused_result));
void run_monitor_fini(struct run_monitor *monitor);
int run_monitor_start(struct run_monitor *monitor)
	__attribute__((warn_unused_result));
/* Reads what it said. 1 when it became ready with this. */
int run_monitor_hear(struct run_monitor *monitor);
/* 1 if it ended; then *ret_status is its wait status. */
int run_monitor_reap(struct run_monitor *monitor, int *ret_status);
/* Kills what a dead monitor left; spare: a child of ours, or 0. */
void run_monitor_sweep(const struct run_monitor *monitor, pid_t spare);

/* ---- run_updater.c: bailey-updater as a child ---- */

#define RUN_UPDATER_STOP_MS 2000u

struct run_updater {
	const char *argv[RUN_ARGUMENTS];        /* borrowed words */
	size_t count;           /* of them; 0: none is wanted */
	pid_t pid;              /* 0: not running */
	mono_t start_at;        /* 0: no start is planned */
	struct run_backoff backoff;
};

/* Does this manifest say where its content comes from? */
bool run_updater_wanted(const char *path) __attribute__((warn_unused_result));
/* The same of one that etc's bailey.conf enables. */
bool run_updater_enabled(const char *etc) __attribute__((warn_unused_result));
/* It is to run from now on. */
void run_updater_begin(struct run_updater *updater);
/* Reaps it, starts it when that is due. */
void run_updater_turn(struct run_updater *updater);
/* Ends it, and waits for that. */
void run_updater_end(struct run_updater *updater);

/* ---- run_say.c ---- */

/* One line on standard error, dropped if that would block. */
__attribute__((format(printf, 1, 2))) void run_say(const char *format, ...);
void run_say_ready(void);       /* "ready" on standard output */
/* A decision that this run shows. debug: also all that this product did. */
void run_say_decision(const struct view_decision *decision, const char *debug);

/* ---- run_loop.c ---- */

struct run {
	struct run_place place;
	struct run_monitor monitor;
	struct run_updater updater;
	struct run_backoff backoff;
	struct peer events;     /* the engine's stream; fd -1: none */
	const char *debug;      /* product or null; borrowed */
	int signal_fd;          /* owned */
	bool was_ready;         /* once at least */
	bool watch_input;       /* its end ends the run */
	mono_t start_at;        /* of the next monitor; 0: none planned */
	mono_t connect_at;      /* of the next try for events; 0: none */
	mono_t stop_by;         /* 0: not stopping */
	mono_t died_at;         /* of the last monitor */
	bool done;
	int code;
};

/* Until the end; returns the exit code. The signals are blocked. */
int run_loop(struct run *run);

#endif
