/* SPDX-License-Identifier: Apache-2.0 */
/* What tests of two processes of a product share: an engine, the former one in
 * place 0, a second one in PLACE, files. */
#ifndef TESTS_ENG_PAIR_H
#define TESTS_ENG_PAIR_H

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/pass.h"
#include "lib/replay_engine.h"

#define PLACE 15u               /* of the second process */
#define RULE "deny file.open path-prefix \"/tmp\" and size < 4\n"
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

static struct replay *r;
static struct replay_product old, new;
static struct manifest manifest;
static int file[8];

static const struct handoff_expect expect = { .managed = 1, .fields = 3,
					      .schema = "test/1" };

static int set_up(void **state)
{
	(void)state;
	r = replay_start(0);
	replay_manifest(&manifest, "pair");
	for (int i = 0; i < 8; i++) {
		char content[16];

		snprintf(content, sizeof(content), "object %d", i);
		file[i] = replay_file(r, content);
	}
	replay_process(r, REPLAY_PID, 1000, 7);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	replay_product_close(&old);
	if (new.session) {
		replay_product_close(&new);
	}
	replay_stop(r);
	memset(&old, 0, sizeof(old));
	memset(&new, 0, sizeof(new));
	return 0;
}

static inline int serve(struct replay_product *p, uint32_t place,
			uint32_t second, uint32_t instance,
			const struct handoff_expect *declared)
{
	replay_product_add_as(r, p, &(struct handoff_message){
		.type = HANDOFF_PRODUCT_ADD, .index = place, .second = second,
		.instance = instance, .expect = *declared,
		.manifest = manifest });
	p->schema = "test/1";
	p->fields = 3;
	return replay_hello(p);
}

static inline void ready(struct replay_product *p)
{
	assert_int_equal(replay_subscribe(p, BAILEY_WANT_FILE), 0);
	assert_int_equal(replay_request(p, WIRE_REQUEST_READY, 0, NULL, 0), 0);
}

static inline void both(void)
{
	assert_int_equal(serve(&old, 0, 0, 1, &expect), 0);
	ready(&old);
	assert_int_equal(serve(&new, PLACE, 1, 2, &expect), 0);
	ready(&new);
	replay_turn(r);
}

static inline void tell(uint32_t type, uint64_t number)
{
	replay_control(r, &(struct handoff_message){ .type = type,
						     .number = number },
		       NULL, 0);
	replay_turn(r);
	(void)eng_beside_watch(r->e);
}

/* The next message of this type; false: there is none. */
static inline bool told(uint32_t type, struct handoff_message *ret_message)
{
	while (replay_told(r, ret_message)) {
		if (ret_message->type == type) {
			return true;
		}
	}
	return false;
}

static inline void switch_over(void)
{
	struct handoff_message m;

	tell(HANDOFF_SWITCH, PLACE);
	assert_true(told(HANDOFF_SWITCHED, &m));
	assert_int_equal(m.number, PLACE);
	assert_int_equal(m.fault, AGENT_FAULT_NONE);
}

static inline uint32_t ask(int n)
{
	uint32_t q = replay_open(r, file[n], REPLAY_PID);

	replay_turn(r);
	return q;
}

static inline const struct wire_event *asked(struct replay_product *p)
{
	const struct wire_event *w = replay_take(p);

	assert_non_null(w);
	return w;
}

static inline void judge(struct replay_product *p, enum bailey_verdict verdict)
{
	replay_judge(p, asked(p), verdict);
	replay_turn(r);
}

#endif
