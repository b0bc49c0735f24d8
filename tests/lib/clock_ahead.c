/* SPDX-License-Identifier: Apache-2.0 */
/*
 * clock_ahead - preloaded into a program: its wall clock is $CLOCK_AHEAD_S
 * seconds ahead of the machine's
 */
#include <stdint.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int clock_gettime(clockid_t clock, struct timespec *ret_time)
{
	const char *ahead = getenv("CLOCK_AHEAD_S");
	int r = (int)syscall(SYS_clock_gettime, clock, ret_time);

	if (r == 0 && clock == CLOCK_REALTIME && ahead) {
		ret_time->tv_sec += strtol(ahead, NULL, 10);
	}
	return r;
}
