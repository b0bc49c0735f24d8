/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * bpf/process.bpf.h - what the four process hooks share
 *
 * Problem: a question of fanotify carries a bare pid. These hooks write who
 * that is into a ring, at its fork, exec and exit, before the process can ask
 * anything. One hook per file; they are linked into one object, the maps are
 * declared here once and merged by the linker (__weak).
 *
 * Kernel types are declared by hand with the fields that are used, nothing
 * else; CO-RE finds them in the running kernel (5.17 to 6.18 tried by name).
 *
 * Bounds: a record is reserved in the ring, filled and submitted in one go,
 * with preemption off, so that a reader waits microseconds at most for one
 * that is being written. When full: the record is not written, the counter
 * `lost` is raised by exactly one.
 *
 * Waking: the reader drains before it decides, so most records need to wake
 * nobody. It says in the counters' page from how many unread bytes on it wants
 * to be woken; 0 is always.
 *
 * Numbers: pids and uids as the first namespaces have them; start_ns is
 * task->start_boottime, nanoseconds since boot with suspend, of the leader.
 * /proc/PID/stat shows the same cut to 1/100 s.
 */
#ifndef BPF_PROCESS_BPF_H
#define BPF_PROCESS_BPF_H

#include <stddef.h>
#include <linux/bpf.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "broker/process_record.h"

#define RELOCATED __attribute__((preserve_access_index))
#define PROCESS_HEAD offsetof(struct process_record, path)

enum { PIDTYPE_SID = 3 };                       /* since 4.19 */
enum { SIGNAL_GROUP_EXIT = 4 };

typedef struct {
	int counter;
} RELOCATED atomic_t;

typedef struct {
	unsigned int val;
} RELOCATED kuid_t;

typedef struct {
	unsigned int val;
} RELOCATED kgid_t;

struct upid {
	int nr;
} RELOCATED;

struct pid {
	struct upid numbers[1];
} RELOCATED;

struct cred {
	kuid_t uid;
	kgid_t gid;
} RELOCATED;

struct signal_struct {
	atomic_t live;
	int group_exit_code;
	unsigned int flags;
	struct pid *pids[4];
} RELOCATED;

struct kernfs_node {
	unsigned long long id;
} RELOCATED;

struct cgroup {
	struct kernfs_node *kn;
} RELOCATED;

struct css_set {
	struct cgroup *dfl_cgrp;
} RELOCATED;

struct super_block {
	unsigned int s_dev;
} RELOCATED;

struct inode {
	struct super_block *i_sb;
	unsigned long i_ino;
} RELOCATED;

struct qstr {
	unsigned int len;
	const unsigned char *name;
} RELOCATED;

struct dentry {
	struct dentry *d_parent;
	struct qstr d_name;
} RELOCATED;

struct vfsmount {
	struct dentry *mnt_root;
} RELOCATED;

struct ns_common {
	unsigned int inum;
} RELOCATED;

struct mnt_namespace {
	struct ns_common ns;
} RELOCATED;

struct mount {
	struct mount *mnt_parent;
	struct dentry *mnt_mountpoint;
	struct vfsmount mnt;
	struct mnt_namespace *mnt_ns;
} RELOCATED;

struct path {
	struct vfsmount *mnt;
	struct dentry *dentry;
} RELOCATED;

struct file {
	struct path f_path;
	struct inode *f_inode;
} RELOCATED;

struct mm_struct {
	struct file *exe_file;
	unsigned long arg_start, arg_end;
} RELOCATED;

struct task_struct {
	struct mm_struct *mm;
	int exit_code;
	int pid, tgid;
	struct task_struct *real_parent;
	struct task_struct *group_leader;
	unsigned long long start_boottime;
	const struct cred *real_cred;
	char comm[16];
	struct signal_struct *signal;
	struct css_set *cgroups;
} RELOCATED;

/* The monitor sets its size before loading. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, PROCESS_RING_BYTES);
} process_ring __weak SEC(".maps");

/* One struct process_counters. Mapped by the engine. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, unsigned int);
	__type(value, struct process_counters);
} process_count __weak SEC(".maps");

static __always_inline struct process_counters *process_counters(void)
{
	unsigned int zero = 0;

	return bpf_map_lookup_elem(&process_count, &zero);
}

static __always_inline struct process_record *
process_reserve(unsigned long long bytes)
{
	struct process_counters *counters;
	struct process_record *record;

	record = bpf_ringbuf_reserve(&process_ring, bytes, 0);
	if (record) {
		return record;
	}
	counters = process_counters();
	if (counters) {
		__sync_fetch_and_add(&counters->lost, 1);
	}
	return NULL;
}

static __always_inline void process_submit(struct process_record *record)
{
	struct process_counters *counters = process_counters();
	unsigned long long wake = counters ? counters->wake_bytes : 0;
	unsigned long long flags = 0;

	if (wake) {
		flags = bpf_ringbuf_query(&process_ring, BPF_RB_AVAIL_DATA) <
			wake ? BPF_RB_NO_WAKEUP : BPF_RB_FORCE_WAKEUP;
	}
	bpf_ringbuf_submit(record, flags);
}

/* Device number as stat(2) has it, from the kernel's own form. */
static __always_inline unsigned long long process_device(unsigned int s_dev)
{
	unsigned long long major = s_dev >> 20, minor = s_dev & 0xfffff;

	return (minor & 0xff) | major << 8 | (minor & ~0xffull) << 12;
}

static __always_inline void process_fill_exe(struct process_record *record,
					     struct file *exe)
{
	struct inode *inode = BPF_CORE_READ(exe, f_inode);

	record->exe_device = 0;
	record->exe_inode = 0;
	if (inode) {
		record->exe_device =
			process_device(BPF_CORE_READ(inode, i_sb, s_dev));
		record->exe_inode = BPF_CORE_READ(inode, i_ino);
	}
}

/* Everything before the path; leader: of the process the record is about. */
static __always_inline void process_fill(struct process_record *record,
					 struct task_struct *leader,
					 unsigned int type)
{
	record->type = type;
	record->pid = BPF_CORE_READ(leader, tgid);
	record->ppid = BPF_CORE_READ(leader, real_parent, tgid);
	record->session = BPF_CORE_READ(leader, signal, pids[PIDTYPE_SID],
					numbers[0].nr);
	record->uid = BPF_CORE_READ(leader, real_cred, uid.val);
	record->gid = BPF_CORE_READ(leader, real_cred, gid.val);
	record->status = 0;
	record->creator = 0;
	record->path_length = 0;
	record->arguments_length = 0;
	record->path_truncated = 0;
	record->path_foreign = 0;
	record->time_ns = bpf_ktime_get_ns();
	record->start_ns = BPF_CORE_READ(leader, start_boottime);
	record->cgroup = BPF_CORE_READ(leader, cgroups, dfl_cgrp, kn, id);
	BPF_CORE_READ_INTO(&record->comm, leader, comm);
	process_fill_exe(record, BPF_CORE_READ(leader, mm, exe_file));
}

#endif
