/* SPDX-License-Identifier: Apache-2.0 */
/*
 * broker/jail_mount.c - the new process moves into its root
 *
 * Runs in a mount namespace of its own. Nothing is opened but the two device
 * nodes, with O_PATH: no question can arise. After it, the host's tree is
 * unmounted from this namespace; where the kernel refuses pivot_root (the
 * host runs on its initial ramfs) the new root covers the old one and chroot
 * hides it, which is reported.
 */
#include "broker/jail.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/syscall.h>

static const char *const mount_devices[] = { "null", "urandom" };

#define MOUNT_DEVICES (sizeof(mount_devices) / sizeof(mount_devices[0]))

static int mount_device_open(const char *name, int *ret_tree)
{
	cleanup_fd int dev = open("/dev", O_PATH | O_DIRECTORY | O_CLOEXEC);
	int tree;

	if (dev < 0) {
		return result_errno();
	}
	tree = open_tree(dev, name, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	if (tree < 0) {
		return result_errno();
	}
	*ret_tree = tree;
	return 0;
}

static int mount_device_place(int root, const char *name, int tree)
{
	cleanup_fd int dev = openat(root, "dev",
				    O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (dev < 0 || move_mount(tree, "", dev, name,
				  MOVE_MOUNT_F_EMPTY_PATH) < 0) {
		return result_errno();
	}
	return 0;
}

/* Makes the mount at `root`, which covers "/", this process's root. */
static int mount_pivot(int root)
{
	if (fchdir(root) < 0) {
		return result_errno();
	}
	if (syscall(SYS_pivot_root, ".", ".") < 0) {
		int error = result_errno();

		return chroot(".") < 0 ? result_errno() : -error;
	}
	/* The old root now lies on top at "."; take it away. */
	if (umount2(".", MNT_DETACH) < 0) {
		return result_errno();
	}
	return 0;
}

int jail_mount_enter(const struct jail_plan *plan, int *ret_pivot,
		     int *ret_devices)
{
	int tree[MOUNT_DEVICES];
	int r;

	*ret_devices = 0;
	if (mount("", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) {
		return result_errno();
	}
	for (size_t i = 0; i < MOUNT_DEVICES; i++) {
		r = mount_device_open(mount_devices[i], &tree[i]);
		if (r < 0) {
			tree[i] = -1;
			*ret_devices = -r;
		}
	}
	if (move_mount(plan->root, "", AT_FDCWD, "/",
		       MOVE_MOUNT_F_EMPTY_PATH) < 0) {
		return result_errno();
	}
	for (size_t i = 0; i < MOUNT_DEVICES; i++) {
		r = tree[i] < 0 ? 0 : mount_device_place(plan->root,
							 mount_devices[i],
							 tree[i]);
		if (r < 0) {
			*ret_devices = -r;
		}
	}
	r = mount_pivot(plan->root);
	if (r < 0) {
		return r;
	}
	*ret_pivot = r;         /* positive: covered, not detached */
	return chdir("/") < 0 ? result_errno() : 0;
}
