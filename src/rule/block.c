/* SPDX-License-Identifier: Apache-2.0 */
#include "rule/block.h"

/* Row numbers, in the order of the table. */
enum {
#define ROW(sym, num, name, class, help) ROW_##sym,
	BAILEY_EVENT_TABLE(ROW)
#undef ROW
	ROWS
};

static_assert(ROWS <= BLOCK_KINDS, "an event type without a row");

int block_kind_row(uint32_t kind)
{
	switch (kind) {
#define ROW(sym, num, name, class, help) case num: return ROW_##sym;
	BAILEY_EVENT_TABLE(ROW)
#undef ROW
	default:
		return -1;
	}
}

uint64_t block_size(const struct block_head *head)
{
	return sizeof(*head) +
	       (uint64_t)head->rules * sizeof(struct block_rule) +
	       (uint64_t)head->leaves * sizeof(struct block_leaf) +
	       (uint64_t)head->keys * sizeof(struct block_key) +
	       (uint64_t)head->ranks * sizeof(uint32_t) +
	       head->code + head->text;
}

struct block_view block_view(const void *block)
{
	struct block_view v = { .head = block };

	v.rule = (const void *)(v.head + 1);
	v.leaf = (const void *)(v.rule + v.head->rules);
	v.key = (const void *)(v.leaf + v.head->leaves);
	v.rank = (const void *)(v.key + v.head->keys);
	v.code = (const void *)(v.rank + v.head->ranks);
	v.text = v.code + v.head->code;
	return v;
}

uint32_t block_op_facts(unsigned op, unsigned flags)
{
	switch (op) {
	case BLOCK_OP_PATH:
	case BLOCK_OP_PREFIX:
	case BLOCK_OP_GLOB:
		return flags & BLOCK_EXE ? RULE_FACT_EXE : RULE_FACT_PATH;
	case BLOCK_OP_OBJECT:
		return flags & BLOCK_EXE ? RULE_FACT_EXE : RULE_FACT_OBJECT;
	case BLOCK_OP_NUMBER:
		return RULE_FACT_UID | RULE_FACT_OWNER | RULE_FACT_CGROUP |
		       RULE_FACT_SIZE;
	case BLOCK_OP_MODE:
		return RULE_FACT_MODE;
	case BLOCK_OP_SHA256:
		return RULE_FACT_SHA256;
	case BLOCK_OP_SET:
		return RULE_FACT_UID | RULE_FACT_OWNER | RULE_FACT_SHA256;
	default:
		return 0;
	}
}
