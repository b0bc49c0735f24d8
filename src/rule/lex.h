/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rule/lex.h - one line of rule text as tokens
 *
 * Words, "quoted strings", ( ) , and comparisons. A string may hold any byte
 * but NUL; control characters and the quote are written as escapes. `wild`
 * marks the * and ? that were not escaped: only those are wildcards.
 */
#ifndef RULE_LEX_H
#define RULE_LEX_H

#include <stdbool.h>
#include <stddef.h>

#include "rule/rule.h"

#define LEX_LINE 8192u          /* bytes in one line */
#define LEX_STRING 1023u        /* bytes in one string or word */

enum lex_type {
	LEX_END, LEX_WORD, LEX_STRING_TOKEN, LEX_OPEN, LEX_CLOSE, LEX_COMMA,
	LEX_COMPARE
};

struct lex_token {
	enum lex_type type;
	size_t length;
	bool has_wild;
	char text[LEX_STRING + 1];      /* decoded, a NUL follows */
	bool wild[LEX_STRING + 1];
};

struct lexer {
	const char *at, *end;           /* rest of the line */
	int line;
	struct rule_error *error;
	struct lex_token token;         /* the current one */
};

/* Starts on one line and takes the first token. */
int lex_start(struct lexer *lexer, const char *line, size_t length, int number,
	      struct rule_error *error) __attribute__((warn_unused_result));
/* Takes the next token; at the end of the line LEX_END, again and again.
 * 0, or -EBADMSG with the error filled. */
int lex_next(struct lexer *lexer) __attribute__((warn_unused_result));
/* The current token is this word. */
bool lex_is(const struct lexer *lexer, const char *word);
/* Fills the error and returns -EBADMSG. */
__attribute__((format(printf, 2, 3)))
int lex_fail(struct lexer *lexer, const char *format, ...);
/* The token as it may stand in a message: bounded, no control characters. */
const char *lex_shown(const struct lexer *lexer, char ret_text[40]);

#endif
