/* SPDX-License-Identifier: Apache-2.0 */
/*
 * broker/eng.h - the engine's state: all that a worker leaves to the next one
 *
 * The keeper maps one struct engine as shared memory before it clones its
 * first worker. When a worker dies, at whatever instruction, this block, the
 * descriptor table and the products' regions are still there, and the next
 * worker goes on from them (eng_succeed.c).
 *
 * Threads of the worker and what each may write:
 *   reply thread    questions, cache, processes, slots, counters, decisions
 *   closer threads  their queue's tail
 *   service thread  sessions while they are not serving, programs, mutes
 * What one publishes to another is _Atomic and says so. No locks are shared
 * with the reply thread; it allocates nothing, opens nothing, closes nothing
 * and logs nothing.
 *
 * The life of one question, in reading order: eng_source.c, eng_intake.c,
 * eng_rules.c, eng_cache.c, eng_dispatch.c, eng_answer.c, eng_verdict.c.
 */
#ifndef BROKER_ENG_H
#define BROKER_ENG_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <bailey/client.h>

#include "base/mono.h"
#include "base/result.h"
#include "broker/eng_process.h"
#include "broker/eng_storm.h"
#include "broker/handoff.h"
#include "broker/source_process_ring.h"
#include "config/manifest.h"
#include "proto/view.h"
#include "proto/wire.h"
#include "rule/rule.h"

/* Limits; each has a stated behaviour when reached. */
#define ENG_OPEN_TOTAL 512u     /* waiting questions: then the overload answer;
				 * bailey.conf may ask for fewer, and says
				 * how many of one uid (root excepted) */
#define ENG_UIDS 1024u          /* counters; > ENG_OPEN_TOTAL */
/* waiting or still with a product: then `full` */
#define ENG_QUESTIONS 1024u
#define ENG_READ_EVENTS 16u     /* taken from the kernel by one read */
#define ENG_CLOSE_QUEUE 8192u   /* descriptors to close; >= HANDOFF_FDS */
#define ENG_CLOSERS 2u
#define ENG_CACHE_ENTRIES 65536u /* direct-mapped, newest wins */
#define ENG_TWINS 256u          /* direct-mapped by pid */
#define ENG_STALLS 1024u        /* direct-mapped by pid */
#define ENG_POISON 1024u        /* direct-mapped by object and product */
#define ENG_SETS 8u             /* collections of a product: then -FULL */
#define ENG_REMEMBERED 256u     /* denials that a new keeper goes on from */
#define ENG_FILES_OUT 64u       /* descriptors with a product, from which on
				 * late returns end its session */
#define ENG_RETURN_NS (60 * MONO_S) /* ... after the answer */
#define ENG_KEEP 4096u          /* files never denied: further are not kept */
#define ENG_MOUNTS 4096u        /* host mount ids: further ones are `foreign` */
#define ENG_DENIAL_OBJECTS 256u /* distinct objects that a brake counts */
#define ENG_DENIED_BY 64u       /* users; those who collide are one */
#define ENG_SKETCH 32u          /* words of a sketch of what was denied: good
				 * for some 10,000 distinct ones */
#define ENG_DENIALS HANDOFF_DENIALS     /* ring: the oldest gives way */
#define ENG_VIEWERS 16u         /* connected to view.sock: then refused */
#define ENG_EVENTS 1024u        /* ring for `bailey events` */
#define ENG_DEATHS 64u          /* objects and uids under which workers died */
/* How long a product looks on for the next event after one, and we for the
 * answer of one that does, before going to sleep. */
#define ENG_PRODUCT_SPIN_NS 40000u
#define ENG_SPIN_NS 15000u
#define ENG_CTIME_AGE_NS (20u * 1000000u)
#define ENG_STALL_WINDOW_NS (10u * MONO_S)

/* for (i of the bits of a mask, which is read once) */
#define ENG_EACH(i, mask)                                                     \
	(uint32_t eng_bits = (mask), i = 0;                                   \
	 eng_bits && ((i = (uint32_t)__builtin_ctz(eng_bits)), true);         \
	 eng_bits &= eng_bits - 1)

