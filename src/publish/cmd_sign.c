/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cmd_sign.c - signatures on drafts: here, or carried by a file
 *
 *	{"format":1,"product":"scan","drafts":[{"role":"content/scan",
 *	 "keys":{ID:{...}},"signed":{...},"signatures":[...]}]}
 *
 * The file has all that the other machine needs: it has no workspace. It says
 * there what is signed before a key is opened. What comes back is believed only
 * as far as its signatures verify over what was exported.
 */
#include "publish/publish.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#define CARRIED (16u << 20)

/* ---- here ---- */

static int sign_here(struct publish *p)
{
	size_t waiting = 0, lacking = 0;

	for (int i = 0; i < PUB_DRAFTS; i++) {
		enum pub_role role = (enum pub_role)i;
		struct meta_keys groups[DRAFT_GROUPS];
		char name[PUB_ROLE_NAME], missing[512];
		size_t count;

		if (!p->doc[i].draft) {
			continue;
		}
		if (draft_sign(p, p->doc[i].draft, groups,
			       draft_groups(p, role, groups), &count) < 0 ||
		    (count && draft_save(p, role) < 0)) {
			return PUB_UNKNOWN;
		}
		waiting++;
		pub_role_name(p, role, name);
		draft_missing(p, role, missing, sizeof(missing));
		lacking += missing[0] != '\0';
		pub_say("%s %lld: %s\n", name,
			(long long)meta_version(p->doc[i].draft),
			missing[0] ? missing : "signed");
	}
	if (!waiting) {
		pub_say("nothing waits for a signature\n");
	}
	return lacking ? PUB_NO : PUB_YES;
}

/* ---- the file ---- */

/* All keys that may sign it. */
static json_t *keys_of(const struct publish *p, enum pub_role role)
{
	struct meta_keys groups[DRAFT_GROUPS];
	size_t n = draft_groups(p, role, groups);
	json_t *keys = json_object();

	for (size_t g = 0; keys && g < n; g++) {
		for (size_t i = 0; i < json_array_size(groups[g].ids); i++) {
			const char *id = json_string_value(
				json_array_get(groups[g].ids, i));

			json_object_set(keys, id, json_object_get(
				groups[g].keys, id));
		}
	}
	return keys;
}

static json_t *carried_draft(const struct publish *p, enum pub_role role)
{
	const json_t *draft = p->doc[role].draft;
	char name[PUB_ROLE_NAME];

	pub_role_name(p, role, name);
	return json_pack("{s:s,s:o,s:O,s:O}", "role", name, "keys",
			 keys_of(p, role), "signed",
			 json_object_get(draft, "signed"), "signatures",
			 json_object_get(draft, "signatures"));
}

static int write_file(const char *path, const json_t *tree)
{
	char *text = tree ? json_dumps(tree, JSON_INDENT(1)) : NULL;
	int r = text ? pub_replace(AT_FDCWD, path, text, strlen(text), 0644)
		     : -ENOMEM;

	free(text);
	if (r < 0) {
		pub_error("cannot write %s: %s", path, strerror(-r));
	}
	return r;
}

static int export_to(struct publish *p, const char *path)
{
	json_t *drafts = json_array();
	cleanup_json_tree json_t *tree = NULL;
	int r = drafts ? 0 : -ENOMEM;

	for (int i = 0; r == 0 && i < PUB_DRAFTS; i++) {
		if (p->doc[i].draft && !draft_signed(p, (enum pub_role)i,
						     p->doc[i].draft)) {
			r = json_array_append_new(
				drafts, carried_draft(p, (enum pub_role)i));
		}
	}
	if (r == 0 && json_array_size(drafts) == 0) {
		json_decref(drafts);
		pub_say("nothing waits for a signature\n");
		return PUB_NO;
	}
	tree = json_pack("{s:i,s:s,s:o}", "format", PUB_FORMAT, "product",
			 p->product, "drafts", drafts);
	if (r < 0 || write_file(path, tree) < 0) {
		return PUB_UNKNOWN;
	}
	pub_say("%zu documents in %s; on the other machine: bailey publish "
		"sign --with KEY %s\n", json_array_size(drafts), path, path);
	return PUB_YES;
}

/* The file's tree and its list of drafts; json_at's stay with the caller. */
struct carried {
	json_t *tree;
	struct json_fault fault;
	struct json_at top, list;
	size_t count;
};

