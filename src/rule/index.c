/* SPDX-License-Identifier: Apache-2.0 */
#include "rule/index.h"

#include "rule/key.h"

/* The fewer events name a key, the better: a lower number wins. */
static unsigned key_worth(const struct index_keys *keys)
{
	static const uint8_t worth[] = {
		[BLOCK_KEY_OBJECT] = 1, [BLOCK_KEY_PATH] = 1,
		[BLOCK_KEY_PREFIX] = 2, [BLOCK_KEY_EXE] = 3,
		[BLOCK_KEY_EXE_OBJECT] = 3, [BLOCK_KEY_UID] = 4,
		[BLOCK_KEY_CGROUP] = 4, [BLOCK_KEY_OWNER] = 5,
		[BLOCK_KEY_SHA256] = 6 /* often missing: then all are tried */
	};
	unsigned worst = 0;

	for (unsigned i = 0; i < keys->count; i++) {
		unsigned w = worth[keys->key[i].type] * 64u;

		if (keys->key[i].type == BLOCK_KEY_PREFIX) {
			w -= keys->key[i].depth < 60 ? keys->key[i].depth : 60;
		}
		worst = w > worst ? w : worst;
	}
	return keys->count ? worst : 1000;
}

static void key_one(struct index_keys *keys, enum block_key_type type,
		    uint64_t hash, unsigned depth)
{
	keys->count = 1;
	keys->key[0] = (struct index_key){
		.hash = hash, .type = (uint8_t)type, .depth = (uint8_t)depth
	};
}

static void key_of_path(uint64_t seed, const struct block_leaf *leaf,
			const uint8_t *text, struct index_keys *keys)
{
	const char *path = (const char *)text + leaf->a;
	size_t n = leaf->prefix;
	bool exe = leaf->flags & BLOCK_EXE;
	enum block_key_type type = exe ? BLOCK_KEY_EXE : BLOCK_KEY_PATH;
	unsigned depth;
	uint64_t hash;

	if (leaf->op != BLOCK_OP_PATH) {
		if (leaf->op == BLOCK_OP_GLOB) {
			while (n > 0 && path[n - 1] != '/') {
				n--;
			}
			n -= n > 0;
		}
		type = BLOCK_KEY_PREFIX;
	}
	if (!n || (exe && type == BLOCK_KEY_PREFIX)) {
		return;
	}
	hash = key_path(seed, type, path, n, &depth);
	if (type != BLOCK_KEY_PREFIX || depth < 64) {
		key_one(keys, type, hash, depth < 64 ? depth : 0);
	}
}

static void key_of_number(uint64_t seed, const struct block_leaf *leaf,
			  struct index_keys *keys)
{
	enum block_key_type type;

	if (leaf->compare != BLOCK_EQ || leaf->fact == RULE_FACT_SIZE) {
		return;
	}
	type = leaf->fact == RULE_FACT_UID ? BLOCK_KEY_UID
	       : leaf->fact == RULE_FACT_OWNER ? BLOCK_KEY_OWNER
	       : BLOCK_KEY_CGROUP;
	key_one(keys, type, key_number(seed, type, leaf->a, 0), 0);
}

static void key_of_leaf(uint64_t seed, const struct block_leaf *leaf,
			const uint8_t *text, struct index_keys *keys)
{
	enum block_key_type type = leaf->flags & BLOCK_EXE
		? BLOCK_KEY_EXE_OBJECT : BLOCK_KEY_OBJECT;
	uint64_t word;

	keys->count = 0;
	if (leaf->flags & BLOCK_NOT) {
		return;
	}
	switch (leaf->op) {
	case BLOCK_OP_PATH:
	case BLOCK_OP_PREFIX:
	case BLOCK_OP_GLOB:
		key_of_path(seed, leaf, text, keys);
		break;
	case BLOCK_OP_OBJECT:
		key_one(keys, type, key_number(seed, type, leaf->a, leaf->b),
			0);
		break;
	case BLOCK_OP_NUMBER:
		key_of_number(seed, leaf, keys);
		break;
	case BLOCK_OP_SHA256:
		memcpy(&word, text + leaf->a, sizeof(word));
		key_one(keys, BLOCK_KEY_SHA256,
			key_number(seed, BLOCK_KEY_SHA256, word, 0), 0);
		break;
	default:
		break;
	}
}

/* Either side may match: both sides' keys are needed. */
static void key_union(struct index_keys *a, const struct index_keys *b)
{
	if (!a->count || !b->count || a->count + b->count > BLOCK_RULE_KEYS) {
		a->count = 0;
		return;
	}
	for (unsigned i = 0; i < b->count; i++) {
		a->key[a->count++] = b->key[i];
	}
}

void index_rule(uint64_t seed, const struct block_rule *rule,
		const struct block_leaf *leaf, const uint8_t *code,
		const uint8_t *text, struct index_keys *ret_keys)
{
	struct index_keys stack[BLOCK_STACK];
	unsigned n = 0;

	ret_keys->count = 0;
	for (unsigned i = 0; i < rule->codes; i++) {
		if (code[i] < BLOCK_LEAVES) {
			key_of_leaf(seed, &leaf[code[i]], text, &stack[n++]);
			continue;
		}
		n--;
		if (code[i] == BLOCK_OR) {
			key_union(&stack[n - 1], &stack[n]);
		} else if (key_worth(&stack[n]) < key_worth(&stack[n - 1])) {
			stack[n - 1] = stack[n];
		}
	}
	if (n) {
		*ret_keys = stack[0];
	}
}
