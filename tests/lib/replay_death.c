/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/replay_death.h"

#include <sched.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static _Noreturn void death_child(struct replay *r, replay_work *work)
{
	/* raise(3) would take the parent's id from the copied thread block. */
	if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0) {
		_exit(1);
	}
	syscall(SYS_kill, syscall(SYS_getpid), SIGSTOP);
	work(r);
	_exit(0);
}

static int death_kill(pid_t pid)
{
	int status;

	kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) == pid && !WIFSIGNALED(status) &&
	       !WIFEXITED(status)) {
	}
	return 1;
}

int replay_die(struct replay *r, replay_work *work, struct replay_point after,
	       struct replay_point *ret_ran)
{
	struct replay_point ran = { 0, 0 };
	int status = 0;
	pid_t pid = (pid_t)syscall(SYS_clone, CLONE_FILES | SIGCHLD, NULL, NULL,
				   NULL, NULL);

	if (pid < 0) {
		return result_errno();
	}
	if (pid == 0) {
		death_child(r, work);
	}
	while (waitpid(pid, &status, 0) == pid && WIFSTOPPED(status)) {
		bool there = ran.stops >= after.stops;

		*ret_ran = ran;
		if (there && ran.steps >= after.steps &&
		    !atomic_load(&r->group->inside)) {
			return death_kill(pid);
		}
		ran.stops += !there;
		ran.steps += there;
		if (ptrace(there ? PTRACE_SINGLESTEP : PTRACE_SYSCALL, pid,
			   NULL, NULL) < 0) {
			death_kill(pid);
			return result_errno();
		}
	}
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -EPERM;
}
