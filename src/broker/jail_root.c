/* SPDX-License-Identifier: Apache-2.0 */
/*
 * broker/jail_root.c - the private root: a small tmpfs with copies
 *
 * Copies, not bind mounts: a superblock that is marked would ask about the
 * product's own libraries, and the product would wait for itself. The mount is
 * never attached in the host's namespace; it dies with its last user.
 */
#include "broker/jail.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

static const char *const root_directories[] = {
	"bin", "dev", "lib", "tmp",
};
static const char *const root_devices[] = { "dev/null", "dev/urandom" };

static int root_mkdirs(int root, const char *path)
{
	char part[MANIFEST_PATH];

	for (const char *slash = strchr(path, '/'); slash;
	     slash = strchr(slash + 1, '/')) {
		size_t n = (size_t)(slash - path);

		memcpy(part, path, n);
		part[n] = '\0';
		if (mkdirat(root, part, 0555) < 0 && errno != EEXIST) {
			return result_errno();
		}
	}
	return 0;
}

static int root_copy_bytes(int in, int out)
{
	char buffer[65536];

	for (;;) {
		ssize_t n = read(in, buffer, sizeof(buffer));

		if (n == 0) {
			return 0;
		}
		if (n < 0) {
			return result_errno();
		}
		if (write(out, buffer, (size_t)n) != n) {
			return -ENOSPC;
		}
	}
}

/* The file must still be the one that was checked: nobody but root may have
 * changed it since, and the copy is what runs. */
static int root_copy(int root, const struct jail_file *file, mode_t mode)
{
	cleanup_fd int in = open(file->from, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	cleanup_fd int out = -1;
	struct stat st;
	int r;

	if (in < 0 || fstat(in, &st) < 0) {
		return result_errno();
	}
	if (st.st_dev != file->device || st.st_ino != file->inode) {
		return -ESTALE;
	}
	r = root_mkdirs(root, file->to);
	if (r < 0) {
		return r;
	}
	out = openat(root, file->to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
		     0600);
	if (out < 0) {
		return result_errno();
	}
	r = root_copy_bytes(in, out);
	if (r < 0) {
		return r;
	}
	return fchmod(out, mode) < 0 ? result_errno() : 0;
}

static int root_fill(int root, const struct jail_files *files)
{
	int r;

	for (size_t i = 0; i < sizeof(root_directories) / sizeof(char *); i++) {
		if (mkdirat(root, root_directories[i], 0555) < 0) {
			return result_errno();
		}
	}
	for (size_t i = 0; i < sizeof(root_devices) / sizeof(char *); i++) {
		if (mknodat(root, root_devices[i], S_IFREG | 0444, 0) < 0) {
			return result_errno();
		}
	}
	for (uint32_t i = 0; i < files->count; i++) {
		/* The program can be executed but not read: the kernel then
		 * keeps the process undumpable across the exec. */
		r = root_copy(root, &files->file[i], i == 0 ? 0111 : 0555);
		if (r < 0) {
			return r;
		}
	}
	return 0;
}

static int root_make(uint64_t bytes, int *ret_mount)
{
	cleanup_fd int context = fsopen("tmpfs", FSOPEN_CLOEXEC);
	char size[32];
	int mount;

	snprintf(size, sizeof(size), "%llu", (unsigned long long)bytes);
	if (context < 0 ||
	    fsconfig(context, FSCONFIG_SET_STRING, "size", size, 0) < 0 ||
	    fsconfig(context, FSCONFIG_SET_STRING, "nr_inodes", "256", 0) < 0 ||
	    fsconfig(context, FSCONFIG_SET_STRING, "mode", "0555", 0) < 0 ||
	    fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0) {
		return result_errno();
	}
	mount = fsmount(context, FSMOUNT_CLOEXEC,
			MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
	if (mount < 0) {
		return result_errno();
	}
	*ret_mount = mount;
	return 0;
}

int jail_root_build(const struct jail_files *files, int *ret_mount)
{
	struct mount_attr attributes = { .attr_set = MOUNT_ATTR_RDONLY };
	cleanup_fd int mount = -1;
	uint64_t bytes = 0;
	int r;

	for (uint32_t i = 0; i < files->count; i++) {
		bytes += (files->file[i].size + 8191) / 4096 * 4096;
	}
	if (bytes > JAIL_ROOT_BYTES) {
		return -EFBIG;
	}
	r = root_make(bytes + (1u << 20), &mount);
	if (r < 0) {
		return r;
	}
	r = root_fill(mount, files);
	if (r < 0) {
		return r;
	}
	if (mount_setattr(mount, "", AT_EMPTY_PATH, &attributes,
			  sizeof(attributes)) < 0) {
		return result_errno();
	}
	*ret_mount = fd_take(&mount);
	return 0;
}
