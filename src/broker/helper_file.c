/* SPDX-License-Identifier: Apache-2.0 */
/* broker/helper_file.c - files that root wrote, read and replaced whole */
#include "broker/helper_internal.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define FILE_NAMES 256u
#define FILE_SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL)

static int file_read_bytes(int fd, char *text, size_t size, size_t *ret_length)
{
	size_t have = 0;

	while (have < size) {
		ssize_t n = read(fd, text + have, size - have);

		if (n < 0) {
			return result_errno();
		}
		if (n == 0) {
			break;
		}
		have += (size_t)n;
	}
	*ret_length = have;
	return 0;
}

int file_read(int dir, const char *name, bool strict, char **ret_text,
	      size_t *ret_length)
{
	cleanup_fd int fd = openat(dir, name, O_RDONLY | O_CLOEXEC |
				   O_NONBLOCK | O_NOCTTY);
	cleanup_free char *text = NULL;
	struct stat st;
	size_t length;
	int r;

	if (fd < 0 || fstat(fd, &st) < 0) {
		return result_errno();
	}
	if (!S_ISREG(st.st_mode)) {
		return -EINVAL;
	}
	if (strict && (st.st_uid != 0 || st.st_mode & 022)) {
		return -EPERM;
	}
	if (st.st_size > (off_t)FILE_BYTES) {
		return -EFBIG;
	}
	text = malloc((size_t)st.st_size + 1);
	if (!text) {
		return -ENOMEM;
	}
	r = file_read_bytes(fd, text, (size_t)st.st_size, &length);
	if (r < 0) {
		return r;
	}
	text[length] = '\0';
	*ret_length = length;
	*ret_text = text;
	text = NULL;
	return 0;
}

int file_write(int dir, const char *name, const char *text, size_t length)
{
	char temporary[NAME_MAX + 1];
	cleanup_fd int fd = -1;
	int r = 0;

	if (snprintf(temporary, sizeof(temporary), ".%s.new", name) >=
	    (int)sizeof(temporary)) {
		return -ENAMETOOLONG;
	}
	(void)unlinkat(dir, temporary, 0);
	fd = openat(dir, temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
		    0644);
	if (fd < 0) {
		return result_errno();
	}
	errno = 0;
	if (write(fd, text, length) != (ssize_t)length || fsync(fd) < 0 ||
	    renameat(dir, temporary, dir, name) < 0) {
		r = errno ? -errno : -ENOSPC;
		(void)unlinkat(dir, temporary, 0);
		return r;
	}
	return fsync(dir) < 0 ? result_errno() : 0;
}

static bool file_has_suffix(const char *name, const char *suffix)
{
	size_t n = strlen(name), s = strlen(suffix);

	return name[0] != '.' && n > s && strcmp(name + n - s, suffix) == 0;
}

static int file_compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

void file_list_free(char **names, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		free(names[i]);
	}
	free(names);
}

int file_list(int dir, const char *suffix, char ***ret_names,
	      size_t *ret_count)
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *list = fd < 0 ? NULL : fdopendir(fd);
	char **names = calloc(FILE_NAMES, sizeof(*names));
	const struct dirent *entry;
	size_t count = 0;
	int r = 0;

	if (!list || !names) {
		r = list ? -ENOMEM : result_errno();
	}
	while (r == 0 && (entry = readdir(list))) {
		if (!file_has_suffix(entry->d_name, suffix)) {
			continue;
		}
		if (count == FILE_NAMES) {
			r = -E2BIG;
		} else if (!(names[count] = strdup(entry->d_name))) {
			r = -ENOMEM;
		} else {
			count++;
		}
	}
	if (list) {
		closedir(list);
	}
	if (r < 0) {
		file_list_free(names, count);
		return r;
	}
	qsort(names, count, sizeof(*names), file_compare);
	*ret_names = names;
	*ret_count = count;
	return 0;
}

int file_sealed(const char *name, const void *bytes, size_t size, int *ret_fd)
{
	cleanup_fd int fd = memfd_create(name, MFD_CLOEXEC |
					 MFD_ALLOW_SEALING);

	for (size_t done = 0; fd >= 0 && done < size;) {
		ssize_t n = write(fd, (const char *)bytes + done, size - done);

		if (n <= 0) {
			return n < 0 ? result_errno() : -ENOSPC;
		}
		done += (size_t)n;
	}
	if (fd < 0 || fcntl(fd, F_ADD_SEALS, FILE_SEALS) < 0) {
		return result_errno();
	}
	*ret_fd = fd_take(&fd);
	return 0;
}
