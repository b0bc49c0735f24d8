/* SPDX-License-Identifier: Apache-2.0 */
/*
 * preflight_process.c - starts a product, drives it, ends it
 *
 * See preflight_process.h. The child tells by a pipe what could not be
 * applied; its close on exec says that the program runs.
 */
#include "agent/preflight_process.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "proto/wire.h"

#define TICK_MS 100u
#define FDS_HIGH 100            /* out of the way of 0 to 3 */

struct child {
	pid_t pid;
	int pidfd;
	int session;
	int statm;
	struct preflight_lack lack;
};

/* What the new process holds, all at numbers above FDS_HIGH. */
struct inside {
	int session, program, null, status;
};

_Noreturn static void child_exec(const struct preflight_plan *plan,
				 const struct inside *in,
				 struct preflight_lack *lack)
{
	const struct manifest *m = plan->manifest;
	char *const nothing[] = { NULL };
	char *argv[6];
	int n = 0, error;
	sigset_t none;

	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)signal(SIGPIPE, SIG_DFL);
	argv[n++] = (char *)(uintptr_t)m->exec;
	for (size_t i = 0; i < 4 && m->argument[i][0]; i++) {
		argv[n++] = (char *)(uintptr_t)m->argument[i];
	}
	argv[n] = NULL;
	if (dup2(in->null, 0) < 0 || dup2(in->null, 1) < 0 ||
	    dup2(in->session, WIRE_SESSION_FD) < 0 ||
	    close_range(WIRE_SESSION_FD + 1, ~0u, CLOSE_RANGE_CLOEXEC) < 0) {
		_exit(126);
	}
	preflight_confine(m, plan->directory, in->program, lack);
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* a new uid clears it */
	if (write(in->status, lack, sizeof(*lack)) != sizeof(*lack)) {
		_exit(126);
	}
	syscall(SYS_execveat, in->program, "", argv, nothing, AT_EMPTY_PATH);
	error = errno;
	if (write(in->status, &error, sizeof(error)) < 0) {
		_exit(126);
	}
	_exit(127);
}

/* Namespaces as far as they are granted: all, those of a new user, none. */
static pid_t child_clone(int *ret_pidfd, struct preflight_lack *lack)
{
	const unsigned long want = CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC;
	const unsigned long tries[] = { want, want | CLONE_NEWUSER, 0 };
	long pid = -1;

	for (size_t i = 0; i < 3 && pid < 0; i++) {
		pid = syscall(SYS_clone, tries[i] | CLONE_PIDFD | SIGCHLD, 0L,
			      ret_pidfd, 0L, 0L);
		if (pid < 0) {
			lack->error[PREFLIGHT_MEASURE_NAMESPACES] = errno;
		} else if (tries[i]) {
			lack->error[PREFLIGHT_MEASURE_NAMESPACES] = 0;
		}
	}
	return (pid_t)pid;
}

static int high(int *fd)
{
	int moved = fcntl(*fd, F_DUPFD_CLOEXEC, FDS_HIGH);

	if (moved < 0) {
		return result_errno();
	}
	close(*fd);
	*fd = moved;
	return 0;
}

static void inside_fini(struct inside *in)
{
	fd_closep(&in->session);
	fd_closep(&in->program);
	fd_closep(&in->null);
	fd_closep(&in->status);
}
#define cleanup_inside __attribute__((cleanup(inside_fini)))

static int inside_open(const struct manifest *m, struct inside *in,
		       int *ret_session, int *ret_status)
{
	int pair[2], *all[] = { &in->session, &in->program, &in->null,
				&in->status };
	int r = 0;

	in->program = open(m->exec, O_RDONLY | O_CLOEXEC);
	in->null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (in->program < 0 || in->null < 0 ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) {
		return result_errno();
	}
	*ret_session = pair[0];
	in->session = pair[1];
	if (pipe2(pair, O_CLOEXEC) < 0) {
		return result_errno();
	}
	*ret_status = pair[0];
	in->status = pair[1];
	for (size_t i = 0; i < 4 && r == 0; i++) {
		r = high(all[i]);
	}
	return r;
}

/* 0 when its program runs. */
static int child_report(int status, struct preflight_lack *ret_lack)
{
	struct preflight_lack lack;
	int error = 0;

	if (read(status, &lack, sizeof(lack)) != sizeof(lack)) {
		return -EIO;
	}
	*ret_lack = lack;
	return read(status, &error, sizeof(error)) == sizeof(error) && error
		       ? -error : 0;
}

static void child_end(struct child *c)
{
	if (c->pid > 0) {
		kill(c->pid, SIGKILL);
		waitpid(c->pid, NULL, 0);
	}
	fd_closep(&c->pidfd);
	fd_closep(&c->session);
	fd_closep(&c->statm);
}
#define cleanup_child __attribute__((cleanup(child_end)))

static int child_start(const struct preflight_plan *plan, struct child *c)
{
	cleanup_inside struct inside in = { -1, -1, -1, -1 };
	cleanup_fd int status = -1;
	struct preflight_lack lack = { { 0 } };
	char path[48];
	int r = inside_open(plan->manifest, &in, &c->session, &status);

	if (r < 0) {
		return r;
	}
	fflush(NULL);
	c->pid = child_clone(&c->pidfd, &lack);
	if (c->pid < 0) {
		return result_errno();
	}
	if (c->pid == 0) {
		child_exec(plan, &in, &lack);
	}
	fd_closep(&in.status);
	in.status = -1;
	snprintf(path, sizeof(path), "/proc/%d/statm", (int)c->pid);
	c->statm = open(path, O_RDONLY | O_CLOEXEC);
	return child_report(status, &c->lack);
}

static void child_loop(struct child *c, struct preflight_run *run,
		       void (*tick)(const struct preflight_outcome *))
{
	struct pollfd p[PREFLIGHT_FDS + 1];
	mono_t due, told = mono_now();
	int status;

	while (!preflight_run_turn(run)) {
		size_t n = preflight_run_poll(run, p, &due);
		uint64_t ms = mono_between(mono_now(), due) / MONO_MS + 1;

		p[n] = (struct pollfd){ .fd = c->pidfd, .events = POLLIN };
		(void)poll(p, n + 1, ms < TICK_MS ? (int)ms : (int)TICK_MS);
		if (waitpid(c->pid, &status, WNOHANG) == c->pid) {
			c->pid = 0;
			preflight_run_ended(run, status, "");
		}
		if (tick && mono_between(told, mono_now()) >=
				    TICK_MS * MONO_MS) {
			told = mono_now();
			tick(preflight_run_outcome(run));
		}
	}
}

int preflight_drive(const struct preflight_plan *plan,
		    struct preflight_outcome *ret_outcome,
		    struct preflight_lack *ret_lack,
		    void (*tick)(const struct preflight_outcome *so_far))
{
	cleanup_child struct child c = { 0, -1, -1, -1, { { 0 } } };
	struct preflight_run *run;
	int r = child_start(plan, &c);

	if (r == 0) {
		r = preflight_run_new(plan, fd_take(&c.session),
				      fd_take(&c.statm), &run);
	}
	if (r < 0) {
		return r;
	}
	child_loop(&c, run, tick);
	*ret_outcome = *preflight_run_outcome(run);
	*ret_lack = c.lack;
	preflight_run_free(run);
	return 0;
}
