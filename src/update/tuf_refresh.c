/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tuf_refresh.c - root, timestamp, snapshot, targets: the specification's 5.3
 * to 5.6.6, in its order
 *
 * What is in memory was verified and is not looked at again while the folder
 * still has the file that it came from, and it is what the file above lists:
 * a refresh without change parses and verifies nothing.
 *
 * A root whose timestamp or snapshot keys are not all there any more makes the
 * trusted timestamp and snapshot void (recovery from a fast-forward attack).
 * They are removed before that root is stored: a crash between the two leaves
 * the old root, with which the next refresh comes here again.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "update/tuf_internal.h"

#define NAME 64

static int take_root(struct tuf *tuf, struct tuf_meta *meta)
{
	tuf_meta_fini(&tuf->meta[TUF_TIMESTAMP]);
	tuf_meta_fini(&tuf->meta[TUF_SNAPSHOT]);
	tuf_meta_take(&tuf->meta[TUF_ROOT], meta);
	return 0;
}

int tuf_root_load(struct tuf *tuf)
{
	struct tuf_meta *root = &tuf->meta[TUF_ROOT];
	cleanup_meta struct tuf_meta meta = { .tree = NULL };
	cleanup_free uint8_t *bytes = NULL;
	struct tuf_stamp stamp;
	size_t length;
	int r;

	if (root->tree && tuf_store_same(tuf, "root.json", &root->stamp)) {
		return 0;
	}
	tuf_meta_fini(root);
	r = tuf_store_read(tuf, "root.json", TUF_ROOT_MAX, &bytes, &length,
			   &stamp);
	if (r == 1) {
		return tuf_fail(tuf, -ENOENT, "the folder has no trusted root");
	}
	r = r ? r : tuf_meta_read(tuf, TUF_ROOT, "trusted root", bytes,
				  length, &meta);
	r = r ? r : tuf_verify_top(tuf, "trusted root", meta.tree, meta.tree,
				   TUF_ROOT);
	meta.stamp = stamp;
	return r ? r : take_root(tuf, &meta);
}

static const json_t *keyids(const json_t *root, enum tuf_kind kind)
{
	const json_t *roles = json_object_get(tuf_signed(root), "roles");

	return json_object_get(json_object_get(roles, tuf_kind_name(kind)),
			       "keyids");
}

/* A key that old names for this role is not there any more. */
static bool rotated(const json_t *old, const json_t *new, enum tuf_kind kind)
{
	const json_t *before = keyids(old, kind), *after = keyids(new, kind);

	for (size_t i = 0; i < json_array_size(before); i++) {
		bool found = false;

		for (size_t j = 0; j < json_array_size(after); j++) {
			found |= json_equal(json_array_get(before, i),
					    json_array_get(after, j));
		}
		if (!found) {
			return true;
		}
	}
	return false;
}

static int forget_rotated(struct tuf *tuf, const json_t *new)
{
	const json_t *old = tuf->meta[TUF_ROOT].tree;
	int r;

	if (!rotated(old, new, TUF_TIMESTAMP) &&
	    !rotated(old, new, TUF_SNAPSHOT)) {
		return 0;
	}
	r = tuf_store_remove(tuf, "timestamp.json");
	return r ? r : tuf_store_remove(tuf, "snapshot.json");
}

/* 5.3.4 to 5.3.8 for the root that follows the trusted one. */
static int accept_root(struct tuf *tuf, const char *name, const uint8_t *bytes,
		       size_t length)
{
	const struct tuf_meta *old = &tuf->meta[TUF_ROOT];
	cleanup_meta struct tuf_meta meta = { .tree = NULL };
	int r = tuf_meta_read(tuf, TUF_ROOT, name, bytes, length, &meta);

	r = r ? r : tuf_verify_top(tuf, name, meta.tree, old->tree, TUF_ROOT);
	r = r ? r : tuf_verify_top(tuf, name, meta.tree, meta.tree, TUF_ROOT);
	if (r == 0 && meta.version != old->version + 1) {
		r = tuf_fail(tuf, -ESTALE, "%s: version %" PRId64
			     " after %" PRId64, name, meta.version,
			     old->version);
	}
	r = r ? r : forget_rotated(tuf, meta.tree);
	r = r ? r : tuf_store_write(tuf, "root.json", bytes, length,
				    &meta.stamp);
	return r ? r : take_root(tuf, &meta);
}

