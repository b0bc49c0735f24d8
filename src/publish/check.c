/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check.c - the repository as a client sees it
 *
 * From the first root on: every signature under whom it must be, every length
 * and hash, every description and blob, what expires when. Reads only what is
 * public, but for the drafts that wait.
 */
#include "publish/publish.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "content/lease.h"
#include "publish/check.h"

#define SOON_S (2 * 86400)      /* of an offline role: time to find people */

void check_find(struct check *c, const char *level, const char *what,
		const char *format, ...)
{
	char text[512];
	va_list list;

	va_start(list, format);
	if (vsnprintf(text, sizeof(text), format, list) < 0) {
		text[0] = '\0';
	}
	va_end(list);
	c->bad |= strcmp(level, "bad") == 0;
	json_array_append_new(c->findings, json_pack(
		"{s:s,s:s,s:s}", "level", level, "what", what, "text", text));
}

static int64_t seconds_of(const struct check *c, enum pub_role role)
{
	return json_integer_value(json_object_get(
		pub_role_state(c->p, role), "seconds"));
}

static void look_at_expiry(struct check *c, enum pub_role role,
			   const json_t *tree)
{
	int64_t until = meta_expires(tree), left = until - c->p->now;
	int64_t soon = pub_role_offline(role) ? SOON_S * 5
					      : seconds_of(c, role) / 4;
	char name[PUB_ROLE_NAME], text[PUB_TIME];

	pub_role_name(c->p, role, name);
	pub_time(until, text);
	json_array_append_new(c->roles, json_pack(
		"{s:s,s:I,s:s,s:I}", "role", name, "version",
		(json_int_t)meta_version(tree), "expires", text, "left_s",
		(json_int_t)left));
	if (left <= 0) {
		check_find(c, "bad", name, "expired at %s; hosts take nothing "
			   "new: bailey publish expire %s", text,
			   pub_role_word(role));
	} else if (left < soon) {
		check_find(c, "warn", name, "expires at %s: bailey publish "
			   "expire %s", text, pub_role_word(role));
	}
}

static void look_at_signatures(struct check *c, enum pub_role role,
			       const json_t *tree, const json_t *delegator)
{
	char name[PUB_ROLE_NAME];
	struct meta_keys keys;

	pub_role_name(c->p, role, name);
	if (!delegator || meta_keys(delegator, name, &keys) < 0) {
		check_find(c, "bad", name, "nobody delegates it");
	} else if (!meta_enough(tree, &keys)) {
		check_find(c, "bad", name, "%d valid signatures, %lld are "
			   "needed", meta_count(tree, &keys),
			   (long long)keys.threshold);
	}
}

/* Each root under itself and under the one before. */
static void look_at_roots(struct check *c)
{
	int64_t last = c->p->doc[PUB_ROOT].released
		? meta_version(c->p->doc[PUB_ROOT].released) : 0;
	json_t *before = NULL;

	for (int64_t v = 1; v <= last && !pub_interrupted(); v++) {
		struct json_fault fault = { "" };
		cleanup_free char *bytes = NULL;
		char path[PUB_PATH];
		json_t *root = NULL;
		size_t length;
		int r;

		draft_file(c->p, PUB_ROOT, v, path, sizeof(path));
		r = pub_read(c->p->repository, path, PUB_METADATA, &bytes,
			     &length);
		r = r ? r : meta_read(bytes, length, &root, &fault);
		if (r < 0 || meta_version(root) != v) {
			check_find(c, "bad", path, "%s",
				   fault.text[0] ? fault.text :
				   r ? strerror(-r) : "of another version");
			json_decref(root);
			break;
		}
		look_at_signatures(c, PUB_ROOT, root, root);
		if (before) {
			look_at_signatures(c, PUB_ROOT, root, before);
		}
		json_decref(before);
		before = root;
	}
	json_decref(before);
}

/* ---- files ---- */

