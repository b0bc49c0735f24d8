/* SPDX-License-Identifier: Apache-2.0 */
#include "rule/parse.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PRIORITY_LIMIT 1000
#define OPERATORS (PARSE_NESTING * 3u + 4u)

int64_t parse_append(struct parse_buffer *buffer, const void *bytes, size_t n)
{
	size_t at = buffer->length;

	/* the first time in any case: offsets count from real memory */
	if (!buffer->at || buffer->room - at < n) {
		size_t room = (buffer->room + n) * 2 + 256;
		uint8_t *grown = realloc(buffer->at, room);

		if (!grown) {
			return -ENOMEM;
		}
		buffer->at = grown;
		buffer->room = room;
	}
	if (n) {
		memcpy(buffer->at + at, bytes, n);
	}
	buffer->length = at + n;
	return (int64_t)at;
}

/* ---- filter: operator precedence over an explicit stack ---- */

enum operator_type { OP_OR, OP_AND, OP_OPEN };  /* by strength of binding */

struct operator {
	enum operator_type type;
	bool negated;           /* emit the other one (De Morgan) */
};

struct filter {
	struct lexer *lexer;
	struct parse_rule *rule;
	struct operator op[OPERATORS];
	unsigned ops, nesting;
	unsigned values;        /* on the evaluator's stack by now */
	bool negated;           /* by the parentheses around */
};

static int filter_emit(struct filter *f, uint8_t code)
{
	struct block_rule *r = &f->rule->rule;

	if (r->codes >= BLOCK_CODE) {
		return lex_fail(f->lexer, "filter too long: at most %u "
				"predicates; write two rules", BLOCK_LEAVES);
	}
	f->values = code < BLOCK_LEAVES ? f->values + 1 : f->values - 1;
	if (f->values > BLOCK_STACK) {
		return lex_fail(f->lexer, "filter too deeply nested: write "
				"two rules");
	}
	f->rule->code[r->codes++] = code;
	return 0;
}

/* Emits what binds at least as strongly as `floor`, down to a parenthesis. */
static int filter_reduce(struct filter *f, enum operator_type floor)
{
	while (f->ops && f->op[f->ops - 1].type != OP_OPEN &&
	       f->op[f->ops - 1].type >= floor) {
		struct operator op = f->op[--f->ops];
		bool and = (op.type == OP_AND) != op.negated;
		int r = filter_emit(f, and ? BLOCK_AND : BLOCK_OR);

		if (r) {
			return r;
		}
	}
	return 0;
}

static int filter_push(struct filter *f, enum operator_type type,
		       bool negated)
{
	if (f->ops >= OPERATORS) {
		return lex_fail(f->lexer, "filter too deeply nested: at most "
				"%u parentheses", PARSE_NESTING);
	}
	f->op[f->ops++] = (struct operator){ type, negated };
	return 0;
}

static int filter_open(struct filter *f, bool negate)
{
	if (f->nesting >= PARSE_NESTING) {
		return lex_fail(f->lexer, "more than %u parentheses within "
				"another: write two rules", PARSE_NESTING);
	}
	f->nesting++;
	/* remembers what was outside */
	if (filter_push(f, OP_OPEN, f->negated)) {
		return -EBADMSG;
	}
	f->negated ^= negate;
	return lex_next(f->lexer);
}

static int filter_close(struct filter *f)
{
	int r = filter_reduce(f, OP_OR);

	if (r) {
		return r;
	}
	if (!f->nesting) {
		return lex_fail(f->lexer, "')' without a '('");
	}
	f->negated = f->op[--f->ops].negated;
	f->nesting--;
	return lex_next(f->lexer);
}

static int filter_leaf(struct filter *f, bool negate,
		       const struct rule_limits *limits,
		       struct parse_buffer *text)
{
	struct block_rule *rule = &f->rule->rule;
	struct block_leaf *leaf = &f->rule->leaf[rule->leaves];
	int r;

	if (rule->leaves >= BLOCK_LEAVES) {
		return lex_fail(f->lexer, "more than %u predicates in one "
				"rule: write two rules", BLOCK_LEAVES);
	}
	r = parse_predicate(f->lexer, limits, text, leaf);
	if (r) {
		return r;
	}
	if (negate != f->negated) {
		leaf->flags ^= BLOCK_NOT;
	}
	return filter_emit(f, rule->leaves++);
}

/* A predicate with what may stand before it: not, (. */
static int filter_operand(struct filter *f, const struct rule_limits *limits,
			  struct parse_buffer *text)
{
	bool negate = false;
	int r = 0;

	while (!r) {
		if (lex_is(f->lexer, "not")) {
			negate = !negate;
			r = lex_next(f->lexer);
		} else if (f->lexer->token.type == LEX_OPEN) {
			r = filter_open(f, negate);
			negate = false;
		} else {
			return filter_leaf(f, negate, limits, text);
		}
	}
	return r;
}

static int filter_join(struct filter *f, enum operator_type type)
{
	int r = filter_reduce(f, type);

	if (!r) {
		r = filter_push(f, type, f->negated);
	}
	return r ? r : lex_next(f->lexer);
}

