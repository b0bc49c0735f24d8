/* SPDX-License-Identifier: Apache-2.0 */
/* draft.c - what is released, and what waits to be */
#include "publish/publish.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"

#define ROOTS_MOST 100000

void draft_file(const struct publish *p, enum pub_role role, int64_t version,
		char *ret_path, size_t size)
{
	char name[PUB_ROLE_NAME];
	char *slash;

	pub_role_name(p, role, name);
	if (role == PUB_TIMESTAMP) {
		text_format(ret_path, size, "metadata/timestamp.json");
		return;
	}
	slash = strchr(name, '/');
	text_format(ret_path, size, "metadata/%lld.%.*s%s%s.json",
		    (long long)version,
		    slash ? (int)(slash - name) : (int)PUB_ROLE_NAME, name,
		    slash ? "%2F" : "", slash ? slash + 1 : "");
}

static void draft_path(enum pub_role role, char ret_path[PUB_PATH])
{
	text_format(ret_path, PUB_PATH, "drafts/%s.json",
		    pub_role_word(role));
}

static int load_released(struct publish *p, enum pub_role role,
			 int64_t version)
{
	struct json_fault fault = { "" };
	cleanup_free char *bytes = NULL;
	char path[PUB_PATH];
	size_t length;
	int r;

	draft_file(p, role, version, path, sizeof(path));
	r = pub_read(p->repository, path, PUB_METADATA, &bytes, &length);
	if (r == -ENOENT && role == PUB_TIMESTAMP) {
		return 0;
	}
	r = r ? r : meta_read(bytes, length, &p->doc[role].released, &fault);
	if (r < 0) {
		pub_error("repository: %s: %s; restore it from a copy, or "
			  "from the web server", path,
			  fault.text[0] ? fault.text : strerror(-r));
	}
	return r;
}

/* Version of a role in timestamp or snapshot; 0: it is not there. */
static int64_t listed(const json_t *tree, const char *role)
{
	char file[PUB_ROLE_NAME + 8];
	const json_t *meta = json_object_get(json_object_get(tree, "signed"),
					     "meta");

	snprintf(file, sizeof(file), "%s.json", role);
	return json_integer_value(json_object_get(
		json_object_get(meta, file), "version"));
}

static int load_root(struct publish *p)
{
	char path[PUB_PATH];
	int64_t version = 0;

	do {
		version++;
		draft_file(p, PUB_ROOT, version, path, sizeof(path));
	} while (version < ROOTS_MOST && pub_exists(p->repository, path));
	return version == 1 ? 0 : load_released(p, PUB_ROOT, version - 1);
}

static int load_all(struct publish *p)
{
	const json_t *from;
	int64_t version;
	int r = load_root(p);

	r = r ? r : load_released(p, PUB_TIMESTAMP, 0);
	if (r < 0 || !p->doc[PUB_TIMESTAMP].released) {
		return r;
	}
	from = p->doc[PUB_TIMESTAMP].released;
	version = listed(from, "snapshot");
	r = load_released(p, PUB_SNAPSHOT, version);
	from = p->doc[PUB_SNAPSHOT].released;
	for (int role = PUB_TARGETS; r == 0 && role < PUB_DRAFTS; role++) {
		char name[PUB_ROLE_NAME];

		pub_role_name(p, (enum pub_role)role, name);
		version = listed(from, name);
		if (version) {
			r = load_released(p, (enum pub_role)role, version);
		}
	}
	return r;
}

/* A draft that cannot be read is made anew. */
static void load_draft(struct publish *p, enum pub_role role)
{
	struct json_fault fault;
	cleanup_free char *bytes = NULL;
	char path[PUB_PATH];
	size_t length;

	draft_path(role, path);
	if (pub_read(p->dir, path, PUB_METADATA, &bytes, &length) == 0) {
		int r = meta_read(bytes, length, &p->doc[role].draft, &fault);

		if (r < 0) {
			pub_error("%s: %s; it is made anew, without its "
				  "signatures", path, fault.text);
		}
	}
}

const json_t *draft_current(const struct publish *p, enum pub_role role)
{
	return p->doc[role].draft ? p->doc[role].draft
				  : p->doc[role].released;
}

size_t draft_groups(const struct publish *p, enum pub_role role,
		    struct meta_keys ret_groups[DRAFT_GROUPS])
{
	enum pub_role delegator = body_delegator(role);
	const struct pub_doc *doc = &p->doc[delegator];
	char name[PUB_ROLE_NAME];
	size_t n = 0;

	pub_role_name(p, role, name);
	if (draft_current(p, delegator) &&
	    meta_keys(draft_current(p, delegator), name,
		      &ret_groups[n]) == 0) {
		n++;
	}
	if (delegator == PUB_ROOT && doc->draft && doc->released &&
	    meta_keys(doc->released, name, &ret_groups[n]) == 0) {
		n++;
	}
	return n;
}

bool draft_signed(const struct publish *p, enum pub_role role,
		  const json_t *tree)
{
	struct meta_keys groups[DRAFT_GROUPS];
	size_t n = draft_groups(p, role, groups);
	bool good = n > 0;

	for (size_t i = 0; good && i < n; i++) {
		good = meta_enough(tree, &groups[i]);
	}
	return good;
}

