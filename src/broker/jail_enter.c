/* SPDX-License-Identifier: Apache-2.0 */
/*
 * broker/jail_enter.c - from a fresh clone of the helper to the product
 *
 * Straight down: cgroup, session, mounts, limits, descriptors, rights, filter,
 * execve. Each step leaves a note. Opens no file of the host.
 */
#include "broker/jail.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <sys/stat.h>

#include "proto/wire.h"

const struct jail_measure_row jail_measures[JAIL_MEASURES] = {
#define JAIL_ROW(sym, must, text, lost)                                       \
	[JAIL_##sym] = { .what = text, .cost = lost, .required = must },
	JAIL_MEASURE_TABLE(JAIL_ROW)
#undef JAIL_ROW
};

const struct jail_namespace jail_namespaces[] = {
	{ CLONE_NEWNS, JAIL_ROOT, true },
	{ CLONE_NEWPID, JAIL_PID_NAMESPACE, true },
	{ CLONE_NEWNET, JAIL_NET_NAMESPACE, true },
	{ CLONE_NEWIPC, JAIL_IPC_NAMESPACE, true },
	{ CLONE_NEWUTS, JAIL_UTS_NAMESPACE, true },
	{ CLONE_NEWCGROUP, JAIL_CGROUP_NAMESPACE, false },
};
const size_t jail_namespaces_count =
	sizeof(jail_namespaces) / sizeof(jail_namespaces[0]);

#define ENTER_STATUS_FD (WIRE_SESSION_FD + 1)
#define ENTER_FIRST_HIGH 64     /* above every number that is placed */

static int enter_status = -1;

/* Says how a step went. Ends the process if a required one failed. */
static void enter_note(enum jail_measure measure, int r)
{
	struct jail_note note = { .measure = measure,
				  .error = r < 0 ? -r : r };
	ssize_t n = write(enter_status, &note, sizeof(note));

	if (n != sizeof(note) ||
	    (note.error && jail_measures[measure].required)) {
		_exit(125);
	}
}

/* Joining is writing 0 into a descriptor that was opened as root. */
static void enter_cgroups(const struct jail_plan *plan)
{
	static const enum jail_measure measure[JAIL_CGROUPS] = {
		[JAIL_CGROUP_MEMORY] = JAIL_MEMORY,
		[JAIL_CGROUP_PIDS] = JAIL_TASKS,
		[JAIL_CGROUP_CPU] = JAIL_PROCESSOR,
		[JAIL_CGROUP_UNIFIED] = JAIL_MEMORY,
	};

	for (unsigned i = 0; i < JAIL_CGROUPS; i++) {
		if (plan->procs[i] >= 0 && write(plan->procs[i], "0", 1) != 1) {
			enter_note(measure[i], result_errno());
		}
	}
	for (size_t i = 0; i < jail_namespaces_count; i++) {
		const struct jail_namespace *n = &jail_namespaces[i];
		bool have = n->at_clone ? (plan->namespaces & n->flag) != 0 :
			    unshare((int)n->flag) == 0;

		enter_note(n->measure, have ? 0 : n->at_clone ? -ENOSYS :
			   result_errno());
	}
	if (plan->namespaces & CLONE_NEWUTS) {
		(void)sethostname("jail", 4);
	}
	(void)setsid();
}

static void enter_signals(void)
{
	struct sigaction normal = { .sa_handler = SIG_DFL };
	sigset_t none;

	for (int s = 1; s < NSIG; s++) {
		(void)sigaction(s, &normal, NULL);
	}
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	umask(077);
}

static void enter_root(const struct jail_plan *plan)
{
	int pivot = 0, devices = 0;

	enter_note(JAIL_ROOT, jail_mount_enter(plan, &pivot, &devices));
	enter_note(JAIL_PIVOT, pivot);
	enter_note(JAIL_DEVICES, devices);
}

/* 0 /dev/null, 1 and 2 the captured pipe, 3 the session, 4 (until exec) the
 * status pipe; `*keep` (ruleset, monitor) end above, close-on-exec. */
static void enter_descriptors(const struct jail_plan *plan, int *monitor,
			      int *ruleset)
{
	int source[] = { plan->null, plan->standard_error,
			 plan->standard_error, plan->session };
	int r = 0;

	for (unsigned i = 0; r >= 0 && i < sizeof(source) / sizeof(int); i++) {
		r = source[i] = fcntl(source[i], F_DUPFD_CLOEXEC,
				      ENTER_FIRST_HIGH);
	}
	if (r >= 0) {
		r = enter_status = fcntl(plan->status, F_DUPFD_CLOEXEC,
					 ENTER_FIRST_HIGH);
	}
	if (r >= 0) {
		r = *monitor = fcntl(plan->monitor, F_DUPFD_CLOEXEC,
				     ENTER_FIRST_HIGH);
	}
	if (r >= 0 && *ruleset >= 0) {
		r = *ruleset = fcntl(*ruleset, F_DUPFD_CLOEXEC,
				     ENTER_FIRST_HIGH);
	}
	for (unsigned i = 0; r >= 0 && i < sizeof(source) / sizeof(int); i++) {
		r = dup2(source[i], (int)i);
	}
	if (r >= 0) {
		r = close_range(ENTER_STATUS_FD, ~0u, CLOSE_RANGE_CLOEXEC);
	}
	enter_note(JAIL_DESCRIPTORS, r < 0 ? result_errno() : 0);
}

/* Set after the uid changed, which clears it; then look whether the monitor
 * went before it was set. */
static int enter_death_signal(int monitor)
{
	struct pollfd p = { .fd = monitor, .events = POLLIN };

	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0) {
		return result_errno();
	}
	return poll(&p, 1, 0) == 0 ? 0 : -ESRCH;
}

