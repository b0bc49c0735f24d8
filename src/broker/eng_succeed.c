/* SPDX-License-Identifier: Apache-2.0 */
/*
 * eng_succeed.c - a worker takes over what a dead one left
 *
 * The predecessor may have died at any instruction. What can be relied on:
 *
 *   the descriptor table   an event descriptor that is open and not ours is a
 *                          question that the kernel may still wait for
 *   read_buffer            the kernel copies an event's record there before it
 *                          installs the descriptor
 *   asked_by[]             who asked through each descriptor; cleared before
 *                          the close. Our own death while we take over changes
 *                          nothing of it, where the questions are reset.
 *   table->verdict[]       written before the answer, cleared before the close:
 *                          what stands there is the answer, repeat it
 *   regions                the heads of the queues that products read
 *
 * Everything else is rebuilt from these: open questions enter anew, as if just
 * read. An object and uid under which workers died twice is not looked at
 * again (eng_intake.c).
 */
#include <string.h>
#include <poll.h>
#include <sys/fanotify.h>

#include "broker/eng.h"

#define SUCCEED_POLL 1024      /* no more than the smallest RLIMIT_NOFILE */

static_assert(HANDOFF_FDS % SUCCEED_POLL == 0, "whole polls");

static void succeed_blame(struct engine *e)
{
	const struct question *q;
	size_t at = 0;

	if (!e->own_death || e->current >= ENG_QUESTIONS) {
		return;
	}
	q = &e->question[e->current];
	if (!q->object.inode) { /* it died before it knew which */
		return;
	}
	for (size_t i = 0; i < ENG_DEATHS; i++) {
		if (e->death[i].inode == q->object.inode &&
		    e->death[i].device == q->object.device &&
		    e->death[i].uid == q->asker.uid) {
			e->death[i].count++;
			return;
		}
		if (e->death[i].count < e->death[at].count) {
			at = i;
		}
	}
	e->death[at].device = q->object.device;
	e->death[at].inode = q->object.inode;
	e->death[at].uid = q->asker.uid;
	e->death[at].count = 1;
}

/* A slot that was being given away is the product's if either queue's head
 * moved; if none did, it is free again. */
static void succeed_giving(struct session *s, const struct wire_events *events)
{
	if (s->giving && events->questions.head == s->question_head &&
	    events->news.head == s->news_head) {
		s->slot[s->giving - 1].id = 0;
	}
	s->giving = 0;
	s->question_head = events->questions.head;
	s->news_head = events->news.head;
}

/* The answer that the dead one was about may have been taken already. Twice is
 * the same as once but for a slot's release, which would be a fault. */
static void succeed_taking(struct session *s,
			   const struct wire_answers *answers)
{
	struct wire_answer a = answers->answer[s->answers_taken % WIRE_ANSWERS];

	if (s->answers_taken != answers->head &&
	    a.type == WIRE_ANSWER_RELEASE && a.slot < WIRE_SLOTS &&
	    s->slot[a.slot].id != a.id) {
		s->answers_taken++;
	}
}

static void succeed_sessions(struct engine *e)
{
	/* It may have died between one being dropped and its bit. */
	e->active = 0;
	for (uint32_t i = 0; i < HANDOFF_PRODUCTS; i++) {
		struct session *s = &e->session[i];

		succeed_giving(s, e->region[i].events);
		succeed_taking(s, e->region[i].answers);
		if (s->phase == SESSION_SERVING || s->phase == SESSION_ENDING) {
			e->active |= 1u << i;
		}
		s->probe = QUESTION_NONE;
		s->free_count = 0;
		s->files_out = 0;
		s->view.held = 0;
		for (uint32_t n = 0; n < WIRE_SLOTS; n++) {
			s->slot[n].question = QUESTION_NONE;
			s->files_out += s->slot[n].file;
			if (s->slot[n].id) {
				s->view.held++;
			} else if (n < s->manifest.hold) {
				s->free_slot[s->free_count++] = (uint16_t)n;
			}
		}
	}
}

