/* SPDX-License-Identifier: Apache-2.0 */
/*
 * eng_keeper.c - main of bailey-engine: the half that only waits
 *
 * The executable runs from a sealed memfd. It maps all that a worker and its
 * successors share (eng_map.c), drops privilege, and clones the worker with a
 * shared descriptor table (CLONE_FILES, not CLONE_VM): when a worker dies, at
 * whatever instruction, its descriptors and this memory are still there, and
 * the next one decides what is open and reads on (eng_succeed.c).
 *
 * Signals: SIGCHLD, and SIGUSR1 by which the monitor says that the worker
 * makes no progress.
 */
#include <signal.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/log.h"
#include "broker/eng.h"
#include "broker/eng_confine.h"

#define STOPPED_NS 100000000L           /* a stopped worker may go on in this */
#define KEEPER_DEATHS 8                 /* within KEEPER_WINDOW_NS: give up, */
#define KEEPER_WINDOW_NS (10 * MONO_S)  /* the monitor starts a new keeper */

static struct handoff_table *keeper_table(void)
{
	struct handoff_table *table =
		mmap(NULL, sizeof(*table), PROT_READ | PROT_WRITE, MAP_SHARED,
		     HANDOFF_FD_TABLE, 0);

	if (table == MAP_FAILED || table->magic != HANDOFF_MAGIC) {
		log_error("not started by bailey-monitor");
		exit(1);
	}
	return table;
}

static void keeper_limits(void)
{
	const struct rlimit none = { 0, 0 };
	struct rlimit files;

	setrlimit(RLIMIT_CORE, &none);
	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max < HANDOFF_FDS ? files.rlim_max
						      : HANDOFF_FDS;
	setrlimit(RLIMIT_NOFILE, &files);
}

static pid_t keeper_clone(struct engine *e)
{
	pid_t pid = (pid_t)syscall(SYS_clone, CLONE_FILES | SIGCHLD, NULL, NULL,
				   NULL, NULL);

	if (pid == 0) {
		sigset_t none;

		sigemptyset(&none);
		sigprocmask(SIG_SETMASK, &none, NULL);
		eng_worker_main(e);
	}
	return pid;
}

/* Waits for the worker's end. One that a signal stopped, and that does not go
 * on at once, is ended: somebody waits for it. So is one that the monitor finds
 * without progress, which it says by SIGUSR1. */
static void keeper_wait(struct engine *e, pid_t worker, const sigset_t *set)
{
	const struct timespec patience = { 0, STOPPED_NS };
	bool spun = false;
	int signal;

	for (;;) {
		siginfo_t info;
		int status;
		pid_t pid = waitpid(worker, &status,
				    WNOHANG | WUNTRACED | WCONTINUED);

		if (pid == worker && (WIFEXITED(status) ||
				      WIFSIGNALED(status))) {
			log_warning("worker %d %s %d; the next one takes over",
				    worker, WIFEXITED(status) ? "exited"
							      : "killed by",
				    WIFEXITED(status) ? WEXITSTATUS(status)
						      : WTERMSIG(status));
			/* Killed from outside, it is no object's fault. */
			e->own_death = spun || !WIFSIGNALED(status) ||
				       WTERMSIG(status) != SIGKILL;
			return;
		}
		if (pid == worker) {
			atomic_store(&e->table->worker_stopped,
				     WIFSTOPPED(status));
			continue;
		}
		signal = sigtimedwait(set, &info,
				      atomic_load(&e->table->worker_stopped)
					      ? &patience : NULL);
		if (signal == SIGUSR1 || (signal < 0 && errno == EAGAIN)) {
			spun = signal == SIGUSR1;
			kill(worker, SIGKILL);
		}
	}
}

static _Noreturn void keeper_serve(struct engine *e)
{
	mono_t death[KEEPER_DEATHS] = { 0 };
	uint32_t deaths = 0;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	for (;;) {
		pid_t worker = keeper_clone(e);

		if (worker < 0) {
			log_error("cannot clone a worker: %m");
			exit(1);
		}
		keeper_wait(e, worker, &set);
		atomic_store(&e->table->worker_stopped, 0);
		e->view.worker_restarts++;
		atomic_fetch_add(&e->table->worker_restarts, 1);
		death[deaths++ % KEEPER_DEATHS] = mono_now();
		if (deaths >= KEEPER_DEATHS &&
		    mono_between(death[deaths % KEEPER_DEATHS], mono_now()) <
			    KEEPER_WINDOW_NS) {
			log_error("workers die too often; starting over");
			exit(1);
		}
	}
}

int main(void)
{
	struct handoff_table *table;
	struct engine *e;

	log_init("bailey-keeper", LOG_INFO);
	prctl(PR_SET_NAME, "bailey-keeper");
	table = keeper_table();
	keeper_limits();
	e = eng_map(table);
	eng_confine(table->engine_uid, table->engine_gid,
		    !(table->features & HANDOFF_HAS_BPF));
	prctl(PR_SET_PDEATHSIG, SIGKILL);       /* setuid clears it */
	if (getppid() == 1) {
		return 1;
	}
	keeper_serve(e);
}
