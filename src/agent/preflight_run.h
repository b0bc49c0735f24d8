/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent/preflight_run.h - one run, for the files preflight_*.c only
 *
 *   preflight_run.c      phases, deadlines, what comes of it
 *   preflight_wire.c     regions, pipes, events out, answers in
 *   preflight_request.c  what the product asks for over its session
 *   preflight_rules.c    its rules and collections
 *   preflight_case.c     a case or a recorded event becomes a question
 */
#ifndef AGENT_PREFLIGHT_RUN_H
#define AGENT_PREFLIGHT_RUN_H

#include <bailey/client.h>

#include "agent/preflight.h"
#include "proto/record.h"
#include "proto/wire.h"
#include "rule/rule.h"

#define PREFLIGHT_SETS 32u
#define PREFLIGHT_MEMBERS (1u << 20)    /* of all sets together */
#define PREFLIGHT_GONE_NS MONO_S        /* from a closed session to its end */

/*
 *  START --HELLO--> LOADING --READY--> ASKING --last answer--> OVER
 *    |                 |                  |
 *    +------- a fault, the end of the process, or of the time ----> OVER
 *
 * GONE: the session is closed; its process's end is waited for a moment, for
 * the reason.
 */
enum preflight_phase {
	PREFLIGHT_START, PREFLIGHT_LOADING, PREFLIGHT_ASKING, PREFLIGHT_GONE,
	PREFLIGHT_OVER
};

struct preflight_set {
	char name[64];
	size_t size;            /* of a member */
	size_t count, room;
	unsigned char *members; /* sorted once committed */
};

struct preflight_rules {
	char *text;             /* being sent; null: none */
	size_t length;
	struct rule_program *program;
	struct preflight_set set[PREFLIGHT_SETS];
	struct preflight_set change;
	uint32_t changing;      /* 1 + set; 0: none */
};

/* The question that is open, or was. */
struct preflight_question {
	bool open;
	bool late;              /* its deadline is over */
	bool again;             /* it is asked for the second time */
	uint64_t id;
	uint32_t slot;
	uint32_t expect;        /* enum bailey_verdict; NONE: any */
	uint32_t deadline_ms;
	mono_t asked, due, silence;
	char name[PREFLIGHT_NAME];
	struct wire_event *event;       /* WIRE_SLOT_SIZE, as it is put */
	int file;               /* that goes with it; -1: none */
};

struct preflight_run {
	struct preflight_plan plan;
	enum preflight_phase phase;
	int statm;              /* /proc/PID/statm; -1 none */
	mono_t started, ends, gone, looked;
	struct preflight_outcome outcome;

	/* the wire */
	int session, files, wake_product, wake_engine;
	int events_fd, events_ro_fd, answers_fd;
	struct wire_events *events;
	struct wire_answers *answers;
	uint32_t question_head, news_head, answers_taken;
	uint64_t slot_id[WIRE_SLOTS];   /* 0: free */
	uint32_t held;
	uint64_t next_id, sequence;

	/* what it wants */
	struct {
		uint32_t kind, deadline_ms;
		bool question, file;
	} subscribed[WIRE_SUBSCRIPTIONS];
	size_t subscriptions;
	struct bailey_mute mute[WIRE_MUTES];
	size_t mutes;
	struct preflight_rules rules;

	/* where it is */
	struct preflight_question question;
	uint32_t next_case, next_repeat, questions;
	struct record_reader record;
	bool recording;                 /* events are left in the record */
	char wrong[PREFLIGHT_TEXT], wrong_file[PREFLIGHT_NAME]; /* the first */
	uint64_t *took;                 /* ns of each answered question */
	size_t tooks, took_room;
};

/* ---- preflight_run.c ---- */

/* The first reason stays. file may be null. */
__attribute__((format(printf, 4, 5)))
void run_over(struct preflight_run *run, enum preflight_verdict verdict,
	      const char *file, const char *format, ...);
/* The product decided the open question. */
void run_verdict(struct preflight_run *run, uint32_t verdict);
/* run->question is decided, by whomsoever: is it as expected? */
void run_compare(struct preflight_run *run, uint32_t verdict);

/* ---- preflight_wire.c ---- */

int wire_open(struct preflight_run *run) must_use;
void wire_close(struct preflight_run *run);
/* Answers HELLO, with descriptors. */
int wire_hello(struct preflight_run *run) must_use;
/* A free slot, emptied, with a new id; null: it holds all that it may. */
struct wire_event *wire_slot(struct preflight_run *run, uint32_t *ret_slot);
int wire_file(struct preflight_run *run, uint64_t id, uint32_t slot, int fd)
	must_use;
void wire_publish(struct preflight_run *run, uint32_t slot, bool question);
void wire_drain(struct preflight_run *run);

void wire_number(struct wire_event *event, unsigned field, int64_t value);
void wire_string(struct wire_event *event, unsigned field, const char *text);

/* ---- preflight_request.c ---- */

void run_requests(struct preflight_run *run);
/* Index in run->subscribed, or -1. */
int run_subscribed(const struct preflight_run *run, uint32_t kind);

/* ---- preflight_rules.c ---- results as in wire_reply.error */

int rules_text_begin(struct preflight_rules *rules);
int rules_text_add(struct preflight_rules *rules, const void *bytes,
		   size_t size);
int rules_text_commit(struct preflight_rules *rules,
		      const struct manifest *manifest,
		      struct rule_error *ret_error);
int rules_set_begin(struct preflight_rules *rules, const struct wire_set *set);
int rules_set_add(struct preflight_rules *rules, const void *members,
		  size_t bytes);
int rules_set_remove(struct preflight_rules *rules, const void *members,
		     size_t bytes);
int rules_set_commit(struct preflight_rules *rules);
/* What the product's own rules say of the event; NONE: it is asked. */
uint32_t rules_verdict(const struct preflight_rules *rules,
		       const struct wire_event *event);
void rules_fini(struct preflight_rules *rules);

/* ---- preflight_case.c ---- */

/* Puts the next question, or decides it without asking. False: there is none
 * left. */
bool case_next(struct preflight_run *run);
/* Puts run->question once more. */
void case_again(struct preflight_run *run);

#endif
