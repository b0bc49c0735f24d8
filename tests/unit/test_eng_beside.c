/* SPDX-License-Identifier: Apache-2.0 */
/* Does the engine change over from one process of a product to another, and
 * back, without a question lost or wrongly answered? */
#include "eng_pair.h"

/* ---- standby ---- */

static void is_a_standby_neither_asked_nor_heard(void **state)
{
	uint32_t q;

	(void)state;
	both();
	assert_int_equal(replay_product_rules(&new, RULE), 0);
	q = ask(0);
	assert_null(replay_take(&new));
	assert_int_equal(replay_answer(r, q), BAILEY_VERDICT_NONE);
	judge(&old, BAILEY_VERDICT_ALLOW);
	assert_int_equal(replay_answer(r, q), BAILEY_VERDICT_ALLOW);
	assert_int_equal(eng_beside_view(r->e, 0), VIEW_BESIDE_STANDBY);
}

static void does_its_rule_hold_from_the_switch_on(void **state)
{
	int small = replay_file(r, "abc");
	uint32_t q;

	(void)state;
	both();
	assert_int_equal(replay_product_rules(&new, RULE), 0);
	q = replay_open(r, small, REPLAY_PID);
	replay_turn(r);
	judge(&old, BAILEY_VERDICT_ALLOW);
	assert_int_equal(replay_answer(r, q), BAILEY_VERDICT_ALLOW);
	switch_over();
	q = replay_open(r, small, REPLAY_PID);
	replay_turn(r);
	assert_int_equal(replay_answer(r, q), BAILEY_VERDICT_DENY);
}

static void is_a_standby_that_dies_nobodys_loss(void **state)
{
	struct handoff_message m;
	uint32_t q;

	(void)state;
	both();
	q = ask(0);
	replay_product_close(&new);
	replay_turn(r);
	assert_true(told(HANDOFF_PRODUCT_FAULT, &m));
	assert_int_equal(m.index, PLACE);
	judge(&old, BAILEY_VERDICT_DENY);
	assert_int_equal(replay_answer(r, q), BAILEY_VERDICT_DENY);
	new.session = 0;
}

static void is_one_that_is_not_ready_not_switched_to(void **state)
{
	struct handoff_message m;

	(void)state;
	assert_int_equal(serve(&old, 0, 0, 1, &expect), 0);
	ready(&old);
	assert_int_equal(serve(&new, PLACE, 1, 2, &expect), 0);
	tell(HANDOFF_SWITCH, PLACE);
	assert_true(told(HANDOFF_SWITCHED, &m));
	assert_int_equal(m.number, 0);
	ask(0);
	assert_non_null(replay_take(&old));
}

/* ---- switch ---- */

static void are_open_questions_answered_by_the_former(void **state)
{
	struct handoff_message m;
	uint32_t before, after;

	(void)state;
	both();
	before = ask(0);
	switch_over();
	assert_false(told(HANDOFF_IDLE, &m));
	after = ask(1);
	assert_int_equal(asked(&new)->number[BAILEY_FIELD_SIZE], 8);
	judge(&old, BAILEY_VERDICT_DENY);
	assert_int_equal(replay_answer(r, before), BAILEY_VERDICT_DENY);
	assert_int_equal(replay_answer(r, after), BAILEY_VERDICT_NONE);
	(void)eng_beside_watch(r->e);
	assert_true(told(HANDOFF_IDLE, &m));
	assert_int_equal(m.index, 0);
	assert_int_equal(m.instance, 1);
	assert_int_equal(eng_beside_view(r->e, 0), VIEW_BESIDE_KEPT);
}

static void do_counters_and_mode_stay_the_products(void **state)
{
	const struct view_product *view = &r->e->session[0].view;

	(void)state;
	both();
	ask(0);
	judge(&old, BAILEY_VERDICT_DENY);
	switch_over();
	ask(1);
	judge(&new, BAILEY_VERDICT_DENY);
	assert_int_equal(view->asked, 2);
	assert_int_equal(view->answered, 2);
	assert_int_equal(view->denied, 2);
	assert_int_equal(view->denied_objects, 1);      /* of this content */
	assert_int_equal(view->denied_users, 1);
	tell(HANDOFF_PRODUCT_MODE, BAILEY_MODE_OBSERVE);
	ask(2);
	judge(&new, BAILEY_VERDICT_DENY);
	assert_int_equal(view->denied, 2);
	assert_int_equal(view->would_deny, 1);
}

