/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tuf_target.c - target files (5.7)
 *
 * A file grows as `.NAME.part`, locked by who writes it, and hashed as it is
 * written; only when length and hashes are right does it become NAME. A
 * transfer that breaks leaves the part, and the next one goes on behind it; if
 * the whole is then wrong it is fetched once more from the start.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>

#include <openssl/evp.h>

#include "base/mono.h"
#include "base/text.h"
#include "update/tuf_internal.h"

#define CHUNK 65536
#define LOCK_LOOK_NS 20000000l

struct part {
	int folder, fd;                 /* fd: owned */
	char name[TUF_FILE + 8];
	uint64_t length, at;            /* wanted, there */
	EVP_MD_CTX *sha256, *sha512;    /* owned; of the bytes that are there */
};

static void part_fini(struct part *p)
{
	fd_closep(&p->fd);
	EVP_MD_CTX_free(p->sha256);
	EVP_MD_CTX_free(p->sha512);
}

static int hash_start(struct part *p)
{
	p->at = 0;
	return p->sha256 && p->sha512 &&
	       EVP_DigestInit_ex(p->sha256, EVP_sha256(), NULL) == 1 &&
	       EVP_DigestInit_ex(p->sha512, EVP_sha512(), NULL) == 1 ?
		       0 : -ENOMEM;
}

static int hash_more(struct part *p, const void *bytes, size_t n)
{
	p->at += n;
	return EVP_DigestUpdate(p->sha256, bytes, n) == 1 &&
	       EVP_DigestUpdate(p->sha512, bytes, n) == 1 ? 0 : -ENOMEM;
}

/* Hashes what fd holds, at most to the length that is wanted. */
static int hash_file(struct part *p, int fd)
{
	cleanup_free uint8_t *bytes = malloc(CHUNK);
	int r = bytes ? hash_start(p) : -ENOMEM;

	while (r == 0) {
		ssize_t n = pread(fd, bytes, CHUNK, (off_t)p->at);

		if (n < 0 && errno != EINTR) {
			return result_errno();
		}
		if (n == 0) {
			break;
		}
		r = n > 0 ? hash_more(p, bytes, (size_t)n) : 0;
	}
	return r;
}

/* The hash contexts are used up. */
static bool right(struct part *p, const struct tuf_target *target)
{
	const struct tuf_hashes want = {
		target->has_sha256, target->has_sha512, { 0 }, { 0 }
	};
	struct tuf_hashes all = want, have = { true, true, { 0 }, { 0 } };

	memcpy(all.sha256, target->sha256, sizeof(all.sha256));
	memcpy(all.sha512, target->sha512, sizeof(all.sha512));
	return p->at == target->length &&
	       EVP_DigestFinal_ex(p->sha256, have.sha256, NULL) == 1 &&
	       EVP_DigestFinal_ex(p->sha512, have.sha512, NULL) == 1 &&
	       tuf_hashes_match(&all, &have);
}

/* 1: the file is there, and is the target. */
static int have_already(struct part *p, const struct tuf_target *target,
			const char *name)
{
	cleanup_fd int fd = openat(p->folder, name, O_RDONLY | O_CLOEXEC |
						    O_NOFOLLOW | O_NONBLOCK);
	struct stat status;
	int r;

	if (fd < 0 || fstat(fd, &status) < 0 || !S_ISREG(status.st_mode) ||
	    (uint64_t)status.st_size != target->length) {
		return 0;
	}
	r = hash_file(p, fd);
	return r ? r : right(p, target);
}

/* Waits until it is ours. 1: it is another file by now. */
static int lock_part(struct part *p)
{
	mono_t end = mono_add(mono_now(), TUF_LOCK_S * MONO_S);
	const struct timespec look = { .tv_nsec = LOCK_LOOK_NS };
	struct stat mine, there;

	while (flock(p->fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK && errno != EINTR) {
			return result_errno();
		}
		if (!mono_between(mono_now(), end)) {
			return -EBUSY;
		}
		nanosleep(&look, NULL);
	}
	if (fstat(p->fd, &mine) < 0) {
		return result_errno();
	}
	return fstatat(p->folder, p->name, &there, AT_SYMLINK_NOFOLLOW) < 0 ||
	       mine.st_ino != there.st_ino;
}

