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
 * last one. One set at a time: what ends meanwhile is not collected.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>

#include "base/log.h"
#include "base/pass.h"
#include "broker/eng.h"

#define LAST_KEEP_NS (5 * MONO_S)

static int last_duplicate(struct engine *e, int fd)
{
	int own = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, HANDOFF_FD_END);

	if (own >= 0) {
		e->ours[own] = 1;
	}
	return own;
}

static void last_add(struct engine *e, int fd, uint32_t kind)
{
	if (fd >= 0) {
		e->last.fd[e->last.count] = fd;
		e->last.kind[e->last.count++] = kind;
	}
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
	if (!s->expect.managed ||
	    atomic_load(&e->last.state) != LAST_FREE) {
		eng_last_forget(e, s);
		return;
	}
	e->last.index = s->index;
	e->last.instance = s->instance;
	e->last.count = 0;
	last_add(e, s->hung, s->hung_kind);
	s->hung = -1;
	for (uint32_t n = 0; n < WIRE_SLOTS && e->last.count < AGENT_HELD;
	     n++) {
		const struct question *q = last_held(e, &s->slot[n]);

		if (q) {
			last_add(e, last_duplicate(e, q->fd),
				 eng_kind_event[q->kind]);
		}
	}
	if (e->last.count) {
		atomic_store(&e->last.state, LAST_FILLED);
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
	for (uint32_t i = 0; i < e->last.count; i++) {
		last_drop(e, &e->last.fd[i]);
	}
	e->last.count = 0;
	atomic_store(&e->last.state, LAST_FREE);
}

int eng_last_send(struct engine *e)
{
	struct handoff_message m = { .type = HANDOFF_LAST_QUESTIONS,
				     .index = e->last.index,
				     .instance = e->last.instance,
				     .number = e->last.count };

	if (atomic_load(&e->last.state) == LAST_FILLED) {
		memcpy(m.kind, e->last.kind, sizeof(m.kind));
		if (pass_send(HANDOFF_FD_CONTROL, &m, sizeof(m), e->last.fd,
			      e->last.count, MSG_DONTWAIT) < 0) {
			log_warning("what a product held last is not told: "
				    "%m");
		}
		e->last.sent = mono_now();
		atomic_store(&e->last.state, LAST_SENT);
	}
	if (atomic_load(&e->last.state) != LAST_SENT) {
		return -1;
	}
	if (mono_between(e->last.sent, mono_now()) > LAST_KEEP_NS) {
		atomic_store(&e->last.state, LAST_OVER);
		eng_reply_kick(e);
		return -1;
	}
	return (int)(LAST_KEEP_NS / MONO_MS);
}
