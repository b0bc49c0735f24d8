/* SPDX-License-Identifier: Apache-2.0 */
/*
 * updater_confine.c - what a taken-over updater could do: write to staging
 *
 * A service manager does this and more by the unit file. Here it is for hosts
 * without one, and for `bailey content import`, which root starts.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/landlock.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "update/updater.h"

#define CONFINE_WRITES (LANDLOCK_ACCESS_FS_WRITE_FILE |                       \
	LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE |      \
	LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_DIR |          \
	LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SOCK |          \
	LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_BLOCK |        \
	LANDLOCK_ACCESS_FS_MAKE_SYM | LANDLOCK_ACCESS_FS_EXECUTE)

/* The kernel forgets with the user what a parent's death is to bring. */
static int confine_user(void)
{
	pid_t parent = getppid();
	int death = 0;

	if (geteuid() != 0) {
		return 0;
	}
	if (prctl(PR_GET_PDEATHSIG, &death) < 0 ||
	    setgroups(0, NULL) < 0 ||
	    setresgid(UPDATER_GID, UPDATER_GID, UPDATER_GID) < 0 ||
	    setresuid(UPDATER_UID, UPDATER_UID, UPDATER_UID) < 0 ||
	    prctl(PR_SET_PDEATHSIG, death) < 0) {
		return result_errno();
	}
	return death && getppid() != parent ? -ECHILD : 0;
}

/* A kernel without Landlock has only the user's rights to go by. */
static int confine_writes(int staging)
{
	const struct landlock_ruleset_attr attr = {
		.handled_access_fs = CONFINE_WRITES,
	};
	struct landlock_path_beneath_attr beneath = {
		.allowed_access = CONFINE_WRITES & ~LANDLOCK_ACCESS_FS_EXECUTE,
		.parent_fd = staging,
	};
	cleanup_fd int rules = (int)syscall(SYS_landlock_create_ruleset, &attr,
					    sizeof(attr), 0);

	if (rules < 0) {
		return errno == ENOSYS || errno == EOPNOTSUPP ? 0 :
		       result_errno();
	}
	if (syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH,
		    &beneath, 0) < 0 ||
	    syscall(SYS_landlock_restrict_self, rules, 0) < 0) {
		return result_errno();
	}
	return 0;
}

int updater_confine(int staging)
{
	int r = confine_user();

	if (r == 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) {
		r = result_errno();
	}
	return r < 0 ? r : confine_writes(staging);
}
