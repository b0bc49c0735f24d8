/* SPDX-License-Identifier: Apache-2.0 */
/*
 * eng_identify.c - what is asked about, and who asks
 *
 * An object is (file system, inode, generation); one statx of the event
 * descriptor gives that and all that is needed to notice a change. A path is
 * only a label: it is read when a rule or a product will look at it, and it is
 * `foreign` when its mount is not one of the host's own.
 */
#include <fcntl.h>
#include <limits.h>
#include <linux/stat.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "broker/eng.h"

#ifndef STATX_MNT_ID            /* Linux 5.8 */
#define STATX_MNT_ID 0x1000U
#endif

static uint64_t statx_ns(struct statx_timestamp t)
{
	return (uint64_t)t.tv_sec * MONO_S + t.tv_nsec;
}

int eng_identify_object(int fd, struct object *ret_object)
{
	struct statx s;

	if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC,
		  STATX_BASIC_STATS | STATX_BTIME | STATX_MNT_ID, &s) < 0) {
		return result_errno();
	}
	*ret_object = (struct object){
		.device = makedev(s.stx_dev_major, s.stx_dev_minor),
		.inode = s.stx_ino,
		.generation = s.stx_mask & STATX_BTIME ? statx_ns(s.stx_btime)
						       : 0,
		.changed_ns = statx_ns(s.stx_ctime),
		.size = s.stx_size,
		.mount = s.stx_mnt_id,
		.mode = s.stx_mode,
		.owner = s.stx_uid,
		.links = s.stx_nlink,
	};
	return 0;
}

bool eng_object_same(const struct object *a, const struct object *b)
{
	return a->changed_ns == b->changed_ns && a->size == b->size &&
	       a->inode == b->inode && a->device == b->device &&
	       a->generation == b->generation;
}

/* No unprivileged subject can write it: the condition for handing a verdict to
 * the kernel, whose ignore marks survive stores through mappings. */
bool eng_object_protected(const struct object *object, int fd)
{
	return S_ISREG(object->mode) && object->owner == 0 &&
	       (object->mode & (S_IWGRP | S_IWOTH)) == 0 &&
	       fgetxattr(fd, "system.posix_acl_access", NULL, 0) < 0;
}

/* A read lease is refused while anybody has the object open or mapped for
 * writing. Taken and given back at once. */
static int object_lease(int fd)
{
	if (fcntl(fd, F_SETLEASE, F_RDLCK) < 0) {
		return result_errno();
	}
	fcntl(fd, F_SETLEASE, F_UNLCK);
	return 0;
}

/* Other failures count as a writer: a verdict is then not cached. */
bool eng_object_has_writer(int fd)
{
	return object_lease(fd) < 0;
}

/* Other failures do not count: a program is not denied because a file system
 * knows no leases. */
bool eng_object_is_written(int fd)
{
	return object_lease(fd) == -EAGAIN;
}

/* Without tracepoints the table is filled as processes ask, and again each
 * time: only that tells an exec or a reused pid. A visible degradation. */
static void asker_from_proc(struct engine *e, int32_t pid)
{
	struct process_record r;

	if (process_read_proc(HANDOFF_FD_PROC, pid, &r) == 0) {
		process_table_apply(e->processes, &r);
	}
}

void eng_identify_asker(struct engine *e, int32_t pid, struct asker *ret_asker)
{
	const struct process *p;
	char name[16];
	struct stat s;

	if (!(e->table->features & HANDOFF_HAS_BPF)) {
		asker_from_proc(e, pid);
	}
	p = process_table_find(e->processes, pid);
	if (p && !p->exited) {
		*ret_asker = (struct asker){
			.pid = pid, .ppid = p->ppid,
			.uid = p->uid, .gid = p->gid,
			.generation = p->generation,
			.start_ns = p->start_ns, .cgroup = p->cgroup,
			.exe_device = p->exe_device,
			.exe_inode = p->exe_inode,
			.uncertain = p->uncertain, .known = true,
		};
		return;
	}
	/* Not in the table: its record was lost or is not there yet. The owner
	 * of its /proc folder is its effective uid; no file is opened. */
	*ret_asker = (struct asker){ .pid = pid, .uid = UINT32_MAX,
				     .gid = UINT32_MAX, .uncertain = true };
	snprintf(name, sizeof(name), "%d", pid);
	if (fstatat(HANDOFF_FD_PROC, name, &s, 0) == 0) {
		ret_asker->uid = s.st_uid;
		ret_asker->gid = s.st_gid;
	}
}

static char path_buffer[PATH_MAX];
static size_t path_length;

const char *eng_path(size_t *ret_length)
{
	*ret_length = path_length;
	return path_buffer;
}

void eng_identify_path(struct engine *e, struct question *q)
{
	static const char deleted[] = " (deleted)";
	char name[32];
	ssize_t n;

	snprintf(name, sizeof(name), "self/fd/%d", q->fd);
	n = readlinkat(HANDOFF_FD_PROC, name, path_buffer,
		       sizeof(path_buffer) - 1);
	if (n <= 0 || path_buffer[0] != '/' ||
	    (size_t)n == sizeof(path_buffer) - 1) {
		n = 0;          /* over PATH_MAX or not in any tree: absent */
	}
	if (q->object.links == 0 && (size_t)n > sizeof(deleted) &&
	    memcmp(path_buffer + n - (sizeof(deleted) - 1), deleted,
		   sizeof(deleted) - 1) == 0) {
		n -= (ssize_t)sizeof(deleted) - 1;
	}
	path_buffer[n] = '\0';
	path_length = (size_t)n;
	q->path_foreign = !eng_mount_is_host(e, q->object.mount);
	q->path_length = (uint16_t)((size_t)n < sizeof(q->path) - 1
					    ? (size_t)n
					    : sizeof(q->path) - 1);
	memcpy(q->path, path_buffer, q->path_length);
	q->path[q->path_length] = '\0';
}

bool eng_mount_is_host(const struct engine *e, uint64_t id)
{
	uint32_t low = 0, high = atomic_load_explicit(&e->mount_count,
						      memory_order_acquire);

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (e->mount[middle] == id) {
			return true;
		}
		if (e->mount[middle] < id) {
			low = middle + 1;
		} else {
			high = middle;
		}
	}
	return false;
}
