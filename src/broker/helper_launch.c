/* SPDX-License-Identifier: Apache-2.0 */
/*
 * broker/helper_launch.c - clones that the monitor reaps: products
 * (keepers and the agent: helper_exec.c)
 *
 * The loop clones, because CLONE_PARENT makes the caller's parent the new
 * process's, and only the loop's parent is the monitor. The new process waits
 * at a gate until it is registered, then enters its jail; the loop goes on and
 * hears of each step by the status pipe. Its end without a fault means that
 * the program runs: the pipe is close-on-exec.
 */
#include "broker/helper_internal.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#define LAUNCH_GATE_FDS 2
#define LAUNCH_IOPRIO_PROCESS 1
#define LAUNCH_IOPRIO_IDLE (3 << 13)

pid_t launch_clone(unsigned long namespaces, int *ret_pidfd)
{
	int gate[LAUNCH_GATE_FDS], pidfd = -1;
	char go;
	long pid;

	if (pipe2(gate, O_CLOEXEC) < 0) {
		return -1;
	}
	pid = syscall(SYS_clone, namespaces | CLONE_PARENT | CLONE_PIDFD |
		      SIGCHLD, 0L, &pidfd, 0L, 0L);
	if (pid == 0) {
		close(gate[1]);
		if (read(gate[0], &go, 1) != 1) {
			_exit(125);
		}
		close(gate[0]);
		return 0;
	}
	if (pid > 0) {
		if (own_add((pid_t)pid) == 0) {
			(void)!write(gate[1], "g", 1);
		}
		*ret_pidfd = pidfd;
	}
	close(gate[0]);
	close(gate[1]);
	return (pid_t)pid;
}

/* All namespaces, or as many of them as this kernel has. */
static pid_t launch_clone_most(unsigned long *ret_namespaces, int *ret_pidfd)
{
	unsigned long flags = 0;
	pid_t pid;

	for (size_t i = 0; i < jail_namespaces_count; i++) {
		flags |= jail_namespaces[i].at_clone ?
			 jail_namespaces[i].flag : 0;
	}
	*ret_namespaces = flags;
	pid = launch_clone(flags, ret_pidfd);
	for (size_t i = jail_namespaces_count; pid < 0 && i > 1; i--) {
		if (errno != EINVAL && errno != ENOSPC && errno != EPERM) {
			break;
		}
		if (jail_namespaces[i - 1].at_clone) {
			flags &= ~jail_namespaces[i - 1].flag;
			*ret_namespaces = flags;
			pid = launch_clone(flags, ret_pidfd);
		}
	}
	return pid;
}

/* The prepared root for this start: a clone of the kept one where the kernel
 * clones detached mounts (6.15), else the kept one itself. */
static int launch_root(struct root_cache *cache, int *ret_root)
{
	int root = open_tree(cache->root, "", AT_EMPTY_PATH | OPEN_TREE_CLONE |
			     OPEN_TREE_CLOEXEC);

	if (root < 0) {
		root = fd_take(&cache->root);
	}
	if (root < 0) {
		return -ENOENT;
	}
	*ret_root = root;
	return 0;
}

/* What one start holds; all is closed when it is left. */
struct launch {
	int fd[PREPARED_END];
	int root;
	int session[2];
	int text[2];
	int status[2];
};

static void launch_fini(struct launch *l)
{
	int *all[] = { l->fd, l->session, l->text, l->status, &l->root };
	size_t count[] = { PREPARED_END, 2, 2, 2, 1 };

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		for (size_t k = 0; k < count[i]; k++) {
			fd_closep(&all[i][k]);
		}
	}
}

static void launch_init(struct launch *l)
{
	memset(l, 0xff, sizeof(*l));    /* -1 everywhere */
}

/* Puts received descriptors at their places. */
static void launch_take_fds(struct launch *l,
			    const struct helper_prepared *prepared,
			    const int *fds, size_t count)
{
	size_t next = 0;

	for (unsigned i = 0; i < PREPARED_END && next < count; i++) {
		if (prepared->have & 1u << i) {
			l->fd[i] = fds[next++];
		}
	}
}

static int launch_pipes(struct launch *l)
{
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0,
		       l->session) < 0 ||
	    pipe2(l->text, O_CLOEXEC | O_NONBLOCK) < 0 ||
	    pipe2(l->status, O_CLOEXEC) < 0) {
		return result_errno();
	}
	return 0;
}

