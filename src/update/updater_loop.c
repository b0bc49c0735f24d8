/* SPDX-License-Identifier: Apache-2.0 */
#include "update/updater_loop.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "proto/content.h"

#define LOOP_POLLS (2u + UPDATER_PRODUCTS * LOOP_CHILDREN)
#define LOOP_GRACE_S 60u

static uint64_t loop_random(void)
{
	uint64_t n = 0;

	/* without it every host waits the same: worse, but no fault */
	(void)!getrandom(&n, sizeof(n), GRND_NONBLOCK);
	return n ^ (uint64_t)getpid() * 0x9e3779b97f4a7c15ull;
}

/* ---- a try, in its child ---- */

static void child_told(void *context, const struct updater_outcome *outcome)
{
	/* a pipe takes so little at once; without its reader all is over */
	(void)!write(*(const int *)context, outcome, sizeof(*outcome));
}

static _Noreturn void child_run(const struct loop *loop,
				const struct loop_slot *slot, int pipe,
				pid_t parent)
{
	struct updater_outcome outcome;
	struct updater_job job = {
		.product = &slot->product, .folder = slot->folder,
		.thorough = !slot->tried, .most = loop->most,
		.told = child_told, .context = &pipe,
	};

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent || fchdir(slot->folder) < 0) {
		_exit(2);
	}
	sigprocmask(SIG_SETMASK, &loop->before, NULL);
	(void)!updater_try(&job, &outcome);
	child_told(&pipe, &outcome);
	_exit(outcome.error ? 1 : 0);
}

static struct loop_child *slot_free_child(struct loop_slot *slot)
{
	unsigned i;

	for (i = 0; i < LOOP_CHILDREN; i++) {
		if (slot->child[i].pid == 0) {
			return &slot->child[i];
		}
	}
	return NULL;
}

static void slot_start(const struct loop *loop, struct loop_slot *slot)
{
	struct loop_child *child = slot_free_child(slot);
	pid_t parent = getpid();
	int ends[2];

	slot->last = mono_now();
	/* what it becomes stands here when the metadata is done */
	slot->next = mono_add(slot->last, UPDATER_TRY_S * MONO_S);
	if (!child || pipe2(ends, O_CLOEXEC) < 0) {
		return;
	}
	child->pid = fork();
	if (child->pid == 0) {
		child_run(loop, slot, ends[1], parent);
	}
	close(ends[1]);
	if (child->pid < 0) {
		child->pid = 0;
		close(ends[0]);
		return;
	}
	child->pipe = ends[0];
	child->heard = 0;
	child->end = mono_add(slot->last, (UPDATER_TRY_S + UPDATER_BLOBS_S +
					   LOOP_GRACE_S) * MONO_S);
	slot->tried = true;
}

/* ---- outcomes ---- */

static void slot_say(const struct loop_slot *slot,
		     const struct updater_outcome *outcome)
{
	if (outcome->error) {
		log_warning("%s: %s", slot->product.name, outcome->reason);
	} else if (slot->failed) {
		log_notice("%s: good again", slot->product.name);
	}
}

/* The metadata says when the next try is; a failure of blobs may only bring
 * it nearer. */
static void slot_plan(struct loop_slot *slot,
		      const struct updater_outcome *outcome, bool last)
{
	struct updater_plan plan = slot->plan;
	mono_t next = mono_add(mono_now(), MONO_MS *
		updater_plan_next(&plan, outcome, loop_random()));

	if (last) {
		slot->plan = plan;
		if (outcome->error && mono_between(next, slot->next)) {
			slot->next = next;
		}
		return;
	}
	slot->next = next;
	slot->plan.poll_s = plan.poll_s;
	slot->plan.jitter_s = plan.jitter_s;
	if (outcome->error) {
		slot->plan.failures = plan.failures;
	}
}

/* last: the try is over; else its metadata is. */
static void slot_take(struct loop_slot *slot,
		      const struct updater_outcome *outcome, bool last)
{
	int r;

	if (outcome->step == UPDATER_STEP_LOCK) {
		/* its status is the other's to write */
		log_warning("%s: %s", slot->product.name, outcome->reason);
		slot->failed = true;
		slot->next = mono_add(mono_now(), UPDATER_RETRY_S * MONO_S);
		return;
	}
	if (outcome->reached && !outcome->error) {
		slot->reached_s = (int64_t)time(NULL);
	}
	slot_plan(slot, outcome, last);
	r = updater_status_write(slot->folder, slot->product.name, outcome,
		slot->reached_s, (int64_t)time(NULL) +
		(int64_t)(mono_between(mono_now(), slot->next) / MONO_S),
		slot->plan.failures);
	if (r < 0) {
		log_warning("%s: status.json: %s", slot->product.name,
			    strerror(-r));
	}
	if (last || outcome->error) {
		slot_say(slot, outcome);
		slot->failed = outcome->error != 0;
	}
}

