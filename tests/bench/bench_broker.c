/* SPDX-License-Identifier: Apache-2.0 */
/* tests/bench/bench_broker.c - see bench_broker.h */
#include "bench/bench_broker.h"

#include <errno.h>

static const char *const names[BROKER_KINDS] = {
#define X(sym, name) name,
	BROKER_TABLE(X)
#undef X
};

const char *broker_name(enum broker_kind kind)
{
	return names[kind];
}

int broker_start(struct server *ret_server, enum broker_kind kind,
		 const struct bench_paths *paths)
{
	switch (kind) {
	case BROKER_NONE:
		return server_start_none(ret_server, paths->trivial);
	case BROKER_FLOOR:
		return server_start_floor(ret_server, paths->trivial);
	case BROKER_FAPOLICYD:
		return server_start_fapolicyd(ret_server, paths->trivial);
	default:
		return -ENOENT;
	}
}
