/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/fake_view.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *const fake_sockets[] = { "view.sock", "admin.sock" };

static void fake_need(int good, const char *what)
{
	if (!good) {
		perror(what);
		abort();
	}
}

struct fake_view *fake_view_new(void)
{
	struct fake_view *fake = calloc(1, sizeof(*fake));

	fake_need(fake != NULL, "calloc");
	strcpy(fake->dir, "/tmp/bailey-fake.XXXXXX");
	fake_need(mkdtemp(fake->dir) != NULL, "mkdtemp");
	fake->seen = mmap(NULL, sizeof(*fake->seen), PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	fake_need(fake->seen != MAP_FAILED, "mmap");
	return fake;
}

void fake_view_record(struct fake_view *fake, enum fake_side side,
		      unsigned request, uint32_t type, void *record,
		      size_t size)
{
	struct fake_reply *reply = &fake->reply[side][request];
	struct view_head head = { .type = type, .size = (uint32_t)size };

	fake_need(reply->count < FAKE_RECORDS, "records");
	memcpy(record, &head, sizeof(head));
	reply->record[reply->count].bytes = malloc(size);
	fake_need(reply->record[reply->count].bytes != NULL, "malloc");
	memcpy(reply->record[reply->count].bytes, record, size);
	reply->record[reply->count].size = size;
	reply->count++;
}

void fake_view_mischief(struct fake_view *fake, enum fake_side side,
			unsigned request, enum fake_mischief mischief,
			int error)
{
	fake->reply[side][request].mischief = mischief;
	fake->reply[side][request].error = error;
}

static int fake_send(int fd, const void *bytes, size_t size)
{
	return send(fd, bytes, size, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

static void fake_end(int fd, enum fake_side side, int error, int wrong,
		     size_t size)
{
	struct view_end end = {
		.head.type = (side == FAKE_ENGINE) != wrong ? VIEW_END :
			     (uint32_t)ADMIN_END,
		.head.size = sizeof(end),
		.error = (uint32_t)error,
	};

	fake_send(fd, &end, size);
}

static void fake_finish(int fd, enum fake_side side,
			const struct fake_reply *reply)
{
	static char big[16384];
	struct view_end lie = { .head = { VIEW_END, 4 } };

	memset(big, 0xa5, sizeof(big));
	switch (reply->mischief) {
	case FAKE_STALL:
		for (;;) {
			pause();
		}
	case FAKE_HANG_UP:
		break;
	case FAKE_TRUNCATED:
		fake_end(fd, side, 0, 0, sizeof(struct view_end) - 1);
		break;
	case FAKE_GARBAGE:
		fake_send(fd, big, 64);
		break;
	case FAKE_OVERSIZE:
		fake_send(fd, big, sizeof(big));
		break;
	case FAKE_LYING_SIZE:
		fake_send(fd, &lie, sizeof(lie));
		break;
	case FAKE_WRONG_SIDE:
		fake_end(fd, side, 0, 1, sizeof(struct view_end));
		break;
	case FAKE_ERROR:
		fake_end(fd, side, reply->error, 0, sizeof(struct view_end));
		break;
	case FAKE_GOOD:
	case FAKE_EMPTY:
	case FAKE_ENDLESS:
		fake_end(fd, side, 0, 0, sizeof(struct view_end));
		break;
	}
}

/* One connection: one request, its records, its end. */
static void fake_serve(struct fake_view *fake, enum fake_side side, int fd)
{
	union { struct view_request view; struct admin_request admin; } ask;
	size_t want = side == FAKE_ENGINE ? sizeof(ask.view) :
					    sizeof(ask.admin);
	const struct fake_reply *reply;
	unsigned type, i;

	if (recv(fd, &ask, sizeof(ask), 0) != (ssize_t)want) {
		return;
	}
	type = side == FAKE_ENGINE ? ask.view.type : ask.admin.type;
	if (type >= FAKE_REQUESTS) {
		return;
	}
	if (side == FAKE_ENGINE) {
		fake->seen->view = ask.view;
	} else {
		fake->seen->admin = ask.admin;
	}
	fake->seen->count[side][type]++;
	reply = &fake->reply[side][type];
	do {
		for (i = 0; reply->mischief != FAKE_EMPTY &&
			    i < reply->count; i++) {
			if (fake_send(fd, reply->record[i].bytes,
				      reply->record[i].size) < 0) {
				return;
			}
		}
	} while (reply->mischief == FAKE_ENDLESS);
	fake_finish(fd, side, reply);
}

static void fake_loop(struct fake_view *fake, pid_t parent)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent) {
		_exit(1);               /* it ended before that */
	}
	signal(SIGCHLD, SIG_IGN);
	for (;;) {
		struct pollfd p[FAKE_SIDES];
		int i;

		for (i = 0; i < FAKE_SIDES; i++) {
			p[i] = (struct pollfd){ .fd = fake->listener[i],
						.events = POLLIN };
		}
		if (poll(p, FAKE_SIDES, -1) < 0) {
			_exit(1);
		}
		for (i = 0; i < FAKE_SIDES; i++) {
			int fd = p[i].revents ?
				accept(fake->listener[i], NULL, NULL) : -1;

			if (fd < 0) {
				continue;
			}
			parent = getpid();
			if (fork() == 0) {
				prctl(PR_SET_PDEATHSIG, SIGKILL);
				if (getppid() != parent) {
					_exit(1);
				}
				fake_serve(fake, (enum fake_side)i, fd);
				_exit(0);
			}
			close(fd);
		}
	}
}

static int fake_listen(const struct fake_view *fake, enum fake_side side)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s/%s",
		 fake->dir, fake_sockets[side]);
	fake_need(fd >= 0, "socket");
	fake_need(bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0,
		  "bind");
	fake_need(listen(fd, 16) == 0, "listen");
	return fd;
}

void fake_view_start(struct fake_view *fake, unsigned sides)
{
	pid_t parent = getpid();
	int i;

	for (i = 0; i < FAKE_SIDES; i++) {
		fake->listener[i] = sides & 1u << i ?
			fake_listen(fake, (enum fake_side)i) : -1;
	}
	fflush(NULL);
	fake->pid = fork();
	fake_need(fake->pid >= 0, "fork");
	if (fake->pid == 0) {
		fake_loop(fake, parent);
	}
	for (i = 0; i < FAKE_SIDES; i++) {
		if (fake->listener[i] >= 0) {
			close(fake->listener[i]);
		}
	}
}

static void fake_free_replies(struct fake_view *fake)
{
	unsigned side, type, i;

	for (side = 0; side < FAKE_SIDES; side++) {
		for (type = 0; type < FAKE_REQUESTS; type++) {
			struct fake_reply *reply = &fake->reply[side][type];

			for (i = 0; i < reply->count; i++) {
				free(reply->record[i].bytes);
			}
		}
	}
}

void fake_view_free(struct fake_view *fake)
{
	char path[128];
	int i;

	if (!fake) {
		return;
	}
	if (fake->pid > 0) {
		kill(fake->pid, SIGKILL);
		waitpid(fake->pid, NULL, 0);
	}
	for (i = 0; i < FAKE_SIDES; i++) {
		snprintf(path, sizeof(path), "%s/%s", fake->dir,
			 fake_sockets[i]);
		unlink(path);
	}
	rmdir(fake->dir);
	fake_free_replies(fake);
	munmap(fake->seen, sizeof(*fake->seen));
	free(fake);
}
