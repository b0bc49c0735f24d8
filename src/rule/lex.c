/* SPDX-License-Identifier: Apache-2.0 */
#include "rule/lex.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int lex_fail(struct lexer *lexer, const char *format, ...)
{
	va_list list;

	if (lexer->error) {
		lexer->error->line = lexer->line;
		va_start(list, format);
		vsnprintf(lexer->error->text, sizeof(lexer->error->text),
			  format, list);
		va_end(list);
	}
	return -EBADMSG;
}

const char *lex_shown(const struct lexer *lexer, char ret_text[40])
{
	const struct lex_token *t = &lexer->token;
	size_t n = t->length < 36 ? t->length : 36;

	if (t->type == LEX_END) {
		return strcpy(ret_text, "the end of the line");
	}
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)t->text[i];

		ret_text[i] = c < 0x20 || c > 0x7e ? '?' : (char)c;
	}
	strcpy(ret_text + n, t->length > n ? "..." : "");
	return ret_text;
}

bool lex_is(const struct lexer *lexer, const char *word)
{
	return lexer->token.type == LEX_WORD &&
	       !strcmp(lexer->token.text, word);
}

static int lex_add(struct lexer *lexer, char c, bool wild)
{
	struct lex_token *t = &lexer->token;

	if (t->length >= LEX_STRING) {
		return lex_fail(lexer, "string too long: at most %u bytes",
				LEX_STRING);
	}
	t->wild[t->length] = wild;
	t->has_wild |= wild;
	t->text[t->length++] = c;
	return 0;
}

static int lex_hex(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *p = c ? strchr(digits, c | 0x20) : NULL;

	return p ? (int)(p - digits) : -1;
}

/* What follows a backslash. */
static int lex_escape(struct lexer *lexer)
{
	static const char from[] = "\\\"*?ntr", to[] = "\\\"*?\n\t\r";
	char c = lexer->at < lexer->end ? *lexer->at++ : '\0';
	const char *p = c ? strchr(from, c) : NULL;
	int value;

	if (p) {
		return lex_add(lexer, to[p - from], false);
	}
	if (c != 'x' || lexer->end - lexer->at < 2 ||
	    lex_hex(lexer->at[0]) < 0 || lex_hex(lexer->at[1]) < 0) {
		return lex_fail(lexer, "unknown escape in a string: write "
				"\\\\ \\\" \\* \\? \\n \\t \\r or \\xHH");
	}
	value = lex_hex(lexer->at[0]) * 16 + lex_hex(lexer->at[1]);
	lexer->at += 2;
	if (!value) {
		return lex_fail(lexer, "\\x00 in a string: a path cannot "
				"hold a NUL byte");
	}
	return lex_add(lexer, (char)value, false);
}

static int lex_quoted(struct lexer *lexer)
{
	lexer->token.type = LEX_STRING_TOKEN;
	while (lexer->at < lexer->end) {
		unsigned char c = (unsigned char)*lexer->at++;
		int r;

		if (c == '"') {
			return 0;
		}
		if (c < 0x20 || c == 0x7f) {
			return lex_fail(lexer, "control character in a "
					"string: write it as \\x%02x", c);
		}
		r = c == '\\' ? lex_escape(lexer)
			      : lex_add(lexer, (char)c, c == '*' || c == '?');
		if (r) {
			return r;
		}
	}
	return lex_fail(lexer, "string without an end: close it with \"");
}

static bool lex_in_word(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9') || (c && strchr("._:+/@%-", c));
}

static int lex_word(struct lexer *lexer)
{
	int r = 0;

	lexer->token.type = LEX_WORD;
	while (!r && lexer->at < lexer->end && lex_in_word(*lexer->at)) {
		r = lex_add(lexer, *lexer->at++, false);
	}
	return r;
}

static int lex_operator(struct lexer *lexer)
{
	char c = *lexer->at++;
	bool equal = lexer->at < lexer->end && *lexer->at == '=';

	switch (c) {
	case '(':
		lexer->token.type = LEX_OPEN;
		return lex_add(lexer, c, false);
	case ')':
		lexer->token.type = LEX_CLOSE;
		return lex_add(lexer, c, false);
	case ',':
		lexer->token.type = LEX_COMMA;
		return lex_add(lexer, c, false);
	case '<':
	case '>':
	case '=':
	case '!':
		break;
	default:
		return lex_fail(lexer, "unexpected byte 0x%02x: put paths in "
				"\"quotes\", start a comment with #",
				(unsigned char)c);
	}
	if (c == '!' && !equal) {
		return lex_fail(lexer, "unexpected '!': write `not' or !=");
	}
	lexer->token.type = LEX_COMPARE;
	if (lex_add(lexer, c, false)) {
		return -EBADMSG;
	}
	if (equal && c != '=') {
		return lex_add(lexer, *lexer->at++, false);
	}
	return 0;
}

int lex_next(struct lexer *lexer)
{
	struct lex_token *t = &lexer->token;
	int r;

	while (lexer->at < lexer->end &&
	       (*lexer->at == ' ' || *lexer->at == '\t')) {
		lexer->at++;
	}
	t->length = 0;
	t->has_wild = false;
	t->type = LEX_END;
	t->text[0] = '\0';
	if (lexer->at == lexer->end || *lexer->at == '#') {
		lexer->at = lexer->end;
		return 0;
	}
	if (*lexer->at == '"') {
		lexer->at++;
		r = lex_quoted(lexer);
	} else if (lex_in_word(*lexer->at)) {
		r = lex_word(lexer);
	} else {
		r = lex_operator(lexer);
	}
	t->text[t->length] = '\0';
	return r;
}

int lex_start(struct lexer *lexer, const char *line, size_t length, int number,
	      struct rule_error *error)
{
	lexer->at = line;
	lexer->end = line + length;
	lexer->line = number;
	lexer->error = error;
	lexer->token.length = 0;
	if (length > LEX_LINE) {
		return lex_fail(lexer, "line too long: at most %u bytes",
				LEX_LINE);
	}
	if (memchr(line, '\0', length)) {
		return lex_fail(lexer, "NUL byte in the line: rules are text");
	}
	if (length && line[length - 1] == '\r') {
		return lex_fail(lexer, "carriage return at the end of the "
				"line: save the file with Unix line ends");
	}
	return lex_next(lexer);
}