enum eng_kind { ENG_OPEN, ENG_EXEC, ENG_KINDS };
/* Their enum bailey_event_kind (eng_known.c). */
extern const uint32_t eng_kind_event[ENG_KINDS];

enum { ENG_NEWS_FORK = 1, ENG_NEWS_STARTED = 2, ENG_NEWS_EXIT = 4 };

struct object {
	uint64_t device, inode, generation;
	uint64_t changed_ns;            /* ctime */
	uint64_t size;
	uint64_t mount;
	uint32_t mode, owner, links;
};

struct asker {
	int32_t pid, ppid;
	uint32_t uid, gid, generation;
	uint64_t start_ns, cgroup, exe_device, exe_inode;
	bool uncertain;
	bool known;
};

enum question_state {
	QUESTION_FREE,          /* in the free list */
	QUESTION_OPEN,          /* the kernel waits for us */
	QUESTION_ANSWERED       /* the kernel has its answer; a product still
				 * holds the event or owes its opinion, which
				 * is recorded */
};

#define QUESTION_NONE UINT32_MAX

struct question {
	_Atomic uint32_t state; /* the token: OPEN -> ANSWERED happens once */
	uint32_t index;
	int32_t fd;             /* of the event; -1 once a closer has it */
	enum eng_kind kind;
	uint64_t id;
	mono_t read_at;
	struct object object;
	struct asker asker;
	uint32_t epoch;         /* of rules, content, mode when it was judged */
	/* bits: index of the session */
	uint32_t asked;         /* an event was sent */
	uint32_t waiting;       /* its opinion decides and is not there yet */
	uint32_t owing;         /* its opinion is not there yet */
	uint32_t unsent;        /* waits for a product that is coming back */
	/* bits: index of the product, whichever process of it said so */
	uint32_t allowed, denied, missed;
	uint32_t said_deny;     /* denied by its own word, not by a fallback */
	uint32_t observing;     /* opinion is only recorded */
	uint32_t ruled_allow;   /* that product's own rules allowed */
	/* by session */
	uint16_t slot[HANDOFF_PRODUCTS];
	mono_t due[HANDOFF_PRODUCTS];
	enum bailey_scope scope;
	uint32_t follower;      /* next question with the same key */
	uint8_t rechecks;       /* asked again because the object changed */
	uint8_t had_writer;     /* of a program, when it was shown */
	uint8_t by;             /* enum view_by, of the answer */
	uint8_t verdict, would; /* enum bailey_verdict */
	uint8_t cacheable;
	uint16_t charged;       /* place in uid_open, plus 1; 0: not waiting */
	int32_t rule_line;
	bool path_foreign;
	uint16_t path_length;
	char path[VIEW_PATH];
	struct bailey_finding finding;
};

/* One compiled rule text, in a memfd that successors map again. */
struct program {
	_Atomic(const struct rule_program *) rules;
	int fd;                 /* -1: none */
	size_t size;
	uint64_t expires_ns;    /* CLOCK_MONOTONIC; 0: never */
};

/* One collection: header and members, in a memfd that successors map again. */
struct set_block {
	uint64_t size, count;   /* of a member; of members */
	char members[];
};

struct set {
	char name[64];          /* "": free */
	int fd;
	_Atomic(const struct set_block *) block;
};

/* What the reply thread is to tell a product, as an event. */
enum {
	ENG_TELL_STOP = 1, ENG_TELL_CONFIG = 2, ENG_TELL_MODE = 4,
	ENG_TELL_CONTENT = 8
};

struct eng_sketch {
	uint64_t bit[ENG_SKETCH];
	uint64_t set, estimate;
};

enum session_phase {
	SESSION_EMPTY,          /* no process behind it */
	SESSION_CONNECTED,      /* HELLO done; the service thread sets it up */
	SESSION_SERVING,        /* READY; the reply thread asks it */
	SESSION_ENDING,         /* no questions; the reply thread drops it */
	SESSION_DROPPED         /* the service thread may take it apart */
};

