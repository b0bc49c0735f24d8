/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lib/replay_engine.h - the engine in a test: no root, no kernel, no monitor
 *
 * replay_start() puts stand-ins on the descriptors HANDOFF_FD_* and has
 * eng_map() make the engine. The test is the kernel (lib/replay_group.h), the
 * monitor (replay_product_add, replay_control) and the products: they speak
 * proto/wire.h on their session and in their regions, as libbailey would.
 *
 * Single-threaded: replay_turn() goes around the loops of the reply thread,
 * the service thread and a closer until nothing happens any more. Time stands
 * still; see lib/replay_group.h.
 */
#ifndef LIB_REPLAY_ENGINE_H
#define LIB_REPLAY_ENGINE_H

#include "broker/eng.h"
#include "lib/replay_group.h"

#define REPLAY_PID 5000000      /* no process has it, nor those behind it */

struct replay {
	struct engine *e;
	struct handoff_table *table;
	struct replay_group *group;
	int monitor;                    /* its end of HANDOFF_FD_CONTROL */
	uint8_t inherited[HANDOFF_FDS]; /* the test runner's descriptors */
	void *ring;                     /* of process records; for HAS_BPF */
};

/* features: HANDOFF_HAS_*; with BPF, a ring that replay_record() feeds. */
struct replay *replay_start(uint32_t features);
void replay_stop(struct replay *r);
void replay_turn(struct replay *r);
void replay_reply(struct replay *r);    /* the reply thread only */
/* A successor, in this process: what eng_worker_main() does first. */
void replay_succeed(struct replay *r);
/* Tells the engine that this descriptor is no event's. */
int replay_own(struct replay *r, int fd);

/* The monitor's message; fds stay the caller's. */
void replay_control(struct replay *r, const struct handoff_message *m,
		    const int *fds, size_t count);
/* The next message to the monitor; false if there is none. */
bool replay_told(struct replay *r, struct handoff_message *ret_message);
/* The administrator's rules. */
void replay_rules(struct replay *r, const char *text);
void replay_keep(struct replay *r, int file);

/* ---- processes and files ---- */
/* A process is there: pid, uid; its program is that inode. */
void replay_process(struct replay *r, int32_t pid, uint32_t uid,
		    uint64_t exe_inode);
/* One record of the tracepoints enters the ring. */
void replay_record(struct replay *r, const struct process_record *record);
/* An unlinked temporary file with this content; replay_stop() closes it. */
int replay_file(struct replay *r, const char *content);

/* ---- questions: by their number in group->question[] ---- */
uint32_t replay_open(struct replay *r, int file, int32_t pid);
uint32_t replay_exec(struct replay *r, int file, int32_t pid);
/* NONE: not answered. */
enum bailey_verdict replay_answer(const struct replay *r, uint32_t question);
/* The latest decision that was recorded; null if there is none. */
const struct view_decision *replay_denial(const struct replay *r);

/* ---- products ---- */
struct replay_product {
	struct replay *r;
	uint32_t index;
	struct manifest manifest;
	const char *schema;             /* that it states; null: "" */
	uint32_t fields;
	int session;
	int fd[WIRE_FD_DIRECTORIES];
	const struct wire_events *events;
	struct wire_answers *answers;
	uint32_t question_tail, news_tail, answer_head;
};

/* A manifest that may ask open and exec with 100 ms, enforces, holds 32. */
void replay_manifest(struct manifest *ret_manifest, const char *name);
/* Added and connected, then as far as said. */
void replay_product_add(struct replay *r, struct replay_product *p,
			uint32_t index, const struct manifest *manifest);
/* The message as it is: for the second process of a product. */
void replay_product_add_as(struct replay *r, struct replay_product *p,
			   const struct handoff_message *message);
int replay_hello(struct replay_product *p);
void replay_product_serve(struct replay *r, struct replay_product *p,
			  uint32_t index, const struct manifest *manifest);
/* Takes its sockets and mappings away; the engine sees a closed session. */
void replay_product_close(struct replay_product *p);
/* One control request and its reply: the reply's error, or -1 if there is
 * none. */
int replay_request(struct replay_product *p, uint32_t type, uint32_t count,
		   const void *payload, size_t size);
int replay_subscribe(struct replay_product *p, uint32_t flags);
int replay_product_rules(struct replay_product *p, const char *text);
/* The next question, or event, in its slot; null if there is none. */
const struct wire_event *replay_take(struct replay_product *p);
const struct wire_event *replay_news(struct replay_product *p);
uint32_t replay_slot(const struct replay_product *p,
		     const struct wire_event *event);
void replay_say(struct replay_product *p, const struct wire_answer *answer);
void replay_verdict(struct replay_product *p, const struct wire_event *event,
		    enum bailey_verdict verdict, enum bailey_scope scope);
void replay_release(struct replay_product *p, const struct wire_event *event);
/* Verdict, once, and release. */
void replay_judge(struct replay_product *p, const struct wire_event *event,
		  enum bailey_verdict verdict);

#endif
