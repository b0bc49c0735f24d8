/* SPDX-License-Identifier: Apache-2.0 */
/*
 * eng_last.c - what a product held when its session ended
 *
 * Was it the content or the object? Whoever decides that replays the last
 * questions in a jail, with the old content and with the new. So the objects
 * that a product with managed content held at its end go to the monitor: at
 * most AGENT_HELD descriptors, each a duplicate of the event's own, read-only
 * and without questions of its own.
 *
 * Reply thread: duplicates, and closes (by the closers: a deleted file's last
 * descriptor can take seconds). Service thread: sends. Ours stay open for
 * LAST_KEEP_NS after that, so that nobody who merely passes them on closes the
 * last one. ENG_LAST_SETS at a time: content that crashes is tried again at
 * once, and each crash is to be told. What ends beyond that is not collected.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>

#include "base/log.h"
#include "base/pass.h"
#include "broker/eng.h"

#define LAST_KEEP_NS (1 * MONO_S)

static int last_duplicate(struct engine *e, int fd)
{
	int own = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, HANDOFF_FD_END);

	if (own >= 0) {
		e->ours[own] = 1;
	}
	return own;
}

static void last_add(struct last_questions *last, int fd, uint32_t kind)
{
	if (fd >= 0) {
		last->fd[last->count] = fd;
		last->kind[last->count++] = kind;
	}
}

static struct last_questions *last_free(struct engine *e)
{
	for (uint32_t i = 0; i < ENG_LAST_SETS; i++) {
		if (atomic_load(&e->last[i].state) == LAST_FREE) {
			return &e->last[i];
		}
	}
	return NULL;
}

static const struct question *last_held(const struct engine *e,
					const struct slot *slot)
{
	const struct question *q = slot->id && slot->question < ENG_QUESTIONS
					   ? &e->question[slot->question]
					   : NULL;

	return q && q->id == slot->id ? q : NULL;
}

void eng_last_collect(struct engine *e, struct session *s)
{
	struct last_questions *last = s->expect.managed ? last_free(e) : NULL;

	if (!last) {
		eng_last_forget(e, s);
		return;
	}
	last->index = s->product;
	last->instance = s->instance;
	last->count = 0;
	last_add(last, s->hung, s->hung_kind);
	s->hung = -1;
	for (uint32_t n = 0; n < WIRE_SLOTS && last->count < AGENT_HELD; n++) {
		const struct question *q = last_held(e, &s->slot[n]);

		if (q) {
			last_add(last, last_duplicate(e, q->fd),
				 eng_kind_event[q->kind]);
		}
	}
	if (last->count) {
		atomic_store(&last->state, LAST_FILLED);
	}
}

/* It is silent since this question: should it stay so, this is what it hangs
 * over. By the time that is known the question has long been answered. */
void eng_last_hung(struct engine *e, struct session *s,
		   const struct question *q)
{
	if (s->expect.managed && s->hung < 0) {
		s->hung = last_duplicate(e, q->fd);
		s->hung_kind = eng_kind_event[q->kind];
	}
}

static void last_drop(struct engine *e, int *fd)
{
	if (*fd >= 0) {
		e->ours[*fd] = 0;
		eng_close_later(e, *fd);
		*fd = -1;
	}
}

void eng_last_forget(struct engine *e, struct session *s)
{
	last_drop(e, &s->hung);
}

void eng_last_close(struct engine *e)
{
	for (uint32_t i = 0; i < ENG_LAST_SETS; i++) {
		struct last_questions *last = &e->last[i];

		if (atomic_load(&last->state) != LAST_OVER) {
			continue;
		}
		for (uint32_t n = 0; n < last->count; n++) {
			last_drop(e, &last->fd[n]);
		}
		last->count = 0;
		atomic_store(&last->state, LAST_FREE);
	}
}

static int last_send(struct engine *e, struct last_questions *last)
{
	struct handoff_message m = { .type = HANDOFF_LAST_QUESTIONS,
				     .index = last->index,
				     .instance = last->instance,
				     .number = last->count };

	if (atomic_load(&last->state) == LAST_FILLED) {
		memcpy(m.kind, last->kind, sizeof(m.kind));
		if (pass_send(HANDOFF_FD_CONTROL, &m, sizeof(m), last->fd,
			      last->count, MSG_DONTWAIT) < 0) {
			log_warning("what a product held last is not told: "
				    "%m");
		}
		last->sent = mono_now();
		atomic_store(&last->state, LAST_SENT);
	}
	if (atomic_load(&last->state) != LAST_SENT) {
		return -1;
	}
	if (mono_between(last->sent, mono_now()) > LAST_KEEP_NS) {
		atomic_store(&last->state, LAST_OVER);
		atomic_store(&e->last_over, 1);
		eng_reply_kick(e);
		return -1;
	}
	return (int)(LAST_KEEP_NS / MONO_MS);
}

int eng_last_send(struct engine *e)
{
	int wait = -1;

	for (uint32_t i = 0; i < ENG_LAST_SETS; i++) {
		int ms = last_send(e, &e->last[i]);

		wait = ms > wait ? ms : wait;
	}
	return wait;
}
