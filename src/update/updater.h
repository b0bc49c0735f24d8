/* SPDX-License-Identifier: Apache-2.0 */
/*
 * update/updater.h - bailey-updater: brings content versions to staging
 *
 * Problem: somebody must talk to the network, and whoever does may be taken
 * over. So that is a process of its own, with a user of its own, that can
 * write to staging and nowhere else, and whose word nobody takes: the agent
 * verifies all that it finds there again, with its own trusted metadata. The
 * updater activates nothing and never sees a product.
 *
 * Staging of a product, all of it the updater's:
 *
 *	metadata/ targets/	a mirror in the repository's own layout
 *	trust/			what this side's TUF client trusts
 *	site.json version.json	what a site signed, by import
 *	listed			names of the mirror's generation, one a line
 *	lock lock.blobs		who works here
 *	ready check status.json	see proto/content.h
 *
 * A generation of the mirror is what one timestamp.json leads to. Its files
 * have names that no other content can have (version or hash), so that they
 * stand beside those of the one before. The rename of timestamp.json makes it
 * the current one; only then go files that neither it nor the one before
 * lists. A cut at any point leaves the one or the other whole.
 *
 * Metadata, leases and descriptions are small and come first, whole; blobs
 * follow, the lease's release first. So a halt is here within one poll, also
 * while a gigabyte is on its way.
 *
 * Processes: the first one sleeps, and forks one for each try, which ends with
 * it: what a repository sends is parsed there. Bounds: below.
 */
#ifndef UPDATE_UPDATER_H
#define UPDATE_UPDATER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/result.h"
#include "config/manifest.h"
#include "update/fetch.h"

#define UPDATER_UID 61002u      /* bailey-update in the sysusers file */
#define UPDATER_GID 61001u      /* bailey-content: the agent reads staging */

/* X(name, value, "what") */
#define UPDATER_LIMIT_TABLE(X)                                                \
	X(UPDATER_PRODUCTS, 16u, "products")                                  \
	X(UPDATER_POLL_S, 3600u, "seconds between tries without a lease")     \
	X(UPDATER_POLL_LEAST_S, 10u, "shortest, whatever a lease says")       \
	X(UPDATER_POLL_MOST_S, 86400u, "longest, whatever a lease says")      \
	X(UPDATER_RETRY_S, 60u, "first wait after a failure, then doubled")   \
	X(UPDATER_CHECK_S, 5u, "shortest between tries asked for by check")   \
	X(UPDATER_TRY_S, 120u, "seconds for the metadata of one try")         \
	X(UPDATER_BLOBS_S, 21600u, "seconds for the blobs of one try")        \
	X(UPDATER_META_BYTES, 64u << 20, "bytes of metadata in one try")      \
	X(UPDATER_DESCRIPTIONS, 64u, "descriptions kept of each class")       \
	X(UPDATER_WHOLE, 3u, "newest versions of each class kept whole")      \
	X(UPDATER_NAMES, 20000u, "files of one generation")                   \
	X(UPDATER_POLICY_BYTES, 65536u, "bytes of policy.json")               \
	X(UPDATER_REVOKED_BYTES, 1u << 20, "bytes of revoked.json")

#define UPDATER_ENUM(name, value, what) name = value,
enum updater_limit { UPDATER_LIMIT_TABLE(UPDATER_ENUM) };
#undef UPDATER_ENUM

#define UPDATER_STAGED_BYTES (8ull << 30)       /* of blobs, a product */
#define UPDATER_SPARE_BYTES (32ull << 20)       /* left free on the disk */
#define UPDATER_REASON 256u

/* ---- updater_config.c: for whom, from where ---- */

struct updater_product {
	char name[MANIFEST_NAME];
	char url[MANIFEST_PATH];
	char file[MANIFEST_PATH];       /* its manifest, for complaints */
	uint8_t *root;                  /* root.json, owned */
	size_t root_length;
};

struct updater_config {
	struct updater_product product[UPDATER_PRODUCTS];
	uint32_t count;
	uint32_t bad;                   /* files that were refused */
};

/*
 * ETC/bailey.conf and ETC/products.d as the broker reads them: enabled
 * products, and those named (a manifest's path, or a product's name), whose
 * manifest has [content] url. What is malformed, or writable by others than
 * root and this user, is complained about ("file:line: reason"); the rest
 * counts.
 */
void updater_config_read(const char *etc, const char *const *named,
			 size_t count, struct updater_config *ret_config,
			 void (*complain)(const char *text));