static int update_root(struct tuf *tuf, struct fetch *metadata)
{
	const struct tuf_meta *root = &tuf->meta[TUF_ROOT];
	char name[NAME];
	int r = 0;

	for (unsigned n = 0; r == 0 && n < TUF_ROTATIONS_MAX &&
			     root->version < INT64_MAX; n++) {
		cleanup_free uint8_t *bytes = NULL;
		size_t length;

		snprintf(name, sizeof(name), "%" PRId64 ".root.json",
			 root->version + 1);
		r = tuf_file_get(tuf, metadata, name, TUF_ROOT_MAX, &bytes,
				 &length);
		if (r == -ENODATA) {
			r = 0;
			break;
		}
		r = r ? r : accept_root(tuf, name, bytes, length);
	}
	return r ? r : tuf_meta_expired(tuf, "root", root);
}

/* The folder's copy, if it is believed under this root. */
static int load(struct tuf *tuf, enum tuf_kind kind, const char *name)
{
	struct tuf_meta *trusted = &tuf->meta[kind];
	cleanup_meta struct tuf_meta meta = { .tree = NULL };
	cleanup_free uint8_t *bytes = NULL;
	struct tuf_stamp stamp;
	size_t length;
	int r;

	if (trusted->tree && tuf_store_same(tuf, name, &trusted->stamp)) {
		return 0;
	}
	tuf_meta_fini(trusted);
	r = tuf_store_read(tuf, name, tuf_kind_maximum(kind), &bytes, &length,
			   &stamp);
	r = r ? r : tuf_meta_read(tuf, kind, name, bytes, length, &meta);
	r = r ? r : tuf_verify_top(tuf, name, meta.tree,
				   tuf->meta[TUF_ROOT].tree, kind);
	if (r == 0) {
		meta.stamp = stamp;
		tuf_meta_take(trusted, &meta);
	}
	/* What is damaged, or of keys that are gone, is as good as absent. */
	return r == -EBADMSG || r == -EKEYREJECTED || r == -EFBIG || r == 1 ?
		       0 : r;
}

static int timestamp_rollback(struct tuf *tuf, const struct tuf_meta *old,
			      const struct tuf_meta *new)
{
	struct tuf_listed before, after;
	int r;

	if (new->version < old->version) {
		return tuf_fail(tuf, -ESTALE, "timestamp: version %" PRId64
				" after %" PRId64, new->version, old->version);
	}
	r = tuf_listed_read(tuf, old->tree, "snapshot", &before);
	r = r ? r : tuf_listed_read(tuf, new->tree, "snapshot", &after);
	if (r == 0 && after.version < before.version) {
		r = tuf_fail(tuf, -ESTALE, "timestamp: snapshot %" PRId64
			     " after %" PRId64, after.version, before.version);
	}
	return r;
}

/* 5.4.2 to 5.4.5 */
static int accept_timestamp(struct tuf *tuf, const uint8_t *bytes,
			    size_t length)
{
	static const char name[] = "timestamp.json";
	struct tuf_meta *old = &tuf->meta[TUF_TIMESTAMP];
	cleanup_meta struct tuf_meta meta = { .tree = NULL };
	int r = tuf_meta_read(tuf, TUF_TIMESTAMP, name, bytes, length, &meta);

	r = r ? r : tuf_verify_top(tuf, name, meta.tree,
				   tuf->meta[TUF_ROOT].tree, TUF_TIMESTAMP);
	if (r == 0 && old->tree && meta.version == old->version) {
		return tuf_meta_expired(tuf, name, old);
	}
	if (r == 0 && old->tree) {
		r = timestamp_rollback(tuf, old, &meta);
	}
	r = r ? r : tuf_meta_expired(tuf, name, &meta);
	r = r ? r : tuf_store_write(tuf, name, bytes, length, &meta.stamp);
	if (r == 0) {
		tuf_meta_take(old, &meta);
	}
	return r;
}

static int update_timestamp(struct tuf *tuf, struct fetch *metadata)
{
	static const char name[] = "timestamp.json";
	struct tuf_meta *old = &tuf->meta[TUF_TIMESTAMP];
	cleanup_free uint8_t *bytes = NULL;
	struct tuf_hashes hashes;
	size_t length;
	int r = load(tuf, TUF_TIMESTAMP, name);

	r = r ? r : tuf_file_get(tuf, metadata, name, TUF_TIMESTAMP_MAX,
				 &bytes, &length);
	if (r < 0) {
		return r;
	}
	tuf_hashes_of(bytes, length, &hashes);
	if (old->tree && tuf_hashes_match(&hashes, &old->hashes)) {
		return tuf_meta_expired(tuf, name, old);
	}
	return accept_timestamp(tuf, bytes, length);
}