/* As many owners, or one asker where the owner is root. */
static void are_denials_charged_to_who_owns_the_file(void **state)
{
	const struct view_product *view = &r->e->session[0].view;

	(void)state;
	if (geteuid() != 0) {
		skip();
	}
	assert_int_equal(fchown(file[0], 1001, 1001), 0);
	assert_int_equal(fchown(file[1], 1001, 1001), 0);
	assert_int_equal(fchown(file[2], 1002, 1002), 0);
	assert_int_equal(fchown(file[3], 0, 0), 0);
	assert_int_equal(serve(&old, 0, 0, 1, &expect), 0);
	ready(&old);
	replay_turn(r);
	for (int i = 0, users[] = { 1, 1, 2, 3 }; i < 4; i++) {
		ask(i);
		judge(&old, BAILEY_VERDICT_DENY);
		assert_int_equal(view->denied_objects, i + 1);
		assert_int_equal(view->denied_users, users[i]);
		assert_int_equal(view->denied_most, i ? 2 : 1);
	}
}

static void is_what_the_former_said_not_cached_for_the_new(void **state)
{
	uint32_t q;

	(void)state;
	both();
	q = ask(0);
	replay_verdict(&old, asked(&old), BAILEY_VERDICT_ALLOW,
		       BAILEY_SCOPE_OBJECT);
	replay_turn(r);
	assert_int_equal(replay_answer(r, q), BAILEY_VERDICT_ALLOW);
	switch_over();
	q = ask(0);
	judge(&new, BAILEY_VERDICT_DENY);
	assert_int_equal(replay_answer(r, q), BAILEY_VERDICT_DENY);
}

static void is_a_trial_over_when_told(void **state)
{
	(void)state;
	both();
	switch_over();
	tell(HANDOFF_TRIAL_END, 0);
	replay_product_close(&new);             /* now as any other */
	new.session = 0;
	replay_turn(r);
	ask(0);
	assert_null(replay_take(&old));
}

/* ---- back ---- */

static void does_a_death_on_trial_lose_no_question(void **state)
{
	struct handoff_message m;
	uint32_t q[3];

	(void)state;
	both();
	switch_over();
	for (int i = 0; i < 3; i++) {
		q[i] = ask(i);
	}
	judge(&new, BAILEY_VERDICT_ALLOW);
	assert_int_equal(replay_answer(r, q[0]), BAILEY_VERDICT_ALLOW);
	replay_advance(r->group, 60);
	replay_product_close(&new);
	new.session = 0;
	replay_turn(r);
	(void)eng_beside_watch(r->e);
	assert_true(told(HANDOFF_SWITCHED, &m));
	assert_int_equal(m.number, 0);
	assert_int_equal(m.fault, AGENT_FAULT_EXIT);
	/* Its deadline begins anew: it is not the former one's fault. */
	replay_advance(r->group, 60);
	replay_turn(r);
	for (int i = 1; i < 3; i++) {
		assert_int_equal(replay_answer(r, q[i]), BAILEY_VERDICT_NONE);
		judge(&old, i == 1 ? BAILEY_VERDICT_DENY
				   : BAILEY_VERDICT_ALLOW);
	}
	assert_int_equal(replay_answer(r, q[1]), BAILEY_VERDICT_DENY);
	assert_int_equal(replay_answer(r, q[2]), BAILEY_VERDICT_ALLOW);
	assert_int_equal(r->e->session[0].view.missed, 0);
	assert_int_equal(r->e->session[0].view.poison, 0);
}

