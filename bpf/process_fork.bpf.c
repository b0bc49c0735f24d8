/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * bpf/process_fork.bpf.c - a process was created, and has not run yet
 *
 * sched_process_fork(parent, child) fires for threads too: those are left out.
 * The creator is the calling process; with CLONE_PARENT it is not the parent.
 */
#include "process.bpf.h"

char LICENSE[] SEC("license") = "GPL";

SEC("raw_tp/sched_process_fork")
int process_fork(struct bpf_raw_tracepoint_args *context)
{
	struct task_struct *creator = (struct task_struct *)context->args[0];
	struct task_struct *child = (struct task_struct *)context->args[1];
	struct process_record *record;

	if (BPF_CORE_READ(child, pid) != BPF_CORE_READ(child, tgid)) {
		return 0;
	}
	record = process_reserve(PROCESS_HEAD);
	if (!record) {
		return 0;
	}
	process_fill(record, child, PROCESS_FORK);
	record->creator = BPF_CORE_READ(creator, tgid);
	process_submit(record);
	return 0;
}
