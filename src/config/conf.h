/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config/conf.h - INI text into a struct, by a table of keys
 *
 * libinih cuts lines into section, key and value; this module refuses what it
 * lets pass: unknown, repeated and malformed sections, unknown and repeated
 * keys, lines that it would split, NUL and control characters. Every refusal
 * has the form "file:line: reason". The text comes from an administrator or
 * from a product's vendor; nothing of it is trusted.
 *
 * libinih keeps its settings in globals: one thread at a time.
 */
#ifndef CONFIG_CONF_H
#define CONFIG_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/manifest.h"

#define CONF_TEXT (64u * 1024u)  /* bytes in one file */
#define CONF_LINE 1020u          /* bytes in one line */
#define CONF_KEYS 64u            /* rows of one table */
#define CONF_REASON 160

/* A word and what it stands for; a null word ends a list. */
struct conf_word {
	const char *word;
	uint32_t value;
};

struct conf_key {
	const char *section;
	const char *name;               /* "": any key of the section */
	/* Sets the field from the value; fills ret_reason on failure. */
	int (*set)(const struct conf_key *key, const char *value, void *object,
		   char ret_reason[CONF_REASON]);
	size_t offset, size;            /* of the field in the object */
	uint64_t low, high;             /* of a number, after its unit */
	const struct conf_word *words;
	bool repeats;                   /* may stand more than once */
	const char *help;
};

/* Told of each key that was set. */
typedef void conf_heard(void *context, const struct conf_key *key, int line);

/* keys: ends with a row whose section is null. On failure object may be half
 * set. 0, -EBADMSG, -E2BIG. */
int conf_read(const char *text, size_t length, const char *file,
	     const struct conf_key *keys, void *object, conf_heard *heard,
	     void *context, struct manifest_error *ret_error)
	__attribute__((warn_unused_result));

/* Fills "file:line: reason" (without the line if it is 0); -EBADMSG. */
__attribute__((format(printf, 4, 5)))
int conf_fail(struct manifest_error *ret_error, const char *file, int line,
	     const char *format, ...);

/* Setters (conf_value.c). Numbers are uint32_t, bytes uint64_t. */
#define CONF_SETTER(name)                                                      \
	int name(const struct conf_key *key, const char *value, void *object,  \
		 char ret_reason[CONF_REASON])
CONF_SETTER(conf_set_text);       /* printable, not empty, fits size */
CONF_SETTER(conf_set_name);       /* a-z 0-9 - _ */
CONF_SETTER(conf_set_path);       /* absolute, plain; may be spaces in it */
CONF_SETTER(conf_set_number);
CONF_SETTER(conf_set_bytes);      /* K M G */
CONF_SETTER(conf_set_duration);   /* s m h d, to seconds */
CONF_SETTER(conf_set_percent);    /* "80%" */
CONF_SETTER(conf_set_word);       /* one of words */

/* Pieces for setters of other modules. */

/* The next piece of a list separated by spaces: copied to ret_piece, *value
 * moved on. 1, 0 at the end, -E2BIG. */
int conf_piece(const char **value, char *ret_piece, size_t size);
/* Whole text is a decimal number below 2^63; *ret_end after its digits. */
int conf_number(const char *text, uint64_t *ret_value, const char **ret_end);
/* Number with one of the units s m h d. */
int conf_seconds(const char *text, uint64_t *ret_seconds);
/* Absolute, without empty, `.' and `..' components; "" or why not. */
const char *conf_path_fault(const char *path);
/* Looks the word up; 0 or -ENOENT with the words listed in ret_reason. */
int conf_word_find(const struct conf_word *words, const char *word,
		  uint32_t *ret_value, char ret_reason[CONF_REASON]);

#endif
