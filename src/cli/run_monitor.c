/* SPDX-License-Identifier: Apache-2.0 */
/* run_monitor.c - the monitor as a child (run.h): started, heard, swept up */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/result.h"
#include "cli/run.h"

#define MONITOR_SWEEPS 200u     /* of 10 ms */

/* Children of this process; at most most. */
static unsigned monitor_children(int *ret_pids, unsigned most)
{
	FILE *file = fopen("/proc/thread-self/children", "re");
	unsigned count = 0;

	while (file && count < most && fscanf(file, "%d",
					      &ret_pids[count]) == 1) {
		count++;
	}
	if (file) {
		fclose(file);
	}
	return count;
}

static int monitor_notify_socket(const struct run_place *place)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	cleanup_fd int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC |
				   SOCK_NONBLOCK, 0);
	int one = 1;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &one,
				 sizeof(one)) < 0) {
		return result_errno();
	}
	snprintf(address.sun_path, sizeof(address.sun_path), "%.*s/notify.sock",
		 (int)RUN_STATE_LONGEST, place->state);
	unlinkat(place->state_fd, "notify.sock", 0);
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		return result_errno();
	}
	return fd_take(&fd);
}

int run_monitor_init(struct run_monitor *monitor,
		     const struct run_place *place, const char *const *argv)
{
	*monitor = (struct run_monitor){ .argv = argv, .place = place,
					 .notify_fd = -1 };
	monitor->befores = monitor_children(monitor->before, 64);
	if (monitor->befores == 64) {
		return -E2BIG;
	}
	if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0) {
		return result_errno();
	}
	monitor->notify_fd = monitor_notify_socket(place);
	return monitor->notify_fd < 0 ? monitor->notify_fd : 0;
}

void run_monitor_fini(struct run_monitor *monitor)
{
	if (monitor->notify_fd >= 0) {
		unlinkat(monitor->place->state_fd, "notify.sock", 0);
	}
	fd_closep(&monitor->notify_fd);
	monitor->notify_fd = -1;
}

/* In the child. Its output is standard error; a Ctrl-C in the terminal is for
 * its parent, which then ends it. */
static void monitor_become(const struct run_monitor *monitor, pid_t parent)
{
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	char text[RUN_PATH];
	sigset_t none;

	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent) {
		_exit(1);
	}
	signal(SIGPIPE, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	dup2(null, STDIN_FILENO);
	dup2(STDERR_FILENO, STDOUT_FILENO);
	snprintf(text, sizeof(text), "%.*s/notify.sock",
		 (int)RUN_STATE_LONGEST, monitor->place->state);
	setenv("NOTIFY_SOCKET", text, 1);
	snprintf(text, sizeof(text), "%llu", RUN_WATCHDOG_NS / 1000);
	setenv("WATCHDOG_USEC", text, 1);
	snprintf(text, sizeof(text), "%d", getpid());
	setenv("WATCHDOG_PID", text, 1);
	execv(monitor->argv[0], (char **)monitor->argv);
	fprintf(stderr, "bailey: cannot start %s: %s\n", monitor->argv[0],
		strerror(errno));
	_exit(127);
}

int run_monitor_start(struct run_monitor *monitor)
{
	pid_t parent = getpid();
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (pid < 0) {
		return result_errno();
	}
	if (pid == 0) {
		monitor_become(monitor, parent);
	}
	setpgid(pid, pid);
	monitor->pid = pid;
	monitor->ready = monitor->stopping = monitor->watched = false;
	monitor->heard = mono_now();
	return 0;
}

/* One datagram of the monitor's; -EAGAIN when there is none. Others' are
 * passed over: 1. */
static int monitor_message(const struct run_monitor *monitor, char *ret_text,
			   size_t room)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(struct ucred))];
	} control;
	struct iovec part = { .iov_base = ret_text, .iov_len = room - 1 };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1,
				  .msg_control = &control,
				  .msg_controllen = sizeof(control) };
	ssize_t n = recvmsg(monitor->notify_fd, &message,
			    MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	struct cmsghdr *head;
	struct ucred who = { .pid = 0 };

	if (n < 0) {
		return -EAGAIN;
	}
	ret_text[n] = '\0';
	head = CMSG_FIRSTHDR(&message);
	if (head && head->cmsg_level == SOL_SOCKET &&
	    head->cmsg_type == SCM_CREDENTIALS) {
		memcpy(&who, CMSG_DATA(head), sizeof(who));
	}
	return who.pid == monitor->pid && monitor->pid > 0 ? 0 : 1;
}

int run_monitor_hear(struct run_monitor *monitor)
{
	char text[4096], *line, *rest;
	int became = 0, r, most;

	for (most = 64; most > 0; most--) {
		r = monitor_message(monitor, text, sizeof(text));
		if (r < 0) {
			break;
		}
		for (line = r == 0 ? strtok_r(text, "\n", &rest) : NULL; line;
		     line = strtok_r(NULL, "\n", &rest)) {
			if (strcmp(line, "READY=1") == 0 && !monitor->ready) {
				monitor->ready = true;
				became = 1;
			} else if (strcmp(line, "STOPPING=1") == 0) {
				monitor->stopping = true;
			} else if (strcmp(line, "WATCHDOG=1") == 0) {
				monitor->watched = true;
				monitor->heard = mono_now();
			}
		}
	}
	return became;
}

int run_monitor_reap(struct run_monitor *monitor, int *ret_status)
{
	if (monitor->pid == 0 ||
	    waitpid(monitor->pid, ret_status, WNOHANG) != monitor->pid) {
		return 0;
	}
	monitor->pid = 0;
	return 1;
}

static bool monitor_was_before(const struct run_monitor *monitor, int pid)
{
	unsigned i;

	for (i = 0; i < monitor->befores; i++) {
		if (monitor->before[i] == pid) {
			return true;
		}
	}
	return false;
}

/* Kills and reaps children until there are none; those of the killed follow
 * them here. A child that is not reaped keeps its pid: the signal cannot hit
 * another process. */
void run_monitor_sweep(const struct run_monitor *monitor, pid_t spare)
{
	unsigned round;

	for (round = 0; round < MONITOR_SWEEPS; round++) {
		int pids[256];
		unsigned count = monitor_children(pids, 256), left = 0, i;

		for (i = 0; i < count; i++) {
			if (monitor_was_before(monitor, pids[i]) ||
			    pids[i] == monitor->pid || pids[i] == spare) {
				continue;
			}
			kill(pids[i], SIGKILL);
			left += waitpid(pids[i], NULL, WNOHANG) != pids[i];
		}
		if (left == 0 && count < 256) {
			return;
		}
		usleep(10000);
	}
	run_say("processes of the dead monitor do not end; they hang in the "
		"kernel");
}