int draft_save(struct publish *p, enum pub_role role)
{
	char path[PUB_PATH];
	size_t length;
	char *text;
	int r;

	draft_path(role, path);
	if (!p->doc[role].draft) {
		r = pub_remove_tree(p->dir, path);
	} else {
		text = meta_text(p->doc[role].draft, &length);
		r = text ? pub_replace(p->dir, path, text, length, 0600)
			 : -ENOMEM;
		free(text);
	}
	if (r < 0) {
		pub_error("cannot write %s: %s", path, strerror(-r));
	}
	return r;
}

/* A lease's role lasts at least as long as the lease. */
static int64_t until(const struct publish *p, enum pub_role role,
		     int64_t seconds)
{
	const json_t *lease = json_object_get(p->state, "lease");
	struct json_fault fault;
	struct json_at at = { .value = lease, .fault = &fault };
	int64_t end = p->now + seconds, valid;

	if (role == PUB_GATE && lease &&
	    json_time(&at, "valid_until", &valid) == 0 && valid > end) {
		return valid;
	}
	return end;
}

static int refresh(struct publish *p, enum pub_role role, bool renew,
		   int64_t seconds)
{
	struct pub_doc *doc = &p->doc[role];
	cleanup_json_tree json_t *fresh = NULL;
	int64_t next = doc->released ? meta_version(doc->released) + 1 : 1;
	bool need;

	seconds = seconds ? seconds : json_integer_value(
		json_object_get(pub_role_state(p, role), "seconds"));
	if (body_wanted(p, role)) {
		fresh = meta_new(body_make(p, role), body_type(role), next,
				 until(p, role, seconds));
		if (!fresh) {
			return -ENOMEM;
		}
	}
	if (fresh && !renew && doc->draft &&
	    meta_version(doc->draft) == next &&
	    meta_expires(doc->draft) > p->now &&
	    meta_same(doc->draft, fresh)) {
		return 0;       /* with the signatures that it has */
	}
	json_decref(doc->draft);
	doc->draft = NULL;
	need = fresh && (!doc->released || renew ||
			 !meta_same(doc->released, fresh) ||
			 !draft_signed(p, role, doc->released));
	doc->draft = need ? json_incref(fresh) : NULL;
	return draft_save(p, role);
}

int draft_refresh(struct publish *p, uint32_t renew, int64_t seconds)
{
	int r = 0;

	for (int i = 0; i < PUB_ROLES; i++) {
		json_decref(p->doc[i].released);
		json_decref(p->doc[i].draft);
		p->doc[i].released = p->doc[i].draft = NULL;
	}
	r = load_all(p);
	for (int i = 0; r == 0 && i < PUB_DRAFTS; i++) {
		load_draft(p, (enum pub_role)i);
		r = refresh(p, (enum pub_role)i, renew & PUB_BIT(i),
			    seconds);
	}
	return r;
}

static bool has_signature(const json_t *tree, const struct meta_keys *keys,
			  const char *id)
{
	struct meta_keys one = *keys;
	cleanup_json_tree json_t *ids = json_pack("[s]", id);

	one.ids = ids;
	one.threshold = 1;
	return ids && meta_enough(tree, &one);
}

int draft_sign(struct publish *p, json_t *tree, const struct meta_keys *groups,
	       size_t count, size_t *ret_count)
{
	json_t *all = json_object_get(p->state, "keys");
	const char *name;
	json_t *object;
	int r = 0;

	*ret_count = 0;
	for (size_t g = 0; g < count; g++) {
		json_object_foreach(all, name, object) {
			const struct key *key;
			char id[KEY_ID];

			if (meta_enough(tree, &groups[g]) ||
			    key_object_id(object, id) < 0 ||
			    !meta_names(&groups[g], id) ||
			    !pub_has_private(p, name) ||
			    has_signature(tree, &groups[g], id)) {
				continue;
			}
			r = pub_private(p, name, &key);
			r = r ? r : meta_sign(tree, key, id);
			if (r < 0) {
				return r;
			}
			(*ret_count)++;
		}
	}
	return 0;
}

/* Names of a group's keys that have not signed. */
static void unsigned_names(const struct publish *p, const json_t *tree,
			   const struct meta_keys *keys, char *text,
			   size_t size)
{
	json_t *all = json_object_get(p->state, "keys"), *object;
	const char *name;

	json_object_foreach(all, name, object) {
		size_t used = strlen(text);
		char id[KEY_ID];

		if (key_object_id(object, id) == 0 && meta_names(keys, id) &&
		    !has_signature(tree, keys, id)) {
			text_format(text + used, size - used, "%s%s",
				    used ? " or " : "", name);
		}
	}
}

void draft_missing(const struct publish *p, enum pub_role role, char *ret_text,
		   size_t size)
{
	struct meta_keys groups[DRAFT_GROUPS];
	size_t n = draft_groups(p, role, groups);
	const json_t *tree = draft_current(p, role);

	text_format(ret_text, size, "%s", n ? "" : "it has no key yet");
	for (size_t i = 0; i < n; i++) {
		int have = meta_count(tree, &groups[i]);
		char names[256] = "";
		size_t used = strlen(ret_text);

		if (have >= groups[i].threshold && groups[i].threshold) {
			continue;
		}
		unsigned_names(p, tree, &groups[i], names, sizeof(names));
		text_format(ret_text + used, size - used,
			    "%s%d of %lld signatures%s, needs %s",
			    used ? "; " : "", have < 0 ? 0 : have,
			    (long long)groups[i].threshold,
			    i ? " under the released root" : "",
			    names[0] ? names : "more keys than it has");
	}
}
