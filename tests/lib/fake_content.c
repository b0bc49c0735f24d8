/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/fake_content.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proto/content.h"

#define FAKE_OVERSIZE (80u * 1024)
#define FAKE_END "{\"end\":true,\"error\":0,\"text\":\"\"}"

static void fake_need(int good, const char *what)
{
	if (!good) {
		perror(what);
		abort();
	}
}

struct fake_content *fake_content_new(void)
{
	struct fake_content *fake = calloc(1, sizeof(*fake));

	fake_need(fake != NULL, "calloc");
	strcpy(fake->dir, "/tmp/bailey-fake.XXXXXX");
	fake_need(mkdtemp(fake->dir) != NULL, "mkdtemp");
	fake->seen = mmap(NULL, sizeof(*fake->seen), PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	fake_need(fake->seen != MAP_FAILED, "mmap");
	fake->listener = -1;
	strcpy(fake->end_text, FAKE_END);
	return fake;
}

void fake_content_record(struct fake_content *fake, const char *json)
{
	fake_need(fake->records < FAKE_CONTENT_RECORDS, "records");
	fake->record[fake->records] = strdup(json);
	fake_need(fake->record[fake->records] != NULL, "strdup");
	fake->records++;
}

void fake_content_end(struct fake_content *fake, enum fake_content_end end,
		      const char *text)
{
	fake->end = end;
	snprintf(fake->end_text, sizeof(fake->end_text), "%s",
		 text ? text : FAKE_END);
}

static int fake_send(int fd, const void *bytes, size_t size)
{
	return send(fd, bytes, size, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

static void fake_finish(const struct fake_content *fake, int fd)
{
	size_t length = strlen(fake->end_text);
	char *big;

	switch (fake->end) {
	case FAKE_CONTENT_STALL:
		for (;;) {
			pause();
		}
	case FAKE_CONTENT_HANG_UP:
		return;
	case FAKE_CONTENT_CUT:
		fake_send(fd, fake->end_text, length - 1);
		return;
	case FAKE_CONTENT_EMPTY:
		fake_send(fd, "", 0);
		pause();
		return;
	case FAKE_CONTENT_GARBAGE:
	case FAKE_CONTENT_OVERSIZE:
		big = malloc(FAKE_OVERSIZE);
		fake_need(big != NULL, "malloc");
		memset(big, 0xa5, FAKE_OVERSIZE);
		fake_send(fd, big, fake->end == FAKE_CONTENT_GARBAGE ? 64 :
			  FAKE_OVERSIZE);
		free(big);
		return;
	case FAKE_CONTENT_GOOD:
	case FAKE_CONTENT_ENDLESS:
		fake_send(fd, fake->end_text, length);
	}
}

/* The request, and whether a directory came with it. */
static int fake_receive(struct fake_content *fake, int fd)
{
	char control[CMSG_SPACE(sizeof(int))];
	struct iovec part = { fake->seen->request,
			      sizeof(fake->seen->request) - 1 };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1,
				  .msg_control = control,
				  .msg_controllen = sizeof(control) };
	struct cmsghdr *head;
	struct stat st;
	ssize_t n = recvmsg(fd, &message, 0);

	if (n <= 0) {
		return -1;
	}
	fake->seen->request[n] = '\0';
	head = CMSG_FIRSTHDR(&message);
	if (head && head->cmsg_type == SCM_RIGHTS) {
		memcpy(&fd, CMSG_DATA(head), sizeof(fd));
		fake->seen->passed = fstat(fd, &st) == 0 &&
				     S_ISDIR(st.st_mode);
	}
	fake->seen->count++;
	return 0;
}

static void fake_serve(struct fake_content *fake, int fd)
{
	size_t i;

	if (fake_receive(fake, fd) < 0) {
		return;
	}
	do {
		for (i = 0; i < fake->records; i++) {
			if (fake_send(fd, fake->record[i],
				      strlen(fake->record[i])) < 0) {
				return;
			}
		}
	} while (fake->end == FAKE_CONTENT_ENDLESS);
	fake_finish(fake, fd);
}

static void fake_loop(struct fake_content *fake, pid_t parent)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent) {
		_exit(1);               /* it ended before that */
	}
	for (;;) {
		int fd = accept(fake->listener, NULL, NULL);

		if (fd < 0) {
			_exit(1);
		}
		fake_serve(fake, fd);
		close(fd);
	}
}

void fake_content_start(struct fake_content *fake)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	pid_t parent = getpid();

	snprintf(address.sun_path, sizeof(address.sun_path),
		 "%s/" CONTENT_SOCKET, fake->dir);
	fake->listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	fake_need(fake->listener >= 0, "socket");
	fake_need(bind(fake->listener, (struct sockaddr *)&address,
		       sizeof(address)) == 0, "bind");
	fake_need(listen(fake->listener, 8) == 0, "listen");
	fflush(NULL);
	fake->pid = fork();
	fake_need(fake->pid >= 0, "fork");
	if (fake->pid == 0) {
		fake_loop(fake, parent);
	}
}

void fake_content_free(struct fake_content *fake)
{
	char path[128];
	size_t i;

	if (!fake) {
		return;
	}
	if (fake->pid > 0) {
		kill(fake->pid, SIGKILL);
		waitpid(fake->pid, NULL, 0);
	}
	if (fake->listener >= 0) {
		close(fake->listener);
	}
	for (i = 0; i < fake->records; i++) {
		free(fake->record[i]);
	}
	snprintf(path, sizeof(path), "%s/" CONTENT_SOCKET, fake->dir);
	unlink(path);
	rmdir(fake->dir);
	munmap(fake->seen, sizeof(*fake->seen));
	free(fake);
}
