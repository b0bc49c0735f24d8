/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lib/fake_view.h - a fake engine and a fake monitor, speaking proto/view.h
 *
 * A child process that listens on view.sock and admin.sock in a temporary
 * state directory, gives scripted records for each request type, and can
 * misbehave in place of ending its answer. What was asked last, and how often,
 * is in memory that the test shares.
 */
#ifndef LIB_FAKE_VIEW_H
#define LIB_FAKE_VIEW_H

#include <stddef.h>
#include <sys/types.h>

#include "proto/view.h"

enum fake_side { FAKE_ENGINE, FAKE_MONITOR, FAKE_SIDES };

enum fake_mischief {
	FAKE_GOOD,              /* end with 0 */
	FAKE_ERROR,             /* end with the errno in `error` */
	FAKE_STALL,             /* records, then nothing */
	FAKE_HANG_UP,           /* records, then close, without an end */
	FAKE_TRUNCATED,         /* an end record one byte short */
	FAKE_GARBAGE,           /* 64 bytes of 0xa5 */
	FAKE_OVERSIZE,          /* a datagram of 16 KiB */
	FAKE_WRONG_SIDE,        /* the other side's end record */
	FAKE_LYING_SIZE,        /* head.size is not the datagram's */
	FAKE_EMPTY,             /* an end without any record */
	FAKE_ENDLESS            /* its records again and again */
};

#define FAKE_REQUESTS 20u       /* request types, below */
#define FAKE_RECORDS 64u        /* a reply */

struct fake_seen {
	unsigned count[FAKE_SIDES][FAKE_REQUESTS];
	struct view_request view;       /* last ones */
	struct admin_request admin;
};

struct fake_view {
	char dir[64];           /* state directory, mode 0700 */
	pid_t pid;
	struct fake_seen *seen; /* shared with the child */
	int listener[FAKE_SIDES];
	struct fake_reply {
		enum fake_mischief mischief;
		int error;
		unsigned count;
		struct { void *bytes; size_t size; } record[FAKE_RECORDS];
	} reply[FAKE_SIDES][FAKE_REQUESTS];
};

/* All of these abort the test program when the system refuses. */
struct fake_view *fake_view_new(void);
/* Appends a record; fills in its head. record starts with a view_head. */
void fake_view_record(struct fake_view *fake, enum fake_side side,
		      unsigned request, uint32_t type, void *record,
		      size_t size);
void fake_view_mischief(struct fake_view *fake, enum fake_side side,
			unsigned request, enum fake_mischief mischief,
			int error);
/* sides: bit per enum fake_side that listens. */
void fake_view_start(struct fake_view *fake, unsigned sides);
/* Ends the child, removes the directory. Null-safe. */
void fake_view_free(struct fake_view *fake);

#endif
