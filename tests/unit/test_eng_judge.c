/* SPDX-License-Identifier: Apache-2.0 */
/* Who is asked at all, and whose word counts? */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "lib/replay_engine.h"

#define ALLOW BAILEY_VERDICT_ALLOW
#define DENY BAILEY_VERDICT_DENY
#define NONE BAILEY_VERDICT_NONE
#define ONCE BAILEY_SCOPE_ONCE
#define OBJECT BAILEY_SCOPE_OBJECT
#define PID REPLAY_PID

static struct replay *r;
static struct replay_product p[2];
static struct manifest manifest;

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

/* A file that its owner could write: its verdicts stay in the engine. */
static int user_file(const char *content)
{
	int fd = replay_file(r, content);

	assert_int_equal(fchmod(fd, 0666), 0);
	return fd;
}

static uint32_t open_by(int file, int32_t pid)
{
	uint32_t q = replay_open(r, file, pid);

	replay_turn(r);
	return q;
}

static uint32_t open_file(int file)
{
	return open_by(file, PID);
}

static uint32_t exec_file(int file)
{
	uint32_t q = replay_exec(r, file, PID);

	replay_turn(r);
	return q;
}

static void answers(struct replay_product *product, enum bailey_verdict verdict,
		    enum bailey_scope scope)
{
	const struct wire_event *w = replay_take(product);

	assert_non_null(w);
	replay_verdict(product, w, verdict, scope);
	replay_release(product, w);
	replay_turn(r);
}

static void is_answered(uint32_t question, enum bailey_verdict verdict)
{
	assert_int_equal(replay_answer(r, question), verdict);
}

static void is_asked(struct replay_product *product, bool asked)
{
	const struct wire_event *w = replay_take(product);

	assert_int_equal(w != NULL, asked);
	if (w) {
		replay_judge(product, w, ALLOW);
		replay_turn(r);
	}
}

/* ---- observe and the switch ---- */

static void does_observe_answer_before_it_asks(void **state)
{
	uint32_t q;

	manifest.mode = BAILEY_MODE_OBSERVE;
	serve();
	q = open_file(user_file("evil"));
	is_answered(q, ALLOW);
	answers(&p[0], DENY, ONCE);
	assert_int_equal(r->e->session[0].view.would_deny, 1);
	assert_int_equal(r->e->view.would_deny, 1);
	assert_int_equal(r->e->view.denied, 0);
	assert_int_equal(replay_denial(r)->verdict, ALLOW);
	assert_int_equal(replay_denial(r)->would, DENY);
	assert_int_equal(r->e->used_count, 0);
}

static void does_an_observers_deny_count_for_nobody(void **state)
{
	struct manifest second = manifest;
	uint32_t q;

	second.mode = BAILEY_MODE_OBSERVE;
	serve();
	replay_product_serve(r, &p[1], 1, &second);
	q = open_file(user_file("x"));
	answers(&p[1], DENY, ONCE);
	is_answered(q, NONE);
	answers(&p[0], ALLOW, ONCE);
	is_answered(q, ALLOW);
	assert_int_equal(r->e->session[1].view.would_deny, 1);
	assert_int_equal(replay_denial(r)->would, DENY);
	assert_int_equal(r->e->used_count, 0);
}

static void does_off_ask_nobody(void **state)
{
	serve();
	r->table->forced = HANDOFF_OFF;
	is_answered(open_file(user_file("x")), ALLOW);
	is_asked(&p[0], false);
	assert_int_equal(r->e->view.off, 1);
}

static void does_forced_observe_deny_nothing(void **state)
{
	uint32_t q;

	serve();
	r->table->forced = HANDOFF_OBSERVE;
	q = open_file(user_file("evil"));
	is_answered(q, ALLOW);
	answers(&p[0], DENY, ONCE);
	assert_int_equal(r->e->view.denied, 0);
	assert_int_equal(r->e->session[0].view.would_deny, 1);
	replay_rules(r, "deny file.open uid < 100000\n");
	is_answered(open_file(user_file("by rule")), ALLOW);
	assert_int_equal(replay_denial(r)->would, DENY);
}

static void are_the_brokers_own_processes_allowed(void **state)
{
	serve();
	r->table->own[0] = PID;
	r->table->own_count = 1;
	is_answered(open_file(user_file("x")), ALLOW);
	is_asked(&p[0], false);
	assert_int_equal(r->e->view.own, 1);
}