_Noreturn static void enter_exec(const struct jail_plan *plan)
{
	const struct manifest *m = plan->manifest;
	char *const environment[] = { (char *)"LD_LIBRARY_PATH=/lib",
				      (char *)"LC_ALL=C.UTF-8", NULL };
	char *arguments[6] = { (char *)plan->program };
	uint64_t secret;
	int r = 0;

	for (unsigned i = 0; i < 4 && m->argument[i][0]; i++) {
		arguments[i + 1] = (char *)m->argument[i];
	}
	if (getrandom(&secret, sizeof(secret), 0) != sizeof(secret)) {
		r = result_errno();
	}
	if (r == 0) {
		r = jail_filter_load(m->profile, secret);
	}
	enter_note(JAIL_FILTER, r);
	syscall(SYS_execve, plan->program, arguments, environment, 0L, 0L,
		secret);
	enter_note(JAIL_EXEC, result_errno());
	_exit(125);
}

_Noreturn void jail_enter(const struct jail_plan *plan)
{
	int monitor = -1, ruleset = -1, securebits = 0, landlock;

	enter_status = plan->status;
	(void)prctl(PR_SET_NAME, plan->manifest->name, 0, 0, 0);
	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	enter_signals();
	enter_cgroups(plan);
	enter_root(plan);
	landlock = jail_landlock_make(plan, &ruleset);
	enter_descriptors(plan, &monitor, &ruleset);
	enter_note(JAIL_RLIMITS, jail_limits_set(plan->manifest));
	enter_note(JAIL_IDENTITY, jail_rights_drop(plan->uid, &securebits));
	enter_note(JAIL_CAPABILITIES, 0);
	enter_note(JAIL_SECUREBITS, securebits);
	enter_note(JAIL_NO_NEW_PRIVS,
		   prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ?
		   result_errno() : 0);
	if (landlock == 0) {
		landlock = jail_landlock_enter(ruleset);
	}
	enter_note(JAIL_LANDLOCK, landlock);
	enter_note(JAIL_DEATH_SIGNAL, enter_death_signal(monitor));
	enter_exec(plan);
}