/* Nobody has noticed yet that it is dead. */
static void is_a_question_after_its_death_asked_of_the_former(void **state)
{
	uint32_t q;

	(void)state;
	both();
	switch_over();
	replay_product_close(&new);
	new.session = 0;
	q = replay_open(r, file[0], REPLAY_PID);
	replay_reply(r);
	assert_int_equal(replay_answer(r, q), BAILEY_VERDICT_NONE);
	judge(&old, BAILEY_VERDICT_DENY);
	assert_int_equal(replay_answer(r, q), BAILEY_VERDICT_DENY);
}

static void is_the_monitors_word_enough(void **state)
{
	struct handoff_message m = { .type = HANDOFF_PRODUCT_GONE,
				     .index = PLACE, .instance = 1 };
	(void)state;
	both();
	switch_over();
	const uint32_t q = ask(0);
	replay_control(r, &m, NULL, 0); /* a former engine left it behind */
	assert_int_equal(r->e->session[PLACE].phase, SESSION_SERVING);
	m.instance = 2;
	replay_control(r, &m, NULL, 0);
	replay_turn(r);
	(void)eng_beside_watch(r->e);
	assert_true(told(HANDOFF_SWITCHED, &m));
	assert_int_equal(m.number, 0);
	judge(&old, BAILEY_VERDICT_DENY);
	assert_int_equal(replay_answer(r, q), BAILEY_VERDICT_DENY);
}

static void does_a_hang_on_trial_go_back(void **state)
{
	struct handoff_message m;
	uint32_t q;

	(void)state;
	both();
	switch_over();
	for (int i = 0; i < 4 && !told(HANDOFF_SWITCHED, &m); i++) {
		ask(i);
		replay_advance(r->group, 101);
		replay_turn(r);
		(void)eng_beside_watch(r->e);
	}
	assert_int_equal(m.type, HANDOFF_SWITCHED);
	assert_int_equal(m.fault, AGENT_FAULT_HUNG);
	q = ask(5);             /* who waited in vain waits again */
	for (const struct wire_event *w; (w = replay_take(&old));) {
		replay_judge(&old, w, BAILEY_VERDICT_DENY);
	}
	replay_turn(r);
	assert_int_equal(replay_answer(r, q), BAILEY_VERDICT_DENY);
}

/* What it says last is not applied, the mode stays, the former is asked. */
static void does_one_that_denies_too_much_go_back(void **state)
{
	struct handoff_message m;
	uint32_t q = 0;

	(void)state;
	manifest.max_denials = 3;
	both();
	switch_over();
	for (int i = 0; i < 4; i++) {
		q = ask(i);
		judge(&new, BAILEY_VERDICT_DENY);
	}
	assert_int_equal(replay_answer(r, q), BAILEY_VERDICT_ALLOW);
	(void)eng_beside_watch(r->e);
	assert_true(told(HANDOFF_SWITCHED, &m));
	assert_int_equal(m.number, 0);
	assert_int_equal(m.fault, AGENT_FAULT_DENIALS);
	assert_int_equal(r->e->session[0].mode, BAILEY_MODE_ENFORCE);
	q = ask(4);
	judge(&old, BAILEY_VERDICT_DENY);
	assert_int_equal(replay_answer(r, q), BAILEY_VERDICT_DENY);
}

static void can_it_be_told_to_go_back(void **state)
{
	struct handoff_message m;
	uint32_t q;

	(void)state;
	both();
	switch_over();
	q = ask(0);
	tell(HANDOFF_SWITCH_BACK, 0);
	assert_true(told(HANDOFF_SWITCHED, &m));
	assert_int_equal(m.number, 0);
	assert_int_equal(m.fault, AGENT_FAULT_NONE);
	judge(&old, BAILEY_VERDICT_DENY);
	assert_int_equal(replay_answer(r, q), BAILEY_VERDICT_DENY);
}