/* ---- limits ---- */

static void does_one_uid_wait_with_64_questions_only(void **state)
{
	uint32_t last = 0, other;

	manifest.hold = WIRE_SLOTS;
	serve();
	for (int i = 0; i < 65; i++) {
		replay_process(r, PID + i, 1000, 77);
		last = replay_open(r, user_file("x"), PID + i);
	}
	replay_turn(r);
	is_answered(last, ALLOW);
	assert_int_equal(r->e->view.overload, 1);
	replay_process(r, PID + 70, 1001, 77);
	other = open_by(user_file("x"), PID + 70);
	is_answered(other, NONE);
	assert_int_equal(r->e->open_count, 65);
	for (int i = 0; i < 65; i++) {
		answers(&p[0], DENY, ONCE);
	}
	is_answered(other, DENY);
	assert_int_equal(r->e->open_count, 0);
}

static void is_the_total_bounded_and_may_overload_deny(void **state)
{
	serve();
	r->table->open_total = 2;
	r->table->overload_denies = 1;
	open_by(user_file("1"), PID);
	is_answered(open_by(user_file("2"), PID + 1), NONE);
	is_answered(open_by(user_file("3"), PID), DENY);
	assert_int_equal(replay_denial(r)->by, VIEW_BY_OVERLOAD);
}

static void is_the_fallback_given_when_it_holds_too_much(void **state)
{
	manifest.hold = 1;
	manifest.on_miss = MANIFEST_DENY;
	serve();
	is_answered(open_by(user_file("1"), PID), NONE);
	is_answered(open_by(user_file("2"), PID + 1), DENY);
	assert_int_equal(r->e->session[0].view.full, 1);
	answers(&p[0], ALLOW, ONCE);
	is_answered(open_by(user_file("3"), PID), NONE);
}

static void do_same_questions_share_an_answer(void **state)
{
	int file = user_file("same");
	uint32_t q[3];

	serve();
	q[0] = open_file(file);
	q[1] = open_file(file);
	q[2] = open_by(file, PID + 1);  /* somebody else: asked himself */
	assert_int_equal(r->e->view.coalesced, 1);
	answers(&p[0], DENY, ONCE);
	is_answered(q[0], DENY);
	is_answered(q[1], DENY);
	is_answered(q[2], NONE);
	answers(&p[0], ALLOW, ONCE);
	is_answered(q[2], ALLOW);
	is_asked(&p[0], false);
	assert_int_equal(r->e->used_count, 0);
}

static void does_an_exec_ask_once(void **state)
{
	int file = user_file("program");
	uint32_t q;

	serve();
	q = exec_file(file);
	answers(&p[0], ALLOW, ONCE);
	is_answered(q, ALLOW);
	is_answered(open_file(file), ALLOW);    /* the kernel's second */
	assert_int_equal(r->e->view.twins, 1);
	is_answered(open_file(file), NONE);     /* a third is its own */
}

/* ---- changes while it is judged ---- */

static void is_a_changed_object_asked_about_again(void **state)
{
	int file = user_file("good");
	uint32_t q;

	serve();
	q = open_file(file);
	assert_int_equal(fchmod(file, 0622), 0);
	answers(&p[0], ALLOW, OBJECT);
	is_answered(q, NONE);
	assert_int_equal(r->e->view.changed, 1);
	answers(&p[0], DENY, OBJECT);
	is_answered(q, DENY);
	assert_int_equal(r->e->session[0].view.late, 0);
	assert_int_equal(r->e->session[0].view.missed, 0);
}

static void is_a_changing_program_denied_after_two_more_questions(void **state)
{
	int file = user_file("good");
	uint32_t q;

	serve();
	q = exec_file(file);
	for (unsigned i = 0; i < 3; i++) {
		is_answered(q, NONE);
		assert_int_equal(fchmod(file, 0600 + i), 0);
		answers(&p[0], ALLOW, OBJECT);
	}
	is_answered(q, DENY);
	assert_int_equal(replay_denial(r)->by, VIEW_BY_CHANGED);
	is_asked(&p[0], false);
	assert_int_equal(r->e->used_count, 0);
}

