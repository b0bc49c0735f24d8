/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What does the scanner say to a question?
 *
 * The part of libbailey that work.c calls is replaced here: an event is a
 * struct of this test, and each call is written down.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "budget.h"
#include "limits.h"
#include "ruleset.h"
#include "work.h"

struct bailey_event {
	int refs;
	int question;
	unsigned kind;
	int64_t number[40];
	int read_error;
	uint64_t evil_at;               /* UINT64_MAX: nowhere */
	unsigned read_us;
};

static struct {
	unsigned answers, defers, revises, reports, logs, dones;
	int done;
	enum bailey_verdict verdict;
	enum bailey_scope scope;
	char rule[64];
	int answer_result;
	struct bailey_object revised;
} heard;

static void hear(const struct bailey_finding *finding)
{
	snprintf(heard.rule, sizeof(heard.rule), "%s",
		 finding != NULL ? finding->rule : "");
}

int bailey_event_number(const struct bailey_event *event,
			enum bailey_field field, int64_t *ret_value)
{
	if (event->number[field] == INT64_MIN) {
		return -ENODATA;
	}
	*ret_value = event->number[field];
	return 0;
}

int bailey_event_object(const struct bailey_event *event,
			struct bailey_object *ret_object)
{
	ret_object->device = 1;
	ret_object->inode = (uint64_t)event->number[BAILEY_FIELD_INODE];
	ret_object->generation = 1;
	return 0;
}

int bailey_event_is_question(const struct bailey_event *event)
{
	return event->question;
}

unsigned bailey_event_kind(const struct bailey_event *event)
{
	return event->kind;
}

static int directory = -ENOENT;

int bailey_directory(struct bailey_client *client, enum bailey_directory which)
{
	return which == BAILEY_DIRECTORY_CONTENT ? directory : -ENOENT;
}

int bailey_content_done(struct bailey_client *client,
			const struct bailey_event *event, int error)
{
	heard.dones++;
	heard.done = error;
	return 0;
}

uint64_t bailey_event_id(const struct bailey_event *event)
{
	return 42;
}

void bailey_event_unref(struct bailey_event *event)
{
	event->refs--;
}

int bailey_answer(struct bailey_client *client, struct bailey_event *event,
		  enum bailey_verdict verdict, enum bailey_scope scope,
		  const struct bailey_finding *finding)
{
	heard.answers++;
	heard.verdict = verdict;
	heard.scope = scope;
	hear(finding);
	return heard.answer_result;
}

int bailey_defer(struct bailey_client *client, struct bailey_event *event)
{
	heard.defers++;
	return 0;
}

int bailey_revise(struct bailey_client *client,
		  const struct bailey_object *object,
		  enum bailey_verdict verdict,
		  const struct bailey_finding *finding)
{
	heard.revises++;
	heard.verdict = verdict;
	heard.revised = *object;
	hear(finding);
	return 0;
}

int bailey_report(struct bailey_client *client, struct bailey_event *event,
		  const struct bailey_finding *finding)
{
	heard.reports++;
	hear(finding);
	return 0;
}

int bailey_log(struct bailey_client *client, int level, const char *text)
{
	heard.logs++;
	return 0;
}

const char *bailey_strerror(int error)
{
	return strerror(-error);
}

int bailey_file_read(struct bailey_event *event, uint64_t offset, void *buffer,
		     size_t size)
{
	uint64_t end = (uint64_t)event->number[BAILEY_FIELD_SIZE];
	uint64_t left = offset < end ? end - offset : 0;
	size_t n = left < size ? (size_t)left : size;

	if (event->read_error != 0) {
		return event->read_error;
	}
	usleep(event->read_us);
	memset(buffer, ' ', n);
	for (size_t i = 0; i < 6; i++) {
		uint64_t at = event->evil_at + i;

		if (event->evil_at != UINT64_MAX && at >= offset &&
		    at < offset + n) {
			((char *)buffer)[at - offset] = "needle"[i];
		}
	}
	return (int)n;
}

static struct work work;
static struct engine engine;
static struct ruleset set;

static void complain(void *context, const char *text)
{
	fail_msg("%s", text);
}

/* A folder with one rule file, that is gone but for its descriptor once it was
 * read by `use`. */
