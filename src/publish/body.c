/* SPDX-License-Identifier: Apache-2.0 */
/* body.c - what each role has to say, from what is wanted */
#include "publish/publish.h"

#include <stdio.h>
#include <string.h>

const char *body_type(enum pub_role role)
{
	switch (role) {
	case PUB_ROOT: return "root";
	case PUB_SNAPSHOT: return "snapshot";
	case PUB_TIMESTAMP: return "timestamp";
	default: return "targets";
	}
}

enum pub_role body_delegator(enum pub_role role)
{
	switch (role) {
	case PUB_DATA: return PUB_CONTENT;
	case PUB_CONTENT:
	case PUB_GATE:
	case PUB_REVOKED: return PUB_TARGETS;
	default: return PUB_ROOT;
	}
}

/* The others are delegated only once they have a key. */
bool body_wanted(const struct publish *p, enum pub_role role)
{
	if (role != PUB_DATA && role != PUB_GATE && role != PUB_REVOKED) {
		return true;
	}
	return json_array_size(json_object_get(pub_role_state(p, role),
					       "keys")) > 0;
}

/* {"keyids":[...],"threshold":n}, its keys added to `keys`. */
static json_t *role_entry(const struct publish *p, enum pub_role role,
			  json_t *keys)
{
	const json_t *state = pub_role_state(p, role);
	const json_t *names = json_object_get(state, "keys");
	json_t *ids = json_array();

	for (size_t i = 0; ids && i < json_array_size(names); i++) {
		json_t *object = pub_key_state(
			p, json_string_value(json_array_get(names, i)));
		char id[KEY_ID];

		if (key_object_id(object, id) < 0 ||
		    json_array_append_new(ids, json_string(id)) < 0 ||
		    json_object_set(keys, id, object) < 0) {
			json_decref(ids);
			return NULL;
		}
	}
	return json_pack("{s:o*,s:I}", "keyids", ids, "threshold",
			 json_integer_value(json_object_get(state,
							    "threshold")));
}

static json_t *root_body(const struct publish *p)
{
	static const enum pub_role top[] = { PUB_ROOT, PUB_TIMESTAMP,
					     PUB_SNAPSHOT, PUB_TARGETS };
	json_t *keys = json_object(), *roles = json_object();
	int r = keys && roles ? 0 : -1;

	for (size_t i = 0; r == 0 && i < 4; i++) {
		r = json_object_set_new(roles, pub_role_word(top[i]),
					role_entry(p, top[i], keys));
	}
	if (r < 0) {
		json_decref(keys);
		json_decref(roles);
		return NULL;
	}
	return json_pack("{s:b,s:o,s:o}", "consistent_snapshot", true, "keys",
			 keys, "roles", roles);
}

static json_t *paths_of(const struct publish *p, enum pub_role role)
{
	char text[3][VERSION_TARGET];

	snprintf(text[0], VERSION_TARGET, "content/%s/code/*", p->product);
	snprintf(text[1], VERSION_TARGET, "content/%s/policy.json",
		 p->product);
	snprintf(text[2], VERSION_TARGET, "content/%s/data/*", p->product);
	switch (role) {
	case PUB_CONTENT:
		return json_pack("[s,s,s]", text[0], text[1], text[2]);
	case PUB_DATA:
		return json_pack("[s]", text[2]);
	case PUB_GATE:
		return json_pack("[s]", "gate/*");
	default:
		return json_pack("[s]", "revoked.json");
	}
}

/* One delegation. Terminating: nobody else may provide these paths. */
static int delegate(const struct publish *p, enum pub_role role, json_t *keys,
		    json_t *roles)
{
	char name[PUB_ROLE_NAME];
	json_t *entry;

	if (!body_wanted(p, role)) {
		return 0;
	}
	pub_role_name(p, role, name);
	entry = role_entry(p, role, keys);
	if (!entry ||
	    json_object_set_new(entry, "name", json_string(name)) < 0 ||
	    json_object_set_new(entry, "terminating", json_true()) < 0 ||
	    json_object_set_new(entry, "paths", paths_of(p, role)) < 0) {
		json_decref(entry);
		return -1;
	}
	return json_array_append_new(roles, entry);
}