/* Does the file have the length and hash that `entry` says? */
static bool file_is(struct check *c, const char *path, const json_t *entry)
{
	int64_t length = json_integer_value(json_object_get(entry, "length"));
	const char *hash = json_string_value(json_object_get(
		json_object_get(entry, "hashes"), "sha256"));
	struct version_file file;
	char hex[VERSION_HEX];
	int r = pub_measure(c->p->repository, path, VERSION_FILE_BYTES,
			    &file);

	c->files++;
	pub_progress("checking", c->files % 1000, 1000);
	if (r < 0) {
		check_find(c, "bad", path, "%s: release it again from a "
			   "workspace that has it", strerror(-r));
		return false;
	}
	version_hex(file.sha256, hex);
	if ((int64_t)file.length != length || !hash ||
	    strcmp(hex, hash) != 0) {
		check_find(c, "bad", path, "its length or hash is not what is "
		     "signed");
		return false;
	}
	return true;
}

static void look_at_blob(struct check *c, const struct version_file *file)
{
	cleanup_json_tree json_t *entry = NULL;
	char path[PUB_PATH], hex[VERSION_HEX];

	version_hex(file->sha256, hex);
	text_format(path, sizeof(path), "targets/blob/%s", hex);
	entry = json_pack("{s:I,s:{s:s}}", "length", (json_int_t)file->length,
			  "hashes", "sha256", hex);
	if (entry && !pub_interrupted()) {
		(void)file_is(c, path, entry);
	}
}

static void look_at_version(struct check *c, const char *target,
			    const char *path)
{
	cleanup_version struct version *v = NULL;
	struct json_fault fault = { "" };
	cleanup_free char *bytes = NULL;
	size_t length;
	int r = pub_read(c->p->repository, path, VERSION_BYTES, &bytes,
			 &length);

	r = r ? r : version_parse(bytes, length, &v, &fault);
	if (r < 0) {
		check_find(c, "bad", target, "%s",
		     fault.text[0] ? fault.text : strerror(-r));
		return;
	}
	if (!version_target_agrees(v, target)) {
		check_find(c, "bad", target, "it says that it is another "
			   "version");
	}
	for (size_t i = 0; i < v->files; i++) {
		look_at_blob(c, &v->file[i]);
	}
	for (size_t i = 0; i < v->cases; i++) {
		look_at_blob(c, &v->corpus[i].file);
	}
	if (v->has_events) {
		look_at_blob(c, &v->events);
	}
}

static const json_t *target_in(const struct check *c, enum pub_role role,
			       const char *target)
{
	return json_object_get(json_object_get(json_object_get(
		c->p->doc[role].released, "signed"), "targets"), target);
}

/* It may name only what content lists. */
static void look_at_lease(struct check *c, const char *target,
			  const char *path)
{
	struct lease_error error = { "" };
	cleanup_free char *bytes = NULL;
	char release[VERSION_TARGET], hex[VERSION_HEX];
	const json_t *entry;
	const char *its;
	struct lease lease;
	size_t length;
	int r = pub_read(c->p->repository, path, LEASE_BYTES, &bytes, &length);

	r = r ? r : lease_parse(bytes, length, c->p->product, &lease, &error);
	if (r < 0) {
		check_find(c, "bad", target, "%s",
			   error.text[0] ? error.text : strerror(-r));
		return;
	}
	version_target(lease.product, (enum version_class)lease.class,
		       lease.number, release);
	version_hex(lease.hash, hex);
	entry = target_in(c, PUB_CONTENT, release);
	entry = entry ? entry : target_in(c, PUB_DATA, release);
	its = json_string_value(json_object_get(
		json_object_get(entry, "hashes"), "sha256"));
	if (!its || strcmp(its, hex) != 0) {
		check_find(c, "bad", target, "it names %s, which content does "
			   "not list with that hash", release);
	}
	if (lease.valid_until_s <= c->p->now) {
		check_find(c, "warn", target, "the lease has ended: no host "
			   "starts anything new; bailey publish gate renews "
			   "it");
	}
}

