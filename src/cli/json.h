/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/json.h - building JSON that is always well-formed
 *
 * jansson underneath. Keys are literals and stand in the order in which they
 * are put. A key that is already there, and memory that is out, spoil the
 * document (sticky): json_print() then prints nothing and returns an error,
 * so that half a document is never taken for a whole one.
 *
 * Foreign bytes: a backslash is \\ and a byte that is not UTF-8 is \xHH,
 * inside the string's value (text.h). Output is ASCII.
 * Times: RFC 3339, UTC. An absent value is null; keys are never left out.
 * A number above 2^63-1 becomes a string of digits.
 */
#ifndef CLI_JSON_H
#define CLI_JSON_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

struct json_doc {
	json_t *root;           /* owned */
	int error;              /* first one, negative */
};

int json_open(struct json_doc *ret_doc) __attribute__((warn_unused_result));
void json_closep(struct json_doc *doc);
#define cleanup_json __attribute__((cleanup(json_closep)))

/* parent is an object, or an array (key null). Null when spoiled; a null
 * parent is passed over, so that calls need no check between them. */
json_t *json_put_object(struct json_doc *doc, json_t *parent, const char *key);
json_t *json_put_array(struct json_doc *doc, json_t *parent, const char *key);
void json_put_number(struct json_doc *doc, json_t *parent, const char *key,
		     uint64_t value);
void json_put_bool(struct json_doc *doc, json_t *parent, const char *key,
		   bool value);
void json_put_null(struct json_doc *doc, json_t *parent, const char *key);
/* Foreign or not: escaped where needed. Null becomes null. */
void json_put_text(struct json_doc *doc, json_t *parent, const char *key,
		   const char *bytes);
/* As json_put_text(), but an empty text is null. */
void json_put_filled(struct json_doc *doc, json_t *parent, const char *key,
		     const char *bytes);
/* ns of CLOCK_REALTIME; 0 is null. */
void json_put_time(struct json_doc *doc, json_t *parent, const char *key,
		   uint64_t ns);

/* One document and a newline on standard output: indented, or one line. */
int json_print(const struct json_doc *doc, bool one_line)
	__attribute__((warn_unused_result));

#endif
