/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tuf_find.c - the search for a target (5.6.7), and all targets of one role
 *
 * Roles are visited in pre-order, depth first, each once, at most
 * TUF_VISITS_MAX of them; the recursion is as deep as that at most. A role that
 * cannot be had or is not believed ends the search: to go on without it would
 * give a less trusted role the say.
 */
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "update/tuf_internal.h"

enum { SEARCH_STOP = 2 };       /* beside TUF_NO_TARGET: and look no further */

struct search {
	struct tuf *tuf;
	struct fetch *metadata;
	const char *path;
	json_t *visited;                /* owned; names as keys */
	struct tuf_target *target;      /* what is found */
};

static int fill(struct tuf *tuf, const char *role, const json_t *tree,
		const char *path, const json_t *entry,
		struct tuf_target *ret_target)
{
	struct json_at at = { entry, NULL, NULL, 0, &tuf->fault };
	struct tuf_target t = { .length = 0 };
	struct tuf_hashes hashes;
	int64_t length;
	int r = json_int(&at, "length", 0, INT64_MAX, &length);

	r = r ? r : tuf_form_hashes(&at, &hashes);
	if (r < 0) {
		return tuf_fail(tuf, r, "%.128s: %s", path, tuf->fault.text);
	}
	text_format(t.path, sizeof(t.path), "%s", path);
	text_format(t.role, sizeof(t.role), "%s", role);
	t.length = (uint64_t)length;
	t.has_sha256 = hashes.has_sha256;
	t.has_sha512 = hashes.has_sha512;
	memcpy(t.sha256, hashes.sha256, sizeof(t.sha256));
	memcpy(t.sha512, hashes.sha512, sizeof(t.sha512));
	t.role_version = (uint64_t)json_integer_value(
		json_object_get(tuf_signed(tree), "version"));
	*ret_target = t;
	return 0;
}

static const json_t *delegated_keys(const json_t *tree)
{
	return json_object_get(json_object_get(tuf_signed(tree),
					       "delegations"), "keys");
}

static const json_t *delegated_roles(const json_t *tree)
{
	return json_object_get(json_object_get(tuf_signed(tree),
					       "delegations"), "roles");
}

static int visit(struct search *s, const char *role, const json_t *keys,
		 const json_t *delegation);

static int visit_delegations(struct search *s, const json_t *tree)
{
	const json_t *roles = delegated_roles(tree);

	for (size_t i = 0; i < json_array_size(roles); i++) {
		const json_t *one = json_array_get(roles, i);
		int r;

		if (!tuf_pattern_trusted(one, s->path)) {
			continue;
		}
		r = visit(s, json_string_value(json_object_get(one, "name")),
			  delegated_keys(tree), one);
		if (r != TUF_NO_TARGET) {
			return r;
		}
		if (json_is_true(json_object_get(one, "terminating"))) {
			return SEARCH_STOP;
		}
	}
	return TUF_NO_TARGET;
}

/* role null: the top-level targets. */
static int visit(struct search *s, const char *role, const json_t *keys,
		 const json_t *delegation)
{
	cleanup_json_tree json_t *tree = NULL;
	const char *name = role ? role : "targets";
	const json_t *entry;
	int r;

	if (json_object_get(s->visited, name)) {
		return TUF_NO_TARGET;
	}
	if (json_object_size(s->visited) == TUF_VISITS_MAX) {
		return SEARCH_STOP;
	}
	if (json_object_set_new(s->visited, name, json_true()) < 0) {
		return -ENOMEM;
	}
	r = role ? tuf_role_get(s->tuf, s->metadata, role, keys, delegation,
				&tree)
		 : tuf_role_top(s->tuf, s->metadata, &tree);
	if (r < 0) {
		return r;
	}
	entry = json_object_get(json_object_get(tuf_signed(tree), "targets"),
				s->path);
	if (entry) {
		return fill(s->tuf, name, tree, s->path, entry, s->target);
	}
	return visit_delegations(s, tree);
}

