/* SPDX-License-Identifier: Apache-2.0 */
/*
 * broker/handoff.h - all that one broker process inherits from another
 *
 *   monitor -> keeper   the descriptors HANDOFF_FD_*, the shared table
 *   keeper  -> worker   the whole descriptor table and the engine's state
 *   monitor -> helper   a socket and the shared table (helper.h)
 *
 * The shared table is a memfd that monitor, keeper, worker and helper map. The
 * monitor trusts nothing that the engine writes there: a wrong verdict byte
 * can only be allow or deny, a wrong counter only a wrong figure.
 */
#ifndef BROKER_HANDOFF_H
#define BROKER_HANDOFF_H

#include <stdatomic.h>
#include <stdint.h>

#include "config/manifest.h"
#include "proto/agent.h"
#include "proto/slot.h"
#include "proto/view.h"

#define HANDOFF_PRODUCTS VIEW_PRODUCTS
#define HANDOFF_FDS 8192u       /* descriptor numbers of the engine: below */
#define HANDOFF_DENIALS 2048u   /* ring of view_decision in the record */
#define HANDOFF_RECORD_BYTES (HANDOFF_DENIALS * sizeof(struct view_decision))
#define HANDOFF_DEVICES 64u     /* marked superblocks that are told */
#define HANDOFF_OWN 64u         /* pids of the broker's own processes */

/* Descriptors of the keeper, after its exec. Those that this host lacks are
 * open on /dev/null. */
enum handoff_fd {
	HANDOFF_FD_GROUP = 3,   /* fanotify group */
	HANDOFF_FD_TABLE,       /* memfd: struct handoff_table */
	HANDOFF_FD_CONTROL,     /* SEQPACKET to the monitor */
	HANDOFF_FD_MOUNTINFO,   /* /proc/self/mountinfo of the host */
	HANDOFF_FD_PROC,        /* O_PATH of /proc */
	HANDOFF_FD_PROCESS_RING, /* BPF ring of process records */
	HANDOFF_FD_PROCESS_LOST, /* BPF array: records lost */
	HANDOFF_FD_VIEW,        /* listening view.sock */
	HANDOFF_FD_RECORD,      /* memfd: ring of denials, outlives a keeper */
	HANDOFF_FD_END          /* first number that is not inherited */
};

enum handoff_forced { HANDOFF_NORMAL, HANDOFF_OBSERVE, HANDOFF_OFF };

enum handoff_verdict {          /* verdict[number of an event descriptor] */
	HANDOFF_VERDICT_NONE = 0, HANDOFF_VERDICT_ALLOW, HANDOFF_VERDICT_DENY
};

struct handoff_table {
	uint32_t magic;
	uint32_t features;              /* HANDOFF_HAS_* */
	uint32_t engine_uid, engine_gid;
	uint32_t content_uid;           /* of the content agent */
	/* the monitor and the helper write */
	_Atomic uint32_t forced;        /* enum handoff_forced */
	_Atomic int32_t own[HANDOFF_OWN];       /* pids; 0 free */
	_Atomic uint32_t own_count;     /* slots in use, upper bound */
	uint32_t overload_denies;       /* too many open: deny */
	uint32_t open_per_uid, open_total;
	/* After an engine's death: until when questions of these enforcing
	 * products wait for them to come back (CLOCK_MONOTONIC ns). */
	_Atomic uint64_t hold_until;
	_Atomic uint32_t hold_products;         /* bit per index */
	/* Marked superblocks, where all local ones are: a program started from
	 * elsewhere is counted as unmediated. 0 devices: not counted. */
	_Atomic uint32_t device_count;
	_Atomic uint64_t device[HANDOFF_DEVICES];
	/* what the process that is asked uses, by product */
	_Atomic uint64_t memory[HANDOFF_PRODUCTS];      /* bytes resident */
	_Atomic uint64_t cpu_ns[HANDOFF_PRODUCTS];
	/* the worker writes */
	_Atomic int32_t worker_pid;
	_Atomic uint32_t worker_stopped;        /* by a signal */
	_Atomic uint32_t worker_restarts;
	_Atomic uint64_t progress;      /* moves with each event and answer */
	_Atomic uint32_t open_questions;
	/* One user's storm takes the processors: until then (CLOCK_MONOTONIC
	 * ns) the engine is to go before others. */
	_Atomic uint64_t storm_until;
	_Atomic uint32_t enforcing;     /* a product in enforce mode is there */
	_Atomic uint64_t denials;       /* written so far to the record */
	_Atomic uint8_t verdict[HANDOFF_FDS];
};

