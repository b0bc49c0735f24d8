/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * broker/process_record.h - one record of the process tracepoints
 *
 * Written by bpf/process_*.bpf.c into a ring buffer, read by the engine; also
 * the format of the snapshot of /proc at start. Plain fixed-width types, no
 * includes: compiled for BPF and for C alike. In the ring a FORK or EXIT
 * ends before `path`, and so does an IDS.
 *
 * uid and gid are the real ones, of the first thread. exe_device is that of
 * the superblock: on btrfs and overlays stat(2) shows another.
 */
#ifndef BROKER_PROCESS_RECORD_H
#define BROKER_PROCESS_RECORD_H

#define PROCESS_PATH 256
#define PROCESS_ARGUMENTS 512
#define PROCESS_RING_BYTES (1u << 20)   /* a power of two, whole pages */

enum process_record_type {
	PROCESS_FORK = 1,       /* pid was created by ppid */
	PROCESS_EXEC = 2,       /* pid runs a new program */
	PROCESS_EXIT = 3,       /* pid ended (its last thread) */
	PROCESS_SNAPSHOT = 4,   /* was there before the tracepoints */
	PROCESS_IDS = 5         /* pid changed its uid, gid or session */
};

struct process_record {
	unsigned int type;      /* enum process_record_type */
	int pid, ppid, session;
	unsigned int uid, gid;
	int status;                     /* EXIT: wait status */
	unsigned int path_length;       /* without NUL; 0: unknown */
	unsigned int arguments_length;
	unsigned int path_truncated;    /* not all of it */
	unsigned int path_foreign;      /* not by a mount of the monitor's
					 * namespace: anybody can have made it
					 * say anything */
	int creator;                    /* FORK: who called; the parent but for
					 * CLONE_PARENT */
	unsigned long long time_ns;     /* CLOCK_MONOTONIC */
	unsigned long long start_ns;    /* of the process, since boot; from
					 * /proc cut to 10 ms */
	unsigned long long cgroup;
	unsigned long long exe_device;  /* dev_t as stat(2) has it */
	unsigned long long exe_inode;
	char comm[16];
	char path[PROCESS_PATH];        /* path of the program; a label */
	char arguments[PROCESS_ARGUMENTS];      /* NUL-separated */
};

/* Beside the ring. */
struct process_counters {
	unsigned long long lost;        /* records that found the ring full */
	unsigned long long wake_bytes;  /* the reader: poll(2) wakes from so
					 * many unread bytes on; 0: always */
};

#endif