static int fresh(struct tuf *tuf)
{
	if (tuf->fresh) {
		return tuf_store_lock(tuf);
	}
	return tuf_fail(tuf, -EINVAL, "the metadata was not refreshed");
}

int tuf_find(struct tuf *tuf, struct fetch *metadata, const char *path,
	     struct tuf_target *ret_target)
{
	cleanup_json_tree json_t *visited = json_object();
	struct search s = { tuf, metadata, path, visited, ret_target };
	int r = fresh(tuf);

	if (r < 0) {
		return r;
	}
	r = visited ? TUF_NO_TARGET : -ENOMEM;
	if (r != -ENOMEM && strlen(path) < TUF_PATH_MAX) {
		r = visit(&s, NULL, NULL, NULL);
	}
	tuf_store_unlock(tuf);
	if (r == TUF_NO_TARGET || r == SEARCH_STOP) {
		return tuf_fail(tuf, TUF_NO_TARGET, "%.128s: there is no such "
				"target", path);
	}
	return r;
}

/* The delegation of this name, or null. */
static const json_t *delegation_of(const json_t *tree, const char *role)
{
	const json_t *roles = delegated_roles(tree);

	for (size_t i = 0; i < json_array_size(roles); i++) {
		const json_t *one = json_array_get(roles, i);

		if (strcmp(json_string_value(json_object_get(one, "name")),
			   role) == 0) {
			return one;
		}
	}
	return NULL;
}

/* One step of a chain: *tree becomes the role's. The delegation is kept in
 * passed, a list. */
static int step(struct tuf *tuf, struct fetch *metadata, const char *role,
		json_t *passed, json_t **tree)
{
	const json_t *delegation = delegation_of(*tree, role);
	json_t *next = NULL;
	int r;

	if (!delegation) {
		return tuf_fail(tuf, TUF_NO_TARGET,
				"%.80s: nobody delegates to it", role);
	}
	if (json_array_append(passed, (json_t *)delegation) < 0) {
		return -ENOMEM;
	}
	r = tuf_role_get(tuf, metadata, role, delegated_keys(*tree),
			 delegation, &next);
	if (r == 0) {
		json_decref(*tree);
		*tree = next;
	}
	return r;
}

static bool all_trust(const json_t *passed, const char *path)
{
	for (size_t i = 0; i < json_array_size(passed); i++) {
		if (!tuf_pattern_trusted(json_array_get(passed, i), path)) {
			return false;
		}
	}
	return true;
}

static int each_of(struct tuf *tuf, const char *role, const json_t *tree,
		   const json_t *passed, const char *prefix,
		   tuf_visitor visit_target, void *context)
{
	json_t *targets = json_object_get(tuf_signed(tree), "targets");
	const char *path;
	json_t *entry;

	json_object_foreach(targets, path, entry) {
		struct tuf_target target;
		int r;

		if (strncmp(path, prefix, strlen(prefix)) != 0 ||
		    strlen(path) >= TUF_PATH_MAX || !all_trust(passed, path)) {
			continue;
		}
		r = fill(tuf, role, tree, path, entry, &target);
		r = r ? r : visit_target(context, &target);
		if (r) {
			return r;
		}
	}
	return 0;
}

int tuf_each(struct tuf *tuf, struct fetch *metadata,
	     const char *const *chain, size_t count, const char *prefix,
	     tuf_visitor visit_target, void *context)
{
	cleanup_json_tree json_t *tree = NULL, *passed = json_array();
	int r = fresh(tuf);

	if (r < 0) {
		return r;
	}
	r = passed ? tuf_role_top(tuf, metadata, &tree) : -ENOMEM;
	for (size_t i = 0; r == 0 && i < count; i++) {
		r = step(tuf, metadata, chain[i], passed, &tree);
	}
	tuf_store_unlock(tuf);
	return r ? r : each_of(tuf, count ? chain[count - 1] : "targets", tree,
			       passed, prefix, visit_target, context);
}
