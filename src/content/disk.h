/* SPDX-License-Identifier: Apache-2.0 */
/*
 * content/disk.h - the one seam between content and the file system
 *
 * What keeps versions must be right after a power cut at any instruction. That
 * can only be tested where every write, rename and sync can be cut, so all of
 * them go through this table. disk_real() is the kernel; tests/lib/cut_disk.h
 * is a file system in memory that forgets what POSIX lets it forget.
 *
 * What holds after a power cut, and all that may be relied on:
 *   - bytes, length and mode of a file: those of its last sync; later writes
 *     may be there in part, in any order, or with other bytes in their place
 *   - entries of a directory: those of its last sync; each later change of a
 *     name may be there or not, in any order, but never by half: a name that
 *     was renamed over leads to the old file or to the new one
 *   - a sync that failed says nothing about a later one: what it should have
 *     kept must be written again, into a new file
 *
 * A handle is a descriptor; the caller closes it. Names are one component:
 * no '/', not "..", ("." only for open_dir). Nothing follows a symbolic link.
 * All return 0 or a handle, or a negated errno.
 */
#ifndef CONTENT_DISK_H
#define CONTENT_DISK_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/result.h"

#define DISK_NAME 255u                  /* longest name, without its NUL */

enum disk_type { DISK_FILE = 1, DISK_DIR, DISK_LINK, DISK_OTHER };

struct disk_stat {
	enum disk_type type;
	uint32_t mode;                  /* permission bits */
	uint64_t size;
};

struct disk;

/* Called for each name but "." and ".."; a result other than 0 ends it. */
typedef int disk_visit(void *context, const char *name);

struct disk_body {
	int (*open_dir)(struct disk *disk, int dir, const char *name);
	/* Regular files only; others are -EBADMSG. */
	int (*open_read)(struct disk *disk, int dir, const char *name);
	int (*open_write)(struct disk *disk, int dir, const char *name);
	/* A new file, mode 0600; -EEXIST if there is one. */
	int (*create)(struct disk *disk, int dir, const char *name);
	ssize_t (*read)(struct disk *disk, int file, uint64_t offset,
			void *bytes, size_t size);
	/* All or an error; after an error any part may have been written. */
	int (*write)(struct disk *disk, int file, uint64_t offset,
		     const void *bytes, size_t size);
	int (*set_mode)(struct disk *disk, int handle, uint32_t mode);
	/* File: bytes, length, mode. Directory: entries, mode. */
	int (*sync)(struct disk *disk, int handle);
	int (*stat)(struct disk *disk, int dir, const char *name,
		    struct disk_stat *ret_stat);
	int (*list)(struct disk *disk, int dir, disk_visit *visit,
		    void *context);
	/* Mode 0755. */
	int (*make_dir)(struct disk *disk, int dir, const char *name);
	int (*rename)(struct disk *disk, int dir, const char *from,
		      const char *to);
	int (*link)(struct disk *disk, int from_dir, const char *from,
		    int to_dir, const char *to);
	int (*make_link)(struct disk *disk, const char *target, int dir,
			 const char *name);
	/* Ends with a NUL; -ENAMETOOLONG if it does not fit. */
	int (*read_link)(struct disk *disk, int dir, const char *name,
			 char *ret_target, size_t size);
	int (*unlink)(struct disk *disk, int dir, const char *name);
	int (*remove_dir)(struct disk *disk, int dir, const char *name);
	/* One holder at a time until it is closed: -EWOULDBLOCK. */
	int (*lock)(struct disk *disk, int dir);
	void (*close)(struct disk *disk, int handle);
};

struct disk {
	const struct disk_body *body;
};

/* The kernel's. Shared, without state of its own. */
struct disk *disk_real(void);

/* Makes target the symbolic link `name` of dir at once, synced: who looks sees
 * the old one or the new one. Leaves name.new behind if it fails. */
int disk_point(struct disk *disk, int dir, const char *name,
	       const char *target) must_use;
/* Removes what is below dir/name, and it. 0 also if there was nothing. Not
 * synced. */
int disk_remove_tree(struct disk *disk, int dir, const char *name) must_use;

#endif