struct slot {
	uint64_t id;            /* of the event in it; 0: free */
	uint32_t question;      /* or QUESTION_NONE */
	bool file;              /* a descriptor went with it */
	mono_t settled;         /* answered or given up; {0}: not yet */
};

/*
 * One place of the table. A product has its own, and for a second process
 * (eng_beside.c) one that is no product's. What is marked "product" is read in
 * the product's place alone, whichever process is asked; the rest is the
 * process's that has its session here.
 */
struct session {
	_Atomic uint32_t phase; /* enum session_phase */
	uint32_t index;
	uint32_t product;       /* whose process; most often index */
	bool present;           /* product: the monitor told us of it */
	struct manifest manifest;
	/* product: counters, mode, name, last_fault; process: state,
	 * since_ns, held */
	struct view_product view;
	/* product: which of its processes is asked; and kept, plus 1 */
	_Atomic uint32_t asked, kept;
	mono_t switched;                /* product: when */
	uint32_t idle_told;             /* product: the kept one is idle */
	uint32_t asked_told;            /* product: what the monitor heard */
	uint32_t back_fault;            /* enum session_fault: of the last
					 * switch that nobody told us to do */
	struct handoff_expect expect;
	char schema[SLOT_SCHEMA];       /* as stated in HELLO */
	uint32_t fields;
	uint32_t serial;                /* counts contents: of poison */
	uint32_t ready_serial;          /* when it last became ready */
	int content;                    /* directory to hand over; -1 */
	_Atomic uint64_t content_event; /* that is not answered yet; 0 */
	mono_t content_since;
	struct handoff_expect content_expect;
	int hung;                       /* what it went silent over; -1 */
	uint32_t hung_kind;
	_Atomic uint32_t mode;          /* product: enum bailey_mode */
	_Atomic uint32_t suspended;     /* product: by the administrator */
	_Atomic uint64_t bypass_until;  /* product: CLOCK_MONOTONIC ns; 0: no */
	/* descriptors: made by the service thread, closed by it */
	int socket;
	int wake_product, wake_engine;  /* our ends */
	int files;
	int directory[3];               /* content, config, state; -1: none */
	/* what it subscribed to */
	_Atomic uint32_t deadline_ms[ENG_KINDS];        /* 0: not subscribed */
	_Atomic uint32_t want_file[ENG_KINDS];
	_Atomic uint32_t news_wanted;   /* ENG_NEWS_* bits */
	struct bailey_mute mutes[2][WIRE_MUTES];
	uint32_t mute_count[2];
	/* rule text that is being sent; the service thread's own heap */
	char *text;
	size_t text_length;
	uint64_t text_digest;   /* of the text that its rules come from */
	mono_t started;         /* its process */
	bool gone;              /* the monitor said that it ended, or ends it */
	uint32_t instance;      /* which start of the product, as told */
	bool served;            /* product: since the keeper started */
	uint32_t replying;      /* a request was taken, its reply may be out */
	uint32_t subscribed[ENG_KINDS]; /* deadlines, also of the last one */
	uint64_t log_second, request_second;
	uint32_t log_count, request_count;
	_Atomic uint32_t mute_now;
	struct program rules;
	struct set set[ENG_SETS];
	_Atomic uint32_t tell;          /* ENG_TELL_* */
	uint64_t news_told;             /* product: losses that LOST has told */
	/* the reply thread's own */
	uint32_t question_head, news_head, answers_taken;
	uint32_t kind_sequence[ENG_KINDS];
	uint64_t sequence, owed; /* event that it died or fell silent over */
	uint32_t free_count;
	uint32_t files_out;     /* descriptors that it has not given back */
	uint16_t free_slot[WIRE_SLOTS];
	struct slot slot[WIRE_SLOTS];
	uint32_t giving;        /* slot that is being given away, plus 1 */
	mono_t last_answer;     /* when it last answered anything */
	mono_t unanswered_since; /* first miss since then; 0: none */
	uint32_t probe;         /* its probing question, or QUESTION_NONE */
	/* product, all of these */
	struct eng_sketch denied_object, denied_user;
	uint64_t denied_by[ENG_DENIED_BY];      /* objects, by user */
	uint32_t sketched;      /* of which process and content */
	uint32_t denial_count;  /* distinct objects, in the window */
	mono_t denial_window;
	uint64_t denial_object[ENG_DENIAL_OBJECTS];
	uint32_t denial_owner[ENG_DENIAL_OBJECTS];
	_Atomic uint32_t alarm; /* put into observe: tell the monitor */
	_Atomic uint32_t fault; /* enum session_fault, for the service thread */
};

