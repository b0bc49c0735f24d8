/* SPDX-License-Identifier: Apache-2.0 */
/*
 * updater_bundle.c - import and export
 *
 * What is imported is unpacked beside the mirror and then fetched from there,
 * as from any repository: the same checks, the same mirror, the same ends. An
 * export from a publisher's folder is the reverse: fetched into a mirror of
 * its own, which then is written out.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/log.h"
#include "update/bundle.h"
#include "update/updater.h"
#include "update/updater_file.h"
#include "update/updater_mirror.h"

#define IMPORT_FOLDER "incoming"
#define IMPORT_WAIT_S 30

static bool wants_none(void *context, const char *name)
{
	(void)context;
	(void)name;
	return false;
}

static void import_clear(int folder)
{
	(void)!file_sweep(folder, IMPORT_FOLDER, wants_none, NULL);
	unlinkat(folder, IMPORT_FOLDER, AT_REMOVEDIR);
}

static int import_open(int incoming, const char *name,
		       struct fetch **ret_fetch)
{
	cleanup_fd int at = openat(incoming, name, O_RDONLY | O_DIRECTORY |
				   O_NOFOLLOW | O_CLOEXEC);

	return at < 0 ? result_errno() : fetch_folder(at, ret_fetch);
}

/* What an unpacked bundle has: a repository's files, a site's, or both. */
struct import {
	struct updater_job job;
	int incoming;
	struct fetch *metadata, *targets;       /* owned; metadata null: none */
};

static int import_once(const struct import *import,
		       struct updater_outcome *outcome)
{
	int r = 0;

	*outcome = (struct updater_outcome){ .error = 0 };
	if (import->metadata) {
		r = updater_try_from(&import->job, import->metadata,
				     import->targets, outcome);
	}
	if (r == 0 && updater_is_site(import->incoming)) {
		r = updater_site(&import->job, import->incoming,
				 import->targets, outcome);
	}
	return r;
}

/* A running updater has the lock for seconds at a time. */
static int import_try(const struct import *import,
		      struct updater_outcome *outcome)
{
	int i, r;

	for (i = 0; ; i++) {
		r = import_once(import, outcome);
		if (outcome->step != UPDATER_STEP_LOCK || i == IMPORT_WAIT_S) {
			return r;
		}
		sleep(1);
	}
}

static int import_told(const struct import *import)
{
	const char *name = import->job.product->name;
	struct updater_outcome outcome;
	int r = import_try(import, &outcome);
	int64_t reached = outcome.reached ? (int64_t)time(NULL) : 0;

	if (outcome.step != UPDATER_STEP_LOCK &&
	    updater_status_write(import->job.folder, name, &outcome, reached,
				 0, r < 0) < 0) {
		log_error("cannot tell the agent: status.json was not written");
		return 2;
	}
	if (r < 0) {
		log_error("%s: %s", name, outcome.reason);
		return 1;
	}
	return 0;
}

static int import_unpacked(int folder, int incoming,
			   const struct updater_product *product)
{
	struct import import = {
		.job = { .product = product, .folder = folder,
			 .thorough = true, .most = UPDATER_STAGED_BYTES },
		.incoming = incoming,
	};
	int code = 1;
	int r = import_open(incoming, "targets", &import.targets);

	if (r == 0) {
		r = import_open(incoming, "metadata", &import.metadata);
		r = r == -ENOENT && updater_is_site(incoming) ? 0 : r;
	}
	if (r < 0) {
		log_error("the bundle has no metadata or no targets: %s",
			  strerror(-r));
	} else {
		code = import_told(&import);
	}
	fetch_free(import.metadata);
	fetch_free(import.targets);
	return code;
}

int updater_import(int staging, const struct updater_product *product, int in,
		   struct bundle *bundle)
{
	cleanup_fd int folder = -1, lock = -1, incoming = -1;
	int r = updater_place_open(staging, product->name, &folder), code;

	r = r < 0 ? r : updater_place_lock(folder, "lock.import", &lock);
	if (r < 0) {
		log_error("%s: %s", product->name, r == -EBUSY ?
			  "another import is at work; try again after it" :
			  strerror(-r));
		return 2;
	}
	import_clear(folder);
	if (fchdir(folder) < 0 || mkdirat(folder, IMPORT_FOLDER, 0700) < 0) {
		log_error("%s: %s", IMPORT_FOLDER, strerror(errno));
		return 2;
	}
	incoming = openat(folder, IMPORT_FOLDER, O_RDONLY | O_DIRECTORY |
			  O_NOFOLLOW | O_CLOEXEC);
	r = incoming < 0 ? result_errno() :
	    bundle_extract(in, bundle, incoming);
	if (r < 0) {
		log_error("%s", *bundle->why ? bundle->why : strerror(-r));
	}
	code = r < 0 ? 1 : import_unpacked(folder, incoming, product);
	import_clear(folder);
	return code;
}

