/* SPDX-License-Identifier: Apache-2.0 */
/*
 * release.c - from drafts to what hosts see, in an order that can be cut
 *
 *	1. is every role signed by whom it must be, once this is out?
 *	2. has every new version passed its preflight?
 *	3. blobs, then targets under their hashes
 *	4. delegated roles, targets, snapshot: new names, which nobody reads yet
 *	5. timestamp: from here on it is released
 *	6. a new root
 *
 * A host that comes between 5 and 6 still has the old root: so while keys of
 * top-level roles change, targets, snapshot and timestamp are signed by the
 * old keys too. If those are lost (without_old_keys), the root goes first.
 */
#include "publish/publish.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/text.h"
#include "publish/prune.h"

/* Delegated roles from the bottom up: what refers to a file comes after it. */
static const enum pub_role writing_order[] = {
	PUB_DATA, PUB_CONTENT, PUB_GATE, PUB_REVOKED, PUB_TARGETS
};

struct release {
	struct publish *p;
	const struct release_options *options;
	uint32_t out;                   /* bits: drafts that go out */
	json_t *snapshot, *timestamp;   /* own: new ones; null: as released */
};

static bool goes_out(const struct release *r, enum pub_role role)
{
	return r->out & PUB_BIT(role);
}

/* What hosts will see of a role. */
static const json_t *in_effect(const struct release *r, enum pub_role role)
{
	return goes_out(r, role) ? r->p->doc[role].draft
				 : r->p->doc[role].released;
}

/* Who must have signed a role that goes out: the keys of its delegator and,
 * while the root changes, of the root before. */
static size_t groups_of(const struct release *r, enum pub_role role,
			struct meta_keys groups[DRAFT_GROUPS])
{
	enum pub_role delegator = body_delegator(role);
	const json_t *now = in_effect(r, delegator);
	const json_t *before = r->p->doc[delegator].released;
	char name[PUB_ROLE_NAME];
	size_t n = 0;

	pub_role_name(r->p, role, name);
	if (now && meta_keys(now, name, &groups[n]) == 0) {
		n++;
	}
	if (delegator == PUB_ROOT && before && before != now &&
	    !(r->options->without_old_keys && role != PUB_ROOT) &&
	    meta_keys(before, name, &groups[n]) == 0) {
		n++;
	}
	return n;
}

static bool believed(const struct release *r, enum pub_role role,
		     const json_t *tree)
{
	struct meta_keys groups[DRAFT_GROUPS];
	size_t n = groups_of(r, role, groups);
	bool good = tree && n > 0;

	for (size_t i = 0; good && i < n; i++) {
		good = meta_enough(tree, &groups[i]);
	}
	return good;
}

/* Online roles are signed as they go out. */
static int sign_online(struct release *r)
{
	struct publish *p = r->p;
	int code = 0;

	for (int i = 0; code == 0 && i < PUB_DRAFTS; i++) {
		enum pub_role role = (enum pub_role)i;
		struct meta_keys groups[DRAFT_GROUPS];
		size_t count;

		if (!goes_out(r, role) || pub_role_offline(role)) {
			continue;
		}
		code = draft_sign(p, p->doc[role].draft, groups,
				  groups_of(r, role, groups), &count);
		if (code == 0 && count) {
			code = draft_save(p, role);
		}
	}
	return code;
}

static int refuse(const struct release *r, enum pub_role role)
{
	char name[PUB_ROLE_NAME], missing[512];

	pub_role_name(r->p, role, name);
	if (!in_effect(r, role)) {
		pub_error("nothing of %s is released yet; run bailey publish "
			  "release first", name);
		return PUB_NO;
	}
	draft_missing(r->p, role, missing, sizeof(missing));
	if (!goes_out(r, role)) {
		pub_error("hosts would no longer believe %s: its keys change; "
			  "release all of it together", name);
	} else {
		pub_error("%s lacks signatures: %s; run bailey publish sign",
			  name, missing);
	}
	return PUB_NO;
}

/* Whatever hosts will see must be signed by whom they will then ask for. */
static int check_signed(const struct release *r)
{
	for (int i = 0; i < PUB_DRAFTS; i++) {
		enum pub_role role = (enum pub_role)i;

		if (body_wanted(r->p, role) &&
		    !believed(r, role, in_effect(r, role))) {
			return refuse(r, role);
		}
	}
	return PUB_YES;
}

/* ---- versions ---- */

static const json_t *targets_of(const json_t *tree)
{
	return json_object_get(json_object_get(tree, "signed"), "targets");
}

/* Calls act for each version that this release makes visible, with the one
 * before it. */
typedef int new_version(const struct release *r, const char *hash,
			const char *before);

