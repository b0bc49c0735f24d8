/* SPDX-License-Identifier: Apache-2.0 */
/*
 * updater_blob.c - content files: each once, by its hash, gone on with
 *
 * A blob grows in <sha256>.part, is hashed as it comes, and gets its name when
 * length and hash are right: what has its name is whole. What a kill leaves is
 * read back and gone on with.
 */
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "proto/content.h"
#include "update/updater_file.h"
#include "update/updater_try.h"

#define BLOB_PATH (VERSION_HEX + 24u)

struct blob {
	struct try *try;
	const struct version_file *file;
	char hex[VERSION_HEX];
	char path[BLOB_PATH], part[BLOB_PATH + sizeof(MIRROR_PART)];
	int folder;             /* of both, owned */
	int fd;                 /* of part, owned */
	EVP_MD_CTX *hash;       /* of its first `length` bytes; owned */
	uint64_t length;
};

typedef int (*blob_take)(struct try *try, const struct version_file *file);

/* Every file of a version that it takes to try it. */
static int blob_each(struct try *try, const struct version *version,
		     blob_take take)
{
	size_t i;
	int r = 0;

	for (i = 0; r == 0 && i < version->files; i++) {
		r = take(try, &version->file[i]);
	}
	for (i = 0; r == 0 && i < version->cases; i++) {
		r = take(try, &version->corpus[i].file);
	}
	if (r == 0 && version->has_events) {
		r = take(try, &version->events);
	}
	return r;
}

static void blob_names(const struct version_file *file, char hex[VERSION_HEX],
		       char path[BLOB_PATH])
{
	version_hex(file->sha256, hex);
	snprintf(path, BLOB_PATH, "targets/blob/%s", hex);
}

/* ---- which ---- */

static int blob_list(struct try *try, const struct version_file *file)
{
	char hex[VERSION_HEX], path[BLOB_PATH];

	blob_names(file, hex, path);
	return mirror_list(&try->mirror, path);
}

int try_version_list(struct try *try, const struct version *version)
{
	return blob_each(try, version, blob_list);
}

static uint64_t blob_sum(const struct version *version)
{
	uint64_t sum = version->has_events ? version->events.length : 0;
	size_t i;

	for (i = 0; i < version->files; i++) {
		sum += version->file[i].length;
	}
	for (i = 0; i < version->cases; i++) {
		sum += version->corpus[i].file.length;
	}
	return sum;
}

int try_blobs_list(struct try *try)
{
	uint64_t left = try->job->most;
	unsigned wish;
	size_t i;
	int r = try_site_list(try);

	for (wish = 1; wish < 3 + UPDATER_WHOLE; wish++) {
		for (i = 0; r == 0 && i < try->versions; i++) {
			struct try_version *v = &try->version[i];
			uint64_t sum = v->version ? blob_sum(v->version) : 0;

			if (v->wish != wish || !v->version) {
				continue;
			}
			if (sum > left) {
				updater_fail(try->outcome, UPDATER_STEP_DISK,
					     -EFBIG, "%.80s: its %llu bytes "
					     "are over what staging may hold",
					     v->target.path,
					     (unsigned long long)sum);
				v->wish = 0;
				continue;
			}
			left -= sum;
			r = try_version_list(try, v->version);
		}
	}
	return r;
}

/* ---- one ---- */

/* A FETCH sink. Bytes of before may come again from a source that cannot
 * start elsewhere: then all begins anew. */
static int blob_sink(void *context, uint64_t offset, const void *bytes,
		     size_t n)
{
	struct blob *blob = context;
	const uint8_t *from = bytes;

	if (offset == 0 && blob->length > 0) {
		if (ftruncate(blob->fd, 0) < 0 ||
		    !EVP_DigestInit_ex(blob->hash, EVP_sha256(), NULL)) {
			return result_errno();
		}
		blob->length = 0;
	}
	if (offset != blob->length || n > blob->file->length - blob->length) {
		return -EFBIG;
	}
	if (!EVP_DigestUpdate(blob->hash, bytes, n)) {
		return -EIO;
	}
	while (n) {
		ssize_t w = pwrite(blob->fd, from, n, (off_t)blob->length);

		if (w < 0 && errno != EINTR) {
			return result_errno();
		}
		blob->length += w > 0 ? (uint64_t)w : 0;
		from += w > 0 ? w : 0;
		n -= w > 0 ? (size_t)w : 0;
	}
	return 0;
}

/* Reads back what is there of before. */
static int blob_begin(struct blob *blob)
{
	uint8_t chunk[16384];
	const char *last;
	struct stat st;
	ssize_t n = 1;
	int r;

	blob->hash = EVP_MD_CTX_new();
	if (!blob->hash ||
	    !EVP_DigestInit_ex(blob->hash, EVP_sha256(), NULL)) {
		return -ENOMEM;
	}
	r = file_folder(blob->try->job->folder, blob->part, &blob->folder,
			&last);
	if (r < 0) {
		return r;
	}
	blob->fd = openat(blob->folder, last, O_RDWR | O_CREAT | O_NOFOLLOW |
			  O_NONBLOCK | O_CLOEXEC, 0640);
	if (blob->fd < 0 || fstat(blob->fd, &st) < 0) {
		return result_errno();
	}
	if (!S_ISREG(st.st_mode)) {
		return -EINVAL;
	}
	if ((uint64_t)st.st_size > blob->file->length) {
		return ftruncate(blob->fd, 0) < 0 ? result_errno() : 0;
	}
	while (n > 0) {
		n = read(blob->fd, chunk, sizeof(chunk));
		if (n < 0 || !EVP_DigestUpdate(blob->hash, chunk,
					       n > 0 ? (size_t)n : 0)) {
			return result_errno();
		}
		blob->length += n > 0 ? (uint64_t)n : 0;
	}
	return 0;
}