static void is_what_changed_while_it_is_full_a_miss(void **state)
{
	const struct wire_event *w;
	int file = user_file("good");
	uint32_t q;

	manifest.hold = 1;
	manifest.on_miss = MANIFEST_DENY;
	serve();
	q = open_file(file);
	w = replay_take(&p[0]);
	assert_int_equal(fchmod(file, 0622), 0);
	replay_verdict(&p[0], w, ALLOW, ONCE);  /* and holds the event */
	replay_turn(r);
	is_answered(q, DENY);
}

/* ---- poison and brakes ---- */

static void miss(int file, int32_t pid)
{
	open_by(file, pid);
	replay_advance(r->group, 50);
	replay_open(r, user_file("quick"), PID + 9);
	replay_turn(r);
	replay_take(&p[0]);
	answers(&p[0], ALLOW, ONCE);    /* it works; only this one is slow */
	replay_advance(r->group, 51);
	replay_turn(r);
}

static void is_an_object_poison_after_two_misses(void **state)
{
	int file = user_file("bomb");

	manifest.on_poison = MANIFEST_DENY;
	serve();
	miss(file, PID);
	miss(file, PID + 1);
	assert_int_equal(r->e->session[0].view.poison, 1);
	is_answered(open_by(file, PID + 2), DENY);
	assert_int_equal(replay_denial(r)->by, VIEW_BY_POISON);
	is_asked(&p[0], false);
	assert_int_equal(fchmod(file, 0622), 0);        /* it changed */
	is_answered(open_by(file, PID + 3), NONE);
}

static void clears(enum bailey_verdict verdict)
{
	int file = user_file("slow once");

	serve();
	miss(file, PID);
	open_by(file, PID + 1);
	answers(&p[0], verdict, ONCE);
	miss(file, PID + 2);
	assert_int_equal(r->e->session[0].view.poison, 0);
}

static void does_an_answer_clear_a_strike(void **state)
{
	clears(ALLOW);
}

/* Else who retries an evil file meets two deaths of the product in the end,
 * and it is not asked any more. */
static void does_a_denial_clear_a_strike(void **state)
{
	clears(DENY);
}

static void do_too_many_denials_put_it_into_observe(void **state)
{
	struct handoff_message m;
	uint32_t q[3];
	bool told = false;

	manifest.max_denials = 2;
	serve();
	for (int i = 0; i < 3; i++) {
		q[i] = open_file(user_file("evil"));
		answers(&p[0], DENY, ONCE);
	}
	is_answered(q[1], DENY);
	is_answered(q[2], ALLOW);
	assert_int_equal(r->e->session[0].mode, BAILEY_MODE_OBSERVE);
	assert_int_equal(r->e->session[0].view.mode, BAILEY_MODE_OBSERVE);
	while (replay_told(r, &m)) {
		told |= m.type == HANDOFF_PRODUCT_ALARM && m.index == 0;
	}
	assert_true(told);
	assert_int_equal(r->table->enforcing, 0);
}

/* What was asked before the brake is not applied after it; and then the brake
 * begins anew, or it would trip at once. */
static void does_it_begin_anew_when_it_is_believed_again(void **state)
{
	const struct handoff_message enforce = {
		.type = HANDOFF_PRODUCT_MODE, .number = BAILEY_MODE_ENFORCE };
	const struct wire_event *w[5];
	uint32_t q[5];

	manifest.max_denials = 2;
	serve();
	for (int i = 0; i < 5; i++) {
		q[i] = open_file(user_file("evil"));
		w[i] = replay_take(&p[0]);
	}
	for (int i = 0; i < 5; i++) {
		replay_verdict(&p[0], w[i], DENY, ONCE);
		replay_turn(r);
		is_answered(q[i], i < 2 ? DENY : ALLOW);
	}
	assert_int_equal(r->e->session[0].mode, BAILEY_MODE_OBSERVE);
	replay_control(r, &enforce, NULL, 0);
	replay_turn(r);
	for (int i = 0; i < 2; i++) {
		q[i] = open_file(user_file("evil"));
		answers(&p[0], DENY, ONCE);
		is_answered(q[i], DENY);
	}
	assert_int_equal(r->e->session[0].mode, BAILEY_MODE_ENFORCE);
}

static void does_the_same_object_denied_again_count_once(void **state)
{
	int file = user_file("evil");

	manifest.max_denials = 2;
	serve();
	for (int i = 0; i < 5; i++) {
		uint32_t q = open_file(file);

		answers(&p[0], DENY, ONCE);
		is_answered(q, DENY);
	}
	assert_int_equal(r->e->session[0].mode, BAILEY_MODE_ENFORCE);
}

