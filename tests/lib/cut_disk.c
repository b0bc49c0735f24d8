/* SPDX-License-Identifier: Apache-2.0 */
/* cut_disk.c - the disk as its users see it; cut_disk_cut.c: after a cut */
#include "lib/cut_disk.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cut_disk_inside.h"

static struct cut_disk *cut_of(struct disk *disk)
{
	return (struct cut_disk *)disk;
}

/* ---- bytes, inodes, names ---- */

void cut_bytes_resize(struct cut_bytes *bytes, uint32_t size)
{
	if (size > bytes->room) {
		uint32_t room = size < SECTOR ? SECTOR : 2 * size;

		bytes->at = realloc(bytes->at, room);
		assert(bytes->at != NULL);
		bytes->room = room;
	}
	if (size > bytes->size) {
		memset(bytes->at + bytes->size, 0, size - bytes->size);
	}
	bytes->size = size;
}

void cut_bytes_copy(struct cut_bytes *to, const struct cut_bytes *from)
{
	cut_bytes_resize(to, from->size);
	if (from->size > 0) {
		memcpy(to->at, from->at, from->size);
	}
	to->mode = from->mode;
}

uint32_t cut_new_inode(struct cut_disk *cut, enum disk_type type)
{
	assert(cut->inodes < INODES);
	cut->inode[cut->inodes] = (struct cut_inode){ .type = type };
	return cut->inodes++;
}

static struct cut_name *find_name(struct cut_disk *cut, uint32_t dir,
				  const char *name)
{
	for (uint32_t i = 0; i < cut->names; i++) {
		if (cut->name[i].dir == dir &&
		    strcmp(cut->name[i].name, name) == 0) {
			return &cut->name[i];
		}
	}
	return NULL;
}

uint32_t cut_name_at(struct cut_disk *cut, uint32_t dir, const char *name)
{
	struct cut_name *found = find_name(cut, dir, name);

	if (found == NULL) {
		assert(cut->names < NAMES && strlen(name) < NAME_SIZE);
		found = &cut->name[cut->names++];
		*found = (struct cut_name){ .dir = dir };
		strcpy(found->name, name);
	}
	return (uint32_t)(found - cut->name);
}

static uint32_t look_up(struct cut_disk *cut, uint32_t dir, const char *name)
{
	struct cut_name *found;

	if (strcmp(name, ".") == 0) {
		return dir;
	}
	assert(strchr(name, '/') == NULL && strcmp(name, "..") != 0);
	found = find_name(cut, dir, name);
	return found != NULL ? found->seen : 0;
}

static void set_name(struct cut_disk *cut, uint32_t dir, const char *name,
		     uint32_t inode)
{
	uint32_t at = cut_name_at(cut, dir, name);

	assert(cut->changes < CHANGES);
	cut->name[at].seen = inode;
	cut->change[cut->changes++] = (struct cut_change){
		.action = cut->actions, .name = at, .inode = inode,
	};
}

/* The medium's bytes get a place of their own before the first change. */
static void split(struct cut_inode *inode)
{
	if (!inode->split) {
		cut_bytes_copy(&inode->kept, &inode->seen);
		inode->split = true;
	}
}

/* ---- handles ---- */

static int open_inode(struct cut_disk *cut, uint32_t inode)
{
	for (uint32_t i = 0; i < HANDLES; i++) {
		if (cut->handle[i] == 0) {
			cut->handle[i] = inode;
			return HANDLE_FIRST + (int)i;
		}
	}
	return -EMFILE;
}

static uint32_t inode_of(struct cut_disk *cut, int handle)
{
	uint32_t at = (uint32_t)(handle - HANDLE_FIRST);

	assert(at < HANDLES && cut->handle[at] != 0);
	return cut->handle[at];
}

static void cut_close(struct disk *disk, int handle)
{
	struct cut_disk *cut = cut_of(disk);
	uint32_t inode = inode_of(cut, handle);

	if (cut->inode[inode].locked == handle) {
		cut->inode[inode].locked = 0;
	}
	cut->handle[handle - HANDLE_FIRST] = 0;
}

/* ---- faults ---- */

static bool power_off(const struct cut_disk *cut)
{
	return cut->fault == CUT_POWER && cut->steps >= cut->fault_at;
}

/* Each change of the disk comes by here first. */
static int step(struct cut_disk *cut, const char *what, bool adds)
{
	uint64_t now = cut->steps++;

	if (cut->watch != NULL) {
		cut->watch(cut->context, cut, what);
	}
	if (cut->fault == CUT_NONE || now < cut->fault_at) {
		return 0;
	}
	switch (cut->fault) {
	case CUT_READ_ONLY:
		return -EROFS;
	case CUT_FULL:
		return adds ? -ENOSPC : 0;
	case CUT_ONCE:
		return now == cut->fault_at ? -EIO : 0;
	default:
		return -EIO;
	}
}