/* What ends because its trial is over did nothing wrong. */
static void is_the_end_of_a_kept_one_no_fault(void **state)
{
	struct handoff_message m;

	(void)state;
	both();
	switch_over();
	r->e->session[0].view.last_fault[0] = '\0';
	tell(HANDOFF_TRIAL_END, 0);
	replay_product_close(&old);
	old.session = 0;
	replay_turn(r);
	assert_false(told(HANDOFF_PRODUCT_FAULT, &m));
	assert_string_equal(r->e->session[0].view.last_fault, "");
	replay_product_close(&new);
	new.session = 0;
	replay_turn(r);
	assert_true(told(HANDOFF_PRODUCT_FAULT, &m));
}

/* At any point: the next worker asks who is to be asked. */
static void does_a_worker_death_on_trial_keep_who_is_asked(void **state)
{
	uint32_t q;

	(void)state;
	both();
	switch_over();
	q = ask(0);
	replay_succeed(r);
	replay_turn(r);
	assert_non_null(replay_take(&new));
	judge(&new, BAILEY_VERDICT_DENY);
	assert_int_equal(replay_answer(r, q), BAILEY_VERDICT_DENY);
	replay_product_close(&new);
	new.session = 0;
	replay_succeed(r);
	q = ask(1);
	replay_turn(r);
	judge(&old, BAILEY_VERDICT_DENY);
	assert_int_equal(replay_answer(r, q), BAILEY_VERDICT_DENY);
}

/* ---- last questions ---- */

static void are_the_last_questions_handed_on(void **state)
{
	struct handoff_message m = { 0 };
	int fds[PASS_FDS];
	size_t count = 0;
	unsigned seen = 0;
	char text[16];

	(void)state;
	both();
	switch_over();
	ask(0);
	ask(1);
	replay_product_close(&new);
	new.session = 0;
	replay_turn(r);
	(void)eng_last_send(r->e);
	while (m.type != HANDOFF_LAST_QUESTIONS) {
		assert_int_equal(pass_receive(r->monitor, &m, sizeof(m), fds,
					      &count, MSG_DONTWAIT), 1);
	}
	assert_int_equal(m.index, 0);
	assert_int_equal(m.instance, 2);
	assert_int_equal(count, 2);
	for (size_t i = 0; i < count; i++) {
		assert_int_equal(m.kind[i], BAILEY_EVENT_FILE_OPEN);
		assert_int_equal(pread(fds[i], text, sizeof(text), 0), 8);
		assert_memory_equal(text, "object ", 7);
		seen |= 1u << (text[7] - '0');
	}
	assert_int_equal(seen, 3);
	pass_close(fds, count);
}
/* ---- figures ---- */

static void are_answers_counted_by_how_long_they_took(void **state)
{
	const uint64_t *latency = r->e->session[0].view.latency;

	(void)state;
	assert_int_equal(serve(&old, 0, 0, 1, &expect), 0);
	ready(&old);
	ask(0);
	replay_advance(r->group, 5);
	judge(&old, BAILEY_VERDICT_ALLOW);
	ask(1);
	judge(&old, BAILEY_VERDICT_ALLOW);
	assert_int_equal(latency[12], 1);               /* 4096-8191 us */
	assert_int_equal(latency[0], 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(is_a_standby_neither_asked_nor_heard),
		TEST(does_its_rule_hold_from_the_switch_on),
		TEST(is_a_standby_that_dies_nobodys_loss),
		TEST(is_one_that_is_not_ready_not_switched_to),
		TEST(are_open_questions_answered_by_the_former),
		TEST(do_counters_and_mode_stay_the_products),
		TEST(are_denials_charged_to_who_owns_the_file),
		TEST(is_what_the_former_said_not_cached_for_the_new),
		TEST(is_a_trial_over_when_told),
		TEST(does_a_death_on_trial_lose_no_question),
		TEST(is_a_question_after_its_death_asked_of_the_former),
		TEST(is_the_monitors_word_enough),
		TEST(does_a_hang_on_trial_go_back),
		TEST(does_one_that_denies_too_much_go_back),
		TEST(can_it_be_told_to_go_back),
		TEST(is_the_end_of_a_kept_one_no_fault),
		TEST(does_a_worker_death_on_trial_keep_who_is_asked),
		TEST(are_the_last_questions_handed_on),
		TEST(are_answers_counted_by_how_long_they_took),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
