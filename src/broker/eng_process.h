/* SPDX-License-Identifier: Apache-2.0 */
/*
 * broker/eng_process.h - who asks: the table of processes
 *
 * Problem: a question carries a pid, which may be reused, and whose program,
 * parents and user change. The kernel's fork, exec and exit records tell; they
 * come by a ring of their own, so the ring is drained before each decision.
 *
 * The table is one fixed block of memory (process_table_bytes) in the engine's
 * shared memory: it survives a worker. Used by the reply thread only; nothing
 * allocates. Without BPF it is filled from /proc at each first sight of a pid
 * and checked against its start time (a visible degradation).
 *
 * Records come late, twice (after a worker's death) and beside snapshots of
 * /proc; each carries its time, and an older one never undoes a newer. At start
 * and after a loss: apply the snapshot, then drain the ring.
 *
 * What is known is as of the process's last record: ppid before a later
 * reparenting; uid, gid and session, on a kernel without the process connector,
 * as at its fork or exec (process_source.ids_fd tells; a visible degradation).
 *
 * What when full: the oldest exited, then the one not heard of for longest,
 * gives way; what comes back after that is `uncertain` until its next exec.
 * Of the exited, PROCESS_TABLE_EXITED stay findable, by pid, until that pid is
 * somebody else's.
 */
#ifndef BROKER_ENG_PROCESS_H
#define BROKER_ENG_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "broker/process_record.h"

#define PROCESS_TABLE_ENTRIES 16384u
#define PROCESS_TABLE_EXITED 1024u

struct process {
	int32_t pid, ppid, session;
	uint32_t uid, gid;
	uint32_t generation;            /* execs since creation, as far as
					 * known */
	uint64_t start_ns;              /* since boot, cut to 10 ms: the same
					 * from a record and from /proc */
	uint64_t cgroup;
	uint64_t exe_device, exe_inode;
	bool uncertain;                 /* records were lost since */
	bool exited;
	bool exe_foreign;               /* exe_path is not a host path, or not
					 * all of one: no rule may trust it */
	bool exe_truncated;             /* for people: not all of it */
	uint16_t exe_path_length;       /* 0: unknown */
	uint16_t arguments_length;
	char comm[16];
	char exe_path[PROCESS_PATH];    /* not NUL-terminated */
	char arguments[PROCESS_ARGUMENTS];
};

struct process_table;                   /* in the caller's memory */

size_t process_table_bytes(void);
/* memory: zeroed, process_table_bytes() long, 64-byte aligned. */
void process_table_init(struct process_table *memory);
/* A worker that takes over calls this before anything else: what its
 * predecessor was changing when it died is forgotten; that record comes
 * again. */
void process_table_recover(struct process_table *table);
/* Applies one record. Returns the process it is about, or null (exit or ids of
 * an unknown one; an exit that was known). Borrowed until the next apply. */
const struct process *process_table_apply(struct process_table *table,
					  const struct process_record *record);
/* The process with this pid now, else the last that had it, if it is still
 * there (`exited`), or null. Borrowed until the next apply. */
const struct process *process_table_find(struct process_table *table,
					 int32_t pid);
/* All that live: *cursor starts at 0; null at the end. No apply in between. */
const struct process *process_table_next(struct process_table *table,
					 uint32_t *cursor);
/* After records were lost: every entry becomes uncertain until refreshed. Cheap
 * however many there are. */
void process_table_mark_uncertain(struct process_table *table);
/* A whole snapshot that was begun at since_ns (CLOCK_MONOTONIC) was applied:
 * who is still uncertain and older than that has ended meanwhile. */
void process_table_snapshot_end(struct process_table *table,
				uint64_t since_ns);
/* Those that live. */
uint32_t process_table_count(const struct process_table *table);
/* Living ones that had to give way, since init. */
uint64_t process_table_given_up(const struct process_table *table);

/* Reads /proc/PID of one process into a record (PROCESS_SNAPSHOT).
 * proc: descriptor of /proc. Opens files: helper and fallback only; a hostile
 * process can make it wait. 0, -ESRCH (also a zombie), -EBADMSG (not what /proc
 * looks like), or an errno. What may not be read (the program, without ptrace
 * rights) stays 0. */
int process_read_proc(int proc, int32_t pid, struct process_record *ret_record)
	__attribute__((warn_unused_result));

#endif
