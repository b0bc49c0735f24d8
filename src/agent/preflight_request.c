/* SPDX-License-Identifier: Apache-2.0 */
/*
 * preflight_request.c - what the product asks for over its session
 *
 * The same table as the engine's (eng_request.c): type, phases, sizes,
 * handler; what does not fit is a protocol fault. Nothing that it sends is an
 * index or a size here unchecked, and its descriptors are never taken.
 */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "agent/preflight_run.h"
#include "base/pass.h"
#include "base/text.h"

#define REQUESTS_A_TURN 64u

struct request {
	struct wire_request head;
	const void *body;
	size_t size;
	uint32_t detail;
};

static int on_hello(struct preflight_run *run, struct request *r)
{
	const struct wire_hello *hello = r->body;
	struct preflight_outcome *o = &run->outcome;
	const struct preflight_plan *plan = &run->plan;

	if (hello->version != WIRE_VERSION) {
		run_over(run, PREFLIGHT_PROTOCOL, NULL,
			 "speaks wire version %u, not %u", hello->version,
			 WIRE_VERSION);
		return BAILEY_E_VERSION;
	}
	memcpy(o->schema, hello->schema, sizeof(o->schema));
	o->schema[sizeof(o->schema) - 1] = '\0';
	o->fields = hello->field_count;
	if (plan->check_schema && (strcmp(o->schema, plan->schema) != 0 ||
				   o->fields != plan->fields)) {
		run_over(run, PREFLIGHT_SCHEMA, NULL,
			 "the running code reads schema \"%s\" with %u "
			 "fields, the content is \"%s\" with %u", o->schema,
			 o->fields, plan->schema, plan->fields);
		return BAILEY_E_SCHEMA;
	}
	if (wire_hello(run) < 0) {
		run_over(run, PREFLIGHT_UNCLEAR, NULL,
			 "no memory or descriptors for its session");
		return ENOMEM;
	}
	run->phase = PREFLIGHT_LOADING;
	return -1;              /* replied */
}

static const struct manifest_event *granted(const struct manifest_event *list,
					    uint32_t kind)
{
	for (size_t i = 0; i < MANIFEST_EVENTS && list[i].kind; i++) {
		if (list[i].kind == kind) {
			return &list[i];
		}
	}
	return NULL;
}

int run_subscribed(const struct preflight_run *run, uint32_t kind)
{
	for (size_t i = 0; i < run->subscriptions; i++) {
		if (run->subscribed[i].kind == kind) {
			return (int)i;
		}
	}
	return -1;
}

static int on_subscribe(struct preflight_run *run, struct request *r)
{
	const struct bailey_subscription *list = r->body;
	const struct manifest *m = run->plan.manifest;
	size_t n = 0;

	for (uint32_t i = 0; i < r->head.count; i++) {
		const struct manifest_event *ask = granted(m->ask,
							   list[i].kind);
		const struct manifest_event *g =
			ask ? ask : granted(m->notify, list[i].kind);
		uint32_t ms = list[i].deadline_ms;

		r->detail = i;
		if (list[i].size != sizeof(*list)) {
			return EINVAL;
		}
		if (!g && !(list[i].flags & BAILEY_WANT_OPTIONAL)) {
			return BAILEY_E_NOT_ASKED;
		}
		if (!g) {
			continue;
		}
		run->subscribed[n].kind = list[i].kind;
		run->subscribed[n].question = ask != NULL;
		run->subscribed[n].file = list[i].flags & BAILEY_WANT_FILE &&
					  m->see_files;
		run->subscribed[n++].deadline_ms =
			ms && ms < g->deadline_ms ? ms : g->deadline_ms;
	}
	run->subscriptions = n;
	r->detail = 0;
	return 0;
}

static int mutes_change(struct preflight_run *run, struct request *r, bool add)
{
	const struct bailey_mute *list = r->body;

	for (uint32_t i = 0; i < r->head.count; i++) {
		size_t at = 0;

		if (list[i].size != sizeof(*list) || !list[i].by ||
		    list[i].by > BAILEY_MUTE_EXE ||
		    !memchr(list[i].path, 0, sizeof(list[i].path))) {
			return EINVAL;
		}
		while (at < run->mutes && memcmp(&run->mute[at], &list[i],
						 sizeof(*list)) != 0) {
			at++;
		}
		if (add && at == WIRE_MUTES) {
			return BAILEY_E_FULL;
		}
		if (!add && at == run->mutes) {
			return ENOENT;
		}
		if (add && at == run->mutes) {
			run->mute[run->mutes++] = list[i];
		} else if (!add) {
			run->mute[at] = run->mute[--run->mutes];
		}
	}
	return 0;
}

static int on_mute(struct preflight_run *run, struct request *r)
{
	return mutes_change(run, r, true);
}

static int on_unmute(struct preflight_run *run, struct request *r)
{
	return mutes_change(run, r, false);
}

static int on_ready(struct preflight_run *run, struct request *r)
{
	(void)r;
	if (run->phase == PREFLIGHT_LOADING) {
		run->phase = PREFLIGHT_ASKING;
		run->outcome.figures.ready_ns =
			mono_between(run->started, mono_now());
	}
	return 0;
}

static int on_text_begin(struct preflight_run *run, struct request *r)
{
	(void)r;
	return rules_text_begin(&run->rules);
}

static int on_text_add(struct preflight_run *run, struct request *r)
{
	return rules_text_add(&run->rules, r->body, r->size);
}

