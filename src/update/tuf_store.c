/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tuf_store.c - the folder of trusted metadata
 *
 * A file is written beside its place, synced, renamed, and the folder synced:
 * a power cut leaves the old file or the new one. One that cannot be written
 * leaves the old one. The lock is on the folder itself and ends with its
 * holder.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>

#include "base/mono.h"
#include "update/tuf_internal.h"

#define BESIDE ".new"
#define LOCK_LOOK_NS 20000000l

static struct tuf_stamp stamp_of(const struct stat *status)
{
	return (struct tuf_stamp){ status->st_ino, status->st_size,
				   status->st_mtim };
}

int tuf_store_name(const char *role, char ret_name[TUF_FILE])
{
	int r = fetch_quote(role, 0, ret_name, TUF_FILE - sizeof(".json"));

	if (r == 0) {
		strcat(ret_name, ".json");
	}
	return r;
}

/* Up to length bytes; fewer at the end of the file. */
static int read_whole(int fd, uint8_t *bytes, size_t length, size_t *ret_got)
{
	size_t got = 0;

	while (got < length) {
		ssize_t n = read(fd, bytes + got, length - got);

		if (n < 0 && errno == EINTR) {
			continue;
		}
		if (n < 0) {
			return result_errno();
		}
		if (n == 0) {
			break;
		}
		got += (size_t)n;
	}
	*ret_got = got;
	return 0;
}

int tuf_store_read(struct tuf *tuf, const char *name, size_t maximum,
		   uint8_t **ret_bytes, size_t *ret_length,
		   struct tuf_stamp *ret_stamp)
{
	cleanup_fd int fd = openat(tuf->folder, name, O_RDONLY | O_CLOEXEC |
						      O_NOFOLLOW | O_NONBLOCK);
	cleanup_free uint8_t *bytes = NULL;
	struct stat status;
	int r;

	if (fd < 0 && errno == ENOENT) {
		return 1;
	}
	if (fd < 0 || fstat(fd, &status) < 0) {
		r = result_errno();
		return tuf_fail(tuf, r, "%s: %s", name, strerror(-r));
	}
	if (!S_ISREG(status.st_mode) || (uint64_t)status.st_size > maximum) {
		return tuf_fail(tuf, -EFBIG, "%s: not a file of at most %zu "
				"bytes", name, maximum);
	}
	bytes = malloc((size_t)status.st_size + 1);
	r = bytes ? read_whole(fd, bytes, (size_t)status.st_size, ret_length)
		  : -ENOMEM;
	if (r < 0) {
		return tuf_fail(tuf, r, "%s: %s", name, strerror(-r));
	}
	*ret_stamp = stamp_of(&status);
	*ret_bytes = bytes;
	bytes = NULL;
	return 0;
}

static int write_whole(int fd, const uint8_t *bytes, size_t length)
{
	while (length > 0) {
		ssize_t n = write(fd, bytes, length);

		if (n < 0 && errno == EINTR) {
			continue;
		}
		if (n < 0) {
			return result_errno();
		}
		bytes += n;
		length -= (size_t)n;
	}
	return fsync(fd) < 0 ? result_errno() : 0;
}

int tuf_store_write(struct tuf *tuf, const char *name, const uint8_t *bytes,
		    size_t length, struct tuf_stamp *ret_stamp)
{
	cleanup_fd int fd = openat(tuf->folder, BESIDE, O_WRONLY | O_CREAT |
				   O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);
	struct stat status;
	int r = fd < 0 ? result_errno() : write_whole(fd, bytes, length);

	if (r == 0 && (fstat(fd, &status) < 0 ||
		       renameat(tuf->folder, BESIDE, tuf->folder, name) < 0)) {
		r = result_errno();
	}
	if (r < 0) {
		unlinkat(tuf->folder, BESIDE, 0);
		return tuf_fail(tuf, r, "%s: cannot be stored: %s", name,
				strerror(-r));
	}
	*ret_stamp = stamp_of(&status);
	if (fsync(tuf->folder) < 0) {
		r = result_errno();
		return tuf_fail(tuf, r, "%s: cannot be synced: %s", name,
				strerror(-r));
	}
	return 0;
}

int tuf_store_remove(struct tuf *tuf, const char *name)
{
	int r;

	if (unlinkat(tuf->folder, name, 0) == 0 || errno == ENOENT) {
		return 0;
	}
	r = result_errno();
	return tuf_fail(tuf, r, "%s: cannot be removed: %s", name,
			strerror(-r));
}

bool tuf_store_same(struct tuf *tuf, const char *name,
		    const struct tuf_stamp *stamp)
{
	struct stat status;

	return fstatat(tuf->folder, name, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
	       status.st_ino == stamp->inode &&
	       status.st_size == stamp->size &&
	       status.st_mtim.tv_sec == stamp->changed.tv_sec &&
	       status.st_mtim.tv_nsec == stamp->changed.tv_nsec;
}

int tuf_store_lock(struct tuf *tuf)
{
	mono_t end = mono_add(mono_now(), TUF_LOCK_S * MONO_S);
	const struct timespec look = { .tv_nsec = LOCK_LOOK_NS };

	while (flock(tuf->folder, LOCK_EX | LOCK_NB) < 0) {
		int r = result_errno();

		if (r != -EWOULDBLOCK && r != -EINTR) {
			return tuf_fail(tuf, r, "the folder cannot be locked: "
					"%s", strerror(-r));
		}
		if (!mono_between(mono_now(), end)) {
			return tuf_fail(tuf, -EBUSY, "another client is at "
					"work in the folder");
		}
		nanosleep(&look, NULL);
	}
	return 0;
}

void tuf_store_unlock(struct tuf *tuf)
{
	flock(tuf->folder, LOCK_UN);
}
