/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * bpf/process_ids.bpf.c - a process changed its user, group or session
 *
 * No tracepoint tells, but the process connector does: the kernel builds a
 * netlink message for it, in the context of the process itself and after the
 * new ids are in force. This is the socket filter of a connector socket that
 * nobody ever reads: it writes a record, in order with all others, and drops
 * the message.
 *
 * Ids are those of the first thread: a single thread that changes its own
 * (file servers do) does not change what the process counts as.
 */
#include "process.bpf.h"

#include <linux/cn_proc.h>
#include <linux/connector.h>
#include <linux/netlink.h>

#define WHAT (NLMSG_HDRLEN + sizeof(struct cn_msg))

char LICENSE[] SEC("license") = "GPL";

SEC("socket")
int process_ids(struct __sk_buff *message)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	struct process_record *record;
	unsigned int what = 0;

	if (bpf_skb_load_bytes(message, WHAT, &what, sizeof what) < 0 ||
	    !(what & (PROC_EVENT_UID | PROC_EVENT_GID | PROC_EVENT_SID)) ||
	    BPF_CORE_READ(task, pid) != BPF_CORE_READ(task, tgid)) {
		return 0;
	}
	record = process_reserve(PROCESS_HEAD);
	if (!record) {
		return 0;
	}
	process_fill(record, task, PROCESS_IDS);
	process_submit(record);
	return 0;
}
