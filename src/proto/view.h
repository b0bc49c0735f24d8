/* SPDX-License-Identifier: Apache-2.0 */
/*
 * proto/view.h - what `bailey` may ask of the engine (view.sock) and of the
 * monitor (admin.sock)
 *
 * Both are SOCK_SEQPACKET sockets under the state directory. A request is one
 * fixed-size datagram; so is each record of an answer. An answer ends with a
 * record of type VIEW_END that carries 0 or a positive errno. Fixed sizes: the
 * privileged side parses nothing.
 *
 * view.sock: anyone may connect; callers other than root see only what
 * concerns their own uid (DENIALS, EXPLAIN) and the plain STATUS. A stalled
 * reader of EVENTS loses events (counted in view_lost), never holds anyone.
 * admin.sock: root only (SO_PEERCRED), but for ADMIN_STATUS.
 */
#ifndef PROTO_VIEW_H
#define PROTO_VIEW_H

#include <stdint.h>

#include <bailey/event.h>

#define VIEW_VERSION 2u
#define VIEW_PATH 1024
#define VIEW_NAME 32
#define VIEW_REASON 128
#define VIEW_HASH 72
#define VIEW_PRODUCTS 16u

/* ---- engine ---- */

#define VIEW_REQUEST_TABLE(X)                                                 \
	X(STATUS, 1, "status")          /* one view_engine, view_product... */ \
	X(DENIALS, 2, "denials")        /* view_decision, oldest first */     \
	X(EVENTS, 3, "events")          /* view_decision as they come */      \
	X(EXPLAIN, 4, "explain")        /* by id (number) or path */          \
	X(KNOWN, 5, "known")            /* view_known per event type */       \
	X(RULES, 6, "rules")            /* view_rules per owner */            \
	X(ALERTS, 7, "alerts")          /* like EVENTS, denials only */

enum view_request_type {
#define VIEW_ENUM(sym, num, name) VIEW_##sym = num,
	VIEW_REQUEST_TABLE(VIEW_ENUM)
#undef VIEW_ENUM
};

struct view_request {
	uint32_t version;
	uint32_t type;
	uint64_t number;                /* EXPLAIN: event id; DENIALS, EXPLAIN:
					 * since, ns CLOCK_REALTIME */
	char path[VIEW_PATH];           /* EXPLAIN: object's path */
};

enum view_record_type {
	VIEW_END = 100, VIEW_ENGINE, VIEW_PRODUCT, VIEW_DECISION,
	VIEW_KNOWN_ROW, VIEW_RULES_ROW
};

struct view_head {
	uint32_t type;                  /* enum view_record_type */
	uint32_t size;                  /* of the whole record */
};

struct view_end {
	struct view_head head;
	uint32_t error;                 /* 0 or a positive errno */
	uint32_t reserved;
};

#define VIEW_PRODUCT_STATE_TABLE(X)                                           \
	X(STOPPED, 0, "stopped")        /* not running, not to be started */  \
	X(LOADING, 1, "loading")        /* started, not ready yet */          \
	X(SERVING, 2, "serving")                                              \
	X(SUSPECT, 3, "suspect")        /* missed: one probe at a time */     \
	X(SUSPENDED, 4, "suspended")    /* by the administrator */            \
	X(RESTARTING, 5, "restarting")  /* died; waits for its back-off */

enum view_product_state {
#define VIEW_ENUM(sym, num, name) VIEW_STATE_##sym = num,
	VIEW_PRODUCT_STATE_TABLE(VIEW_ENUM)
#undef VIEW_ENUM
};

/* Counters of the engine since its keeper started. X(field, "meaning") */
#define VIEW_ENGINE_COUNTER_TABLE(X)                                          \
	X(questions, "questions read from the kernel")                        \
	X(allowed, "answered allow")                                          \
	X(denied, "answered deny")                                            \
	X(would_deny, "denials recorded but not applied (observe)")           \
	X(off, "allowed while switched off")                                  \
	X(own, "questions of the broker's own processes, allowed")            \
	X(cached, "answered from the engine's cache")                         \
	X(ruled, "answered by a rule")                                        \
	X(asked, "sent to at least one product")                              \
	X(missed, "answered by a fallback after a deadline")                  \
	X(overload, "answered by the overload answer (too many open)")        \
	X(coalesced, "answered with another question's verdict")              \
	X(held_back, "answered later: one user storms beside others")         \
	X(twins, "second questions of one exec")                              \
	X(kernel_denied, "refused by the kernel: it could not open it")       \
	X(kernel_cached, "verdicts handed to the kernel as ignore marks")     \
	X(changed, "asked again because the object changed meanwhile")        \
	X(poison, "not asked: the object made a product fail twice")          \
	X(kept, "allowed at once: the keep list names it")                 \
	X(unmediated, "programs started from unmarked file systems")          \
	X(process_lost, "process records lost in the kernel's ring")          \
	X(handed_over, "questions that a worker inherited from a dead one")   \
	X(view_lost, "events that a slow reader of `bailey events` missed")

