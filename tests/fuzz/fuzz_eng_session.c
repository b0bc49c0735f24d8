/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any sequence of datagrams on a product's session. The input: for each two
 * bytes of length, one byte of flags, the bytes.
 */
#include <sys/socket.h>

#include "fuzz_eng.h"

#define WITH_HELLO 1u
#define WITH_DESCRIPTOR 2u
#define WITH_TURN 4u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void send_bytes(const uint8_t *bytes, size_t size, bool descriptor)
{
	struct iovec iov = { (void *)(uintptr_t)bytes, size };
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct msghdr h = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (descriptor) {
		h.msg_control = &control;
		h.msg_controllen = sizeof(control);
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(&control.header), &files[0], sizeof(int));
	}
	sendmsg(hostile.session, &h, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* Replies are taken and thrown away; a descriptor that comes is closed. */
static void take_replies(void)
{
	struct wire_reply reply;

	while (recv(hostile.session, &reply, sizeof(reply), MSG_DONTWAIT) > 0) {
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t at = 1;

	fuzz_begin();
	if (size && data[0] & WITH_HELLO) {
		must(replay_hello(&hostile) == 0);
	}
	while (at + 3 <= size) {
		size_t n = data[at] | (size_t)data[at + 1] << 8;
		uint8_t flags = data[at + 2];

		at += 3;
		n = n < size - at ? n : size - at;
		send_bytes(data + at, n, flags & WITH_DESCRIPTOR);
		at += n;
		if (flags & WITH_TURN) {
			replay_open(r, files[1], REPLAY_PID + 1);
			replay_turn(r);
		} else {
			eng_service_turn(r->e, 0);
		}
		take_replies();
	}
	fuzz_end();
	return 0;
}
