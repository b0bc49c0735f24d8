/* SPDX-License-Identifier: Apache-2.0 */
/* tests/lib/ns_env.c - see ns_env.h */
#include "lib/ns_env.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t stopped;

static void stop(int number)
{
	stopped = 1;
}

void ns_catch_signals(void)
{
	struct sigaction action = { .sa_handler = stop };

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGHUP, &action, NULL);
	signal(SIGPIPE, SIG_IGN);
}

bool ns_stopped(void)
{
	return stopped != 0;
}

void ns_sleep_ms(unsigned ms)
{
	struct timespec t = { ms / 1000, (long)(ms % 1000) * 1000000 };

	nanosleep(&t, NULL);
}

uint64_t ns_now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static int mount_private(const struct ns_env *env, const char *size)
{
	char options[64];

	snprintf(options, sizeof options, "size=%s,mode=0755", size);
	if (unshare(CLONE_NEWNS) != 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
	    mount("ns_env", env->tree, "tmpfs", 0, options) != 0) {
		return -errno;
	}
	return 0;
}

/* A child makes the namespace, says so with one byte (errno, 0 good) and
 * waits until we hold the namespace's descriptor. */
static int hold_namespace(struct ns_env *env, const char *size)
{
	int up[2], down[2], status;
	unsigned char byte = EIO;
	char name[40];
	pid_t pid;

	if (pipe2(up, O_CLOEXEC) != 0) {
		return -errno;
	}
	if (pipe2(down, O_CLOEXEC) != 0) {
		close(up[0]);
		close(up[1]);
		return -errno;
	}
	pid = fork();
	if (pid == 0) {
		close(down[1]);
		byte = (unsigned char)-mount_private(env, size);
		if (write(up[1], &byte, 1) == 1) {
			(void)!read(down[0], &byte, 1);
		}
		_exit(0);
	}
	close(up[1]);
	close(down[0]);
	if (pid > 0 && read(up[0], &byte, 1) == 1 && byte == 0) {
		snprintf(name, sizeof name, "/proc/%d/ns/mnt", pid);
		env->mount_ns = open(name, O_RDONLY | O_CLOEXEC);
		byte = env->mount_ns < 0 ? (unsigned char)errno : 0;
	}
	close(up[0]);
	close(down[1]);
	if (pid > 0) {
		waitpid(pid, &status, 0);
	}
	return -byte;
}

int ns_env_init(struct ns_env *ret_env, const char *size)
{
	struct ns_env env = { .mount_ns = -1 };
	int r;

	prctl(PR_SET_PDEATHSIG, SIGTERM);
	snprintf(env.base, sizeof env.base, "/tmp/bailey-test.XXXXXX");
	if (mkdtemp(env.base) == NULL) {
		return -errno;
	}
	snprintf(env.tree, sizeof env.tree, "%s/tree", env.base);
	snprintf(env.state, sizeof env.state, "%s/state", env.base);
	r = chmod(env.base, 0711) != 0 || mkdir(env.tree, 0755) != 0 ||
	    mkdir(env.state, 0700) != 0 ? -errno : 0;
	if (r == 0) {
		r = hold_namespace(&env, size);
	}
	if (r != 0) {
		ns_env_fini(&env);
		return r;
	}
	*ret_env = env;
	return 0;
}

/* Removes what is left under base; it is a short name of our own making. */
static void remove_all(const char *base)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		execl("/bin/rm", "rm", "-rf", "--one-file-system", "--", base,
		      (char *)NULL);
		_exit(127);
	}
	if (pid > 0 && ns_wait(pid, 20000, &status) != 0) {
		fprintf(stderr, "could not remove %s\n", base);
	}
}

void ns_env_fini(struct ns_env *env)
{
	if (env->mount_ns >= 0) {
		close(env->mount_ns);
	}
	if (env->base[0] != '\0') {
		remove_all(env->base);
	}
	*env = (struct ns_env){ .mount_ns = -1 };
}

pid_t ns_env_fork(const struct ns_env *env)
{
	pid_t parent = getpid();
	pid_t pid = fork();

	if (pid != 0) {
		return pid < 0 ? -errno : pid;
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGINT, SIG_DFL);
	signal(SIGTERM, SIG_DFL);
	signal(SIGHUP, SIG_DFL);
	if (getppid() != parent || setns(env->mount_ns, CLONE_NEWNS) != 0 ||
	    chdir(env->tree) != 0) {
		_exit(126);
	}
	return 0;
}

int ns_env_write(const struct ns_env *env, const char *path, const void *bytes,
		 size_t length, unsigned mode, uid_t owner)
{
	pid_t pid = ns_env_fork(env);
	int status, r;

	if (pid < 0) {
		return pid;
	}
	if (pid == 0) {
		int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC,
			      0600);

		if (fd < 0 || write(fd, bytes, length) != (ssize_t)length ||
		    fchown(fd, owner, owner) != 0 || fchmod(fd, mode) != 0) {
			_exit(errno);
		}
		_exit(0);
	}
	r = ns_wait(pid, 10000, &status);
	if (r != 0) {
		return r;
	}
	return WIFEXITED(status) ? -WEXITSTATUS(status) : -EIO;
}

int ns_become(uid_t uid)
{
	if (setgroups(0, NULL) != 0 || setresgid(uid, uid, uid) != 0 ||
	    setresuid(uid, uid, uid) != 0) {
		return -errno;
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	return 0;
}

int ns_wait(pid_t pid, int limit_ms, int *ret_status)
{
	int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	uint64_t end = ns_now_ns() + (uint64_t)limit_ms * 1000000u;
	int r = 0, status;

	while (pidfd >= 0) {
		struct pollfd p = { .fd = pidfd, .events = POLLIN };
		uint64_t now = ns_now_ns();
		int left = now < end ? (int)((end - now) / 1000000u) + 1 : 0;

		if (poll(&p, 1, left) > 0) {
			break;
		}
		if (stopped || left == 0) {
			r = stopped ? -EINTR : -ETIMEDOUT;
			kill(pid, SIGKILL);
			break;
		}
	}
	if (pidfd >= 0) {
		close(pidfd);
	}
	while (waitpid(pid, &status, 0) < 0) {
		if (errno != EINTR) {
			return -errno;
		}
	}
	if (r == 0) {
		*ret_status = status;
	}
	return r;
}

void ns_end(pid_t pid, int signal_number, int grace_ms)
{
	uint64_t end = ns_now_ns() + (uint64_t)grace_ms * 1000000u;
	int status;

	if (pid <= 0) {
		return;
	}
	kill(pid, signal_number);
	while (waitpid(pid, &status, WNOHANG) == 0) {
		if (ns_now_ns() > end) {
			kill(pid, SIGKILL);
			waitpid(pid, &status, 0);
			return;
		}
		ns_sleep_ms(2);
	}
}