/* Whole and right: it gets its name. 1: it is not right. */
static int blob_finish(struct blob *blob)
{
	uint8_t found[VERSION_HASH];
	int folder = blob->try->job->folder;

	if (blob->length != blob->file->length ||
	    !EVP_DigestFinal_ex(blob->hash, found, NULL) ||
	    memcmp(found, blob->file->sha256, sizeof(found)) != 0) {
		return 1;
	}
	if (fsync(blob->fd) < 0 ||
	    renameat(folder, blob->part, folder, blob->path) < 0 ||
	    fsync(blob->folder) < 0) {
		return result_errno();
	}
	return 0;
}

static void blob_end(struct blob *blob)
{
	EVP_MD_CTX_free(blob->hash);
	fd_closep(&blob->fd);
	fd_closep(&blob->folder);
	blob->hash = NULL;
	blob->fd = blob->folder = -1;
	blob->length = 0;
}

/* One attempt from where it stands. 1: what came is not it, and went. */
static int blob_fetch(struct blob *blob, bool *ret_went_on)
{
	struct fetch *from = &blob->try->targets.base;
	char name[BLOB_PATH];
	int r = blob_begin(blob);

	if (r < 0) {
		return r;
	}
	*ret_went_on = blob->length > 0;
	snprintf(name, sizeof(name), "blob/%s", blob->hex);
	if (blob->length < blob->file->length) {
		r = from->get(from, name, blob->length, blob->file->length,
			      blob_sink, blob);
	}
	if (r != 0) {
		return r > 0 ? -ENOENT : r;
	}
	r = blob_finish(blob);
	if (r == 1) {
		unlinkat(blob->try->job->folder, blob->part, 0);
	}
	return r;
}

static const char *blob_why(struct blob *blob, int r)
{
	if (r == 1) {
		return "what came is not what the description lists";
	}
	return *blob->try->targets.base.why ? blob->try->targets.base.why :
					      strerror(-r);
}

/* 0 also after a failure that is this blob's own. */
static int blob_failed(struct blob *blob, int r)
{
	int error = r == 1 ? -EBADMSG : r;

	updater_fail(blob->try->outcome, UPDATER_STEP_BLOB, error,
		     "blob %.16s: %s", blob->hex, updater_is_disk(r) ?
		     strerror(-r) : blob_why(blob, r));
	return try_is_part(error) ? 0 : error;
}

static int blob_space(struct try *try, const struct version_file *file,
		      const char *hex)
{
	struct statvfs fs;
	uint64_t left;

	if (fstatvfs(try->job->folder, &fs) < 0) {
		return result_errno();
	}
	left = (uint64_t)fs.f_bavail * fs.f_frsize;
	if (left >= UPDATER_SPARE_BYTES &&
	    left - UPDATER_SPARE_BYTES >= file->length) {
		return 0;
	}
	return updater_fail(try->outcome, UPDATER_STEP_DISK, -ENOSPC,
			    "blob %.16s: its %llu bytes do not fit: %llu are "
			    "free, %llu of them stay so", hex,
			    (unsigned long long)file->length,
			    (unsigned long long)left,
			    (unsigned long long)UPDATER_SPARE_BYTES);
}

static int blob_get(struct try *try, const struct version_file *file)
{
	struct blob blob = { .try = try, .file = file, .fd = -1,
			     .folder = -1 };
	bool went_on = false;
	int r;

	blob_names(file, blob.hex, blob.path);
	snprintf(blob.part, sizeof(blob.part), "%s" MIRROR_PART, blob.path);
	if (file_is(try->job->folder, blob.path, file->length,
		    try->job->thorough ? file->sha256 : NULL)) {
		return 0;
	}
	r = blob_space(try, file, blob.hex);
	if (r < 0) {
		return r;
	}
	try->targets.base.why[0] = '\0';
	r = blob_fetch(&blob, &went_on);
	if (r == 1 && went_on) {
		/* what was there of before may have been wrong */
		blob_end(&blob);
		r = blob_fetch(&blob, &went_on);
	}
	if (r != 0) {
		r = blob_failed(&blob, r);
	}
	blob_end(&blob);
	return r;
}

/* ---- all ---- */

static int blob_count(struct try *try, const struct version_file *file)
{
	char hex[VERSION_HEX], path[BLOB_PATH];

	blob_names(file, hex, path);
	if (file_is(try->job->folder, path, file->length, NULL)) {
		try->outcome->staged += file->length;
	}
	return 0;
}

int try_blobs_fetch(struct try *try)
{
	unsigned wish;
	size_t i;
	int r = 0;

	for (wish = 1; wish < 3 + UPDATER_WHOLE; wish++) {
		for (i = 0; r == 0 && i < try->versions; i++) {
			struct try_version *v = &try->version[i];

			if (v->wish == wish && v->version) {
				r = blob_each(try, v->version, blob_get);
				(void)!file_touch(try->job->folder,
						  CONTENT_READY, 0640);
			}
		}
	}
	for (i = 0; i < try->versions; i++) {
		if (try->version[i].wish && try->version[i].version) {
			(void)!blob_each(try, try->version[i].version,
					 blob_count);
		}
	}
	return r;
}
