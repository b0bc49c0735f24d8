/* SPDX-License-Identifier: Apache-2.0 */
/* What tests of the engine's judgement share: an engine, up to two products of
 * one manifest, users' files. */
#ifndef TESTS_ENG_CASE_H
#define TESTS_ENG_CASE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "lib/replay_engine.h"

#define ALLOW BAILEY_VERDICT_ALLOW
#define DENY BAILEY_VERDICT_DENY
#define NONE BAILEY_VERDICT_NONE
#define ONCE BAILEY_SCOPE_ONCE
#define OBJECT BAILEY_SCOPE_OBJECT
#define PID REPLAY_PID          /* and PID + 1: processes of uid 1000 */

static struct replay *r;
static struct replay_product p[2];
static struct manifest manifest;

/* With a prestate: the process ring is there. */
static int setup(void **state)
{
	r = replay_start(*state ? HANDOFF_HAS_BPF : 0);
	replay_process(r, PID, 1000, 77);
	replay_process(r, PID + 1, 1000, 78);
	replay_manifest(&manifest, "first");
	memset(p, 0, sizeof(p));
	return 0;
}

static int teardown(void **state)
{
	for (size_t i = 0; i < 2; i++) {
		if (p[i].events) {
			replay_product_close(&p[i]);
		}
	}
	replay_stop(r);
	return 0;
}

static inline void serve(void)
{
	replay_product_serve(r, &p[0], 0, &manifest);
}

static inline void serve_two(void)
{
	struct manifest second = manifest;

	serve();
	snprintf(second.name, sizeof(second.name), "second");
	replay_product_serve(r, &p[1], 1, &second);
}

/* A file that its owner could write: its verdicts stay in the engine. */
static inline int user_file(const char *content)
{
	int fd = replay_file(r, content);

	assert_int_equal(fchmod(fd, 0666), 0);
	return fd;
}

static inline uint32_t open_by(int file, int32_t pid)
{
	uint32_t q = replay_open(r, file, pid);

	replay_turn(r);
	return q;
}

static inline uint32_t open_file(int file)
{
	return open_by(file, PID);
}

/* The product says so to the next question. */
static inline void answers(struct replay_product *product,
			   enum bailey_verdict verdict,
			   enum bailey_scope scope)
{
	const struct wire_event *w = replay_take(product);

	assert_non_null(w);
	replay_verdict(product, w, verdict, scope);
	replay_release(product, w);
	replay_turn(r);
}

static inline void is_answered(uint32_t question, enum bailey_verdict verdict)
{
	assert_int_equal(replay_answer(r, question), verdict);
}

#endif
