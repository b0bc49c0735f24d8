/* SPDX-License-Identifier: Apache-2.0 */
/*
 * update/updater_loop.h - the process that sleeps
 *
 * One thread, one poll. It forks a child for each try and hears two outcomes
 * from it: after the metadata, and at the end. While blobs still come, the
 * next try for the metadata may begin: at most LOOP_CHILDREN a product. A
 * child that dies without a word has failed; one that outlives its bounds is
 * killed. Woken by: children, SIGHUP (configuration anew), SIGTERM, `check`.
 */
#ifndef UPDATE_UPDATER_LOOP_H
#define UPDATE_UPDATER_LOOP_H

#include <signal.h>

#include "base/mono.h"
#include "update/updater.h"

#define LOOP_CHILDREN 2u

struct loop_child {
	pid_t pid;              /* 0: none */
	int pipe;               /* outcomes; owned */
	unsigned heard;
	mono_t end;             /* killed then */
};

struct loop_slot {
	struct updater_product product; /* its root is config's */
	int folder;             /* owned; -1: could not be made */
	int watch;              /* inotify, of the folder */
	struct updater_plan plan;
	mono_t next, last;
	int64_t reached_s;
	bool tried, failed;     /* failed: the last outcome */
	struct loop_child child[LOOP_CHILDREN];
};

struct loop {
	const char *etc;
	const char *const *named;       /* borrowed */
	size_t names;
	int staging;            /* borrowed */
	uint64_t most;
	bool once;
	struct updater_config config;
	struct loop_slot slot[UPDATER_PRODUCTS];
	uint32_t slots;
	int inotify, signals;   /* owned */
	sigset_t before;        /* mask of before */
};

/* The configuration was read. Returns the exit code. */
int loop_run(struct loop *loop);

#endif
