/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/json.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/result.h"
#include "cli/out.h"
#include "cli/text.h"
#include "cli/when.h"

int json_open(struct json_doc *ret_doc)
{
	json_t *root = json_object();

	if (!root) {
		return -ENOMEM;
	}
	*ret_doc = (struct json_doc){ .root = root };
	return 0;
}

void json_closep(struct json_doc *doc)
{
	json_decref(doc->root);
	doc->root = NULL;
}

/* Takes value; returns it, borrowed. */
static json_t *json_put(struct json_doc *doc, json_t *parent, const char *key,
			json_t *value)
{
	int error = 0;

	if (!value) {
		error = -ENOMEM;
	} else if (!parent) {
		error = -EINVAL;
	} else if (key && json_object_get(parent, key)) {
		error = -EEXIST;
	}
	if (error) {
		json_decref(value);
		doc->error = doc->error ? doc->error : error;
		return NULL;
	}
	if (key ? json_object_set_new(parent, key, value) :
		  json_array_append_new(parent, value)) {
		doc->error = doc->error ? doc->error : -ENOMEM;
		return NULL;
	}
	return value;
}

json_t *json_put_object(struct json_doc *doc, json_t *parent, const char *key)
{
	return json_put(doc, parent, key, json_object());
}

json_t *json_put_array(struct json_doc *doc, json_t *parent, const char *key)
{
	return json_put(doc, parent, key, json_array());
}

void json_put_number(struct json_doc *doc, json_t *parent, const char *key,
		     uint64_t value)
{
	char digits[24];

	if (value <= INT64_MAX) {
		json_put(doc, parent, key, json_integer((json_int_t)value));
		return;
	}
	snprintf(digits, sizeof(digits), "%" PRIu64, value);
	json_put(doc, parent, key, json_string(digits));
}

void json_put_bool(struct json_doc *doc, json_t *parent, const char *key,
		   bool value)
{
	json_put(doc, parent, key, json_boolean(value));
}

void json_put_null(struct json_doc *doc, json_t *parent, const char *key)
{
	json_put(doc, parent, key, json_null());
}

void json_put_text(struct json_doc *doc, json_t *parent, const char *key,
		   const char *bytes)
{
	cleanup_free char *text = NULL;
	size_t length;

	if (!bytes) {
		json_put_null(doc, parent, key);
		return;
	}
	length = strlen(bytes);
	text = malloc(TEXT_ESCAPED(length));
	if (text) {
		text_escape(TEXT_JSON, bytes, length, text);
	}
	json_put(doc, parent, key, text ? json_string(text) : NULL);
}

void json_put_filled(struct json_doc *doc, json_t *parent, const char *key,
		     const char *bytes)
{
	json_put_text(doc, parent, key, bytes && *bytes ? bytes : NULL);
}

void json_put_time(struct json_doc *doc, json_t *parent, const char *key,
		   uint64_t ns)
{
	char buffer[WHEN_TEXT];

	json_put_text(doc, parent, key, ns ? when_utc_text(ns, buffer) : NULL);
}

int json_print(const struct json_doc *doc, bool one_line)
{
	cleanup_free char *text = NULL;

	if (doc->error) {
		return doc->error;
	}
	text = json_dumps(doc->root, JSON_ENSURE_ASCII |
			  (one_line ? JSON_COMPACT : JSON_INDENT(2)));
	if (!text) {
		return -ENOMEM;
	}
	out_text("%s\n", text);
	return 0;
}
