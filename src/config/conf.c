/* SPDX-License-Identifier: Apache-2.0 */
#include "config/conf.h"

#include <errno.h>
#include <ini.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct reader {
	const char *at, *end;
	const char *file;
	const struct conf_key *keys;
	void *object;
	conf_heard *heard;
	void *context;
	struct manifest_error *error;
	int line;               /* of the line read last */
	int failed;             /* 0 or the result */
	int seen[CONF_KEYS];     /* line at which a key was set */
	int section_seen[CONF_KEYS];     /* line, by the section's first key */
};

int conf_fail(struct manifest_error *ret_error, const char *file, int line,
	     const char *format, ...)
{
	va_list list;
	int n;

	if (!ret_error) {
		return -EBADMSG;
	}
	n = line ? snprintf(ret_error->text, sizeof(ret_error->text),
			    "%.80s:%d: ", file, line)
		 : snprintf(ret_error->text, sizeof(ret_error->text),
			    "%.80s: ", file);
	va_start(list, format);
	vsnprintf(ret_error->text + n, sizeof(ret_error->text) - (size_t)n,
		  format, list);
	va_end(list);
	return -EBADMSG;
}

#define READER_FAIL(r, ...)                                                   \
	((r)->failed = conf_fail((r)->error, (r)->file, (r)->line, __VA_ARGS__))

/* First row of the section, or -1. */
static int section_row(const struct conf_key *keys, const char *name, size_t n)
{
	for (int i = 0; keys[i].section; i++) {
		if (strlen(keys[i].section) == n &&
		    !memcmp(keys[i].section, name, n)) {
			return i;
		}
	}
	return -1;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* The header of a section: known, once, and nothing after it. */
static int check_section(struct reader *r, const char *p, const char *end)
{
	const char *close = memchr(p, ']', (size_t)(end - p));
	const char *rest = close ? close + 1 : end;
	int row;

	if (!close) {
		return READER_FAIL(r, "section without ']'");
	}
	while (rest < end && is_blank(*rest)) {
		rest++;
	}
	if (rest < end && *rest != ';' && *rest != '#') {
		return READER_FAIL(r, "text after a section's ']': begin a "
				   "new line");
	}
	row = section_row(r->keys, p, (size_t)(close - p));
	if (row < 0) {
		return READER_FAIL(r, "unknown section [%.*s]",
				   close - p < 40 ? (int)(close - p) : 40, p);
	}
	if (r->section_seen[row]) {
		return READER_FAIL(r, "section [%s] stands twice, first in "
				   "line %d: put its keys together",
				   r->keys[row].section, r->section_seen[row]);
	}
	r->section_seen[row] = r->line;
	return 0;
}

static int check_line(struct reader *r, const char *line, size_t n)
{
	const char *p = line, *end = line + n;

	if (n > CONF_LINE) {
		return READER_FAIL(r, "line too long: at most %u bytes",
				   CONF_LINE);
	}
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)line[i];

		if ((c < 0x20 && c != '\t' && !(c == '\r' && i + 1 == n)) ||
		    c == 0x7f) {
			return READER_FAIL(r, "byte 0x%02x: only printable "
					   "text may stand here", c);
		}
	}
	while (p < end && is_blank(*p)) {
		p++;
	}
	if (p > line && p < end && *p != ';' && *p != '#') {
		return READER_FAIL(r, "the line begins with a space: lines "
				   "are not continued here");
	}
	return p < end && *p == '[' ? check_section(r, p + 1, end) : 0;
}

/* libinih asks for one line a time, in the manner of fgets. */
static char *next_line(char *ret_line, int size, void *stream)
{
	struct reader *r = stream;
	const char *stop;
	size_t n;

	if (r->failed || r->at >= r->end) {
		return NULL;
	}
	stop = memchr(r->at, '\n', (size_t)(r->end - r->at));
	n = (size_t)((stop ? stop : r->end) - r->at);
	r->line++;
	if (check_line(r, r->at, n)) {
		return NULL;
	}
	if (n + 2 > (size_t)size) {
		READER_FAIL(r, "line too long: at most %d bytes", size - 2);
		return NULL;
	}
	memcpy(ret_line, r->at, n);
	memcpy(ret_line + n, "\n", 2);
	r->at += n + (stop != NULL);
	return ret_line;
}

static const struct conf_key *find_key(const struct reader *r,
				      const char *section, const char *name)
{
	for (const struct conf_key *k = r->keys; k->section; k++) {
		if (!strcmp(k->section, section) &&
		    (!k->name[0] || !strcmp(k->name, name))) {
			return k;
		}
	}
	return NULL;
}

static int on_value(void *user, const char *section, const char *name,
		    const char *value)
{
	struct reader *r = user;
	const struct conf_key *key = find_key(r, section, name);
	char reason[CONF_REASON] = "";

	if (!section[0]) {
		READER_FAIL(r, "%.40s stands before any [section]", name);
	} else if (!key) {
		READER_FAIL(r, "unknown key %.40s in [%s]", name, section);
	} else if (r->seen[key - r->keys] && !key->repeats) {
		READER_FAIL(r, "%s is set twice, first in line %d", name,
			    r->seen[key - r->keys]);
	} else if (key->set(key, value, r->object, reason)) {
		READER_FAIL(r, "%.40s: %s", name, reason);
	}
	if (r->failed) {
		return 0;
	}
	r->seen[key - r->keys] = r->line;
	if (r->heard) {
		r->heard(r->context, key, r->line);
	}
	return 1;
}

int conf_read(const char *text, size_t length, const char *file,
	     const struct conf_key *keys, void *object, conf_heard *heard,
	     void *context, struct manifest_error *ret_error)
{
	struct reader r = {
		.at = text, .end = text + length, .file = file, .keys = keys,
		.object = object, .heard = heard, .context = context,
		.error = ret_error
	};
	int line;

	if (length > CONF_TEXT) {
		(void)conf_fail(ret_error, file, 0, "file too long: at most "
			       "%u bytes", CONF_TEXT);
		return -E2BIG;
	}
	ini_max_line = CONF_LINE + 4;
	ini_use_stack = true;
	ini_allow_multiline = false;
	ini_allow_bom = false;
	ini_stop_on_first_error = true;
	line = ini_parse_stream(next_line, &r, on_value, &r);
	if (!r.failed && line) {
		r.line = line > 0 ? line : r.line;
		READER_FAIL(&r, "not understood: write `key = value', "
			    "[section], or a comment after ;");
	}
	return r.failed;
}
