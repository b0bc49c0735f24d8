/* SPDX-License-Identifier: Apache-2.0 */
/*
 * broker/helper_main.c - the helper's loop
 *
 * Waits for requests, channels of jobs, ends of children and standard errors
 * of products; the work is elsewhere. Ends when the monitor's socket closes or
 * the monitor dies: not by a death signal, because cgroups are to be removed.
 */
#include "broker/helper_internal.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/log.h"

#define MAIN_POLLS (2u + 2u * HELPER_JOBS + 2u * HELPER_GUESTS)
#define MAIN_SOCKET_BYTES (1 << 20)
#define MAIN_LAST_WAIT_MS 1000u
#define MAIN_STATE_DIR "/var/lib/bailey"

typedef void (*helper_task)(const struct helper *helper,
			    const struct helper_request *request, int channel);

/* START_KEEPER and START_AGENT have no row: they need no file, and no job. */
static const helper_task main_tasks[] = {
	[HELPER_LOAD] = task_load,
	[HELPER_START_PRODUCT] = task_prepare,
	[HELPER_RULES] = task_rules,
	[HELPER_EXCEPTION_ADD] = task_exception_add,
	[HELPER_EXCEPTION_REMOVE] = task_exception_remove,
	[HELPER_EXCEPTIONS] = task_exceptions,
	[HELPER_PROCESSES] = task_processes,
	[HELPER_CONTENT] = task_content,
};

static struct helper main_helper;

/* ---- jobs ---- */

_Noreturn static void main_job_child(const struct helper *helper,
				     const struct helper_request *request,
				     int channel)
{
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0) {
		_exit(1);
	}
	(void)prctl(PR_SET_NAME, "bailey-job");
	close(helper->socket);
	main_tasks[request->job](helper, request, channel);
	_exit(0);
}

static int main_job_fork(struct helper *helper, struct job *job)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) {
		return result_errno();
	}
	helper->serial++;
	jail_cgroups_name(&helper->cgroups, job->request.manifest.name,
			  helper->serial, job->cgroup);
	job->pid = own_fork();
	if (job->pid == 0) {
		close(pair[0]);
		main_job_child(helper, &job->request, pair[1]);
	}
	close(pair[1]);
	if (job->pid < 0) {
		int r = result_errno();

		close(pair[0]);
		return r;
	}
	job->channel = pair[0];
	job->pidfd = pidfd_open(job->pid, 0);
	job->state = JOB_RUNNING;
	job->answered = false;
	job->timed_out = false;
	return 0;
}

static void main_refuse(const struct helper *helper,
			const struct helper_request *request, int error)
{
	struct helper_reply reply = { .type = HELPER_DONE, .error = -error };

	snprintf(reply.text, sizeof(reply.text), "helper: %s",
		 strerror(-error));
	loop_reply(helper, request, &reply, NULL, 0);
}

static void main_start(struct helper *helper,
		       const struct helper_request *request)
{
	uint32_t limit = request->limit_ms ? request->limit_ms :
			 HELPER_LIMIT_MS;
	struct job *job = NULL;
	int r = -EAGAIN;

	for (uint32_t i = 0; !job && i < HELPER_JOBS; i++) {
		job = helper->job[i].state == JOB_FREE ? &helper->job[i] : NULL;
	}
	if (job) {
		job->request = *request;
		job->limit = mono_add(mono_now(), limit * MONO_MS);
		r = main_job_fork(helper, job);
	}
	if (r < 0) {
		main_refuse(helper, request, r);
	}
}

/* 0 when the monitor is gone. */
static int main_request(struct helper *helper)
{
	static struct helper_request request;
	int fds[PASS_FDS];
	size_t count;
	int r = pass_receive(helper->socket, &request, sizeof(request), fds,
				&count, 0);

	if (r <= 0) {
		return r == -EBADMSG;
	}
	if (request.job == HELPER_START_KEEPER) {
		launch_keeper(helper, &request, fds, count);
	} else if (request.job == HELPER_START_AGENT) {
		launch_agent(helper, &request, fds, count);
	} else if (request.job == 0 || request.job >= sizeof(main_tasks) /
		   sizeof(main_tasks[0]) || !main_tasks[request.job] ||
		   request.index >= HANDOFF_PRODUCTS) {
		main_refuse(helper, &request, -EINVAL);
	} else {
		main_start(helper, &request);
	}
	pass_close(fds, count);
	return 1;
}

/* Frees the slot of a child that is dead. Its number leaves the table while it
 * is still a zombie, so that it cannot be someone else's meanwhile. */
static void main_job_reap(struct job *job)
{
	siginfo_t info;

	while (waitid(P_PID, (id_t)job->pid, &info, WEXITED | WNOWAIT) < 0 &&
	       errno == EINTR) {
	}
	own_remove(job->pid);
	while (waitpid(job->pid, NULL, 0) < 0 && errno == EINTR) {
	}
	own_sweep();                    /* its lister, if it was killed */
	close(job->pidfd);
	job->state = JOB_FREE;
}

