/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base/pass.h - datagrams of one fixed size, with descriptors
 *
 * How the broker's processes talk: SEQPACKET, one struct a datagram. flags as
 * for sendmsg(2) and recvmsg(2): MSG_DONTWAIT where nobody may be waited for.
 */
#ifndef BASE_PASS_H
#define BASE_PASS_H

#include <stddef.h>

#include "base/result.h"

#define PASS_FDS 16u            /* in one datagram */

/* 0, or an errno. fds stay the caller's. */
int pass_send(int socket, const void *bytes, size_t size, const int *fds,
	      size_t count, int flags) must_use;
/* 1 a datagram of exactly size, 0 the end, or an errno (-EBADMSG: another
 * size; its descriptors are closed). ret_fds: PASS_FDS of them, owned,
 * close-on-exec. */
int pass_receive(int socket, void *ret_bytes, size_t size, int *ret_fds,
		 size_t *ret_count, int flags) must_use;
void pass_close(const int *fds, size_t count);

#endif
