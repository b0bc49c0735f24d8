/* SPDX-License-Identifier: Apache-2.0 */
/* What becomes of a question, by what products say and when they say it? */
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
#define PID REPLAY_PID

static struct replay *r;
static struct replay_product p[2];
static struct manifest manifest;

static int setup(void **state)
{
	r = replay_start(0);
	replay_process(r, PID, 1000, 77);
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

static void serve(void)
{
	replay_product_serve(r, &p[0], 0, &manifest);
}

static void serve_two(void)
{
	struct manifest second = manifest;

	serve();
	snprintf(second.name, sizeof(second.name), "second");
	replay_product_serve(r, &p[1], 1, &second);
}

static uint32_t ask_as(const char *content, int32_t pid)
{
	uint32_t q = replay_open(r, replay_file(r, content), pid);

	replay_turn(r);
	return q;
}

static uint32_t ask(const char *content)
{
	return ask_as(content, PID);
}

static const struct wire_event *taken(struct replay_product *product)
{
	const struct wire_event *w = replay_take(product);

	assert_non_null(w);
	return w;
}

static void assert_answer(uint32_t question, enum bailey_verdict verdict)
{
	assert_int_equal(replay_answer(r, question), verdict);
}

static void assert_idle(void)
{
	replay_turn(r);
	assert_int_equal(r->e->open_count, 0);
	assert_int_equal(r->e->used_count, 0);
	assert_int_equal(r->group->strangers, 0);
}

static void say(uint32_t type, const struct wire_event *w)
{
	replay_say(&p[0], &(struct wire_answer){
		.type = type, .slot = replay_slot(&p[0], w), .id = w->id });
}

static void assert_fault(enum session_fault fault)
{
	struct handoff_message m;
	bool told = false;

	replay_turn(r);
	while (replay_told(r, &m)) {
		if (m.type == HANDOFF_PRODUCT_FAULT) {
			assert_int_equal(m.index, 0);
			assert_string_equal(m.text, eng_fault_text(fault));
			told = true;
		}
	}
	assert_true(told);
	assert_int_equal(r->e->session[0].phase, SESSION_EMPTY);
}

/* ---- verdicts ---- */

static void nobody_asks_so_it_is_allowed(void **state)
{
	assert_answer(ask("x"), ALLOW);
	assert_idle();
}

static void does_an_answer_reach_the_kernel(void **state)
{
	uint32_t q;
	const struct wire_event *w;

	serve();
	q = ask("good");
	assert_answer(q, NONE);
	w = taken(&p[0]);
	assert_int_equal(w->kind, BAILEY_EVENT_FILE_OPEN);
	assert_int_equal(w->number[BAILEY_FIELD_PID], PID);
	assert_int_equal(w->number[BAILEY_FIELD_UID], 1000);
	replay_judge(&p[0], w, ALLOW);
	replay_turn(r);
	assert_answer(q, ALLOW);
	q = ask("evil");
	replay_judge(&p[0], taken(&p[0]), DENY);
	replay_turn(r);
	assert_answer(q, DENY);
	assert_int_equal(replay_denial(r)->deciders, 1);
	assert_int_equal(replay_denial(r)->by, VIEW_BY_PRODUCT);
	assert_string_equal(replay_denial(r)->product, "first");
	assert_idle();
}

static void does_any_deny_win(void **state)
{
	const struct wire_event *w[2];
	uint32_t q;

	serve_two();
	q = ask("evil");
	w[0] = taken(&p[0]);
	w[1] = taken(&p[1]);
	replay_judge(&p[0], w[0], ALLOW);
	replay_turn(r);
	assert_answer(q, NONE);         /* the second has not said yet */
	replay_judge(&p[1], w[1], DENY);
	replay_turn(r);
	assert_answer(q, DENY);
	assert_int_equal(replay_denial(r)->deciders, 2);
	assert_string_equal(replay_denial(r)->product, "second");
	assert_idle();
}

static void does_a_deny_wait_for_nobody(void **state)
{
	uint32_t q;

	serve_two();
	q = ask("evil");
	replay_judge(&p[0], taken(&p[0]), DENY);
	replay_turn(r);
	assert_answer(q, DENY);
	replay_judge(&p[1], taken(&p[1]), ALLOW);
	assert_idle();
	assert_int_equal(r->e->session[1].view.late, 0);
}

/* ---- deadlines ---- */

static void does_a_missed_deadline_get_the_fallback(void **state)
{
	uint32_t q;

	manifest.on_miss = MANIFEST_DENY;
	serve();
	q = ask("slow");
	replay_advance(r->group, 99);
	replay_turn(r);
	assert_answer(q, NONE);
	replay_advance(r->group, 2);
	replay_turn(r);
	assert_answer(q, DENY);
	assert_int_equal(replay_denial(r)->by, VIEW_BY_MISS);
	assert_int_equal(replay_denial(r)->missed, 1);
	assert_int_equal(r->e->view.missed, 1);
	assert_idle();
}

/* Its author asks afterwards what it stumbled over: nobody watched then. */
static void is_a_miss_recorded_though_nobody_watches(void **state)
{
	const struct view_decision *d = &r->e->events.entry[0];
	const struct session *s = &r->e->session[0];
	uint32_t q;

	serve();
	q = ask("good");
	replay_judge(&p[0], taken(&p[0]), ALLOW);
	replay_turn(r);
	assert_answer(q, ALLOW);
	assert_int_equal(r->e->events.head, 0);
	q = ask("slow");
	replay_advance(r->group, 101);
	replay_turn(r);
	assert_answer(q, ALLOW);
	assert_int_equal(r->e->denials.head, 0);
	assert_int_equal(r->e->events.head, 1);
	assert_int_equal(d->missed, 1);
	assert_int_equal(d->by, VIEW_BY_MISS);
	assert_string_equal(d->product, s->manifest.name);
	assert_int_not_equal(d->path[0], 0);
}

/* In observe mode nobody waited: what is missing is the opinion. */
static void is_a_missing_opinion_recorded_in_observe_mode(void **state)
{
	const struct view_decision *d = &r->e->events.entry[0];
	uint32_t q;

	manifest.mode = BAILEY_MODE_OBSERVE;
	serve();
	q = ask("slow");
	assert_answer(q, ALLOW);
	assert_int_equal(r->e->events.head, 0);
	replay_product_close(&p[0]);
	replay_turn(r);
	replay_turn(r);
	assert_int_equal(r->e->events.head, 1);
	assert_int_equal(d->missed, 1);
	assert_int_equal(d->by, VIEW_BY_OBSERVE);
	assert_string_equal(d->product, r->e->session[0].manifest.name);
	assert_int_equal(r->e->session[0].owed, d->id);
}

static void is_a_fallback_never_cached(void **state)
{
	int file;
	uint32_t q;

	serve();
	file = replay_file(r, "slow");
	q = replay_open(r, file, PID);
	replay_turn(r);
	replay_judge(&p[0], taken(&p[0]), ALLOW);       /* it works */
	replay_turn(r);
	q = replay_open(r, file, PID);
	replay_turn(r);
	replay_advance(r->group, 101);
	replay_turn(r);
	assert_answer(q, ALLOW);
	replay_verdict(&p[0], taken(&p[0]), ALLOW, BAILEY_SCOPE_OBJECT);
	replay_turn(r);
	assert_int_equal(r->e->session[0].view.late, 1);
	replay_open(r, file, PID);
	replay_turn(r);
	assert_non_null(replay_take(&p[0]));
	assert_int_equal(r->e->view.cached, 0);
}

static void is_a_second_answer_only_counted(void **state)
{
	const struct wire_event *w;
	uint32_t q;

	serve();
	q = ask("good");
	w = taken(&p[0]);
	replay_verdict(&p[0], w, ALLOW, 0);
	replay_verdict(&p[0], w, DENY, 0);
	replay_turn(r);
	assert_answer(q, ALLOW);
	assert_int_equal(r->e->session[0].view.late, 1);
	assert_int_equal(r->e->session[0].phase, SESSION_SERVING);
	replay_release(&p[0], w);
	assert_idle();
}

static void does_extend_move_the_deadline_up_to_the_maximum(void **state)
{
	struct wire_answer a = { .type = WIRE_ANSWER_EXTEND, .ms = 300 };
	const struct wire_event *w;
	uint32_t q;

	serve();
	q = ask("large");
	w = taken(&p[0]);
	a.slot = replay_slot(&p[0], w);
	a.id = w->id;
	replay_say(&p[0], &a);
	replay_turn(r);
	replay_advance(r->group, 390);
	replay_turn(r);
	assert_answer(q, NONE);
	a.ms = UINT32_MAX;
	replay_say(&p[0], &a);
	replay_turn(r);
	replay_advance(r->group, 600);
	replay_turn(r);
	assert_answer(q, NONE);
	replay_advance(r->group, 11);
	replay_turn(r);
	assert_answer(q, ALLOW);
	assert_idle();
}

static void does_defer_answer_at_once_without_a_miss(void **state)
{
	uint32_t q;

	manifest.on_miss = MANIFEST_DENY;
	serve();
	q = ask("later");
	say(WIRE_ANSWER_DEFER, taken(&p[0]));
	replay_turn(r);
	assert_answer(q, DENY);
	assert_int_equal(r->e->session[0].view.missed, 0);
	assert_int_equal(r->e->session[0].view.deferred, 1);
	assert_int_equal(r->e->session[0].view.held, 1);
	assert_idle();
}

static void is_a_release_without_a_verdict_a_miss_now(void **state)
{
	uint32_t q;

	manifest.on_miss = MANIFEST_DENY;
	serve();
	q = ask("dropped");
	replay_release(&p[0], taken(&p[0]));
	replay_turn(r);
	assert_answer(q, DENY);
	assert_int_equal(r->e->session[0].view.missed, 1);
	assert_int_equal(r->e->session[0].phase, SESSION_SERVING);
	assert_idle();
}

static void does_a_report_reach_the_record(void **state)
{
	struct wire_answer a = { .type = WIRE_ANSWER_REPORT, .has_finding = 1,
				 .finding = { .rule = "R\n1" } };
	const struct wire_event *w;

	serve();
	ask("evil");
	w = taken(&p[0]);
	a.slot = replay_slot(&p[0], w);
	a.id = w->id;
	replay_say(&p[0], &a);
	replay_judge(&p[0], w, DENY);
	replay_turn(r);
	assert_string_equal(replay_denial(r)->finding.rule, "R?1");
	assert_idle();
}

static void does_a_revised_deny_hold_while_the_object_stays(void **state)
{
	struct wire_answer a = { .type = WIRE_ANSWER_REVISE, .verdict = DENY };
	const struct wire_event *w;
	int file;
	uint32_t q;

	serve();
	file = replay_file(r, "later");
	q = replay_open(r, file, PID);
	replay_turn(r);
	w = taken(&p[0]);
	say(WIRE_ANSWER_DEFER, w);
	a.object = (struct bailey_object){
		.device = (uint64_t)w->number[BAILEY_FIELD_DEVICE],
		.inode = (uint64_t)w->number[BAILEY_FIELD_INODE],
		.generation = (uint64_t)
			w->number[BAILEY_FIELD_OBJECT_GENERATION] };
	replay_say(&p[0], &a);
	replay_turn(r);
	assert_answer(q, ALLOW);
	q = replay_open(r, file, PID);
	replay_turn(r);
	assert_answer(q, DENY);
	assert_int_equal(r->e->session[0].view.late, 0);
	a.object.inode++;               /* it was never asked about that */
	replay_say(&p[0], &a);
	replay_turn(r);
	assert_int_equal(r->e->session[0].view.late, 1);
}

/* ---- answers that do not fit ---- */

static void fault_of(struct wire_answer a, enum session_fault fault)
{
	const struct wire_event *w;
	uint32_t q;

	serve();
	q = ask("open");
	w = taken(&p[0]);
	if (a.id) {
		a.id = w->id;
	}
	if (!a.slot) {
		a.slot = replay_slot(&p[0], w);
	}
	replay_say(&p[0], &a);
	assert_fault(fault);
	assert_answer(q, ALLOW);        /* its fallback, at once */
	assert_idle();
}

static void does_an_unknown_type_end_the_session(void **state)
{
	fault_of((struct wire_answer){ .type = 77 }, SESSION_FAULT_ANSWER_TYPE);
}

static void does_a_slot_out_of_range_end_the_session(void **state)
{
	fault_of((struct wire_answer){ .type = WIRE_ANSWER_VERDICT,
				       .slot = WIRE_SLOTS },
		 SESSION_FAULT_ANSWER_SLOT);
}

static void does_id_0_end_the_session(void **state)
{
	fault_of((struct wire_answer){ .type = WIRE_ANSWER_VERDICT,
				       .slot = 200, .verdict = ALLOW },
		 SESSION_FAULT_ANSWER_ID);
}

static void does_a_slot_not_held_end_the_session(void **state)
{
	fault_of((struct wire_answer){ .type = WIRE_ANSWER_RELEASE, .id = 1,
				       .slot = 1 },
		 SESSION_FAULT_ANSWER_ID);
}

static void does_an_impossible_verdict_end_the_session(void **state)
{
	fault_of((struct wire_answer){ .type = WIRE_ANSWER_VERDICT, .id = 1,
				       .verdict = 3 },
		 SESSION_FAULT_ANSWER_VERDICT);
}

static void does_an_impossible_scope_end_the_session(void **state)
{
	fault_of((struct wire_answer){ .type = WIRE_ANSWER_VERDICT, .id = 1,
				       .verdict = ALLOW, .scope = 3 },
		 SESSION_FAULT_ANSWER_VERDICT);
}

static void does_an_impossible_head_end_the_session(void **state)
{
	serve();
	ask("open");
	atomic_store(&p[0].answers->head, WIRE_ANSWERS + 1);
	assert_fault(SESSION_FAULT_ANSWER_HEAD);
	assert_idle();
}

static void is_a_second_release_the_end(void **state)
{
	const struct wire_event *w;

	serve();
	ask("open");
	w = taken(&p[0]);
	replay_judge(&p[0], w, ALLOW);
	replay_release(&p[0], w);
	assert_fault(SESSION_FAULT_ANSWER_ID);
	assert_idle();
}

/* ---- suspect, probe, hung ---- */

static void miss_one(uint32_t *ret_question)
{
	*ret_question = ask("slow");
	replay_advance(r->group, 101);
	replay_turn(r);
}

static void is_a_suspect_asked_one_question_at_a_time(void **state)
{
	const struct wire_event *w;
	uint32_t q;

	serve();
	miss_one(&q);
	assert_answer(q, ALLOW);
	assert_int_equal(r->e->session[0].view.state, VIEW_STATE_SUSPECT);
	w = taken(&p[0]);
	q = ask_as("probe", PID + 1);
	assert_answer(q, NONE);
	assert_non_null(replay_take(&p[0]));
	q = ask_as("no probe", PID + 2);
	assert_answer(q, ALLOW);
	assert_null(replay_take(&p[0]));
	replay_judge(&p[0], w, ALLOW);  /* any answer: it lives */
	replay_turn(r);
	assert_int_equal(r->e->session[0].view.state, VIEW_STATE_SERVING);
	q = ask_as("as before", PID + 3);
	assert_answer(q, NONE);
	assert_non_null(replay_take(&p[0]));
}

static void is_a_product_ended_after_two_deadlines(void **state)
{
	uint32_t q;

	serve();
	miss_one(&q);
	assert_int_equal(r->e->session[0].phase, SESSION_SERVING);
	miss_one(&q);
	assert_answer(q, ALLOW);
	assert_fault(SESSION_FAULT_HUNG);
	assert_idle();
}

static void does_a_task_wait_for_one_deadline_only(void **state)
{
	uint32_t q;

	serve();
	miss_one(&q);
	replay_judge(&p[0], taken(&p[0]), ALLOW);
	replay_turn(r);
	q = ask("again");
	assert_answer(q, ALLOW);        /* at once, though it is asked */
	replay_judge(&p[0], taken(&p[0]), DENY);
	replay_turn(r);
	replay_advance(r->group, 10001);
	q = ask("later");
	assert_answer(q, NONE);
}

/* A product that is slow with one object is not suspect. */
static void does_another_answer_keep_it_from_suspicion(void **state)
{
	uint32_t slow;

	serve();
	slow = ask("slow");
	replay_advance(r->group, 50);
	ask("quick");
	replay_take(&p[0]);
	replay_judge(&p[0], taken(&p[0]), ALLOW);
	replay_turn(r);
	replay_advance(r->group, 51);
	replay_turn(r);
	assert_answer(slow, ALLOW);
	assert_int_equal(r->e->session[0].view.state, VIEW_STATE_SERVING);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(nobody_asks_so_it_is_allowed),
		T(does_an_answer_reach_the_kernel),
		T(does_any_deny_win),
		T(does_a_deny_wait_for_nobody),
		T(does_a_missed_deadline_get_the_fallback),
		T(is_a_miss_recorded_though_nobody_watches),
		T(is_a_missing_opinion_recorded_in_observe_mode),
		T(is_a_fallback_never_cached),
		T(is_a_second_answer_only_counted),
		T(does_extend_move_the_deadline_up_to_the_maximum),
		T(does_defer_answer_at_once_without_a_miss),
		T(is_a_release_without_a_verdict_a_miss_now),
		T(does_a_report_reach_the_record),
		T(does_a_revised_deny_hold_while_the_object_stays),
		T(does_an_unknown_type_end_the_session),
		T(does_a_slot_out_of_range_end_the_session),
		T(does_id_0_end_the_session),
		T(does_a_slot_not_held_end_the_session),
		T(does_an_impossible_verdict_end_the_session),
		T(does_an_impossible_scope_end_the_session),
		T(does_an_impossible_head_end_the_session),
		T(is_a_second_release_the_end),
		T(is_a_suspect_asked_one_question_at_a_time),
		T(is_a_product_ended_after_two_deadlines),
		T(does_a_task_wait_for_one_deadline_only),
		T(does_another_answer_keep_it_from_suspicion),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