static int open_part(struct part *p)
{
	int r = 1;

	while (r == 1) {
		fd_closep(&p->fd);
		p->fd = openat(p->folder, p->name, O_RDWR | O_CREAT |
			       O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0644);
		r = p->fd < 0 ? result_errno() : lock_part(p);
	}
	return r;
}

/* Empties the part. */
static int restart(struct part *p)
{
	return ftruncate(p->fd, 0) < 0 ? result_errno() : hash_start(p);
}

static int take(void *context, uint64_t offset, const void *bytes, size_t n)
{
	struct part *p = context;
	const uint8_t *from = bytes;
	size_t done = 0;
	int r = offset == 0 && p->at > 0 ? restart(p) : 0;

	if (r == 0 && offset != p->at) {
		r = -EPROTO;
	}
	if (r == 0 && n > p->length - p->at) {
		r = -EFBIG;
	}
	while (r == 0 && done < n) {
		ssize_t wrote = pwrite(p->fd, from + done, n - done,
				       (off_t)(p->at + done));

		if (wrote < 0 && errno != EINTR) {
			r = result_errno();
		}
		done += wrote > 0 ? (size_t)wrote : 0;
	}
	return r ? r : hash_more(p, bytes, n);
}

/* The name that the repository has it under. */
static int target_name(const struct tuf *tuf, const struct tuf_target *target,
		       char ret_name[FETCH_NAME])
{
	char quoted[FETCH_NAME], hash[2 * 64 + 2] = "";
	const uint8_t *bytes = target->has_sha256 ? target->sha256
						  : target->sha512;
	size_t n = target->has_sha256 ? 32 : 64;
	char *last;
	int r = fetch_quote(target->path, 1, quoted, sizeof(quoted));

	if (r < 0) {
		return r;
	}
	if (tuf_consistent(tuf)) {
		for (size_t i = 0; i < n; i++) {
			snprintf(hash + 2 * i, 3, "%02x", bytes[i]);
		}
		hash[2 * n] = '.';
	}
	last = strrchr(quoted, '/');
	last = last ? last + 1 : quoted;
	if (strlen(quoted) + strlen(hash) >= FETCH_NAME) {
		return -ENAMETOOLONG;
	}
	text_format(ret_name, FETCH_NAME, "%.*s%s%s", (int)(last - quoted),
		    quoted, hash, last);
	return 0;
}

/* Relative, and no component that leads elsewhere. */
static bool safe_path(const char *path)
{
	for (const char *at = path;; at++) {
		size_t n = strcspn(at, "/");

		if (n == 0 || (n == 1 && at[0] == '.') ||
		    (n == 2 && at[0] == '.' && at[1] == '.')) {
			return false;
		}
		at += n;
		if (!*at) {
			return true;
		}
	}
}

static int name_of(struct tuf *tuf, const struct tuf_target *target,
		   char ret_name[FETCH_NAME])
{
	int r = safe_path(target->path) ? target_name(tuf, target, ret_name)
					: -EBADMSG;

	return r ? tuf_fail(tuf, r, "%.128s: not a path to fetch",
			    target->path) : 0;
}

