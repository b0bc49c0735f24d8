/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tuf_role.c - a targets role, from memory, the folder or the repository
 *
 * A role's name does not say whose it is: two roles may delegate to one name
 * under different keys. So a copy is believed only under the very keys and
 * threshold through which it is reached now; what was believed under others is
 * verified again, and if that fails it is as if there was no copy.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "update/tuf_internal.h"

#define NAME (3 * TUF_ROLE_MAX + 32)

/* How a role was asked for, and what must be true of it. */
struct want {
	const char *role;               /* "targets" or a delegated one */
	const json_t *keys, *delegation;
	struct tuf_listed listed;
	char name[NAME];                /* in the repository */
	char stored[TUF_FILE];          /* in the folder */
};

void tuf_kept_fini(struct tuf_kept *kept)
{
	free(kept->name);
	tuf_meta_fini(&kept->meta);
	json_decref(kept->keys);
	json_decref(kept->delegation);
	*kept = (struct tuf_kept){ .name = NULL };
}

bool tuf_consistent(const struct tuf *tuf)
{
	return json_is_true(json_object_get(
		tuf_signed(tuf->meta[TUF_ROOT].tree), "consistent_snapshot"));
}

int tuf_file_name(const struct tuf *tuf, const char *role, int64_t version,
		  char *ret_name, size_t size)
{
	char quoted[3 * TUF_ROLE_MAX];
	int n, r = fetch_quote(role, 0, quoted, sizeof(quoted));

	if (r < 0) {
		return r;
	}
	n = tuf_consistent(tuf) ?
		    snprintf(ret_name, size, "%" PRId64 ".%s.json", version,
			     quoted) :
		    snprintf(ret_name, size, "%s.json", quoted);
	return n < 0 || (size_t)n >= size ? -ENAMETOOLONG : 0;
}

int tuf_file_get(struct tuf *tuf, struct fetch *metadata, const char *name,
		 size_t maximum, uint8_t **ret_bytes, size_t *ret_length)
{
	int r = fetch_bytes(metadata, name, maximum, ret_bytes, ret_length);

	if (r == 0) {
		return 0;
	}
	return tuf_fail(tuf, r == FETCH_ABSENT ? -ENODATA : r, "%s: %s", name,
			metadata->why);
}

/* Its place in memory; a new one takes that of who was there longest. */
static int find_kept(struct tuf *tuf, const char *role,
		     struct tuf_kept **ret_kept)
{
	struct tuf_kept *kept;

	if (!role) {
		*ret_kept = &tuf->targets;
		return 0;
	}
	for (size_t i = 0; i < tuf->kept_count; i++) {
		if (strcmp(tuf->kept[i].name, role) == 0) {
			*ret_kept = &tuf->kept[i];
			return 0;
		}
	}
	if (tuf->kept_count == TUF_KEPT) {
		tuf_kept_fini(&tuf->kept[0]);
		memmove(&tuf->kept[0], &tuf->kept[1],
			(TUF_KEPT - 1) * sizeof(tuf->kept[0]));
		tuf->kept_count--;
	}
	kept = &tuf->kept[tuf->kept_count];
	*kept = (struct tuf_kept){ .name = strdup(role) };
	if (!kept->name) {
		return -ENOMEM;
	}
	tuf->kept_count++;
	*ret_kept = kept;
	return 0;
}

static void keep(struct tuf_kept *kept, const struct want *want,
		 struct tuf_meta *meta)
{
	json_t *keys = json_incref((json_t *)want->keys);
	json_t *delegation = json_incref((json_t *)want->delegation);

	json_decref(kept->keys);
	json_decref(kept->delegation);
	kept->keys = keys;
	kept->delegation = delegation;
	if (meta) {
		tuf_meta_take(&kept->meta, meta);
	}
}

/* 0: what is in memory is right, and believed by whom we came from. */
static int from_memory(struct tuf *tuf, const struct want *want,
		       struct tuf_kept *kept)
{
	int r;

	if (!kept->meta.tree || !tuf_listed_fits(&want->listed, &kept->meta) ||
	    kept->meta.expires <= tuf->start) {
		return 1;
	}
	if (kept->keys == want->keys &&
	    kept->delegation == want->delegation) {
		return 0;
	}
	r = tuf_verify(tuf, want->name, kept->meta.tree, want->keys,
		       want->delegation);
	if (r == 0) {
		keep(kept, want, NULL);
	}
	return r == -EKEYREJECTED ? 1 : r;
}

