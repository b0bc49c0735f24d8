/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/state.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/result.h"
#include "cli/cli.h"

static int state_open_nolink(const char *path)
{
	struct open_how how = {
		.flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
		.resolve = RESOLVE_NO_SYMLINKS,
	};
	long fd = syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof(how));

	return fd < 0 ? result_errno() : (int)fd;
}

static void state_say(const char *path, bool named, int error)
{
	switch (-error) {
	case ENOENT:
		if (named) {
			cli_error("%s is not there; give the DIR that `bailey "
				  "run --state DIR` was started with", path);
		} else {
			cli_error("Bailey does not run here: %s is not there; "
				  "start the service, or `bailey run`, or give "
				  "--state DIR", path);
		}
		break;
	case ELOOP:
		cli_error("%s is, or goes through, a symbolic link, and that "
			  "is not trusted; give the real path", path);
		break;
	case ENOTDIR:
		cli_error("%s is not a directory; give the state directory "
			  "itself", path);
		break;
	default:
		cli_error("cannot use %s: %s", path, strerror(-error));
	}
}

static int state_check_named(const char *path, const struct stat *st)
{
	if (st->st_uid != geteuid()) {
		cli_error("%s belongs to uid %u, not to you (uid %u); run this "
			  "as its owner", path, st->st_uid, geteuid());
		return -EPERM;
	}
	if ((st->st_mode & 07777) != 0700) {
		cli_error("%s has mode %04o, so others could reach it; do: "
			  "chmod 0700, and see what is in it first", path,
			  st->st_mode & 07777);
		return -EPERM;
	}
	return 0;
}

static int state_check_default(const char *path, const struct stat *st)
{
	if (st->st_uid != 0 || (st->st_mode & 022)) {
		cli_error("%s has owner %u and mode %04o: others than root "
			  "can write there; start the service again", path,
			  st->st_uid, st->st_mode & 07777);
		return -EPERM;
	}
	return 0;
}

int state_open(const char *path, int *ret_fd)
{
	bool named = path != NULL;
	cleanup_fd int fd = -1;
	struct stat st;
	int r;

	path = named ? path : STATE_DEFAULT;
	fd = state_open_nolink(path);
	if (fd < 0) {
		state_say(path, named, fd);
		return fd;
	}
	if (fstat(fd, &st) < 0) {
		r = result_errno();
		state_say(path, named, r);
		return r;
	}
	r = named ? state_check_named(path, &st) :
		    state_check_default(path, &st);
	if (r < 0) {
		return r;
	}
	*ret_fd = fd_take(&fd);
	return 0;
}