static int read_carried(const char *path, struct carried *c)
{
	cleanup_free char *bytes = NULL;
	int64_t format;
	size_t length;
	int r = pub_read(AT_FDCWD, path, CARRIED, &bytes, &length);

	c->fault.text[0] = '\0';
	r = r ? r : json_read(bytes, length, CARRIED, &c->tree, &c->top,
			      &c->fault);
	r = r ? r : json_int(&c->top, "format", PUB_FORMAT, PUB_FORMAT,
			     &format);
	r = r ? r : json_list(&c->top, "drafts", 64, &c->list, &c->count);
	if (r < 0) {
		pub_error("%s: %s", path, c->fault.text[0] ? c->fault.text
							   : strerror(-r));
	}
	return r;
}

/* One draft of the file, checked for form. */
struct carried_one {
	struct json_at at, keys, what, signatures;
	const char *role;
};

static int take_one(struct carried *c, size_t i, struct carried_one *one)
{
	const char *text;
	size_t count;
	int64_t version;
	int r = json_element(&c->list, i, &one->at);

	r = r ? r : json_text(&one->at, "role", PUB_ROLE_NAME, &one->role);
	r = r ? r : json_member(&one->at, "keys", &one->keys);
	r = r ? r : json_all_objects(&one->keys, 2 * PUB_KEYS);
	r = r ? r : json_member(&one->at, "signed", &one->what);
	r = r ? r : json_text(&one->what, "_type", 32, &text);
	r = r ? r : json_int(&one->what, "version", 1, INT64_MAX, &version);
	r = r ? r : json_text(&one->what, "expires", 64, &text);
	r = r ? r : json_list(&one->at, "signatures", 1024, &one->signatures,
			      &count);
	if (r < 0) {
		pub_error("not a file to sign: %s", c->fault.text);
	}
	return r;
}

/* ---- there ---- */

/* Texts of somebody else's file: pub_say leaves control characters out. */
static void say_what(const struct carried_one *one)
{
	json_t *what = (json_t *)(uintptr_t)one->what.value;
	json_t *targets = json_object_get(what, "targets"), *entry;
	json_t *roles = json_object_get(what, "roles");
	const char *name;

	pub_say("%s, version %lld, until %s\n", one->role,
		(long long)json_integer_value(json_object_get(what,
							      "version")),
		json_string_value(json_object_get(what, "expires")));
	json_object_foreach(targets, name, entry) {
		const char *hash = json_string_value(json_object_get(
			json_object_get(entry, "hashes"), "sha256"));

		pub_say("  %s %s\n", name, hash ? hash : "?");
	}
	roles = roles ? roles : json_object_get(
		json_object_get(what, "delegations"), "roles");
	json_object_foreach(roles, name, entry) {
		pub_say("  role %s: %lld of %zu keys\n", name,
			(long long)json_integer_value(
				json_object_get(entry, "threshold")),
			json_array_size(json_object_get(entry, "keyids")));
	}
	for (size_t i = 0; i < json_array_size(roles); i++) {
		entry = json_array_get(roles, i);
		name = json_string_value(json_object_get(entry, "name"));
		pub_say("  role %s: %lld of %zu keys\n", name ? name : "?",
			(long long)json_integer_value(
				json_object_get(entry, "threshold")),
			json_array_size(json_object_get(entry, "keyids")));
	}
}

/* Signs under each id that is this key. 1 signed, 0 not its to sign. */
static int sign_one(const struct carried_one *one, const struct key *key)
{
	json_t *tree = (json_t *)(uintptr_t)one->at.value;
	void *iterator = NULL;
	struct json_at object;
	int signatures = 0;

	while (json_next(&one->keys, &iterator, &object)) {
		cleanup_key struct key *its = NULL;

		if (key_parse(&object, &its) == 0 && key_same(its, key)) {
			int r = meta_sign(tree, key, object.key);

			if (r < 0) {
				return r;
			}
			signatures = 1;
		}
	}
	return signatures;
}

static int read_key(struct publish *p, const char *path, struct key **ret_key)
{
	size_t length;
	char *pem;
	int r = pub_read(AT_FDCWD, path, KEY_PEM, &pem, &length);

	if (r < 0) {
		pub_error("cannot read the key %s: %s", path, strerror(-r));
		return r;
	}
	r = pub_secret_open(p, path, pem, length, ret_key);
	key_pem_free(pem, length);
	return r;
}

