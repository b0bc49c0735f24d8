/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The evaluator: runs in the reply thread for every question that no cache
 * answers. Nothing allocates, nothing recurses; work is bounded by
 * rule_program_cost() filters of at most BLOCK_CODE steps.
 *
 * Candidates come from the keys that the facts name, and from the linear list
 * of the event type. Lists are ascending in rank, so each is left at the first
 * match, or when it can no longer be better than the best so far. A key whose
 * fact is missing has all its rules looked at: any of them may be undecided.
 */
#include <string.h>

#include "rule/glob.h"
#include "rule/key.h"

struct scan {
	struct block_view v;
	const struct rule_facts *facts;
	const struct rule_sets *sets;
	uint32_t have;          /* facts that are there and usable */
	uint32_t kind_bit;
	uint32_t best;          /* rank; rules: none yet */
	uint32_t missing;       /* of the best */
};

const char *rule_action_name(enum rule_action action)
{
	switch (action) {
#define ROW(sym, num, name, help) case RULE_##sym: return name;
	RULE_ACTION_TABLE(ROW)
#undef ROW
	}
	return "?";
}

/* ---- leaves ---- */

static bool path_matches(const struct scan *s, const struct block_leaf *leaf,
			 const char *path, size_t length)
{
	const uint8_t *text = s->v.text + leaf->a;
	size_t n = leaf->prefix;

	if (leaf->op == BLOCK_OP_GLOB) {
		struct glob glob = {
			.prefix = text,
			.mid = (const void *)(text + n),
			.suffix = text + n + leaf->mid *
				  sizeof(struct glob_token),
			.prefix_length = n,
			.mid_count = leaf->mid,
			.suffix_length = leaf->suffix
		};

		return glob_match(&glob, path, length);
	}
	if (length < n || memcmp(path, text, n) != 0) {
		return false;
	}
	return length == n ||
	       (leaf->op == BLOCK_OP_PREFIX && path[n] == '/');
}

static enum block_value eval_path(const struct scan *s,
				  const struct block_leaf *leaf)
{
	const struct rule_facts *f = s->facts;
	bool exe = leaf->flags & BLOCK_EXE;
	const char *path = exe ? f->exe_path : f->path;
	size_t length = exe ? f->exe_path_length : f->path_length;

	if (!path || !length) {
		return BLOCK_MISSING;
	}
	if ((exe ? f->exe_path_foreign : f->path_foreign) &&
	    !(leaf->flags & BLOCK_ANY_NAMESPACE)) {
		return BLOCK_FOREIGN;
	}
	return path_matches(s, leaf, path, length) ? BLOCK_TRUE : BLOCK_FALSE;
}

static uint64_t number_field(const struct rule_facts *f, uint32_t fact)
{
	switch (fact) {
	case RULE_FACT_UID:
		return f->uid;
	case RULE_FACT_OWNER:
		return f->owner;
	case RULE_FACT_CGROUP:
		return f->cgroup;
	default:
		return f->size;
	}
}

static bool number_matches(const struct block_leaf *leaf, uint64_t value)
{
	switch (leaf->compare) {
	case BLOCK_EQ:
		return value == leaf->a;
	case BLOCK_LT:
		return value < leaf->a;
	case BLOCK_LE:
		return value <= leaf->a;
	case BLOCK_GT:
		return value > leaf->a;
	default:
		return value >= leaf->a;
	}
}

static bool set_matches(const struct scan *s, const struct block_leaf *leaf)
{
	uint64_t number;

	if (!s->sets || !s->sets->contains) {
		return false;
	}
	if (leaf->fact == RULE_FACT_SHA256) {
		return s->sets->contains(s->sets->context, (uint32_t)leaf->a,
					 s->facts->sha256, 32);
	}
	number = number_field(s->facts, leaf->fact);
	return s->sets->contains(s->sets->context, (uint32_t)leaf->a, &number,
				 sizeof(number));
}

