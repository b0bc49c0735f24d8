/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "update/updater_file.h"
#include "update/updater_try.h"

bool try_is_part(int result)
{
	switch (result) {
	case -EKEYREJECTED:
	case -EKEYEXPIRED:
	case -ESTALE:
	case -EBADMSG:
	case -EFBIG:
	case -ENOENT:
		return true;
	default:
		return false;
	}
}

/* Notes a failure of the TUF client; 0 if the rest may go on. */
static int versions_note(struct try *try, enum updater_step step, int result,
			 const char *what)
{
	int error = result > 0 ? -ENOENT : result;

	updater_fail(try->outcome, step, error, "%.80s: %s", what,
		     tuf_why(try->tuf));
	return try_is_part(error) ? 0 : error;
}

/* "gate/scan.json" to "targets/gate/<sha256>.scan.json". */
static int versions_path(const struct tuf_target *target,
			 char ret_path[MIRROR_NAME])
{
	const char *slash = strrchr(target->path, '/');
	char hex[VERSION_HEX];
	int folder = slash ? (int)(slash - target->path) + 1 : 0;

	if (!target->has_sha256) {
		return -EOPNOTSUPP;
	}
	version_hex(target->sha256, hex);
	return snprintf(ret_path, MIRROR_NAME, "targets/%.*s%s.%s", folder,
			target->path, hex, target->path + folder) >=
	       (int)MIRROR_NAME ? -ENAMETOOLONG : 0;
}

/* A target's bytes from the mirror, or fetched into it. */
static int versions_bytes(struct try *try, const struct tuf_target *target,
			  size_t maximum, uint8_t **ret_bytes,
			  size_t *ret_length)
{
	cleanup_free uint8_t *bytes = NULL;
	char path[MIRROR_NAME];
	size_t length;
	int r = versions_path(target, path);

	if (r < 0) {
		return r;
	}
	if (file_is(try->job->folder, path, target->length, target->sha256)) {
		r = file_read(try->job->folder, path, maximum, ret_bytes,
			      ret_length);
		return r < 0 ? r : mirror_list(&try->mirror, path);
	}
	r = tuf_target_bytes(try->tuf, &try->targets.base, target, maximum,
			     &bytes, &length);
	r = r != 0 ? r : mirror_put(&try->mirror, path, bytes, length);
	if (r == 0) {
		*ret_bytes = bytes;
		*ret_length = length;
		bytes = NULL;
	}
	return r;
}

/* A target that need not be there. 0 with bytes, 1 without, or negative: the
 * try ends. */
static int versions_single(struct try *try, const char *name, size_t maximum,
			   uint8_t **ret_bytes, size_t *ret_length)
{
	struct tuf_target target;
	int r = tuf_find(try->tuf, &try->metadata.base, name, &target);

	if (r == TUF_NO_TARGET) {
		return 1;
	}
	r = r < 0 ? r : versions_bytes(try, &target, maximum, ret_bytes,
				       ret_length);
	if (r == 0) {
		return 0;
	}
	r = versions_note(try, UPDATER_STEP_METADATA, r, name);
	return r < 0 ? r : 1;
}

static int versions_lease(struct try *try)
{
	const char *product = try->job->product->name;
	cleanup_free uint8_t *bytes = NULL;
	struct lease_error error;
	char name[64];
	size_t length;
	int r;

	snprintf(name, sizeof(name), "gate/%s.json", product);
	r = versions_single(try, name, LEASE_BYTES, &bytes, &length);
	if (r != 0) {
		return r < 0 ? r : 0;
	}
	r = lease_parse(bytes, length, product, &try->lease, &error);
	if (r < 0) {
		updater_fail(try->outcome, UPDATER_STEP_VERSION, r, "%s: %s",
			     name, error.text);
		return 0;
	}
	try->has_lease = true;
	try->outcome->poll_s = try->lease.poll_s;
	try->outcome->jitter_s = try->lease.jitter_s;
	return 0;
}

/* ---- descriptions ---- */

/* Where a description of this class and number is, or goes; null: it is older
 * than all that there is room for. */
static struct try_version *versions_room(struct try *try,
					 enum version_class kind,
					 uint64_t number)
{
	struct try_version *oldest = NULL;
	size_t i, count = 0;

	for (i = 0; i < try->versions; i++) {
		struct try_version *v = &try->version[i];

		if (v->kind != kind) {
			continue;
		}
		if (v->number == number) {
			return v;
		}
		count++;
		if (!oldest || v->number < oldest->number) {
			oldest = v;
		}
	}
	if (count < UPDATER_DESCRIPTIONS) {
		return &try->version[try->versions++];
	}
	return oldest->number < number ? oldest : NULL;
}

