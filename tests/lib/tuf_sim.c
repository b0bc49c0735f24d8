/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>
#include <openssl/sha.h>

#include "base/canon.h"
#include "lib/tuf_sim.h"

static const char *const tops[] = { "root", "timestamp", "snapshot",
				    "targets" };
static struct key *pool[SIM_KEYS];

static void need(int condition)
{
	if (!condition) {
		fail_msg("the simulator itself");
	}
}

struct key *sim_pool(size_t i)
{
	need(i < SIM_KEYS);
	if (!pool[i]) {
		need(key_generate(KEY_ED25519, &pool[i]) == 0);
	}
	return pool[i];
}

struct key *sim_next_key(struct sim *s)
{
	return s->pool_next < SIM_KEYS ? sim_pool(s->pool_next++)
				       : sim_new_key(s, KEY_ED25519);
}

struct key *sim_new_key(struct sim *s, enum key_kind kind)
{
	need(s->own_count < 32);
	need(key_generate(kind, &s->own[s->own_count]) == 0);
	return s->own[s->own_count++];
}

static struct sim_role *role_of(struct sim *s, const char *name)
{
	for (size_t i = 0; i < s->role_count; i++) {
		if (strcmp(s->roles[i].name, name) == 0) {
			return &s->roles[i];
		}
	}
	return NULL;
}

json_t *sim_body(struct sim *s, const char *role)
{
	struct sim_role *r = role_of(s, role);

	need(r != NULL);
	return r->body;
}

void sim_put(struct sim *s, const char *role, const char *key, json_t *value)
{
	need(json_object_set_new(sim_body(s, role), key, value) == 0);
}

void sim_expires(struct sim *s, const char *role, int64_t seconds)
{
	time_t t = (time_t)seconds;
	char text[32];
	struct tm tm;

	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&t, &tm));
	sim_put(s, role, "expires", json_string(text));
}

int64_t sim_version(struct sim *s, const char *role)
{
	return json_integer_value(json_object_get(sim_body(s, role),
						  "version"));
}

void sim_set_version(struct sim *s, const char *role, int64_t version)
{
	sim_put(s, role, "version", json_integer(version));
}

void sim_add_signer(struct sim *s, const char *role, struct key *key)
{
	struct sim_role *r = role_of(s, role);

	need(r && r->signer_count < 16);
	r->signers[r->signer_count++] = key;
}

void sim_drop_signers(struct sim *s, const char *role)
{
	role_of(s, role)->signer_count = 0;
}

/* Where the delegator says who role is: an object of keyids and threshold. */
static json_t *authority(struct sim *s, const char *delegator,
			 const char *role)
{
	json_t *body = sim_body(s, delegator), *roles, *one;
	size_t i;

	if (strcmp(delegator, "root") == 0) {
		return json_object_get(json_object_get(body, "roles"), role);
	}
	roles = json_object_get(json_object_get(body, "delegations"), "roles");
	json_array_foreach(roles, i, one) {
		if (strcmp(json_string_value(json_object_get(one, "name")),
			   role) == 0) {
			return one;
		}
	}
	fail_msg("%s does not delegate to %s", delegator, role);
	return NULL;
}

json_t *sim_trusted(struct sim *s, const char *delegator, const char *role)
{
	return authority(s, delegator, role);
}

void sim_trust(struct sim *s, const char *delegator, const char *role,
	       struct key *key)
{
	json_t *body = sim_body(s, delegator);
	json_t *keys = json_object_get(
		strcmp(delegator, "root") == 0 ? body :
		json_object_get(body, "delegations"), "keys");
	json_t *ids = json_object_get(authority(s, delegator, role), "keyids");

	need(json_object_set_new(keys, key_id(key),
				 json_deep_copy(key_object(key))) == 0);
	need(json_array_append_new(ids, json_string(key_id(key))) == 0);
}

void sim_trust_none(struct sim *s, const char *delegator, const char *role)
{
	json_array_clear(json_object_get(authority(s, delegator, role),
					 "keyids"));
}

void sim_threshold(struct sim *s, const char *delegator, const char *role,
		   int n)
{
	json_object_set_new(authority(s, delegator, role), "threshold",
			    json_integer(n));
}

void sim_add_key(struct sim *s, const char *delegator, const char *role)
{
	struct key *key = sim_next_key(s);

	sim_trust(s, delegator, role, key);
	sim_add_signer(s, role, key);
}

void sim_rotate(struct sim *s, const char *role)
{
	size_t n = json_array_size(json_object_get(
		authority(s, "root", role), "keyids"));

	sim_trust_none(s, "root", role);
	sim_drop_signers(s, role);
	while (n--) {
		sim_add_key(s, "root", role);
	}
}

