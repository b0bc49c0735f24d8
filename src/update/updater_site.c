/* SPDX-License-Identifier: Apache-2.0 */
/*
 * updater_site.c - a version that a site signed for its own hosts
 *
 * A folder with site.json (hash and lease, signed), version.json (the
 * description) and targets/blob. The agent checks the signature; here the
 * description is only read, for what blobs it takes. site.json is written
 * last: what it names is there then.
 */
#include <stdio.h>
#include <string.h>

#include "update/updater_file.h"
#include "update/updater_try.h"

#define SITE_FILE "site.json"
#define SITE_VERSION "version.json"
#define SITE_BYTES (64u << 10)

/* 0 and the description; -ENOENT: there is no site's version. */
static int site_read(int folder, const char *product, uint8_t **ret_bytes,
		     size_t *ret_length, struct version **ret_version,
		     struct json_fault *fault)
{
	cleanup_free uint8_t *bytes = NULL;
	size_t length;
	int r = file_read(folder, SITE_VERSION, VERSION_BYTES, &bytes,
			  &length);

	r = r < 0 ? r : version_parse(bytes, length, ret_version, fault);
	if (r < 0) {
		return r;
	}
	if (strcmp((*ret_version)->product, product) != 0) {
		snprintf(fault->text, sizeof(fault->text), "it is of another "
			 "product");
		*ret_version = version_free(*ret_version);
		return -EBADMSG;
	}
	*ret_bytes = bytes;
	*ret_length = length;
	bytes = NULL;
	return 0;
}

int try_site_list(struct try *try)
{
	struct json_fault fault = { .text = "" };
	struct version *version = NULL;
	cleanup_free uint8_t *bytes = NULL;
	size_t length;
	int r = site_read(try->job->folder, try->job->product->name, &bytes,
			  &length, &version, &fault);

	if (r < 0) {
		return r == -ENOMEM ? r : 0;    /* none, or none any more */
	}
	r = try_version_list(try, version);
	version_free(version);
	return r;
}

/* Both texts; the signed one is what makes it count. */
static int site_put(struct try *try, int from, const uint8_t *description,
		    size_t size)
{
	int folder = try->job->folder;
	cleanup_free uint8_t *bytes = NULL;
	size_t length;
	int r = file_read(from, SITE_FILE, SITE_BYTES, &bytes, &length);

	r = r < 0 ? r : file_write(folder, SITE_VERSION, description, size);
	r = r < 0 ? r : file_write(folder, SITE_FILE, bytes, length);
	return r < 0 ? updater_fail(try->outcome, UPDATER_STEP_DISK, r,
				    "a site's version: %s", strerror(-r)) : 0;
}

static int site_take(struct try *try, int from)
{
	const char *product = try->job->product->name;
	struct json_fault fault = { .text = "" };
	struct try_version *v = &try->version[0];
	cleanup_free uint8_t *bytes = NULL;
	cleanup_fd int lock = -1;
	size_t length;
	int r = updater_place_lock(try->job->folder, "lock.blobs", &lock);

	if (r < 0) {
		return updater_fail(try->outcome, UPDATER_STEP_LOCK, r, "%s",
				    r == -EBUSY ? "an updater is at work for "
				    "this product" : strerror(-r));
	}
	r = site_read(from, product, &bytes, &length, &v->version, &fault);
	if (r < 0) {
		return updater_fail(try->outcome, UPDATER_STEP_VERSION, r,
				    SITE_VERSION ": %s", *fault.text ?
				    fault.text : strerror(-r));
	}
	v->wish = 1;
	snprintf(v->target.path, sizeof(v->target.path), SITE_VERSION);
	try->versions = 1;
	r = try_blobs_fetch(try);
	r = r < 0 || try->outcome->error ? -EBADMSG :
					   site_put(try, from, bytes, length);
	try->outcome->reached = r == 0;
	return r;
}

bool updater_is_site(int folder)
{
	return file_exists(folder, SITE_FILE);
}

int updater_site(const struct updater_job *job, int from,
		 struct fetch *targets, struct updater_outcome *ret_outcome)
{
	struct try *try = calloc(1, sizeof(*try));

	*ret_outcome = (struct updater_outcome){ .error = 0 };
	if (!try) {
		return updater_fail(ret_outcome, UPDATER_STEP_DISK, -ENOMEM,
				    "out of memory");
	}
	try->job = job;
	try->outcome = ret_outcome;
	meter_init(&try->targets, targets, UINT64_MAX, UPDATER_BLOBS_S);
	(void)!site_take(try, from);
	version_free(try->version[0].version);
	free(try);
	return ret_outcome->error;
}

int updater_site_names(int folder, const char *product,
		       struct mirror_names *ret_names)
{
	struct try *try = calloc(1, sizeof(*try));
	struct updater_product named = { .name = "" };
	struct updater_job job = { .product = &named, .folder = folder };
	int r;

	if (!try) {
		return -ENOMEM;
	}
	snprintf(named.name, sizeof(named.name), "%s", product);
	try->job = &job;
	r = try_site_list(try);
	r = r < 0 ? r : mirror_list(&try->mirror, SITE_FILE);
	r = r < 0 ? r : mirror_list(&try->mirror, SITE_VERSION);
	if (r < 0) {
		mirror_names_fini(&try->mirror.now);
	} else {
		*ret_names = try->mirror.now;
	}
	free(try);
	return r;
}