static int delegations(const struct publish *p, enum pub_role role,
		       json_t *body)
{
	json_t *keys = json_object(), *roles = json_array();
	int r = keys && roles ? 0 : -1;

	for (int i = 0; r == 0 && i < PUB_DRAFTS; i++) {
		if (i != PUB_ROOT && i != PUB_TARGETS &&
		    body_delegator((enum pub_role)i) == role) {
			r = delegate(p, (enum pub_role)i, keys, roles);
		}
	}
	if (r < 0 || json_array_size(roles) == 0) {
		json_decref(keys);
		json_decref(roles);
		return r;
	}
	return json_object_set_new(body, "delegations",
				   json_pack("{s:o,s:o}", "keys", keys,
					     "roles", roles));
}

char *body_target(const struct publish *p, enum pub_role role,
		  char ret_path[VERSION_TARGET], size_t *ret_length)
{
	const json_t *content = NULL;
	char *text;

	switch (role) {
	case PUB_CONTENT:
		content = json_object_get(p->state, "policy");
		snprintf(ret_path, VERSION_TARGET, "content/%s/policy.json",
			 p->product);
		break;
	case PUB_GATE:
		content = json_object_get(p->state, "lease");
		snprintf(ret_path, VERSION_TARGET, "gate/%s.json",
			 p->product);
		break;
	case PUB_REVOKED:
		content = json_object_get(p->state, "revoked");
		snprintf(ret_path, VERSION_TARGET, "revoked.json");
		break;
	default:
		break;
	}
	text = content ? json_dumps(content, JSON_COMPACT | JSON_SORT_KEYS)
		       : NULL;
	*ret_length = text ? strlen(text) : 0;
	return text;
}

static json_t *target_entry(int64_t length, const char *hex)
{
	return json_pack("{s:I,s:{s:s}}", "length", (json_int_t)length,
			 "hashes", "sha256", hex);
}

static int list_versions(const struct publish *p, enum version_class kind,
			 json_t *targets)
{
	const json_t *list = pub_versions(p, kind);
	int r = 0;

	for (size_t i = 0; r == 0 && i < json_array_size(list); i++) {
		const json_t *v = json_array_get(list, i);
		char target[VERSION_TARGET];

		version_target(p->product, kind,
			       (uint64_t)json_integer_value(
				       json_object_get(v, "number")), target);
		r = json_object_set_new(
			targets, target,
			target_entry(json_integer_value(
					     json_object_get(v, "length")),
				     json_string_value(
					     json_object_get(v, "hash"))));
	}
	return r;
}

static json_t *targets_body(const struct publish *p, enum pub_role role)
{
	json_t *targets = json_object(), *body = NULL;
	char path[VERSION_TARGET], hex[VERSION_HEX];
	uint8_t hash[VERSION_HASH];
	size_t length;
	cleanup_free char *text = body_target(p, role, path, &length);
	int r = targets ? 0 : -1;

	if (r == 0 && text) {
		version_hash(text, length, hash);
		version_hex(hash, hex);
		r = json_object_set_new(targets, path,
					target_entry((int64_t)length, hex));
	}
	if (r == 0 && (role == PUB_CONTENT || role == PUB_DATA)) {
		r = list_versions(p, role == PUB_CONTENT ? VERSION_CODE
							 : VERSION_DATA,
				  targets);
	}
	if (r == 0) {
		body = json_pack("{s:O}", "targets", targets);
		r = body ? delegations(p, role, body) : -1;
	}
	json_decref(targets);
	if (r < 0) {
		json_decref(body);
		return NULL;
	}
	return body;
}

json_t *body_make(const struct publish *p, enum pub_role role)
{
	return role == PUB_ROOT ? root_body(p) : targets_body(p, role);
}