static int each_new(const struct release *r, new_version *act)
{
	for (int kind = 0; kind < 2; kind++) {
		enum pub_role role = kind == VERSION_CODE ? PUB_CONTENT
							  : PUB_DATA;
		const json_t *old = targets_of(r->p->doc[role].released);
		const json_t *list = pub_versions(r->p,
						  (enum version_class)kind);
		const char *before = NULL;

		for (size_t i = 0; goes_out(r, role) &&
		     i < json_array_size(list); i++) {
			const json_t *v = json_array_get(list, i);
			const char *hash = json_string_value(
				json_object_get(v, "hash"));
			char target[VERSION_TARGET];
			int code = 0;

			version_target(r->p->product,
				       (enum version_class)kind,
				       (uint64_t)json_integer_value(
					       json_object_get(v, "number")),
				       target);
			if (!json_object_get(old, target)) {
				code = act(r, hash, before);
			}
			if (code) {
				return code;
			}
			before = hash;
		}
	}
	return 0;
}

static int try_version(const struct release *r, const char *hash,
		       const char *before)
{
	return preflight_pass(r->p, hash, before, r->options->program,
			      r->options->manifest);
}

/* ---- blobs and targets ---- */

static int put_blob(struct publish *p, const char *from,
		    const struct version_file *file)
{
	char to[PUB_PATH], hex[VERSION_HEX];
	struct version_file there;
	int r;

	version_hex(file->sha256, hex);
	text_format(to, sizeof(to), "targets/blob/%s", hex);
	if (pub_measure(p->repository, to, file->length, &there) == 0 &&
	    there.length == file->length &&
	    memcmp(there.sha256, file->sha256, VERSION_HASH) == 0 &&
	    /* named again: what prune noted of it is over */
	    utimensat(p->repository, to, NULL, AT_SYMLINK_NOFOLLOW) == 0) {
		return 0;
	}
	r = pub_copy(p->dir, from, p->repository, to, file);
	if (r < 0 && r != -EINTR) {
		pub_error("cannot publish %s: %s; it must be as it was added",
			  from, strerror(-r));
	}
	return r;
}

static int put_target(struct publish *p, const char *path, const char *bytes,
		      size_t length)
{
	char to[PUB_PATH], hex[VERSION_HEX];
	uint8_t hash[VERSION_HASH];
	int r;

	version_hash(bytes, length, hash);
	version_hex(hash, hex);
	pub_target_file(path, hex, to);
	r = pub_folders(p->repository, to);
	r = r ? r : pub_replace(p->repository, to, bytes, length, 0644);
	if (r < 0) {
		pub_error("cannot write %s: %s", to, strerror(-r));
	}
	return r;
}

static int read_staged(struct publish *p, const char *hash,
		       struct version **ret_version, char **ret_bytes,
		       size_t *ret_length)
{
	struct json_fault fault = { "" };
	cleanup_free char *bytes = NULL;
	char path[PUB_PATH], hex[VERSION_HEX];
	uint8_t own[VERSION_HASH];
	size_t length;
	int r;

	text_format(path, sizeof(path), "staged/%s/version.json", hash);
	r = pub_read(p->dir, path, VERSION_BYTES, &bytes, &length);
	if (r == 0) {
		version_hash(bytes, length, own);
		version_hex(own, hex);
		r = strcmp(hex, hash) ? -EBADMSG
			: version_parse(bytes, length, ret_version, &fault);
	}
	if (r < 0) {
		pub_error("%s is not as it was added: %s; add the version "
			  "again", path, fault.text[0] ? fault.text
						       : strerror(-r));
		return r;
	}
	*ret_bytes = bytes;
	*ret_length = length;
	bytes = NULL;
	return 0;
}

static int put_files(struct publish *p, const char *hash,
		     const struct version *v)
{
	char from[PUB_PATH];
	int r = 0;

	for (size_t i = 0; r == 0 && i < v->files; i++) {
		text_format(from, sizeof(from), "staged/%s/files/%s", hash,
			    v->file[i].path);
		r = put_blob(p, from, &v->file[i]);
		pub_progress("publishing", i, v->files + v->cases);
	}
	for (size_t i = 0; r == 0 && i < v->cases; i++) {
		text_format(from, sizeof(from), "staged/%s/corpus/%s", hash,
			    v->corpus[i].file.path);
		r = put_blob(p, from, &v->corpus[i].file);
		pub_progress("publishing", v->files + i,
			     v->files + v->cases);
	}
	if (r == 0 && v->has_events) {
		text_format(from, sizeof(from), "staged/%s/events", hash);
		r = put_blob(p, from, &v->events);
	}
	return r;
}

