/* SPDX-License-Identifier: Apache-2.0 */
#include "update/updater_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define FILE_NAME 512u

static int file_open_folder(int parent, const char *name)
{
	int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW |
			O_CLOEXEC);

	return fd < 0 ? result_errno() : fd;
}

int file_folder(int folder, const char *name, int *ret_folder,
		const char **ret_last)
{
	cleanup_fd int at = file_open_folder(folder, ".");
	const char *slash;

	while (at >= 0 && (slash = strchr(name, '/'))) {
		char part[FILE_NAME];
		int next;

		if (slash == name || (size_t)(slash - name) >= sizeof(part)) {
			return -ENAMETOOLONG;
		}
		memcpy(part, name, (size_t)(slash - name));
		part[slash - name] = '\0';
		if (mkdirat(at, part, 0750) < 0 && errno != EEXIST) {
			return result_errno();
		}
		next = file_open_folder(at, part);
		fd_closep(&at);
		at = next;
		name = slash + 1;
	}
	if (at < 0) {
		return at;
	}
	*ret_last = name;
	*ret_folder = fd_take(&at);
	return 0;
}

static int file_put(int fd, const uint8_t *bytes, size_t length)
{
	while (length) {
		ssize_t n = write(fd, bytes, length);

		if (n < 0 && errno != EINTR) {
			return result_errno();
		}
		bytes += n > 0 ? n : 0;
		length -= n > 0 ? (size_t)n : 0;
	}
	return fsync(fd) < 0 ? result_errno() : 0;
}

int file_write(int folder, const char *name, const void *bytes, size_t length)
{
	cleanup_fd int at = -1, fd = -1;
	char beside[FILE_NAME];
	const char *last;
	int r = file_folder(folder, name, &at, &last);

	if (r < 0) {
		return r;
	}
	if (snprintf(beside, sizeof(beside), ".new.%s", last) >=
	    (int)sizeof(beside)) {
		return -ENAMETOOLONG;
	}
	if (unlinkat(at, beside, 0) < 0 && errno != ENOENT) {
		return result_errno();
	}
	fd = openat(at, beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC |
		    O_NOFOLLOW, 0640);
	if (fd < 0) {
		return result_errno();
	}
	r = file_put(fd, bytes, length);
	if (r == 0 && (renameat(at, beside, at, last) < 0 || fsync(at) < 0)) {
		r = result_errno();
	}
	if (r < 0) {
		unlinkat(at, beside, 0);
	}
	return r;
}

/* A regular file, without waiting for the other end of a FIFO. */
static int file_open(int folder, const char *name, struct stat *ret_st)
{
	cleanup_fd int fd = openat(folder, name, O_RDONLY | O_NOFOLLOW |
				   O_NONBLOCK | O_CLOEXEC);

	if (fd < 0 || fstat(fd, ret_st) < 0) {
		return result_errno();
	}
	return S_ISREG(ret_st->st_mode) ? fd_take(&fd) : -EINVAL;
}

int file_read(int folder, const char *name, size_t maximum,
	      uint8_t **ret_bytes, size_t *ret_length)
{
	cleanup_free uint8_t *bytes = NULL;
	struct stat st;
	cleanup_fd int fd = file_open(folder, name, &st);
	size_t length = 0;

	if (fd < 0) {
		return fd;
	}
	if (st.st_size < 0 || (uint64_t)st.st_size > maximum) {
		return -EFBIG;
	}
	bytes = malloc((size_t)st.st_size + 1);
	if (!bytes) {
		return -ENOMEM;
	}
	while (length < (size_t)st.st_size) {
		ssize_t n = read(fd, bytes + length,
				 (size_t)st.st_size - length);

		if (n == 0 || (n < 0 && errno != EINTR)) {
			return n == 0 ? -EIO : result_errno();
		}
		length += n > 0 ? (size_t)n : 0;
	}
	bytes[length] = '\0';
	*ret_length = length;
	*ret_bytes = bytes;
	bytes = NULL;
	return 0;
}

