/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lib/replay_group.h - a stand-in for the kernel's fanotify group
 *
 * The engine is under test as it ships, eng_source.c included. What stands in
 * for the kernel comes in by the linker: read(2), write(2), fanotify_mark(2)
 * and clock_gettime(2) of the test program (`--wrap`, REPLAY_WRAP in
 * meson.build) end here if they are about HANDOFF_FD_GROUP, and go on to the
 * real ones if not. A question is installed as the kernel does it: while it is
 * read, at a new descriptor number; an answer for a number that no question
 * waits at gets ENOENT.
 *
 * The state is shared memory, so that a worker that is a process of its own
 * sees it and leaves it behind. `inside` is not 0 while a call is in the
 * kernel: nobody dies there.
 *
 * Time stands still unless a test moves it (replay_advance), or lets it flow.
 */
#ifndef LIB_REPLAY_GROUP_H
#define LIB_REPLAY_GROUP_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/fanotify.h>

#ifndef FAN_OPEN_EXEC_PERM
#define FAN_OPEN_EXEC_PERM 0x00040000
#endif

#define REPLAY_QUESTIONS 4096u

enum replay_state { REPLAY_QUEUED = 1, REPLAY_READ, REPLAY_ANSWERED };

struct replay_question {
	uint32_t state;                 /* enum replay_state */
	int32_t pid;
	uint64_t mask;
	int file;                       /* the kernel's own; -1: none */
	int fd;                         /* the group reader's number */
	bool denied;
};

struct replay_group {
	_Atomic uint32_t inside;
	pthread_mutex_t lock;
	bool flows;                     /* time does */
	uint64_t mono_ns;               /* now, while it does not flow */
	int64_t wall_offset_ns;
	uint32_t first, count;          /* first: nothing before is queued */
	struct replay_question question[REPLAY_QUESTIONS];
	uint32_t strangers;             /* answers that no question waits for */
	uint32_t ignored, flushed;      /* marks */
	bool mark_fails;
};

/* Its descriptor is put to HANDOFF_FD_GROUP. Time stands still. */
struct replay_group *replay_group_new(void);
void replay_group_free(struct replay_group *group);
/* Queues a question about `file`, which stays the caller's. Returns its
 * number in question[]. */
uint32_t replay_group_ask(struct replay_group *group, int file, int32_t pid,
			  uint64_t mask);
/* Both clocks. */
void replay_advance(struct replay_group *group, uint64_t ms);

#endif