static int with_rules(const char *text, int (*use)(int folder))
{
	char folder[] = "/tmp/test_scan_XXXXXX";
	char path[64];
	FILE *file;
	int fd, result;

	if (mkdtemp(folder) == NULL) {
		return -1;
	}
	snprintf(path, sizeof(path), "%s/a.yar", folder);
	file = fopen(path, "w");
	fputs(text, file);
	fclose(file);
	fd = open(folder, O_RDONLY | O_DIRECTORY);
	result = use(fd);
	close(fd);
	unlink(path);
	return rmdir(folder) == 0 ? result : -1;
}

static int load_engine(int folder)
{
	return ruleset_load(folder, complain, NULL, &set) < 0 ||
	       engine_init(&engine, set.rules) < 0 ? -1 : 0;
}

static int load(void **state)
{
	if (yr_initialize() != ERROR_SUCCESS) {
		return -1;
	}
	return with_rules("rule evil { strings: $a = \"needle\" condition: "
			  "$a }\nrule odd { meta: severity = 10 condition: "
			  "filesize == 77 or filesize == 20000000 }\n",
			  load_engine);
}

static int unload(void **state)
{
	engine_fini(&engine);
	ruleset_fini(&set);
	return yr_finalize();
}

static int fresh(void **state)
{
	memset(&heard, 0, sizeof(heard));
	work_init(&work, NULL, NULL);
	return 0;
}

/* A question about a user's regular file, asked just now. */
static struct bailey_event question(uint64_t size, uint64_t evil_at)
{
	struct bailey_event event = {
		.refs = 1,
		.question = 1,
		.evil_at = evil_at,
	};
	int64_t now = (int64_t)budget_now();

	event.number[BAILEY_FIELD_TIME] = now;
	event.number[BAILEY_FIELD_DEADLINE] = now + 5000 * (int64_t)BUDGET_MS;
	event.number[BAILEY_FIELD_SIZE] = (int64_t)size;
	event.number[BAILEY_FIELD_FILE_MODE] = S_IFREG | 0644;
	event.number[BAILEY_FIELD_INODE] = 7;
	event.number[BAILEY_FIELD_OWNER] = 1000;
	event.number[BAILEY_FIELD_UID] = 1000;
	return event;
}

#define LARGE 20000001ull
#define MIDDLE 10000000ull
#define NOWHERE UINT64_MAX

static void check_answer(enum bailey_verdict verdict, enum bailey_scope scope,
			 const char *rule)
{
	assert_int_equal(heard.answers, 1);
	assert_int_equal(heard.verdict, verdict);
	assert_int_equal(heard.scope, scope);
	assert_string_equal(heard.rule, rule);
	assert_int_equal(heard.defers, 0);
}

static void a_clean_file_is_allowed_for_its_content(void **state)
{
	struct bailey_event event = question(1000, NOWHERE);

	work_decide(&work, &engine, &event);
	check_answer(BAILEY_VERDICT_ALLOW, BAILEY_SCOPE_OBJECT, "");
	assert_int_equal(event.refs, 0);
}

static void an_evil_file_is_denied_with_its_rule(void **state)
{
	struct bailey_event event = question(1000, 500);

	work_decide(&work, &engine, &event);
	check_answer(BAILEY_VERDICT_DENY, BAILEY_SCOPE_OBJECT, "evil");
	assert_int_equal(heard.revises, 0);
	assert_int_equal(event.refs, 0);
}

static void a_low_finding_is_told_and_allowed(void **state)
{
	struct bailey_event event = question(77, NOWHERE);

	work_decide(&work, &engine, &event);
	check_answer(BAILEY_VERDICT_ALLOW, BAILEY_SCOPE_OBJECT, "odd");
}

static void what_has_no_content_is_allowed_unread(void **state)
{
	struct bailey_event empty = question(0, NOWHERE);
	struct bailey_event folder = question(4096, 0);
	struct bailey_event news = question(1000, 500);

	empty.read_error = folder.read_error = -EIO;
	work_decide(&work, &engine, &empty);
	check_answer(BAILEY_VERDICT_ALLOW, BAILEY_SCOPE_OBJECT, "");
	heard.answers = 0;
	folder.number[BAILEY_FIELD_FILE_MODE] = S_IFDIR | 0755;
	work_decide(&work, &engine, &folder);
	check_answer(BAILEY_VERDICT_ALLOW, BAILEY_SCOPE_ONCE, "");
	news.question = 0;
	work_decide(&work, &engine, &news);
	assert_int_equal(heard.answers, 1);
	assert_int_equal(empty.refs + folder.refs + news.refs, 0);
}

