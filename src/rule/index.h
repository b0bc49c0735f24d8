/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rule/index.h - under which keys a rule is found
 *
 * A rule may be left out of the linear list when it cannot match unless one
 * of at most BLOCK_RULE_KEYS keys is named by the facts.
 */
#ifndef RULE_INDEX_H
#define RULE_INDEX_H

#include "rule/block.h"

struct index_key {
	uint64_t hash;
	uint32_t rank;          /* of the rule; set by the compiler */
	uint8_t type;           /* enum block_key_type */
	uint8_t depth;          /* PREFIX: components */
};

struct index_keys {
	unsigned count;         /* 0: linear */
	struct index_key key[BLOCK_RULE_KEYS];
};

/* text: where the leaves' offsets count from. */
void index_rule(uint64_t seed, const struct block_rule *rule,
		const struct block_leaf *leaf, const uint8_t *code,
		const uint8_t *text, struct index_keys *ret_keys);

#endif
