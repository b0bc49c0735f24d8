/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Text to block: parse every line, sort by precedence, index, lay out.
 * Runs in the helper or the service thread, never on the event path; memory is
 * bounded by RULE_MAX_TEXT and RULE_MAX_RULES.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/hash.h"
#include "base/mono.h"
#include "base/result.h"
#include "rule/index.h"
#include "rule/parse.h"

struct compile {
	struct parse_buffer rules;      /* struct block_rule */
	struct parse_buffer leaves;     /* struct block_leaf */
	struct parse_buffer code;
	struct parse_buffer text;
	struct parse_buffer keys;       /* struct index_key */
	struct parse_buffer ranks;      /* uint32_t */
	struct block_key *table;
	struct block_head head;
};

static void compile_fini(struct compile *c)
{
	free(c->rules.at);
	free(c->leaves.at);
	free(c->code.at);
	free(c->text.at);
	free(c->keys.at);
	free(c->ranks.at);
	free(c->table);
}

static struct block_rule *rules_of(const struct compile *c)
{
	return (struct block_rule *)(void *)c->rules.at;
}

static struct block_leaf *leaves_of(const struct compile *c)
{
	return (struct block_leaf *)(void *)c->leaves.at;
}

static struct index_key *keys_of(const struct compile *c)
{
	return (struct index_key *)(void *)c->keys.at;
}

/* ---- parse ---- */

static int compile_add(struct compile *c, struct parse_rule *parsed)
{
	struct block_rule *rule = &parsed->rule;

	rule->leaf = c->head.leaves;
	rule->code = c->head.code;
	if (parse_append(&c->leaves, parsed->leaf,
			 rule->leaves * sizeof(parsed->leaf[0])) < 0 ||
	    parse_append(&c->code, parsed->code, rule->codes) < 0 ||
	    parse_append(&c->rules, rule, sizeof(*rule)) < 0) {
		return -ENOMEM;
	}
	c->head.leaves += rule->leaves;
	c->head.code += rule->codes;
	c->head.rules++;
	return 0;
}

static int compile_lines(struct compile *c, const char *text, size_t length,
			 const struct rule_limits *limits,
			 struct rule_error *error)
{
	const char *end = text + length;
	struct parse_rule parsed;
	struct lexer lexer;
	int number = 1, r;

	for (const char *p = text; p < end; number++) {
		const char *stop = memchr(p, '\n', (size_t)(end - p));
		size_t n = (size_t)((stop ? stop : end) - p);

		r = lex_start(&lexer, p, n, number, error);
		if (!r) {
			r = parse_line(&lexer, limits, &c->text, &parsed);
		}
		if (!r && c->head.rules >= RULE_MAX_RULES) {
			lex_fail(&lexer, "more than %u rules: use collections",
				 RULE_MAX_RULES);
			return -E2BIG;
		}
		r = r ? r : compile_add(c, &parsed);
		if (r < 0) {
			return r;
		}
		p += n + 1;
	}
	return 0;
}

/* ---- order ---- */

static int rule_order(const void *left, const void *right)
{
	const struct block_rule *a = left, *b = right;

	if (a->priority != b->priority) {
		return a->priority > b->priority ? -1 : 1;
	}
	if (a->action != b->action) {
		return a->action < b->action ? -1 : 1;
	}
	return a->line < b->line ? -1 : a->line > b->line;
}

static int key_order(const void *left, const void *right)
{
	const struct index_key *a = left, *b = right;

	if (a->type != b->type) {
		return a->type < b->type ? -1 : 1;
	}
	if (a->hash != b->hash) {
		return a->hash < b->hash ? -1 : 1;
	}
	return a->rank < b->rank ? -1 : a->rank > b->rank;
}

static int rank_order(const void *left, const void *right)
{
	uint32_t a, b;

	memcpy(&a, left, sizeof(a));
	memcpy(&b, right, sizeof(b));
	return a < b ? -1 : a > b;
}

/* ---- lists ---- */

static int list_add(struct compile *c, struct block_list *list, uint32_t rank)
{
	if (parse_append(&c->ranks, &rank, sizeof(rank)) < 0) {
		return -ENOMEM;
	}
	list->count++;
	c->head.ranks++;
	return 0;
}