/* ---- rules and mutes ---- */

static void is_the_keep_list_first(void **state)
{
	int file = replay_file(r, "login");

	if (geteuid() != 0) {
		skip();         /* only root's files are kept */
	}
	serve();
	replay_rules(r, "deny file.open uid < 100000\n");
	replay_keep(r, file);
	is_answered(open_file(file), ALLOW);
	assert_int_equal(r->e->view.kept, 1);
	is_answered(open_file(replay_file(r, "other")), DENY);
	assert_int_equal(replay_denial(r)->by, VIEW_BY_ADMIN);
	assert_int_equal(replay_denial(r)->rule_line, 1);
}

static void is_the_administrator_before_any_product(void **state)
{
	serve();
	assert_int_equal(
		replay_product_rules(&p[0],
				     "deny file.open path-prefix \"/tmp\" "
				     "and uid 1000\n"),
		0);
	is_answered(open_file(user_file("x")), DENY);
	assert_int_equal(replay_denial(r)->by, VIEW_BY_RULE);
	replay_rules(r, "allow file.open uid 1000\n");
	is_answered(open_file(user_file("x")), ALLOW);
	is_asked(&p[0], false);
}

static void does_a_products_allow_stand_for_it_alone(void **state)
{
	uint32_t q;

	serve_two();
	assert_int_equal(
		replay_product_rules(&p[0], "allow file.open uid 1000\n"), 0);
	q = open_file(user_file("x"));
	is_answered(q, NONE);
	assert_null(replay_take(&p[0]));
	answers(&p[1], DENY, ONCE);
	is_answered(q, DENY);
}

static void is_a_malformed_rule_refused_with_its_line(void **state)
{
	serve();
	assert_int_equal(replay_product_rules(&p[0], "\nno rule\n"),
			 BAILEY_E_RULE);
	is_answered(open_file(user_file("x")), NONE);
}

static void is_a_muted_uid_not_asked_about(void **state)
{
	struct bailey_mute mute = { .size = sizeof(mute),
				    .by = BAILEY_MUTE_UID, .number = 1000 };

	serve_two();
	assert_int_equal(replay_request(&p[0], WIRE_REQUEST_MUTE, 1, &mute,
					sizeof(mute)), 0);
	open_file(user_file("x"));
	assert_null(replay_take(&p[0]));
	is_asked(&p[1], true);
	assert_int_equal(replay_request(&p[0], WIRE_REQUEST_UNMUTE, 1, &mute,
					sizeof(mute)), 0);
	open_by(user_file("x"), PID + 1);
	is_asked(&p[0], true);
	assert_int_equal(replay_request(&p[0], WIRE_REQUEST_UNMUTE, 1, &mute,
					sizeof(mute)), ENOENT);
}

static void are_programs_and_paths_muted(void **state)
{
	struct bailey_mute mute[] = {
		{ .size = sizeof(*mute), .by = BAILEY_MUTE_EXE,
		  .kind = BAILEY_EVENT_FILE_OPEN, .path = "/bin/cat" },
		{ .size = sizeof(*mute), .by = BAILEY_MUTE_PATH,
		  .kind = BAILEY_EVENT_PROCESS_EXEC, .path = "/tmp/" },
	};

	serve();
	assert_int_equal(replay_request(&p[0], WIRE_REQUEST_MUTE, 2, mute,
					sizeof(mute)), 0);
	is_answered(open_file(user_file("x")), ALLOW);
	is_answered(exec_file(user_file("x")), ALLOW);
	is_asked(&p[0], false);
}

/* ---- whose mount it is ---- */

static void is_half_a_line_of_the_mount_table_no_mount(void **state)
{
	static const size_t half = 1024 * 1024 - 1 - 3; /* eng_mounts.c */
	char *text = malloc(half + 16);
	int fd = memfd_create("mountinfo", MFD_CLOEXEC);

	assert_non_null(text);
	memset(text, ' ', half);
	memcpy(text, "77", 2);
	memcpy(text + half - 1, "\n123456 x\n", 10);
	assert_int_equal(write(fd, text, half + 9), half + 9);
	assert_true(dup2(fd, HANDOFF_FD_MOUNTINFO) >= 0);
	close(fd);
	free(text);
	eng_mounts_read(r->e);
	assert_true(eng_mount_is_host(r->e, 77));
	assert_false(eng_mount_is_host(r->e, 123));
}