static int sign_carried(struct publish *p, const char *key_path,
			const char *path)
{
	struct carried c = { NULL };
	cleanup_key struct key *key = NULL;
	struct carried_one one;
	int total = 0, signatures = 0;
	int r = read_carried(path, &c);

	for (size_t i = 0; r == 0 && i < c.count; i++) {
		r = take_one(&c, i, &one);
		if (r == 0) {
			say_what(&one);
		}
	}
	r = r ? r : read_key(p, key_path, &key);
	for (size_t i = 0; r == 0 && i < c.count; i++) {
		r = take_one(&c, i, &one);
		signatures = r ? r : sign_one(&one, key);
		total += signatures > 0;
		r = signatures < 0 ? signatures : 0;
	}
	if (r == 0 && total) {
		r = write_file(path, c.tree);
	}
	json_decref(c.tree);
	if (r < 0) {
		return PUB_UNKNOWN;
	}
	if (!total) {
		pub_error("none of these is this key's to sign");
		return PUB_NO;
	}
	pub_say("signed %d of %zu; bring %s back: bailey publish sign "
		"--import %s\n", total, c.count, path, path);
	return PUB_YES;
}

/* ---- and back ---- */

static int take_signatures(struct publish *p, const struct carried_one *one,
			   enum pub_role role)
{
	json_t *draft = p->doc[role].draft;
	const json_t *list = one->signatures.value;
	struct meta_keys groups[DRAFT_GROUPS];
	size_t n = draft_groups(p, role, groups);
	int taken = 0;

	for (size_t i = 0; i < json_array_size(list); i++) {
		for (size_t g = 0; g < n; g++) {
			int r = meta_take(draft, &groups[g],
					  json_array_get(list, i));

			if (r < 0) {
				return r;
			}
			if (r > 0) {
				taken++;
				break;
			}
		}
	}
	return taken;
}

static int import_one(struct publish *p, const struct carried_one *one)
{
	char name[PUB_ROLE_NAME], missing[512];
	int r;

	for (int i = 0; i < PUB_DRAFTS; i++) {
		enum pub_role role = (enum pub_role)i;

		pub_role_name(p, role, name);
		if (!p->doc[i].draft || strcmp(name, one->role) != 0 ||
		    !json_equal(json_object_get(p->doc[i].draft, "signed"),
				one->what.value)) {
			continue;
		}
		r = take_signatures(p, one, role);
		if (r < 0 || draft_save(p, role) < 0) {
			return -EIO;
		}
		draft_missing(p, role, missing, sizeof(missing));
		pub_say("%s %lld: %s\n", name,
			(long long)meta_version(p->doc[i].draft),
			missing[0] ? missing : "signed");
		return r;
	}
	pub_error("%s: what was signed there is not what waits here; export "
		  "it again", one->role);
	return 0;
}

static int import_from(struct publish *p, const char *path)
{
	struct carried c = { NULL };
	struct carried_one one;
	int total = 0, r = read_carried(path, &c);

	for (size_t i = 0; r >= 0 && i < c.count; i++) {
		r = take_one(&c, i, &one);
		r = r ? r : import_one(p, &one);
		total += r > 0 ? r : 0;
	}
	json_decref(c.tree);
	if (r < 0) {
		return PUB_UNKNOWN;
	}
	if (!total) {
		pub_error("%s brings no signature that counts", path);
	}
	return total ? PUB_YES : PUB_NO;
}

static int sign_run(struct publish *p, const struct pub_args *args)
{
	const char *to = pub_value(args, "export", 0);
	const char *from = pub_value(args, "import", 0);
	const char *with = pub_value(args, "with", 0);
	const char *folder = pub_value(args, "workspace", 0);

	if (!!to + !!from + !!with > 1 || !with != !args->operand_count) {
		pub_error("write one of: sign | sign --export FILE | sign "
			  "--with KEY FILE | sign --import FILE");
		return PUB_UNKNOWN;
	}
	if (with) {
		return sign_carried(p, with, args->operand[0]);
	}
	if (pub_open(p, folder ? folder : ".") < 0 ||
	    draft_refresh(p, 0, 0) < 0) {
		return PUB_UNKNOWN;
	}
	if (to) {
		return export_to(p, to);
	}
	return from ? import_from(p, from) : sign_here(p);
}

static const struct pub_option options[] = {
	{ "export", "FILE", false, "write what is to be signed elsewhere" },
	{ "with", "KEY", false,
	  "sign FILE with the private key in KEY (PEM); needs no workspace" },
	{ "import", "FILE", false, "take the signatures of FILE over" },
	{ NULL, NULL, false, NULL }
};

const struct pub_command pub_cmd_sign = {
	.name = "sign",
	.synopsis = "[--export FILE | --with KEY FILE | --import FILE]",
	.summary = "sign what waits, here or on another machine",
	.help = "With the private keys that are here, until there are enough; "
		"or by a file that is\ncarried to another machine and back."
		"\nExit code: 0 all has enough signatures (--import: some were "
		"taken over), 1 some\nare missing, 2 could not tell.\n",
	.options = options,
	.operand_max = 1,
	.alone = true,
	.run = sign_run,
};
