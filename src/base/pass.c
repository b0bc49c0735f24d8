/* SPDX-License-Identifier: Apache-2.0 */
#include "base/pass.h"

#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

union pass_control {
	struct cmsghdr align;
	char bytes[CMSG_SPACE(PASS_FDS * sizeof(int))];
};

int pass_send(int socket, const void *bytes, size_t size, const int *fds,
	      size_t count, int flags)
{
	union pass_control control = { 0 };
	struct iovec part = { .iov_base = (void *)(uintptr_t)bytes,
			      .iov_len = size };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };
	ssize_t n;

	if (count > PASS_FDS) {
		return -E2BIG;
	}
	if (count) {
		struct cmsghdr *c;

		message.msg_control = control.bytes;
		message.msg_controllen = CMSG_SPACE(count * sizeof(int));
		c = CMSG_FIRSTHDR(&message);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(count * sizeof(int));
		memcpy(CMSG_DATA(c), fds, count * sizeof(int));
	}
	do {
		n = sendmsg(socket, &message, flags | MSG_NOSIGNAL);
	} while (n < 0 && errno == EINTR);
	return n < 0 ? result_errno() : 0;
}

void pass_close(const int *fds, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		close(fds[i]);
	}
}

int pass_receive(int socket, void *ret_bytes, size_t size, int *ret_fds,
		 size_t *ret_count, int flags)
{
	union pass_control control;
	struct iovec part = { .iov_base = ret_bytes, .iov_len = size };
	struct msghdr message = {
		.msg_iov = &part, .msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes),
	};
	ssize_t n;

	*ret_count = 0;
	do {
		n = recvmsg(socket, &message, flags | MSG_CMSG_CLOEXEC);
	} while (n < 0 && errno == EINTR);
	if (n < 0) {
		return result_errno();
	}
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c;
	     c = CMSG_NXTHDR(&message, c)) {
		if (c->cmsg_level == SOL_SOCKET &&
		    c->cmsg_type == SCM_RIGHTS) {
			*ret_count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
			memcpy(ret_fds, CMSG_DATA(c), *ret_count * sizeof(int));
		}
	}
	if (n == 0) {
		return 0;
	}
	if ((size_t)n != size || message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) {
		pass_close(ret_fds, *ret_count);
		*ret_count = 0;
		return -EBADMSG;
	}
	return 1;
}
