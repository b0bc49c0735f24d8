/* SPDX-License-Identifier: Apache-2.0 */
/*
 * content/slot.h - one version of a product's content, whole, on the disk
 *
 * A slot is made under another name (HASH.part), from a description that was
 * verified before and from a source of bytes that nobody trusts: each file is
 * counted and hashed while it is copied. One that the last slot has too is
 * hashed there and linked, so that a daily update costs its difference. Only
 * regular files and directories come about, with fixed modes: 0444 and 0555.
 * All is synced from the leaves up, then renamed into place: a slot that has
 * its name is whole.
 *
 * proto/slot.h says what lies in it. Nobody writes into a slot.
 * Memory: one buffer. Bounds: those of the description (content/version.h).
 */
#ifndef CONTENT_SLOT_H
#define CONTENT_SLOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/result.h"
#include "content/disk.h"
#include "content/version.h"
#include "proto/slot.h"

#define SLOT_REASON 256u

/* Where the bytes of a version come from. */
struct slot_source {
	/* A handle; -ENOENT. path: as the description has it. */
	int (*open)(struct slot_source *source, const char *path,
		    const uint8_t hash[VERSION_HASH]);
	/* Like read(2): 0 at the end. */
	ssize_t (*read)(struct slot_source *source, int handle,
			void *bytes, size_t size);
	void (*close)(struct slot_source *source, int handle);
};

/* Files named by their hash, as a repository's targets/blob has them. */
struct slot_blobs {
	struct slot_source source;
	int dir;                        /* borrowed */
};
void slot_blobs_init(struct slot_blobs *blobs, int dir);

struct slot_making {
	struct disk *disk;
	int slots;                      /* the directory of all slots */
	const void *description;
	size_t length;
	const struct version *version;  /* parsed from that */
	struct slot_source *source;
	const uint8_t *last;            /* hash of a slot to link from; null */
};

/* Makes the slot, in place of a broken one of that name. 0; an errno, with
 * ret_reason one line: -EBADMSG: what the source gave is not what the
 * description says; -ENOENT: it does not have it. Half a slot may be left:
 * slot_sweep() takes it. */
int slot_make(const struct slot_making *making,
	      char ret_reason[SLOT_REASON]) must_use;

/* Whether the slot is there and of the right form: description, expect, each
 * file's length and mode, nothing else. With whole, every hash too. 0;
 * -EBADMSG with the reason; -ENOENT; another errno: could not look. */
int slot_check(struct disk *disk, int slots, const uint8_t hash[VERSION_HASH],
	       bool whole, char ret_reason[SLOT_REASON]) must_use;

/* The description's bytes, the caller's. -EBADMSG if they are not of hash. */
int slot_description(struct disk *disk, int slots,
		     const uint8_t hash[VERSION_HASH], char **ret_bytes,
		     size_t *ret_length) must_use;
/* A handle for a directory in it: SLOT_FILES, SLOT_CORPUS; "." for itself. */
int slot_open(struct disk *disk, int slots, const uint8_t hash[VERSION_HASH],
	      const char *what) must_use;

/* Removes it. 0 also if it was not there. */
int slot_remove(struct disk *disk, int slots,
		const uint8_t hash[VERSION_HASH]) must_use;
/* Removes whatever is not a slot for which keep() is true. */
typedef bool slot_keep(void *context, const uint8_t hash[VERSION_HASH]);
int slot_sweep(struct disk *disk, int slots, slot_keep *keep,
	       void *context) must_use;

/* Makes `current`, beside slots, lead to that slot; null: to none. */
int slot_point(struct disk *disk, int product,
	       const uint8_t *hash) must_use;
/* To which slot it leads. 0; 1: to none (it is not there, or not a link to a
 * slot); an errno. */
int slot_pointed(struct disk *disk, int product,
		 uint8_t ret_hash[VERSION_HASH]) must_use;

#endif
