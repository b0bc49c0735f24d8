/* SPDX-License-Identifier: Apache-2.0 */
#include "config/exception.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/result.h"

#define TIME_TEXT 20u           /* 2026-11-22T10:00:00Z */
#define TIME_LAST 253402300799ull       /* the year 9999 */

struct cursor {
	const char *at, *end;
	int number;
	struct rule_error *error;
};

__attribute__((format(printf, 2, 3)))
static int fail(struct cursor *c, const char *format, ...)
{
	va_list list;

	if (c->error) {
		c->error->line = c->number;
		va_start(list, format);
		vsnprintf(c->error->text, sizeof(c->error->text), format,
			  list);
		va_end(list);
	}
	return -EBADMSG;
}

static void skip_blanks(struct cursor *c)
{
	while (c->at < c->end && (*c->at == ' ' || *c->at == '\t')) {
		c->at++;
	}
}

/* The next word, at most size - 1 bytes of it. Returns its whole length. */
static size_t take_word(struct cursor *c, char *ret_word, size_t size)
{
	size_t n = 0;

	skip_blanks(c);
	for (; c->at < c->end && *c->at != ' ' && *c->at != '\t'; c->at++) {
		if (n + 1 < size) {
			ret_word[n] = *c->at;
		}
		n++;
	}
	ret_word[n < size ? n : size - 1] = '\0';
	return n;
}

static int take_id(struct cursor *c, uint64_t *ret_id)
{
	char word[24], *end;
	size_t n = take_word(c, word, sizeof(word));

	errno = 0;
	*ret_id = strtoull(word, &end, 10);
	if (!n || n >= sizeof(word) || word[0] < '1' || word[0] > '9' ||
	    *end || errno) {
		return fail(c, "an exception begins with its number, 1 or "
			    "more");
	}
	return 0;
}

/* Exactly the form that format_time() writes. */
static int parse_time(const char *word, uint64_t *ret_seconds)
{
	struct tm tm = { 0 };
	const char *end = strptime(word, "%Y-%m-%dT%H:%M:%SZ", &tm);
	char again[TIME_TEXT + 1];
	time_t t;

	if (!end || *end) {
		return -EINVAL;
	}
	t = timegm(&tm);
	if (t < 1 || (uint64_t)t > TIME_LAST || !gmtime_r(&t, &tm) ||
	    strftime(again, sizeof(again), "%Y-%m-%dT%H:%M:%SZ", &tm) !=
	    TIME_TEXT || strcmp(again, word) != 0) {
		return -EINVAL;
	}
	*ret_seconds = (uint64_t)t;
	return 0;
}

static int take_time(struct cursor *c, bool or_never, uint64_t *ret_seconds)
{
	char word[32];

	take_word(c, word, sizeof(word));
	if (or_never && !strcmp(word, "never")) {
		*ret_seconds = 0;
		return 0;
	}
	if (parse_time(word, ret_seconds)) {
		return fail(c, "%s: write the time as 2026-11-22T10:00:00Z%s",
			    or_never ? "expires" : "added",
			    or_never ? ", or never" : "");
	}
	return 0;
}

/* "text", in which \" and \\ stand for themselves. */
static int take_reason(struct cursor *c, char ret_reason[EXCEPTION_REASON])
{
	size_t n = 0;

	skip_blanks(c);
	if (c->at == c->end || *c->at++ != '"') {
		return fail(c, "the reason is missing: write it in "
			    "\"quotes\" after the times");
	}
	for (; c->at < c->end && *c->at != '"'; c->at++) {
		if (*c->at == '\\' && ++c->at == c->end) {
			break;
		}
		if ((unsigned char)*c->at < 0x20 || *c->at == 0x7f) {
			return fail(c, "control character in the reason");
		}
		if (n + 1 >= EXCEPTION_REASON) {
			return fail(c, "reason too long: at most %u bytes",
				    EXCEPTION_REASON - 1);
		}
		ret_reason[n++] = *c->at;
	}
	if (c->at == c->end) {
		return fail(c, "the reason has no end: close it with \"");
	}
	if (!n) {
		return fail(c, "the reason is empty: say why");
	}
	c->at++;
	return 0;
}

