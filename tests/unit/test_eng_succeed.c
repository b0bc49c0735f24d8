/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Does a worker's death, at whatever instruction, cost an answer?
 *
 * Each scenario is played once to count its instructions, then once for each
 * chosen point of death: the worker is killed there, a successor takes over,
 * and at the end each question has exactly one answer, the right one, nothing
 * is held and no descriptor is left. DEATHS in the environment: how many
 * points in each scenario (default 6).
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "lib/replay_death.h"

#define ALLOW BAILEY_VERDICT_ALLOW
#define DENY BAILEY_VERDICT_DENY
#define QUESTIONS 4u
#define EVIL 5                  /* bytes of an evil file */

static struct replay *r;
static struct replay_product p[2];

static const struct {
	const char *content;
	bool exec;
	enum bailey_verdict right;
} world[QUESTIONS] = {
	{ "evil!", false, DENY }, { "good", false, ALLOW },
	{ "evil!", true, DENY }, { "fine", true, ALLOW },
};

static void world_begin(void)
{
	struct manifest manifest;

	r = replay_start(0);
	replay_manifest(&manifest, "first");
	manifest.on_miss = MANIFEST_DENY;
	replay_product_serve(r, &p[0], 0, &manifest);
	snprintf(manifest.name, sizeof(manifest.name), "second");
	replay_product_serve(r, &p[1], 1, &manifest);
	for (int i = 0; i < (int)QUESTIONS; i++) {
		int file = replay_file(r, world[i].content);

		replay_process(r, REPLAY_PID + i, 1000, 77);
		if (world[i].exec) {
			replay_exec(r, file, REPLAY_PID + i);
		} else {
			replay_open(r, file, REPLAY_PID + i);
		}
	}
}

static void world_end(void)
{
	replay_product_close(&p[0]);
	replay_product_close(&p[1]);
	replay_stop(r);
}

static bool products_judge(void)
{
	const struct wire_event *w;
	bool any = false;

	for (size_t i = 0; i < 2; i++) {
		while (p[i].events && (w = replay_take(&p[i]))) {
			replay_judge(&p[i], w,
				     w->number[BAILEY_FIELD_SIZE] == EVIL
					     ? DENY : ALLOW);
			any = true;
		}
	}
	return any;
}

static void world_finish(void)
{
	do {
		replay_turn(r);
	} while (products_judge());
	replay_turn(r);
}

static int events_open(void)
{
	int count = 0;

	for (int fd = HANDOFF_FD_END; fd < (int)HANDOFF_FDS; fd++) {
		count += !r->e->ours[fd] && fcntl(fd, F_GETFD) >= 0;
	}
	return count;
}

/* What is wrong with the world, or null. */
static const char *world_fault(void)
{
	for (uint32_t i = 0; i < QUESTIONS; i++) {
		enum bailey_verdict verdict = replay_answer(r, i);

		if (verdict == BAILEY_VERDICT_NONE) {
			return "a question has no answer";
		}
		if (verdict != world[i].right) {
			return verdict == DENY ? "a good file is denied"
					       : "an evil file is allowed";
		}
	}
	for (size_t i = 0; i < 2; i++) {
		const struct session *s = &r->e->session[i];

		if (s->phase != SESSION_SERVING) {
			return "a product's session ended";
		}
		if (s->view.held || s->free_count != s->manifest.hold) {
			return "a slot is lost";
		}
	}
	return r->e->used_count  ? "a question is left"
	       : r->e->open_count ? "a question is still charged"
	       : events_open()	  ? "a descriptor is left"
				  : NULL;
}

/* ---- what the workers do ---- */

static void work_reply(struct replay *replay)
{
	replay_reply(replay);
}

static void work_close(struct replay *replay)
{
	eng_close_turn(replay->e);
}

static void work_succeed(struct replay *replay)
{
	eng_succeed(replay->e);
	replay_reply(replay);
}

/* ---- how far things are when that worker begins ---- */

static void until_asked(void)
{
}

static void until_dispatched(void)
{
	replay_reply(r);
}

static void until_judged(void)
{
	replay_reply(r);
	products_judge();
}

static void until_answered(void)
{
	until_judged();
	replay_reply(r);
}

static const struct scenario {
	const char *name;
	void (*until)(void);
	replay_work *work;
} scenarios[] = {
	{ "reading and dispatching", until_asked, work_reply },
	{ "taking answers", until_judged, work_reply },
	{ "closing", until_answered, work_close },
	{ "taking over the undispatched", until_asked, work_succeed },
	{ "taking over the dispatched", until_dispatched, work_succeed },
	{ "taking over the judged", until_judged, work_succeed },
	{ "taking over the answered", until_answered, work_succeed },
};

static int play(const struct scenario *s, struct replay_point after,
		struct replay_point *ret_ran, const char **ret_fault)
{
	int died;

	world_begin();
	s->until();
	died = replay_die(r, s->work, after, ret_ran);
	if (died >= 0) {
		replay_succeed(r);
		world_finish();
		*ret_fault = world_fault();
	}
	world_end();
	return died;
}

static unsigned long deaths(void)
{
	const char *text = getenv("DEATHS");

	return text ? strtoul(text, NULL, 10) : 6;
}