/* ---- the table ---- */

static int open_typed(struct disk *disk, int dir, const char *name,
		      enum disk_type type, int wrong)
{
	struct cut_disk *cut = cut_of(disk);
	uint32_t inode = look_up(cut, inode_of(cut, dir), name);

	if (power_off(cut)) {
		return -EIO;
	}
	if (inode == 0) {
		return -ENOENT;
	}
	return cut->inode[inode].type == type ? open_inode(cut, inode) : wrong;
}

static int cut_open_dir(struct disk *disk, int dir, const char *name)
{
	return open_typed(disk, dir, name, DISK_DIR, -ENOTDIR);
}

static int cut_open_read(struct disk *disk, int dir, const char *name)
{
	return open_typed(disk, dir, name, DISK_FILE, -EBADMSG);
}

static int cut_open_write(struct disk *disk, int dir, const char *name)
{
	struct cut_disk *cut = cut_of(disk);

	if (cut->fault == CUT_READ_ONLY && cut->steps >= cut->fault_at) {
		return -EROFS;
	}
	return cut_open_read(disk, dir, name);
}

/* A new inode with a name; its own content and mode are not synced either. */
static int add(struct cut_disk *cut, int dir, const char *name,
	       enum disk_type type, const char *what, uint32_t *ret_inode)
{
	uint32_t parent = inode_of(cut, dir);
	int r = step(cut, what, true);

	if (r < 0) {
		return r;
	}
	if (look_up(cut, parent, name) != 0) {
		return -EEXIST;
	}
	*ret_inode = cut_new_inode(cut, type);
	cut->actions++;
	set_name(cut, parent, name, *ret_inode);
	return 0;
}

static int cut_create(struct disk *disk, int dir, const char *name)
{
	struct cut_disk *cut = cut_of(disk);
	uint32_t inode;
	int r = add(cut, dir, name, DISK_FILE, "create", &inode);

	if (r < 0) {
		return r;
	}
	cut->inode[inode].seen.mode = 0600;
	return open_inode(cut, inode);
}

static ssize_t cut_read(struct disk *disk, int file, uint64_t offset,
			void *bytes, size_t size)
{
	struct cut_disk *cut = cut_of(disk);
	const struct cut_bytes *seen = &cut->inode[inode_of(cut, file)].seen;

	if (power_off(cut)) {
		return -EIO;
	}
	if (offset >= seen->size) {
		return 0;
	}
	if (size > seen->size - offset) {
		size = seen->size - (size_t)offset;
	}
	memcpy(bytes, seen->at + offset, size);
	return (ssize_t)size;
}

static int cut_write(struct disk *disk, int file, uint64_t offset,
		     const void *bytes, size_t size)
{
	struct cut_disk *cut = cut_of(disk);
	struct cut_inode *inode = &cut->inode[inode_of(cut, file)];
	int r = step(cut, "write", true);
	uint64_t end;

	if (r == -ENOSPC) {
		size = size / 3;
	} else if (r < 0) {
		return r;
	}
	end = offset + size;
	assert(end <= SECTORS * SECTOR);
	split(inode);
	if (end > inode->seen.size) {
		cut_bytes_resize(&inode->seen, (uint32_t)end);
	}
	inode->dirty_head |= end > inode->kept.size;
	if (size) {
		memcpy(inode->seen.at + offset, bytes, size);
	}
	for (uint64_t s = offset / SECTOR; s * SECTOR < end; s++) {
		inode->dirty[s / 64] |= 1ull << s % 64;
	}
	return r;
}

static int cut_set_mode(struct disk *disk, int handle, uint32_t mode)
{
	struct cut_disk *cut = cut_of(disk);
	struct cut_inode *inode = &cut->inode[inode_of(cut, handle)];
	int r = step(cut, "mode", false);

	if (r < 0) {
		return r;
	}
	split(inode);
	inode->seen.mode = mode;
	inode->dirty_head = true;
	return 0;
}

static void keep_file(struct cut_inode *inode)
{
	uint32_t size = inode->seen.size;

	if (!inode->split) {
		return;
	}
	if (inode->dirty_head) {
		cut_bytes_resize(&inode->kept, size);
		inode->kept.mode = inode->seen.mode;
	}
	for (uint32_t s = 0; s * SECTOR < size; s++) {
		uint32_t at = s * SECTOR;
		uint32_t n = size - at < SECTOR ? size - at : SECTOR;

		if (inode->dirty[s / 64] >> s % 64 & 1 &&
		    at + n <= inode->kept.size) {
			memcpy(inode->kept.at + at, inode->seen.at + at, n);
		}
	}
}

