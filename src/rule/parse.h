/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rule/parse.h - one line of rule text into leaves and postfix code
 *
 * The parser is a loop over an explicit stack of bounded depth; `not` is moved
 * down to the predicates on the way (`not (a and b)` is `not a or not b`).
 */
#ifndef RULE_PARSE_H
#define RULE_PARSE_H

#include "rule/block.h"
#include "rule/lex.h"

#define PARSE_NESTING 8u        /* parentheses within parentheses */

struct parse_buffer {           /* bytes that grow; free(at) */
	uint8_t *at;
	size_t length, room;
};

/* One parsed rule; offsets of its leaves' texts count from the buffer. */
struct parse_rule {
	struct block_rule rule; /* leaf, code: not set */
	struct block_leaf leaf[BLOCK_LEAVES];
	uint8_t code[BLOCK_CODE];
};

/* Appends; returns the offset or -ENOMEM. */
int64_t parse_append(struct parse_buffer *buffer, const void *bytes, size_t n);

/* 0; 1 if the line holds no rule; -EBADMSG; -ENOMEM. */
int parse_line(struct lexer *lexer, const struct rule_limits *limits,
	       struct parse_buffer *text, struct parse_rule *ret_rule)
	__attribute__((warn_unused_result));

/* predicate.c: the predicate whose first word is the current token; takes
 * the tokens that belong to it. */
int parse_predicate(struct lexer *lexer, const struct rule_limits *limits,
		    struct parse_buffer *text, struct block_leaf *ret_leaf)
	__attribute__((warn_unused_result));

/* limits.c: whether these limits let the rule be. */
int parse_check_limits(struct lexer *lexer, const struct rule_limits *limits,
		       const struct parse_buffer *text,
		       const struct parse_rule *rule)
	__attribute__((warn_unused_result));

#endif
