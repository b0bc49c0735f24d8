/* SPDX-License-Identifier: Apache-2.0 */
/* Modes that misuse the session's sockets and pipes. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>

#include "rogue.h"
#include "wire_raw.h"

/* Subscribed with descriptors, none ever received. */
int mode_no_receive(const char *argument)
{
	struct raw raw;

	raw_serve(&raw, BAILEY_WANT_FILE);
	return raw_loop(&raw);
}

/* What does not fit is dropped: this end's description has O_NONBLOCK. The
 * jail refuses to clear it; where that works it is set again, for all that a
 * blocking end does is to stop this product. */
int mode_pipes(const char *argument)
{
	struct wire_answer question;
	char bytes[4096] = { 0 };
	struct raw raw;
	int fd;

	raw_serve(&raw, 0);
	fd = raw.fd[WIRE_FD_WAKE_ENGINE];
	raw_say("clear O_NONBLOCK", fcntl(fd, F_SETFL, 0));
	(void)fcntl(fd, F_SETFL, O_NONBLOCK);
	while (raw_next(&raw, &question) == 0) {
		while (write(fd, bytes, sizeof(bytes)) > 0) {
		}
		raw_allow(&raw, &question);
	}
	return EX_UNAVAILABLE;
}

int mode_garbage(const char *argument)
{
	static char bytes[WIRE_REQUEST_MAX];
	struct wire_answer question;
	uint64_t state = rogue_now() | 1;
	struct raw raw;

	raw_serve(&raw, 0);
	(void)raw_next(&raw, &question);
	while (rogue_may_live()) {
		uint64_t size = rogue_random(&state) % sizeof(bytes);
		uint32_t type = (uint32_t)rogue_random(&state) % 16;

		for (size_t i = 0; i < sizeof(bytes); i += sizeof(state)) {
			(void)rogue_random(&state);
			memcpy(bytes + i, &state, sizeof(state));
		}
		memcpy(bytes, &type, sizeof(type));
		if (send(WIRE_SESSION_FD, bytes, size,
			 MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
			usleep(1000);
		}
	}
	return EXIT_FAILURE;
}

int mode_flood(const char *argument)
{
	struct wire_request request = { .type = WIRE_REQUEST_READY };
	struct wire_answer question;
	struct raw raw;

	raw_serve(&raw, 0);
	(void)raw_next(&raw, &question);
	while (rogue_may_live()) {
		if (send(WIRE_SESSION_FD, &request, sizeof(request),
			 MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
			usleep(100);
		}
	}
	return EXIT_FAILURE;
}

int mode_close(const char *argument)
{
	struct wire_answer question;
	struct raw raw;

	raw_serve(&raw, 0);
	(void)raw_next(&raw, &question);
	close(WIRE_SESSION_FD);
	return rogue_sleep_forever();
}

static ssize_t send_fd(int socket, int fd)
{
	struct wire_request request = { .type = WIRE_REQUEST_READY };
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec iov = { &request, sizeof(request) };
	struct msghdr message = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *c = CMSG_FIRSTHDR(&message);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	return sendmsg(socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

int mode_send_fds(const char *argument)
{
	struct wire_answer question;
	struct raw raw;

	raw_serve(&raw, 0);
	(void)raw_next(&raw, &question);
	while (rogue_may_live()) {
		ssize_t files = send_fd(raw.fd[WIRE_FD_FILES],
					raw.fd[WIRE_FD_ANSWERS]);
		ssize_t session = send_fd(WIRE_SESSION_FD,
					  raw.fd[WIRE_FD_ANSWERS]);

		if (files < 0 && session < 0) {
			usleep(1000);
		}
	}
	return EXIT_FAILURE;
}
