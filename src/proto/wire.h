/* SPDX-License-Identifier: Apache-2.0 */
/*
 * proto/wire.h - what stands in memory and on the socket between the engine
 * and one product
 *
 * Three channels, made by the engine, handed over in the reply to HELLO:
 *
 *   events region   sealed memfd; the engine writes, the product maps it
 *                   read-only (SHRINK|GROW|FUTURE_WRITE|SEAL).
 *                   [struct wire_events][slots x WIRE_SLOT_SIZE]
 *   answers region  sealed memfd; the product writes, the engine only reads
 *                   and trusts nothing (SHRINK|GROW|SEAL).
 *                   [struct wire_answers]
 *   wake pipes      one byte a wake; each end its own open file description
 *
 * and two SOCK_SEQPACKET sockets: the *session* (control requests below, one
 * at a time, each with one reply) and *files* (engine to product: descriptors).
 *
 * Memory order. Each queue has one writer. The writer fills the entry, then
 * stores head with release; the reader loads head with acquire. Before it
 * sleeps, a reader stores sleeping = 1, issues a sequentially consistent
 * fence, and looks at head once more; a writer stores head, issues a
 * sequentially consistent fence, and writes a byte to the pipe if sleeping
 * is 1. One of the two always sees the other (tests/model/ring.pml).
 *
 * The engine keeps its own copy of every index and never reads one back from
 * memory that a product can write, but answers.head, which it bounds.
 */
#ifndef PROTO_WIRE_H
#define PROTO_WIRE_H

#include <assert.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <bailey/client.h>
#include <bailey/event.h>

#define WIRE_VERSION 1u
#define WIRE_SESSION_FD 3       /* in the product, at start */

#define WIRE_SLOTS 256u         /* events that a product can hold */
#define WIRE_SLOT_SIZE 8192u
#define WIRE_QUEUE 512u         /* power of two, >= 2 x WIRE_SLOTS */
#define WIRE_ANSWERS 1024u      /* power of two, >= 4 x WIRE_SLOTS */
#define WIRE_NUMBERS 40u        /* number fields 1-39, index = field */
#define WIRE_STRINGS 24u        /* string fields 40-63, index = field - 40 */

/* One event, at the start of its slot. Strings follow, at most to the slot's
 * end; string[i].offset counts from the slot's start. */
struct wire_string {
	uint16_t offset;
	uint16_t length;        /* without the NUL that follows */
};

#define WIRE_EVENT_QUESTION 1u  /* waits for an answer */
#define WIRE_EVENT_FILE 2u      /* a descriptor was sent on the files socket */

struct wire_event {
	uint32_t size;          /* bytes in use in this slot */
	uint32_t kind;
	uint64_t id;
	uint64_t present;       /* bit n: field n is there */
	uint32_t flags;         /* WIRE_EVENT_* */
	uint32_t reserved;
	int64_t number[WIRE_NUMBERS];
	struct wire_string string[WIRE_STRINGS];
};

/* Questions and news are two queues of slot numbers; questions first. */
struct wire_queue {
	_Atomic uint32_t head;  /* entries written so far, wraps */
	uint32_t pad[15];
	uint32_t slot[WIRE_QUEUE];
};

struct wire_events {
	uint32_t version;
	uint32_t slots;
	uint32_t slot_size;
	_Atomic uint32_t ended;                 /* 1: the session is over */
	_Atomic uint32_t engine_sleeping;       /* product must wake it */
	_Atomic uint32_t answers_taken;         /* answers consumed, wraps */
	uint32_t spin_ns;       /* how long a product should look on before it
				 * sleeps; 0: not */
	uint32_t pad[9];
	struct wire_queue questions;
	struct wire_queue news;
};

/* What a product says about an event, or gives back. */
#define WIRE_ANSWER_TABLE(X)                                                  \
	X(VERDICT, 1)   /* verdict, scope, finding */                         \
	X(EXTEND, 2)    /* ms */                                              \
	X(DEFER, 3)                                                           \
	X(REPORT, 4)    /* finding */                                         \
	X(REVISE, 5)    /* object, verdict, finding; slot and id unused */    \
	X(RELEASE, 6)   /* slot is free again; its descriptor is closed */

enum wire_answer_type {
#define WIRE_ENUM(sym, num) WIRE_ANSWER_##sym = num,
	WIRE_ANSWER_TABLE(WIRE_ENUM)
#undef WIRE_ENUM
};

struct wire_answer {
	uint32_t type;          /* enum wire_answer_type */
	uint32_t slot;
	uint64_t id;            /* must be the id that stands in the slot */
	uint32_t verdict;
	uint32_t scope;
	uint32_t ms;
	uint32_t has_finding;
	struct bailey_object object;
	struct bailey_finding finding;
};

struct wire_answers {
	_Atomic uint32_t head;          /* answers written so far, wraps */
	uint32_t pad[15];
	_Atomic uint32_t product_sleeping;      /* engine must wake it */
	uint32_t pad2[15];
	struct wire_answer answer[WIRE_ANSWERS];
};

#define WIRE_EVENTS_BYTES                                                     \
	((sizeof(struct wire_events) + 4095u) / 4096u * 4096u +               \
	 (size_t)WIRE_SLOTS * WIRE_SLOT_SIZE)
#define WIRE_SLOTS_OFFSET                                                     \
	((sizeof(struct wire_events) + 4095u) / 4096u * 4096u)
#define WIRE_ANSWERS_BYTES                                                    \
	((sizeof(struct wire_answers) + 4095u) / 4096u * 4096u)

