/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "update/tuf_internal.h"

static const struct {
	const char *name;
	size_t maximum;
} kinds[] = {
#define TUF_KIND_ROW(sym, name, maximum) { name, maximum },
	TUF_KIND_TABLE(TUF_KIND_ROW)
#undef TUF_KIND_ROW
};

const char *tuf_kind_name(enum tuf_kind kind)
{
	return kinds[kind].name;
}

size_t tuf_kind_maximum(enum tuf_kind kind)
{
	return kinds[kind].maximum;
}

int tuf_fail(struct tuf *tuf, int error, const char *format, ...)
{
	va_list list;

	va_start(list, format);
	if (vsnprintf(tuf->why, sizeof(tuf->why), format, list) < 0) {
		tuf->why[0] = '\0';
	}
	va_end(list);
	return error;
}

/* Signatures: each key once. What a signature holds is seen when it counts. */
static int check_signatures(const struct json_at *top)
{
	struct json_at list, one, other;
	const char *id, *other_id;
	size_t count;
	int r = json_list(top, "signatures", TUF_SIGNATURES_MAX, &list,
			  &count);

	for (size_t i = 0; r == 0 && i < count; i++) {
		r = json_element(&list, i, &one);
		r = r ? r : json_text(&one, "keyid", 128, &id);
		if (r == 0 && !json_is_string(json_object_get(one.value,
							      "sig"))) {
			r = json_refuse(&one, "sig", "not a text");
		}
		for (size_t j = 0; r == 0 && j < i; j++) {
			r = json_element(&list, j, &other);
			r = r ? r : json_text(&other, "keyid", 128, &other_id);
			if (r == 0 && strcmp(id, other_id) == 0) {
				r = json_refuse(&one, "keyid",
						"signs twice");
			}
		}
	}
	return r;
}

/* "1", "1.0", "1.0.34": of the first major version. */
static int check_specification(const struct json_at *body)
{
	const char *text;
	int r = json_text(body, "spec_version", 32, &text);

	if (r == 0 && (text[0] != '1' || (text[1] && text[1] != '.') ||
		       strspn(text, "0123456789.") != strlen(text))) {
		r = json_refuse(body, "spec_version", "not 1.x");
	}
	return r;
}

static int check_envelope(const struct json_at *top, enum tuf_kind kind,
			  struct json_at *ret_body, struct tuf_meta *meta)
{
	const char *type;
	int r = check_signatures(top);

	r = r ? r : json_member(top, "signed", ret_body);
	r = r ? r : json_text(ret_body, "_type", 32, &type);
	if (r == 0 && strcmp(type, tuf_kind_name(kind)) != 0) {
		r = json_refuse(ret_body, "_type", "%s, not %s", type,
				tuf_kind_name(kind));
	}
	r = r ? r : check_specification(ret_body);
	r = r ? r : json_int(ret_body, "version", 1, INT64_MAX,
			     &meta->version);
	return r ? r : json_time(ret_body, "expires", &meta->expires);
}

int tuf_meta_read(struct tuf *tuf, enum tuf_kind kind, const char *name,
		  const uint8_t *bytes, size_t length,
		  struct tuf_meta *ret_meta)
{
	cleanup_meta struct tuf_meta meta = { .tree = NULL };
	struct json_at top, body;
	int r = json_read(bytes, length, tuf_kind_maximum(kind), &meta.tree,
			  &top, &tuf->fault);

	r = r ? r : check_envelope(&top, kind, &body, &meta);
	r = r ? r : tuf_form_check(kind, &body);
	if (r < 0) {
		return tuf_fail(tuf, r, "%s: %s", name,
				r == -ENOMEM ? "out of memory" :
					       tuf->fault.text);
	}
	meta.length = length;
	tuf_hashes_of(bytes, length, &meta.hashes);
	*ret_meta = meta;
	meta.tree = NULL;
	return 0;
}

void tuf_meta_fini(struct tuf_meta *meta)
{
	json_decref(meta->tree);
	*meta = (struct tuf_meta){ .tree = NULL };
}

void tuf_meta_take(struct tuf_meta *to, struct tuf_meta *from)
{
	json_decref(to->tree);
	*to = *from;
	from->tree = NULL;
}

int tuf_meta_expired(struct tuf *tuf, const char *name,
		     const struct tuf_meta *meta)
{
	if (meta->expires > tuf->start) {
		return 0;
	}
	return tuf_fail(tuf, -EKEYEXPIRED, "%s: expired %s", name,
			json_string_value(json_object_get(
				tuf_signed(meta->tree), "expires")));
}

const json_t *tuf_signed(const json_t *tree)
{
	return json_object_get(tree, "signed");
}
