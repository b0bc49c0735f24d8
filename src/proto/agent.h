/* SPDX-License-Identifier: Apache-2.0 */
/*
 * proto/agent.h - what the monitor and the content agent say to each other
 *
 * The agent (bailey-content) decides which version of a product's content is
 * used; the monitor starts and ends processes. They share one SOCK_SEQPACKET
 * socket; each datagram is one struct agent_message, whatever its type: fixed
 * size, no text that anybody parses. Unused members are 0.
 *
 * Instances. A product has at most two processes that can answer: the one that
 * is asked, and beside it either a *standby* (loaded, ready, not asked) or,
 * after SWITCH, the former one, *frozen* until TRIAL_END. A process is named by
 * the try id under which the agent had it started; 0 is the one that the
 * monitor started by itself on `current`. Try ids are the agent's: nonzero, not
 * used again while it lives. Preflights stand beside all that.
 *
 * The reflex. While a frozen instance is kept, a new one that dies, hangs,
 * breaks the protocol or denies too much is switched away from at once, by
 * engine and monitor alone. The agent hears SWITCHED_BACK, and of the new one
 * PRODUCT_ENDED and LAST_QUESTIONS: in any order, the last one only if it held
 * anything.
 *
 * A request that cannot be done is answered by REFUSED; every other one by the
 * messages named beside it. If the agent ends, the trial stands as it is:
 * standbys and preflights are ended, a frozen instance is kept, the reflex
 * works on. The next agent is told the same by PRODUCT and PRODUCT_READY.
 * If the agent sends what is not a message, it is ended and started anew.
 */
#ifndef PROTO_AGENT_H
#define PROTO_AGENT_H

#include <assert.h>
#include <stdint.h>

#define AGENT_VERSION 1u
#define AGENT_PRODUCTS 16u      /* index: the engine's and the monitor's */
#define AGENT_TRIES 4u          /* at once, of all products: then REFUSED */
#define AGENT_HELD 8u           /* descriptors with LAST_QUESTIONS */
#define AGENT_NAME 32
#define AGENT_PATH 256
#define AGENT_TEXT 128
#define AGENT_HASH 32           /* SHA-256 of a version's description */
#define AGENT_EVENTS 8
#define AGENT_DENY_PREFIXES 8

/* Descriptors of the agent, after its exec. */
enum agent_fd {
	AGENT_FD_MONITOR = 3,   /* this socket */
	AGENT_FD_CONTENT,       /* DIR/content: a directory, the agent's own */
	AGENT_FD_STAGING,       /* DIR/staging: a directory, to read */
	AGENT_FD_POLICY,        /* ETC/content.d, to read; or /dev/null */
	AGENT_FD_LISTEN,        /* listening content.sock */
	AGENT_FD_VIEW,          /* O_PATH of view.sock: connect to
				 * /proc/self/fd/8, as often as needed */
	AGENT_FD_END
};

/* X(SYMBOL, number, "name"); below 100: monitor to agent. */
#define AGENT_MESSAGE_TABLE(X)                                                \
	/* product; number: AGENT_PRODUCT_* bits. Once for each product with  \
	 * managed content, again when its mode changes */                    \
	X(PRODUCT, 1, "product")                                              \
	/* all products were told; number: AGENT_VERSION */                   \
	X(BEGIN, 2, "begin")                                                  \
	/* index, try, hash (of the slot that was handed over; 0: none), pid. \
	 * The one that is asked has become ready */                          \
	X(PRODUCT_READY, 3, "product-ready")                                  \
	/* index, try, hash, fault, number: wait status, text. frozen: it was \
	 * the frozen one */                                                  \
	X(PRODUCT_ENDED, 4, "product-ended")                                  \
	/* index, hash (of what was asked): it denied too much and observes   \
	 * now. Told to the next agent again while that stands */             \
	X(PRODUCT_ALARM, 5, "product-alarm")                                  \
	/* index, try, purpose, pid. PREFLIGHT: descriptors: pidfd,           \
	 * /proc/PID/statm, the session (the agent is the engine there), then \
	 * content, config, state: number has a bit for each                  \
	 * (1 << enum bailey_directory). PARALLEL: pidfd, statm */            \
	X(TRY_STARTED, 6, "try-started")                                      \
	/* index, try: PARALLEL: the standby is ready */                      \
	X(TRY_READY, 7, "try-ready")                                          \
	/* index, try, purpose, fault, number: wait status, text: a preflight \
	 * or a standby ended, or was not started at all */                   \
	X(TRY_ENDED, 8, "try-ended")                                          \
	/* index, try, hash: this one is asked now; number: ns the step took  \
	 */                                                                   \
	X(SWITCHED, 9, "switched")                                            \
	/* index, try, hash: of the one that is asked now (the former one);   \
	 * fault, text: why, NONE: it was asked for; number: ns from the      \
	 * fault seen until the old one is asked again and runs */            \
	X(SWITCHED_BACK, 10, "switched-back")                                 \
	/* index, hash, number: 0, an errno or enum bailey_error: the answer  \
	 * to LIVE */                                                         \
	X(CONTENT_DONE, 11, "content-done")                                   \
	/* index, try, held, kind[]: what it held when it failed, with a      \
	 * read-only descriptor each */                                       \
	X(LAST_QUESTIONS, 12, "last-questions")                               \
	/* index, try, refused: type of the request, number: errno, text */   \
	X(REFUSED, 13, "refused")                                             \
	X(SHUTDOWN, 14, "shutdown")                                           \
	/* ---- agent to monitor ---- */                                      \
	/* index, try, purpose, hash -> TRY_STARTED, TRY_READY, TRY_ENDED */  \
	X(TRY_START, 100, "try-start")                                        \
	/* try -> TRY_ENDED */                                                \
	X(TRY_STOP, 101, "try-stop")                                          \
	/* index, try: of a ready standby -> SWITCHED */                      \
	X(SWITCH, 102, "switch")                                              \
	/* index: the frozen one is asked again, the other one ends           \
	 * -> SWITCHED_BACK, PRODUCT_ENDED */                                 \
	X(SWITCH_BACK, 103, "switch-back")                                    \
	/* index: the frozen one may go -> PRODUCT_ENDED (frozen) */          \
	X(TRIAL_END, 104, "trial-end")                                        \
	/* index: start again with `current`, rules in force meanwhile        \
	 * -> PRODUCT_ENDED, PRODUCT_READY */                                 \
	X(RESTART, 105, "restart")                                            \
	/* index: hand `current` to the running one -> CONTENT_DONE */        \
	X(LIVE, 106, "live")                                                  \
	/* index, text: shown as degraded until text is empty */              \
	X(ALARM, 107, "alarm")                                                \
	/* index, hash: of a PRODUCT_ALARM. That version was on trial and is  \
	 * taken back: the mode before is in force again, unless a person     \
	 * chose one since */                                                 \
	X(BELIEVE, 108, "believe")

