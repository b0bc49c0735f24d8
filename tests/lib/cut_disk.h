/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lib/cut_disk.h - a file system in memory that forgets what POSIX permits
 *
 * Each inode has what a reader sees and what the medium holds, each directory
 * the changes of names since its last sync, in order. A cut of the power makes
 * a new disk of it: what was not synced is there or not, by a seeded generator:
 *
 *   bytes     each sector of 512 that was written since: old, new, a part of
 *             each, zeros, or another file's old bytes where the file grew
 *   length    any between old and new; mode: old or new
 *   names     any subset of the changes, each with both its names (a rename),
 *             applied in their order
 *
 * Odd seeds take such a sample, the two extremes are CUT_NOTHING (only what
 * was synced) and CUT_ALL. A sync that fails forgets that there was something
 * to write: a later one does not bring it (as Linux does).
 *
 * Before each step that changes something, the watcher is called. Faults: from
 * a step on, everything fails (power), nothing can be changed (EROFS), nothing
 * can be added (ENOSPC, after a part was written), or one step alone fails.
 */
#ifndef LIB_CUT_DISK_H
#define LIB_CUT_DISK_H

#include <stdbool.h>
#include <stdint.h>

#include "content/disk.h"

#define CUT_NOTHING 0ull
#define CUT_ALL 2ull

struct cut_disk;
typedef void cut_watch(void *context, struct cut_disk *disk,
		       const char *step);

enum cut_fault {
	CUT_NONE,
	CUT_POWER,                      /* -EIO for all, from then on */
	CUT_READ_ONLY,                  /* -EROFS for changes, from then on */
	CUT_FULL,                       /* -ENOSPC for what adds */
	CUT_ONCE                        /* -EIO, that step alone */
};

struct cut_disk *cut_disk_new(void);
/* Null-safe; returns null. */
struct cut_disk *cut_disk_free(struct cut_disk *cut);
struct disk *cut_disk_disk(struct cut_disk *cut);
/* A handle for the top; closed like others. */
int cut_disk_top(struct cut_disk *cut);

void cut_disk_watch(struct cut_disk *cut, cut_watch *watch, void *context);
/* fault begins at the step after `steps` further ones. */
void cut_disk_fault(struct cut_disk *cut, enum cut_fault fault,
		    uint64_t steps);
/* Steps so far. */
uint64_t cut_disk_steps(const struct cut_disk *cut);
/* For mutations of the program: syncs of files, of directories do nothing. */
void cut_disk_lie(struct cut_disk *cut, bool files, bool dirs);

/* What is there after a cut now; the old disk stays as it is. */
struct cut_disk *cut_disk_cut(const struct cut_disk *cut, uint64_t seed);
/* Who had it open is gone; nothing is lost. */
void cut_disk_kill(struct cut_disk *cut);

#endif