/* Changes of names in this directory, for good: in their order. */
static void keep_names(struct cut_disk *cut, uint32_t dir)
{
	uint32_t left = 0;

	for (uint32_t i = 0; i < cut->changes; i++) {
		struct cut_change change = cut->change[i];

		if (cut->name[change.name].dir == dir) {
			cut->name[change.name].kept = change.inode;
		} else {
			cut->change[left++] = change;
		}
	}
	cut->changes = left;
}

static int cut_sync(struct disk *disk, int handle)
{
	struct cut_disk *cut = cut_of(disk);
	uint32_t at = inode_of(cut, handle);
	struct cut_inode *inode = &cut->inode[at];
	bool dir = inode->type == DISK_DIR;
	int r = step(cut, "sync", false);

	/* A disk that became read-only has nothing left to write. */
	r = r == -EROFS ? 0 : r;
	if (dir ? cut->lie_dirs : cut->lie_files) {
		return r;
	}
	if (r == 0) {
		keep_file(inode);
		if (dir) {
			keep_names(cut, at);
		}
	}
	if (r == 0 || cut->fault == CUT_ONCE) {
		memset(inode->dirty, 0, sizeof(inode->dirty));
		inode->dirty_head = false;
	}
	return r;
}

static int cut_stat(struct disk *disk, int dir, const char *name,
		    struct disk_stat *ret_stat)
{
	struct cut_disk *cut = cut_of(disk);
	uint32_t inode = look_up(cut, inode_of(cut, dir), name);

	if (power_off(cut) || inode == 0) {
		return power_off(cut) ? -EIO : -ENOENT;
	}
	*ret_stat = (struct disk_stat){
		.type = cut->inode[inode].type,
		.mode = cut->inode[inode].seen.mode,
		.size = cut->inode[inode].seen.size,
	};
	return 0;
}

/* Names may change while it is called. */
static int cut_list(struct disk *disk, int dir, disk_visit *visit,
		    void *context)
{
	struct cut_disk *cut = cut_of(disk);
	uint32_t at = inode_of(cut, dir);
	uint32_t names = cut->names;
	int r = power_off(cut) ? -EIO : 0;

	for (uint32_t i = 0; r == 0 && i < names; i++) {
		if (cut->name[i].dir == at && cut->name[i].seen != 0) {
			r = visit(context, cut->name[i].name);
		}
	}
	return r;
}

static int cut_make_dir(struct disk *disk, int dir, const char *name)
{
	struct cut_disk *cut = cut_of(disk);
	uint32_t inode;
	int r = add(cut, dir, name, DISK_DIR, "make_dir", &inode);

	if (r == 0) {
		cut->inode[inode].seen.mode = 0755;
	}
	return r;
}

static int cut_rename(struct disk *disk, int dir, const char *from,
		      const char *to)
{
	struct cut_disk *cut = cut_of(disk);
	uint32_t parent = inode_of(cut, dir);
	int r = step(cut, "rename", false);
	uint32_t inode = look_up(cut, parent, from);

	if (r < 0 || inode == 0) {
		return r < 0 ? r : -ENOENT;
	}
	cut->actions++;
	set_name(cut, parent, from, 0);
	set_name(cut, parent, to, inode);
	return 0;
}

static int cut_link(struct disk *disk, int from_dir, const char *from,
		    int to_dir, const char *to)
{
	struct cut_disk *cut = cut_of(disk);
	uint32_t inode = look_up(cut, inode_of(cut, from_dir), from);
	uint32_t parent = inode_of(cut, to_dir);
	int r = step(cut, "link", true);

	if (r < 0 || inode == 0) {
		return r < 0 ? r : -ENOENT;
	}
	if (look_up(cut, parent, to) != 0) {
		return -EEXIST;
	}
	cut->actions++;
	set_name(cut, parent, to, inode);
	return 0;
}

/* A link's target is never half: it lies in its inode. */
static int cut_make_link(struct disk *disk, const char *target, int dir,
			 const char *name)
{
	struct cut_disk *cut = cut_of(disk);
	uint32_t inode;
	int r = add(cut, dir, name, DISK_LINK, "make_link", &inode);

	if (r == 0) {
		struct cut_bytes *seen = &cut->inode[inode].seen;

		cut_bytes_resize(seen, (uint32_t)strlen(target));
		memcpy(seen->at, target, seen->size);
	}
	return r;
}

static int cut_read_link(struct disk *disk, int dir, const char *name,
			 char *ret_target, size_t size)
{
	struct cut_disk *cut = cut_of(disk);
	uint32_t inode = look_up(cut, inode_of(cut, dir), name);
	const struct cut_bytes *seen = &cut->inode[inode].seen;

	/* Answered without power too: tests look where it led. */
	if (inode == 0) {
		return -ENOENT;
	}
	if (cut->inode[inode].type != DISK_LINK) {
		return -EINVAL;
	}
	if (seen->size >= size) {
		return -ENAMETOOLONG;
	}
	memcpy(ret_target, seen->at, seen->size);
	ret_target[seen->size] = '\0';
	return 0;
}