enum agent_message_type {
#define AGENT_ENUM(sym, num, name) AGENT_##sym = num,
	AGENT_MESSAGE_TABLE(AGENT_ENUM)
#undef AGENT_ENUM
};

enum agent_purpose { AGENT_PREFLIGHT = 1, AGENT_PARALLEL };

/* PRODUCT, number. */
#define AGENT_PRODUCT_SERVING 1u        /* one is ready: PRODUCT_READY follows
					 * with what it runs */
#define AGENT_PRODUCT_FROZEN 2u         /* a frozen one is kept: the one that
					 * is asked is on trial */
#define AGENT_PRODUCT_WANTED 4u         /* not stopped by the administrator */

/* Why a process ended. X(SYMBOL, number, "name", charged): charged: may be
 * the content's fault. */
#define AGENT_FAULT_TABLE(X)                                                  \
	X(NONE, 0, "none", 0)                   /* as it was told to */       \
	X(EXIT, 1, "exit", 1)   /* by itself; in SWITCHED_BACK also a crash */ \
	X(CRASH, 2, "crash", 1)                 /* killed by a signal */      \
	X(HUNG, 3, "hung", 1)                   /* silent for two deadlines */ \
	X(NOT_READY, 4, "not-ready", 1)         /* not within start_s */      \
	X(SCHEMA, 5, "schema", 1)               /* not the content's (C1) */  \
	X(DENIALS, 6, "denials", 1)             /* denied too much */         \
	X(PROTOCOL, 7, "protocol", 1)           /* see text */                \
	X(CONTENT, 8, "content", 1)             /* LIVE: no answer in time */ \
	X(START, 9, "start", 0)                 /* never started: see text */ \
	X(ENGINE, 10, "engine", 0)              /* the engine went away */    \
	X(ADMIN, 11, "administrator", 0)        /* stopped by a person */

enum agent_fault {
#define AGENT_ENUM(sym, num, name, charged) AGENT_FAULT_##sym = num,
	AGENT_FAULT_TABLE(AGENT_ENUM)
#undef AGENT_ENUM
	AGENT_FAULTS
};

struct agent_event {
	uint32_t kind;                  /* enum bailey_event_kind; 0 ends */
	uint32_t optional;
	uint32_t deadline_ms;
};

/* What the manifest says, as far as content and preflight need it. */
struct agent_product {
	char name[AGENT_NAME];
	char url[AGENT_PATH];           /* "" : content comes by submit only */
	char root[AGENT_PATH];          /* root.json, as in the manifest */
	uint32_t reload;                /* enum manifest_reload: 0 parallel,
					 * 1 live, 2 restart */
	uint32_t mode;                  /* enum bailey_mode */
	struct agent_event ask[AGENT_EVENTS], notify[AGENT_EVENTS];
	uint32_t deadline_max_ms;
	uint32_t start_s;
	uint32_t hold;
	uint32_t see_files, see_arguments, see_environment;
	uint32_t uid;                   /* of its process */
	uint32_t preflight_uid;
	uint32_t on_miss;               /* enum manifest_answer */
	uint32_t reserved;
	uint64_t memory_bytes;
	uint64_t state_bytes;
	char may_deny[AGENT_DENY_PREFIXES][AGENT_PATH]; /* "" ends; none: only
					 * what it was asked about */
};

struct agent_message {
	uint32_t type;                  /* enum agent_message_type */
	uint32_t index;                 /* of the product, < AGENT_PRODUCTS */
	uint32_t try;                   /* id; 0: started by the monitor */
	uint32_t purpose;               /* enum agent_purpose */
	uint32_t fault;                 /* enum agent_fault */
	uint32_t frozen;
	uint32_t refused;               /* enum agent_message_type */
	int32_t pid;                    /* host's view */
	uint64_t number;
	uint8_t hash[AGENT_HASH];
	uint32_t held;
	uint32_t kind[AGENT_HELD];      /* enum bailey_event_kind */
	uint32_t reserved;
	char text[AGENT_TEXT];
	struct agent_product product;
};

static_assert(sizeof(struct agent_event) == 12, "agent_event layout");
static_assert(sizeof(struct agent_product) == 2848, "agent_product layout");
static_assert(sizeof(struct agent_message) == 3088, "agent_message layout");

#endif