static int put_version(const struct release *r, const char *hash,
		       const char *before)
{
	cleanup_version struct version *version = NULL;
	cleanup_free char *bytes = NULL;
	char target[VERSION_TARGET];
	size_t length;
	int code = read_staged(r->p, hash, &version, &bytes, &length);

	(void)before;
	if (code < 0) {
		return code;
	}
	version_target(version->product, version->kind, version->number,
		       target);
	code = put_files(r->p, hash, version);
	return code ? code : put_target(r->p, target, bytes, length);
}

static int put_targets(const struct release *r)
{
	int code = each_new(r, put_version);

	for (int i = 0; code == 0 && i < PUB_DRAFTS; i++) {
		char path[VERSION_TARGET];
		size_t length;
		cleanup_free char *text = NULL;

		if (goes_out(r, (enum pub_role)i)) {
			text = body_target(r->p, (enum pub_role)i, path,
					   &length);
		}
		if (text) {
			code = put_target(r->p, path, text, length);
		}
	}
	return code;
}

/* ---- metadata ---- */

/* {"version":n,"length":n,"hashes":{...}} of a document as it is written. */
static json_t *meta_entry(const json_t *tree)
{
	char hex[VERSION_HEX];
	uint8_t hash[VERSION_HASH];
	size_t length;
	cleanup_free char *text = meta_text(tree, &length);

	if (!text) {
		return NULL;
	}
	version_hash(text, length, hash);
	version_hex(hash, hex);
	return json_pack("{s:I,s:I,s:{s:s}}", "version",
			 (json_int_t)meta_version(tree), "length",
			 (json_int_t)length, "hashes", "sha256", hex);
}

static json_t *listed(const json_t *tree)
{
	return json_object_get(json_object_get(tree, "signed"), "meta");
}

static json_t *snapshot_body(const struct release *r)
{
	json_t *meta = json_object();
	json_t *old = listed(r->p->doc[PUB_SNAPSHOT].released);
	int code = meta ? 0 : -1;

	for (int i = PUB_TARGETS; code == 0 && i < PUB_DRAFTS; i++) {
		enum pub_role role = (enum pub_role)i;
		char file[PUB_ROLE_NAME + 8], name[PUB_ROLE_NAME];
		json_t *entry;

		pub_role_name(r->p, role, name);
		snprintf(file, sizeof(file), "%s.json", name);
		entry = goes_out(r, role)
			? meta_entry(r->p->doc[role].draft)
			: json_incref(json_object_get(old, file));
		if (goes_out(r, role) || entry) {
			code = json_object_set_new(meta, file, entry);
		}
	}
	if (code < 0) {
		json_decref(meta);
		return NULL;
	}
	return json_pack("{s:o}", "meta", meta);
}

/* Signed by the online keys, or says whose is missing. */
static int sign_top(struct release *r, enum pub_role role, json_t *tree)
{
	struct meta_keys groups[DRAFT_GROUPS];
	size_t count, n = groups_of(r, role, groups);
	int code = draft_sign(r->p, tree, groups, n, &count);

	if (code < 0) {
		return code;
	}
	if (!believed(r, role, tree)) {
		pub_error("no private key of %s is here that hosts believe "
			  "now%s", pub_role_word(role),
			  r->p->doc[PUB_ROOT].released && goes_out(r, PUB_ROOT)
			  ? "; if the old one is lost: release "
			    "--without-old-keys" : "; import it");
		return -EKEYREJECTED;
	}
	return 0;
}

static json_t *make_top(struct release *r, enum pub_role role, json_t *body)
{
	const json_t *old = r->p->doc[role].released;
	int64_t life = json_integer_value(json_object_get(
		pub_role_state(r->p, role), "seconds"));

	if (r->options->seconds && r->options->roles & PUB_BIT(role)) {
		life = r->options->seconds;
	}
	return meta_new(body, pub_role_word(role),
			old ? meta_version(old) + 1 : 1, r->p->now + life);
}

/* A snapshot that says the same is kept while half of its life is left. */
static bool snapshot_stays(const struct release *r)
{
	const json_t *old = r->p->doc[PUB_SNAPSHOT].released;
	int64_t life = json_integer_value(json_object_get(
		pub_role_state(r->p, PUB_SNAPSHOT), "seconds"));

	return old && meta_same(old, r->snapshot) &&
	       !(r->options->roles & PUB_BIT(PUB_SNAPSHOT)) &&
	       meta_expires(old) - r->p->now > life / 2 &&
	       believed(r, PUB_SNAPSHOT, old);
}

