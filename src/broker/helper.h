/* SPDX-License-Identifier: Apache-2.0 */
/*
 * broker/helper.h - what the monitor asks of the helper
 *
 * Once a mark stands the monitor may not open or exec anything: it would wait
 * for itself. The helper is forked before its seccomp filter is installed, and
 * does what needs files. Each job runs in a child of its own that is
 * registered in handoff_table.own *before* it touches a file, may block, and
 * is killed at the job's limit. One request datagram, one reply datagram (LOAD
 * replies with several, the last has more = 0).
 *
 * Processes that outlive their job (a product, a keeper) are made with
 * CLONE_PARENT, so that the monitor reaps them.
 */
#ifndef BROKER_HELPER_H
#define BROKER_HELPER_H

#include <stdint.h>

#include "broker/handoff.h"
#include "config/manifest.h"

enum helper_job {
	HELPER_LOAD = 1,        /* the whole configuration: manifests (a reply
				 * each), the rule program (memfd), the keep
				 * list (memfd), errors as text */
	HELPER_START_PRODUCT,   /* manifest, index; purpose, hash: on that slot
				 * and not on `current`; reply: pid, expect,
				 * fds: pidfd, session, directories (number:
				 * a bit each), /proc/PID/statm, and where
				 * there is one cgroup.freeze; text: what the
				 * jail could not apply, '\n' between */
	HELPER_START_KEEPER,    /* fds: the executable's memfd, then
				 * HANDOFF_FD_GROUP...; reply: pid, pidfd */
	HELPER_RULES,           /* compile rules.d and exceptions.d again */
	HELPER_EXCEPTION_ADD,   /* text, reason, number = seconds */
	HELPER_EXCEPTION_REMOVE, /* number = id */
	HELPER_EXCEPTIONS,      /* replies: admin_exception in `exception` */
	HELPER_PROCESSES,       /* snapshot of /proc into a memfd */
	HELPER_CONTENT,         /* manifest: opens what `current` is; reply:
				 * expect, fd: the directory */
	HELPER_START_AGENT      /* fds: the executable, then AGENT_FD_MONITOR...
				 * reply: pid, pidfd */
};

#define HELPER_TEXT 8192u       /* 16 products by the longest paths */

struct helper_request {
	uint32_t job;
	uint32_t index;
	uint32_t limit_ms;      /* the job is killed after this */
	uint32_t uid;           /* START_PRODUCT: the product's own */
	uint32_t purpose;       /* enum agent_purpose; 0: on `current` */
	uint32_t try;           /* comes back */
	uint8_t hash[AGENT_HASH];
	uint64_t number;
	char text[HELPER_TEXT];
	char reason[VIEW_REASON];
	struct manifest manifest;
};

enum helper_reply_type {
	HELPER_DONE = 1,        /* error, pid, fds, text */
	HELPER_MANIFEST,        /* manifest */
	HELPER_PROGRAM,         /* fd: compiled administrator's rules */
	HELPER_KEEP,            /* fd: struct handoff_keep[], number = count */
	HELPER_EXCEPTION,       /* exception */
	HELPER_COMPLAINT,       /* text: "file:line: reason", goes on */
	HELPER_DOCTOR           /* doctor: one row of what a jail applied */
};

struct helper_reply {
	uint32_t job;           /* that this answers */
	uint32_t type;          /* enum helper_reply_type */
	uint32_t more;          /* 1: further replies follow */
	int32_t error;          /* 0 or a positive errno */
	int32_t pid;
	uint32_t index;
	uint32_t purpose, try;  /* of the request */
	uint64_t number;
	char text[512];
	struct handoff_expect expect;
	struct manifest manifest;
	struct admin_exception exception;
	struct admin_doctor doctor;
};

struct helper_start {                   /* constant for the process's life */
	const char *etc_dir;            /* products.d, rules.d, ... below it */
	const char *state_dir;          /* /var/lib/bailey or --state */
	const char *runtime_dir;
	struct handoff_table *table;
};

/*
 * Body of the helper process; never returns. Called right after fork, before
 * any mark stands. `socket` is its end of a SEQPACKET pair.
 */
_Noreturn void helper_main(int socket, const struct helper_start *start);

#endif
