/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/bench/bench_broker.h - each server that a case may need, by name
 *
 * The broker's are `bailey run` in the foreground with manifests and rules
 * that are written here, started as an administrator would start it.
 */
#ifndef BENCH_BROKER_H
#define BENCH_BROKER_H

#include "bench/bench_case.h"
#include "bench/bench_server.h"

/* X(SYMBOL, "name") */
#define BROKER_TABLE(X)                                                       \
	X(NONE, "bare")                                                       \
	X(FLOOR, "floor")                                                     \
	X(FAPOLICYD, "fapolicyd")                                             \
	X(KCACHED, "kcached")                                                 \
	X(ECACHED, "ecached")                                                 \
	X(RULE, "rule")                                                       \
	X(PATHRULE, "pathrule")                                               \
	X(BIGRULES, "bigrules")                                               \
	X(ASK1, "ask1")                                                       \
	X(ASK3, "ask3")

enum broker_kind {
#define X(sym, name) BROKER_##sym,
	BROKER_TABLE(X)
#undef X
	BROKER_KINDS,
	BROKER_FIRST = BROKER_KCACHED   /* from here on it is `bailey run` */
};

const char *broker_name(enum broker_kind kind);
int broker_start(struct server *ret_server, enum broker_kind kind,
		 const struct bench_paths *paths)
	__attribute__((warn_unused_result));

#endif
