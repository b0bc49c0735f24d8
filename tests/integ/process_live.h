/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/integ/process_live.h - the tracepoints, a ring and a table, and
 * processes that stand still while they are looked at
 *
 * The test's own program is what its children run: called with the argument
 * "stay" it says that it is there and waits.
 */
#ifndef TESTS_PROCESS_LIVE_H
#define TESTS_PROCESS_LIVE_H

#include <stdio.h>
#include <sys/types.h>

#include "broker/eng_process.h"
#include "broker/source_process.h"
#include "broker/source_process_ring.h"

extern int live_failures;

#define check(what) do { \
	if (!(what)) { \
		fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, \
			#what); \
		live_failures++; \
	} \
} while (0)

struct live {
	struct process_source source;
	struct process_ring ring;
	struct process_table *table;
	unsigned long records;
	int stop[2], ready[2];          /* pipes of those that stay */
};

/* In a private mount namespace with a tmpfs on ./live.mnt, the working
 * directory afterwards. Exits 77 where it cannot. */
void live_start(struct live *live, int count, char **arguments);
void live_end(struct live *live);
/* Everything up to now into the table, marking it where records were lost. */
void live_drain(struct live *live);
/* A copy of this program, of its own inode. */
void live_copy(const char *name);
/* In the child: runs `program stay ...`, which stays until live_release. */
_Noreturn void live_stay(void);         /* descriptors 3 and 4 set */
_Noreturn void live_exec(const struct live *live, const char *program,
			 const char *argument);
/* Waits until `count` of them are there; the pid of the last one. */
pid_t live_wait_ready(const struct live *live, unsigned int count);
/* Lets them all go, and makes new pipes. The caller reaps. */
void live_release(struct live *live);

#endif
