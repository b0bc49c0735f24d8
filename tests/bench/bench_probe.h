/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/bench/bench_probe.h - how long opens and program starts take
 *
 * Each call forks one process into the environment, gives up root there for
 * `uid`, and does its work in that process, one operation after the other:
 * what one program feels. Opens are timed alone, the close is not part of it.
 */
#ifndef BENCH_PROBE_H
#define BENCH_PROBE_H

#include <stdint.h>
#include <sys/types.h>

#include "bench/bench_stat.h"
#include "lib/ns_env.h"

#define PROBE_MAX 200000u       /* operations a call */
#define PROBE_UID 60001u        /* an ordinary user of nobody's */

struct probe {
	const char *name;       /* open: files name0..; exec: the program */
	unsigned files;         /* how many of them, in turn */
	unsigned count;         /* operations that are timed */
	unsigned warm;          /* operations before that are not */
	unsigned think_us;      /* sleep before each: a host that idles */
	uid_t uid;
	int limit_ms;           /* the whole call is given up after this */
};

struct probe_result {
	struct stat_summary ns;
	uint32_t failed;        /* operations that were refused */
};

int probe_open(const struct ns_env *env, const struct probe *probe,
	       struct probe_result *ret_result)
	__attribute__((warn_unused_result));
/* posix_spawn of ./name, to the end of wait: a whole life of a program. */
int probe_exec(const struct ns_env *env, const struct probe *probe,
	       struct probe_result *ret_result)
	__attribute__((warn_unused_result));

#endif