/* Why a session is ended.
 * X(SYMBOL, enum agent_fault less prefix, "text for status and log") */
#define SESSION_FAULT_TABLE(X)                                                \
	X(NONE, NONE, "")                                                     \
	X(GONE, EXIT, "the process ended")                                    \
	X(CLOSED, EXIT, "closed its session")                                 \
	X(ANSWER_HEAD, PROTOCOL, "wrote an impossible answer count")          \
	X(ANSWER_TYPE, PROTOCOL, "wrote an unknown kind of answer")           \
	X(ANSWER_SLOT, PROTOCOL, "answered for a slot that does not exist")   \
	X(ANSWER_ID, PROTOCOL, "answered for an event that it does not hold") \
	X(ANSWER_VERDICT, PROTOCOL, "wrote an impossible verdict or scope")   \
	X(REQUEST, PROTOCOL, "sent a malformed request")                      \
	X(DESCRIPTORS, PROTOCOL, "sent descriptors")                          \
	X(FLOOD, PROTOCOL, "sent requests faster than allowed")               \
	X(HUNG, HUNG, "answered nothing for two deadlines")                   \
	X(NOT_READY, NOT_READY, "did not become ready in time")               \
	X(FILES, PROTOCOL, "did not take the descriptors sent to it")         \
	X(REPLY, ENGINE, \
	  "a reply to it was lost with the worker that made it")               \
	X(RETURN, PROTOCOL, "did not return descriptors in time")             \
	X(DENIALS, DENIALS, "denied too much")                                \
	X(SCHEMA, SCHEMA, "schema or field count is not the content's")       \
	X(CONTENT, CONTENT, "did not answer new content in time")             \
	X(BACK, NONE, "was told to give way to the former one")

enum session_fault {
#define ENG_ENUM(sym, agent, text) SESSION_FAULT_##sym,
	SESSION_FAULT_TABLE(ENG_ENUM)
#undef ENG_ENUM
};

struct cache_entry {
	uint64_t device, inode, generation, changed_ns, size;
	uint64_t exe_inode;     /* 0: scope is the object alone */
	uint32_t exe_device;
	uint32_t epoch;
	uint8_t kind, verdict, rest[2];
	uint32_t deciders;      /* bit per product that denied */
};

struct twin {
	int32_t pid;
	uint8_t verdict;
	uint64_t device, inode;
	mono_t until;
};

struct stall {                  /* what a task has waited in its window */
	int32_t pid;
	mono_t since;
	uint64_t waited_ns;
};

/* What was denied before the keeper died: denied on until the product that
 * said so serves again. */
struct remembered {
	uint64_t device, inode, generation, changed_ns, size;
	uint32_t deciders;
	uint32_t kind;
};

struct poison {
	uint64_t key;           /* of object, its ctime, and product */
	uint8_t strikes;
};

/* Ring of decisions: one writer (reply thread), readers check `head`. */
struct decisions {
	_Atomic uint64_t head;
	uint32_t size;
	struct view_decision *entry;
};

/* Single producer (reply thread), consumers take by compare-and-swap. */
struct close_queue {
	uint32_t most;                  /* waiting; beyond: nothing is read */
	_Atomic uint32_t head, tail;
	_Atomic uint32_t calls;         /* futex: moved to wake a closer */
	_Atomic uint32_t sleepers;      /* closers that wait */
	_Atomic int32_t fd[ENG_CLOSE_QUEUE];
};

