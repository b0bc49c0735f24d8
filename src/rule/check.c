/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Blocks that came from elsewhere: every count, offset and step that the
 * evaluator relies on is checked here, so that it need not be there.
 */
#include <errno.h>

#include "rule/glob.h"
#include "rule/block.h"

static bool range_good(uint64_t first, uint64_t count, uint64_t all)
{
	return first <= all && count <= all - first;
}

static bool leaf_good(const struct block_head *h, const struct block_leaf *l,
		      const uint8_t *text)
{
	uint64_t bytes = l->prefix;

	if (!l->fact || l->fact & (l->fact - 1) ||
	    !(block_op_facts(l->op, l->flags) & l->fact) ||
	    l->flags & ~(BLOCK_NOT | BLOCK_EXE | BLOCK_ANY_NAMESPACE) ||
	    l->compare > BLOCK_GE || l->reserved || l->reserved2) {
		return false;
	}
	switch (l->op) {
	case BLOCK_OP_GLOB:
		bytes += l->mid * sizeof(struct glob_token) + l->suffix;
		break;
	case BLOCK_OP_SHA256:
		bytes = 32;
		break;
	case BLOCK_OP_PATH:
	case BLOCK_OP_PREFIX:
		break;
	default:
		return l->op != BLOCK_OP_SET || l->a <= UINT32_MAX;
	}
	if (!range_good(l->a, bytes, h->text) || l->mid > GLOB_TOKENS) {
		return false;
	}
	for (uint64_t i = 0; l->op == BLOCK_OP_GLOB && i < l->mid; i++) {
		if (text[l->a + l->prefix + i * 2] >= GLOB_KINDS) {
			return false;
		}
	}
	return true;
}

static bool code_good(const struct block_rule *rule, const uint8_t *code)
{
	unsigned n = 0;

	for (unsigned i = 0; i < rule->codes; i++) {
		if (code[i] < rule->leaves) {
			n++;
		} else if ((code[i] == BLOCK_AND || code[i] == BLOCK_OR) &&
			   n >= 2) {
			n--;
		} else {
			return false;
		}
		if (n > BLOCK_STACK) {
			return false;
		}
	}
	return n == 1 || !rule->codes;
}

static bool rule_good(const struct block_view *v, const struct block_rule *r)
{
	const struct block_head *h = v->head;

	return r->action > RULE_NONE && r->action <= RULE_QUIET &&
	       r->line > 0 && !r->reserved &&
	       r->kinds && r->kinds < 1u << BLOCK_KINDS &&
	       r->leaves <= BLOCK_LEAVES && r->codes <= BLOCK_CODE &&
	       range_good(r->leaf, r->leaves, h->leaves) &&
	       range_good(r->code, r->codes, h->code) &&
	       code_good(r, v->code + r->code);
}

/* Ranks of a list must name rules and ascend. */
static bool list_good(const struct block_view *v, struct block_list list)
{
	if (!range_good(list.first, list.count, v->head->ranks)) {
		return false;
	}
	for (uint32_t i = 0; i < list.count; i++) {
		const uint32_t *rank = v->rank + list.first + i;

		if (*rank >= v->head->rules || (i && rank[-1] >= *rank)) {
			return false;
		}
	}
	return true;
}

/* Lists of keys may not overlap: checking them all stays linear. */
static bool keys_good(const struct block_view *v)
{
	const struct block_head *h = v->head;
	uint64_t sum = 0;

	for (uint32_t i = 0; i < h->keys; i++) {
		sum += v->key[i].list.count;
		if (sum > h->ranks || !list_good(v, v->key[i].list)) {
			return false;
		}
	}
	return true;
}

static bool head_good(const struct block_head *h, size_t size)
{
	return h->magic == BLOCK_MAGIC && h->size == size &&
	       h->rules <= RULE_MAX_RULES && block_size(h) == size &&
	       !(h->keys & (h->keys - 1)) && h->probes <= h->keys &&
	       !h->reserved;
}

static bool kinds_good(const struct block_view *v)
{
	const struct block_head *h = v->head;
	uint32_t types = 0;

	for (unsigned i = 0; i < BLOCK_KINDS; i++) {
		if (h->kind[i].reserved || !list_good(v, h->kind[i].linear)) {
			return false;
		}
		types |= h->kind[i].key_types;
	}
	for (unsigned i = 0; i < BLOCK_KEY_TYPES; i++) {
		if (!list_good(v, h->by_type[i])) {
			return false;
		}
	}
	return types < 1u << BLOCK_KEY_TYPES && (!types || h->keys);
}

int rule_program_check(const void *block, size_t size)
{
	struct block_view v;

	if (!block || size < sizeof(struct block_head) ||
	    (uintptr_t)block % 8 || !head_good(block, size)) {
		return -EBADMSG;
	}
	v = block_view(block);
	if (!kinds_good(&v) || !keys_good(&v)) {
		return -EBADMSG;
	}
	for (uint32_t i = 0; i < v.head->leaves; i++) {
		if (!leaf_good(v.head, &v.leaf[i], v.text)) {
			return -EBADMSG;
		}
	}
	for (uint32_t i = 0; i < v.head->rules; i++) {
		if (!rule_good(&v, &v.rule[i])) {
			return -EBADMSG;
		}
	}
	return 0;
}

static const struct block_head *head_of(const struct rule_program *program)
{
	return (const struct block_head *)(const void *)program;
}

size_t rule_program_size(const struct rule_program *program)
{
	return head_of(program)->size;
}

uint32_t rule_program_count(const struct rule_program *program)
{
	return program ? head_of(program)->rules : 0;
}

uint32_t rule_program_needs(const struct rule_program *program, uint32_t kind)
{
	int row = block_kind_row(kind);

	return program && row >= 0 ? head_of(program)->kind[row].needs : 0;
}

uint32_t rule_program_cost(const struct rule_program *program, uint32_t kind)
{
	int row = block_kind_row(kind);

	return program && row >= 0 ? head_of(program)->kind[row].cost : 0;
}
