/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lib/agent_stand_in.c - a bailey-content that hands all it inherited to a test
 *
 * Connects to relay.sock in the content directory, sends its descriptors from
 * AGENT_FD_MONITOR on, and lives until the test hangs up. The test is the
 * agent (agent_relay.h).
 */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "proto/agent.h"

#define COUNT (AGENT_FD_END - AGENT_FD_MONITOR)

int main(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(COUNT * sizeof(int))];
	} control = { 0 };
	char byte = 1;
	struct iovec iov = { &byte, 1 };
	struct msghdr h = { .msg_iov = &iov, .msg_iovlen = 1,
			    .msg_control = &control,
			    .msg_controllen = sizeof(control) };
	int socket_fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);

	snprintf(address.sun_path, sizeof(address.sun_path),
		 "/proc/self/fd/%d/relay.sock", AGENT_FD_CONTENT);
	if (connect(socket_fd, (struct sockaddr *)&address,
		    sizeof(address)) < 0) {
		return 3;
	}
	control.header.cmsg_level = SOL_SOCKET;
	control.header.cmsg_type = SCM_RIGHTS;
	control.header.cmsg_len = CMSG_LEN(COUNT * sizeof(int));
	for (int i = 0; i < COUNT; i++) {
		int fd = AGENT_FD_MONITOR + i;

		memcpy(CMSG_DATA(&control.header) + (size_t)i * sizeof(int),
		       &fd, sizeof(fd));
	}
	if (sendmsg(socket_fd, &h, 0) < 0) {
		return 4;
	}
	return read(socket_fd, &byte, 1) < 0;
}