/* Keys of every rule; rules without go to the linear lists. */
static int compile_keys(struct compile *c)
{
	for (uint32_t i = 0; i < c->head.rules; i++) {
		const struct block_rule *rule = &rules_of(c)[i];
		struct index_keys keys;

		index_rule(c->head.seed, rule, leaves_of(c) + rule->leaf,
			   c->code.at + rule->code, c->text.at, &keys);
		for (unsigned k = 0; k < keys.count; k++) {
			keys.key[k].rank = i;
			if (keys.key[k].type == BLOCK_KEY_PREFIX) {
				c->head.depths |= 1ull << keys.key[k].depth;
			}
		}
		if (parse_append(&c->keys, keys.key,
				 keys.count * sizeof(keys.key[0])) < 0) {
			return -ENOMEM;
		}
	}
	return 0;
}

/* A rule stands in the linear list of its types if no key was made for it. */
static int compile_linear(struct compile *c)
{
	size_t count = c->keys.length / sizeof(struct index_key);

	for (unsigned row = 0; row < BLOCK_KINDS; row++) {
		struct block_list *list = &c->head.kind[row].linear;
		size_t k = 0;

		list->first = c->head.ranks;
		for (uint32_t i = 0; i < c->head.rules; i++) {
			while (k < count && keys_of(c)[k].rank < i) {
				k++;
			}
			if ((k < count && keys_of(c)[k].rank == i) ||
			    !(rules_of(c)[i].kinds >> row & 1)) {
				continue;
			}
			if (list_add(c, list, i)) {
				return -ENOMEM;
			}
		}
	}
	return 0;
}

/* What one list costs the event types that its rules are about. */
static void cost_of_list(const struct compile *c, struct block_list list,
			 uint32_t ret_cost[BLOCK_KINDS])
{
	const uint32_t *rank = (const void *)c->ranks.at;

	for (unsigned row = 0; row < BLOCK_KINDS; row++) {
		uint32_t n = 0;

		for (uint32_t i = 0; i < list.count; i++) {
			n += rules_of(c)[rank[list.first + i]].kinds >> row & 1;
		}
		ret_cost[row] = n > ret_cost[row] ? n : ret_cost[row];
	}
}

static void table_put(struct compile *c, uint64_t hash, struct block_list list)
{
	uint32_t mask = c->head.keys - 1, probes = 1;
	uint64_t at = hash;

	while (c->table[at & mask].list.count) {
		at++;
		probes++;
	}
	c->table[at & mask] = (struct block_key){ hash, list };
	c->head.probes = probes + 1 > c->head.probes ? probes + 1
						     : c->head.probes;
}

/* Longest lists: per key type, for PREFIX per depth (one of each is walked). */
struct longest {
	uint32_t type[BLOCK_KEY_TYPES][BLOCK_KINDS];
	uint32_t depth[64][BLOCK_KINDS];
};

/* One list for the keys[from..to), which are equal but for the rank. */
static int table_add(struct compile *c, size_t from, size_t to,
		     struct longest *longest)
{
	struct block_list list = { .first = c->head.ranks };
	struct index_key key = keys_of(c)[from];
	uint32_t *cost = key.type == BLOCK_KEY_PREFIX
		? longest->depth[key.depth % 64] : longest->type[key.type];

	for (size_t i = from; i < to; i++) {
		uint32_t rank = keys_of(c)[i].rank;

		if (i > from && keys_of(c)[i - 1].rank == rank) {
			continue;
		}
		if (list_add(c, &list, rank)) {
			return -ENOMEM;
		}
	}
	cost_of_list(c, list, cost);
	table_put(c, key.hash, list);
	return 0;
}

/* All ranks keyed by one type, ascending: walked when its fact is missing. */
static int table_type(struct compile *c, size_t from, size_t to)
{
	unsigned type = keys_of(c)[from].type;
	struct block_list *list = &c->head.by_type[type];
	uint32_t *sorted = malloc((to - from) * sizeof(*sorted));
	int r = sorted ? 0 : -ENOMEM;

	list->first = c->head.ranks;
	for (size_t i = from; !r && i < to; i++) {
		sorted[i - from] = keys_of(c)[i].rank;
	}
	if (!r) {
		qsort(sorted, to - from, sizeof(*sorted), rank_order);
	}
	for (size_t i = 0; !r && i < to - from; i++) {
		const struct block_rule *rule = &rules_of(c)[sorted[i]];

		for (unsigned row = 0; row < BLOCK_KINDS; row++) {
			c->head.kind[row].key_types |=
				(rule->kinds >> row & 1) << type;
		}
		if (!i || sorted[i] != sorted[i - 1]) {
			r = list_add(c, list, sorted[i]);
		}
	}
	free(sorted);
	return r;
}

