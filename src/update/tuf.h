/* SPDX-License-Identifier: Apache-2.0 */
/*
 * update/tuf.h - a client of The Update Framework, specification 1.0.34
 *
 * Problem: bytes from a place that nobody trusts, and a root of trust that came
 * another way. What a client keeps is a folder of trusted metadata, one file a
 * role, `<role, percent-encoded>.json`, the bytes as they were received and
 * verified. A file is replaced whole and synced (rename), so that whatever
 * happens the folder holds metadata that was once verified; all of it is
 * verified again when it is read. One client at a time works in a folder (an
 * advisory lock; the second waits up to TUF_LOCK_S).
 *
 * The order of requests and checks is the specification's. Time is fixed when
 * tuf_refresh() begins, and stands until the next one. Delegated roles are
 * fetched when a search reaches them, and believed only under the keys of the
 * role through which they were reached.
 *
 * Not thread-safe. Errors: 0 good; positive is a condition with a name below;
 * negative an errno whose class says what to do, and tuf_why() one line:
 *	-EKEYREJECTED	not enough valid signatures
 *	-EKEYEXPIRED	expired: a freeze attack, or a clock that is wrong
 *	-ESTALE		rollback: older than what is trusted
 *	-EBADMSG	malformed, of another role, hash or length differs
 *	-EFBIG		over a limit
 *	-ENOENT		the folder has no root: tuf_init() first
 *	-ENODATA	the repository lacks a file that it must have
 *	-EBUSY		another client is at work in the folder
 *	others		of the file system or of the fetcher (update/fetch.h)
 * After each the folder is as good as before, and the next attempt possible.
 */
#ifndef UPDATE_TUF_H
#define UPDATE_TUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/result.h"
#include "update/fetch.h"

/* Limits, X(name, value, what): one list, also for the manual. */
#define TUF_LIMIT_TABLE(X) \
	X(TUF_ROOT_MAX, 512u << 10, "bytes of root metadata") \
	X(TUF_TIMESTAMP_MAX, 16u << 10, "bytes of timestamp metadata") \
	X(TUF_SNAPSHOT_MAX, 2u << 20, "bytes of snapshot metadata") \
	X(TUF_TARGETS_MAX, 5u << 20, "bytes of each targets metadata") \
	X(TUF_ROTATIONS_MAX, 256u, "new root versions in one refresh") \
	X(TUF_VISITS_MAX, 32u, "roles visited in one search") \
	X(TUF_KEYS_MAX, 256u, "keys in one list of keys") \
	X(TUF_SIGNATURES_MAX, 256u, "signatures on one file") \
	X(TUF_DELEGATIONS_MAX, 4096u, "delegations of one role") \
	X(TUF_PATHS_MAX, 4096u, "path patterns of one delegation") \
	X(TUF_ROLE_MAX, 256u, "bytes of a role's name") \
	X(TUF_PATH_MAX, 1024u, "bytes of a target's path") \
	X(TUF_LOCK_S, 30u, "seconds to wait for another client")

#define TUF_LIMIT_ENUM(name, value, what) name = value,
enum tuf_limit { TUF_LIMIT_TABLE(TUF_LIMIT_ENUM) };
#undef TUF_LIMIT_ENUM

enum tuf_result {
	TUF_NO_TARGET = 1       /* no role that is trusted for it lists it */
};

struct tuf;

/* Opens an existing folder of metadata. Reads nothing yet. */
int tuf_open(const char *folder, struct tuf **ret_tuf) must_use;
void tuf_close(struct tuf *tuf);        /* null-safe */

static inline void tuf_closep(struct tuf **tuf)
{
	tuf_close(*tuf);
}
#define cleanup_tuf __attribute__((cleanup(tuf_closep)))

/* One line about the last result that was not 0. Never null. */
const char *tuf_why(const struct tuf *tuf);

/* Seconds since 1970, for expiry; the wall clock if never set. */
void tuf_clock(struct tuf *tuf, int64_t (*now)(void *context), void *context);

/* Trusts this root from now on: it must be a root that signs itself. Drops all
 * other trusted metadata of the folder if it had another root (-EEXIST if it
 * has one and replace is false). */
int tuf_init(struct tuf *tuf, const void *root, size_t length, bool replace)
	must_use;
/* 1 if the folder has a root. */
int tuf_has_root(const struct tuf *tuf) must_use;

/* The specification's 5.1 to 5.6: root, timestamp, snapshot, targets. */
int tuf_refresh(struct tuf *tuf, struct fetch *metadata) must_use;

struct tuf_target {
	char path[TUF_PATH_MAX];
	uint64_t length;
	/* The hashes that we know; at least one. Which are there: has_*. */
	bool has_sha256, has_sha512;
	uint8_t sha256[32], sha512[64];
	char role[TUF_ROLE_MAX];        /* who lists it */
	uint64_t role_version;
};

/* Pre-order, depth first through the delegations; fetches delegated roles that
 * are not there or not current. 0, TUF_NO_TARGET, or an errno. Needs a refresh
 * by this handle. metadata may be null: only what the folder has. */
int tuf_find(struct tuf *tuf, struct fetch *metadata, const char *path,
	     struct tuf_target *ret_target) must_use;

/* Visits every target of one role whose path begins with prefix and which each
 * delegation on the way may provide. chain: the roles from below the top-level
 * targets to it, count of them (0: targets itself). A visitor's result other
 * than 0 ends it and is passed on. */
typedef int (*tuf_visitor)(void *context, const struct tuf_target *target);
int tuf_each(struct tuf *tuf, struct fetch *metadata,
	     const char *const *chain, size_t count, const char *prefix,
	     tuf_visitor visit, void *context) must_use;

/* A target, length and every known hash checked, asked for by its
 * hash-prefixed name if the repository has consistent snapshots. Into memory,
 * at most maximum bytes: the caller's, with a NUL behind. */
int tuf_target_bytes(struct tuf *tuf, struct fetch *targets,
		     const struct tuf_target *target, size_t maximum,
		     uint8_t **ret_bytes, size_t *ret_length) must_use;
/* To `name` (one component) in folder: written beside it as `.name.part`, which
 * a later call goes on with, then synced and renamed. Nothing is fetched if the
 * file is there and right. What is wrong is removed. */
int tuf_target_file(struct tuf *tuf, struct fetch *targets,
		    const struct tuf_target *target, int folder,
		    const char *name) must_use;

/* What is trusted at present. */
struct tuf_fact {
	char role[TUF_ROLE_MAX];
	uint64_t version;
	int64_t expires;                /* seconds since 1970 */
};
/* root, timestamp, snapshot, targets, then delegated roles in the order in
 * which they were reached. Returns how many there are; writes up to size. */
size_t tuf_facts(const struct tuf *tuf, struct tuf_fact *ret_facts,
		 size_t size);

#endif
