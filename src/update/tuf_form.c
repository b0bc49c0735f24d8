/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tuf_form.c - what the signed part of each role must look like
 *
 * All of it is looked at before anything is believed, so that later code finds
 * what it asks for. Members that the specification does not name are kept and
 * signed for, and mean nothing here.
 */
#include <stdio.h>
#include <string.h>

#include "update/key.h"
#include "update/tuf_internal.h"

#define KEYID_MAX 128u
#define META_MAX 65536u         /* files in a snapshot */
#define TARGETS_COUNT_MAX 131072u

/* Each key under its own id: that is what lets ids stand for keys. */
static int check_keys(const struct json_at *owner)
{
	struct json_at keys, key;
	char id[KEY_ID];
	void *iterator = NULL;
	int r = json_member(owner, "keys", &keys);

	r = r ? r : json_all_objects(&keys, TUF_KEYS_MAX);
	while (r == 0 && json_next(&keys, &iterator, &key)) {
		r = key_object_id(key.value, id);
		if (r == 0 && strcmp(id, key.key) != 0) {
			r = json_refuse(&key, NULL, "not the id of this key");
		}
	}
	return r;
}

/* keyids, each once, and a threshold. */
static int check_threshold(const struct json_at *role)
{
	struct json_at list;
	const char *id, *other;
	int64_t threshold;
	size_t count;
	int r = json_list(role, "keyids", TUF_KEYS_MAX, &list, &count);

	for (size_t i = 0; r == 0 && i < count; i++) {
		r = json_element_text(&list, i, KEYID_MAX, &id);
		for (size_t j = 0; r == 0 && j < i; j++) {
			r = json_element_text(&list, j, KEYID_MAX, &other);
			if (r == 0 && strcmp(id, other) == 0) {
				r = json_refuse(&list, NULL,
						"a key stands there twice");
			}
		}
	}
	return r ? r : json_int(role, "threshold", 1, INT32_MAX, &threshold);
}

static int check_root(const struct json_at *body)
{
	struct json_at roles, role;
	bool flag;
	int r = check_keys(body);

	if (r == 0 && json_has(body, "consistent_snapshot")) {
		r = json_flag(body, "consistent_snapshot", &flag);
	}
	r = r ? r : json_member(body, "roles", &roles);
	for (int kind = 0; r == 0 && kind < TUF_KINDS; kind++) {
		r = json_member(&roles, tuf_kind_name((enum tuf_kind)kind),
				&role);
		r = r ? r : check_threshold(&role);
	}
	return r;
}

/* Names of hash functions to digests. */
static int check_hashes(const struct json_at *owner)
{
	struct json_at hashes, hash;
	void *iterator = NULL;
	int r = json_member(owner, "hashes", &hashes);

	if (r == 0 && json_object_size(hashes.value) == 0) {
		r = json_refuse(owner, "hashes", "empty");
	}
	while (r == 0 && json_next(&hashes, &iterator, &hash)) {
		if (!json_is_string(hash.value)) {
			r = json_refuse(&hash, NULL, "not a text");
		}
	}
	return r;
}

int tuf_form_hashes(const struct json_at *owner, struct tuf_hashes *ret_hashes)
{
	struct tuf_hashes h = { false, false, { 0 }, { 0 } };
	struct json_at hashes;
	int r = json_member(owner, "hashes", &hashes);

	if (r == 0 && json_has(&hashes, "sha256")) {
		h.has_sha256 = true;
		r = json_hex(&hashes, "sha256", h.sha256, sizeof(h.sha256));
	}
	if (r == 0 && json_has(&hashes, "sha512")) {
		h.has_sha512 = true;
		r = json_hex(&hashes, "sha512", h.sha512, sizeof(h.sha512));
	}
	if (r == 0 && !h.has_sha256 && !h.has_sha512) {
		r = json_refuse(owner, "hashes", "neither sha256 nor sha512");
	}
	if (r == 0) {
		*ret_hashes = h;
	}
	return r;
}