static struct sim_role *add_role(struct sim *s, const char *name, json_t *body)
{
	struct sim_role *r = &s->roles[s->role_count++];

	need(s->role_count <= SIM_ROLES && body);
	*r = (struct sim_role){ .name = strdup(name), .body = body };
	sim_expires(s, name, s->now + 30 * SIM_DAY);
	return r;
}

static json_t *new_body(const char *type)
{
	return json_pack("{s:s,s:s,s:i}", "_type", type, "spec_version",
			 "1.0.34", "version", 1);
}

static json_t *words(const char *text)
{
	json_t *list = json_array();
	char *copy = strdup(text), *rest = copy, *word;

	while ((word = strsep(&rest, " "))) {
		json_array_append_new(list, json_string(word));
	}
	free(copy);
	return list;
}

json_t *sim_delegate(struct sim *s, const char *delegator, const char *role,
		     const char *paths, bool terminating)
{
	json_t *body = sim_body(s, delegator), *one, *all;

	if (!json_object_get(body, "delegations")) {
		json_object_set_new(body, "delegations",
				    json_pack("{s:{},s:[]}", "keys", "roles"));
	}
	one = json_pack("{s:s,s:[],s:i,s:b}", "name", role, "keyids",
			"threshold", 1, "terminating", (int)terminating);
	if (paths) {
		json_object_set_new(one, "paths", words(paths));
	}
	all = json_object_get(json_object_get(body, "delegations"), "roles");
	need(json_array_append_new(all, one) == 0);
	if (!role_of(s, role)) {
		json_t *targets = new_body("targets");

		json_object_set_new(targets, "targets", json_object());
		add_role(s, role, targets);
	}
	sim_add_key(s, delegator, role);
	return one;
}

static void hex(const uint8_t *bytes, size_t n, char *ret_text)
{
	for (size_t i = 0; i < n; i++) {
		sprintf(ret_text + 2 * i, "%02x", bytes[i]);
	}
}

static json_t *hashes_of(const void *bytes, size_t length, bool sha512)
{
	uint8_t digest[64];
	char text[129];

	if (sha512) {
		SHA512(bytes, length, digest);
	} else {
		SHA256(bytes, length, digest);
	}
	hex(digest, sha512 ? 64 : 32, text);
	return json_pack("{s:s}", sha512 ? "sha512" : "sha256", text);
}

static void set_file(struct sim_file *files, size_t *count, size_t most,
		     const char *name, const void *bytes, size_t n)
{
	struct sim_file *file = NULL;

	for (size_t i = 0; i < *count; i++) {
		file = strcmp(files[i].name, name) == 0 ? &files[i] : file;
	}
	if (!file) {
		need(*count < most);
		file = &files[(*count)++];
		*file = (struct sim_file){ .name = strdup(name) };
	}
	free(file->data.bytes);
	file->data.bytes = malloc(n + 1);
	need(file->data.bytes != NULL);
	memcpy(file->data.bytes, bytes, n);
	file->data.length = n;
}

void sim_add_target(struct sim *s, const char *role, const char *path,
		    const char *text)
{
	size_t n = strlen(text);

	json_object_set_new(json_object_get(sim_body(s, role), "targets"),
			    path, json_pack("{s:I,s:o}", "length",
					    (json_int_t)n, "hashes",
					    hashes_of(text, n, false)));
	set_file(s->targets, &s->target_count, 64, path, text, n);
}

void sim_serve(struct sim *s, const char *name, const void *bytes, size_t n)
{
	set_file(s->instead, &s->instead_count, 16, name, bytes, n);
}

static json_t *signatures(struct sim_role *r)
{
	json_t *list = json_array();
	uint8_t *bytes = NULL;
	size_t length, n;

	need(canon_write(r->body, &bytes, &length) == 0);
	for (size_t i = 0; i < r->signer_count; i++) {
		uint8_t signature[KEY_SIGNATURE];
		char text[2 * KEY_SIGNATURE + 1];

		need(key_sign(r->signers[i], bytes, length, signature,
			      &n) == 0);
		hex(signature, n, text);
		json_array_append_new(list, json_pack(
			"{s:s,s:s}", "keyid", key_id(r->signers[i]), "sig",
			text));
	}
	free(bytes);
	return list;
}

static void append(struct sim_role *r, char *text)
{
	r->published = realloc(r->published,
			       (r->count + 1) * sizeof(*r->published));
	need(text && r->published);
	r->published[r->count++] = (struct sim_bytes){ (uint8_t *)text,
						       strlen(text) };
}