static void child_ended(struct loop_slot *slot, struct loop_child *child)
{
	struct updater_outcome outcome = { .error = 0 };
	int status = 0;

	fd_closep(&child->pipe);
	kill(child->pid, SIGKILL);      /* it has nothing more to say */
	while (waitpid(child->pid, &status, 0) < 0 && errno == EINTR) {
	}
	child->pid = 0;
	if (WIFSIGNALED(status) && child->heard < 2) {
		updater_fail(&outcome, UPDATER_STEP_METADATA, -EIO,
			     "the try was ended by signal %d",
			     WTERMSIG(status));
		slot_take(slot, &outcome, true);
	}
}

static void child_hear(struct loop_slot *slot, struct loop_child *child)
{
	struct updater_outcome outcome;
	ssize_t n = read(child->pipe, &outcome, sizeof(outcome));

	if (n != (ssize_t)sizeof(outcome) || child->heard == 2) {
		if (n < 0 && errno == EINTR) {
			return;
		}
		child_ended(slot, child);
		return;
	}
	outcome.reason[sizeof(outcome.reason) - 1] = '\0';
	/* a failure of the metadata comes twice, as the last word too */
	if (child->heard++ == 0 || !outcome.error || outcome.reached) {
		slot_take(slot, &outcome, child->heard == 2);
	}
}

/* ---- products ---- */

static void slot_fini(struct loop *loop, struct loop_slot *slot)
{
	unsigned i;

	for (i = 0; i < LOOP_CHILDREN; i++) {
		if (slot->child[i].pid > 0) {
			kill(slot->child[i].pid, SIGKILL);
			waitpid(slot->child[i].pid, NULL, 0);
			fd_closep(&slot->child[i].pipe);
		}
	}
	if (slot->watch >= 0) {
		inotify_rm_watch(loop->inotify, slot->watch);
	}
	fd_closep(&slot->folder);
}

static void slot_watch(struct loop *loop, struct loop_slot *slot)
{
	char path[MANIFEST_NAME + 16];

	/* by path below staging, which is the current directory */
	snprintf(path, sizeof(path), "%s/" CONTENT_CHECK, slot->product.name);
	slot->watch = fchdir(loop->staging) < 0 ? -1 :
		inotify_add_watch(loop->inotify, path, IN_ATTRIB);
	if (slot->watch < 0) {
		log_warning("%s: a check is not heard: %s", path,
			    strerror(errno));
	}
}

static void loop_slots(struct loop *loop)
{
	uint32_t i;

	for (i = 0; i < loop->config.count; i++) {
		struct loop_slot *slot = &loop->slot[loop->slots];
		const struct updater_product *p = &loop->config.product[i];
		int r;

		if (!p->url[0]) {
			continue;       /* by import and submit only */
		}
		*slot = (struct loop_slot){ .product = *p, .folder = -1,
					    .watch = -1,
					    .next = mono_now() };
		r = updater_place_open(loop->staging, p->name, &slot->folder);
		if (r < 0) {
			log_error("%s: staging: %s; see who owns it", p->name,
				  strerror(-r));
			loop->config.bad++;
			continue;
		}
		slot_watch(loop, slot);
		loop->slots++;
	}
}

static void loop_complain(const char *text)
{
	log_error("%s", text);
}

static void loop_reload(struct loop *loop)
{
	uint32_t i;

	if (access(loop->etc, R_OK | X_OK) < 0) {
		/* it was read as root, before rights were given up */
		log_warning("%s: %s: the configuration stays as it was read; "
			    "start this again", loop->etc, strerror(errno));
		return;
	}
	for (i = 0; i < loop->slots; i++) {
		slot_fini(loop, &loop->slot[i]);
	}
	loop->slots = 0;
	updater_config_fini(&loop->config);
	updater_config_read(loop->etc, loop->named, loop->names,
			    &loop->config, loop_complain);
	loop_slots(loop);
}

/* ---- waiting ---- */

static void loop_check(struct loop *loop, int watch)
{
	uint32_t i;

	for (i = 0; i < loop->slots; i++) {
		struct loop_slot *slot = &loop->slot[i];
		mono_t soon = mono_add(slot->last, UPDATER_CHECK_S * MONO_S);

		if (slot->watch == watch && mono_between(soon, slot->next)) {
			slot->next = soon;
		}
	}
}