static void what_cannot_be_read_is_left_to_policy(void **state)
{
	struct bailey_event event = question(1000, 500);

	event.read_error = -EIO;
	work_decide(&work, &engine, &event);
	assert_int_equal(heard.answers, 0);
	assert_int_equal(heard.defers, 1);
	assert_int_equal(work.queue.count, 0);
	assert_int_equal(event.refs, 0);
}

static void a_large_file_with_an_evil_edge_is_denied_at_once(void **state)
{
	struct bailey_event event = question(LARGE, LARGE - 6);

	work_decide(&work, &engine, &event);
	check_answer(BAILEY_VERDICT_DENY, BAILEY_SCOPE_OBJECT, "evil");
}

static void a_large_file_is_deferred_read_and_revised(void **state)
{
	struct bailey_event event = question(LARGE, MIDDLE);
	struct bailey_event again = question(LARGE, MIDDLE);

	work_decide(&work, &engine, &event);
	assert_int_equal(heard.answers, 0);
	assert_int_equal(heard.defers, 1);
	assert_int_equal(event.refs, 1);
	work_thorough(&work, &engine);
	assert_int_equal(heard.revises, 1);
	assert_int_equal(heard.verdict, BAILEY_VERDICT_DENY);
	assert_int_equal(heard.revised.inode, 7);
	assert_string_equal(heard.rule, "evil");
	assert_int_equal(heard.logs, 1);
	assert_int_equal(event.refs, 0);
	heard.defers = 0;
	work_decide(&work, &engine, &again);
	check_answer(BAILEY_VERDICT_DENY, BAILEY_SCOPE_OBJECT, "evil");
}

static void a_large_clean_file_is_read_once(void **state)
{
	struct bailey_event event = question(LARGE, NOWHERE);
	struct bailey_event again = question(LARGE, NOWHERE);

	work_decide(&work, &engine, &event);
	work_thorough(&work, &engine);
	assert_int_equal(heard.revises + heard.answers, 0);
	heard.defers = 0;
	again.read_error = -EIO;
	work_decide(&work, &engine, &again);
	/* Its owner could change it behind our back: for this once. */
	check_answer(BAILEY_VERDICT_ALLOW, BAILEY_SCOPE_ONCE, "");
	assert_int_equal(event.refs + again.refs, 0);
}

static void a_large_file_waits_in_the_queue_once(void **state)
{
	struct bailey_event first = question(LARGE, NOWHERE);
	struct bailey_event second = question(LARGE, NOWHERE);

	work_decide(&work, &engine, &first);
	work_decide(&work, &engine, &second);
	assert_int_equal(heard.defers, 2);
	assert_int_equal(work.queue.count, 1);
	assert_int_equal(second.refs, 0);
}

static void a_full_queue_lets_go_and_forgets(void **state)
{
	struct bailey_event event[SCAN_QUEUE_UID + 1];
	unsigned held = 0;

	for (unsigned i = 0; i <= SCAN_QUEUE_UID; i++) {
		event[i] = question(LARGE, NOWHERE);
		event[i].number[BAILEY_FIELD_INODE] = i;
		work_decide(&work, &engine, &event[i]);
		held += (unsigned)event[i].refs;
	}
	assert_int_equal(held, SCAN_QUEUE_UID);
	for (unsigned i = 0; i < SCAN_SEEN; i++) {
		const struct seen_entry *entry = &work.seen.entry[i];

		assert_false(entry->state != SEEN_NOT &&
			     entry->key.object.inode == SCAN_QUEUE_UID);
	}
}

static void a_low_finding_at_an_edge_is_reported_and_read_on(void **state)
{
	struct bailey_event event = question(20000000, NOWHERE);

	work_decide(&work, &engine, &event);
	assert_int_equal(heard.reports, 1);
	assert_int_equal(heard.defers, 1);
	assert_int_equal(heard.answers, 0);
	work_thorough(&work, &engine);
	assert_int_equal(heard.reports, 2);
	assert_int_equal(heard.revises, 0);
}