/* Of a timestamp or a snapshot, which must list the file `must`. */
static int check_meta(const struct json_at *body, const char *must)
{
	struct json_at meta, file;
	void *iterator = NULL;
	int64_t number;
	int r = json_member(body, "meta", &meta);

	r = r ? r : json_all_objects(&meta, META_MAX);
	if (r == 0 && !json_has(&meta, must)) {
		r = json_refuse(&meta, must, "missing");
	}
	while (r == 0 && json_next(&meta, &iterator, &file)) {
		r = json_int(&file, "version", 1, INT64_MAX, &number);
		if (r == 0 && json_has(&file, "length")) {
			r = json_int(&file, "length", 1, INT64_MAX, &number);
		}
		if (r == 0 && json_has(&file, "hashes")) {
			r = check_hashes(&file);
		}
	}
	return r;
}

static int check_texts(const struct json_at *owner, const char *key)
{
	struct json_at list;
	const char *text;
	size_t count;
	int r = json_list(owner, key, TUF_PATHS_MAX, &list, &count);

	for (size_t i = 0; r == 0 && i < count; i++) {
		r = json_element_text(&list, i, TUF_PATH_MAX - 1, &text);
	}
	return r;
}

/* A name that does not stand for a top-level role, nor twice. */
static int check_name(const struct json_at *role, json_t *names)
{
	const char *name;
	int r = json_text(role, "name", TUF_ROLE_MAX - 1, &name);

	for (int kind = 0; r == 0 && kind < TUF_KINDS; kind++) {
		if (strcmp(name, tuf_kind_name((enum tuf_kind)kind)) == 0) {
			r = json_refuse(role, "name", "a top-level role");
		}
	}
	if (r == 0 && json_object_get(names, name)) {
		r = json_refuse(role, "name", "stands there twice");
	}
	if (r == 0 && json_object_set_new(names, name, json_true()) < 0) {
		r = -ENOMEM;
	}
	return r;
}

static int check_delegation(const struct json_at *role, json_t *names)
{
	bool flag, paths = json_has(role, "paths"),
	     prefixes = json_has(role, "path_hash_prefixes");
	int r = check_name(role, names);

	r = r ? r : check_threshold(role);
	if (r == 0 && json_has(role, "terminating")) {
		r = json_flag(role, "terminating", &flag);
	}
	if (r == 0 && paths && prefixes) {
		r = json_refuse(role, "paths", "beside path_hash_prefixes");
	}
	if (r == 0 && paths) {
		r = check_texts(role, "paths");
	}
	if (r == 0 && prefixes) {
		r = check_texts(role, "path_hash_prefixes");
	}
	return r;
}

static int check_delegations(const struct json_at *body)
{
	struct json_at delegations, roles, role;
	cleanup_json_tree json_t *names = json_object();
	size_t count;
	int r = names ? json_member(body, "delegations", &delegations)
		      : -ENOMEM;

	r = r ? r : check_keys(&delegations);
	r = r ? r : json_list(&delegations, "roles", TUF_DELEGATIONS_MAX,
			      &roles, &count);
	for (size_t i = 0; r == 0 && i < count; i++) {
		r = json_element(&roles, i, &role);
		r = r ? r : check_delegation(&role, names);
	}
	return r;
}

static int check_targets(const struct json_at *body)
{
	struct json_at targets, target;
	void *iterator = NULL;
	int64_t length;
	int r = json_member(body, "targets", &targets);

	r = r ? r : json_all_objects(&targets, TARGETS_COUNT_MAX);
	while (r == 0 && json_next(&targets, &iterator, &target)) {
		r = json_int(&target, "length", 0, INT64_MAX, &length);
		r = r ? r : check_hashes(&target);
	}
	if (r == 0 && json_has(body, "delegations")) {
		r = check_delegations(body);
	}
	return r;
}

int tuf_form_check(enum tuf_kind kind, const struct json_at *body)
{
	switch (kind) {
	case TUF_ROOT: return check_root(body);
	case TUF_TIMESTAMP: return check_meta(body, "snapshot.json");
	case TUF_SNAPSHOT: return check_meta(body, "targets.json");
	default: return check_targets(body);
	}
}
