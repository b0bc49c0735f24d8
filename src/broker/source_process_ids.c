/* SPDX-License-Identifier: Apache-2.0 */
/* See source_process_ids.h. */
#include "broker/source_process_ids.h"

#include <linux/cn_proc.h>
#include <linux/connector.h>
#include <linux/netlink.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

/* cn_msg ends in a flexible array, so the message is laid out in bytes. */
static int tell(int socket, uint32_t operation)
{
	unsigned char message[NLMSG_SPACE(sizeof(struct cn_msg) +
					  sizeof operation)] = { 0 };
	struct nlmsghdr netlink = {
		.nlmsg_len = NLMSG_LENGTH(sizeof(struct cn_msg) +
					  sizeof operation),
		.nlmsg_type = NLMSG_DONE,
	};
	struct cn_msg connector = {
		.id = { .idx = CN_IDX_PROC, .val = CN_VAL_PROC },
		.len = sizeof operation,
	};
	unsigned char *at = message;

	memcpy(at, &netlink, sizeof netlink);
	at += NLMSG_HDRLEN;
	memcpy(at, &connector, sizeof connector);
	at += sizeof connector;
	memcpy(at, &operation, sizeof operation);
	if (send(socket, message, netlink.nlmsg_len, MSG_NOSIGNAL) < 0) {
		return result_errno();
	}
	return 0;
}

int process_ids_open(int filter_fd, int *ret_socket)
{
	struct sockaddr_nl address = {
		.nl_family = AF_NETLINK, .nl_groups = CN_IDX_PROC
	};
	int fd cleanup_fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC |
				   SOCK_NONBLOCK, NETLINK_CONNECTOR);
	int r;

	if (fd < 0) {
		return result_errno();
	}
	/* First the filter: nothing is to be queued, ever. */
	if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_BPF, &filter_fd,
		       sizeof filter_fd) < 0 ||
	    bind(fd, (struct sockaddr *)&address, sizeof address) < 0) {
		return result_errno();
	}
	r = tell(fd, PROC_CN_MCAST_LISTEN);
	if (r < 0) {
		return r;
	}
	*ret_socket = fd_take(&fd);
	return 0;
}

void process_ids_close(int socket)
{
	if (socket >= 0) {
		(void)tell(socket, PROC_CN_MCAST_IGNORE);
		close(socket);
	}
}
