/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "update/updater_file.h"
#include "update/updater_try.h"

#define ROLES_FACTS 64u

/* What a root says of itself, as far as the mirror needs it. */
static int roles_root(const uint8_t *bytes, size_t length,
		      int64_t *ret_version, bool *ret_consistent)
{
	cleanup_json_tree json_t *tree = NULL;
	struct json_fault fault;
	struct json_at top, body;
	bool consistent = false;
	int r = json_read(bytes, length, TUF_ROOT_MAX, &tree, &top, &fault);

	r = r < 0 ? r : json_member(&top, "signed", &body);
	r = r < 0 ? r : json_int(&body, "version", 1, INT64_MAX, ret_version);
	if (r == 0 && json_has(&body, "consistent_snapshot")) {
		r = json_flag(&body, "consistent_snapshot", &consistent);
	}
	if (r == 0) {
		*ret_consistent = consistent;
	}
	return r;
}

/* One root between the first and the trusted one: there, or fetched. */
static int roles_between(struct try *try, int64_t version)
{
	cleanup_free uint8_t *bytes = NULL;
	char name[64], path[80];
	size_t length;
	int r;

	snprintf(name, sizeof(name), "%lld.root.json", (long long)version);
	snprintf(path, sizeof(path), "metadata/%s", name);
	r = file_read(try->job->folder, path, TUF_ROOT_MAX, &bytes, &length);
	if (r == 0) {
		return mirror_list(&try->mirror, path);
	}
	r = fetch_bytes(&try->metadata.base, name, TUF_ROOT_MAX, &bytes,
			&length);
	if (r != 0) {
		return updater_fail(try->outcome, UPDATER_STEP_METADATA,
				    r > 0 ? -ENOENT : r, "%s: %s", name,
				    r > 0 ? "the repository does not have it, "
				    "and hosts with an older root need it" :
				    try->metadata.base.why);
	}
	return mirror_put(&try->mirror, path, bytes, length);
}

/* Hosts may trust any root since the one that came with the product. */
static int roles_roots(struct try *try)
{
	const struct updater_product *product = try->job->product;
	cleanup_free uint8_t *bytes = NULL;
	int64_t first, last, version;
	bool consistent;
	char path[80];
	size_t length;
	int r = roles_root(product->root, product->root_length, &first,
			   &consistent);

	r = r < 0 ? r : file_read(try->job->folder, "trust/root.json",
				  TUF_ROOT_MAX, &bytes, &length);
	r = r < 0 ? r : roles_root(bytes, length, &last, &consistent);
	if (r < 0) {
		return r;
	}
	if (!consistent) {
		return updater_fail(try->outcome, UPDATER_STEP_METADATA,
				    -EOPNOTSUPP, "the repository has no "
				    "consistent snapshots: what is fetched "
				    "could not be kept whole");
	}
	if (last - first > TUF_ROTATIONS_MAX) {
		return updater_fail(try->outcome, UPDATER_STEP_METADATA,
				    -E2BIG, "%lld roots since the one that "
				    "came with the product: upgrade it",
				    (long long)(last - first));
	}
	for (version = first; version <= last && r == 0; version++) {
		snprintf(path, sizeof(path), "metadata/%lld.root.json",
			 (long long)version);
		if (version == last) {
			r = mirror_put(&try->mirror, path, bytes, length);
		} else if (version == first) {
			r = mirror_put(&try->mirror, path, product->root,
				       product->root_length);
		} else {
			r = roles_between(try, version);
		}
	}
	return r;
}

static int roles_one(struct try *try, const struct tuf_fact *fact,
		     uint8_t **ret_timestamp, size_t *ret_length)
{
	cleanup_free uint8_t *bytes = NULL;
	char quoted[3 * TUF_ROLE_MAX], path[MIRROR_NAME];
	size_t length;
	int r = fetch_quote(fact->role, 0, quoted, sizeof(quoted));

	if (r < 0 || snprintf(path, sizeof(path), "trust/%s.json", quoted) >=
	    (int)sizeof(path)) {
		return -ENAMETOOLONG;
	}
	r = file_read(try->job->folder, path, TUF_TARGETS_MAX, &bytes,
		      &length);
	if (r < 0) {
		return r;
	}
	if (strcmp(fact->role, "timestamp") == 0) {
		*ret_timestamp = bytes;
		*ret_length = length;
		bytes = NULL;
		return 0;
	}
	if (snprintf(path, sizeof(path), "metadata/%llu.%s.json",
		     (unsigned long long)fact->version, quoted) >=
	    (int)sizeof(path)) {
		return -ENAMETOOLONG;
	}
	return mirror_put(&try->mirror, path, bytes, length);
}

int try_roles(struct try *try, uint8_t **ret_bytes, size_t *ret_length)
{
	struct tuf_fact *facts = calloc(ROLES_FACTS, sizeof(*facts));
	cleanup_free uint8_t *timestamp = NULL;
	size_t count, length = 0, i;
	int r = facts ? roles_roots(try) : -ENOMEM;

	count = r < 0 ? 0 : tuf_facts(try->tuf, facts, ROLES_FACTS);
	if (count > ROLES_FACTS) {
		r = -E2BIG;
		count = 0;
	}
	for (i = 0; r == 0 && i < count; i++) {
		if (strcmp(facts[i].role, "root") != 0) {
			r = roles_one(try, &facts[i], &timestamp, &length);
		}
	}
	free(facts);
	if (r == 0 && !timestamp) {
		r = -EBADMSG;
	}
	if (r == 0) {
		*ret_bytes = timestamp;
		*ret_length = length;
		timestamp = NULL;
	}
	return r;
}