/* Nothing more comes from this job; its process may take a while to go (it
 * may sleep in a file system), which holds nobody but its slot. */
static void main_job_end(struct helper *helper, struct job *job)
{
	struct pollfd p = { .fd = job->pidfd, .events = POLLIN };

	if (!job->answered) {
		main_refuse(helper, &job->request,
			    job->timed_out ? -ETIMEDOUT : -EIO);
	}
	if (job->request.job == HELPER_START_PRODUCT) {
		(void)jail_cgroups_remove(&helper->cgroups, job->cgroup);
	}
	close(job->channel);
	job->state = JOB_ENDING;
	if (poll(&p, 1, 0) == 1) {
		main_job_reap(job);
	}
}

static void main_job_message(struct helper *helper, struct job *job)
{
	static struct helper_message message;
	int fds[PASS_FDS];
	size_t count;
	int r = pass_receive(job->channel, &message, sizeof(message), fds,
				&count, 0);

	if (r <= 0) {
		main_job_end(helper, job);
		return;
	}
	if (!message.prepared) {
		job->answered = job->answered || message.reply.more == 0;
		loop_reply(helper, &job->request, &message.reply, fds, count);
		pass_close(fds, count);
		return;
	}
	/* The launch answers. The child does nothing now but exit. */
	close(job->channel);
	main_job_reap(job);
	launch_product(helper, job, &message.product, fds, count);
}

static void main_job_late(struct helper *helper, struct job *job)
{
	if (job->state == JOB_ENTERING) {
		launch_give_up(helper, job, ETIMEDOUT,
			       "the jail was not entered in time");
		return;
	}
	job->timed_out = true;
	(void)kill(job->pid, SIGKILL);  /* ours, not reaped: it is the one */
	main_job_end(helper, job);
}

/* ---- the loop ---- */

struct main_poll {
	struct pollfd fd[MAIN_POLLS];
	struct job *job[MAIN_POLLS];
	struct guest *guest[MAIN_POLLS];
	nfds_t count;
	int timeout_ms;
};

static void main_poll_add(struct main_poll *p, int fd, struct job *job,
			  struct guest *guest)
{
	p->fd[p->count] = (struct pollfd){ .fd = fd, .events = POLLIN };
	p->job[p->count] = job;
	p->guest[p->count] = guest;
	p->count++;
}

static void main_poll_until(struct main_poll *p, mono_t now, mono_t when)
{
	uint64_t ms = mono_between(now, when) / MONO_MS + 1;

	if (p->timeout_ms < 0 || ms < (uint64_t)p->timeout_ms) {
		p->timeout_ms = ms > 60000 ? 60000 : (int)ms;
	}
}

static void main_poll_fill(struct helper *helper, struct main_poll *p,
			   mono_t now)
{
	p->count = 0;
	p->timeout_ms = -1;
	main_poll_add(p, helper->socket, NULL, NULL);
	main_poll_add(p, helper->monitor, NULL, NULL);
	for (uint32_t i = 0; i < HELPER_JOBS; i++) {
		struct job *job = &helper->job[i];

		if (job->state == JOB_ENDING) {
			main_poll_add(p, job->pidfd, job, NULL);
		} else if (job->state != JOB_FREE) {
			main_poll_add(p, job->channel, job, NULL);
			main_poll_until(p, now, job->limit);
		}
	}
	for (uint32_t i = 0; i < HELPER_GUESTS; i++) {
		struct guest *guest = &helper->guest[i];

		if (guest->pid == 0) {
			continue;
		}
		if (guest->pidfd < 0) {
			main_poll_until(p, now, guest->again);
			continue;
		}
		main_poll_add(p, guest->pidfd, NULL, guest);
		if (guest->text.fd < 0) {
			continue;
		}
		if (mono_between(now, guest->text.again)) {
			main_poll_until(p, now, guest->text.again);
		} else {
			main_poll_add(p, guest->text.fd, NULL, guest);
		}
	}
}

