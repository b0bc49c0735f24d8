/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * bpf/process_exec.bpf.c - a process runs a new program, not one step of it yet
 *
 * sched_process_exec(task, old_pid, binary) fires once per successful exec,
 * for a script with its interpreter in place. Credentials, comm and arguments
 * are the new ones.
 *
 * The path is walked from the file up to the root of the mount's namespace,
 * right-aligned in the part of the record where the arguments go afterwards,
 * at most WALK_STEPS names and mounts. It is a label: a rename races with it,
 * and it counts as the host's only if the mount belongs to the namespace that
 * the monitor named at load.
 */
#include "process.bpf.h"

#define WALK_STEPS 48
#define WALK_NAME 255                   /* NAME_MAX, and a mask */

char LICENSE[] SEC("license") = "GPL";

const volatile unsigned int host_mount_namespace = 0;

struct walk {
	struct dentry *dentry;
	struct mount *mount;
	unsigned int left;              /* free bytes before the path */
	int result;                     /* WALK_* */
};

enum { WALK_ON, WALK_ROOT, WALK_FULL };

static __always_inline struct mount *mount_of(struct vfsmount *vfsmount)
{
	return (struct mount *)((char *)vfsmount -
		__builtin_preserve_field_info(((struct mount *)0)->mnt,
					      BPF_FIELD_BYTE_OFFSET));
}

/* At the root of a mount: on to where it is mounted. */
static __always_inline void walk_up_mount(struct walk *walk)
{
	struct mount *mount = walk->mount;
	struct mount *parent = BPF_CORE_READ(mount, mnt_parent);

	if (parent == mount) {
		walk->result = WALK_ROOT;
		return;
	}
	walk->dentry = BPF_CORE_READ(mount, mnt_mountpoint);
	walk->mount = parent;
}

/* Puts "/name" before what is there. room: of 2 * PROCESS_PATH bytes. */
static __always_inline void walk_name(struct walk *walk, char *room)
{
	struct dentry *dentry = walk->dentry;
	struct dentry *parent = BPF_CORE_READ(dentry, d_parent);
	const unsigned char *name = BPF_CORE_READ(dentry, d_name.name);
	unsigned int length = BPF_CORE_READ(dentry, d_name.len);
	unsigned int at;

	if (length > WALK_NAME || length >= walk->left) {
		walk->result = WALK_FULL;
		return;
	}
	at = (walk->left - length - 1) & WALK_NAME;
	room[at] = '/';
	bpf_probe_read_kernel(room + at + 1, length & WALK_NAME, name);
	walk->left = at;
	/* An inode without a place (memfd): its name is all there is. */
	if (parent == dentry) {
		walk->result = WALK_ROOT;
	}
	walk->dentry = parent;
}

static __always_inline void fill_path(struct process_record *record,
				      struct file *exe)
{
	struct mount *mount = mount_of(BPF_CORE_READ(exe, f_path.mnt));
	struct walk walk = { .mount = mount, .left = PROCESS_PATH };
	unsigned int length;

	walk.dentry = BPF_CORE_READ(exe, f_path.dentry);
	record->path_foreign = host_mount_namespace !=
		BPF_CORE_READ(mount, mnt_ns, ns.inum);
	for (int i = 0; i < WALK_STEPS && walk.result == WALK_ON; i++) {
		mount = walk.mount;
		if (walk.dentry == BPF_CORE_READ(mount, mnt.mnt_root)) {
			walk_up_mount(&walk);
			continue;
		}
		walk_name(&walk, record->arguments);
	}
	record->path_truncated = walk.result != WALK_ROOT;
	length = PROCESS_PATH - walk.left;
	if (length == 0 || length > PROCESS_PATH) {
		return;
	}
	bpf_probe_read_kernel(record->path, length,
			      record->arguments + (walk.left & WALK_NAME));
	record->path_length = length;
}

static __always_inline void fill_arguments(struct process_record *record,
					   struct mm_struct *mm)
{
	unsigned long start = BPF_CORE_READ(mm, arg_start);
	unsigned long length = BPF_CORE_READ(mm, arg_end) - start;

	if (length > PROCESS_ARGUMENTS) {
		length = PROCESS_ARGUMENTS;
	}
	if (bpf_probe_read_user(record->arguments, length,
				(const void *)start) == 0) {
		record->arguments_length = length;
	}
}

SEC("raw_tp/sched_process_exec")
int process_exec(struct bpf_raw_tracepoint_args *context)
{
	struct task_struct *task = (struct task_struct *)context->args[0];
	struct process_record *record;
	struct mm_struct *mm;

	record = process_reserve(sizeof *record);
	if (!record) {
		return 0;
	}
	mm = BPF_CORE_READ(task, mm);
	process_fill(record, task, PROCESS_EXEC);
	fill_path(record, BPF_CORE_READ(mm, exe_file));
	fill_arguments(record, mm);
	process_submit(record);
	return 0;
}
