/* SPDX-License-Identifier: Apache-2.0 */
/*
 * update/tuf_internal.h - what the files tuf_*.c share
 *
 *	tuf.c           the handle, init, facts
 *	tuf_meta.c      bytes to a role: the form of all metadata
 *	tuf_form.c      what a root, a snapshot, a targets file must look like
 *	tuf_verify.c    thresholds of signatures
 *	tuf_listed.c    version, length, hashes by which a file lists another
 *	tuf_store.c     the folder: read, replace, remove, lock
 *	tuf_refresh.c   the specification's 5.3 to 5.6.6
 *	tuf_role.c      a targets role: from memory, the folder, the repository
 *	tuf_find.c      5.6.7, the search; every target of one role
 *	tuf_pattern.c   which paths a delegation is trusted for
 *	tuf_target.c    5.7, target files
 */
#ifndef UPDATE_TUF_INTERNAL_H
#define UPDATE_TUF_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>

#include <sys/types.h>
#include <time.h>

#include <jansson.h>

#include "base/json.h"
#include "update/tuf.h"

#define TUF_WHY 384u
#define TUF_FILE 256u           /* name in the folder, with its NUL */
#define TUF_KEPT 64u            /* delegated roles kept in memory */

/* X(SYMBOL, "role", most bytes) */
#define TUF_KIND_TABLE(X) \
	X(ROOT, "root", TUF_ROOT_MAX) \
	X(TIMESTAMP, "timestamp", TUF_TIMESTAMP_MAX) \
	X(SNAPSHOT, "snapshot", TUF_SNAPSHOT_MAX) \
	X(TARGETS, "targets", TUF_TARGETS_MAX)

enum tuf_kind {
#define TUF_KIND_ENUM(sym, name, maximum) TUF_##sym,
	TUF_KIND_TABLE(TUF_KIND_ENUM)
#undef TUF_KIND_ENUM
	TUF_KINDS
};

/* Which file in the folder something was read from. */
struct tuf_stamp {
	ino_t inode;
	off_t size;
	struct timespec changed;
};

struct tuf_hashes {
	bool has_sha256, has_sha512;
	uint8_t sha256[32], sha512[64];
};

/* One file's metadata. Without a tree nothing is trusted. */
struct tuf_meta {
	json_t *tree;                   /* owned */
	int64_t version, expires;
	size_t length;                  /* of the bytes as received */
	struct tuf_hashes hashes;       /* of them, both */
	struct tuf_stamp stamp;
};

/* A targets role, believed under these keys. */
struct tuf_kept {
	char *name;                     /* owned; null: top-level targets */
	struct tuf_meta meta;
	json_t *keys, *delegation;      /* of the delegator; owned references */
};

struct tuf {
	int folder;
	char why[TUF_WHY];
	struct json_fault fault;
	int64_t (*now)(void *context);
	void *now_context;
	int64_t start;                  /* when the last refresh began */
	bool fresh;                     /* it succeeded */
	struct tuf_meta meta[TUF_TARGETS];      /* root, timestamp, snapshot */
	struct tuf_kept targets;
	struct tuf_kept kept[TUF_KEPT];         /* delegated */
	size_t kept_count;
};

/* How a file is listed in snapshot or timestamp. */
struct tuf_listed {
	int64_t version;
	int64_t length;                 /* -1: not said */
	bool has_hashes;
	struct tuf_hashes hashes;
};

const char *tuf_kind_name(enum tuf_kind kind);
size_t tuf_kind_maximum(enum tuf_kind kind);

/* Writes the reason, returns error. */
__attribute__((format(printf, 3, 4)))
int tuf_fail(struct tuf *tuf, int error, const char *format, ...);

/* tuf_meta.c: parsed and of the right form; not yet believed. name: of the
 * file, for the reason. ret_meta->tree is the caller's. */
int tuf_meta_read(struct tuf *tuf, enum tuf_kind kind, const char *name,
		  const uint8_t *bytes, size_t length,
		  struct tuf_meta *ret_meta) must_use;
void tuf_meta_fini(struct tuf_meta *meta);
/* *to becomes *from; what was there is dropped. */
void tuf_meta_take(struct tuf_meta *to, struct tuf_meta *from);
/* 0, or -EKEYEXPIRED with the reason. */
int tuf_meta_expired(struct tuf *tuf, const char *name,
		     const struct tuf_meta *meta) must_use;
