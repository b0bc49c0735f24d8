/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>

#include "budget.h"
#include "finding.h"
#include "work.h"

void work_init(struct work *ret_work, struct bailey_client *client,
	       struct content *content)
{
	ret_work->client = client;
	ret_work->content = content;
	seen_init(&ret_work->seen);
	queue_init(&ret_work->queue);
}

static int64_t number(const struct bailey_event *event,
		      enum bailey_field field, int64_t absent)
{
	int64_t value;

	return bailey_event_number(event, field, &value) == 0 ? value : absent;
}

static uint64_t time_of(const struct bailey_event *event,
			enum bailey_field field)
{
	int64_t value = number(event, field, 0);

	return value > 0 ? (uint64_t)value : 0;
}

static int read_event(void *context, uint64_t offset, void *buffer, size_t size)
{
	return bailey_file_read(context, offset, buffer, size);
}

static struct scan_source source_of(struct bailey_event *event, uint64_t size)
{
	struct scan_source source = { .read = read_event, .context = event,
				      .size = size };

	for (size_t i = 0; i < scan_fields_count; i++) {
		source.field[i] = number(event, scan_fields[i].field, 0);
	}
	return source;
}

/* 0, or -ENODATA if the event does not tell its object apart. */
static int key_of(const struct bailey_event *event, struct seen_key *ret_key)
{
	struct seen_key key = {
		.size = (uint64_t)number(event, BAILEY_FIELD_SIZE, 0),
		.changed = (uint64_t)number(event, BAILEY_FIELD_CHANGED, 0),
		.owner = (uint64_t)number(event, BAILEY_FIELD_OWNER, -1),
		.mode = (uint64_t)number(event, BAILEY_FIELD_FILE_MODE, 0),
	};
	int result = bailey_event_object(event, &key.object);

	if (result == 0) {
		*ret_key = key;
	}
	return result;
}

static void allow(struct work *work, struct bailey_event *event,
		  enum bailey_scope scope, const struct bailey_finding *finding)
{
	/* Too late or the session's end: the fallback stands, nothing to do. */
	(void)bailey_answer(work->client, event, BAILEY_VERDICT_ALLOW, scope,
			    finding);
	bailey_event_unref(event);
}

/* A deny that missed its question still holds for the object. */
static void deny(struct work *work, struct bailey_event *event,
		 const struct bailey_finding *finding)
{
	uint64_t deadline = time_of(event, BAILEY_FIELD_DEADLINE);
	int result = bailey_answer(work->client, event, BAILEY_VERDICT_DENY,
				   BAILEY_SCOPE_OBJECT, finding);
	struct bailey_object object;

	if ((result == -BAILEY_E_TOO_LATE || budget_now() >= deadline) &&
	    bailey_event_object(event, &object) == 0) {
		result = bailey_revise(work->client, &object,
				       BAILEY_VERDICT_DENY, finding);
	}
	(void)result;
	bailey_event_unref(event);
}

/* Policy answers; the rest of the file is read when somebody has time. */
static void postpone(struct work *work, struct bailey_event *event)
{
	struct queue_item item = {
		.event = event,
		.uid = number(event, BAILEY_FIELD_UID, -1),
	};
	struct bailey_finding ignored;
	uint64_t now = budget_now();

	if (bailey_defer(work->client, event) != 0 ||
	    key_of(event, &item.key) != 0 ||
	    seen_find(&work->seen, &item.key, now, &ignored) != SEEN_NOT) {
		bailey_event_unref(event);
		return;
	}
	seen_put(&work->seen, &item.key, SEEN_PENDING, now, NULL);
	if (queue_put(&work->queue, &item) == QUEUE_FULL) {
		seen_put(&work->seen, &item.key, SEEN_NOT, now, NULL);
		bailey_event_unref(event);
	}
}

/* 1 if a thorough scan has settled it, and the event is gone. */
static int answer_from_seen(struct work *work, struct bailey_event *event)
{
	struct bailey_finding finding;
	struct seen_key key;
	enum seen_state state;

	if (key_of(event, &key) != 0) {
		return 0;
	}
	state = seen_find(&work->seen, &key, budget_now(), &finding);
	if (state == SEEN_EVIL) {
		deny(work, event, &finding);
		return 1;
	}
	if (state == SEEN_CLEAN) {
		allow(work, event, seen_is_firm(&key) ? BAILEY_SCOPE_OBJECT :
							BAILEY_SCOPE_ONCE,
		      NULL);
		return 1;
	}
	return 0;
}

