/* SPDX-License-Identifier: Apache-2.0 */
/*
 * content/slot_internal.h - what making and checking a slot share
 */
#ifndef CONTENT_SLOT_INTERNAL_H
#define CONTENT_SLOT_INTERNAL_H

#include "content/slot.h"

#define SLOT_PART ".part"
#define SLOT_NAME (VERSION_HEX + sizeof(SLOT_PART))
#define SLOT_FILE_MODE 0444u
#define SLOT_DIR_MODE 0555u
#define SLOT_CHUNK 65536u

/* Writes a reason and hands on r. */
__attribute__((format(printf, 3, 4)))
int slot_refuse(char ret_reason[SLOT_REASON], int r, const char *format, ...);
/* Reason of an errno at a path. */
int slot_errno(char ret_reason[SLOT_REASON], int r, const char *what,
	       const char *path);

/* Opens the directory in which path's last component stands, below a directory
 * of the slot; make: what is missing is made. A handle. */
int slot_parent(struct disk *disk, int top, const char *path, bool make,
		const char **ret_leaf) must_use;
/* What `expect` holds for this version. */
void slot_expect_fill(const struct version *version,
		      const uint8_t hash[VERSION_HASH],
		      struct slot_expect *ret_expect);
/* Whether the file has this length and hash. 0, -EBADMSG, an errno. */
int slot_file_check(struct disk *disk, int dir, const char *leaf,
		    const struct version_file *file, bool whole) must_use;

#endif