/* All but paths: the fact is there. */
static bool leaf_matches(const struct scan *s, const struct block_leaf *leaf)
{
	const struct rule_facts *f = s->facts;

	switch (leaf->op) {
	case BLOCK_OP_OBJECT:
		return leaf->flags & BLOCK_EXE
			? f->exe_device == leaf->a && f->exe_inode == leaf->b
			: f->device == leaf->a && f->inode == leaf->b;
	case BLOCK_OP_NUMBER:
		return number_matches(leaf, number_field(f, leaf->fact));
	case BLOCK_OP_MODE:
		return (f->mode & leaf->a) == leaf->b;
	case BLOCK_OP_SHA256:
		return !memcmp(f->sha256, s->v.text + leaf->a, 32);
	default:
		return set_matches(s, leaf);
	}
}

static enum block_value eval_leaf(const struct scan *s,
				  const struct block_leaf *leaf)
{
	enum block_value value = BLOCK_MISSING;

	if (s->have & leaf->fact) {
		value = leaf->op <= BLOCK_OP_GLOB ? eval_path(s, leaf)
			: leaf_matches(s, leaf) ? BLOCK_TRUE : BLOCK_FALSE;
	}
	if (leaf->flags & BLOCK_NOT) {
		value = value == BLOCK_TRUE ? BLOCK_FALSE
			: value == BLOCK_FALSE ? BLOCK_TRUE : value;
	}
	return value;
}

/* ---- rules ---- */

static enum block_value eval_rule(const struct scan *s,
				  const struct block_rule *rule,
				  uint32_t *ret_missing)
{
	enum block_value stack[BLOCK_STACK];
	const uint8_t *code = s->v.code + rule->code;
	const struct block_leaf *leaf = s->v.leaf + rule->leaf;
	unsigned n = 0;

	*ret_missing = 0;
	for (unsigned i = 0; i < rule->codes; i++) {
		enum block_value top;

		if (code[i] < BLOCK_LEAVES) {
			top = eval_leaf(s, &leaf[code[i]]);
			if (top == BLOCK_MISSING) {
				*ret_missing |= leaf[code[i]].fact;
			}
			stack[n++] = top;
			continue;
		}
		top = stack[--n];
		if ((top < stack[n - 1]) == (code[i] == BLOCK_AND)) {
			stack[n - 1] = top;
		}
	}
	return n ? stack[0] : BLOCK_TRUE;
}

static void scan_list(struct scan *s, struct block_list list)
{
	const uint32_t *rank = s->v.rank + list.first;

	for (uint32_t i = 0; i < list.count && rank[i] < s->best; i++) {
		const struct block_rule *rule = &s->v.rule[rank[i]];
		enum block_value value;
		uint32_t missing;

		if (!(rule->kinds & s->kind_bit)) {
			continue;
		}
		value = eval_rule(s, rule, &missing);
		if (value >= BLOCK_MISSING) {
			s->best = rank[i];
			s->missing = value == BLOCK_MISSING ? missing : 0;
			return;
		}
	}
}

static void scan_key(struct scan *s, uint64_t hash)
{
	const struct block_head *h = s->v.head;
	uint64_t at = hash;

	for (uint32_t i = 0; i < h->probes; i++, at++) {
		const struct block_key *key = &s->v.key[at & (h->keys - 1)];

		if (!key->list.count) {
			return;
		}
		if (key->hash == hash) {
			scan_list(s, key->list);
			return;
		}
	}
}

/* The object's path, and each directory on the way to it. */
static void scan_path(struct scan *s, uint32_t types)
{
	const struct block_head *h = s->v.head;
	const char *p = s->facts->path, *end = p + s->facts->path_length;
	uint64_t hash = h->seed;
	unsigned depth = 0;

	while (p < end) {
		const char *name = p + 1;
		const char *slash = memchr(name, '/', (size_t)(end - name));
		const char *stop = slash ? slash : end;

		hash = key_component(hash, name, (size_t)(stop - name));
		depth++;
		if (depth < 64 && h->depths >> depth & 1) {
			scan_key(s, key_finish(h->seed, BLOCK_KEY_PREFIX,
					       hash));
		} else if (!(types & 1u << BLOCK_KEY_PATH) &&
			   (depth >= 64 || !(h->depths >> depth))) {
			return;
		}
		p = stop;
	}
	if (types & 1u << BLOCK_KEY_PATH) {
		scan_key(s, key_finish(h->seed, BLOCK_KEY_PATH, hash));
	}
}

