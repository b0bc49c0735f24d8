/* SPDX-License-Identifier: Apache-2.0 */
/*
 * eng_keeper.c - main of bailey-engine: the half that only waits
 *
 * The executable runs from a sealed memfd. It maps all that a worker and its
 * successors share, drops privilege, and clones the worker with a shared
 * descriptor table (CLONE_FILES, not CLONE_VM): when a worker dies, at
 * whatever instruction, its descriptors and this memory are still there, and
 * the next one decides what is open and reads on (eng_succeed.c).
 *
 * Signals: SIGCHLD, and SIGUSR1 by which the monitor says that the worker
 * makes no progress.
 */
#include <fcntl.h>
#include <signal.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/log.h"
#include "broker/eng.h"
#include "broker/eng_confine.h"

#define KEEPER_DEATHS 8                 /* within KEEPER_WINDOW_NS: give up, */
#define KEEPER_WINDOW_NS (10 * MONO_S)  /* the monitor starts a new keeper */

static void *keeper_map(size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED) {
		log_error("no memory for the engine: %m");
		exit(1);
	}
	return memory;
}

static int region_file(const char *name, size_t size)
{
	int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0 || ftruncate(fd, (off_t)size) < 0) {
		log_error("cannot make a region: %m");
		exit(1);
	}
	return fd;
}

static void *region_map(int fd, size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
			    0);

	if (memory == MAP_FAILED) {
		log_error("cannot map a region: %m");
		exit(1);
	}
	return memory;
}

/* Seals come after our own writable mapping of the events; the product gets a
 * read-only description besides. */
static void region_init(struct region *r)
{
	char path[32];

	r->events_fd = region_file("bailey-events", WIRE_EVENTS_BYTES);
	r->events = region_map(r->events_fd, WIRE_EVENTS_BYTES);
	r->answers_fd = region_file("bailey-answers", WIRE_ANSWERS_BYTES);
	r->answers = region_map(r->answers_fd, WIRE_ANSWERS_BYTES);
	if (fcntl(r->events_fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW |
		  F_SEAL_FUTURE_WRITE | F_SEAL_SEAL) < 0 ||
	    fcntl(r->answers_fd, F_ADD_SEALS,
		  F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0) {
		log_error("cannot seal a region: %m");
		exit(1);
	}
	snprintf(path, sizeof(path), "/proc/self/fd/%d", r->events_fd);
	r->events_ro_fd = open(path, O_RDONLY | O_CLOEXEC);
	if (r->events_ro_fd < 0) {
		log_error("cannot open a region read-only: %m");
		exit(1);
	}
}

static void keeper_ours(struct engine *e, int fd)
{
	if (fd >= 0 && fd < (int)HANDOFF_FDS) {
		e->ours[fd] = 1;
	}
}

static void keeper_decisions(struct decisions *d, uint32_t size)
{
	d->size = size;
	d->entry = keeper_map(sizeof(*d->entry) * size);
}

/* The record of denials is in the monitor's memfd: it outlives a keeper. */
static struct view_decision *keeper_denials(void)
{
	void *memory = mmap(NULL, HANDOFF_RECORD_BYTES, PROT_READ | PROT_WRITE,
			    MAP_SHARED, HANDOFF_FD_RECORD, 0);

	if (memory == MAP_FAILED) {
		log_error("no record of denials: %m");
		exit(1);
	}
	return memory;
}

static void keeper_pipe(struct engine *e, int fd[2])
{
	if (pipe2(fd, O_CLOEXEC | O_NONBLOCK) < 0) {
		log_error("cannot make a pipe: %m");
		exit(1);
	}
	keeper_ours(e, fd[0]);
	keeper_ours(e, fd[1]);
}

static void keeper_sessions(struct engine *e)
{
	for (uint32_t i = 0; i < HANDOFF_PRODUCTS; i++) {
		struct session *s = &e->session[i];

		region_init(&e->region[i]);
		keeper_ours(e, e->region[i].events_fd);
		keeper_ours(e, e->region[i].events_ro_fd);
		keeper_ours(e, e->region[i].answers_fd);
		s->index = i;
		s->view.index = i;
		s->probe = QUESTION_NONE;
		s->socket = s->files = s->wake_product = s->wake_engine = -1;
		s->directory[0] = s->directory[1] = s->directory[2] = -1;
		s->rules.fd = -1;
	}
}

static struct engine *keeper_engine(struct handoff_table *table)
{
	struct engine *e = keeper_map(sizeof(*e));

	e->table = table;
	e->processors = (uint32_t)sysconf(_SC_NPROCESSORS_ONLN);
	if (getrandom(&e->seed, sizeof(e->seed), 0) != sizeof(e->seed)) {
		log_error("no random seed: %m");
		exit(1);
	}
	/* Event ids differ between keepers: a late answer must not fit. */
	e->next_id = e->seed >> 16 << 16 >> 2;
	e->current = QUESTION_NONE;
	e->view.keeper_pid = getpid();
	e->admin.fd = -1;
	atomic_store(&e->epoch, 1);
	e->cache = keeper_map(sizeof(*e->cache) * ENG_CACHE_ENTRIES);
	e->processes = keeper_map(process_table_bytes());
	process_table_init(e->processes);
	e->denials = (struct decisions){ .size = ENG_DENIALS,
					 .entry = keeper_denials() };
	atomic_store(&e->denials.head, atomic_load(&table->denials));
	keeper_decisions(&e->events, ENG_EVENTS);
	eng_cache_remember(e);
	keeper_pipe(e, e->kick_reply);
	keeper_pipe(e, e->kick_service);
	keeper_sessions(e);
	if ((table->features & HANDOFF_HAS_BPF) &&
	    process_ring_init(&e->ring, HANDOFF_FD_PROCESS_RING,
			      HANDOFF_FD_PROCESS_LOST, PROCESS_RING_BYTES)) {
		log_warning("no process records: cannot map their ring");
		table->features &= ~HANDOFF_HAS_BPF;
	}
	if (table->features & HANDOFF_HAS_BPF) {
		process_ring_wake(&e->ring, PROCESS_RING_BYTES / 2);
	}
	eng_mounts_read(e);
	return e;
}

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

/* Waits for the worker's end. A worker that was stopped by a signal is told to
 * the monitor by a flag; it says, by SIGUSR1, when somebody waits for it. */
static void keeper_wait(struct engine *e, pid_t worker, const sigset_t *set)
{
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
			return;
		}
		if (pid == worker) {
			atomic_store(&e->table->worker_stopped,
				     WIFSTOPPED(status));
			continue;
		}
		if (sigwaitinfo(set, &info) == SIGUSR1) {
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
	e = keeper_engine(table);
	eng_confine(table->engine_uid, table->engine_gid,
		    !(table->features & HANDOFF_HAS_BPF));
	prctl(PR_SET_PDEATHSIG, SIGKILL);       /* after setuid, which clears it */
	if (getppid() == 1) {
		return 1;
	}
	keeper_serve(e);
}