static void main_poll_serve(struct helper *helper, struct main_poll *p,
			    mono_t now)
{
	for (nfds_t i = 2; i < p->count; i++) {
		struct job *job = p->job[i];
		struct guest *guest = p->guest[i];

		if (!p->fd[i].revents) {
			continue;
		}
		if (guest && guest->pidfd < 0) {
			continue;       /* ended earlier in this turn */
		}
		if (job && job->state == JOB_RUNNING) {
			main_job_message(helper, job);
		} else if (job && job->state == JOB_ENDING) {
			main_job_reap(job);
		} else if (job && job->state == JOB_ENTERING) {
			launch_status(helper, job);
		} else if (guest && guest->pid &&
			   p->fd[i].fd == guest->pidfd) {
			guest_end(helper, guest);
		} else if (guest && guest->pid) {
			guest_read(guest, now);
		}
	}
	for (uint32_t i = 0; i < HELPER_JOBS; i++) {
		struct job *job = &helper->job[i];

		if ((job->state == JOB_RUNNING || job->state == JOB_ENTERING) &&
		    !mono_between(now, job->limit)) {
			main_job_late(helper, job);
		}
	}
	for (uint32_t i = 0; i < HELPER_GUESTS; i++) {
		struct guest *guest = &helper->guest[i];

		if (guest->pid && guest->pidfd < 0 &&
		    !mono_between(now, guest->again)) {
			guest_leave(helper, guest, now);
		}
	}
}

static void main_end_guest(struct helper *helper, struct guest *guest,
			   mono_t last)
{
	struct pollfd p = { .fd = guest->pidfd, .events = POLLIN };
	uint64_t ms = mono_between(mono_now(), last) / MONO_MS;

	if (guest->pid == 0 || guest->cgroup[0] == '\0') {
		return;         /* a keeper ends by itself */
	}
	if (guest->pidfd >= 0) {
		(void)pidfd_send_signal(guest->pidfd, SIGKILL, NULL, 0);
	}
	if (guest->pid && guest->pidfd >= 0 && poll(&p, 1, (int)ms) == 1) {
		guest_end(helper, guest);
	}
	while (guest->pid && guest->pidfd < 0 &&
	       mono_between(mono_now(), last)) {
		usleep(1000);
		guest_leave(helper, guest, mono_now());
	}
}

/* Products end with the monitor by their death signal; wait for that, so that
 * their cgroups can be removed. */
_Noreturn static void main_end(struct helper *helper)
{
	mono_t last = mono_add(mono_now(), MAIN_LAST_WAIT_MS * MONO_MS);

	for (uint32_t i = 0; i < HELPER_JOBS; i++) {
		if (helper->job[i].state != JOB_FREE) {
			(void)kill(helper->job[i].pid, SIGKILL);
		}
	}
	for (uint32_t i = 0; i < HELPER_GUESTS; i++) {
		main_end_guest(helper, &helper->guest[i], last);
	}
	_exit(0);
}

static void main_init(struct helper *helper, int socket,
		      const struct helper_start *start)
{
	int bytes = MAIN_SOCKET_BYTES;
	struct stat st;

	(void)prctl(PR_SET_NAME, "bailey-helper");
	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	(void)signal(SIGPIPE, SIG_IGN);
	/* Signals to the whole group (^C, a service manager's stop) are the
	 * monitor's to act on; we end with it, when its guests are gone. */
	(void)signal(SIGINT, SIG_IGN);
	(void)signal(SIGTERM, SIG_IGN);
	(void)signal(SIGHUP, SIG_IGN);
	(void)signal(SIGCHLD, SIG_DFL);
	log_init("bailey-helper", LOG_INFO);
	memset(helper, 0, sizeof(*helper));
	helper->socket = dup2(socket, 3);
	(void)close_range(4, ~0u, 0);
	(void)fcntl(helper->socket, F_SETFD, FD_CLOEXEC);
	(void)setsockopt(helper->socket, SOL_SOCKET, SO_SNDBUFFORCE, &bytes,
			 sizeof(bytes));
	helper->start = start;
	helper->null = open("/dev/null", O_RDWR | O_CLOEXEC);
	helper->monitor = pidfd_open(getppid(), 0);
	for (uint32_t i = 0; i < HANDOFF_PRODUCTS; i++) {
		helper->cache[i].root = -1;
	}
	/* A --state directory that root owns is root's word for its content. */
	helper->strict = strcmp(start->state_dir, MAIN_STATE_DIR) == 0 ||
			 stat(start->state_dir, &st) < 0 || st.st_uid != 0 ||
			 (st.st_mode & 022);
	own_init(start->table);
	jail_cgroups_open(&helper->cgroups, getppid());
}

_Noreturn void helper_main(int socket, const struct helper_start *start)
{
	static struct main_poll p;
	struct helper *helper = &main_helper;

	main_init(helper, socket, start);
	if (helper->socket < 0 || helper->null < 0 || helper->monitor < 0 ||
	    own_add(getpid()) < 0) {
		log_error("cannot start: %s", strerror(errno));
		_exit(1);
	}
	for (;;) {
		mono_t now = mono_now();

		main_poll_fill(helper, &p, now);
		if (poll(p.fd, p.count, p.timeout_ms) < 0 && errno != EINTR) {
			_exit(1);
		}
		if (p.fd[1].revents ||
		    (p.fd[0].revents && !main_request(helper))) {
			main_end(helper);
		}
		main_poll_serve(helper, &p, mono_now());
	}
}