static int remove_name(struct cut_disk *cut, int dir, const char *name,
		       const char *what)
{
	uint32_t parent = inode_of(cut, dir);
	uint32_t inode = look_up(cut, parent, name);
	int r;

	if (inode == 0) {
		return power_off(cut) ? -EIO : -ENOENT;
	}
	r = step(cut, what, false);
	if (r < 0) {
		return r;
	}
	cut->actions++;
	set_name(cut, parent, name, 0);
	return 0;
}

static int cut_unlink(struct disk *disk, int dir, const char *name)
{
	struct cut_disk *cut = cut_of(disk);
	uint32_t inode = look_up(cut, inode_of(cut, dir), name);

	if (inode != 0 && cut->inode[inode].type == DISK_DIR) {
		return -EISDIR;
	}
	return remove_name(cut, dir, name, "unlink");
}

static int has_one(void *context, const char *name)
{
	return -ENOTEMPTY;
}

static int cut_remove_dir(struct disk *disk, int dir, const char *name)
{
	int handle = cut_open_dir(disk, dir, name);
	int r;

	if (handle < 0) {
		return handle;
	}
	r = cut_list(disk, handle, has_one, NULL);
	cut_close(disk, handle);
	return r < 0 ? r : remove_name(cut_of(disk), dir, name, "remove_dir");
}

static int cut_lock(struct disk *disk, int dir)
{
	struct cut_disk *cut = cut_of(disk);
	struct cut_inode *inode = &cut->inode[inode_of(cut, dir)];

	if (inode->locked != 0 && inode->locked != dir) {
		return -EWOULDBLOCK;
	}
	inode->locked = dir;
	return 0;
}

static const struct disk_body cut_body = {
	.open_dir = cut_open_dir,
	.open_read = cut_open_read,
	.open_write = cut_open_write,
	.create = cut_create,
	.read = cut_read,
	.write = cut_write,
	.set_mode = cut_set_mode,
	.sync = cut_sync,
	.stat = cut_stat,
	.list = cut_list,
	.make_dir = cut_make_dir,
	.rename = cut_rename,
	.link = cut_link,
	.make_link = cut_make_link,
	.read_link = cut_read_link,
	.unlink = cut_unlink,
	.remove_dir = cut_remove_dir,
	.lock = cut_lock,
	.close = cut_close,
};

/* ---- for tests ---- */

struct cut_disk *cut_disk_new(void)
{
	struct cut_disk *cut = malloc(sizeof(*cut));

	assert(cut != NULL);
	/* The tables are filled up to their counts only. */
	cut->disk.body = &cut_body;
	cut->inodes = TOP;
	cut->inode[0] = (struct cut_inode){ 0 };
	cut->names = cut->changes = cut->actions = 0;
	memset(cut->handle, 0, sizeof(cut->handle));
	cut->watch = NULL;
	cut->steps = cut->fault_at = 0;
	cut->fault = CUT_NONE;
	cut->lie_files = cut->lie_dirs = false;
	cut_new_inode(cut, DISK_DIR);
	cut->inode[TOP].seen.mode = 0755;
	return cut;
}

struct cut_disk *cut_disk_free(struct cut_disk *cut)
{
	for (uint32_t i = 0; cut != NULL && i < cut->inodes; i++) {
		free(cut->inode[i].seen.at);
		free(cut->inode[i].kept.at);
	}
	free(cut);
	return NULL;
}

struct disk *cut_disk_disk(struct cut_disk *cut)
{
	return &cut->disk;
}

int cut_disk_top(struct cut_disk *cut)
{
	return open_inode(cut, TOP);
}

void cut_disk_watch(struct cut_disk *cut, cut_watch *watch, void *context)
{
	cut->watch = watch;
	cut->context = context;
}

void cut_disk_fault(struct cut_disk *cut, enum cut_fault fault,
		    uint64_t steps)
{
	cut->fault = fault;
	cut->fault_at = cut->steps + steps;
}

uint64_t cut_disk_steps(const struct cut_disk *cut)
{
	return cut->steps;
}

void cut_disk_lie(struct cut_disk *cut, bool files, bool dirs)
{
	cut->lie_files = files;
	cut->lie_dirs = dirs;
}

void cut_disk_kill(struct cut_disk *cut)
{
	memset(cut->handle, 0, sizeof(cut->handle));
	for (uint32_t i = 0; i < cut->inodes; i++) {
		cut->inode[i].locked = 0;
	}
}
