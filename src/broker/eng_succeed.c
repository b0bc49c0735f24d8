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

#ifndef FAN_OPEN_EXEC_PERM
#define FAN_OPEN_EXEC_PERM 0x00040000
#endif

static const uint64_t kind_mask[ENG_KINDS] = {
	[ENG_OPEN] = FAN_OPEN_PERM,
	[ENG_EXEC] = FAN_OPEN_EXEC_PERM,
};

#define SUCCEED_POLL 1024      /* no more than the smallest RLIMIT_NOFILE */

static_assert(HANDOFF_FDS % SUCCEED_POLL == 0, "whole polls");

struct inherited {
	int32_t pid;
	uint64_t mask;
};

static void succeed_blame(struct engine *e)
{
	const struct question *q;
	size_t at = 0;

	if (e->current >= ENG_QUESTIONS) {
		return;
	}
	q = &e->question[e->current];
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

static void succeed_sessions(struct engine *e)
{
	for (uint32_t i = 0; i < HANDOFF_PRODUCTS; i++) {
		struct session *s = &e->session[i];

		s->question_head = e->region[i].events->questions.head;
		s->news_head = e->region[i].events->news.head;
		s->probe = QUESTION_NONE;
		s->free_count = 0;
		s->files_out = 0;
		s->view.held = 0;
		for (uint32_t n = 0; n < WIRE_SLOTS; n++) {
			s->slot[n].question = QUESTION_NONE;
			s->files_out += s->slot[n].file;
			if (s->slot[n].id) {
				s->view.held++;
			} else if (s->free_count < s->manifest.hold) {
				s->free_slot[s->free_count++] = (uint16_t)n;
			}
		}
	}
}

/* Who asked through this descriptor: its open question, or the last read. */
static bool succeed_find(const struct engine *e, int fd,
			 struct inherited *ret_event)
{
	const struct fanotify_event_metadata *m = (const void *)e->read_buffer;
	long left = sizeof(e->read_buffer);

	for (uint32_t i = 0; i < ENG_QUESTIONS; i++) {
		const struct question *q = &e->question[i];

		if (q->state != QUESTION_FREE && q->fd == fd) {
			*ret_event = (struct inherited){ q->asker.pid,
							 kind_mask[q->kind] };
			return true;
		}
	}
	for (; FAN_EVENT_OK(m, left); m = FAN_EVENT_NEXT(m, left)) {
		if (m->fd == fd) {
			*ret_event = (struct inherited){ m->pid, m->mask };
			return true;
		}
	}
	return false;
}

static void succeed_questions_reset(struct engine *e)
{
	memset(e->uid_open, 0, sizeof(e->uid_open));
	memset(e->twin, 0, sizeof(e->twin));
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
	static struct inherited event[HANDOFF_FDS];
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
			   : succeed_find(e, fd, &event[fd]) ? OPEN : STRAY;
	}
	succeed_questions_reset(e);
	for (int fd = HANDOFF_FD_END; fd < (int)HANDOFF_FDS; fd++) {
		if (what[fd] == OPEN) {
			e->view.handed_over++;
			eng_intake(e, fd, event[fd].mask, event[fd].pid);
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
	e->close.head = e->close.tail = e->close.sleepers = 0;
	e->service_kicked = 0;
	e->snapshot = NULL;     /* mapped by the dead one only */
	process_table_recover(e->processes);
	succeed_sessions(e);
	succeed_descriptors(e);
	memset(e->read_buffer, 0, sizeof(e->read_buffer));
}
