/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * broker/process_record.h - one record of the process tracepoints
 *
 * Written by bpf/process.bpf.c into a ring buffer, read by the engine; also
 * the format of the snapshot of /proc at start. Plain fixed-width types, no
 * includes: compiled for BPF and for C alike.
 */
#ifndef BROKER_PROCESS_RECORD_H
#define BROKER_PROCESS_RECORD_H

#define PROCESS_PATH 256
#define PROCESS_ARGUMENTS 512

enum process_record_type {
	PROCESS_FORK = 1,       /* pid was created by ppid */
	PROCESS_EXEC = 2,       /* pid runs a new program */
	PROCESS_EXIT = 3,       /* pid ended (its last thread) */
	PROCESS_SNAPSHOT = 4    /* was there before the tracepoints */
};

struct process_record {
	unsigned int type;      /* enum process_record_type */
	int pid, ppid, session;
	unsigned int uid, gid;
	int status;             /* EXIT: wait status */
	unsigned int path_length;       /* without NUL; 0: unknown */
	unsigned int arguments_length;
	unsigned int path_truncated;
	unsigned long long time_ns;     /* CLOCK_MONOTONIC */
	unsigned long long start_ns;    /* of the process, since boot */
	unsigned long long cgroup;
	unsigned long long exe_device;  /* dev_t as stat(2) has it */
	unsigned long long exe_inode;
	char comm[16];
	char path[PROCESS_PATH];        /* host path of the program; a label */
	char arguments[PROCESS_ARGUMENTS];      /* NUL-separated */
};

#endif