static int scan_now(struct engine *engine, struct bailey_event *event,
		    uint64_t size, struct bailey_finding *ret_finding)
{
	struct scan_source source = source_of(event, size);
	uint64_t limit;

	if (budget_for(time_of(event, BAILEY_FIELD_TIME),
		       time_of(event, BAILEY_FIELD_DEADLINE), budget_now(),
		       &limit) == BUDGET_NONE) {
		return -ETIMEDOUT;
	}
	return engine_scan(engine, &source, PLAN_QUICK, limit, ret_finding);
}

static void decide_content(struct work *work, struct engine *engine,
			   struct bailey_event *event, uint64_t size)
{
	struct bailey_finding finding;
	int result = scan_now(engine, event, size, &finding);

	if (result == ENGINE_FOUND && finding_denies(&finding)) {
		deny(work, event, &finding);
		return;
	}
	if (result == -ETIMEDOUT) {
		postpone(work, event);
		return;
	}
	if (result < 0) {
		(void)bailey_defer(work->client, event);
		bailey_event_unref(event);
		return;
	}
	if (!plan_is_partial(size)) {
		allow(work, event, BAILEY_SCOPE_OBJECT,
		      result == ENGINE_FOUND ? &finding : NULL);
		return;
	}
	if (result == ENGINE_FOUND) {
		(void)bailey_report(work->client, event, &finding);
	}
	postpone(work, event);
}

/* Loads beside what is used; what was found with the old rules is forgotten
 * with them. */
static void renew(struct work *work, struct bailey_event *event)
{
	int result = content_load(work->content);

	if (result == 0) {
		seen_clear(&work->seen);
	}
	result = bailey_content_done(work->client, event, result);
	if (result < 0) {
		(void)bailey_log(work->client, 4, bailey_strerror(result));
	}
}

void work_decide(struct work *work, struct engine *engine,
		 struct bailey_event *event)
{
	int64_t mode = number(event, BAILEY_FIELD_FILE_MODE, S_IFREG);
	int64_t size = number(event, BAILEY_FIELD_SIZE, 0);

	if (bailey_event_kind(event) == BAILEY_EVENT_CONTENT) {
		renew(work, event);
	}
	if (!bailey_event_is_question(event)) {
		bailey_event_unref(event);
		return;
	}
	content_follow(work->content, engine);
	if (!S_ISREG(mode)) {
		allow(work, event, BAILEY_SCOPE_ONCE, NULL);
		return;
	}
	if (size <= 0) {
		allow(work, event, BAILEY_SCOPE_OBJECT, NULL);
		return;
	}
	if (answer_from_seen(work, event)) {
		return;
	}
	decide_content(work, engine, event, (uint64_t)size);
}

/* Deny it from now on, and say so. */
static void revise(struct work *work, const struct queue_item *item,
		   const struct bailey_finding *finding)
{
	char text[256];
	int result = bailey_revise(work->client, &item->key.object,
				   BAILEY_VERDICT_DENY, finding);

	snprintf(text, sizeof(text), "event %" PRIu64 ": %s found after the "
		 "fact%s%s", bailey_event_id(item->event), finding->rule,
		 result < 0 ? "; not revised: " : "",
		 result < 0 ? bailey_strerror(result) : "");
	(void)bailey_log(work->client, 4, text);
}

static void conclude(struct work *work, const struct queue_item *item,
		     int result, const struct bailey_finding *finding)
{
	uint64_t now = budget_now();

	if (result == ENGINE_FOUND && finding_denies(finding)) {
		seen_put(&work->seen, &item->key, SEEN_EVIL, now, finding);
		revise(work, item, finding);
		return;
	}
	if (result == ENGINE_FOUND) {
		(void)bailey_report(work->client, item->event, finding);
	}
	if (result >= 0) {
		seen_put(&work->seen, &item->key, SEEN_CLEAN, now, NULL);
		return;
	}
	if (result != -ETIMEDOUT) {
		seen_put(&work->seen, &item->key, SEEN_NOT, now, NULL);
		return;
	}
	/* Stays pending for a while: not the same thirty seconds again at the
	 * next open. */
	(void)bailey_log(work->client, 4, "a large file could not be scanned "
			 "to its end within the limit");
}

void work_thorough(struct work *work, struct engine *engine)
{
	struct bailey_finding finding;
	struct scan_source source;
	struct queue_item item;
	int result;

	queue_take(&work->queue, &item);
	content_follow(work->content, engine);
	source = source_of(item.event, item.key.size);
	result = engine_scan(engine, &source, PLAN_THOROUGH,
			     SCAN_THOROUGH_MS * BUDGET_MS, &finding);
	if (result == 0 && content_is_old(work->content, engine)) {
		result = -ESTALE;       /* clean by rules of yesterday */
	}
	conclude(work, &item, result, &finding);
	bailey_event_unref(item.event);
}
