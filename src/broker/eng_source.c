/* SPDX-License-Identifier: Apache-2.0 */
/*
 * eng_source.c - from the kernel's fanotify group to a question, and back
 *
 * First of the seven files that tell the life of one question (eng.h).
 *
 * The group is read without blocking, straight into shared memory: a successor
 * finds what a dead worker had taken. One read takes at most ENG_READ_EVENTS
 * events, so that it never needs more descriptors than that. EAGAIN does not
 * mean that the queue is empty (a user's write lease makes the kernel refuse
 * the open with it); the loop polls, level-triggered, and comes back.
 *
 * An event whose object the kernel could not open has already been denied by
 * the kernel; where FAN_REPORT_FD_ERROR is known we see it and count it.
 */
#include <string.h>
#include <sys/fanotify.h>

#include "base/log.h"
#include "broker/eng.h"

#ifndef FAN_OPEN_EXEC_PERM      /* Linux 5.0 */
#define FAN_OPEN_EXEC_PERM 0x00040000
#endif

/* Noted for all of a batch before the first of it is looked at: a worker that
 * dies over one must not lose who asked the others. */
void eng_asked_by(struct engine *e, int fd, int32_t pid, uint64_t mask)
{
	if (fd >= 0 && fd < (int)HANDOFF_FDS) {
		atomic_store_explicit(&e->asked_by[fd],
				      (uint64_t)(uint32_t)pid << 32 |
					      (uint32_t)mask,
				      memory_order_relaxed);
	}
}

int eng_source_read(struct engine *e)
{
	struct fanotify_event_metadata *m;
	int32_t pids[ENG_READ_EVENTS];
	ssize_t n, left;
	uint32_t count = 0;
	int taken = 0;

	if (eng_close_brake(e)) {
		return 0;
	}
	n = read(HANDOFF_FD_GROUP, e->read_buffer,
		 ENG_READ_EVENTS * FAN_EVENT_METADATA_LEN);
	if (n <= 0) {
		return 0;
	}
	left = n;
	for (m = (void *)e->read_buffer; FAN_EVENT_OK(m, left);
	     m = FAN_EVENT_NEXT(m, left)) {
		eng_asked_by(e, m->fd, m->pid, m->mask);
		if (count < ENG_READ_EVENTS) {
			pids[count++] = m->pid;
		}
	}
	/* Once for the batch: what an asker did before it asked stands in the
	 * ring before the question stands in the group, and now it waits. */
	eng_records_drain(e);
	eng_storm_look(e, pids, count);
	for (m = (void *)e->read_buffer; FAN_EVENT_OK(m, n);
	     m = FAN_EVENT_NEXT(m, n)) {
		taken++;
		if (m->fd < 0) {
			e->view.kernel_denied++;
			continue;
		}
		eng_intake(e, m->fd, m->mask, m->pid);
	}
	/* All of them stand in questions or are answered: a later death must
	 * not find them here and take them for new ones. */
	memset(e->read_buffer, 0, sizeof(e->read_buffer));
	atomic_fetch_add_explicit(&e->table->progress, 1,
				  memory_order_relaxed);
	return taken;
}

void eng_source_note(struct engine *e, int fd, enum bailey_verdict verdict)
{
	atomic_store_explicit(&e->table->verdict[fd],
			      verdict == BAILEY_VERDICT_DENY
				      ? HANDOFF_VERDICT_DENY
				      : HANDOFF_VERDICT_ALLOW,
			      memory_order_release);
}

void eng_source_answer(struct engine *e, int fd, enum bailey_verdict verdict)
{
	struct fanotify_response r = {
		.fd = fd,
		.response = verdict == BAILEY_VERDICT_DENY ? FAN_DENY
							   : FAN_ALLOW,
	};

	/* What stands in the table is what the monitor or a successor repeats
	 * if we die between this line and the next. */
	eng_source_note(e, fd, verdict);
	/* ENOENT: a successor or the monitor answered already. Nothing else
	 * can be done about a failure here; the count shows it. */
	if (write(HANDOFF_FD_GROUP, &r, sizeof(r)) < 0 && errno != ENOENT) {
		e->view.handed_over++;
	}
	atomic_fetch_add_explicit(&e->table->progress, 1,
				  memory_order_relaxed);
}
