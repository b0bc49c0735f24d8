/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/bench/bench_server.h - who answers the opens of one case
 *
 * Each server has an environment of its own, so that all of them can stand
 * side by side in one run and be measured in turn. The broker's part is
 * bench_broker.h.
 */
#ifndef BENCH_SERVER_H
#define BENCH_SERVER_H

#include <stdint.h>

#include "lib/ns_env.h"

struct server {
	struct ns_env env;
	pid_t child;            /* ours: ended and reaped by server_stop() */
	pid_t daemon;           /* left our tree (fapolicyd); ended by pid */
	bool made;
};

/* Environment with the files that all cases open:
 *   rootN   root's, 0644: nobody else can write them
 *   userN   writable for all
 *   trivial a static program
 * and nobody who answers. */
int server_start_none(struct server *ret_server, const char *trivial)
	__attribute__((warn_unused_result));
int server_start_floor(struct server *ret_server, const char *trivial)
	__attribute__((warn_unused_result));
/* Debian's package: allow all, permissive, watching this tmpfs alone.
 * -ENOENT if it is not installed. */
int server_start_fapolicyd(struct server *ret_server, const char *trivial)
	__attribute__((warn_unused_result));

/* Makes name0, name1... in its tree, with this mode, root's. */
int server_add_files(struct server *server, const char *name, unsigned count,
		     unsigned mode) __attribute__((warn_unused_result));
/* Processor time since their start of all processes that answer. */
uint64_t server_cpu_ns(const struct server *server);
/* Null-safe in effect: a server that never started is left alone. */
void server_stop(struct server *server);

#define SERVER_FILES 64u        /* of each kind */

#endif
