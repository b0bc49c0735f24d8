/* SPDX-License-Identifier: Apache-2.0 */
/*
 * brittle/content.h - the content of a product that content can break
 *
 * For the demo and the tests of safe content: an ordinary product with the
 * faults of one that made history. Its code names BRITTLE_FIELDS fields and
 * says so to the broker; it supplies values for BRITTLE_SUPPLIED of them, one
 * less. As long as no rule looks at the last one nobody notices.
 *
 * The file `rules' of the content directory, a line each; # begins a comment:
 *
 *   when N is TEXT [from M] allow|deny   field N (from 1) contains TEXT, or
 *                                        TEXT is *; from the M-th event on.
 *                                        The first rule that matches counts;
 *                                        none: allow
 *   every N                              look at each N-th event only: 0
 *                                        divides by it while loading
 *   pause MS                             before each answer
 */
#ifndef BRITTLE_CONTENT_H
#define BRITTLE_CONTENT_H

#include <stddef.h>

#include <bailey/client.h>

#define BRITTLE_FIELDS_TABLE(X)                                               \
	X(PATH) X(COMM) X(EXE_PATH) X(PID) X(PPID) X(UID) X(GID) X(SESSION)   \
	X(GENERATION) X(CGROUP) X(EXE_DEVICE) X(EXE_INODE) X(DEVICE)          \
	X(INODE) X(SIZE) X(FILE_MODE) X(OWNER) X(LINKS) X(CHANGED)            \
	X(PATH_FOREIGN) X(UNCERTAIN)

extern const enum bailey_field brittle_fields[];
extern const size_t brittle_fields_count;

#define BRITTLE_SUPPLIED 20u    /* ... and this is one too few */
#define BRITTLE_RULES 32u
#define BRITTLE_TEXT 64u

struct brittle_rule {
	unsigned field;         /* from 0 */
	unsigned from;          /* event */
	char text[BRITTLE_TEXT];        /* "*": any */
	enum bailey_verdict verdict;
};

struct brittle_content {
	struct brittle_rule rule[BRITTLE_RULES];
	unsigned rules;
	unsigned every;
	unsigned phase;         /* of the sample */
	unsigned pause_ms;
};

/* 0; -ENOENT and other errors of openat(2); -EBADMSG with the line that is
 * malformed. What it reads may kill it. */
int brittle_load(int directory, struct brittle_content *ret_content,
		 unsigned *ret_line) __attribute__((warn_unused_result));

/* The same of events. */
int brittle_supply_init(void) __attribute__((warn_unused_result));
enum bailey_verdict brittle_judge(const struct brittle_content *content,
				  const struct bailey_event *event,
				  unsigned number);

#endif
