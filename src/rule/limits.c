/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a rule may do, beyond what the grammar lets it say.
 *
 * A product's deny rule must be *anchored*: whatever it matches lies below one
 * of the manifest's may_deny prefixes. That is so for a path predicate below
 * one; for `and` if either side is; for `or` if both are; never for `not`.
 */
#include <string.h>

#include "rule/parse.h"

/* The part of a path predicate that does not vary, up to a whole component. */
static size_t fixed_part(const struct block_leaf *leaf, const uint8_t *text)
{
	size_t n = leaf->prefix;

	if (leaf->op == BLOCK_OP_GLOB) {
		while (n > 0 && text[n - 1] != '/') {
			n--;
		}
		n -= n > 0;
	}
	return n;
}

static bool leaf_anchored(const struct block_leaf *leaf, const uint8_t *text,
			  const struct rule_limits *limits)
{
	const uint8_t *path;
	size_t n;

	if ((leaf->op != BLOCK_OP_PATH && leaf->op != BLOCK_OP_PREFIX &&
	     leaf->op != BLOCK_OP_GLOB) ||
	    leaf->flags & (BLOCK_NOT | BLOCK_EXE | BLOCK_ANY_NAMESPACE)) {
		return false;
	}
	path = text + leaf->a;
	n = fixed_part(leaf, path);
	for (size_t i = 0; i < 8 && limits->may_deny[i][0]; i++) {
		const char *prefix = limits->may_deny[i];
		size_t m = strnlen(prefix, sizeof(limits->may_deny[i]));

		while (m > 0 && prefix[m - 1] == '/') {
			m--;
		}
		if (n >= m && !memcmp(path, prefix, m) &&
		    (n == m || path[m] == '/')) {
			return true;
		}
	}
	return false;
}

static bool rule_anchored(const struct parse_rule *rule, const uint8_t *text,
			  const struct rule_limits *limits)
{
	bool stack[BLOCK_STACK];
	unsigned n = 0;

	for (unsigned i = 0; i < rule->rule.codes; i++) {
		uint8_t code = rule->code[i];

		if (code < BLOCK_LEAVES) {
			stack[n++] = leaf_anchored(&rule->leaf[code], text,
						   limits);
			continue;
		}
		n--;
		stack[n - 1] = code == BLOCK_AND ? stack[n - 1] || stack[n]
						 : stack[n - 1] && stack[n];
	}
	return n && stack[0];
}

int parse_check_limits(struct lexer *lexer, const struct rule_limits *limits,
		       const struct parse_buffer *text,
		       const struct parse_rule *rule)
{
	unsigned action = rule->rule.action;
	bool any_namespace = false;

	for (unsigned i = 0; i < rule->rule.leaves; i++) {
		any_namespace |= rule->leaf[i].flags & BLOCK_ANY_NAMESPACE;
	}
	if (any_namespace && action != RULE_DENY && action != RULE_ASK) {
		return lex_fail(lexer, "any-namespace with %s: any user can "
				"give his file that name; leave it out, or "
				"name the object", rule_action_name(action));
	}
	if (!limits || !limits->product || action != RULE_DENY) {
		return 0;
	}
	if (limits->deny_nothing || !limits->may_deny[0][0]) {
		return lex_fail(lexer, "this product may not deny by rules: "
				"the administrator can set may_deny to path "
				"prefixes");
	}
	if (any_namespace) {
		return lex_fail(lexer, "any-namespace in a product's deny: "
				"such a name does not say where the file is; "
				"leave it out");
	}
	if (!rule_anchored(rule, text->at, limits)) {
		return lex_fail(lexer, "deny outside may_deny: add `and "
				"path-prefix \"%.80s\"'", limits->may_deny[0]);
	}
	return 0;
}
