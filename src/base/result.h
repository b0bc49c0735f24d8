/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base/result.h - the result rule, and cleanup attributes
 *
 * Every function that can fail returns int: 0 is good; negative is fatal for
 * the call, a negated errno, only forwarded; positive is a named condition
 * that the caller handles on the spot. Must-use everywhere.
 */
#ifndef BASE_RESULT_H
#define BASE_RESULT_H

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#define must_use __attribute__((warn_unused_result))

/* errno of the call that just failed, negated and never 0. */
static inline int result_errno(void)
{
	return errno > 0 ? -errno : -EIO;
}

/* int fd __attribute__((cleanup(fd_closep))) = -1; */
static inline void fd_closep(int *fd)
{
	if (*fd >= 0) {
		close(*fd);
	}
}

static inline void freep(void *pointer)
{
	free(*(void **)pointer);
}

#define cleanup_fd __attribute__((cleanup(fd_closep)))
#define cleanup_free __attribute__((cleanup(freep)))

/* Hands a descriptor on: the variable no longer owns it. */
static inline int fd_take(int *fd)
{
	int taken = *fd;

	*fd = -1;
	return taken;
}

#endif
