/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base/json.h - a strict reader of JSON that others wrote
 *
 * jansson underneath, but refused before it sees them: documents over the
 * caller's maximum, nesting over JSON_DEPTH, numbers with a fraction, an
 * exponent or more digits than an int64 has, -0. Refused by it: duplicate keys,
 * what is not UTF-8, NUL in a text, anything after the document. The document
 * is an object; unknown members are kept.
 *
 * A json_at is a value and how it was reached; it lives as long as its parents
 * and the tree. Getters take an object and a key, say what is wrong with the
 * path in front ("signed.roles.root.threshold: not an integer") and return
 * -EBADMSG. Outputs are untouched on failure; texts are borrowed from the tree.
 *
 *	struct json_fault fault;
 *	cleanup_json_tree json_t *tree = NULL;
 *	struct json_at top, file;
 *	int64_t number;
 *
 *	r = json_read(bytes, length, 1 << 20, &tree, &top, &fault);
 *	if (r < 0 || (r = json_int(&top, "number", 1, INT64_MAX, &number)) < 0)
 *		say(fault.text);
 */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "base/result.h"

#define JSON_DEPTH 32u

/* First fault: path, then what is wrong. One line, ASCII. */
struct json_fault {
	char text[192];
};

struct json_at {
	const json_t *value;
	const struct json_at *parent;   /* null: the document */
	const char *key;                /* of an object's member, else null */
	size_t index;                   /* of an array's element */
	struct json_fault *fault;       /* where getters write */
};

static inline void json_tree_freep(json_t **tree)
{
	json_decref(*tree);
}
#define cleanup_json_tree __attribute__((cleanup(json_tree_freep)))

/* The document's tree, the caller's (json_decref), and its top. 0, -EBADMSG
 * (refused), -EFBIG (over maximum), -ENOMEM; the fault says why. */
int json_read(const void *bytes, size_t length, size_t maximum,
	      json_t **ret_tree, struct json_at *ret_top,
	      struct json_fault *fault) must_use;

/* 1 if the object has this key (and it is not null), else 0. */
bool json_has(const struct json_at *object, const char *key);

int json_int(const struct json_at *object, const char *key, int64_t minimum,
	     int64_t maximum, int64_t *ret_number) must_use;
int json_flag(const struct json_at *object, const char *key, bool *ret_flag)
	must_use;
/* At least one byte, at most maximum; UTF-8, ends with a NUL. */
int json_text(const struct json_at *object, const char *key, size_t maximum,
	      const char **ret_text) must_use;
int json_member(const struct json_at *object, const char *key,
		struct json_at *ret_object) must_use;
/* At most maximum elements. */
int json_list(const struct json_at *object, const char *key, size_t maximum,
	      struct json_at *ret_array, size_t *ret_count) must_use;

/* Elements of an array. */
int json_element(const struct json_at *array, size_t index,
		 struct json_at *ret_object) must_use;
int json_element_text(const struct json_at *array, size_t index,
		      size_t maximum, const char **ret_text) must_use;

/* The next member of an object, in the order of the document: *iterator
 * starts as null. 1, with ret_member->key its key; or 0, no more. */
int json_next(const struct json_at *object, void **iterator,
	      struct json_at *ret_member) must_use;
/* At most maximum members, each of which is an object. */
int json_all_objects(const struct json_at *object, size_t maximum) must_use;

/* "2030-01-02T03:04:05Z" to seconds since 1970. */
int json_time(const struct json_at *object, const char *key,
	      int64_t *ret_seconds) must_use;

/* Exactly 2 * size hexadecimal digits of either case. */
int json_hex(const struct json_at *object, const char *key, uint8_t *ret_bytes,
	     size_t size) must_use;

/* For a check of the caller's own: writes "path: TEXT", returns -EBADMSG.
 * key may be null: the fault is about at itself. */
__attribute__((format(printf, 3, 4)))
int json_refuse(const struct json_at *at, const char *key, const char *format,
		...);

#endif
