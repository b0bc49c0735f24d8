/* SPDX-License-Identifier: Apache-2.0 */
/*
 * broker/helper_exec.c - keepers, and the content agent
 *
 * Like products they are the monitor's children. Their executables come as
 * descriptors; what they inherit is put at the numbers that handoff.h and
 * agent.h say. A keeper gives up its rights itself; the agent has none from
 * its first instruction on: own uid, no capabilities, no network.
 */
#include "broker/helper_internal.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#define EXEC_FIRST_HIGH 256     /* above every number that is placed */
#define EXEC_AGENT_FILES 1024u

static void exec_signals(void)
{
	sigset_t none;

	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)signal(SIGPIPE, SIG_DFL);
	(void)signal(SIGINT, SIG_DFL);
	(void)signal(SIGTERM, SIG_DFL);
	(void)signal(SIGHUP, SIG_DFL);
}

/* fds: the executable, then what stands at 3 and up. Nothing else stays. */
_Noreturn static void exec_child(const char *name, const int *fds,
				 size_t count)
{
	char *const arguments[] = { (char *)(uintptr_t)name, NULL };
	char *const environment[] = { NULL };
	int high[PASS_FDS];

	for (size_t i = 0; i < count; i++) {
		high[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, EXEC_FIRST_HIGH);
		if (high[i] < 0) {
			_exit(125);
		}
	}
	for (size_t i = 1; i < count; i++) {
		if (dup2(high[i], 2 + (int)i) < 0) {
			_exit(125);
		}
	}
	(void)close_range(2 + (unsigned)count, ~0u, CLOSE_RANGE_CLOEXEC);
	syscall(SYS_execveat, high[0], "", arguments, environment,
		AT_EMPTY_PATH);
	_exit(126);
}

/* Never more than what we have: raising takes a capability. */
static void exec_limit(__rlimit_resource_t resource, rlim_t value)
{
	struct rlimit limit;

	if (getrlimit(resource, &limit) == 0) {
		limit.rlim_max = value < limit.rlim_max ? value
							: limit.rlim_max;
		limit.rlim_cur = limit.rlim_max;
		(void)setrlimit(resource, &limit);
	}
}

/* It ends with the monitor; the uid's change cleared that. */
static void exec_agent_rights(const struct helper *helper)
{
	struct pollfd p = { .fd = helper->monitor, .events = POLLIN };
	int securebits;

	(void)setsid();
	exec_limit(RLIMIT_CORE, 0);
	exec_limit(RLIMIT_NOFILE, EXEC_AGENT_FILES);
	if (jail_rights_drop(helper->start->table->content_uid,
			     &securebits) < 0 ||
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 ||
	    poll(&p, 1, 0) != 0) {
		_exit(125);
	}
	(void)umask(022);
}

static void exec_reply(struct helper *helper,
		       const struct helper_request *request, pid_t pid,
		       int pidfd, int error, const char *text)
{
	struct helper_reply reply = { .type = HELPER_DONE, .pid = pid,
				      .error = error };

	snprintf(reply.text, sizeof(reply.text), "%s", text);
	if (pid > 0) {
		loop_reply(helper, request, &reply, &pidfd, 1);
		(void)guest_add(helper, pid, pidfd, "", -1);
		return;
	}
	loop_reply(helper, request, &reply, NULL, 0);
}

static bool exec_complete(struct helper *helper,
			  const struct helper_request *request, size_t count,
			  size_t wanted)
{
	char text[64];

	if (count == wanted) {
		return true;
	}
	snprintf(text, sizeof(text), "%zu descriptors, not %zu", count, wanted);
	exec_reply(helper, request, 0, -1, EINVAL, text);
	return false;
}

void launch_keeper(struct helper *helper, const struct helper_request *request,
		   const int *fds, size_t count)
{
	int pidfd = -1, error;
	pid_t pid;

	if (!exec_complete(helper, request, count,
			   1 + HANDOFF_FD_END - HANDOFF_FD_GROUP)) {
		return;
	}
	pid = launch_clone(0, &pidfd);
	error = pid < 0 ? errno : 0;
	if (pid == 0) {
		exec_signals();
		exec_child("bailey-engine", fds, count);
	}
	exec_reply(helper, request, pid, pidfd, error,
		   error ? strerror(error) : "");
}

void launch_agent(struct helper *helper, const struct helper_request *request,
		  const int *fds, size_t count)
{
	int pidfd = -1, error;
	pid_t pid;

	if (!exec_complete(helper, request, count,
			   1 + AGENT_FD_END - AGENT_FD_MONITOR)) {
		return;
	}
	pid = launch_clone(CLONE_NEWNET | CLONE_NEWIPC, &pidfd);
	if (pid < 0) {          /* its own filter keeps it from the network */
		pid = launch_clone(0, &pidfd);
	}
	error = pid < 0 ? errno : 0;
	if (pid == 0) {
		exec_signals();
		exec_agent_rights(helper);
		exec_child("bailey-content", fds, count);
	}
	exec_reply(helper, request, pid, pidfd, error,
		   error ? strerror(error) : "");
}
