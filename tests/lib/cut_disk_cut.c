/* SPDX-License-Identifier: Apache-2.0 */
/* cut_disk_cut.c - what a disk holds after its power was cut */
#include <assert.h>
#include <string.h>

#include "base/hash.h"
#include "lib/cut_disk.h"
#include "lib/cut_disk_inside.h"

struct after {
	const struct cut_disk *from;
	struct cut_disk *to;
	uint64_t seed, drawn;
	uint32_t entry[NAMES];          /* name -> inode of from */
	uint32_t moved[INODES];         /* inode of from -> of to; 0 */
};

static uint64_t draw(struct after *a, uint64_t below)
{
	a->drawn++;
	return hash_pair(a->seed, a->drawn) % below;
}

/* Whether something that was not synced is there. */
static bool there(struct after *a)
{
	if (a->seed == CUT_NOTHING || a->seed == CUT_ALL) {
		return a->seed == CUT_ALL;
	}
	return draw(a, 2);
}

/* ---- names ---- */

static void decide_names(struct after *a)
{
	const struct cut_disk *from = a->from;
	uint32_t action = 0;
	bool taken = false;

	for (uint32_t i = 0; i < from->names; i++) {
		a->entry[i] = from->name[i].kept;
	}
	for (uint32_t i = 0; i < from->changes; i++) {
		const struct cut_change *change = &from->change[i];

		if (change->action != action) {
			action = change->action;
			taken = there(a);
		}
		if (taken) {
			a->entry[change->name] = change->inode;
		}
	}
}

/* ---- bytes ---- */

/* Blocks that a file got when it grew, and that were not written: what stood in
 * them before, often a piece of a file that is no more. `from` is where in it;
 * the pieces are in sequence, as blocks are. */
struct old_blocks {
	const struct cut_bytes *bytes;  /* null: zeros */
	uint32_t from;
};

static struct old_blocks choose_blocks(struct after *a)
{
	const struct cut_disk *disk = a->from;
	struct old_blocks blocks = { NULL, 0 };
	uint32_t at = (uint32_t)draw(a, disk->inodes);
	bool longest = draw(a, 2);

	if (draw(a, 2)) {
		return blocks;
	}
	/* Half of them from the longest one. */
	for (uint32_t i = 0; longest && i < disk->inodes; i++) {
		if (disk->inode[i].seen.size > disk->inode[at].seen.size) {
			at = i;
		}
	}
	blocks.bytes = &disk->inode[at].seen;
	blocks.from = (uint32_t)draw(a, blocks.bytes->size / SECTOR + 1) *
		SECTOR;
	return blocks;
}

static void stale(const struct old_blocks *blocks, uint32_t skip,
		  uint8_t *at, uint32_t n)
{
	uint32_t from = blocks->from + skip;

	if (blocks->bytes != NULL && from + n <= blocks->bytes->size) {
		memcpy(at, blocks->bytes->at + from, n);
	}
}

static void decide_sector(struct after *a, const struct cut_inode *old,
			  const struct old_blocks *blocks,
			  struct cut_bytes *bytes, uint32_t at)
{
	uint32_t n = bytes->size - at < SECTOR ? bytes->size - at : SECTOR;

	/* bytes has what was kept, and zeros behind it. */
	if (there(a) && at + n <= old->seen.size) {
		if (a->seed != CUT_ALL && draw(a, 8) == 0) {
			n = (uint32_t)draw(a, n + 1);
		}
		memcpy(bytes->at + at, old->seen.at + at, n);
	} else if (a->seed & 1 && at >= old->kept.size) {
		stale(blocks, at - old->kept.size, bytes->at + at, n);
	}
}

static void decide_bytes(struct after *a, const struct cut_inode *old,
			 struct cut_bytes *bytes)
{
	struct old_blocks blocks = { NULL, 0 };

	if (!old->split) {
		cut_bytes_copy(bytes, &old->seen);
		return;
	}
	cut_bytes_copy(bytes, &old->kept);
	if (old->dirty_head) {
		uint32_t size = there(a) ? old->seen.size : old->kept.size;

		if (a->seed & 1 && draw(a, 4) == 0 &&
		    old->seen.size > old->kept.size) {
			size = old->kept.size + (uint32_t)
				draw(a, old->seen.size - old->kept.size + 1);
		}
		cut_bytes_resize(bytes, size);
		if (there(a)) {
			bytes->mode = old->seen.mode;
		}
	}
	if (a->seed & 1) {
		blocks = choose_blocks(a);
	}
	for (uint32_t s = 0; s * SECTOR < bytes->size; s++) {
		if (old->dirty[s / 64] >> s % 64 & 1) {
			decide_sector(a, old, &blocks, bytes,
				      s * SECTOR);
		}
	}
}

/* ---- the new disk ---- */

static uint32_t move_inode(struct after *a, uint32_t inode)
{
	if (a->moved[inode] == 0) {
		const struct cut_inode *old = &a->from->inode[inode];

		a->moved[inode] = cut_new_inode(a->to, old->type);
		decide_bytes(a, old, &a->to->inode[a->moved[inode]].seen);
	}
	return a->moved[inode];
}

static void move_dir(struct after *a, uint32_t dir)
{
	for (uint32_t i = 0; i < a->from->names; i++) {
		uint32_t inode = a->entry[i], at;
		bool known;

		if (a->from->name[i].dir != dir || inode == 0) {
			continue;
		}
		known = a->moved[inode] != 0;
		at = cut_name_at(a->to, a->moved[dir], a->from->name[i].name);
		a->to->name[at].seen = a->to->name[at].kept =
			move_inode(a, inode);
		/* A directory whose rename was kept by half of its disk's
		 * journal does not exist: it has one name. */
		if (a->from->inode[inode].type == DISK_DIR && !known) {
			move_dir(a, inode);
		}
	}
}

struct cut_disk *cut_disk_cut(const struct cut_disk *cut, uint64_t seed)
{
	struct after a = { .from = cut, .to = cut_disk_new(), .seed = seed };

	decide_names(&a);
	a.moved[TOP] = TOP;
	decide_bytes(&a, &cut->inode[TOP], &a.to->inode[TOP].seen);
	move_dir(&a, TOP);
	return a.to;
}
