/* SPDX-License-Identifier: Apache-2.0 */
/* version_write.c - a description's text */
#include <string.h>

#include <bailey/event.h>

#include "content/version.h"

#define NAME_CASE(sym, num, name, class, help)                                \
	case num: return name;

static const char *event_name(uint32_t event)
{
	switch (event) {
	BAILEY_EVENT_TABLE(NAME_CASE)
	default: return "unknown";
	}
}

static json_t *write_file(const struct version_file *file)
{
	char hex[VERSION_HEX];

	version_hex(file->sha256, hex);
	if (!file->path[0]) {
		return json_pack("{s:I,s:s}", "length",
				 (json_int_t)file->length, "sha256", hex);
	}
	return json_pack("{s:s,s:I,s:s}", "path", file->path, "length",
			 (json_int_t)file->length, "sha256", hex);
}

static json_t *write_case(const struct version_case *one)
{
	const char *expect = one->expect == BAILEY_VERDICT_DENY ? "deny" :
		one->expect == BAILEY_VERDICT_ALLOW ? "allow" : "unknown";
	json_t *object = write_file(&one->file);

	if (object &&
	    (json_object_set_new(object, "event",
				 json_string(event_name(one->event))) < 0 ||
	     json_object_set_new(object, "expect",
				 json_string(expect)) < 0 ||
	     (one->as[0] && json_object_set_new(object, "as",
						json_string(one->as)) < 0) ||
	     json_object_set_new(object, "repeat",
				 json_integer(one->repeat)) < 0)) {
		json_decref(object);
		return NULL;
	}
	return object;
}

static json_t *write_files(const struct version *version)
{
	json_t *list = json_array();

	for (size_t i = 0; list && i < version->files; i++) {
		if (json_array_append_new(list,
					  write_file(&version->file[i])) < 0) {
			json_decref(list);
			return NULL;
		}
	}
	return list;
}

static json_t *write_corpus(const struct version *version)
{
	json_t *list = json_array();

	for (size_t i = 0; list && i < version->cases; i++) {
		const struct version_case *one = &version->corpus[i];

		if (json_array_append_new(list, write_case(one)) < 0) {
			json_decref(list);
			return NULL;
		}
	}
	return list;
}

static json_t *write_tree(const struct version *v)
{
	json_t *tree = json_pack(
		"{s:i,s:s,s:s,s:I,s:s,s:s,s:I,s:I,s:I,s:I,s:b,s:o,s:o}",
		"format", VERSION_FORMAT, "product", v->product,
		"version", v->version, "number", (json_int_t)v->number,
		"class", version_class_name(v->kind), "schema", v->schema,
		"fields", (json_int_t)v->fields,
		"bake_s", (json_int_t)v->bake_s,
		"min_events", (json_int_t)v->min_events,
		"floor", (json_int_t)v->floor, "urgent", v->urgent,
		"files", write_files(v), "corpus", write_corpus(v));

	if (tree && v->has_events &&
	    json_object_set_new(tree, "events", write_file(&v->events)) < 0) {
		json_decref(tree);
		return NULL;
	}
	return tree;
}

int version_write(const struct version *version, char **ret_text,
		  size_t *ret_length, struct json_fault *fault)
{
	cleanup_version struct version *again = NULL;
	cleanup_json_tree json_t *tree = write_tree(version);
	char *text = tree ? json_dumps(tree, JSON_COMPACT) : NULL;
	int r = text ? version_parse(text, strlen(text), &again, fault)
		     : -ENOMEM;

	if (r < 0) {
		free(text);
		return r == -EFBIG ? -EBADMSG : r;
	}
	*ret_text = text;
	*ret_length = strlen(text);
	return 0;
}
