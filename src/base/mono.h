/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base/mono.h - time that only goes forward and stands still in suspend
 */
#ifndef BASE_MONO_H
#define BASE_MONO_H

#include <stdint.h>
#include <time.h>

/* A point in time, ns of CLOCK_MONOTONIC. A type of its own, so that it is
 * never mixed with a duration or with wall-clock time. */
typedef struct {
	uint64_t ns;
} mono_t;

#define MONO_MS 1000000ull
#define MONO_S 1000000000ull

static inline mono_t mono_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (mono_t){ (uint64_t)t.tv_sec * MONO_S + (uint64_t)t.tv_nsec };
}

static inline mono_t mono_add(mono_t t, uint64_t ns)
{
	return (mono_t){ t.ns + ns };
}

/* How long from a to b; 0 if b is not later. */
static inline uint64_t mono_between(mono_t a, mono_t b)
{
	return b.ns > a.ns ? b.ns - a.ns : 0;
}

/* Wall clock, ns since 1970: for people and records only. */
static inline uint64_t wall_now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (uint64_t)t.tv_sec * MONO_S + (uint64_t)t.tv_nsec;
}

#endif