static void scan_exe(struct scan *s, uint32_t types)
{
	const struct rule_facts *f = s->facts;
	uint64_t seed = s->v.head->seed;
	unsigned depth;

	if (types & 1u << BLOCK_KEY_EXE && f->exe_path && f->exe_path_length) {
		scan_key(s, key_path(seed, BLOCK_KEY_EXE, f->exe_path,
				     f->exe_path_length, &depth));
	}
	if (types & 1u << BLOCK_KEY_EXE_OBJECT) {
		scan_key(s, key_number(seed, BLOCK_KEY_EXE_OBJECT,
				       f->exe_device, f->exe_inode));
	}
}

static void scan_numbers(struct scan *s, uint32_t types)
{
	const struct rule_facts *f = s->facts;
	uint64_t seed = s->v.head->seed, word;

	if (types & 1u << BLOCK_KEY_OBJECT) {
		scan_key(s, key_number(seed, BLOCK_KEY_OBJECT, f->device,
				       f->inode));
	}
	if (types & 1u << BLOCK_KEY_UID) {
		scan_key(s, key_number(seed, BLOCK_KEY_UID, f->uid, 0));
	}
	if (types & 1u << BLOCK_KEY_CGROUP) {
		scan_key(s, key_number(seed, BLOCK_KEY_CGROUP, f->cgroup, 0));
	}
	if (types & 1u << BLOCK_KEY_OWNER) {
		scan_key(s, key_number(seed, BLOCK_KEY_OWNER, f->owner, 0));
	}
	if (types & 1u << BLOCK_KEY_SHA256) {
		memcpy(&word, f->sha256, sizeof(word));
		scan_key(s, key_number(seed, BLOCK_KEY_SHA256, word, 0));
	}
}

/* Facts that say they are there, less those that are empty all the same. */
static uint32_t usable(const struct rule_facts *f)
{
	uint32_t have = f->have;

	if (!f->path || !f->path_length || f->path[0] != '/') {
		have &= ~(uint32_t)RULE_FACT_PATH;
	}
	if (!f->sha256) {
		have &= ~(uint32_t)RULE_FACT_SHA256;
	}
	return have;
}

/* Key types whose fact is not there: their rules may be undecided. Returns
 * those whose fact is. */
static uint32_t scan_missing(struct scan *s, uint32_t types)
{
	static const uint32_t facts[] = {
#define ROW(sym, fact) fact,
		BLOCK_KEY_TABLE(ROW)
#undef ROW
	};

	for (unsigned i = 0; i < BLOCK_KEY_TYPES; i++) {
		bool no_exe = i == BLOCK_KEY_EXE &&
			      (!s->facts->exe_path ||
			       !s->facts->exe_path_length);

		if (types >> i & 1 && (!(s->have & facts[i]) || no_exe)) {
			scan_list(s, s->v.head->by_type[i]);
			types &= ~(1u << i);
		}
	}
	return types;
}

enum rule_action rule_eval(const struct rule_program *program,
			   const struct rule_facts *facts,
			   const struct rule_sets *sets,
			   struct rule_match *ret_match)
{
	struct scan s = { .facts = facts, .sets = sets };
	const struct block_kind *kind;
	int row = block_kind_row(facts->kind);
	uint32_t types;

	*ret_match = (struct rule_match){ 0 };
	if (!program || row < 0) {
		return RULE_NONE;
	}
	s.v = block_view(program);
	s.best = s.v.head->rules;
	s.kind_bit = 1u << row;
	s.have = usable(facts);
	kind = &s.v.head->kind[row];
	types = kind->key_types;
	if ((kind->needs & s.have) != kind->needs ||
	    types & 1u << BLOCK_KEY_EXE) {
		types = scan_missing(&s, types);
	}
	scan_numbers(&s, types);
	scan_exe(&s, types);
	if (types & (1u << BLOCK_KEY_PATH | 1u << BLOCK_KEY_PREFIX)) {
		scan_path(&s, types);
	}
	scan_list(&s, kind->linear);
	if (s.best == s.v.head->rules) {
		return RULE_NONE;
	}
	ret_match->line = s.v.rule[s.best].line;
	ret_match->priority = s.v.rule[s.best].priority;
	ret_match->missing = s.missing;
	return s.missing ? RULE_ASK
			 : (enum rule_action)s.v.rule[s.best].action;
}