/* Never in the way of the product that serves. */
static void launch_idle(void)
{
	const struct sched_param none = { 0 };

	(void)sched_setscheduler(0, SCHED_IDLE, &none);
	(void)syscall(SYS_ioprio_set, LAUNCH_IOPRIO_PROCESS, 0,
		      LAUNCH_IOPRIO_IDLE);
}

_Noreturn static void launch_child(const struct helper *helper,
				   const struct job *job,
				   const struct launch *l,
				   unsigned long namespaces)
{
	const struct root_cache *cache = &helper->cache[job->request.index];
	struct jail_plan plan = {
		.manifest = &job->request.manifest, .uid = job->request.uid,
		.root = l->root, .session = l->session[1],
		.standard_error = l->text[1], .null = helper->null,
		.status = l->status[1], .monitor = helper->monitor,
		.namespaces = namespaces,
	};
	struct manifest manifest = job->request.manifest;

	/* Two processes of one uid share what is counted by uid. */
	if (manifest.content_root[0]) {
		manifest.tasks *= 2;
		plan.manifest = &manifest;
	}
	if (job->request.purpose == AGENT_PREFLIGHT) {
		launch_idle();
	}

	snprintf(plan.program, sizeof(plan.program), "/%.*s",
		 MANIFEST_PATH - 2, cache->files.file[0].to);
	memcpy(plan.procs, l->fd + PREPARED_PROCS, sizeof(plan.procs));
	memcpy(plan.directory, l->fd + PREPARED_DIRECTORIES,
	       sizeof(plan.directory));
	jail_enter(&plan);
}

/* Size in pages, no more: no file system of a mark is asked. */
static int launch_statm(pid_t pid)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/%d/statm", pid);
	return open(path, O_RDONLY | O_CLOEXEC);
}

static void launch_entering(struct helper *helper, struct job *job,
			    struct launch *l, pid_t pid, int pidfd)
{
	struct guest *guest;

	job->state = JOB_ENTERING;
	job->pid = pid;
	job->pidfd = dup(pidfd);
	job->channel = fd_take(&l->status[0]);
	job->session = fd_take(&l->session[0]);
	for (unsigned i = 0; i < JAIL_DIRECTORIES; i++) {
		job->directory[i] = fd_take(&l->fd[PREPARED_DIRECTORIES + i]);
	}
	job->freeze = fd_take(&l->fd[PREPARED_FREEZE]);
	job->statm = launch_statm(pid);
	(void)fcntl(job->channel, F_SETFL, O_NONBLOCK);
	guest = guest_add(helper, pid, pidfd, job->request.manifest.name,
			  fd_take(&l->text[0]));
	if (!guest) {
		launch_give_up(helper, job, EAGAIN, "too many products");
		return;
	}
	memcpy(guest->cgroup, job->cgroup, sizeof(guest->cgroup));
}

void launch_product(struct helper *helper, struct job *job,
		    struct helper_prepared *prepared, int *fds, size_t count)
{
	struct root_cache *cache = &helper->cache[job->request.index];
	unsigned long namespaces;
	struct launch l;
	int pidfd = -1, r;
	pid_t pid = -1;

	launch_init(&l);
	launch_take_fds(&l, prepared, fds, count);
	job->noted = 0;
	memcpy(job->error, prepared->error, sizeof(job->error));
	job->expect = prepared->expect;
	if (l.fd[PREPARED_ROOT] >= 0) {
		fd_closep(&cache->root);
		cache->root = fd_take(&l.fd[PREPARED_ROOT]);
		cache->files = prepared->files;
	}
	r = launch_root(cache, &l.root);
	if (r == 0) {
		r = launch_pipes(&l);
	}
	if (r == 0) {
		pid = launch_clone_most(&namespaces, &pidfd);
		r = pid < 0 ? result_errno() : 0;
	}
	if (pid == 0) {
		launch_child(helper, job, &l, namespaces);
	}
	if (r == 0) {
		launch_entering(helper, job, &l, pid, pidfd);
	} else {
		struct helper_reply reply = { .type = HELPER_DONE,
					      .error = -r };

		snprintf(reply.text, sizeof(reply.text), "clone: %s",
			 strerror(-r));
		loop_reply(helper, &job->request, &reply, NULL, 0);
		(void)jail_cgroups_remove(&helper->cgroups, job->cgroup);
	}
	launch_fini(&l);
}

