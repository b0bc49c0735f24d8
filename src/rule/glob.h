/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rule/glob.h - path patterns, matched in bounded time
 *
 *   ?     one byte but '/'
 *   *     any bytes but '/'
 *   **    any bytes
 * and ** as a whole component (with a slash on either side) also stands for
 * no component at all: a pattern for "any .exe below /srv" finds /srv/a.exe.
 *
 * A pattern is cut into the bytes before its first wildcard, the bytes after
 * its last one, and tokens between. Most paths are decided by comparing the
 * two ends. The middle is a set of states moved one path byte at a time: the
 * worst case is path bytes x tokens, whatever the pattern.
 */
#ifndef RULE_GLOB_H
#define RULE_GLOB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GLOB_TOKENS 120u

enum glob_kind {
	GLOB_BYTE,              /* this byte */
	GLOB_ONE,               /* ? */
	GLOB_STAR,              /* * */
	GLOB_ALL,               /* ** */
	GLOB_SKIP,              /* may jump over the GLOB_DIRS that follows */
	GLOB_DIRS,              /* whole components with their '/' */
	GLOB_KINDS
};

struct glob_token {
	uint8_t kind;           /* enum glob_kind */
	uint8_t byte;
};

struct glob {
	const uint8_t *prefix, *suffix;
	const struct glob_token *mid;
	size_t prefix_length, mid_count, suffix_length;
};

/* Cuts a pattern: wild[i] says that text[i] is an unescaped * or ?.
 * ret_prefix and ret_suffix are lengths within text; tokens go to ret_mid.
 * Returns the number of tokens (0: no wildcard), or -E2BIG. */
int glob_cut(const char *text, const bool *wild, size_t length,
	     size_t *ret_prefix, struct glob_token ret_mid[GLOB_TOKENS],
	     size_t *ret_suffix);

bool glob_match(const struct glob *glob, const char *path, size_t length);

#endif
