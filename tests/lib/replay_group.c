/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/replay_group.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "base/mono.h"
#include "broker/handoff.h"

static struct replay_group *the_group;  /* one a process, as HANDOFF_FD_GROUP */

ssize_t __real_read(int fd, void *buffer, size_t size);
ssize_t __real_write(int fd, const void *buffer, size_t size);
int __real_clock_gettime(clockid_t clock, struct timespec *ret_time);
int __real_fanotify_mark(int group, unsigned int flags, uint64_t mask, int at,
			 const char *path);
ssize_t __wrap_read(int fd, void *buffer, size_t size);
ssize_t __wrap_write(int fd, const void *buffer, size_t size);
int __wrap_clock_gettime(clockid_t clock, struct timespec *ret_time);
int __wrap_fanotify_mark(int group, unsigned int flags, uint64_t mask, int at,
			 const char *path);

static void group_enter(struct replay_group *g)
{
	atomic_fetch_add(&g->inside, 1);
	pthread_mutex_lock(&g->lock);
}

static void group_leave(struct replay_group *g)
{
	pthread_mutex_unlock(&g->lock);
	atomic_fetch_sub(&g->inside, 1);
}

static void group_install(struct replay_question *q,
			  struct fanotify_event_metadata *ret_event)
{
	q->fd = q->file < 0 ? FAN_NOFD
			    : fcntl(q->file, F_DUPFD_CLOEXEC, HANDOFF_FD_END);
	q->state = q->fd < 0 ? REPLAY_ANSWERED : REPLAY_READ;
	q->denied = q->fd < 0;          /* as the kernel does */
	*ret_event = (struct fanotify_event_metadata){
		.event_len = FAN_EVENT_METADATA_LEN,
		.vers = FANOTIFY_METADATA_VERSION,
		.metadata_len = FAN_EVENT_METADATA_LEN,
		.mask = q->mask, .fd = q->fd, .pid = q->pid,
	};
}

static ssize_t group_read(struct replay_group *g, void *buffer, size_t size)
{
	struct fanotify_event_metadata *m = buffer;
	size_t n = 0;
	uint64_t unread;

	group_enter(g);
	while (g->first < g->count &&
	       (n + 1) * FAN_EVENT_METADATA_LEN <= size) {
		group_install(&g->question[g->first++], &m[n++]);
	}
	if (g->first == g->count) {
		(void)!__real_read(HANDOFF_FD_GROUP, &unread, sizeof(unread));
	}
	group_leave(g);
	if (!n) {
		errno = EAGAIN;
	}
	return n ? (ssize_t)(n * FAN_EVENT_METADATA_LEN) : -1;
}

static ssize_t group_answer(struct replay_group *g,
			    const struct fanotify_response *r, size_t size)
{
	ssize_t result = -1;

	group_enter(g);
	for (uint32_t i = 0; i < g->first && result < 0; i++) {
		struct replay_question *q = &g->question[i];

		if (q->state == REPLAY_READ && q->fd == r->fd) {
			q->state = REPLAY_ANSWERED;
			q->denied = r->response & FAN_DENY;
			result = (ssize_t)size;
		}
	}
	g->strangers += result < 0;
	group_leave(g);
	if (result < 0) {
		errno = ENOENT;
	}
	return result;
}

ssize_t __wrap_read(int fd, void *buffer, size_t size)
{
	return the_group && fd == HANDOFF_FD_GROUP
		       ? group_read(the_group, buffer, size)
		       : __real_read(fd, buffer, size);
}

ssize_t __wrap_write(int fd, const void *buffer, size_t size)
{
	return the_group && fd == HANDOFF_FD_GROUP
		       ? group_answer(the_group, buffer, size)
		       : __real_write(fd, buffer, size);
}

int __wrap_fanotify_mark(int group, unsigned int flags, uint64_t mask, int at,
			 const char *path)
{
	struct replay_group *g = the_group;

	if (!g || group != HANDOFF_FD_GROUP) {
		return __real_fanotify_mark(group, flags, mask, at, path);
	}
	group_enter(g);
	g->ignored += flags & FAN_MARK_ADD ? 1 : 0;
	g->flushed += flags & FAN_MARK_FLUSH ? 1 : 0;
	group_leave(g);
	if (g->mark_fails) {
		errno = EINVAL;
		return -1;
	}
	return 0;
}

int __wrap_clock_gettime(clockid_t clock, struct timespec *ret_time)
{
	const struct replay_group *g = the_group;
	int r = __real_clock_gettime(clock, ret_time);
	uint64_t ns;

	if (r < 0 || !g || g->flows) {
		return r;
	}
	ns = (uint64_t)ret_time->tv_sec * MONO_S + (uint64_t)ret_time->tv_nsec;
	ns = clock == CLOCK_MONOTONIC ? g->mono_ns
				      : ns + (uint64_t)g->wall_offset_ns;
	ret_time->tv_sec = (time_t)(ns / MONO_S);
	ret_time->tv_nsec = (long)(ns % MONO_S);
	return r;
}

struct replay_group *replay_group_new(void)
{
	struct replay_group *g = mmap(NULL, sizeof(*g), PROT_READ | PROT_WRITE,
				      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);

	if (g == MAP_FAILED || fd < 0 ||
	    (fd != HANDOFF_FD_GROUP && dup2(fd, HANDOFF_FD_GROUP) < 0)) {
		abort();
	}
	if (fd != HANDOFF_FD_GROUP) {
		close(fd);
	}
	pthread_mutex_init(&g->lock, NULL);
	g->mono_ns = mono_now().ns;
	g->wall_offset_ns = 60 * (int64_t)MONO_S;       /* files are old */
	the_group = g;
	return g;
}

void replay_group_free(struct replay_group *group)
{
	the_group = NULL;
	close(HANDOFF_FD_GROUP);
	munmap(group, sizeof(*group));
}

uint32_t replay_group_ask(struct replay_group *group, int file, int32_t pid,
			  uint64_t mask)
{
	const uint64_t one = 1;
	uint32_t at;

	group_enter(group);
	at = group->count++;
	if (at >= REPLAY_QUESTIONS) {
		abort();
	}
	group->question[at] = (struct replay_question){
		.state = REPLAY_QUEUED, .pid = pid, .mask = mask,
		.file = file, .fd = -1 };
	(void)!__real_write(HANDOFF_FD_GROUP, &one, sizeof(one));
	group_leave(group);
	return at;
}

void replay_advance(struct replay_group *group, uint64_t ms)
{
	group->mono_ns += ms * MONO_MS;
	group->wall_offset_ns += (int64_t)(ms * MONO_MS);
}