int tuf_target_bytes(struct tuf *tuf, struct fetch *targets,
		     const struct tuf_target *target, size_t maximum,
		     uint8_t **ret_bytes, size_t *ret_length)
{
	cleanup_free uint8_t *bytes = NULL;
	struct tuf_hashes have, want = {
		target->has_sha256, target->has_sha512, { 0 }, { 0 }
	};
	char name[FETCH_NAME];
	size_t length;
	int r = name_of(tuf, target, name);

	if (r == 0 && target->length > maximum) {
		r = tuf_fail(tuf, -EFBIG, "%.128s: %llu bytes, at most %zu",
			     target->path, (unsigned long long)target->length,
			     maximum);
	}
	r = r ? r : tuf_file_get(tuf, targets, name, (size_t)target->length,
				 &bytes, &length);
	if (r < 0) {
		return r;
	}
	memcpy(want.sha256, target->sha256, sizeof(want.sha256));
	memcpy(want.sha512, target->sha512, sizeof(want.sha512));
	tuf_hashes_of(bytes, length, &have);
	if (length != target->length || !tuf_hashes_match(&want, &have)) {
		return tuf_fail(tuf, -EBADMSG, "%.128s: not the file that is "
				"listed", target->path);
	}
	*ret_bytes = bytes;
	*ret_length = length;
	bytes = NULL;
	return 0;
}

/* Fetches what is missing. 1: what came is wrong. */
static int complete(struct tuf *tuf, struct fetch *targets, struct part *p,
		    const struct tuf_target *target, const char *name)
{
	int r = p->at < p->length || p->length == 0 ?
			targets->get(targets, name, p->at, p->length, take,
				     p) : 0;

	if (r == 0) {
		return right(p, target) ? 0 : 1;
	}
	tuf_fail(tuf, 0, "%.128s: %s", target->path,
		 targets->why[0] ? targets->why : strerror(r < 0 ? -r : 0));
	return r == FETCH_ABSENT ? -ENODATA : r;
}

/* Twice at most: behind what is there, then from the start. */
static int fetch_part(struct tuf *tuf, struct fetch *targets, struct part *p,
		      const struct tuf_target *target, const char *name)
{
	int r = hash_file(p, p->fd);
	bool resumed = p->at > 0;

	if (r == 0 && p->at > p->length) {
		r = restart(p);
	}
	r = r ? r : complete(tuf, targets, p, target, name);
	if (resumed && (r == 1 || r == -ERANGE || r == -EFBIG)) {
		r = restart(p);
		r = r ? r : complete(tuf, targets, p, target, name);
	}
	if (r == 1) {
		r = tuf_fail(tuf, -EBADMSG, "%.128s: not the file that is "
			     "listed", target->path);
	}
	return r;
}

static int settle(struct tuf *tuf, struct part *p, const char *name)
{
	int r = fsync(p->fd) < 0 || renameat(p->folder, p->name, p->folder,
					     name) < 0 ||
		fsync(p->folder) < 0 ? result_errno() : 0;

	return r ? tuf_fail(tuf, r, "%.128s: %s", name, strerror(-r)) : 0;
}

int tuf_target_file(struct tuf *tuf, struct fetch *targets,
		    const struct tuf_target *target, int folder,
		    const char *name)
{
	__attribute__((cleanup(part_fini))) struct part p = {
		.folder = folder, .fd = -1, .length = target->length,
		.sha256 = EVP_MD_CTX_new(), .sha512 = EVP_MD_CTX_new()
	};
	char remote[FETCH_NAME];
	int r = name_of(tuf, target, remote);

	if (r < 0) {
		return r;
	}
	if (strlen(name) + sizeof("..part") > TUF_FILE) {
		return tuf_fail(tuf, -ENAMETOOLONG, "%.128s: too long", name);
	}
	text_format(p.name, sizeof(p.name), ".%s.part", name);
	r = have_already(&p, target, name);
	if (r == 1) {
		return 0;
	}
	r = r ? r : open_part(&p);
	if (r < 0) {
		return tuf_fail(tuf, r, "%.128s: %s", name, strerror(-r));
	}
	r = fetch_part(tuf, targets, &p, target, remote);
	if (r < 0 && (p.at == 0 || r == -EBADMSG || r == -EFBIG ||
		      r == -ENOSPC || r == -EDQUOT)) {
		unlinkat(folder, p.name, 0);
	}
	return r ? r : settle(tuf, &p, name);
}
