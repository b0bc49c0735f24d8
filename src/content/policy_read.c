/* SPDX-License-Identifier: Apache-2.0 */
/* policy_read.c - the sections of content.d (policy.h): a mistake is reported
 * and holds the products that its section is for; the rest counts */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "content/policy_key.h"

/* Where the rows stand in a table: what conf_read tells is its key. */
struct hearing {
	const struct conf_key *keys;
	struct policy_section *section;
};

static void heard(void *context, const struct conf_key *key, int line)
{
	struct hearing *hearing = context;

	hearing->section->given |= 1u << (key - hearing->keys);
}

/* ---- one file ---- */

struct reading {
	const char *text;
	size_t length;
	const char *file;
	struct policy_set *set;
	void (*say)(void *context, const struct manifest_error *error);
	void *context;
	char *alone;            /* the text, with only one section's lines */
	int mistakes;
};

static void say(struct reading *r, const struct manifest_error *error)
{
	r->mistakes++;
	if (r->say) {
		r->say(r->context, error);
	}
}

/* The end of a line that starts at p. */
static const char *line_end(const struct reading *r, const char *p)
{
	const char *end = r->text + r->length;
	const char *stop = memchr(p, '\n', (size_t)(end - p));

	return stop ? stop : end;
}

/* The line as a header: text between the brackets, or false. What is wrong
 * with it otherwise is conf_read's to say. */
static bool header(const char *p, const char *end, char *ret_name, size_t size)
{
	const char *close;

	while (p < end && (*p == ' ' || *p == '\t')) {
		p++;
	}
	if (p == end || *p != '[') {
		return false;
	}
	p++;
	close = memchr(p, ']', (size_t)(end - p));
	if (!close || (size_t)(close - p) >= size) {
		close = p;
	}
	memcpy(ret_name, p, (size_t)(close - p));
	ret_name[close - p] = '\0';
	return true;
}

#define HEADER (MANIFEST_NAME + 16)

/* "scan", "*", "scan data", "* code": whose section it is. */
static bool header_read(const char *name, struct policy_section *ret_section)
{
	const char *whole = name;
	char plain[HEADER];
	char product[MANIFEST_NAME] = "", class[8] = "", more[2] = "";
	enum version_class kind = VERSION_CODE;
	bool one;

	if (conf_piece(&name, product, sizeof(product)) <= 0 ||
	    conf_piece(&name, class, sizeof(class)) < 0 ||
	    conf_piece(&name, more, sizeof(more)) != 0) {
		return false;
	}
	one = class[0] != '\0';
	snprintf(plain, sizeof(plain), "%s%s%s", product, one ? " " : "",
		 class);
	if (strcmp(plain, whole) != 0 ||
	    (strcmp(product, "*") != 0 && !version_product_good(product)) ||
	    (one && version_class_find(class, &kind))) {
		return false;
	}
	memset(ret_section, 0, sizeof(*ret_section));
	memcpy(ret_section->product, product, sizeof(product));
	ret_section->class = one ? (uint32_t)kind : LEASE_CLASSES;
	return true;
}

/* Copies the lines of the sections with this name to r->alone, newlines only
 * for all others: so numbers of lines stay. An empty name takes what stands
 * before the first section. */
static void isolate(struct reading *r, const char *name, bool before)
{
	char *to = r->alone;
	bool mine = before;

	for (const char *p = r->text; p < r->text + r->length; ) {
		const char *end = line_end(r, p);
		char other[HEADER];

		if (header(p, end, other, sizeof(other))) {
			mine = !before && !strcmp(other, name);
		}
		if (mine) {
			memcpy(to, p, (size_t)(end - p));
			to += end - p;
		}
		if (end < r->text + r->length) {
			*to++ = '\n';
			end++;
		}
		p = end;
	}
	*to = '\0';
}

/* Reads r->alone, whose only section is name. False: a mistake, told. */
static bool read_alone(struct reading *r, const char *name,
		       struct policy_section *section)
{
	struct conf_key keys[POLICY_KEYS + 1];
	struct hearing hearing = { .keys = keys, .section = section };
	struct manifest_error error = { .text = "" };

	memset(keys, 0, sizeof(keys));
	for (size_t i = 0; i < POLICY_KEYS; i++) {
		keys[i] = policy_keys[i];
		keys[i].section = name;
	}
	if (!conf_read(r->alone, strlen(r->alone), r->file, keys, section,
		       heard, &hearing, &error)) {
		return true;
	}
	say(r, &error);
	return false;
}

/* Whether an earlier line is a header of the same name. */
static bool seen_before(const struct reading *r, const char *at,
			const char *name)
{
	for (const char *p = r->text; p < at; p = line_end(r, p) + 1) {
		char other[HEADER];

		if (header(p, line_end(r, p), other, sizeof(other)) &&
		    !strcmp(other, name)) {
			return true;
		}
	}
	return false;
}

__attribute__((format(printf, 3, 4)))
static void wrong(struct reading *r, int line, const char *format, ...)
{
	struct manifest_error error = { .text = "" };
	char text[CONF_REASON];
	va_list list;

	va_start(list, format);
	vsnprintf(text, sizeof(text), format, list);
	va_end(list);
	(void)conf_fail(&error, r->file, line, "%s", text);
	say(r, &error);
	r->set->broken = 1;
}

/* One section, by its header's name. */
static void read_section(struct reading *r, const char *name, int line)
{
	struct policy_section section;

	if (!header_read(name, &section)) {
		wrong(r, line, "[%.40s] is not a section: write [PRODUCT], "
		      "[*], or one of them with ` code' or ` data' behind",
		      name);
		return;
	}
	policy_defaults(&section.value);
	isolate(r, name, false);
	section.value.broken = !read_alone(r, name, &section);
	if (r->set->count == POLICY_SECTIONS) {
		wrong(r, line, "more than %u sections in all files",
		      POLICY_SECTIONS);
		return;
	}
	r->set->section[r->set->count++] = section;
}

/* Each name once, up to as many mistakes as there may be sections. */
static void read_sections(struct reading *r)
{
	int line = 0;

	for (const char *p = r->text; p < r->text + r->length; ) {
		const char *end = line_end(r, p);
		char name[HEADER];

		line++;
		if (header(p, end, name, sizeof(name)) &&
		    !seen_before(r, p, name)) {
			read_section(r, name, line);
		}
		if (r->mistakes > (int)POLICY_SECTIONS) {
			return;
		}
		p = end + 1;
	}
}

int policy_read(const char *text, size_t length, const char *file,
		struct policy_set *set,
		void (*say_)(void *context, const struct manifest_error *error),
		void *context)
{
	struct reading r = {
		.text = text, .length = length, .file = file, .set = set,
		.say = say_, .context = context
	};
	cleanup_free char *alone = NULL;
	struct policy_section nobody = { .class = 0 };

	if (length > CONF_TEXT) {
		wrong(&r, 0, "too long: at most %u bytes", CONF_TEXT);
		return r.mistakes;
	}
	if (memchr(text, '\0', length)) {
		wrong(&r, 0, "byte 0x00: only printable text may stand here");
		return r.mistakes;
	}
	r.alone = alone = malloc(length + 1);
	if (!alone) {
		return -ENOMEM;
	}
	isolate(&r, "", true);
	if (!read_alone(&r, "", &nobody)) {
		set->broken = 1;
	}
	read_sections(&r);
	return r.mistakes;
}