/* 5.6.2 to 5.6.5 */
static int check(struct tuf *tuf, const struct want *want,
		 const uint8_t *bytes, size_t length,
		 struct tuf_meta *ret_meta)
{
	int r = tuf_listed_check(tuf, want->name, &want->listed, bytes,
				 length);

	r = r ? r : tuf_meta_read(tuf, TUF_TARGETS, want->name, bytes, length,
				  ret_meta);
	r = r ? r : tuf_verify(tuf, want->name, ret_meta->tree, want->keys,
			       want->delegation);
	if (r == 0 && ret_meta->version != want->listed.version) {
		r = tuf_fail(tuf, -EBADMSG, "%s: version %" PRId64
			     ", listed with %" PRId64, want->name,
			     ret_meta->version, want->listed.version);
	}
	return r ? r : tuf_meta_expired(tuf, want->name, ret_meta);
}

static int from_folder(struct tuf *tuf, const struct want *want,
		       struct tuf_kept *kept)
{
	cleanup_meta struct tuf_meta meta = { .tree = NULL };
	cleanup_free uint8_t *bytes = NULL;
	struct tuf_stamp stamp;
	size_t length;
	int r = tuf_store_read(tuf, want->stored, TUF_TARGETS_MAX, &bytes,
			       &length, &stamp);

	r = r ? r : check(tuf, want, bytes, length, &meta);
	if (r == 0) {
		keep(kept, want, &meta);
	}
	return r == -ENOMEM || r == 0 ? r : 1;
}

static int from_repository(struct tuf *tuf, struct fetch *metadata,
			   const struct want *want, struct tuf_kept *kept)
{
	cleanup_meta struct tuf_meta meta = { .tree = NULL };
	cleanup_free uint8_t *bytes = NULL;
	size_t length;
	int r;

	if (!metadata) {
		return tuf_fail(tuf, -ENODATA, "%s: not in the folder",
				want->name);
	}
	if (want->listed.length > (int64_t)TUF_TARGETS_MAX) {
		return tuf_fail(tuf, -EFBIG, "%s: listed with %" PRId64
				" bytes", want->name, want->listed.length);
	}
	r = tuf_file_get(tuf, metadata, want->name, want->listed.length >= 0 ?
			 (size_t)want->listed.length : TUF_TARGETS_MAX, &bytes,
			 &length);
	r = r ? r : check(tuf, want, bytes, length, &meta);
	r = r ? r : tuf_store_write(tuf, want->stored, bytes, length,
				    &meta.stamp);
	if (r == 0) {
		keep(kept, want, &meta);
	}
	return r;
}

int tuf_role_get(struct tuf *tuf, struct fetch *metadata, const char *role,
		 const json_t *keys, const json_t *delegation,
		 json_t **ret_tree)
{
	struct want want = { .role = role ? role : "targets", .keys = keys,
			     .delegation = delegation };
	struct tuf_kept *kept = NULL;
	int r = tuf_listed_read(tuf, tuf->meta[TUF_SNAPSHOT].tree, want.role,
				&want.listed);

	if (r < 0) {
		return r;
	}
	r = tuf_file_name(tuf, want.role, want.listed.version, want.name,
			  sizeof(want.name));
	r = r ? r : tuf_store_name(want.role, want.stored);
	r = r ? r : find_kept(tuf, role, &kept);
	if (r < 0) {
		return tuf_fail(tuf, r, "%.80s: %s", want.role, strerror(-r));
	}
	r = from_memory(tuf, &want, kept);
	r = r != 1 ? r : from_folder(tuf, &want, kept);
	r = r != 1 ? r : from_repository(tuf, metadata, &want, kept);
	if (r == 0) {
		*ret_tree = json_incref(kept->meta.tree);
	}
	return r;
}

int tuf_role_top(struct tuf *tuf, struct fetch *metadata, json_t **ret_tree)
{
	const json_t *body = tuf_signed(tuf->meta[TUF_ROOT].tree);
	const json_t *roles = json_object_get(body, "roles");

	return tuf_role_get(tuf, metadata, NULL, json_object_get(body, "keys"),
			    json_object_get(roles, "targets"), ret_tree);
}