/* What a product held when its session ended, on the way to the monitor. */
enum last_state { LAST_FREE, LAST_FILLED, LAST_SENT, LAST_OVER };

#define ENG_LAST_SETS 8u

struct last_questions {
	_Atomic uint32_t state;         /* enum last_state */
	uint32_t index, instance, count;
	int fd[AGENT_HELD];
	uint32_t kind[AGENT_HELD];
	mono_t sent;
};

/* One product's regions: mapped by the keeper, so that workers share them. */
struct region {
	int events_fd, events_ro_fd, answers_fd;
	struct wire_events *events;
	struct wire_answers *answers;
};

struct engine {
	struct handoff_table *table;
	uint64_t seed;          /* of hash tables that users can aim at */
	uint32_t processors;
	/* read() of the group goes here; a successor looks at it again */
	char read_buffer[ENG_READ_EVENTS * 64] __attribute__((aligned(8)));
	uint32_t current;       /* question worked on: blamed for a death */
	uint32_t own_death;     /* the last worker crashed or spun: keeper */
	uint64_t next_id;
	uint32_t open_count;
	uint32_t unsent_count;  /* questions with an unsent bit, upper bound */
	uint32_t used_count;
	uint32_t free_question[ENG_QUESTIONS];
	struct question question[ENG_QUESTIONS];
	/* of those that wait for a product: asker and object, to find one with
	 * the same key without touching all; 0: none */
	uint32_t leader[ENG_QUESTIONS];
	mono_t next_due;
	uint32_t looking;       /* bits: products that were awake when asked */
	struct { uint32_t uid, count; } uid_open[ENG_UIDS];
	uint32_t unread;        /* at least so many were, at the last read */
	struct storms storms;
	struct twin twin[ENG_TWINS];
	struct stall stall[ENG_STALLS];
	struct poison poison[ENG_POISON];
	/* Bits of sessions that the reply thread has to look at, so that it
	 * does not touch all of them: told of by the monitor; serving, or
	 * ending and not dropped. Set before what they announce. */
	_Atomic uint32_t told, active;
	struct session session[HANDOFF_PRODUCTS];
	_Atomic uint32_t epoch; /* raised when a cached verdict may be stale */
	_Atomic uint32_t flush; /* service thread: drop ignore marks */
	_Atomic uint32_t needs[ENG_KINDS];      /* RULE_FACT_* of all rules */
	_Atomic uint32_t programs;              /* rule programs in force */
	struct program admin;
	uint32_t keep_count;
	struct handoff_keep keep[ENG_KEEP];
	_Atomic uint32_t mount_count;
	uint64_t mount[ENG_MOUNTS];             /* sorted host mount ids */
	struct view_engine view;
	struct decisions denials, events;
	uint64_t events_told;   /* of the ring: readers were woken up to here */
	_Atomic uint32_t telling;               /* they hear of more by the
						 * clock, not by a wake each */
	_Atomic uint32_t streaming;             /* `bailey events` readers */
	int viewer_fd[ENG_VIEWERS];             /* for a successor to close */
	struct close_queue close;
	struct region region[HANDOFF_PRODUCTS];
	struct last_questions last[ENG_LAST_SETS];
	_Atomic uint32_t last_over;             /* one of them is */
	struct cache_entry *cache;
	struct process_table *processes;
	struct process_ring ring;
	_Atomic(const struct process_record *) snapshot;
	_Atomic uint32_t stale;         /* records were lost: ask for another */
	uint32_t snapshot_count;
	uint64_t snapshot_since;        /* CLOCK_MONOTONIC ns: it was begun */
	uint32_t memory_unlocked;       /* mlockall was refused */
	uint32_t remembered_count;
	struct remembered remembered[ENG_REMEMBERED];
	/* who asked through this descriptor: pid << 32 | mask; 0: nobody */
	_Atomic uint64_t asked_by[HANDOFF_FDS];
	uint8_t ours[HANDOFF_FDS];      /* descriptors that are no events */
	/* between the threads of one worker */
	_Atomic uint32_t begun;         /* rules are there: read questions */
	_Atomic uint32_t asleep;        /* the reply thread waits in poll */
	_Atomic uint64_t turns;         /* of the reply thread's loop */
	int kick_reply[2];              /* pipe: service wakes reply */
	int timer;                      /* wakes reply at `armed` */
	mono_t armed;                   /* UINT64_MAX: it is not */
	mono_t close_at;                /* closers are woken; the same */
	int kick_service[2];            /* pipe: reply wakes service */
	_Atomic uint32_t service_kicked;
	/* deaths: object and uid under which a worker died */
	struct {
		uint64_t device, inode;
		uint32_t uid, count;
	} death[ENG_DEATHS];
};