/* Everything that old lists is in new, and none of it older. */
static int snapshot_rollback(struct tuf *tuf, const struct tuf_meta *old,
			     const struct tuf_meta *new)
{
	json_t *before = json_object_get(tuf_signed(old->tree), "meta");
	const json_t *after = json_object_get(tuf_signed(new->tree), "meta");
	const char *file;
	json_t *value;

	if (new->version < old->version) {
		return tuf_fail(tuf, -ESTALE, "snapshot: version %" PRId64
				" after %" PRId64, new->version, old->version);
	}
	json_object_foreach(before, file, value) {
		const json_t *now = json_object_get(after, file);

		if (!now) {
			return tuf_fail(tuf, -ESTALE, "snapshot: %.80s is not "
					"listed any more", file);
		}
		if (json_integer_value(json_object_get(now, "version")) <
		    json_integer_value(json_object_get(value, "version"))) {
			return tuf_fail(tuf, -ESTALE,
					"snapshot: %.80s is older", file);
		}
	}
	return 0;
}

/* 5.5.2 to 5.5.7 */
static int accept_snapshot(struct tuf *tuf, const char *name,
			   const struct tuf_listed *listed,
			   const uint8_t *bytes, size_t length)
{
	struct tuf_meta *old = &tuf->meta[TUF_SNAPSHOT];
	cleanup_meta struct tuf_meta meta = { .tree = NULL };
	int r = tuf_listed_check(tuf, name, listed, bytes, length);

	r = r ? r : tuf_meta_read(tuf, TUF_SNAPSHOT, name, bytes, length,
				  &meta);
	r = r ? r : tuf_verify_top(tuf, name, meta.tree,
				   tuf->meta[TUF_ROOT].tree, TUF_SNAPSHOT);
	if (r == 0 && meta.version != listed->version) {
		r = tuf_fail(tuf, -EBADMSG, "%s: version %" PRId64
			     ", listed with %" PRId64, name, meta.version,
			     listed->version);
	}
	if (r == 0 && old->tree) {
		r = snapshot_rollback(tuf, old, &meta);
	}
	r = r ? r : tuf_meta_expired(tuf, name, &meta);
	r = r ? r : tuf_store_write(tuf, "snapshot.json", bytes, length,
				    &meta.stamp);
	if (r == 0) {
		tuf_meta_take(old, &meta);
	}
	return r;
}

static int update_snapshot(struct tuf *tuf, struct fetch *metadata)
{
	struct tuf_meta *old = &tuf->meta[TUF_SNAPSHOT];
	cleanup_free uint8_t *bytes = NULL;
	struct tuf_listed listed;
	char name[NAME];
	size_t length;
	int r = tuf_listed_read(tuf, tuf->meta[TUF_TIMESTAMP].tree, "snapshot",
				&listed);

	r = r ? r : load(tuf, TUF_SNAPSHOT, "snapshot.json");
	if (r == 0 && old->tree && tuf_listed_fits(&listed, old) &&
	    old->expires > tuf->start) {
		return 0;
	}
	r = r ? r : tuf_file_name(tuf, "snapshot", listed.version, name,
				  sizeof(name));
	if (r == 0 && listed.length > (int64_t)TUF_SNAPSHOT_MAX) {
		r = tuf_fail(tuf, -EFBIG, "%s: listed with %" PRId64 " bytes",
			     name, listed.length);
	}
	r = r ? r : tuf_file_get(tuf, metadata, name,
				 listed.length >= 0 ? (size_t)listed.length :
						      TUF_SNAPSHOT_MAX,
				 &bytes, &length);
	return r ? r : accept_snapshot(tuf, name, &listed, bytes, length);
}

int tuf_refresh_locked(struct tuf *tuf, struct fetch *metadata)
{
	cleanup_json_tree json_t *targets = NULL;
	int r;

	tuf->fresh = false;
	tuf->start = tuf->now(tuf->now_context);
	r = tuf_root_load(tuf);
	r = r ? r : update_root(tuf, metadata);
	r = r ? r : update_timestamp(tuf, metadata);
	r = r ? r : update_snapshot(tuf, metadata);
	r = r ? r : tuf_role_top(tuf, metadata, &targets);
	tuf->fresh = r == 0;
	return r;
}