#define HANDOFF_MAGIC 0x62616c31u
#define HANDOFF_HAS_FD_ERROR 1u         /* FAN_REPORT_FD_ERROR */
#define HANDOFF_HAS_BPF 2u              /* process records by tracepoints */
#define HANDOFF_HAS_EXEC 4u             /* FAN_OPEN_EXEC_PERM */

/* Messages on HANDOFF_FD_CONTROL; one datagram each, fixed size. */
enum handoff_message_type {
	/* monitor -> engine */
	HANDOFF_PRODUCT_ADD = 1,        /* manifest; fds: session, then content,
					 * config, state: number has a bit for
					 * each (1 << enum bailey_directory).
					 * No fds: it is to come */
	HANDOFF_PRODUCT_GONE,           /* index, number = wait status */
	HANDOFF_PRODUCT_MODE,           /* index, number = enum bailey_mode */
	HANDOFF_PRODUCT_SUSPEND,        /* index, number = 1 or 0 */
	HANDOFF_PRODUCT_BYPASS,         /* index, number = seconds */
	HANDOFF_PRODUCT_STOP,           /* index: send STOP, forget rules */
	HANDOFF_BEGIN,                  /* rules and keep list are told: read */
	HANDOFF_CONFIG,                 /* the configuration was read again */
	HANDOFF_RULES,                  /* fd: memfd with a rule program */
	HANDOFF_KEEP,                   /* fd: memfd, struct handoff_keep[],
					 * number = count */
	HANDOFF_PROCESSES,              /* fd: memfd, struct process_record[],
					 * number = count */
	HANDOFF_SWITCH,                 /* index, number = session: ask that one
					 * of the product's two, keep the former
					 * one: SWITCHED, later IDLE */
	HANDOFF_SWITCH_BACK,            /* index: ask the kept one: SWITCHED */
	HANDOFF_TRIAL_END,              /* index: none is kept any more */
	HANDOFF_CONTENT,                /* index, expect; fd: the new content
					 * directory: CONTENT_DONE */
	/* engine -> monitor */
	HANDOFF_READY,                  /* the worker serves */
	HANDOFF_PROCESSES_STALE,        /* records were lost: a new snapshot */
	HANDOFF_PRODUCT_FAULT,          /* index, instance, text, number = enum
					 * agent_fault: end this process */
	HANDOFF_PRODUCT_ALARM,          /* index, expect (of what was asked):
					 * was put into observe */
	HANDOFF_PRODUCT_READY,          /* index, instance: it serves */
	HANDOFF_SWITCHED,               /* index, number = session that is asked
					 * now; fault, text: why, if nobody
					 * told it to */
	HANDOFF_IDLE,                   /* index, instance: the kept one holds
					 * nothing more: it may be frozen */
	HANDOFF_CONTENT_DONE,           /* index, number = error */
	HANDOFF_LAST_QUESTIONS          /* index, instance, number = count,
					 * kind; fds: what it held when its
					 * session ended */
};

/* What the content that a process was started on declares (C1). */
struct handoff_expect {
	uint32_t managed;               /* 0: nothing is declared */
	uint32_t fields;
	char schema[SLOT_SCHEMA];
	uint8_t hash[AGENT_HASH];       /* of the version */
};

struct handoff_message {
	uint32_t type;
	uint32_t index;
	/* Of a session: PRODUCT_ADD, _GONE, _FAULT, _READY, IDLE: index is its
	 * place, which is its product's or, for
	 * the second process of a product, a free one. */
	uint32_t instance;      /* which start */
	uint32_t second;        /* PRODUCT_ADD: in a place that is not its
				 * product's: that one, plus 1 */
	uint32_t asked;         /* PRODUCT_ADD: to be asked, unless another of
				 * its product serves; else it stands by */
	uint32_t fault;         /* enum agent_fault */
	uint32_t kind[AGENT_HELD];
	uint64_t number;
	char text[VIEW_REASON];
	struct handoff_expect expect;
	struct manifest manifest;
};

/* One file that is never denied. */
struct handoff_keep {
	uint64_t device, inode;
};

#endif
