/* SPDX-License-Identifier: Apache-2.0 */
/* meta.c - signed documents: {"signatures":[...],"signed":{...}} */
#include "publish/publish.h"

#include <string.h>

#include "base/canon.h"

int meta_read(const char *bytes, size_t length, json_t **ret_tree,
	      struct json_fault *fault)
{
	cleanup_json_tree json_t *tree = NULL;
	struct json_at top, signed_part, signatures;
	const char *text;
	size_t count;
	int64_t number;
	int r = json_read(bytes, length, PUB_METADATA, &tree, &top, fault);

	r = r ? r : json_list(&top, "signatures", 1024, &signatures, &count);
	r = r ? r : json_member(&top, "signed", &signed_part);
	r = r ? r : json_text(&signed_part, "_type", 32, &text);
	r = r ? r : json_int(&signed_part, "version", 1, INT64_MAX, &number);
	r = r ? r : json_time(&signed_part, "expires", &number);
	if (r == 0) {
		*ret_tree = tree;
		tree = NULL;
	}
	return r;
}

char *meta_text(const json_t *tree, size_t *ret_length)
{
	char *text = json_dumps(tree, JSON_COMPACT | JSON_SORT_KEYS);

	if (text) {
		*ret_length = strlen(text);
	}
	return text;
}

static json_t *signed_of(const json_t *tree)
{
	return json_object_get(tree, "signed");
}

int64_t meta_version(const json_t *tree)
{
	return json_integer_value(json_object_get(signed_of(tree),
						  "version"));
}

int64_t meta_expires(const json_t *tree)
{
	struct json_fault fault;
	struct json_at at = { .value = signed_of(tree), .fault = &fault };
	int64_t seconds;

	return json_time(&at, "expires", &seconds) < 0 ? 0 : seconds;
}

/* The signed part without what every new version changes. */
static json_t *what_it_says(const json_t *tree)
{
	static const char *const moving[] = { "version", "expires",
					      "spec_version" };
	json_t *copy = json_copy(signed_of(tree));

	for (size_t i = 0; copy && i < 3; i++) {
		json_object_del(copy, moving[i]);
	}
	return copy;
}

bool meta_same(const json_t *tree, const json_t *other)
{
	cleanup_json_tree json_t *a = what_it_says(tree);
	cleanup_json_tree json_t *b = what_it_says(other);

	return a && b && json_equal(a, b);
}

json_t *meta_new(json_t *body, const char *type, int64_t version,
		 int64_t expires)
{
	char until[PUB_TIME];

	pub_time(expires, until);
	if (!body ||
	    json_object_set_new(body, "_type", json_string(type)) < 0 ||
	    json_object_set_new(body, "spec_version",
				json_string(PUB_SPEC)) < 0 ||
	    json_object_set_new(body, "version",
				json_integer(version)) < 0 ||
	    json_object_set_new(body, "expires", json_string(until)) < 0) {
		json_decref(body);
		return NULL;
	}
	return json_pack("{s:[],s:o}", "signatures", "signed", body);
}

int meta_keys(const json_t *delegator, const char *role,
	      struct meta_keys *ret_keys)
{
	const json_t *all = json_object_get(signed_of(delegator),
					    "delegations");
	const json_t *roles, *one = NULL;

	all = all ? all : signed_of(delegator);
	roles = json_object_get(all, "roles");
	if (json_is_object(roles)) {
		one = json_object_get(roles, role);
	}
	for (size_t i = 0; !one && i < json_array_size(roles); i++) {
		const json_t *entry = json_array_get(roles, i);
		const char *name = json_string_value(
			json_object_get(entry, "name"));

		one = name && strcmp(name, role) == 0 ? entry : NULL;
	}
	if (!one) {
		return -ENOENT;
	}
	ret_keys->keys = json_object_get(all, "keys");
	ret_keys->ids = json_object_get(one, "keyids");
	ret_keys->threshold = json_integer_value(json_object_get(
		one, "threshold"));
	return 0;
}

