/* SPDX-License-Identifier: Apache-2.0 */
/*
 * broker/eng_process.h - who asks: the table of processes
 *
 * Problem: a question carries a pid, which may be reused, and whose program,
 * parents and user change. The kernel's fork, exec and exit records tell; they
 * come by a ring of their own, so the ring is drained before each decision.
 *
 * The table is one fixed block of memory (PROCESS_TABLE_BYTES) in the engine's
 * shared memory: it survives a worker. Used by the reply thread only; nothing
 * allocates. Without BPF it is filled from /proc at each first sight of a pid
 * and checked against its start time (a visible degradation).
 *
 * What when full: the oldest exited, then the oldest seen, gives way; the
 * process is then known as `uncertain`.
 */
#ifndef BROKER_ENG_PROCESS_H
#define BROKER_ENG_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "broker/process_record.h"

#define PROCESS_TABLE_ENTRIES 16384u

struct process {
	int32_t pid, ppid, session;
	uint32_t uid, gid;
	uint32_t generation;            /* execs since creation, as known */
	uint64_t start_ns;              /* since boot */
	uint64_t cgroup;
	uint64_t exe_device, exe_inode;
	bool uncertain;                 /* records were lost since its fill */
	bool exited;
	uint16_t exe_path_length;
	uint16_t arguments_length;
	char comm[16];
	char exe_path[PROCESS_PATH];
	char arguments[PROCESS_ARGUMENTS];
};

struct process_table;                   /* in the caller's memory */

size_t process_table_bytes(void);
/* memory: zeroed, process_table_bytes() long, 64-byte aligned. */
void process_table_init(struct process_table *memory);
/* Applies one record. Returns the process it is about, or null (exit of an
 * unknown one). Borrowed until the next apply. */
const struct process *process_table_apply(struct process_table *table,
					  const struct process_record *record);
/* The process with this pid now, or null. Borrowed until the next apply. */
const struct process *process_table_find(const struct process_table *table,
					 int32_t pid);
/* After records were lost: every entry becomes uncertain until refreshed. */
void process_table_mark_uncertain(struct process_table *table);
uint32_t process_table_count(const struct process_table *table);

/* Reads /proc/PID of one process into a record (PROCESS_SNAPSHOT).
 * proc: descriptor of /proc. Opens files: helper and fallback only.
 * 0, -ESRCH, or an errno. */
int process_read_proc(int proc, int32_t pid, struct process_record *ret_record)
	__attribute__((warn_unused_result));

#endif