static int make_tops(struct release *r)
{
	json_t *entry;
	int code;

	r->snapshot = make_top(r, PUB_SNAPSHOT, snapshot_body(r));
	if (!r->snapshot) {
		return -ENOMEM;
	}
	if (snapshot_stays(r)) {
		json_decref(r->snapshot);
		r->snapshot = NULL;
		entry = json_incref(json_object_get(
			listed(r->p->doc[PUB_TIMESTAMP].released),
			"snapshot.json"));
	} else {
		code = sign_top(r, PUB_SNAPSHOT, r->snapshot);
		if (code < 0) {
			return code;
		}
		entry = meta_entry(r->snapshot);
	}
	r->timestamp = make_top(r, PUB_TIMESTAMP,
				json_pack("{s:{s:o}}", "meta",
					  "snapshot.json", entry));
	return r->timestamp ? sign_top(r, PUB_TIMESTAMP, r->timestamp)
			    : -ENOMEM;
}

/*
 * Web servers decode %2F before they look for a file: whoever asks for
 * 3.content%2Fscan.json gets 3.content/scan.json. So both are there.
 */
static int write_decoded(const struct release *r, const char *path,
			 const char *text, size_t length)
{
	const char *code = strstr(path, "%2F");
	char plain[PUB_PATH];
	int e;

	if (!code) {
		return 0;
	}
	text_format(plain, sizeof(plain), "%.*s/%s", (int)(code - path), path,
		    code + 3);
	e = pub_folders(r->p->repository, plain);
	return e ? e : pub_replace(r->p->repository, plain, text, length,
				   0644);
}

static int write_doc(const struct release *r, enum pub_role role,
		     const json_t *tree)
{
	char path[PUB_PATH];
	size_t length;
	cleanup_free char *text = meta_text(tree, &length);
	int code = text ? 0 : -ENOMEM;

	draft_file(r->p, role, meta_version(tree), path, sizeof(path));
	code = code ? code : write_decoded(r, path, text, length);
	code = code ? code : pub_replace(r->p->repository, path, text, length,
					 0644);
	if (code < 0) {
		pub_error("cannot write %s: %s; what hosts see is whole, run "
			  "it again", path, strerror(-code));
	}
	return code;
}

static int write_all(const struct release *r)
{
	const json_t *root = goes_out(r, PUB_ROOT) ? r->p->doc[PUB_ROOT].draft
						   : NULL;
	bool first = root && (r->options->without_old_keys ||
			      !r->p->doc[PUB_ROOT].released);
	int code = first ? write_doc(r, PUB_ROOT, root) : 0;

	for (size_t i = 0; code == 0 && i < sizeof(writing_order) /
	     sizeof(writing_order[0]); i++) {
		if (goes_out(r, writing_order[i])) {
			code = write_doc(r, writing_order[i],
					 r->p->doc[writing_order[i]].draft);
		}
	}
	if (code == 0 && r->snapshot) {
		code = write_doc(r, PUB_SNAPSHOT, r->snapshot);
	}
	code = code ? code : write_doc(r, PUB_TIMESTAMP, r->timestamp);
	if (code == 0 && root && !first) {
		code = write_doc(r, PUB_ROOT, root);
	}
	return code;
}

/* ---- all of it ---- */

static void say_out(const struct release *r)
{
	char name[PUB_ROLE_NAME], until[PUB_TIME];

	for (int i = 0; i < PUB_DRAFTS; i++) {
		if (goes_out(r, (enum pub_role)i)) {
			pub_role_name(r->p, (enum pub_role)i, name);
			pub_time(meta_expires(r->p->doc[i].draft), until);
			pub_say("released %s %lld, until %s\n", name,
				(long long)meta_version(r->p->doc[i].draft),
				until);
		}
	}
	pub_time(meta_expires(r->timestamp), until);
	pub_say("timestamp %lld, renew it before %s\n",
		(long long)meta_version(r->timestamp), until);
}

/* An interrupt is no error that anybody has to be told. */
static int could_not(int code)
{
	return code ? PUB_UNKNOWN : PUB_YES;
}

static int steps(struct release *r)
{
	int code = could_not(sign_online(r));

	code = code ? code : check_signed(r);
	code = code ? code : each_new(r, try_version);
	code = code ? code : could_not(make_tops(r));
	code = code ? code : could_not(put_targets(r));
	code = code ? code : could_not(write_all(r));
	if (code == PUB_YES) {
		say_out(r);
		prune_repository(r->p);
		code = could_not(draft_refresh(r->p, 0, 0));
	}
	return code;
}

int release_run(struct publish *p, const struct release_options *options)
{
	struct release r = { .p = p, .options = options };
	int code;

	for (int i = 0; i < PUB_DRAFTS; i++) {
		if (p->doc[i].draft && options->roles & PUB_BIT(i)) {
			r.out |= PUB_BIT(i);
		}
	}
	code = steps(&r);
	json_decref(r.snapshot);
	json_decref(r.timestamp);
	return code;
}