/* ---- export ---- */

/* The mirror's generation; where there is a site's version, that alone. */
static int export_names(int folder, const char *product,
			struct mirror_names *ret_names)
{
	int r;

	if (updater_is_site(folder)) {
		r = updater_site_names(folder, product, ret_names);
		if (r < 0) {
			log_error("version.json: %s", strerror(-r));
		}
		return r;
	}
	r = mirror_current(folder, ret_names);
	if (r < 0) {
		log_error("there is no whole mirror here yet: %s; `bailey "
			  "content check` fetches one", strerror(-r));
	}
	return r;
}

static int export_list(int folder, struct bundle *bundle)
{
	struct mirror_names names = { .name = NULL };
	size_t i, missing = 0;
	int r = export_names(folder, bundle->product, &names);

	if (r < 0) {
		return r;
	}
	for (i = 0; r == 0 && i < names.count; i++) {
		r = bundle_add(bundle, folder, names.name[i]);
		if (r == -ENOENT && strncmp(names.name[i], "targets/blob/",
					    13) == 0) {
			missing++;
			r = 0;
		}
	}
	mirror_names_fini(&names);
	if (r < 0) {
		log_error("%s", *bundle->why ? bundle->why : strerror(-r));
	} else if (missing) {
		log_warning("%zu files are not here: a version that needs "
			    "them cannot be activated from this bundle",
			    missing);
	}
	return r;
}

/* Of a folder that nobody changes meanwhile. */
static int export_write(int folder, const char *name, int out)
{
	cleanup_bundle struct bundle bundle = { .count = 0 };
	int r;

	snprintf(bundle.product, sizeof(bundle.product), "%s", name);
	if (export_list(folder, &bundle) < 0) {
		return 1;
	}
	r = bundle_write(out, &bundle, folder);
	if (r < 0) {
		log_error("%s", *bundle.why ? bundle.why : strerror(-r));
		return r == -EBADMSG ? 1 : 2;
	}
	return 0;
}

int updater_export(int folder, const char *name, int out)
{
	cleanup_fd int lock = -1;
	int i, r = -EBUSY;

	for (i = 0; r == -EBUSY && i < IMPORT_WAIT_S; i++) {
		r = updater_place_lock(folder, "lock", &lock);
		if (r == -EBUSY) {
			sleep(1);
		}
	}
	if (r < 0) {
		log_error("%s: %s", name, strerror(-r));
		return 2;
	}
	return export_write(folder, name, out);
}

/* ---- from a publisher's folder ---- */

static int export_fetch(int repository, int folder,
			const struct updater_product *product)
{
	struct updater_job job = { .product = product, .folder = folder,
				   .most = UPDATER_STAGED_BYTES };
	cleanup_fetch struct fetch *metadata = NULL, *targets = NULL;
	struct updater_outcome outcome;
	int r = import_open(repository, "metadata", &metadata);

	r = r < 0 ? r : import_open(repository, "targets", &targets);
	if (r < 0) {
		log_error("this is no repository: metadata or targets: %s",
			  strerror(-r));
		return 1;
	}
	if (updater_try_from(&job, metadata, targets, &outcome) < 0) {
		log_error("%s: %s", product->name, outcome.reason);
		return 1;
	}
	return 0;
}

/* The first root that is there: a publisher trusts its own. */
static int export_root(int repository, struct updater_product *product)
{
	int r = file_read(repository, "metadata/1.root.json", 512u << 10,
			  &product->root, &product->root_length);

	if (r < 0) {
		log_error("metadata/1.root.json: %s; give the folder that "
			  "bailey-publish writes", strerror(-r));
	}
	return r;
}

int updater_export_from(int repository, const char *name, int out)
{
	const char *tmp = getenv("TMPDIR");
	struct updater_product product = { .name = "" };
	char path[MANIFEST_PATH];
	cleanup_fd int above = -1, folder = -1;
	int code = 2;

	if (updater_is_site(repository)) {
		return export_write(repository, name, out);
	}
	snprintf(product.name, sizeof(product.name), "%s", name);
	snprintf(path, sizeof(path), "%.200s/bailey-export.XXXXXX",
		 tmp && *tmp == '/' ? tmp : "/tmp");
	if (export_root(repository, &product) < 0) {
		return 1;
	}
	if (!mkdtemp(path)) {
		log_error("%s: %s", path, strerror(errno));
		free(product.root);
		return 2;
	}
	above = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (above >= 0 && updater_place_open(above, name, &folder) == 0 &&
	    fchdir(folder) == 0) {
		code = export_fetch(repository, folder, &product);
		code = code ? code : updater_export(folder, name, out);
	}
	if (above >= 0) {
		(void)!file_sweep(above, ".", wants_none, NULL);
	}
	if (chdir("/") < 0 || rmdir(path) < 0) {
		log_warning("%s stays: %s", path, strerror(errno));
	}
	free(product.root);
	return code;
}