static int compile_table(struct compile *c, struct longest *longest)
{
	size_t count = c->keys.length / sizeof(struct index_key);
	int r = 0;

	if (!count) {
		return 0;
	}
	qsort(c->keys.at, count, sizeof(struct index_key), key_order);
	for (c->head.keys = 16; c->head.keys < 2 * count; ) {
		c->head.keys *= 2;
	}
	c->table = calloc(c->head.keys, sizeof(*c->table));
	if (!c->table) {
		return -ENOMEM;
	}
	for (size_t from = 0, to; !r && from < count; from = to) {
		const struct index_key *key = keys_of(c);

		for (to = from + 1; to < count && key[to].type ==
		     key[from].type && key[to].hash == key[from].hash; to++) {
		}
		r = table_add(c, from, to, longest);
	}
	for (size_t from = 0, to; !r && from < count; from = to) {
		const struct index_key *key = keys_of(c);

		for (to = from + 1; to < count &&
		     key[to].type == key[from].type; to++) {
		}
		r = table_type(c, from, to);
	}
	return r;
}

static void compile_costs(struct compile *c, const struct longest *longest)
{
	for (unsigned row = 0; row < BLOCK_KINDS; row++) {
		struct block_kind *kind = &c->head.kind[row];

		kind->cost = kind->linear.count;
		for (unsigned t = 0; t < BLOCK_KEY_TYPES; t++) {
			kind->cost += longest->type[t][row];
		}
		for (unsigned d = 0; d < 64; d++) {
			kind->cost += longest->depth[d][row];
		}
		for (uint32_t i = 0; i < c->head.rules; i++) {
			const struct block_rule *rule = &rules_of(c)[i];

			for (unsigned k = 0; rule->kinds >> row & 1 &&
			     k < rule->leaves; k++) {
				kind->needs |=
					leaves_of(c)[rule->leaf + k].fact;
			}
		}
	}
}

/* ---- layout ---- */

static void put(uint8_t **at, const void *bytes, size_t n)
{
	if (n) {
		memcpy(*at, bytes, n);
		*at += n;
	}
}

static int compile_layout(struct compile *c, struct rule_program **ret_program)
{
	uint8_t *block, *at;
	uint64_t size;

	c->head.text = (uint32_t)c->text.length;
	size = block_size(&c->head);
	if (size > UINT32_MAX) {
		return -E2BIG;
	}
	c->head.magic = BLOCK_MAGIC;
	c->head.size = (uint32_t)size;
	block = at = malloc(size);
	if (!block) {
		return -ENOMEM;
	}
	put(&at, &c->head, sizeof(c->head));
	put(&at, c->rules.at, c->rules.length);
	put(&at, c->leaves.at, c->leaves.length);
	put(&at, c->table, c->head.keys * sizeof(*c->table));
	put(&at, c->ranks.at, c->ranks.length);
	put(&at, c->code.at, c->code.length);
	put(&at, c->text.at, c->text.length);
	*ret_program = (struct rule_program *)(void *)block;
	return 0;
}

static uint64_t fresh_seed(void)
{
	uint64_t seed;

	if (getrandom(&seed, sizeof(seed), GRND_NONBLOCK) != sizeof(seed)) {
		seed = hash_mix(mono_now().ns);
	}
	return seed;
}

static int compile_all(struct compile *c, const char *text, size_t length,
		       const struct rule_limits *limits,
		       struct rule_program **ret_program,
		       struct rule_error *error)
{
	struct longest *longest cleanup_free = calloc(1, sizeof(*longest));
	int r = longest ? 0 : -ENOMEM;

	c->head.seed = fresh_seed();
	if (!r) {
		r = compile_lines(c, text, length, limits, error);
	}
	if (!r && c->head.rules) {
		qsort(c->rules.at, c->head.rules, sizeof(struct block_rule),
		      rule_order);
	}
	r = r ? r : compile_keys(c);
	r = r ? r : compile_linear(c);
	r = r ? r : compile_table(c, longest);
	if (r) {
		return r;
	}
	compile_costs(c, longest);
	return compile_layout(c, ret_program);
}

int rule_compile(const char *text, size_t length,
		 const struct rule_limits *limits,
		 struct rule_program **ret_program,
		 struct rule_error *ret_error)
{
	struct compile c = { .table = NULL };
	int r;

	if (length > RULE_MAX_TEXT) {
		if (ret_error) {
			ret_error->line = 0;
			strcpy(ret_error->text, "rule text over 4 MiB: use "
			       "collections");
		}
		return -E2BIG;
	}
	r = compile_all(&c, text, length, limits, ret_program, ret_error);
	compile_fini(&c);
	return r;
}
