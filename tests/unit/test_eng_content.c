/* SPDX-License-Identifier: Apache-2.0 */
/* Is code refused whose schema is not its content's, and what becomes of new
 * content for a process that runs? */
#include "eng_pair.h"

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
int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(is_code_refused_whose_schema_is_not_the_contents),
		TEST(is_new_content_offered_and_answered),
		TEST(is_content_of_another_schema_not_offered),
		TEST(does_content_that_is_not_answered_end_the_process),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