void updater_config_fini(struct updater_config *config);

/* ---- updater_status.c: what became of a try ---- */

#define UPDATER_STEP_TABLE(X)                                                 \
	X(NONE, "")                                                           \
	X(CONFIGURATION, "configuration")                                     \
	X(LOCK, "lock")                                                       \
	X(DISK, "disk")                                                       \
	X(METADATA, "metadata")                                               \
	X(VERSION, "version")                                                 \
	X(BLOB, "blob")

enum updater_step {
#define UPDATER_ENUM(sym, name) UPDATER_STEP_##sym,
	UPDATER_STEP_TABLE(UPDATER_ENUM)
#undef UPDATER_ENUM
	UPDATER_STEPS
};

/* Goes through a pipe from the try to the first process. */
struct updater_outcome {
	uint32_t step;                  /* enum updater_step, of the error */
	int32_t error;                  /* 0 or a negative errno */
	uint32_t reached;               /* the metadata was good */
	uint32_t poll_s, jitter_s;      /* of the lease; 0: there is none */
	uint64_t bytes, files, staged;
	char reason[UPDATER_REASON];
};

/* Is it the disk's, wherever it was met? */
bool updater_is_disk(int error);
/* Keeps the first failure. Returns error. */
__attribute__((format(printf, 4, 5)))
int updater_fail(struct updater_outcome *outcome, enum updater_step step,
		 int error, const char *format, ...);
/* status.json in the product's folder, whole; then touches `ready`. reached_s:
 * the last good try, 0 never. */
int updater_status_write(int folder, const char *product,
			 const struct updater_outcome *outcome,
			 int64_t reached_s, int64_t next_s, uint32_t failures)
	must_use;

/* ---- updater_plan.c: when the next try is. Pure. ---- */

struct updater_plan {
	uint32_t failures;              /* in a row */
	uint32_t poll_s, jitter_s;      /* as last known; 0: no lease */
};

/* Takes in an outcome; returns ms until the next try. random: any 64 bits. */
uint64_t updater_plan_next(struct updater_plan *plan,
			   const struct updater_outcome *outcome,
			   uint64_t random);

/* ---- updater_try.c: one try ---- */

struct updater_job {
	const struct updater_product *product;
	int folder;                     /* staging/PRODUCT, and the current
					 * directory; borrowed */
	bool thorough;                  /* hash what is there, too */
	uint64_t most;                  /* bytes of blobs to keep */
	/* What is told between the two parts: the metadata is done. */
	void (*told)(void *context, const struct updater_outcome *outcome);
	void *context;
};

/* From the product's url; metadata, then blobs. 0 or outcome->error. */
int updater_try(const struct updater_job *job,
		struct updater_outcome *ret_outcome) must_use;
/* From elsewhere: a bundle's folder, a publisher's. Borrowed. */
int updater_try_from(const struct updater_job *job, struct fetch *metadata,
		     struct fetch *targets,
		     struct updater_outcome *ret_outcome) must_use;

/* ---- updater_site.c: without a repository ---- */

struct mirror_names;

/* Does this folder have a version that a site signed? */
bool updater_is_site(int folder);
/* Takes it from there: blobs, then version.json, then site.json. */
int updater_site(const struct updater_job *job, int from,
		 struct fetch *targets, struct updater_outcome *ret_outcome)
	must_use;
/* Names of its files, for an export; the caller's. */
int updater_site_names(int folder, const char *product,
		       struct mirror_names *ret_names) must_use;

/* ---- updater_place.c ---- */

/* Makes staging/NAME and what it has, and opens it. */
int updater_place_open(int staging, const char *name, int *ret_folder)
	must_use;
/* 0, or -EBUSY: somebody has it. *ret_lock is held while open. */
int updater_place_lock(int folder, const char *name, int *ret_lock) must_use;

/* ---- updater_confine.c ---- */

/* As root: becomes the updater's user, without rights. As anybody: no more
 * writing outside staging, where the kernel can do that. */
int updater_confine(int staging) must_use;

/* ---- updater_bundle.c: exit codes, after saying why ---- */

struct bundle;

/* in stands behind the bundle's list. Changes the current directory. */
int updater_import(int staging, const struct updater_product *product, int in,
		   struct bundle *bundle);
int updater_export(int folder, const char *name, int out);
/* repository: a folder as bailey-publish writes it. */
int updater_export_from(int repository, const char *name, int out);

#endif