int file_hash(int fd, uint8_t ret_sha256[32])
{
	EVP_MD_CTX *hash = EVP_MD_CTX_new();
	cleanup_free uint8_t *chunk = malloc(65536);
	int good = hash && chunk && EVP_DigestInit_ex(hash, EVP_sha256(), NULL);
	int r = good ? 0 : -ENOMEM;
	ssize_t n = 1;

	while (r == 0 && n > 0) {
		n = read(fd, chunk, 65536);
		if (n < 0 || !EVP_DigestUpdate(hash, chunk,
					       n > 0 ? (size_t)n : 0)) {
			r = result_errno();
		}
	}
	if (r == 0 && !EVP_DigestFinal_ex(hash, ret_sha256, NULL)) {
		r = -EIO;
	}
	EVP_MD_CTX_free(hash);
	return r;
}

bool file_is(int folder, const char *name, uint64_t length,
	     const uint8_t *sha256)
{
	struct stat st;
	uint8_t found[32];
	cleanup_fd int fd = file_open(folder, name, &st);

	if (fd < 0 || st.st_size < 0 || (uint64_t)st.st_size != length) {
		return false;
	}
	return !sha256 || (file_hash(fd, found) == 0 &&
			   memcmp(found, sha256, sizeof(found)) == 0);
}

bool file_exists(int folder, const char *name)
{
	struct stat st;

	return fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       S_ISREG(st.st_mode);
}

int file_touch(int folder, const char *name, unsigned mode)
{
	struct stat st;
	cleanup_fd int fd = openat(folder, name, O_WRONLY | O_CREAT |
				   O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, mode);

	/* not what the umask left of it */
	if (fd < 0 || fstat(fd, &st) < 0 || fchmod(fd, mode) < 0) {
		return result_errno();
	}
	return futimens(fd, NULL) < 0 ? result_errno() : 0;
}

/* ---- sweeping ---- */

struct sweep {
	bool (*wanted)(void *context, const char *name);
	void *context;
	int error;              /* first one */
	unsigned deep;
};

static void sweep_folder(struct sweep *sweep, int folder, const char *prefix);

static void sweep_fail(struct sweep *sweep)
{
	sweep->error = sweep->error ? sweep->error : result_errno();
}

static void sweep_entry(struct sweep *sweep, int folder, const char *name,
			const char *last)
{
	struct stat st;
	int child;

	if (fstatat(folder, last, &st, AT_SYMLINK_NOFOLLOW) < 0) {
		sweep_fail(sweep);
		return;
	}
	if (!S_ISDIR(st.st_mode)) {
		bool good = S_ISREG(st.st_mode) &&
			    sweep->wanted(sweep->context, name);

		if (!good && unlinkat(folder, last, 0) < 0) {
			sweep_fail(sweep);
		}
		return;
	}
	child = sweep->deep < FILE_DEEPEST ? file_open_folder(folder, last) :
					     -ELOOP;
	if (child < 0) {
		sweep->error = sweep->error ? sweep->error : child;
		return;
	}
	sweep->deep++;
	sweep_folder(sweep, child, name);
	sweep->deep--;
	/* only an empty one goes */
	if (unlinkat(folder, last, AT_REMOVEDIR) < 0 && errno != ENOTEMPTY &&
	    errno != EEXIST) {
		sweep_fail(sweep);
	}
}

/* Takes folder. */
static void sweep_folder(struct sweep *sweep, int folder, const char *prefix)
{
	DIR *list = fdopendir(folder);
	struct dirent *entry;

	if (!list) {
		sweep_fail(sweep);
		close(folder);
		return;
	}
	while ((entry = readdir(list))) {
		char name[FILE_NAME];

		if (strcmp(entry->d_name, ".") == 0 ||
		    strcmp(entry->d_name, "..") == 0) {
			continue;
		}
		if (snprintf(name, sizeof(name), "%s/%s", prefix,
			     entry->d_name) >= (int)sizeof(name)) {
			name[0] = '\0';         /* nobody lists it */
		}
		sweep_entry(sweep, dirfd(list), name, entry->d_name);
	}
	closedir(list);
}

int file_sweep(int folder, const char *prefix,
	       bool (*wanted)(void *context, const char *name), void *context)
{
	struct sweep sweep = { .wanted = wanted, .context = context };
	int fd = file_open_folder(folder, prefix);

	if (fd < 0) {
		return fd;
	}
	sweep_folder(&sweep, fd, prefix);
	return sweep.error;
}