struct view_engine {
	struct view_head head;
	int32_t keeper_pid, worker_pid;
	uint32_t worker_restarts;
	uint32_t open_questions;
	uint32_t cached_objects;
	uint32_t processes;
	uint64_t since_ns;              /* CLOCK_REALTIME, of this worker */
#define VIEW_COUNTER(field, help) uint64_t field;
	VIEW_ENGINE_COUNTER_TABLE(VIEW_COUNTER)
#undef VIEW_COUNTER
};

#define VIEW_PRODUCT_COUNTER_TABLE(X)                                         \
	X(asked, "questions sent")                                            \
	X(answered, "questions answered in time")                             \
	X(missed, "questions not answered in time")                           \
	X(late, "answers that came too late")                                 \
	X(deferred, "questions deferred")                                     \
	X(full, "questions not sent: it held too many events")                \
	X(denied, "its denials that were applied")                            \
	X(would_deny, "its denials that were only recorded")                  \
	X(poison, "objects that are not shown to it any more")                \
	X(news, "news sent")                                                  \
	X(news_lost, "news dropped because its queue was full")               \
	X(faults, "sessions ended for breaking the protocol")                 \
	X(denied_objects, "distinct objects that it denied (estimate)")       \
	X(denied_users, "distinct users that it denied (estimate)")           \
	X(memory, "bytes resident, of the process that is asked")             \
	X(cpu_ns, "processor time of that process")

/* Is there a second process beside the one that is asked?
 * X(SYMBOL, number, "name") */
#define VIEW_BESIDE_TABLE(X)                                                  \
	X(NONE, 0, "none")                                                    \
	X(LOADING, 1, "loading")        /* with new content */                \
	X(STANDBY, 2, "standby")        /* ready, not asked */                \
	X(KEPT, 3, "kept")              /* the former one: a trial goes on */

enum view_beside {
#define VIEW_ENUM(sym, num, name) VIEW_BESIDE_##sym = num,
	VIEW_BESIDE_TABLE(VIEW_ENUM)
#undef VIEW_ENUM
};

/* Of its answers that came in time, from read to answer: place n counts those
 * that took at least 2^n and less than 2^(n+1) microseconds; the first one
 * also shorter, the last one also longer. */
#define VIEW_LATENCIES 24u

struct view_product {
	struct view_head head;
	uint32_t index;
	uint32_t state;                 /* enum view_product_state */
	uint32_t mode;                  /* enum bailey_mode */
	uint32_t held;                  /* events it holds now */
	char name[VIEW_NAME];
	uint64_t since_ns;              /* CLOCK_REALTIME, of this state */
	char last_fault[VIEW_REASON];
	uint32_t beside;                /* enum view_beside */
	uint32_t reserved;
	uint64_t latency[VIEW_LATENCIES];
#define VIEW_COUNTER(field, help) uint64_t field;
	VIEW_PRODUCT_COUNTER_TABLE(VIEW_COUNTER)
#undef VIEW_COUNTER
};

/* Who decided. X(SYMBOL, number, "name", "meaning") */
#define VIEW_BY_TABLE(X)                                                      \
	X(NOBODY, 0, "default", "no rule matched and nobody asks")            \
	X(OWN, 1, "own", "a process of the broker itself")                    \
	X(CACHE, 2, "cache", "a verdict still valid")                         \
	X(ADMIN, 3, "administrator", "an administrator's rule or exception")  \
	X(KEEP, 4, "keep list", "the keep list overruled a denial")           \
	X(RULE, 5, "rule", "a product's rule")                                \
	X(PRODUCT, 6, "product", "a product's answer")                        \
	X(MISS, 7, "miss", "the fallback: no answer in time")                 \
	X(OVERLOAD, 8, "overload", "the fallback: too many open questions")   \
	X(POISON, 9, "poison", "the fallback: the object is poison for it")   \
	X(TWIN, 10, "twin", "the other question of the same exec")            \
	X(OBSERVE, 11, "observe", "answered before anybody was asked")        \
	X(OFF, 12, "off", "switched off")                                     \
	X(SUCCESSOR, 13, "successor", "decided after a worker's death")       \
	X(CHANGED, 14, "changed", "a program that changed while it was judged")

enum view_by {
#define VIEW_ENUM(sym, num, name, help) VIEW_BY_##sym = num,
	VIEW_BY_TABLE(VIEW_ENUM)
#undef VIEW_ENUM
};

struct view_decision {
	struct view_head head;
	uint64_t id;
	uint64_t time_ns;               /* CLOCK_REALTIME of the answer */
	uint64_t took_ns;               /* from read to answer */
	uint32_t kind;                  /* enum bailey_event_kind */
	uint32_t verdict;               /* enum bailey_verdict, as applied */
	uint32_t would;                 /* ... as it would be in enforce mode */
	uint32_t by;                    /* enum view_by */
	uint32_t deciders;              /* bit per product index that decided */
	uint32_t missed;                /* bit per product index that missed */
	int32_t pid, ppid;
	uint32_t uid, gid;
	uint64_t device, inode, generation;
	uint64_t changed_ns, size;      /* the object as it was */
	uint32_t scope;                 /* enum bailey_scope, of the verdict */
	uint32_t reserved;
	int32_t rule_line;              /* by RULE or ADMIN; else 0 */
	uint32_t path_foreign;
	char product[VIEW_NAME];        /* that decided, first of them */
	char exe[256];
	char path[VIEW_PATH];           /* has control characters: escape */
	struct bailey_finding finding;  /* size 0: none */
};