/* A visitor of tuf_each. */
static int versions_visit(void *context, const struct tuf_target *target)
{
	struct try *try = context;
	char product[VERSION_NAME];
	enum version_class kind;
	struct try_version *v;
	uint64_t number;

	if (version_target_parse(target->path, product, &kind, &number) < 0 ||
	    strcmp(product, try->job->product->name) != 0) {
		return 0;               /* policy.json, or another product's */
	}
	v = versions_room(try, kind, number);
	if (v) {
		*v = (struct try_version){ .kind = kind, .number = number,
					   .target = *target };
	}
	return 0;
}

/* All that one role lists. Its absence is no fault: a product without online
 * content has no data role. */
static int versions_role(struct try *try, const char *const *chain,
			 size_t count)
{
	char prefix[64];
	int r;

	snprintf(prefix, sizeof(prefix), "content/%s/",
		 try->job->product->name);
	r = tuf_each(try->tuf, &try->metadata.base, chain, count, prefix,
		     versions_visit, try);
	if (r == 0 || r == TUF_NO_TARGET) {
		return 0;
	}
	return versions_note(try, UPDATER_STEP_METADATA, r, chain[count - 1]);
}

static int versions_describe(struct try *try, struct try_version *v)
{
	cleanup_free uint8_t *bytes = NULL;
	struct json_fault fault = { .text = "" };
	size_t length;
	int r = versions_bytes(try, &v->target, VERSION_BYTES, &bytes,
			       &length);

	if (r != 0) {
		return versions_note(try, UPDATER_STEP_VERSION, r,
				     v->target.path);
	}
	r = version_parse(bytes, length, &v->version, &fault);
	if (r == 0 && !version_target_agrees(v->version, v->target.path)) {
		snprintf(fault.text, sizeof(fault.text),
			 "it describes another version than its path says");
		v->version = version_free(v->version);
		r = -EBADMSG;
	}
	if (r < 0) {
		updater_fail(try->outcome, UPDATER_STEP_VERSION, r, "%.80s: %s",
			     v->target.path, fault.text);
	}
	return r == -ENOMEM ? r : 0;
}

/* How many of the same class have a higher number. */
static size_t versions_newer(const struct try *try,
			     const struct try_version *than)
{
	size_t i, newer = 0;

	for (i = 0; i < try->versions; i++) {
		newer += try->version[i].kind == than->kind &&
			 try->version[i].number > than->number;
	}
	return newer;
}

/* First what the lease releases, then what it rolls back to, then the newest
 * of each class. */
static unsigned versions_wish(const struct try *try,
			      const struct try_version *v)
{
	size_t newer = versions_newer(try, v);

	if (try->has_lease && memcmp(v->target.sha256, try->lease.hash,
				     VERSION_HASH) == 0) {
		return 1;
	}
	if (try->has_lease && try->lease.roll_back &&
	    memcmp(v->target.sha256, try->lease.roll_back_to,
		   VERSION_HASH) == 0) {
		return 2;
	}
	return newer < UPDATER_WHOLE ? 3 + (unsigned)newer : 0;
}

int try_versions(struct try *try)
{
	char content[64], data[64], policy[64];
	const char *chain[] = { content, data };
	cleanup_free uint8_t *revoked = NULL, *text = NULL;
	size_t length, i;
	int r = versions_lease(try);

	snprintf(content, sizeof(content), "content/%s",
		 try->job->product->name);
	snprintf(data, sizeof(data), "data/%s", try->job->product->name);
	snprintf(policy, sizeof(policy), "content/%s/policy.json",
		 try->job->product->name);
	r = r < 0 ? r : versions_single(try, "revoked.json",
					UPDATER_REVOKED_BYTES, &revoked,
					&length);
	r = r < 0 ? r : versions_single(try, policy, UPDATER_POLICY_BYTES,
					&text, &length);
	r = r < 0 ? r : versions_role(try, chain, 1);
	r = r < 0 ? r : versions_role(try, chain, 2);
	for (i = 0; r == 0 && i < try->versions; i++) {
		try->version[i].wish = versions_wish(try, &try->version[i]);
		r = versions_describe(try, &try->version[i]);
	}
	return r;
}
