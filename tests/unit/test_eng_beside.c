/* SPDX-License-Identifier: Apache-2.0 */
/* Does the engine change over from one process of a product to another, and
 * back, without a question lost or wrongly answered? And does it refuse code
 * whose schema is not the content's? */
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

static int serve(struct replay_product *p, uint32_t place, uint32_t second,
		 uint32_t instance, const struct handoff_expect *declared)
{
	replay_product_add_as(r, p, &(struct handoff_message){
		.type = HANDOFF_PRODUCT_ADD, .index = place, .second = second,
		.instance = instance, .expect = *declared,
		.manifest = manifest });
	p->schema = "test/1";
	p->fields = 3;
	return replay_hello(p);
}

static void ready(struct replay_product *p)
{
	assert_int_equal(replay_subscribe(p, BAILEY_WANT_FILE), 0);
	assert_int_equal(replay_request(p, WIRE_REQUEST_READY, 0, NULL, 0), 0);
}

static void both(void)
{
	assert_int_equal(serve(&old, 0, 0, 1, &expect), 0);
	ready(&old);
	assert_int_equal(serve(&new, PLACE, 1, 2, &expect), 0);
	ready(&new);
	replay_turn(r);
}

static void tell(uint32_t type, uint64_t number)
{
	replay_control(r, &(struct handoff_message){ .type = type,
						     .number = number },
		       NULL, 0);
	replay_turn(r);
	(void)eng_beside_watch(r->e);
}

/* The next message of this type; false: there is none. */
static bool told(uint32_t type, struct handoff_message *ret_message)
{
	while (replay_told(r, ret_message)) {
		if (ret_message->type == type) {
			return true;
		}
	}
	return false;
}

static void switch_over(void)
{
	struct handoff_message m;

	tell(HANDOFF_SWITCH, PLACE);
	assert_true(told(HANDOFF_SWITCHED, &m));
	assert_int_equal(m.number, PLACE);
	assert_int_equal(m.fault, AGENT_FAULT_NONE);
}

static uint32_t ask(int n)
{
	uint32_t q = replay_open(r, file[n], REPLAY_PID);

	replay_turn(r);
	return q;
}

static const struct wire_event *asked(struct replay_product *p)
{
	const struct wire_event *w = replay_take(p);

	assert_non_null(w);
	return w;
}

static void judge(struct replay_product *p, enum bailey_verdict verdict)
{
	replay_judge(p, asked(p), verdict);
	replay_turn(r);
}

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

/* ---- schema (C1) ---- */

static void is_code_refused_whose_schema_is_not_the_contents(void **state)
{
	static const struct {
		const char *schema;
		uint32_t fields;
		int error;
	} table[] = {
		{ "test/1", 3, 0 },
		{ "test/1", 4, BAILEY_E_SCHEMA },
		{ "test/1", 2, BAILEY_E_SCHEMA },
		{ "test/1", 0, BAILEY_E_SCHEMA },
		{ "test/1", 65535, BAILEY_E_SCHEMA },
		{ "test/2", 3, BAILEY_E_SCHEMA },
		{ "test/11", 3, BAILEY_E_SCHEMA },
		{ "", 3, BAILEY_E_SCHEMA },
	};
	struct handoff_message m;

	(void)state;
	for (uint32_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
		struct replay_product *p = &old;

		replay_product_add_as(r, p, &(struct handoff_message){
			.type = HANDOFF_PRODUCT_ADD, .instance = i + 1,
			.expect = expect, .manifest = manifest });
		p->schema = table[i].schema;
		p->fields = table[i].fields;
		assert_int_equal(replay_hello(p), table[i].error);
		replay_turn(r);
		assert_int_equal(told(HANDOFF_PRODUCT_FAULT, &m),
				 table[i].error != 0);
		if (table[i].error) {
			assert_int_equal(m.fault, AGENT_FAULT_SCHEMA);
			assert_int_equal(m.instance, i + 1);
			assert_string_equal(r->e->session[0].view.last_fault,
				"schema or field count is not the content's");
		}
		replay_product_close(p);
		replay_turn(r);
		(void)told(0, &m);
	}
	assert_int_equal(serve(&old, 0, 0, 99,
			       &(struct handoff_expect){ 0 }), 0);
}

/* ---- content for a running process ---- */

static void offer(const struct handoff_expect *declared, int fd)
{
	replay_control(r, &(struct handoff_message){
		.type = HANDOFF_CONTENT, .expect = *declared }, &fd, 1);
	replay_turn(r);
}

static int done(uint64_t id, int error)
{
	const struct wire_content_done d = { .id = id, .error = error };

	return replay_request(&old, WIRE_REQUEST_CONTENT_DONE, 1, &d,
			      sizeof(d));
}

static void is_new_content_offered_and_answered(void **state)
{
	int directory = replay_own(r, open("/", O_RDONLY | O_DIRECTORY));
	struct handoff_message m;
	struct wire_file tag;
	const struct wire_event *w;

	(void)state;
	assert_int_equal(serve(&old, 0, 0, 1, &expect), 0);
	ready(&old);
	offer(&expect, directory);
	w = replay_news(&old);
	assert_non_null(w);
	assert_int_equal(w->kind, BAILEY_EVENT_CONTENT);
	assert_int_equal(recv(old.fd[WIRE_FD_FILES], &tag, sizeof(tag),
			      MSG_DONTWAIT), sizeof(tag));
	assert_int_equal(tag.id, w->id);
	assert_false(told(HANDOFF_CONTENT_DONE, &m));
	assert_int_equal(done(w->id + 1, 0), EINVAL);
	assert_int_equal(done(w->id, 0), 0);
	assert_true(told(HANDOFF_CONTENT_DONE, &m));
	assert_int_equal(m.number, 0);
	assert_int_equal(done(w->id, 0), EINVAL);       /* once */
}

static void is_content_of_another_schema_not_offered(void **state)
{
	int directory = replay_own(r, open("/", O_RDONLY | O_DIRECTORY));
	struct handoff_expect other = expect;
	struct handoff_message m;

	(void)state;
	assert_int_equal(serve(&old, 0, 0, 1, &expect), 0);
	ready(&old);
	other.fields++;
	offer(&other, directory);
	assert_true(told(HANDOFF_CONTENT_DONE, &m));
	assert_int_equal(m.number, BAILEY_E_SCHEMA);
	assert_null(replay_news(&old));
	offer(&expect, directory);
	assert_int_equal(done(replay_news(&old)->id, ENOENT), 0);
	assert_true(told(HANDOFF_CONTENT_DONE, &m));
	assert_int_equal(m.number, ENOENT);
}

static void does_content_that_is_not_answered_end_the_process(void **state)
{
	int directory = replay_own(r, open("/", O_RDONLY | O_DIRECTORY));
	struct handoff_message m;

	(void)state;
	assert_int_equal(serve(&old, 0, 0, 1, &expect), 0);
	ready(&old);
	offer(&expect, directory);
	replay_advance(r->group, (manifest.start_s + 1) * 1000);
	replay_turn(r);
	replay_turn(r);
	assert_true(told(HANDOFF_PRODUCT_FAULT, &m));
	assert_int_equal(m.fault, AGENT_FAULT_CONTENT);
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

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

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
		TEST(is_code_refused_whose_schema_is_not_the_contents),
		TEST(is_new_content_offered_and_answered),
		TEST(is_content_of_another_schema_not_offered),
		TEST(does_content_that_is_not_answered_end_the_process),
		TEST(are_answers_counted_by_how_long_they_took),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
