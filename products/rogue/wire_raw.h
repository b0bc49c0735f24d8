/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rogue/wire_raw.h - the wire without the library: for a test product only
 *
 * Polls instead of sleeping on the pipe (a test product may), and does what it
 * is told, sense or not.
 */
#ifndef ROGUE_WIRE_RAW_H
#define ROGUE_WIRE_RAW_H

#include "proto/wire.h"

#define RAW_DESCRIPTORS (WIRE_FD_DIRECTORIES + 3)

struct raw {
	int fd[RAW_DESCRIPTORS];                /* enum wire_descriptor */
	const struct wire_events *events;
	struct wire_answers *answers;
	uint32_t question, news, answer;        /* indices */
};

/* Says hello, maps, subscribes to both questions with flags, is ready. Exits
 * with 64 or 76 if that does not work. */
void raw_serve(struct raw *ret_raw, uint32_t flags);
/* Without subscribing and ready. */
void raw_hello(struct raw *ret_raw);

/* The next question, waited for; news is given back. -1: the session ended. */
int raw_next(struct raw *raw, struct wire_answer *ret_answer);
/* Puts one answer into the ring and wakes the engine. */
void raw_put(struct raw *raw, const struct wire_answer *answer);
/* Allow and release what raw_next() returned. */
void raw_allow(struct raw *raw, const struct wire_answer *question);
void raw_release(struct raw *raw, const struct wire_answer *question);
/* Allows everything until the session ends: 69. */
int raw_loop(struct raw *raw);
/* As rogue_say(). */
void raw_say(const char *name, long result);

#endif