static int on_text_commit(struct preflight_run *run, struct request *r)
{
	struct rule_error error;
	int e = rules_text_commit(&run->rules, run->plan.manifest, &error);

	if (e == BAILEY_E_RULE) {
		r->detail = (uint32_t)error.line;
		run_over(run, PREFLIGHT_RULE, NULL, "rule refused: line %d: %s",
			 error.line, error.text);
	}
	return e;
}

static int on_set_begin(struct preflight_run *run, struct request *r)
{
	return rules_set_begin(&run->rules, r->body);
}

static int on_set_add(struct preflight_run *run, struct request *r)
{
	return rules_set_add(&run->rules, r->body, r->size);
}

static int on_set_remove(struct preflight_run *run, struct request *r)
{
	return rules_set_remove(&run->rules, r->body, r->size);
}

static int on_set_commit(struct preflight_run *run, struct request *r)
{
	(void)r;
	return rules_set_commit(&run->rules);
}

static int on_log(struct preflight_run *run, struct request *r)
{
	const struct wire_log *log = r->body;
	struct preflight_outcome *o = &run->outcome;
	char *text;

	if (o->logs == PREFLIGHT_LOGS) {
		memmove(o->log[0], o->log[1],
			(PREFLIGHT_LOGS - 1) * sizeof(o->log[0]));
		o->logs--;
	}
	text = o->log[o->logs++];
	text_format(text, PREFLIGHT_TEXT, "%.*s", (int)sizeof(log->text),
		    log->text);
	for (; *text; text++) {
		if ((unsigned char)*text < 0x20 || *text == 0x7f) {
			*text = '?';
		}
	}
	return -1;              /* never answered */
}

#define PHASE(p) (1u << PREFLIGHT_##p)
#define ANY (PHASE(LOADING) | PHASE(ASKING))

static const struct {
	int (*act)(struct preflight_run *, struct request *);
	uint32_t phases;
} table[] = {
	[WIRE_REQUEST_HELLO] = { on_hello, PHASE(START) },
	[WIRE_REQUEST_SUBSCRIBE] = { on_subscribe, ANY },
	[WIRE_REQUEST_MUTE] = { on_mute, ANY },
	[WIRE_REQUEST_UNMUTE] = { on_unmute, ANY },
	[WIRE_REQUEST_READY] = { on_ready, ANY },
	[WIRE_REQUEST_TEXT_BEGIN] = { on_text_begin, ANY },
	[WIRE_REQUEST_TEXT_ADD] = { on_text_add, ANY },
	[WIRE_REQUEST_TEXT_COMMIT] = { on_text_commit, ANY },
	[WIRE_REQUEST_SET_BEGIN] = { on_set_begin, ANY },
	[WIRE_REQUEST_SET_ADD] = { on_set_add, ANY },
	[WIRE_REQUEST_SET_REMOVE] = { on_set_remove, ANY },
	[WIRE_REQUEST_SET_COMMIT] = { on_set_commit, ANY },
	[WIRE_REQUEST_LOG] = { on_log, ANY },
};

static bool fits(const struct preflight_run *run, const struct request *r)
{
	return wire_request_fits(&r->head, r->size) &&
	       r->head.type < sizeof(table) / sizeof(*table) &&
	       table[r->head.type].act &&
	       (table[r->head.type].phases & 1u << run->phase);
}

static void handle(struct preflight_run *run, struct request *r)
{
	struct wire_reply reply = { .type = r->head.type };
	int e;

	if (!fits(run, r)) {
		run_over(run, PREFLIGHT_PROTOCOL, run->question.name,
			 "sent a request that does not fit (type %u)",
			 r->head.type);
		return;
	}
	reply.error = table[r->head.type].act(run, r);
	reply.detail = r->detail;
	if (reply.error >= 0) {
		/* A product that does not read its replies misses them. */
		e = pass_send(run->session, &reply, sizeof(reply), NULL, 0,
			      MSG_DONTWAIT);
		(void)e;
	}
}

/* Nothing more will come: its process's end says why. */
static void closed(struct preflight_run *run)
{
	fd_closep(&run->session);
	run->session = -1;
	if (run->phase != PREFLIGHT_OVER) {
		run->phase = PREFLIGHT_GONE;
		run->gone = mono_now();
	}
}

void run_requests(struct preflight_run *run)
{
	static char bytes[WIRE_REQUEST_MAX] __attribute__((aligned(8)));

	for (unsigned i = 0; i < REQUESTS_A_TURN && run->session >= 0 &&
	     run->phase != PREFLIGHT_OVER; i++) {
		struct iovec iov = { bytes, sizeof(bytes) };
		struct msghdr h = { .msg_iov = &iov, .msg_iovlen = 1 };
		struct request r = { 0 };
		ssize_t n = recvmsg(run->session, &h, MSG_DONTWAIT);

		if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
			return;
		}
		if (n <= 0) {
			closed(run);
			return;
		}
		if ((h.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) ||
		    (size_t)n < sizeof(r.head)) {
			run_over(run, PREFLIGHT_PROTOCOL, run->question.name,
				 "sent %s", h.msg_flags & MSG_CTRUNC
				 ? "descriptors" : "a malformed request");
			return;
		}
		memcpy(&r.head, bytes, sizeof(r.head));
		r.body = bytes + sizeof(r.head);
		r.size = (size_t)n - sizeof(r.head);
		handle(run, &r);
	}
}
