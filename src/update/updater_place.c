/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "proto/content.h"
#include "update/updater.h"

static int place_make(int parent, const char *name, unsigned mode)
{
	if (mkdirat(parent, name, mode) < 0 && errno != EEXIST) {
		return result_errno();
	}
	return 0;
}

/* The agent's group may touch it. Only made: a touch would be heard. */
static int place_check(int folder)
{
	cleanup_fd int fd = openat(folder, CONTENT_CHECK, O_WRONLY | O_CREAT |
				   O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0660);

	if (fd < 0) {
		return errno == EEXIST ? 0 : result_errno();
	}
	return fchmod(fd, 0660) < 0 ? result_errno() : 0;
}

int updater_place_open(int staging, const char *name, int *ret_folder)
{
	static const char *const folders[] = { "metadata", "targets",
					       "trust" };
	cleanup_fd int folder = -1;
	size_t i;
	int r = place_make(staging, name, 0750);

	if (r < 0) {
		return r;
	}
	folder = openat(staging, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW |
			O_CLOEXEC);
	if (folder < 0) {
		return result_errno();
	}
	for (i = 0; r == 0 && i < sizeof(folders) / sizeof(folders[0]); i++) {
		r = place_make(folder, folders[i], 0750);
	}
	r = r < 0 ? r : place_check(folder);
	if (r < 0) {
		return r;
	}
	*ret_folder = fd_take(&folder);
	return 0;
}

int updater_place_lock(int folder, const char *name, int *ret_lock)
{
	cleanup_fd int fd = openat(folder, name, O_RDWR | O_CREAT |
				   O_NOFOLLOW | O_CLOEXEC, 0640);

	if (fd < 0) {
		return result_errno();
	}
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		return errno == EWOULDBLOCK ? -EBUSY : result_errno();
	}
	*ret_lock = fd_take(&fd);
	return 0;
}