/* What the dead one had read and not yet noted. A number that is not an event's
 * any more is not looked at by succeed_descriptors(). */
static void succeed_read(struct engine *e)
{
	const struct fanotify_event_metadata *m = (const void *)e->read_buffer;
	long left = sizeof(e->read_buffer);

	for (; FAN_EVENT_OK(m, left); m = FAN_EVENT_NEXT(m, left)) {
		eng_asked_by(e, m->fd, m->pid, m->mask);
	}
	memset(e->read_buffer, 0, sizeof(e->read_buffer));
}

static void succeed_questions_reset(struct engine *e)
{
	memset(e->uid_open, 0, sizeof(e->uid_open));
	memset(e->twin, 0, sizeof(e->twin));
	memset(e->leader, 0, sizeof(e->leader));
	e->open_count = 0;
	e->used_count = 0;
	e->unsent_count = 0;
	for (uint32_t i = 0; i < ENG_QUESTIONS; i++) {
		e->question[i].index = i;
		e->question[i].fd = -1;
		e->question[i].state = QUESTION_FREE;
		e->free_question[i] = i;
	}
}

/* Which numbers are open: one poll says it of a thousand, where a call for each
 * would cost the askers milliseconds. */
static void succeed_open(bool ret_open[HANDOFF_FDS])
{
	static struct pollfd p[SUCCEED_POLL];

	for (int from = 0; from < (int)HANDOFF_FDS; from += SUCCEED_POLL) {
		for (int i = 0; i < SUCCEED_POLL; i++) {
			p[i] = (struct pollfd){ .fd = from + i };
		}
		/* Should it fail, all count as open: to answer and close a
		 * number that nobody has does nothing. */
		int r = poll(p, SUCCEED_POLL, 0);

		for (int i = 0; i < SUCCEED_POLL; i++) {
			ret_open[from + i] = r < 0 ||
					     !(p[i].revents & POLLNVAL);
		}
	}
}

static void succeed_descriptors(struct engine *e)
{
	static uint8_t what[HANDOFF_FDS];
	static bool is_open[HANDOFF_FDS];
	enum { CLOSED, STRAY, OPEN, ANSWERED };

	succeed_open(is_open);
	for (int fd = HANDOFF_FD_END; fd < (int)HANDOFF_FDS; fd++) {
		what[fd] = CLOSED;
		if (e->ours[fd] || !is_open[fd]) {
			continue;
		}
		what[fd] = e->table->verdict[fd] != HANDOFF_VERDICT_NONE
				   ? ANSWERED
			   : e->asked_by[fd] ? OPEN : STRAY;
	}
	succeed_questions_reset(e);
	for (int fd = HANDOFF_FD_END; fd < (int)HANDOFF_FDS; fd++) {
		if (what[fd] == OPEN) {
			e->view.handed_over++;
			eng_intake(e, fd, e->asked_by[fd] & UINT32_MAX,
				   (int32_t)(e->asked_by[fd] >> 32));
		} else if (what[fd] != CLOSED) {
			eng_source_answer(e, fd,
					  e->table->verdict[fd] ==
							  HANDOFF_VERDICT_DENY
						  ? BAILEY_VERDICT_DENY
						  : BAILEY_VERDICT_ALLOW);
			eng_close_later(e, fd);
		}
	}
}

void eng_succeed(struct engine *e)
{
	succeed_blame(e);
	process_table_recover(e->processes);
	e->current = QUESTION_NONE;
	e->next_due = (mono_t){ 0 };
	e->asleep = 0;
	/* they stand in the table, and are answered */
	e->storms.first = e->storms.count = 0;
	memset(e->storms.at, 0, sizeof(e->storms.at));
	e->close.head = e->close.tail = e->close.sleepers = 0;
	e->service_kicked = 0;
	e->snapshot = NULL;     /* mapped by the dead one only */
	process_table_recover(e->processes);
	succeed_sessions(e);
	succeed_read(e);
	succeed_descriptors(e);
}