static int parse_filter(struct lexer *lexer, const struct rule_limits *limits,
			struct parse_buffer *text, struct parse_rule *rule)
{
	struct filter f = { .lexer = lexer, .rule = rule };
	int r;

	for (;;) {
		r = filter_operand(&f, limits, text);
		while (!r && lexer->token.type == LEX_CLOSE) {
			r = filter_close(&f);
		}
		if (r) {
			return r;
		}
		if (lex_is(lexer, "and")) {
			r = filter_join(&f, OP_AND);
		} else if (lex_is(lexer, "or")) {
			r = filter_join(&f, OP_OR);
		} else {
			break;
		}
		if (r) {
			return r;
		}
	}
	if (f.nesting) {
		return lex_fail(lexer, "'(' without a ')'");
	}
	return filter_reduce(&f, OP_OR);
}

/* ---- the rest of the line ---- */

static int parse_action(struct lexer *lexer, struct block_rule *rule)
{
	static const struct {
		const char *name;
		uint8_t action;
	} table[] = {
#define ROW(sym, num, name, help) { name, num },
		RULE_ACTION_TABLE(ROW)
#undef ROW
	};
	char shown[40];

	for (size_t i = 1; i < sizeof(table) / sizeof(table[0]); i++) {
		if (lex_is(lexer, table[i].name)) {
			rule->action = table[i].action;
			return lex_next(lexer);
		}
	}
	return lex_fail(lexer, "unknown action `%s': write deny, ask, allow, "
			"notify or quiet", lex_shown(lexer, shown));
}

enum event_class { CLASS_AUTH, CLASS_NOTIFY, CLASS_CONTROL };

static const struct {
	const char *name;
	enum event_class class;
} event_table[] = {
#define ROW(sym, num, name, class, help) { name, CLASS_##class },
	BAILEY_EVENT_TABLE(ROW)
#undef ROW
};

/* Whether a rule of this action can be about events of this class. */
static bool event_fits(enum event_class class, unsigned action)
{
	if (action == RULE_NOTIFY || action == RULE_QUIET) {
		return class != CLASS_CONTROL;
	}
	return class == CLASS_AUTH;
}

static int parse_event(struct lexer *lexer, struct block_rule *rule)
{
	bool any = lex_is(lexer, "any");
	uint32_t kinds = 0;
	char shown[40];

	for (size_t i = 0; i < sizeof(event_table) / sizeof(event_table[0]);
	     i++) {
		bool fits = event_fits(event_table[i].class, rule->action);
		bool named = lex_is(lexer, event_table[i].name);

		if (named && !fits) {
			return lex_fail(lexer, "%s is news, not a question: "
					"only notify and quiet fit",
					event_table[i].name);
		}
		if ((any && fits) || named) {
			kinds |= 1u << i;
		}
	}
	if (!kinds) {
		return lex_fail(lexer, "unknown event `%s': write file.open, "
				"process.exec or any", lex_shown(lexer, shown));
	}
	rule->kinds |= kinds;
	return lex_next(lexer);
}

static int parse_events(struct lexer *lexer, struct block_rule *rule)
{
	int r = parse_event(lexer, rule);

	while (!r && lexer->token.type == LEX_COMMA) {
		r = lex_next(lexer);
		if (!r) {
			r = parse_event(lexer, rule);
		}
	}
	return r;
}

static int parse_priority(struct lexer *lexer, struct block_rule *rule)
{
	char *end;
	long value;
	int r = lex_next(lexer);

	if (r) {
		return r;
	}
	value = strtol(lexer->token.text, &end, 10);
	if (lexer->token.type != LEX_WORD || *end || !lexer->token.length ||
	    value < -PRIORITY_LIMIT || value > PRIORITY_LIMIT) {
		return lex_fail(lexer, "bad priority: write a whole number "
				"from -%d to %d", PRIORITY_LIMIT,
				PRIORITY_LIMIT);
	}
	rule->priority = (int32_t)value;
	return lex_next(lexer);
}

int parse_line(struct lexer *lexer, const struct rule_limits *limits,
	       struct parse_buffer *text, struct parse_rule *ret_rule)
{
	struct block_rule *rule = &ret_rule->rule;
	char shown[40];
	int r;

	memset(rule, 0, sizeof(*rule));
	if (lexer->token.type == LEX_END) {
		return 1;
	}
	rule->line = lexer->line;
	r = parse_action(lexer, rule);
	if (!r) {
		r = parse_events(lexer, rule);
	}
	if (!r && lexer->token.type != LEX_END && !lex_is(lexer, "priority")) {
		r = parse_filter(lexer, limits, text, ret_rule);
	}
	if (!r && lex_is(lexer, "priority")) {
		r = parse_priority(lexer, rule);
	}
	if (!r && lexer->token.type != LEX_END) {
		return lex_fail(lexer, "unexpected `%s': predicates are "
				"joined by `and' or `or', then `priority N'",
				lex_shown(lexer, shown));
	}
	return r ? r : parse_check_limits(lexer, limits, text, ret_rule);
}