static void deaths_in(const struct scenario *s)
{
	const struct replay_point never = { (unsigned long)-1, 0 };
	struct replay_point all, ran, at;
	unsigned long bad = 0, points = deaths();
	const char *fault = NULL;
	int died = play(s, never, &all, &fault);

	if (died == -EPERM) {
		skip();         /* ptrace is not permitted here */
	}
	assert_int_equal(died, 0);
	assert_null(fault);
	for (unsigned long i = 0; i < points; i++) {
		at.stops = 1 + all.stops * i / points;
		at.steps = i % 4 ? i * 7919 % 500 : 0;
		assert_true(play(s, at, &ran, &fault) >= 0);
		if (fault) {
			print_error("%s: death at %lu+%lu of %lu: %s\n",
				    s->name, at.stops, at.steps, all.stops,
				    fault);
			bad++;
		}
	}
	assert_int_equal(bad, 0);
}

#define DEATHS_IN(n)                                                          \
	static void is_no_answer_lost_##n(void **state)                       \
	{                                                                     \
		deaths_in(&scenarios[n]);                                     \
	}
DEATHS_IN(0)
DEATHS_IN(1)
DEATHS_IN(2)
DEATHS_IN(3)
DEATHS_IN(4)
DEATHS_IN(5)
DEATHS_IN(6)

static void does_a_second_succession_change_anything(void **state)
{
	world_begin();
	replay_reply(r);
	replay_succeed(r);
	replay_succeed(r);
	world_finish();
	assert_null(world_fault());
	world_end();
}

/* ---- the service thread ---- */

static void work_service(struct replay *replay)
{
	for (int i = 0; i < 3; i++) {
		eng_service_turn(replay->e, 0);
	}
}

/* A request and a message of the monitor are under way. Returns whether the
 * session lived on. */
static bool service_play(struct replay_point at, struct replay_point *ret_ran)
{
	struct bailey_mute mute = { .size = sizeof(mute),
				    .by = BAILEY_MUTE_UID, .number = 7 };
	struct wire_request head = { WIRE_REQUEST_MUTE, 1 };
	const struct handoff_message mode = { .type = HANDOFF_PRODUCT_MODE,
					      .index = 1,
					      .number = BAILEY_MODE_OBSERVE };
	struct iovec iov[] = { { &head, sizeof(head) },
			       { &mute, sizeof(mute) } };
	const struct msghdr request = { .msg_iov = iov, .msg_iovlen = 2 };
	struct wire_reply reply;
	const struct session *s;
	bool lives;

	world_begin();
	replay_reply(r);
	products_judge();
	replay_turn(r);
	s = &r->e->session[0];
	assert_true(sendmsg(p[0].session, &request, 0) > 0);
	assert_true(send(r->monitor, &mode, sizeof(mode), 0) > 0);
	assert_true(replay_die(r, work_service, at, ret_ran) >= 0);
	replay_succeed(r);
	replay_turn(r);
	lives = s->phase == SESSION_SERVING;
	if (lives) {            /* then there is one reply, and it is true */
		assert_true(recv(p[0].session, &reply, sizeof(reply),
				 MSG_DONTWAIT) > 0);
		assert_int_equal(reply.error, 0);
		assert_int_equal(s->mute_count[s->mute_now], 1);
		assert_true(recv(p[0].session, &reply, sizeof(reply),
				 MSG_DONTWAIT) < 0);
	}
	assert_int_equal(r->e->session[1].mode, BAILEY_MODE_OBSERVE);
	assert_int_equal(events_open(), 0);
	world_end();
	return lives;
}

static void is_a_request_answered_by_the_successor(void **state)
{
	const struct replay_point never = { (unsigned long)-1, 0 };
	struct replay_point all, ran;
	unsigned long ended = 0;

	assert_true(service_play(never, &all));
	for (unsigned long i = 1; i <= all.stops; i++) {
		ended += !service_play((struct replay_point){ i, 0 }, &ran);
	}
	assert_in_range(ended, 1, 4);   /* around the reply only */
}

/* A number that held the monitor's file is an event's again. */
static void is_a_reused_descriptor_inherited(void **state)
{
	uint32_t q;

	world_begin();
	world_finish();
	replay_rules(r, "allow file.open uid 7\n");
	q = replay_open(r, replay_file(r, "evil!"), REPLAY_PID);
	replay_reply(r);
	replay_succeed(r);
	world_finish();
	assert_int_equal(replay_answer(r, q), DENY);
	world_end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(is_no_answer_lost_0),
		cmocka_unit_test(is_no_answer_lost_1),
		cmocka_unit_test(is_no_answer_lost_2),
		cmocka_unit_test(is_no_answer_lost_3),
		cmocka_unit_test(is_no_answer_lost_4),
		cmocka_unit_test(is_no_answer_lost_5),
		cmocka_unit_test(is_no_answer_lost_6),
		cmocka_unit_test(does_a_second_succession_change_anything),
		cmocka_unit_test(is_a_request_answered_by_the_successor),
		cmocka_unit_test(is_a_reused_descriptor_inherited),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
