/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "update/updater_file.h"
#include "update/updater_try.h"

#define TRY_FIRST_ROOT "root.first"

/* The client's trust begins with the root that came with the product; when
 * an upgrade brings another one, anew. */
static int try_trust(struct try *try)
{
	const struct updater_product *product = try->job->product;
	cleanup_free uint8_t *first = NULL;
	size_t length = 0;
	int has = tuf_has_root(try->tuf);
	int r = file_read(try->job->folder, TRY_FIRST_ROOT, TUF_ROOT_MAX,
			  &first, &length);
	bool same = r == 0 && length == product->root_length &&
		    memcmp(first, product->root, length) == 0;

	if (has < 0 || (has == 1 && same)) {
		return has < 0 ? has : 0;
	}
	r = tuf_init(try->tuf, product->root, product->root_length, true);
	return r != 0 ? r : file_write(try->job->folder, TRY_FIRST_ROOT,
				       product->root, product->root_length);
}

/* Until timestamp.json leads to what is there now. */
static int try_metadata(struct try *try)
{
	struct updater_outcome *outcome = try->outcome;
	cleanup_free uint8_t *timestamp = NULL;
	size_t length;
	int r = try_trust(try);

	r = r != 0 ? r : tuf_refresh(try->tuf, &try->metadata.base);
	if (r != 0) {
		return updater_fail(outcome, UPDATER_STEP_METADATA,
				    r > 0 ? -ENOENT : r, "%s",
				    tuf_why(try->tuf));
	}
	r = try_versions(try);
	r = r < 0 ? r : try_blobs_list(try);
	r = r < 0 ? r : try_roles(try, &timestamp, &length);
	r = r < 0 ? r : mirror_publish(&try->mirror, timestamp, length);
	if (r < 0) {
		return updater_fail(outcome, UPDATER_STEP_DISK, r,
				    "cannot keep the metadata: %s",
				    strerror(-r));
	}
	outcome->reached = 1;
	if (r > 0) {
		updater_fail(outcome, UPDATER_STEP_DISK, -EIO, "what is no "
			     "longer listed could not be removed");
	}
	return 0;
}

static void try_count(struct try *try)
{
	struct updater_outcome *outcome = try->outcome;

	outcome->bytes = try->metadata.bytes + try->targets.bytes;
	outcome->files = try->metadata.files + try->targets.files;
}

static int try_locked(struct try *try)
{
	const struct updater_job *job = try->job;
	cleanup_fd int lock = -1, blobs = -1;
	int r = updater_place_lock(job->folder, "lock", &lock);

	if (r < 0) {
		return updater_fail(try->outcome, UPDATER_STEP_LOCK, r, "%s",
				    r == -EBUSY ? "another updater is at work "
				    "for this product" : strerror(-r));
	}
	r = tuf_open("trust", &try->tuf);
	if (r < 0) {
		return updater_fail(try->outcome, UPDATER_STEP_DISK, r,
				    "trust: %s", strerror(-r));
	}
	r = try_metadata(try);
	try_count(try);
	if (job->told) {
		job->told(job->context, try->outcome);
	}
	fd_closep(&lock);
	lock = -1;
	if (r < 0) {
		return r;
	}
	/* who has it fetches what was listed before; then comes the rest */
	r = updater_place_lock(job->folder, "lock.blobs", &blobs);
	if (r < 0) {
		return r == -EBUSY ? 0 : r;
	}
	try->targets.left = UINT64_MAX;
	try->targets.end = mono_add(mono_now(), UPDATER_BLOBS_S * MONO_S);
	r = try_blobs_fetch(try);
	try_count(try);
	return r;
}

int updater_try_from(const struct updater_job *job, struct fetch *metadata,
		     struct fetch *targets,
		     struct updater_outcome *ret_outcome)
{
	struct try *try = calloc(1, sizeof(*try));
	size_t i;

	*ret_outcome = (struct updater_outcome){ .error = 0 };
	if (!try) {
		return updater_fail(ret_outcome, UPDATER_STEP_DISK, -ENOMEM,
				    "out of memory");
	}
	try->job = job;
	try->outcome = ret_outcome;
	meter_init(&try->metadata, metadata, UPDATER_META_BYTES,
		   UPDATER_TRY_S);
	meter_init(&try->targets, targets, UPDATER_META_BYTES, UPDATER_TRY_S);
	mirror_init(&try->mirror, job->folder);
	(void)!try_locked(try);
	for (i = 0; i < try->versions; i++) {
		version_free(try->version[i].version);
	}
	mirror_fini(&try->mirror);
	tuf_close(try->tuf);
	free(try);
	return ret_outcome->error;
}

int updater_try(const struct updater_job *job,
		struct updater_outcome *ret_outcome)
{
	static const struct fetch_options options = {
		.agent = "bailey-updater",
	};
	cleanup_fetch struct fetch *metadata = NULL, *targets = NULL;
	char url[MANIFEST_PATH + 16];
	size_t n = strlen(job->product->url);
	int r;

	n -= n && job->product->url[n - 1] == '/';
	snprintf(url, sizeof(url), "%.*s/metadata", (int)n, job->product->url);
	r = fetch_url(url, &options, &metadata);
	snprintf(url, sizeof(url), "%.*s/targets", (int)n, job->product->url);
	r = r < 0 ? r : fetch_url(url, &options, &targets);
	if (r < 0) {
		*ret_outcome = (struct updater_outcome){ .error = 0 };
		return updater_fail(ret_outcome, UPDATER_STEP_CONFIGURATION, r,
				    "%.150s: %s", job->product->url,
				    strerror(-r));
	}
	return updater_try_from(job, metadata, targets, ret_outcome);
}