struct view_known {
	struct view_head head;
	uint32_t kind;
	uint32_t mediation;             /* 0 absent 1 notify 2 rule 3 ask */
	uint8_t field[64];              /* enum bailey_known; index = field */
};

struct view_rules {
	struct view_head head;
	uint32_t rules;                 /* number */
	uint32_t reserved;
	uint64_t expires_ns;            /* CLOCK_REALTIME; 0: never */
	char owner[VIEW_NAME];          /* "administrator", "keep" or product */
};

/* ---- monitor ---- */

#define ADMIN_REQUEST_TABLE(X)                                                \
	X(STATUS, 1, "status")                                                \
	X(OFF, 2, "off")                /* number: seconds, 0 until `on` */   \
	X(ON, 3, "on")                                                        \
	X(PRODUCT_START, 4, "start")                                          \
	X(PRODUCT_STOP, 5, "stop")                                            \
	X(PRODUCT_SUSPEND, 6, "suspend")                                      \
	X(PRODUCT_RESUME, 7, "resume")                                        \
	X(PRODUCT_OBSERVE, 8, "observe")                                      \
	X(PRODUCT_ENFORCE, 9, "enforce")                                      \
	X(PRODUCT_BYPASS, 10, "bypass") /* number: seconds */                 \
	X(PRODUCT_ENABLE, 11, "enable")                                       \
	X(PRODUCT_DISABLE, 12, "disable")                                     \
	X(EXCEPTION_ADD, 13, "allow")   /* text: rule line; reason; seconds */ \
	X(EXCEPTION_REMOVE, 14, "exceptions remove") /* number: its id */     \
	X(EXCEPTIONS, 15, "exceptions") /* admin_exception records */         \
	X(RELOAD, 16, "reload")         /* rules.d and exceptions.d again */  \
	X(DOCTOR, 17, "doctor")         /* admin_doctor records */            \
	X(SHUTDOWN, 18, "shutdown")

enum admin_request_type {
#define VIEW_ENUM(sym, num, name) ADMIN_##sym = num,
	ADMIN_REQUEST_TABLE(VIEW_ENUM)
#undef VIEW_ENUM
};

struct admin_request {
	uint32_t version;
	uint32_t type;
	uint64_t number;
	char product[VIEW_NAME];
	char text[512];
	char reason[VIEW_REASON];
};

enum admin_record_type {
	ADMIN_END = 200,                /* struct view_end */
	ADMIN_MONITOR, ADMIN_PRODUCT, ADMIN_SCOPE, ADMIN_DEGRADED,
	ADMIN_EXCEPTION, ADMIN_DOCTOR_ROW
};

struct admin_monitor {
	struct view_head head;
	int32_t monitor_pid, keeper_pid, helper_pid;
	uint32_t forced;                /* 0 none, 1 observe, 2 off */
	uint32_t keeper_restarts, worker_restarts;
	uint64_t since_ns;              /* CLOCK_REALTIME */
	uint64_t unprotected_ms;        /* without any engine, since boot */
	uint64_t kernel_denied;         /* answered deny by the monitor */
	uint64_t off_until_ns;          /* CLOCK_REALTIME; 0: no end */
	uint64_t unmarked;              /* local file systems without a mark */
};

struct admin_product {
	struct view_head head;
	uint32_t index;
	uint32_t mode;                  /* as configured */
	int32_t pid;                    /* host's view; 0 not running */
	uint32_t restarts;
	uint32_t uid;
	uint32_t enabled;
	uint64_t next_start_ns;         /* CLOCK_REALTIME, planned restart */
	char name[VIEW_NAME];
	char last_exit[VIEW_REASON];
	char content[VIEW_HASH];        /* hexadecimal: the version that its
					 * process runs on; "": not managed */
};

struct admin_scope {
	struct view_head head;
	uint32_t marked;                /* 0: refused, see reason */
	uint32_t reserved;
	char kind[16];                  /* tree, filesystem */
	char fstype[32];
	char path[VIEW_PATH];
	char reason[VIEW_REASON];
};

struct admin_degraded {
	struct view_head head;
	uint64_t since_ns;
	char what[64];
	char why[VIEW_REASON];
};

struct admin_exception {
	struct view_head head;
	uint64_t id;
	uint64_t added_ns, expires_ns;  /* CLOCK_REALTIME; 0: no end */
	char text[512];
	char reason[VIEW_REASON];
};

/* One line of `bailey doctor`: a capability, whether it is there, the cost. */
struct admin_doctor {
	struct view_head head;
	uint32_t ok;                    /* 1 there, 0 missing */
	uint32_t reserved;
	char product[VIEW_NAME];        /* "" for the host */
	char what[64];
	char why[VIEW_REASON];
	char cost[VIEW_REASON];         /* what is lost without it */
};

#endif