bool meta_names(const struct meta_keys *keys, const char *id)
{
	for (size_t i = 0; i < json_array_size(keys->ids); i++) {
		const char *each = json_string_value(
			json_array_get(keys->ids, i));

		if (each && strcmp(each, id) == 0) {
			return true;
		}
	}
	return false;
}

/* Is this the signature over bytes of a key that is named? */
static bool valid(const struct meta_keys *keys, const json_t *signature,
		  const uint8_t *bytes, size_t length)
{
	const char *id = json_string_value(json_object_get(signature,
							   "keyid"));
	struct json_fault fault;
	struct json_at object = { .fault = &fault };
	struct json_at at = { .value = signature, .fault = &fault };
	cleanup_key struct key *key = NULL;
	uint8_t sig[KEY_SIGNATURE];
	const char *hex;
	size_t n;

	if (!id || !meta_names(keys, id)) {
		return false;
	}
	object.value = json_object_get(keys->keys, id);
	if (!json_is_object(object.value) || key_parse(&object, &key) != 0 ||
	    json_text(&at, "sig", 2 * KEY_SIGNATURE, &hex) < 0) {
		return false;
	}
	n = strlen(hex);
	return n % 2 == 0 && json_hex(&at, "sig", sig, n / 2) == 0 &&
	       key_verify(key, bytes, length, sig, n / 2) == 0;
}

static const char *id_of(const json_t *signature)
{
	const char *id = json_string_value(json_object_get(signature,
							   "keyid"));

	return id ? id : "";
}

int meta_count(const json_t *tree, const struct meta_keys *keys)
{
	const json_t *list = json_object_get(tree, "signatures");
	cleanup_free uint8_t *bytes = NULL;
	size_t length;
	int count = 0, r = canon_write(signed_of(tree), &bytes, &length);

	if (r < 0) {
		return r;
	}
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *one = json_array_get(list, i);
		bool again = false;

		for (size_t k = 0; k < i; k++) {
			again |= strcmp(id_of(json_array_get(list, k)),
					id_of(one)) == 0;
		}
		count += !again && valid(keys, one, bytes, length);
	}
	return count;
}

bool meta_enough(const json_t *tree, const struct meta_keys *keys)
{
	return keys->threshold > 0 &&
	       meta_count(tree, keys) >= keys->threshold;
}

/* Takes signature over, in place of one under the same id. */
static int put(json_t *tree, const char *id, json_t *signature)
{
	json_t *list = json_object_get(tree, "signatures");

	if (!signature) {
		return -ENOMEM;
	}
	for (size_t i = json_array_size(list); i > 0; i--) {
		if (strcmp(id_of(json_array_get(list, i - 1)), id) == 0) {
			json_array_remove(list, i - 1);
		}
	}
	return json_array_append_new(list, signature) < 0 ? -ENOMEM : 0;
}

int meta_sign(json_t *tree, const struct key *key, const char *id)
{
	cleanup_free uint8_t *bytes = NULL;
	uint8_t sig[KEY_SIGNATURE];
	char hex[2 * KEY_SIGNATURE + 1];
	size_t length, n;
	int r = canon_write(signed_of(tree), &bytes, &length);

	r = r ? r : key_sign(key, bytes, length, sig, &n);
	if (r < 0) {
		return r;
	}
	for (size_t i = 0; i < n; i++) {
		hex[2 * i] = "0123456789abcdef"[sig[i] >> 4];
		hex[2 * i + 1] = "0123456789abcdef"[sig[i] & 15];
	}
	hex[2 * n] = '\0';
	return put(tree, id, json_pack("{s:s,s:s}", "keyid", id, "sig", hex));
}

int meta_take(json_t *tree, const struct meta_keys *keys,
	      const json_t *signature)
{
	cleanup_free uint8_t *bytes = NULL;
	size_t length;
	int r = canon_write(signed_of(tree), &bytes, &length);

	if (r < 0) {
		return r;
	}
	if (!valid(keys, signature, bytes, length)) {
		return 0;
	}
	r = put(tree, id_of(signature), json_deep_copy(signature));
	return r ? r : 1;
}
