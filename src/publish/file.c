/* SPDX-License-Identifier: Apache-2.0 */
/*
 * file.c - files that are whole or not there, whenever the process ends
 *
 * A new file is written under another name in its folder, synced, renamed, and
 * its folder synced, before anything that refers to it is written. What a kill
 * leaves under the other name, the next attempt takes away. No file of ours can
 * be called that: versions have no `~' in their names.
 */
#include "publish/publish.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <openssl/evp.h>

#define CHUNK (256u << 10)
#define OTHER "new~"

static inline void digest_freep(EVP_MD_CTX **digest)
{
	EVP_MD_CTX_free(*digest);
}
#define cleanup_digest __attribute__((cleanup(digest_freep)))

/* A regular file, and nothing that only looks like one. */
static int open_regular(int dir, const char *path, struct stat *ret_status)
{
	/* not to wait for the other end of a FIFO */
	cleanup_fd int fd = openat(dir, path, O_RDONLY | O_CLOEXEC |
				   O_NOFOLLOW | O_NONBLOCK);

	if (fd < 0 || fstat(fd, ret_status) < 0) {
		return result_errno();
	}
	return S_ISREG(ret_status->st_mode) ? fd_take(&fd) : -EBADMSG;
}

/* As much as there is, up to size. */
static ssize_t read_some(int fd, void *bytes, size_t size)
{
	size_t done = 0;

	while (done < size) {
		ssize_t n = read(fd, (char *)bytes + done, size - done);

		if (n < 0 && errno != EINTR) {
			return result_errno();
		}
		if (n < 0 && pub_interrupted()) {
			return -EINTR;
		}
		if (n == 0) {
			break;
		}
		done += n > 0 ? (size_t)n : 0;
	}
	return (ssize_t)done;
}

int pub_read(int dir, const char *path, size_t maximum, char **ret_bytes,
	     size_t *ret_length)
{
	struct stat status;
	cleanup_fd int fd = open_regular(dir, path, &status);
	cleanup_free char *bytes = NULL;
	ssize_t n;

	if (fd < 0) {
		return fd;
	}
	if ((uint64_t)status.st_size > maximum) {
		return -EFBIG;
	}
	bytes = malloc((size_t)status.st_size + 2);
	if (!bytes) {
		return -ENOMEM;
	}
	n = read_some(fd, bytes, (size_t)status.st_size + 1);
	if (n < 0 || n > status.st_size) {
		return n < 0 ? (int)n : -EBADMSG;
	}
	bytes[n] = '\0';
	*ret_bytes = bytes;
	*ret_length = (size_t)n;
	bytes = NULL;
	return 0;
}

static int write_all(int fd, const void *bytes, size_t length)
{
	size_t done = 0;

	while (done < length) {
		ssize_t n = write(fd, (const char *)bytes + done,
				  length - done);

		if (n < 0 && errno != EINTR) {
			return result_errno();
		}
		done += n > 0 ? (size_t)n : 0;
	}
	return 0;
}

/* Syncs the folder that holds path. */
static int sync_folder(int dir, const char *path)
{
	char folder[PUB_PATH];
	const char *slash = strrchr(path, '/');
	cleanup_fd int fd = -1;

	snprintf(folder, sizeof(folder), "%.*s",
		 slash ? (int)(slash - path) : 1, slash ? path : ".");
	fd = openat(dir, folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fsync(fd) < 0) {
		return result_errno();
	}
	return 0;
}

/* The file under its other name, new and empty. */
static int open_new(int dir, const char *path, uint32_t mode,
		    char ret_new[PUB_PATH])
{
	const char *slash = strrchr(path, '/');
	int n = snprintf(ret_new, PUB_PATH, "%.*s" OTHER,
			 slash ? (int)(slash - path) + 1 : 0, path);
	int fd;

	if (n < 0 || n >= (int)PUB_PATH) {
		return -ENAMETOOLONG;
	}
	if (unlinkat(dir, ret_new, 0) < 0 && errno != ENOENT) {
		return result_errno();
	}
	fd = openat(dir, ret_new, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
		    mode);
	return fd < 0 ? result_errno() : fd;
}

/* Gives what was written its name, for good; or takes it away. */
static int finish(int dir, const char *path, const char *from, int fd, int r)
{
	if (r == 0 && (fsync(fd) < 0 || renameat(dir, from, dir, path) < 0)) {
		r = result_errno();
	}
	if (r < 0) {
		(void)unlinkat(dir, from, 0);
		return r;
	}
	return sync_folder(dir, path);
}