static void launch_free(struct job *job)
{
	fd_closep(&job->channel);
	fd_closep(&job->session);
	fd_closep(&job->pidfd);
	fd_closep(&job->statm);
	fd_closep(&job->freeze);
	for (unsigned i = 0; i < JAIL_DIRECTORIES; i++) {
		fd_closep(&job->directory[i]);
	}
	job->state = JOB_FREE;
}

void launch_give_up(struct helper *helper, struct job *job, int error,
		    const char *text)
{
	struct helper_reply reply = { .type = HELPER_DONE, .error = error,
				      .pid = job->pid };

	(void)pidfd_send_signal(job->pidfd, SIGKILL, NULL, 0);
	snprintf(reply.text, sizeof(reply.text), "%s", text);
	loop_reply(helper, &job->request, &reply, NULL, 0);
	launch_free(job);
}

/* One row of `bailey doctor`. */
static void launch_doctor(const struct helper *helper, const struct job *job,
			  enum jail_measure measure)
{
	struct helper_reply reply = { .type = HELPER_DOCTOR, .more = 1 };
	struct admin_doctor *row = &reply.doctor;
	int error = job->error[measure];

	row->head.type = ADMIN_DOCTOR_ROW;
	row->head.size = sizeof(*row);
	row->ok = error == 0;
	snprintf(row->product, sizeof(row->product), "%s",
		 job->request.manifest.name);
	snprintf(row->what, sizeof(row->what), "%s",
		 jail_measures[measure].what);
	if (error) {
		snprintf(row->why, sizeof(row->why), "%s", strerror(error));
		snprintf(row->cost, sizeof(row->cost), "%s",
			 jail_measures[measure].cost);
	}
	loop_reply(helper, &job->request, &reply, NULL, 0);
}

/* The reply's text: what could not be applied, '\n' between. */
static void launch_lacks(const struct job *job, char *ret_text, size_t size)
{
	size_t n = 0;

	ret_text[0] = '\0';
	for (unsigned i = 0; i < JAIL_MEASURES && n < size; i++) {
		if (job->error[i]) {
			n += (size_t)snprintf(ret_text + n, size - n,
					      "%s%s: %s", n ? "\n" : "",
					      jail_measures[i].what,
					      strerror(job->error[i]));
		}
	}
}

static void launch_running(struct helper *helper, struct job *job)
{
	struct helper_reply reply = { .type = HELPER_DONE, .pid = job->pid,
				      .expect = job->expect };
	int fds[4 + JAIL_DIRECTORIES] = { job->pidfd, job->session };
	size_t count = 2;

	for (unsigned i = 0; i < JAIL_EXEC; i++) {
		launch_doctor(helper, job, (enum jail_measure)i);
	}
	for (unsigned i = 0; i < JAIL_DIRECTORIES; i++) {
		if (job->directory[i] >= 0) {
			reply.number |= 1u << i;
			fds[count++] = job->directory[i];
		}
	}
	if (job->statm >= 0) {
		fds[count++] = job->statm;
	}
	if (job->statm >= 0 && job->freeze >= 0) {
		fds[count++] = job->freeze;
	}
	launch_lacks(job, reply.text, sizeof(reply.text));
	loop_reply(helper, &job->request, &reply, fds, count);
	launch_free(job);
}

void launch_status(struct helper *helper, struct job *job)
{
	struct jail_note note;
	char text[128];
	ssize_t n;

	while ((n = read(job->channel, &note, sizeof(note))) == sizeof(note)) {
		if (note.measure >= JAIL_MEASURES) {
			continue;
		}
		job->noted |= 1ull << note.measure;
		if (note.error) {
			job->error[note.measure] = note.error;
		}
		if (note.error && jail_measures[note.measure].required) {
			snprintf(text, sizeof(text), "%s: %s",
				 jail_measures[note.measure].what,
				 strerror(note.error));
			launch_give_up(helper, job, note.error, text);
			return;
		}
	}
	if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
		return;
	}
	if (job->noted & 1ull << JAIL_FILTER) {
		launch_running(helper, job);
	} else {
		launch_give_up(helper, job, EIO,
			       "died on its way into the jail");
	}
}
