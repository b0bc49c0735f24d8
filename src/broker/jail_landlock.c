/* SPDX-License-Identifier: Apache-2.0 */
/*
 * broker/jail_landlock.c - Landlock by its three system calls
 *
 * Every right that the running kernel knows is handled, so that what is not
 * granted here is refused: reading and executing below the private root, the
 * two devices, reading in the content and config directories, everything but
 * devices and sockets in the state directory. Network and scopes get no grant.
 *
 * A rule names a directory that is there when it is made. A product that takes
 * new content while it runs (reload = live) gets a directory that nobody can
 * name yet: for it alone reading is not handled, and what it can read is what
 * its root and its descriptors lead to.
 *
 * Debian 12's headers stop at version 2 of the interface: what is newer is
 * written out here, once, with the version that brought it.
 */
#include "broker/jail.h"

#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include <bailey/client.h>

#define LANDLOCK_VERSION_FLAG 1u
#define RULE_PATH_BENEATH 1

/* As of version 6; older kernels take a shorter one. */
struct landlock_attributes {
	uint64_t fs, net, scoped;
};

/* Rights of the file system by version, index = version. */
static const uint64_t landlock_fs[] = {
	0, (1u << 13) - 1, (1u << 14) - 1 /* REFER */, (1u << 15) - 1
	/* TRUNCATE */, (1u << 15) - 1, (1u << 16) - 1 /* IOCTL_DEV */
};
#define LANDLOCK_FS_LAST (sizeof(landlock_fs) / sizeof(landlock_fs[0]) - 1)
#define LANDLOCK_NET_SINCE 4
#define LANDLOCK_NET_ALL 3u             /* bind and connect, TCP */
#define LANDLOCK_SCOPE_SINCE 6
#define LANDLOCK_SCOPE_ALL 3u           /* abstract sockets, signals */

#define LANDLOCK_TRUNCATE (1u << 14)
#define LANDLOCK_READ (LANDLOCK_ACCESS_FS_READ_FILE | \
		       LANDLOCK_ACCESS_FS_READ_DIR)
#define LANDLOCK_STATE                                                        \
	(LANDLOCK_READ | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_TRUNCATE |  \
	 LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE |     \
	 LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG |          \
	 LANDLOCK_ACCESS_FS_MAKE_SYM | (1u << 13))

static int landlock_allow(int ruleset, int fd, uint64_t rights, uint64_t known)
{
	struct landlock_path_beneath_attr rule = {
		.allowed_access = rights & known, .parent_fd = fd,
	};

	return syscall(SYS_landlock_add_rule, ruleset, RULE_PATH_BENEATH,
		       &rule, 0) < 0 ? result_errno() : 0;
}

static int landlock_allow_path(int ruleset, const char *path, uint64_t rights,
			       uint64_t known)
{
	cleanup_fd int fd = open(path, O_PATH | O_CLOEXEC);

	return fd < 0 ? result_errno() : landlock_allow(ruleset, fd, rights,
							known);
}

static int landlock_fill(const struct jail_plan *plan, int ruleset,
			 uint64_t known)
{
	static const uint64_t rights[JAIL_DIRECTORIES] = {
		[BAILEY_DIRECTORY_CONTENT] = LANDLOCK_READ,
		[BAILEY_DIRECTORY_CONFIG] = LANDLOCK_READ,
		[BAILEY_DIRECTORY_STATE] = LANDLOCK_STATE,
	};
	int r = landlock_allow_path(ruleset, "/", LANDLOCK_READ |
				    LANDLOCK_ACCESS_FS_EXECUTE, known);

	for (unsigned i = 0; r == 0 && i < JAIL_DIRECTORIES; i++) {
		if (plan->directory[i] >= 0) {
			r = landlock_allow(ruleset, plan->directory[i],
					   rights[i], known);
		}
	}
	if (r < 0) {
		return r;
	}
	/* Absent devices were reported already. */
	(void)landlock_allow_path(ruleset, "/dev/null",
				  LANDLOCK_ACCESS_FS_READ_FILE |
				  LANDLOCK_ACCESS_FS_WRITE_FILE, known);
	return 0;
}

/* In the jail's root already: paths here are the jail's. */
int jail_landlock_make(const struct jail_plan *plan, int *ret_ruleset)
{
	struct landlock_attributes attributes = { 0 };
	cleanup_fd int ruleset = -1;
	size_t size = sizeof(attributes.fs);
	long version = syscall(SYS_landlock_create_ruleset, NULL, 0,
			       LANDLOCK_VERSION_FLAG);
	int r;

	if (version < 1) {
		return version < 0 ? result_errno() : -EOPNOTSUPP;
	}
	attributes.fs = landlock_fs[(size_t)version < LANDLOCK_FS_LAST ?
				    (size_t)version : LANDLOCK_FS_LAST];
	if (plan->manifest->content_root[0] &&
	    plan->manifest->reload == MANIFEST_RELOAD_LIVE) {
		attributes.fs &= ~(uint64_t)LANDLOCK_READ;
	}
	if (version >= LANDLOCK_NET_SINCE) {
		attributes.net = LANDLOCK_NET_ALL;
		size += sizeof(attributes.net);
	}
	if (version >= LANDLOCK_SCOPE_SINCE) {
		attributes.scoped = LANDLOCK_SCOPE_ALL;
		size += sizeof(attributes.scoped);
	}
	ruleset = (int)syscall(SYS_landlock_create_ruleset, &attributes, size,
			       0);
	if (ruleset < 0) {
		return result_errno();
	}
	r = landlock_fill(plan, ruleset, attributes.fs);
	if (r < 0) {
		return r;
	}
	*ret_ruleset = fd_take(&ruleset);
	return 0;
}

int jail_landlock_enter(int ruleset)
{
	return syscall(SYS_landlock_restrict_self, ruleset, 0) < 0 ?
	       result_errno() : 0;
}
