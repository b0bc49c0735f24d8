/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers: what a product says about events, and slots that it gives back.
 *
 * One ring, written under the lock. A held event takes at most one decision
 * (verdict or deferral) and one release, and its slot is not used again
 * before the engine consumed both; so 2 x WIRE_SLOTS entries are kept for
 * those and the rest of the ring is for everything else.
 */
#include "client/client.h"

#include <signal.h>
#include <stddef.h>
#include <string.h>

#define KEPT (2 * WIRE_SLOTS)

static_assert(WIRE_ANSWERS >= 2 * KEPT, "room beside decisions and releases");

/* A byte to the engine. The pipe may have lost its reader: the signal that
 * this raises is taken back, whatever the product does about SIGPIPE. */
static void wake_engine(int fd)
{
	static const struct timespec at_once;
	sigset_t pipe_only, before;
	ssize_t n;

	sigemptyset(&pipe_only);
	sigaddset(&pipe_only, SIGPIPE);
	pthread_sigmask(SIG_BLOCK, &pipe_only, &before);
	n = write(fd, "", 1);
	if (n < 0 && errno == EPIPE && !sigismember(&before, SIGPIPE)) {
		sigtimedwait(&pipe_only, NULL, &at_once);
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}

static bool session_ended(struct bailey_client *client)
{
	return client->over || client->closed ||
	       atomic_load_explicit(&client->events->ended,
				    memory_order_acquire) != 0;
}

/* Lock held. keep: entries that this kind of answer leaves free. */
static int answer_write(struct bailey_client *client,
			const struct wire_answer *answer, uint32_t keep)
{
	uint32_t head = client->answer_head;
	uint32_t used;

	if (session_ended(client)) {
		return -EPIPE;
	}
	used = head - atomic_load_explicit(&client->events->answers_taken,
					   memory_order_acquire);
	if (used > WIRE_ANSWERS) {
		client->over = true;
		return -EPIPE;
	}
	if (WIRE_ANSWERS - used <= keep) {
		return -BAILEY_E_FULL;
	}
	client->answers->answer[head & (WIRE_ANSWERS - 1)] = *answer;
	client->answer_head = head + 1;
	atomic_store_explicit(&client->answers->head, head + 1,
			      memory_order_release);
	return 0;
}

static int answer_push(struct bailey_client *client,
		       const struct wire_answer *answer, uint32_t keep)
{
	int r = answer_write(client, answer, keep);

	if (r == 0) {
		atomic_thread_fence(memory_order_seq_cst);
		if (atomic_load_explicit(&client->events->engine_sleeping,
					 memory_order_relaxed) != 0) {
			wake_engine(client->wake_engine);
		}
	}
	return r;
}

/* A slot is given back for later: the engine looks before it needs one. Only
 * a question that was never decided is news to it: a miss. */
void client_release(struct bailey_client *client, struct bailey_event *event)
{
	struct wire_answer answer = {
		.type = WIRE_ANSWER_RELEASE,
		.slot = event->slot,
		.id = event->id,
	};

	if (client->record != NULL) {
		return;
	}
	if (bailey_event_is_question(event) && !event->decided) {
		(void)answer_push(client, &answer, 0);
	} else {
		(void)answer_write(client, &answer, 0);
	}
}

/* A bounded copy: the caller's size says how much of it is there; every text
 * ends in it. */
static int finding_copy(const struct bailey_finding *finding,
			struct wire_answer *answer)
{
	struct bailey_finding *to = &answer->finding;

	if (finding == NULL) {
		return 0;
	}
	if (finding->size != sizeof(*finding) || finding->severity > 100 ||
	    finding->confidence > 100) {
		return -EINVAL;
	}
	*to = *finding;
	to->rule[sizeof(to->rule) - 1] = '\0';
	to->title[sizeof(to->title) - 1] = '\0';
	to->technique[sizeof(to->technique) - 1] = '\0';
	answer->has_finding = 1;
	return 0;
}

static int answer_check(struct bailey_client *client,
			const struct bailey_event *event)
{
	if (client_is_child(client)) {
		return -EPIPE;
	}
	return event->client == client ? 0 : -BAILEY_E_NOT_YOURS;
}

static bool too_late(const struct bailey_event *event)
{
	return event->deadline != 0 && mono_now().ns > event->deadline;
}

/* Lock held: a decision, or a request for more time. */
static int question_push(struct bailey_client *client,
			 struct bailey_event *event,
			 const struct wire_answer *answer)
{
	bool decides = answer->type != WIRE_ANSWER_EXTEND;
	int r;

	if (event->decided) {
		return -EALREADY;
	}
	if (client->record != NULL) {
		client->record->answers++;
		event->decided = decides;
		return 0;
	}
	if (session_ended(client)) {
		return -EPIPE;
	}
	if (too_late(event)) {
		return -BAILEY_E_TOO_LATE;
	}
	r = answer_push(client, answer, decides ? 0 : KEPT);
	if (r == 0) {
		event->decided = decides;
		event->deadline += event->deadline ? answer->ms * MONO_MS : 0;
	}
	return r;
}

static int question_say(struct bailey_client *client,
			struct bailey_event *event, struct wire_answer *answer)
{
	int r = answer_check(client, event);

	if (r < 0) {
		return r;
	}
	if (!bailey_event_is_question(event)) {
		return -EINVAL;
	}
	answer->slot = event->slot;
	answer->id = event->id;
	pthread_mutex_lock(&client->lock);
	r = question_push(client, event, answer);
	pthread_mutex_unlock(&client->lock);
	return r;
}

static bool verdict_valid(enum bailey_verdict verdict)
{
	return verdict == BAILEY_VERDICT_ALLOW ||
	       verdict == BAILEY_VERDICT_DENY;
}

int bailey_answer(struct bailey_client *client, struct bailey_event *event,
		  enum bailey_verdict verdict, enum bailey_scope scope,
		  const struct bailey_finding *finding)
{
	struct wire_answer answer = {
		.type = WIRE_ANSWER_VERDICT,
		.verdict = verdict,
		.scope = scope,
	};
	int r = finding_copy(finding, &answer);

	if (r < 0) {
		return r;
	}
	if (!verdict_valid(verdict) ||
	    (unsigned)scope > BAILEY_SCOPE_OBJECT_EXE) {
		return -EINVAL;
	}
	return question_say(client, event, &answer);
}

int bailey_extend(struct bailey_client *client, struct bailey_event *event,
		  unsigned ms)
{
	struct wire_answer answer = { .type = WIRE_ANSWER_EXTEND, .ms = ms };

	return ms == 0 ? -EINVAL : question_say(client, event, &answer);
}

int bailey_defer(struct bailey_client *client, struct bailey_event *event)
{
	struct wire_answer answer = { .type = WIRE_ANSWER_DEFER };

	return question_say(client, event, &answer);
}

/* What decides no question: counted in a record, else sent. */
static int other_say(struct bailey_client *client,
		     const struct wire_answer *answer)
{
	int r = 0;

	pthread_mutex_lock(&client->lock);
	if (client->record != NULL) {
		client->record->answers++;
	} else {
		r = answer_push(client, answer, KEPT);
	}
	pthread_mutex_unlock(&client->lock);
	return r;
}

int bailey_revise(struct bailey_client *client,
		  const struct bailey_object *object,
		  enum bailey_verdict verdict,
		  const struct bailey_finding *finding)
{
	struct wire_answer answer = {
		.type = WIRE_ANSWER_REVISE,
		.verdict = verdict,
		.object = *object,
	};
	int r = finding_copy(finding, &answer);

	if (r < 0) {
		return r;
	}
	if (!verdict_valid(verdict)) {
		return -EINVAL;
	}
	return client_is_child(client) ? -EPIPE : other_say(client, &answer);
}

int bailey_report(struct bailey_client *client, struct bailey_event *event,
		  const struct bailey_finding *finding)
{
	struct wire_answer answer = {
		.type = WIRE_ANSWER_REPORT,
		.slot = event->slot,
		.id = event->id,
	};
	int r = finding == NULL ? -EINVAL : finding_copy(finding, &answer);

	if (r < 0) {
		return r;
	}
	r = answer_check(client, event);
	return r < 0 ? r : other_say(client, &answer);
}
