/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mon_overlay.c - does an open through an overlay ask on its layers?
 *
 * Since 6.5 it does, and an overlay that is marked besides hangs the reader in
 * its own read(); before, only a mark on the overlay itself sees such opens.
 * No version is compared: it is tried, in a child, in a mount namespace of its
 * own, on a tmpfs of its own, with a notification group that nobody waits for.
 */
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/fanotify.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/log.h"
#include "base/text.h"
#include "broker/mon.h"

#define PROBE_LIMIT_MS 2000
#define PROBE_ASKS 10
#define PROBE_SILENT 11

/* In the child; any failure is an exit code of its own. */
static _Noreturn void probe(const char *dir)
{
	char options[4096];
	struct pollfd p = { .events = POLLIN };
	int file;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (unshare(CLONE_NEWNS) < 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("none", dir, "tmpfs", 0, "size=1m") < 0 || chdir(dir) < 0 ||
	    mkdir("lower", 0700) < 0 || mkdir("upper", 0700) < 0 ||
	    mkdir("work", 0700) < 0 || mkdir("merged", 0700) < 0) {
		_exit(1);
	}
	file = open("lower/f", O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	text_format(options, sizeof(options),
		    "lowerdir=lower,upperdir=upper,workdir=work");
	if (file < 0 || close(file) < 0 ||
	    mount("overlay", "merged", "overlay", 0, options) < 0) {
		_exit(2);
	}
	p.fd = fanotify_init(FAN_CLASS_NOTIF | FAN_CLOEXEC | FAN_NONBLOCK,
			     O_RDONLY);
	if (p.fd < 0 || fanotify_mark(p.fd, FAN_MARK_ADD | FAN_MARK_FILESYSTEM,
				      FAN_OPEN, AT_FDCWD, "lower") < 0) {
		_exit(3);
	}
	if (open("merged/f", O_RDONLY | O_CLOEXEC) < 0) {
		_exit(4);
	}
	_exit(poll(&p, 1, 0) == 1 ? PROBE_ASKS : PROBE_SILENT);
}

/* Before any mark stands. Where it cannot be tried, overlays are left alone:
 * an unwatched overlay is counted, a hanging reader is not. */
bool mon_overlay_markable(const struct mon *m)
{
	char dir[4096];
	struct pollfd p = { .events = POLLIN };
	int status = 0;
	pid_t pid;

	text_format(dir, sizeof(dir), "%s/probe", m->options.state);
	if (mkdir(dir, 0700) < 0 && errno != EEXIST) {
		return false;
	}
	pid = fork();
	if (pid == 0) {
		probe(dir);
	}
	p.fd = m->signals;
	for (int waited = 0; pid > 0 && waited < PROBE_LIMIT_MS; waited += 20) {
		if (waitpid(pid, &status, WNOHANG) == pid) {
			break;
		}
		poll(&p, 1, 20);
		if (waited + 20 >= PROBE_LIMIT_MS) {
			kill(pid, SIGKILL);
			waitpid(pid, &status, 0);
		}
	}
	rmdir(dir);
	return WIFEXITED(status) && WEXITSTATUS(status) == PROBE_SILENT;
}