/* ---- eng_map.c: keeper, once. Ends the process on failure. ---- */
struct engine *eng_map(struct handoff_table *table);

/* ---- eng_source.c: kernel to question ---- */
/* Reads once. Returns the number of events taken, 0 if there was none. */
int eng_source_read(struct engine *e);
/* Notes who asked through a descriptor, for a successor. */
void eng_asked_by(struct engine *e, int fd, int32_t pid, uint64_t mask);
/* What the answer will be: whoever takes over writes that. */
void eng_source_note(struct engine *e, int fd, enum bailey_verdict verdict);
/* The answer: one write(2) to the group. */
void eng_source_answer(struct engine *e, int fd, enum bailey_verdict verdict);

/* ---- eng_intake.c ---- */
/* A question enters. The caller drained the records after it was read. */
void eng_intake(struct engine *e, int fd, uint64_t mask, int32_t pid);
struct question *eng_question_new(struct engine *e);
void eng_question_free(struct engine *e, struct question *q);
void eng_uncharge(struct engine *e, struct question *q);

/* ---- eng_records.c ---- */
void eng_records_drain(struct engine *e);

/* ---- eng_identify.c ---- */
int eng_identify_object(int fd, struct object *ret_object) must_use;
void eng_identify_asker(struct engine *e, int32_t pid, struct asker *ret_asker);
void eng_identify_path(struct engine *e, struct question *q);
const char *eng_path(size_t *ret_length);       /* last path, whole */
bool eng_object_protected(const struct object *object, int fd);
bool eng_object_has_writer(int fd);
bool eng_object_is_written(int fd);
bool eng_object_same(const struct object *a, const struct object *b);

/* ---- eng_rules.c ---- */
struct ruling {
	enum bailey_verdict verdict;    /* NONE: nobody's rule decided */
	enum view_by by;
	int line;
	uint32_t product;               /* whose rule denied */
	uint32_t satisfied;             /* products whose own rules allow */
	bool ask;                       /* whatever is cached */
};
void eng_rules_judge(struct engine *e, struct question *q,
		     struct ruling *ret_ruling);
/* After programs changed: needs[], epoch. Service thread. */
void eng_rules_changed(struct engine *e);
void eng_verdicts_expire(struct engine *e);
bool eng_kept(const struct engine *e, const struct object *object);

/* ---- eng_cache.c ---- */
bool eng_cache_find(struct engine *e, struct question *q,
		    enum bailey_verdict *ret_verdict);
/* Is a denial of this object kept? Nothing but memory is looked at. */
bool eng_cache_denies(struct engine *e, const struct question *q);
void eng_cache_enter(struct engine *e, struct question *q);
/* Denials of the former keeper, from the record. Keeper, once. */
void eng_cache_remember(struct engine *e);
/* What a product now knows of an object it holds an event about. */
void eng_revise(struct engine *e, struct session *s,
		const struct bailey_object *object, enum bailey_verdict verdict,
		const struct bailey_finding *finding);

/* ---- eng_dispatch.c ---- */
/* Sends the question to all who are to be asked (less `satisfied`). Returns
 * the number of products whose answer decides. */