int pub_replace(int dir, const char *path, const void *bytes, size_t length,
		uint32_t mode)
{
	char from[PUB_PATH];
	cleanup_fd int fd = open_new(dir, path, mode, from);

	if (fd < 0) {
		return fd;
	}
	return finish(dir, path, from, fd, write_all(fd, bytes, length));
}

/* Reads to the end, hashing; to may be -1. */
static int pass_through(int from, int to, uint64_t maximum, uint64_t *length,
			uint8_t ret_hash[VERSION_HASH])
{
	cleanup_digest EVP_MD_CTX *digest = EVP_MD_CTX_new();
	cleanup_free char *bytes = malloc(CHUNK);
	ssize_t n = 1;
	int r = 0;

	if (!digest || !bytes || !EVP_DigestInit_ex(digest, EVP_sha256(),
						    NULL)) {
		return -ENOMEM;
	}
	*length = 0;
	while (r == 0 && n > 0) {
		n = read_some(from, bytes, CHUNK);
		if (n < 0) {
			return (int)n;
		}
		*length += (uint64_t)n;
		if (*length > maximum) {
			return -EFBIG;
		}
		if (!EVP_DigestUpdate(digest, bytes, (size_t)n)) {
			return -ENOMEM;
		}
		r = to >= 0 ? write_all(to, bytes, (size_t)n) : 0;
		if (pub_interrupted()) {
			return -EINTR;
		}
	}
	if (r == 0 && !EVP_DigestFinal_ex(digest, ret_hash, NULL)) {
		return -ENOMEM;
	}
	return r;
}

int pub_measure(int dir, const char *path, uint64_t maximum,
		struct version_file *ret_file)
{
	struct stat status;
	cleanup_fd int fd = open_regular(dir, path, &status);

	if (fd < 0) {
		return fd;
	}
	/* before it is read: a sparse giant costs nothing to make */
	if ((uint64_t)status.st_size > maximum) {
		return -EFBIG;
	}
	return pass_through(fd, -1, maximum, &ret_file->length,
			    ret_file->sha256);
}

int pub_copy(int from_dir, const char *from, int to_dir, const char *to,
	     const struct version_file *file)
{
	uint8_t hash[VERSION_HASH] = { 0 };
	char other[PUB_PATH];
	struct stat status;
	cleanup_fd int source = open_regular(from_dir, from, &status);
	cleanup_fd int fd = -1;
	uint64_t length = 0;
	int r;

	if (source < 0) {
		return source;
	}
	fd = open_new(to_dir, to, 0444, other);
	if (fd < 0) {
		return fd;
	}
	r = pass_through(source, fd, file->length, &length, hash);
	if (r == -EFBIG ||
	    (r == 0 && (length != file->length ||
			memcmp(hash, file->sha256, VERSION_HASH) != 0))) {
		r = -EBADMSG;
	}
	return finish(to_dir, to, other, fd, r);
}

int pub_folders(int dir, const char *path)
{
	char part[PUB_PATH];

	for (const char *slash = strchr(path, '/'); slash;
	     slash = strchr(slash + 1, '/')) {
		if (slash - path >= (ptrdiff_t)sizeof(part)) {
			return -ENAMETOOLONG;
		}
		snprintf(part, sizeof(part), "%.*s", (int)(slash - path),
			 path);
		if (mkdirat(dir, part, 0755) == 0) {
			int r = sync_folder(dir, part);

			if (r < 0) {
				return r;
			}
		} else if (errno != EEXIST) {
			return result_errno();
		}
	}
	return 0;
}

bool pub_exists(int dir, const char *path)
{
	return faccessat(dir, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static int remove_below(int fd)
{
	DIR *folder = fdopendir(fd);
	struct dirent *entry;
	int r = 0;

	if (!folder) {
		close(fd);
		return -ENOMEM;
	}
	while (r == 0 && (entry = readdir(folder))) {
		if (strcmp(entry->d_name, ".") != 0 &&
		    strcmp(entry->d_name, "..") != 0) {
			r = pub_remove_tree(dirfd(folder), entry->d_name);
		}
	}
	closedir(folder);
	return r;
}

int pub_remove_tree(int dir, const char *name)
{
	int r, fd;

	if (unlinkat(dir, name, 0) == 0 || errno == ENOENT) {
		return 0;
	}
	if (errno != EISDIR && errno != EPERM) {
		return result_errno();
	}
	fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW |
		    O_CLOEXEC);
	r = fd < 0 ? result_errno() : remove_below(fd);
	if (r == 0 && unlinkat(dir, name, AT_REMOVEDIR) < 0) {
		r = result_errno();
	}
	return r;
}
