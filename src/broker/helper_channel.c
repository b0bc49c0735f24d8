/* SPDX-License-Identifier: Apache-2.0 */
/* broker/helper_channel.c - datagrams with descriptors */
#include "broker/helper_internal.h"

#include <string.h>
#include <sys/socket.h>

union channel_control {
	struct cmsghdr align;
	char bytes[CMSG_SPACE(HELPER_FDS * sizeof(int))];
};

int channel_send(int socket, const void *bytes, size_t size, const int *fds,
		 size_t count)
{
	union channel_control control = { 0 };
	struct iovec part = { .iov_base = (void *)bytes, .iov_len = size };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };
	ssize_t n;

	if (count > HELPER_FDS) {
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
		n = sendmsg(socket, &message, MSG_NOSIGNAL);
	} while (n < 0 && errno == EINTR);
	return n < 0 ? result_errno() : 0;
}

void channel_close_fds(const int *fds, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		close(fds[i]);
	}
}

int channel_receive(int socket, void *ret_bytes, size_t size, int *ret_fds,
		    size_t *ret_count)
{
	union channel_control control;
	struct iovec part = { .iov_base = ret_bytes, .iov_len = size };
	struct msghdr message = {
		.msg_iov = &part, .msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes),
	};
	ssize_t n;

	*ret_count = 0;
	do {
		n = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
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
		channel_close_fds(ret_fds, *ret_count);
		*ret_count = 0;
		return -EBADMSG;
	}
	return 1;
}
