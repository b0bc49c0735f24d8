/* SPDX-License-Identifier: Apache-2.0 */
/*
 * update/updater_try.h - what the files of one try share
 *
 *	updater_try.c       the order of things
 *	updater_roles.c     metadata files into the mirror
 *	updater_versions.c  lease, revocations, descriptions; which come whole
 *	updater_blob.c      content files by hash
 *	updater_site.c      a version that a site signed
 *
 * Each failure is noted in the outcome, the first one stays. A result that is
 * not 0 ends the try; a part that cannot be verified (a role, a description)
 * is noted and the rest goes on.
 */
#ifndef UPDATE_UPDATER_TRY_H
#define UPDATE_UPDATER_TRY_H

#include "content/lease.h"
#include "content/version.h"
#include "update/tuf.h"
#include "update/updater.h"
#include "update/updater_meter.h"
#include "update/updater_mirror.h"

struct try_version {
	enum version_class kind;
	uint64_t number;
	struct tuf_target target;       /* its sha256 is the version's hash */
	struct version *version;        /* owned; null: could not be read */
	unsigned wish;                  /* 0: not whole; 1 first, 2, 3 ... */
};

#define TRY_VERSIONS (2u * UPDATER_DESCRIPTIONS)

struct try {
	const struct updater_job *job;
	struct updater_outcome *outcome;
	struct tuf *tuf;
	struct meter metadata, targets;
	struct mirror mirror;
	bool has_lease;
	struct lease lease;
	struct try_version version[TRY_VERSIONS];
	size_t versions;
};

/* May the rest of the try go on after this result of the TUF client? */
bool try_is_part(int result);

/* Every root since the first one, and the file of each role that was reached;
 * but the timestamp, which *ret_bytes has. */
int try_roles(struct try *try, uint8_t **ret_bytes, size_t *ret_length)
	must_use;
int try_versions(struct try *try) must_use;
/* Lists the blobs of versions that are to be whole, in the order of wishes, up
 * to job->most bytes. */
int try_blobs_list(struct try *try) must_use;
/* All blobs of one version. */
int try_version_list(struct try *try, const struct version *version) must_use;
/* Those of a site's version, if one was imported. */
int try_site_list(struct try *try) must_use;
int try_blobs_fetch(struct try *try) must_use;

#endif
