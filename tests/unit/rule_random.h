/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random rules and facts over a small world, and a naive evaluator: it keeps
 * each filter as a tree and tries every rule, by the words of bailey.rules(5).
 */
#ifndef TESTS_RULE_RANDOM_H
#define TESTS_RULE_RANDOM_H

#include "rule_lib.h"

#define RANDOM_NODES 16

struct random_node {
	enum { NODE_LEAF, NODE_NOT, NODE_AND, NODE_OR } type;
	int left, right;
	/* leaves */
	enum { LEAF_PATH, LEAF_PREFIX, LEAF_GLOB, LEAF_EXE, LEAF_OBJECT,
	       LEAF_UID, LEAF_OWNER, LEAF_SIZE, LEAF_SHA256, LEAF_STAFF,
	       LEAF_TYPES } leaf;
	char path[64];
	bool any_namespace;
	uint64_t number;
};

struct random_rule {
	enum rule_action action;
	bool open, exec;
	int priority, nodes;            /* 0 nodes: no filter */
	struct random_node node[RANDOM_NODES];
};

/* Fills a rule and appends its line to text; returns the bytes. */
size_t random_rule(uint32_t *seed, struct random_rule *ret_rule, char *text);
/* Strings of the facts live in storage. */
void random_facts(uint32_t *seed, char storage[2][64], uint8_t hash[32],
		  struct rule_facts *ret_facts);
/* What the naive evaluator says of count rules; lines count from 1. */
enum rule_action random_eval(const struct random_rule *rules, int count,
			     const struct rule_facts *facts, int *ret_line);

#endif
