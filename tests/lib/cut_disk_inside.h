/* SPDX-License-Identifier: Apache-2.0 */
/* lib/cut_disk_inside.h - what cut_disk.c and cut_disk_cut.c share */
#ifndef LIB_CUT_DISK_INSIDE_H
#define LIB_CUT_DISK_INSIDE_H

#include "lib/cut_disk.h"

#define INODES 768u
#define NAMES 1024u
#define CHANGES 768u
#define HANDLES 64u
#define SECTOR 512u
#define SECTORS 512u
#define NAME_SIZE 80u
#define HANDLE_FIRST 1000

enum { TOP = 1 };                       /* inode; 0 is none */

struct cut_bytes {
	uint8_t *at;                    /* own */
	uint32_t size, room;
	uint32_t mode;
};

struct cut_inode {
	enum disk_type type;
	struct cut_bytes seen;
	struct cut_bytes kept;          /* only used where dirty or lost */
	bool split;                     /* kept differs from seen */
	uint64_t dirty[SECTORS / 64];   /* sectors to write at the next sync */
	bool dirty_head;                /* length or mode */
	int locked;                     /* handle; 0 */
};

struct cut_name {
	uint32_t dir;                   /* 0: unused */
	uint32_t seen, kept;            /* inodes */
	char name[NAME_SIZE];
};

/* One change of one name; those of one action have one number. */
struct cut_change {
	uint32_t action;
	uint32_t name;                  /* index */
	uint32_t inode;
};

struct cut_disk {
	struct disk disk;
	struct cut_inode inode[INODES];
	uint32_t inodes;
	struct cut_name name[NAMES];
	uint32_t names;
	struct cut_change change[CHANGES];
	uint32_t changes, actions;
	uint32_t handle[HANDLES];       /* inode; 0: closed */
	cut_watch *watch;
	void *context;
	uint64_t steps, fault_at;
	enum cut_fault fault;
	bool lie_files, lie_dirs;
};

void cut_bytes_resize(struct cut_bytes *bytes, uint32_t size);
void cut_bytes_copy(struct cut_bytes *to, const struct cut_bytes *from);
uint32_t cut_new_inode(struct cut_disk *cut, enum disk_type type);
uint32_t cut_name_at(struct cut_disk *cut, uint32_t dir, const char *name);

#endif