static_assert(sizeof(struct wire_event) == 448, "wire_event layout");
static_assert(sizeof(struct bailey_finding) == 192, "finding layout");
static_assert(sizeof(struct wire_answer) == 248, "wire_answer layout");
static_assert((WIRE_QUEUE & (WIRE_QUEUE - 1)) == 0, "power of two");
static_assert((WIRE_ANSWERS & (WIRE_ANSWERS - 1)) == 0, "power of two");

/*
 * Session requests: one SEQPACKET datagram, at most WIRE_REQUEST_MAX bytes,
 * header first; the engine answers each with one struct wire_reply. The
 * product never sends descriptors; any that it sends end the session.
 *
 * X(SYMBOL, number, "name", payload after the header: size of an element,
 *   fewest and most elements). Size 0: whoever reads it checks.
 */
#define WIRE_REQUEST_TABLE(X)                                                 \
	X(HELLO, 1, "hello", sizeof(struct wire_hello), 1, 1)                 \
	X(SUBSCRIBE, 2, "subscribe",                                          \
	  sizeof(struct bailey_subscription), 0, WIRE_SUBSCRIPTIONS)          \
	X(MUTE, 3, "mute", sizeof(struct bailey_mute), 1, WIRE_MUTES)         \
	X(UNMUTE, 4, "unmute", sizeof(struct bailey_mute), 1, WIRE_MUTES)     \
	X(READY, 5, "ready", 0, 0, 0)                                         \
	X(TEXT_BEGIN, 6, "text-begin", 0, 0, 0) /* rule text follows */       \
	X(TEXT_ADD, 7, "text-add", 1, 1, WIRE_REQUEST_MAX)                    \
	X(TEXT_COMMIT, 8, "text-commit", 0, 0, 0) /* reply.detail: line */    \
	X(SET_BEGIN, 9, "set-begin", sizeof(struct wire_set), 1, 1)           \
	X(SET_ADD, 10, "set-add", 0, 1, WIRE_REQUEST_MAX) /* members */       \
	X(SET_REMOVE, 11, "set-remove", 0, 1, WIRE_REQUEST_MAX) /* members */ \
	X(SET_COMMIT, 12, "set-commit", 0, 0, 0)                              \
	X(LOG, 13, "log", sizeof(struct wire_log), 1, 1) /* never answered */ \
	X(CONTENT_DONE, 14, "content-done",                                   \
	  sizeof(struct wire_content_done), 1, 1)

enum wire_request_type {
#define WIRE_ENUM(sym, num, name, size, least, most) WIRE_REQUEST_##sym = num,
	WIRE_REQUEST_TABLE(WIRE_ENUM)
#undef WIRE_ENUM
};

#define WIRE_REQUEST_MAX 65536u
#define WIRE_SUBSCRIPTIONS 16u
#define WIRE_MUTES 64u
#define WIRE_LOG_TEXT 480u

struct wire_request {
	uint32_t type;          /* enum wire_request_type */
	uint32_t count;         /* elements or bytes that follow */
};

struct wire_hello {
	uint32_t version;       /* WIRE_VERSION */
	uint32_t field_count;
	char schema[64];
};

struct wire_set {
	uint32_t kind;          /* enum bailey_collection_kind */
	uint32_t reserved;
	char name[64];
};

struct wire_content_done {
	uint64_t id;            /* of the control.content event */
	int32_t error;          /* 0, or a positive error: still the old one */
	uint32_t reserved;
};

struct wire_log {
	uint32_t level;
	uint32_t dropped;       /* lines that were not sent before this */
	char text[WIRE_LOG_TEXT];
};

/* Is there such a request, and does so much of a payload belong to it? */
static inline bool wire_request_fits(const struct wire_request *head,
				     size_t size)
{
	static const struct {
		size_t element;
		uint32_t least, most;
		bool known;
	} table[] = {
#define WIRE_SHAPE(sym, num, name, size, least, most)                         \
	[num] = { size, least, most, true },
		WIRE_REQUEST_TABLE(WIRE_SHAPE)
#undef WIRE_SHAPE
	};

	return head->type < sizeof(table) / sizeof(*table) &&
	       table[head->type].known &&
	       head->count >= table[head->type].least &&
	       head->count <= table[head->type].most &&
	       (!table[head->type].element ||
		size == head->count * table[head->type].element);
}

/* In the reply to HELLO, descriptors in this order by SCM_RIGHTS. Absent
 * directories are left out and their bit in `directories` is clear. */
enum wire_descriptor {
	WIRE_FD_EVENTS,         /* read-only description */
	WIRE_FD_ANSWERS,
	WIRE_FD_WAKE_PRODUCT,   /* read end: engine wakes product */
	WIRE_FD_WAKE_ENGINE,    /* write end, O_NONBLOCK */
	WIRE_FD_FILES,          /* SEQPACKET: struct wire_file + one fd each */
	WIRE_FD_DIRECTORIES     /* then up to 3 directories */
};

struct wire_file {
	uint64_t id;            /* of the event */
	uint32_t slot;
	uint32_t reserved;
};

/* known[]: bit pairs would be smaller, bytes are clearer: enum bailey_known
 * for each (event row, field). Row order is that of BAILEY_EVENT_TABLE. */
#define WIRE_KNOWN_ROWS 16u

struct wire_reply {
	int32_t error;          /* 0, positive errno or enum bailey_error */
	uint32_t detail;        /* line of a rule error; else 0 */
	uint32_t type;          /* of the request that this answers */
	uint32_t directories;   /* bit enum bailey_directory, HELLO only */
	uint32_t mode;          /* enum bailey_mode, HELLO only */
	uint32_t reserved;
	uint8_t known[WIRE_KNOWN_ROWS][64];     /* field 0: the event */
};

#endif
