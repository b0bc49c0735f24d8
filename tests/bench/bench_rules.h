/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/bench/bench_rules.h - the administrator's rules of a case
 */
#ifndef BENCH_RULES_H
#define BENCH_RULES_H

#include "lib/ns_env.h"

enum bench_rules {
	BENCH_RULES_NONE,
	BENCH_RULES_OBJECT,     /* allow each file of the tree, by identity */
	BENCH_RULES_PATH,       /* allow everything below the tree */
	BENCH_RULES_BIG,        /* the same, the last among 10,000 */
	BENCH_RULES_EVIL        /* deny admin_evil0 */
};

/* Writes them where `bailey run --state` looks for them. Called in a child
 * that stands in the environment's tree. 0 or a negated errno. */
int bench_rules_write(const struct ns_env *env, enum bench_rules rules)
	__attribute__((warn_unused_result));

#endif