uint32_t eng_dispatch(struct engine *e, struct question *q, uint32_t satisfied);
/* May that product be asked such questions at all, by its manifest? */
bool eng_granted(const struct session *s, enum eng_kind kind);
/* Is that product coming back after an engine's death: shall q wait for it? */
/* Bits of the products that may have a say: told of, or awaited. */
uint32_t eng_concerned(const struct engine *e);
bool eng_holds(const struct engine *e, uint32_t product);
/* It serves again: what waited for it is sent. */
void eng_unsent_send(struct engine *e, struct session *s);
bool eng_dispatch_one(struct engine *e, struct question *q, struct session *s);
void eng_news(struct engine *e, struct session *s, uint32_t kind,
	      const struct process_record *record);
void eng_wake(struct engine *e, struct session *s);
/* Control events that are due: mode, configuration, content, stop, losses. */
void eng_tell(struct engine *e, struct session *s);

/* ---- eng_answer.c ---- */
int eng_answers_drain(struct engine *e, struct session *s);
void eng_due_fire(struct engine *e, mono_t now);
void eng_session_drop(struct engine *e, struct session *s);
void eng_session_fault(struct engine *e, struct session *s,
		       enum session_fault fault);

/* ---- eng_beside.c: two processes of one product ---- */
/* Place of the process that is asked for this product. */
uint32_t eng_asked(const struct engine *e, uint32_t product);
bool eng_is_asked(const struct engine *e, const struct session *s);
/* The kept one, if it could be asked at once: a trial goes on. Else null. */
struct session *eng_kept_beside(struct engine *e, uint32_t product);
/* Service thread. */
void eng_switch(struct engine *e, uint32_t product, uint32_t to);
void eng_switch_back(struct engine *e, uint32_t product);
void eng_trial_end(struct engine *e, uint32_t product);
/* Tells the monitor what became of switches; how soon to look again: ms, -1. */
int eng_beside_watch(struct engine *e);
/* Reply thread: s ends. Who answers in its place: a former one that is kept,
 * which is asked from now on; the one that is asked, if s is not; or null. */
struct session *eng_beside_back(struct engine *e, struct session *s);
/* A question that s has not answered goes to the one that is asked now. */
void eng_beside_ask(struct engine *e, struct question *q, struct session *to);
uint32_t eng_beside_view(const struct engine *e, uint32_t product);

/* ---- eng_last.c: what a product held when its session ended ---- */
void eng_last_collect(struct engine *e, struct session *s);    /* reply */
void eng_last_hung(struct engine *e, struct session *s,
		   const struct question *q);
void eng_last_forget(struct engine *e, struct session *s);
int eng_last_send(struct engine *e);            /* service; ms or -1 */
void eng_last_close(struct engine *e);          /* reply */

/* ---- eng_content.c: new content for a running product ---- */
void eng_content_offer(struct engine *e, const struct handoff_message *m,
		       const int *fds, size_t count);
int eng_content_done(struct engine *e, struct session *s,
		     const struct wire_content_done *done) must_use;
bool eng_content_fits(const struct handoff_expect *expect,
		      const struct session *s);
bool eng_content_late(const struct session *s);
void eng_content_forget(struct engine *e, struct session *s);

/* ---- eng_sketch.c: how many distinct ones, about ---- */
/* Returns the estimate. */
uint64_t eng_sketch_add(struct eng_sketch *sketch, uint64_t hash);

/* ---- eng_poison.c: of the process in that place ---- */
bool eng_poisoned(struct engine *e, const struct question *q,
		  const struct session *s);
void eng_poison_strike(struct engine *e, const struct question *q,
		       const struct session *s);
void eng_poison_clear(struct engine *e, const struct question *q,
		      const struct session *s);

/* ---- eng_verdict.c ---- */
void eng_verdict_settle(struct engine *e, struct question *q);
/* One more object that s denies. True: one too many; it observes from now on
 * and this denial is not applied. */
bool eng_verdict_brake(struct engine *e, struct session *s,
		       const struct object *denied, mono_t now);