static void loop_inotify(struct loop *loop)
{
	char buffer[sizeof(struct inotify_event) + NAME_MAX + 1]
		__attribute__((aligned(__alignof__(struct inotify_event))));
	const struct inotify_event *event = (const void *)buffer;

	while (read(loop->inotify, buffer, sizeof(buffer)) >=
	       (ssize_t)sizeof(*event)) {
		loop_check(loop, event->wd);
	}
}

/* True: it is to end. */
static bool loop_signal(struct loop *loop)
{
	struct signalfd_siginfo info;
	bool end = false;

	while (read(loop->signals, &info, sizeof(info)) ==
	       (ssize_t)sizeof(info)) {
		if (info.ssi_signo == SIGHUP) {
			loop_reload(loop);
			return false;
		}
		end = true;
	}
	return end;
}

static mono_t loop_earlier(mono_t a, mono_t b)
{
	return a.ns < b.ns ? a : b;
}

/* Starts what is due, kills what is over its time; until when to sleep. */
static mono_t loop_due(struct loop *loop)
{
	mono_t now = mono_now(), until = mono_add(now, 3600 * MONO_S);
	uint32_t i;
	unsigned k;

	for (i = 0; i < loop->slots; i++) {
		struct loop_slot *slot = &loop->slot[i];

		if (mono_between(now, slot->next) == 0 &&
		    !(loop->once && slot->tried)) {
			slot_start(loop, slot);
		}
		if (!loop->once) {
			until = loop_earlier(until, slot->next);
		}
		for (k = 0; k < LOOP_CHILDREN; k++) {
			struct loop_child *child = &slot->child[k];

			if (child->pid == 0) {
				continue;
			}
			if (mono_between(now, child->end) == 0) {
				kill(child->pid, SIGKILL);
			}
			until = loop_earlier(until, child->end);
		}
	}
	return until;
}

static bool loop_working(const struct loop *loop)
{
	uint32_t i;
	unsigned k;

	for (i = 0; i < loop->slots; i++) {
		for (k = 0; k < LOOP_CHILDREN; k++) {
			if (loop->slot[i].child[k].pid) {
				return true;
			}
		}
	}
	return false;
}

/* One wait. True: it is to end. */
static bool loop_wait(struct loop *loop, mono_t until)
{
	struct pollfd p[LOOP_POLLS] = {
		{ .fd = loop->signals, .events = POLLIN },
		{ .fd = loop->inotify, .events = POLLIN },
	};
	uint64_t ms = (mono_between(mono_now(), until) + MONO_MS - 1) /
		      MONO_MS;
	unsigned n = 2, k;
	uint32_t i;

	for (i = 0; i < loop->slots; i++) {
		for (k = 0; k < LOOP_CHILDREN; k++, n++) {
			const struct loop_child *child =
				&loop->slot[i].child[k];

			p[n].fd = child->pid ? child->pipe : -1;
			p[n].events = POLLIN;
		}
	}
	if (poll(p, n, ms > INT_MAX ? INT_MAX : (int)ms) <= 0) {
		return false;
	}
	for (i = 0, n = 2; i < loop->slots; i++) {
		for (k = 0; k < LOOP_CHILDREN; k++, n++) {
			if (p[n].revents) {
				child_hear(&loop->slot[i],
					   &loop->slot[i].child[k]);
			}
		}
	}
	if (p[1].revents) {
		loop_inotify(loop);
	}
	return p[0].revents && loop_signal(loop);
}

static int loop_open(struct loop *loop)
{
	static const int ours[] = { SIGTERM, SIGINT, SIGHUP };
	sigset_t set;
	size_t i;

	sigemptyset(&set);
	for (i = 0; i < sizeof(ours) / sizeof(ours[0]); i++) {
		sigaddset(&set, ours[i]);
	}
	sigprocmask(SIG_BLOCK, &set, &loop->before);
	signal(SIGPIPE, SIG_IGN);
	loop->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	loop->inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	return loop->signals < 0 || loop->inotify < 0 ? result_errno() : 0;
}

static int loop_code(const struct loop *loop)
{
	bool failed = loop->config.bad > 0;
	uint32_t i;

	for (i = 0; i < loop->slots; i++) {
		failed = failed || loop->slot[i].failed;
	}
	return loop->once && failed ? 1 : 0;
}

int loop_run(struct loop *loop)
{
	bool end = false;
	uint32_t i;
	int code, r = loop_open(loop);

	if (r < 0) {
		log_error("cannot begin: %s", strerror(-r));
		return 2;
	}
	loop_slots(loop);
	while (!end) {
		mono_t until = loop_due(loop);

		end = (loop->once && !loop_working(loop)) ||
		      loop_wait(loop, until);
	}
	code = loop_code(loop);
	for (i = 0; i < loop->slots; i++) {
		slot_fini(loop, &loop->slot[i]);
	}
	close(loop->inotify);
	close(loop->signals);
	return code;
}
