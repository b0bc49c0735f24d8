/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * bpf/process_exit.bpf.c - the last thread of a process has ended
 *
 * signal->live was lowered before sched_process_exit fires. Two last threads
 * that end at once may both see 0: the second record changes nothing, since
 * neither the pid nor the start time can be anybody else's before both are
 * through.
 */
#include "process.bpf.h"

char LICENSE[] SEC("license") = "GPL";

/* As wait(2) will say. */
static __always_inline int exit_status(struct task_struct *leader)
{
	if (BPF_CORE_READ(leader, signal, flags) & SIGNAL_GROUP_EXIT) {
		return BPF_CORE_READ(leader, signal, group_exit_code);
	}
	return BPF_CORE_READ(leader, exit_code);
}

SEC("raw_tp/sched_process_exit")
int process_exit(struct bpf_raw_tracepoint_args *context)
{
	struct task_struct *task = (struct task_struct *)context->args[0];
	struct task_struct *leader;
	struct process_record *record;

	if (BPF_CORE_READ(task, signal, live.counter) != 0) {
		return 0;
	}
	record = process_reserve(PROCESS_HEAD);
	if (!record) {
		return 0;
	}
	leader = BPF_CORE_READ(task, group_leader);
	process_fill(record, leader, PROCESS_EXIT);
	record->status = exit_status(leader);
	process_submit(record);
	return 0;
}