/* The "signed" object of a tree that tuf_meta_read() made. */
const json_t *tuf_signed(const json_t *tree);
#define cleanup_meta __attribute__((cleanup(tuf_meta_fini)))

/* tuf_form.c */
int tuf_form_check(enum tuf_kind kind, const struct json_at *body) must_use;
int tuf_form_hashes(const struct json_at *owner, struct tuf_hashes *ret_hashes)
	must_use;

/* tuf_verify.c: at least the threshold of `role` (keyids, threshold) signed
 * it, by keys of `keys`. */
int tuf_verify(struct tuf *tuf, const char *name, const json_t *tree,
	       const json_t *keys, const json_t *role) must_use;
/* By the keys that a root names for a top-level role. */
int tuf_verify_top(struct tuf *tuf, const char *name, const json_t *tree,
		   const json_t *root, enum tuf_kind kind) must_use;

/* tuf_listed.c: how `meta` of a tree lists role. 0, or -EBADMSG. */
int tuf_listed_read(struct tuf *tuf, const json_t *tree, const char *role,
		    struct tuf_listed *ret_listed) must_use;
/* Length and hashes. */
int tuf_listed_check(struct tuf *tuf, const char *name,
		     const struct tuf_listed *listed, const uint8_t *bytes,
		     size_t length) must_use;
/* The same for what was read before: version, length, hashes. */
bool tuf_listed_fits(const struct tuf_listed *listed,
		     const struct tuf_meta *meta);
void tuf_hashes_of(const uint8_t *bytes, size_t length,
		   struct tuf_hashes *ret_hashes);
/* Every hash of `want` is that of `have`, which has both; want has one. */
bool tuf_hashes_match(const struct tuf_hashes *want,
		      const struct tuf_hashes *have);

/* tuf_store.c */
/* "<role, percent-encoded>.json". -ENAMETOOLONG. */
int tuf_store_name(const char *role, char ret_name[TUF_FILE]) must_use;
/* The file's bytes, the caller's. 0, 1: there is none, or an errno. */
int tuf_store_read(struct tuf *tuf, const char *name, size_t maximum,
		   uint8_t **ret_bytes, size_t *ret_length,
		   struct tuf_stamp *ret_stamp) must_use;
/* Replaces the file, synced. */
int tuf_store_write(struct tuf *tuf, const char *name, const uint8_t *bytes,
		    size_t length, struct tuf_stamp *ret_stamp) must_use;
int tuf_store_remove(struct tuf *tuf, const char *name) must_use;
/* The file is still the one with this stamp. */
bool tuf_store_same(struct tuf *tuf, const char *name,
		    const struct tuf_stamp *stamp);
int tuf_store_lock(struct tuf *tuf) must_use;
void tuf_store_unlock(struct tuf *tuf);

/* tuf_refresh.c */
/* Root from the folder, if it is not the one in memory. */
int tuf_root_load(struct tuf *tuf) must_use;
int tuf_refresh_locked(struct tuf *tuf, struct fetch *metadata) must_use;

/* tuf_role.c: a targets role by name, as the snapshot lists it, believed under
 * keys and delegation (keyids, threshold), not expired; in the folder
 * afterwards. role null: top-level targets. metadata may be null. ret_tree: a
 * reference, the caller's. */
int tuf_role_get(struct tuf *tuf, struct fetch *metadata, const char *role,
		 const json_t *keys, const json_t *delegation,
		 json_t **ret_tree) must_use;
/* The top-level one, under the keys of the root. */
int tuf_role_top(struct tuf *tuf, struct fetch *metadata, json_t **ret_tree)
	must_use;
void tuf_kept_fini(struct tuf_kept *kept);
/* A file of the repository, its absence an error. */
int tuf_file_get(struct tuf *tuf, struct fetch *metadata, const char *name,
		 size_t maximum, uint8_t **ret_bytes, size_t *ret_length)
	must_use;
/* "7.snapshot.json", or "snapshot.json" without consistent snapshots. */
int tuf_file_name(const struct tuf *tuf, const char *role, int64_t version,
		  char *ret_name, size_t size) must_use;
bool tuf_consistent(const struct tuf *tuf);

/* tuf_pattern.c */
bool tuf_pattern_match(const char *pattern, const char *path);
/* May this delegation provide this path? */
bool tuf_pattern_trusted(const json_t *delegation, const char *path);

#endif