/* An allow rule that compiles, alone on its line. */
static int check_rule(struct cursor *c, const char *rule, size_t n)
{
	struct rule_program *program cleanup_free = NULL;
	struct rule_error error;
	int r;

	if (n < 6 || memcmp(rule, "allow ", 6) != 0) {
		return fail(c, "an exception is an allow rule: write allow "
			    "EVENT FILTER after the reason");
	}
	if (n >= EXCEPTION_RULE) {
		return fail(c, "rule too long: at most %u bytes",
			    EXCEPTION_RULE - 1);
	}
	if (memchr(rule, '\n', n)) {
		return fail(c, "an exception is one line");
	}
	r = rule_compile(rule, n, NULL, &program, &error);
	if (r == -EBADMSG) {
		return fail(c, "%s", error.text);
	}
	return r;
}

int exception_parse(const char *line, size_t length, int number,
		    struct exception *ret_exception,
		    struct rule_error *ret_error)
{
	struct cursor c = { line, line + length, number, ret_error };
	struct exception e = { 0 };
	int r;

	if (memchr(line, '\0', length) || memchr(line, '\n', length)) {
		return fail(&c, "NUL or newline within an exception");
	}
	skip_blanks(&c);
	if (c.at == c.end || *c.at == '#') {
		return 1;
	}
	r = take_id(&c, &e.id);
	r = r ? r : take_time(&c, false, &e.added_s);
	r = r ? r : take_time(&c, true, &e.expires_s);
	r = r ? r : take_reason(&c, e.reason);
	if (r) {
		return r;
	}
	skip_blanks(&c);
	length = (size_t)(c.end - c.at);
	r = check_rule(&c, c.at, length);
	if (r) {
		return r;
	}
	memcpy(e.rule, c.at, length);
	*ret_exception = e;
	return 0;
}

static void format_time(uint64_t seconds, char ret_text[TIME_TEXT + 1])
{
	time_t t = (time_t)seconds;
	struct tm tm;

	if (!seconds || seconds > TIME_LAST || !gmtime_r(&t, &tm)) {
		strcpy(ret_text, "never");
		return;
	}
	strftime(ret_text, TIME_TEXT + 1, "%Y-%m-%dT%H:%M:%SZ", &tm);
}

int exception_format(const struct exception *exception,
		     char ret_line[EXCEPTION_LINE])
{
	char added[TIME_TEXT + 1], expires[TIME_TEXT + 1];
	char reason[2 * EXCEPTION_REASON] = "", line[EXCEPTION_LINE];
	struct exception again;
	size_t n = 0;
	int length;

	for (size_t i = 0; i < EXCEPTION_REASON && exception->reason[i]; i++) {
		if (strchr("\\\"", exception->reason[i])) {
			reason[n++] = '\\';
		}
		reason[n++] = exception->reason[i];
	}
	format_time(exception->added_s, added);
	format_time(exception->expires_s, expires);
	length = snprintf(line, sizeof(line), "%llu %s %s \"%.*s\" %.*s\n",
			  (unsigned long long)exception->id, added, expires,
			  (int)n, reason, (int)EXCEPTION_RULE,
			  exception->rule);
	if (length < 1 || (size_t)length >= sizeof(line) ||
	    exception_parse(line, (size_t)length - 1, 1, &again, NULL)) {
		return -EINVAL;
	}
	memcpy(ret_line, line, (size_t)length + 1);
	return length;
}

bool exception_live(const struct exception *exception, uint64_t now_s)
{
	return !exception->expires_s || now_s < exception->expires_s;
}

int64_t exception_render(const struct exception *list, size_t count,
			 uint64_t now_s, char *ret_text, size_t size)
{
	size_t used = 0;

	for (size_t i = 0; i < count; i++) {
		size_t n = exception_live(&list[i], now_s)
			? strnlen(list[i].rule, EXCEPTION_RULE) : 0;

		if (size - used < n + 1) {
			return -ENOSPC;
		}
		memcpy(ret_text + used, list[i].rule, n);
		ret_text[used + n] = '\n';
		used += n + 1;
	}
	return (int64_t)used;
}

uint64_t exception_next_end(const struct exception *list, size_t count,
			    uint64_t now_s)
{
	uint64_t next = 0;

	for (size_t i = 0; i < count; i++) {
		uint64_t end = list[i].expires_s;

		if (end > now_s && (!next || end < next)) {
			next = end;
		}
	}
	return next;
}