static void list_in(struct sim *s, const char *lister, struct sim_role *r)
{
	json_t *meta = json_object_get(sim_body(s, lister), "meta");
	struct sim_bytes last = r->published[r->count - 1];
	json_t *entry = json_pack("{s:O}", "version",
				  json_object_get(r->body, "version"));
	char name[300];

	snprintf(name, sizeof(name), "%s.json", r->name);
	if (s->hashes) {
		json_object_set_new(entry, "length",
				    json_integer((json_int_t)last.length));
		json_object_set_new(entry, "hashes",
				    hashes_of(last.bytes, last.length,
					      s->sha512));
	}
	json_object_set_new(meta, name, entry);
}

static void publish_one(struct sim *s, const char *name)
{
	struct sim_role *r = role_of(s, name);
	json_t *whole;

	need(r != NULL);
	if (r->count > 0) {
		sim_set_version(s, name, sim_version(s, name) + 1);
	}
	whole = json_pack("{s:o,s:O}", "signatures", signatures(r), "signed",
			  r->body);
	append(r, json_dumps(whole, JSON_INDENT(1)));
	json_decref(whole);
	if (strcmp(name, "snapshot") == 0) {
		list_in(s, "timestamp", r);
	} else if (strcmp(name, "root") != 0 &&
		   strcmp(name, "timestamp") != 0) {
		list_in(s, "snapshot", r);
	}
}

void sim_publish(struct sim *s, const char *roles)
{
	char *copy = strdup(roles), *rest = copy, *word;

	while ((word = strsep(&rest, " "))) {
		publish_one(s, word);
	}
	free(copy);
}

void sim_publish_all(struct sim *s)
{
	for (size_t i = 0; i < s->role_count; i++) {
		if (strcmp(s->roles[i].name, "snapshot") != 0 &&
		    strcmp(s->roles[i].name, "timestamp") != 0) {
			publish_one(s, s->roles[i].name);
		}
	}
	sim_publish(s, "snapshot timestamp");
}

struct sim_bytes sim_last(struct sim *s, const char *role)
{
	struct sim_role *r = role_of(s, role);

	need(r && r->count);
	return r->published[r->count - 1];
}

void sim_replace_last(struct sim *s, const char *role, const void *bytes,
		      size_t length)
{
	struct sim_role *r = role_of(s, role);
	struct sim_bytes *last = &r->published[r->count - 1];
	uint8_t *copy = malloc(length + 1);

	need(copy != NULL);
	memcpy(copy, bytes, length);
	free(last->bytes);
	*last = (struct sim_bytes){ copy, length };
}

struct sim *sim_new(void)
{
	struct sim *s = calloc(1, sizeof(*s));
	json_t *body;

	need(s != NULL);
	s->now = SIM_NOW;
	body = new_body("root");
	json_object_set_new(body, "consistent_snapshot", json_true());
	json_object_set_new(body, "keys", json_object());
	json_object_set_new(body, "roles", json_object());
	add_role(s, "root", body);
	body = new_body("targets");
	json_object_set_new(body, "targets", json_object());
	add_role(s, "targets", body);
	body = new_body("snapshot");
	json_object_set_new(body, "meta", json_object());
	add_role(s, "snapshot", body);
	body = new_body("timestamp");
	json_object_set_new(body, "meta", json_object());
	add_role(s, "timestamp", body);
	for (size_t i = 0; i < 4; i++) {
		json_object_set_new(json_object_get(sim_body(s, "root"),
						    "roles"), tops[i],
				    json_pack("{s:[],s:i}", "keyids",
					      "threshold", 1));
		sim_add_key(s, "root", tops[i]);
	}
	sim_publish(s, "root targets snapshot timestamp");
	return s;
}

void sim_free(struct sim *s)
{
	for (size_t i = 0; i < s->role_count; i++) {
		struct sim_role *r = &s->roles[i];

		for (size_t j = 0; j < r->count; j++) {
			free(r->published[j].bytes);
		}
		free(r->published);
		free(r->name);
		json_decref(r->body);
	}
	for (size_t i = 0; i < s->target_count; i++) {
		free(s->targets[i].name);
		free(s->targets[i].data.bytes);
	}
	for (size_t i = 0; i < s->instead_count; i++) {
		free(s->instead[i].name);
		free(s->instead[i].data.bytes);
	}
	for (size_t i = 0; i < s->own_count; i++) {
		key_free(s->own[i]);
	}
	free(s);
}
