/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config/exception.h - exceptions.d: what was allowed, by whom asked, how long
 *
 * One exception a line, written by `bailey allow`, readable by people:
 *
 *   7 2026-11-22T10:00:00Z never "cups update" allow any path "/srv/cups"
 *
 * id, added, expires (a time or `never`), the reason as a string, and one
 * `allow` rule of bailey.rules(5). Reasons may hold any printable text. Lines
 * that begin with # and empty lines are skipped. A line that is not understood
 * is refused with its number; the caller goes on with the next.
 */
#ifndef CONFIG_EXCEPTION_H
#define CONFIG_EXCEPTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rule/rule.h"

#define EXCEPTION_RULE 512u
#define EXCEPTION_REASON 128u
#define EXCEPTION_LINE (EXCEPTION_RULE + 4u * EXCEPTION_REASON + 128u)

struct exception {
	uint64_t id;                    /* 1 or more */
	uint64_t added_s, expires_s;    /* since 1970; expires 0: never */
	char reason[EXCEPTION_REASON];
	char rule[EXCEPTION_RULE];      /* without a newline */
};

/* One line, without its newline. The rule is compiled, to be sure of it.
 * 0; 1 if the line holds no exception; -EBADMSG with ret_error filled. */
int exception_parse(const char *line, size_t length, int number,
		    struct exception *ret_exception,
		    struct rule_error *ret_error)
	__attribute__((warn_unused_result));
/* One line with its newline, such that parsing gives the same exception.
 * Returns its length, or -EINVAL if the exception is not a good one. */
int exception_format(const struct exception *exception,
		     char ret_line[EXCEPTION_LINE])
	__attribute__((warn_unused_result));
/* Whether it holds at this time. */
bool exception_live(const struct exception *exception, uint64_t now_s);
/*
 * Rule text of list: one line per exception, empty for those that have ended,
 * so that line n of the text is list[n - 1]. Returns the bytes written (no
 * NUL), or -ENOSPC.
 */
int64_t exception_render(const struct exception *list, size_t count,
			 uint64_t now_s, char *ret_text, size_t size);
/* When the next one ends, since 1970; 0: none of them will. */
uint64_t exception_next_end(const struct exception *list, size_t count,
			    uint64_t now_s);

#endif
