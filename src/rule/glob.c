/* SPDX-License-Identifier: Apache-2.0 */
#include "rule/glob.h"

#include <errno.h>
#include <string.h>

/* Tokens of text[from..to), which starts and ends with a wildcard. */
static int glob_tokens(const char *text, const bool *wild, size_t from,
		       size_t to, struct glob_token *tokens)
{
	unsigned n = 0;

	for (size_t i = from; i < to; i++) {
		bool all = i + 1 < to && wild[i] && wild[i + 1] &&
			   text[i] == '*' && text[i + 1] == '*';
		bool dirs = all && i > 0 && text[i - 1] == '/' && i + 2 < to &&
			    text[i + 2] == '/';

		if (n + 2 > GLOB_TOKENS) {
			return -E2BIG;
		}
		if (dirs) {
			tokens[n++].kind = GLOB_SKIP;
			tokens[n++].kind = GLOB_DIRS;
			i += 2;
		} else if (all) {
			tokens[n++].kind = GLOB_ALL;
			i++;
		} else if (wild[i]) {
			tokens[n++].kind = text[i] == '*' ? GLOB_STAR
							  : GLOB_ONE;
		} else {
			tokens[n].kind = GLOB_BYTE;
			tokens[n++].byte = (uint8_t)text[i];
		}
	}
	return (int)n;
}

int glob_cut(const char *text, const bool *wild, size_t length,
	     size_t *ret_prefix, struct glob_token ret_mid[GLOB_TOKENS],
	     size_t *ret_suffix)
{
	size_t from = 0, to = length;
	int n;

	while (from < length && !wild[from]) {
		from++;
	}
	while (to > from && !wild[to - 1]) {
		to--;
	}
	/* a whole component: its slash is part of the token */
	if (to >= from + 2 && to < length && text[to] == '/' &&
	    text[to - 1] == '*' && text[to - 2] == '*' && wild[to - 2] &&
	    to >= 3 && text[to - 3] == '/') {
		to++;
	}
	memset(ret_mid, 0, GLOB_TOKENS * sizeof(*ret_mid));
	n = glob_tokens(text, wild, from, to, ret_mid);
	if (n >= 0) {
		*ret_prefix = from;
		*ret_suffix = length - to;
	}
	return n;
}

/* A set of token positions; position `count` is the end. */
struct glob_set {
	uint64_t bits[GLOB_TOKENS / 64 + 1];
};

/* Adds a position and those that it reaches without a byte: a wildcard that
 * stands for nothing leads to the next. */
static void glob_add(const struct glob *g, struct glob_set *set, size_t at)
{
	for (;;) {
		set->bits[at / 64] |= 1ull << at % 64;
		if (at >= g->mid_count) {
			return;
		}
		switch (g->mid[at].kind) {
		case GLOB_SKIP:
			set->bits[(at + 1) / 64] |= 1ull << (at + 1) % 64;
			at += 2;
			break;
		case GLOB_STAR:
		case GLOB_ALL:
			at++;
			break;
		default:
			return;
		}
		if (at > g->mid_count) {
			return;
		}
	}
}

static void glob_step(const struct glob *g, struct glob_set *next, size_t at,
		      uint8_t byte)
{
	switch (at < g->mid_count ? g->mid[at].kind : GLOB_KINDS) {
	case GLOB_BYTE:
		if (g->mid[at].byte == byte) {
			glob_add(g, next, at + 1);
		}
		break;
	case GLOB_ONE:
		if (byte != '/') {
			glob_add(g, next, at + 1);
		}
		break;
	case GLOB_STAR:
		if (byte != '/') {
			glob_add(g, next, at);
		}
		break;
	case GLOB_ALL:
		glob_add(g, next, at);
		break;
	case GLOB_DIRS:
		next->bits[at / 64] |= 1ull << at % 64;
		if (byte == '/') {
			glob_add(g, next, at + 1);
		}
		break;
	default:
		break;
	}
}

static bool glob_mid(const struct glob *g, const uint8_t *p, size_t length)
{
	struct glob_set now = { { 0 } };

	if (g->mid_count == 1 && g->mid[0].kind == GLOB_STAR) {
		return !memchr(p, '/', length);
	}
	if (g->mid_count == 1 && g->mid[0].kind == GLOB_ALL) {
		return true;
	}
	glob_add(g, &now, 0);
	for (size_t i = 0; i < length; i++) {
		struct glob_set next = { { 0 } };
		uint64_t any = 0;

		for (size_t w = 0; w <= g->mid_count / 64; w++) {
			for (uint64_t m = now.bits[w]; m; m &= m - 1) {
				glob_step(g, &next, w * 64 +
					  (size_t)__builtin_ctzll(m), p[i]);
			}
		}
		now = next;
		for (size_t w = 0; w <= g->mid_count / 64; w++) {
			any |= now.bits[w];
		}
		if (!any) {
			return false;
		}
	}
	return now.bits[g->mid_count / 64] >> g->mid_count % 64 & 1;
}

bool glob_match(const struct glob *g, const char *path, size_t length)
{
	size_t ends = g->prefix_length + g->suffix_length;

	if (length < ends ||
	    memcmp(path, g->prefix, g->prefix_length) ||
	    memcmp(path + length - g->suffix_length, g->suffix,
		   g->suffix_length)) {
		return false;
	}
	return glob_mid(g, (const uint8_t *)path + g->prefix_length,
			length - ends);
}