void eng_verdict_apply(struct engine *e, struct question *q,
		       enum bailey_verdict verdict, enum view_by by);
enum bailey_verdict eng_fallback(struct engine *e, struct question *q,
				 struct session *s, uint32_t policy);

/* ---- eng_decision.c ---- */
void eng_decision_record(struct engine *e, struct question *q);
const char *eng_fault_text(enum session_fault fault);
uint32_t eng_fault_agent(enum session_fault fault);     /* agent_fault */

/* ---- eng_storm.c ---- */
/* The askers of one read of the kernel's queue. */
void eng_storm_look(struct engine *e, const int32_t *pids, uint32_t count);
/* Answers, now or with others of the same uid. */
void eng_storm_answer(struct engine *e, const struct question *q,
		      enum bailey_verdict verdict);
/* True: its answer is kept; it is closed behind that. */
bool eng_storm_close(struct engine *e, int fd);
/* When the next kept answer may be written; UINT64_MAX: there is none. */
mono_t eng_storm_due(const struct engine *e);
/* Writes one kept answer, if it is time: between two, others come in. True if
 * it did. */
bool eng_storm_turn(struct engine *e, mono_t now);

/* ---- eng_closer.c ---- */
void eng_close_later(struct engine *e, int fd);
/* Something is to be closed and a closer sleeps. */
bool eng_close_waits(const struct engine *e);
/* So many wait that the next ones may find no number: true after a pause. */
bool eng_close_brake(struct engine *e);
void eng_close_wake(struct engine *e);
void eng_close_turn(struct engine *e);          /* all that is queued now */
void *eng_closer_main(void *engine);

/* ---- eng_succeed.c ---- */
void eng_succeed(struct engine *e);

/* ---- eng_worker.c ---- */
/* Reply thread: once around its loop. Returns how much happened. */
int eng_worker_turn(struct engine *e);
_Noreturn void eng_worker_loop(struct engine *e);
_Noreturn void eng_worker_main(struct engine *e);

/* ---- service thread: eng_service.c, eng_session.c, eng_view.c ---- */
/* Once around the service thread's loop; -1: no time-out. */
void eng_service_turn(struct engine *e, int timeout_ms);
void *eng_service_main(void *engine);
void eng_service_kick(struct engine *e);        /* reply thread calls */
void eng_reply_kick(struct engine *e);          /* service thread calls */
void eng_grace(struct engine *e);               /* wait for a quiet point */
void eng_grace_if_serving(struct engine *e);
void eng_session_add(struct engine *e, const struct handoff_message *m,
		     const int *fds, size_t count);
void eng_session_gone(struct engine *e, uint32_t index, uint32_t instance);
void eng_session_stop(struct engine *e, uint32_t index);
void eng_session_request(struct engine *e, struct session *s);
void eng_session_succeed(struct engine *e);     /* a new worker, once */
bool eng_session_starting(const struct engine *e);
void eng_spin_advise(struct engine *e);
void eng_session_state(struct session *s, enum view_product_state state);
/* The service thread ends it; the reply thread has eng_session_fault(). */
void eng_session_fail(struct engine *e, struct session *s,
		      enum session_fault fault);
/* Does any product in enforce mode stand: the monitor's answer if both engine
 * halves die. */
void eng_enforcing_changed(struct engine *e);
void eng_session_reap(struct engine *e);
void eng_monitor_tell(const struct handoff_message *m);
/* Puts the program in this memfd in force (duplicates the descriptor). */
int eng_program_set(struct engine *e, struct program *p, int fd) must_use;
void eng_program_drop(struct engine *e, struct program *p);
int eng_programs_map(struct engine *e) must_use;
void eng_view_accept(struct engine *e);
struct pollfd;
size_t eng_view_poll(struct engine *e, struct pollfd *ret_pollfds);
void eng_view_reset(struct engine *e);
void eng_view_serve(struct engine *e);
void eng_mounts_read(struct engine *e);
bool eng_mount_is_host(const struct engine *e, uint64_t id);

#endif