/* ---- a question that kills workers ---- */

static void is_what_killed_two_workers_let_pass(void **state)
{
	int file = user_file("bomb");
	uint32_t q;

	serve();
	q = open_file(file);
	for (int i = 0; i < 2; i++) {
		is_answered(q, NONE);
		r->e->current = 0;      /* it died over the first question */
		r->e->own_death = 1;
		replay_succeed(r);
		replay_turn(r);
	}
	is_answered(q, ALLOW);
	is_answered(open_by(file, PID + 1), ALLOW);
	is_answered(open_by(user_file("other"), PID), NONE);
}

static void is_nothing_blamed_for_a_worker_killed_from_outside(void **state)
{
	uint32_t q;

	serve();
	q = open_file(user_file("innocent"));
	for (int i = 0; i < 3; i++) {
		r->e->current = 0;
		r->e->own_death = 0;
		replay_succeed(r);
		replay_turn(r);
	}
	is_answered(q, NONE);           /* the product is still asked */
}

/* ---- news ---- */

static void are_lost_news_told_with_their_number(void **state)
{
	struct process_record record = { .type = PROCESS_FORK, .pid = PID + 5,
					 .ppid = PID, .creator = PID };
	const struct bailey_subscription list = {
		sizeof(list), BAILEY_EVENT_PROCESS_FORK, 0, 0 };
	const struct wire_event *w[8] = { 0 };

	manifest.hold = 8;
	serve();
	assert_int_equal(replay_request(&p[0], WIRE_REQUEST_SUBSCRIBE, 1, &list,
					sizeof(list)), 0);
	for (int i = 0; i < 10; i++) {
		record.time_ns = mono_now().ns + (uint64_t)i;
		replay_record(r, &record);
	}
	eng_records_drain(r->e);
	replay_turn(r);
	for (int i = 0; i < 4; i++) {
		w[i] = replay_news(&p[0]);
		assert_non_null(w[i]);
		assert_int_equal(w[i]->kind, BAILEY_EVENT_PROCESS_FORK);
	}
	assert_null(replay_news(&p[0]));
	assert_int_equal(r->e->session[0].view.news_lost, 6);
	replay_release(&p[0], w[0]);
	replay_turn(r);
	w[4] = replay_news(&p[0]);
	assert_non_null(w[4]);
	assert_int_equal(w[4]->kind, BAILEY_EVENT_LOST);
	assert_int_equal(w[4]->number[BAILEY_FIELD_COUNT], 6);
	replay_release(&p[0], w[1]);
	replay_turn(r);
	assert_null(replay_news(&p[0]));        /* told once */
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	static char bpf[] = "BPF";
	const struct CMUnitTest tests[] = {
		T(does_observe_answer_before_it_asks),
		T(does_an_observers_deny_count_for_nobody),
		T(does_off_ask_nobody),
		T(does_forced_observe_deny_nothing),
		T(are_the_brokers_own_processes_allowed),
		T(does_one_uid_wait_with_64_questions_only),
		T(is_the_total_bounded_and_may_overload_deny),
		T(is_the_fallback_given_when_it_holds_too_much),
		T(do_same_questions_share_an_answer),
		T(does_an_exec_ask_once),
		T(is_a_changed_object_asked_about_again),
		T(is_a_changing_program_denied_after_two_more_questions),
		T(is_what_changed_while_it_is_full_a_miss),
		T(is_an_object_poison_after_two_misses),
		T(does_an_answer_clear_a_strike),
		T(does_a_denial_clear_a_strike),
		T(do_too_many_denials_put_it_into_observe),
		T(does_it_begin_anew_when_it_is_believed_again),
		T(does_the_same_object_denied_again_count_once),
		T(is_the_keep_list_first),
		T(is_the_administrator_before_any_product),
		T(does_a_products_allow_stand_for_it_alone),
		T(is_a_malformed_rule_refused_with_its_line),
		T(is_a_muted_uid_not_asked_about),
		T(are_programs_and_paths_muted),
		T(is_half_a_line_of_the_mount_table_no_mount),
		T(is_what_killed_two_workers_let_pass),
		T(is_nothing_blamed_for_a_worker_killed_from_outside),
		cmocka_unit_test_prestate_setup_teardown(
			are_lost_news_told_with_their_number, setup, teardown,
			bpf),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