static void look_at_targets(struct check *c, enum pub_role role)
{
	json_t *all = json_object_get(json_object_get(
		c->p->doc[role].released, "signed"), "targets");
	const char *target;
	json_t *entry;

	json_object_foreach(all, target, entry) {
		const char *hash = json_string_value(json_object_get(
			json_object_get(entry, "hashes"), "sha256"));
		char path[PUB_PATH], product[VERSION_NAME];
		enum version_class kind;
		uint64_t number;

		pub_target_file(target, hash ? hash : "", path);
		if (pub_interrupted() || !file_is(c, path, entry)) {
			continue;
		}
		if (version_target_parse(target, product, &kind,
					 &number) == 0) {
			look_at_version(c, target, path);
		} else if (role == PUB_GATE) {
			look_at_lease(c, target, path);
		}
	}
}

/* ---- metadata ---- */

/* Length and hash in snapshot and timestamp, and the twin that web servers
 * find under the decoded name. */
static void look_at_listing(struct check *c, enum pub_role role,
			    enum pub_role in)
{
	const json_t *meta = json_object_get(json_object_get(
		c->p->doc[in].released, "signed"), "meta");
	char name[PUB_ROLE_NAME], file[PUB_ROLE_NAME + 8], path[PUB_PATH];
	char plain[PUB_PATH];
	const json_t *entry;
	const char *code;

	pub_role_name(c->p, role, name);
	snprintf(file, sizeof(file), "%s.json", name);
	entry = json_object_get(meta, file);
	draft_file(c->p, role, meta_version(c->p->doc[role].released), path,
		   sizeof(path));
	(void)file_is(c, path, entry);
	code = strstr(path, "%2F");
	if (code) {
		text_format(plain, sizeof(plain), "%.*s/%s",
			    (int)(code - path), path, code + 3);
		(void)file_is(c, plain, entry);
	}
}

static void look_at_role(struct check *c, enum pub_role role)
{
	const struct pub_doc *doc = &c->p->doc[role];
	char name[PUB_ROLE_NAME], missing[512];

	pub_role_name(c->p, role, name);
	if (doc->draft) {
		draft_missing(c->p, role, missing, sizeof(missing));
		check_find(c, "note", name, "version %lld waits: %s",
		     (long long)meta_version(doc->draft),
		     missing[0] ? missing : "signed, to be released");
	}
	if (!doc->released) {
		return;
	}
	look_at_expiry(c, role, doc->released);
	if (role != PUB_ROOT) {
		look_at_signatures(c, role, doc->released,
				   c->p->doc[body_delegator(role)].released);
	}
	if (role != PUB_ROOT && role != PUB_TIMESTAMP) {
		look_at_listing(c, role, role == PUB_SNAPSHOT ? PUB_TIMESTAMP
							      : PUB_SNAPSHOT);
	}
}

json_t *check_repository(struct publish *p)
{
	struct check c = { .p = p, .findings = json_array(),
			   .roles = json_array() };

	if (!p->doc[PUB_TIMESTAMP].released) {
		check_find(&c, "bad", "repository", "nothing is released yet: "
		     "bailey publish release");
	}
	look_at_roots(&c);
	for (int i = 0; i < PUB_ROLES && !pub_interrupted(); i++) {
		look_at_role(&c, (enum pub_role)i);
	}
	for (int i = 0; i < PUB_DRAFTS && !pub_interrupted(); i++) {
		look_at_targets(&c, (enum pub_role)i);
	}
	if (!c.bad && !pub_interrupted()) {
		check_as_client(&c);
	}
	pub_progress("", 0, 0);
	return json_pack("{s:s,s:b,s:I,s:o,s:o}", "product", p->product,
			 "good", !c.bad, "files", (json_int_t)c.files,
			 "findings", c.findings, "roles", c.roles);
}
