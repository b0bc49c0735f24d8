/* SPDX-License-Identifier: Apache-2.0 */
#include "rule/glob.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

/* Appends a token in its simplest form: ** beside * is **, and any components
 * followed by * is **. Returns the number of tokens. */
static unsigned token_add(struct glob_token *tokens, unsigned n,
			  enum glob_kind kind, uint8_t byte)
{
	enum glob_kind last = n ? tokens[n - 1].kind : GLOB_BYTE;

	if (kind == GLOB_STAR && last == GLOB_DIRS) {
		n -= 2;
		kind = GLOB_ALL;
	} else if (kind == GLOB_ALL && last == GLOB_STAR) {
		n--;
	} else if ((kind == GLOB_ALL || kind == GLOB_STAR) &&
		   (last == GLOB_ALL || last == kind)) {
		return n;
	}
	tokens[n] = (struct glob_token){ (uint8_t)kind, byte };
	return n + 1;
}

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
			n = token_add(tokens, n, GLOB_SKIP, 0);
			n = token_add(tokens, n, GLOB_DIRS, 0);
			i += 2;
		} else if (all) {
			n = token_add(tokens, n, GLOB_ALL, 0);
			i++;
		} else if (wild[i]) {
			n = token_add(tokens, n, text[i] == '*' ? GLOB_STAR
							: GLOB_ONE, 0);
		} else {
			n = token_add(tokens, n, GLOB_BYTE, (uint8_t)text[i]);
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

/* A set of token positions; position mid_count is the end. */
typedef unsigned __int128 set_t;

#define AT(position) ((set_t)1 << (position))

static_assert(GLOB_TOKENS + 2 < 128, "positions fit the set");

struct glob_masks {
	set_t kind[GLOB_KINDS]; /* where each kind stands */
};

static struct glob_masks masks_of(const struct glob *g)
{
	struct glob_masks m = { { 0 } };

	for (size_t i = 0; i < g->mid_count; i++) {
		m.kind[g->mid[i].kind] |= AT(i);
	}
	return m;
}

/* Adds what is reached without a byte: past a wildcard that stands for
 * nothing. */
static set_t glob_close(const struct glob_masks *m, set_t set)
{
	set_t free_step = m->kind[GLOB_STAR] | m->kind[GLOB_ALL] |
			  m->kind[GLOB_SKIP];
	set_t before;

	do {
		before = set;
		set |= (set & free_step) << 1;
		set |= (set & m->kind[GLOB_SKIP]) << 2;
	} while (set != before);
	return set;
}

/* The literal positions of the set at which this byte stands. */
static set_t glob_bytes(const struct glob *g, set_t set, uint8_t byte)
{
	uint64_t half[2] = { (uint64_t)set, (uint64_t)(set >> 64) };
	set_t found = 0;

	for (unsigned w = 0; w < 2; w++) {
		for (uint64_t rest = half[w]; rest; rest &= rest - 1) {
			unsigned i = w * 64 + (unsigned)__builtin_ctzll(rest);

			if (g->mid[i].byte == byte) {
				found |= AT(i);
			}
		}
	}
	return found;
}

static set_t glob_step(const struct glob *g, const struct glob_masks *m,
		       set_t set, uint8_t byte)
{
	set_t stay = m->kind[GLOB_ALL] | m->kind[GLOB_DIRS];
	set_t move = 0;

	if (byte == '/') {
		move = set & m->kind[GLOB_DIRS];
	} else {
		stay |= m->kind[GLOB_STAR];
		move = set & m->kind[GLOB_ONE];
	}
	if (set & m->kind[GLOB_BYTE]) {
		move |= glob_bytes(g, set & m->kind[GLOB_BYTE], byte);
	}
	return glob_close(m, (set & stay) | move << 1);
}

static bool glob_mid(const struct glob *g, const uint8_t *p, size_t length)
{
	struct glob_masks m;
	set_t set;

	if (g->mid_count == 0) {
		return !length;
	}
	if (g->mid_count == 1 && g->mid[0].kind == GLOB_STAR) {
		return !memchr(p, '/', length);
	}
	if (g->mid_count == 1 && g->mid[0].kind == GLOB_ALL) {
		return true;
	}
	m = masks_of(g);
	set = glob_close(&m, AT(0));
	for (size_t i = 0; i < length && set; i++) {
		set = glob_step(g, &m, set, p[i]);
	}
	return set >> g->mid_count & 1;
}

bool glob_match(const struct glob *g, const char *path, size_t length)
{
	size_t ends = g->prefix_length + g->suffix_length;

	if (length < ends ||
	    memcmp(path, g->prefix, g->prefix_length) != 0 ||
	    memcmp(path + length - g->suffix_length, g->suffix,
		   g->suffix_length) != 0) {
		return false;
	}
	return glob_mid(g, (const uint8_t *)path + g->prefix_length,
			length - ends);
}