static void a_question_without_time_left_is_deferred_and_scanned(void **state)
{
	struct bailey_event event = question(1000, 500);

	event.number[BAILEY_FIELD_DEADLINE] = (int64_t)budget_now();
	work_decide(&work, &engine, &event);
	assert_int_equal(heard.answers, 0);
	assert_int_equal(heard.defers, 1);
	work_thorough(&work, &engine);
	assert_int_equal(heard.revises, 1);
}

static void a_slow_disk_does_not_outlast_the_deadline(void **state)
{
	struct bailey_event event = question(SCAN_BUFFER, NOWHERE);
	uint64_t began = budget_now();

	event.read_us = 20000;
	event.number[BAILEY_FIELD_DEADLINE] =
		event.number[BAILEY_FIELD_TIME] + 200 * (int64_t)BUDGET_MS;
	work_decide(&work, &engine, &event);
	assert_int_equal(heard.defers, 1);
	assert_int_equal(heard.answers, 0);
	assert_true(budget_now() - began < 400 * BUDGET_MS);
}

static void a_deny_that_came_too_late_is_revised(void **state)
{
	struct bailey_event event = question(1000, 500);

	heard.answer_result = -BAILEY_E_TOO_LATE;
	work_decide(&work, &engine, &event);
	assert_int_equal(heard.revises, 1);
	assert_int_equal(heard.verdict, BAILEY_VERDICT_DENY);
}

/* ---- content ---- */

static struct content content;
static struct work live;
static struct engine reader;

static int first_rules(int folder)
{
	directory = folder;
	assert_int_equal(content_init(&content, NULL), 0);
	assert_int_equal(content_engine(&content, &reader), 0);
	work_init(&live, NULL, &content);
	return 0;
}

static int next_rules(int folder)
{
	struct bailey_event event = { .refs = 1,
				      .kind = BAILEY_EVENT_CONTENT };

	directory = folder;
	work_decide(&live, &reader, &event);
	assert_int_equal(event.refs, 0);
	return 0;
}

static void is_denied(int denied)
{
	struct bailey_event event = question(1000, 500);

	heard.answers = 0;
	work_decide(&live, &reader, &event);
	assert_int_equal(heard.answers, 1);
	assert_int_equal(heard.verdict, denied ? BAILEY_VERDICT_DENY
					       : BAILEY_VERDICT_ALLOW);
}

static void new_rules_count_from_the_next_object_on(void **state)
{
	with_rules("rule no { strings: $a = \"hay\" condition: $a }\n",
		   first_rules);
	is_denied(0);
	with_rules("rule yes { strings: $a = \"needle\" condition: $a and "
		   "object_size == 1000 and object_owner == 1000 }\n",
		   next_rules);
	assert_int_equal(heard.dones, 1);
	assert_int_equal(heard.done, 0);
	is_denied(1);
	heard.dones = 0;
	with_rules("rule broken {\n", next_rules);
	assert_int_equal(heard.dones, 1);
	assert_int_equal(heard.done, -ENOENT);
	is_denied(1);                   /* by the old */
	for (int i = 0; i < 5; i++) {   /* sets are used again */
		with_rules(i % 2 ? "rule yes { condition: true }\n"
				 : "rule no { condition: false }\n",
			   next_rules);
		assert_int_equal(heard.done, 0);
		is_denied(i % 2);
	}
	engine_fini(&reader);
}

#define T(name) cmocka_unit_test_setup(name, fresh)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_clean_file_is_allowed_for_its_content),
		T(an_evil_file_is_denied_with_its_rule),
		T(a_low_finding_is_told_and_allowed),
		T(what_has_no_content_is_allowed_unread),
		T(what_cannot_be_read_is_left_to_policy),
		T(a_large_file_with_an_evil_edge_is_denied_at_once),
		T(a_large_file_is_deferred_read_and_revised),
		T(a_large_clean_file_is_read_once),
		T(a_large_file_waits_in_the_queue_once),
		T(a_full_queue_lets_go_and_forgets),
		T(a_low_finding_at_an_edge_is_reported_and_read_on),
		T(a_question_without_time_left_is_deferred_and_scanned),
		T(a_slow_disk_does_not_outlast_the_deadline),
		T(a_deny_that_came_too_late_is_revised),
		T(new_rules_count_from_the_next_object_on),
	};

	return cmocka_run_group_tests(tests, load, unload);
}
