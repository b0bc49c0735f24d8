/* SPDX-License-Identifier: Apache-2.0 */
/* run_loop.c - `bailey run` at work (run.h): signals, deaths, decisions */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/result.h"
#include "cli/run.h"

#define LOOP_EVENTS 64          /* decisions taken in one round */
#define LOOP_RETRY_NS (200 * MONO_MS)

static bool loop_due(mono_t at, mono_t now)
{
	return at.ns && now.ns >= at.ns;
}

static void loop_stop(struct run *run, const char *why)
{
	if (run->stop_by.ns) {
		return;
	}
	run->stop_by = mono_add(mono_now(), RUN_STOP_NS);
	run->start_at.ns = run->connect_at.ns = 0;
	run_updater_end(&run->updater);
	if (run->monitor.pid == 0) {
		run->done = true;
		return;
	}
	run_say("%s: ending", why);
	kill(run->monitor.pid, SIGTERM);
}

static void loop_ready(struct run *run)
{
	run->connect_at = mono_now();
	run_updater_begin(&run->updater);
	if (!run->was_ready) {
		run->was_ready = true;
		run_say_ready();
		return;
	}
	run_say("the monitor is back, %llu ms after its death",
		(unsigned long long)(mono_between(run->died_at, mono_now()) /
				     MONO_MS));
}

static const char *loop_status(int status, char *buffer, size_t room)
{
	if (WIFSIGNALED(status)) {
		snprintf(buffer, room, "was killed by signal %d (%s)",
			 WTERMSIG(status), strsignal(WTERMSIG(status)));
	} else {
		snprintf(buffer, room, "ended with code %d",
			 WEXITSTATUS(status));
	}
	return buffer;
}

/* The monitor ended. Was it asked to, could it not start, or did it die? */
static void loop_ended(struct run *run, int status)
{
	bool clean = WIFEXITED(status) && WEXITSTATUS(status) == 0;
	char text[128];
	uint64_t delay;

	loop_status(status, text, sizeof(text));
	run->died_at = mono_now();
	peer_closep(&run->events);
	run->connect_at.ns = 0;
	run_monitor_sweep(&run->monitor, run->updater.pid);
	if (run->stop_by.ns || clean) {
		run->done = true;
		run->code = clean ? CLI_YES : CLI_UNKNOWN;
		if (!clean) {
			run_say("the monitor %s while ending; see if a mount "
				"is left over", text);
		}
		return;
	}
	if (!run->was_ready && WIFEXITED(status)) {
		run_say("the monitor could not start: it %s; the reason stands "
			"above", text);
		run->done = true;
		run->code = CLI_NO;
		return;
	}
	delay = run_backoff_death(&run->backoff, run->died_at);
	if (delay) {
		run_say("the monitor %s again; next start in %llu ms", text,
			(unsigned long long)(delay / MONO_MS));
	} else {
		run_say("the monitor %s; starting it again", text);
	}
	run->start_at = mono_add(run->died_at, delay);
}

static void loop_start(struct run *run)
{
	int r = run_monitor_start(&run->monitor);

	run->start_at.ns = 0;
	if (r < 0) {
		run_say("cannot start a process: %s; trying again",
			strerror(-r));
		run->start_at = mono_add(mono_now(), RUN_DELAY_MOST_NS);
	}
}

static void loop_signals(struct run *run)
{
	struct signalfd_siginfo info;

	while (read(run->signal_fd, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo != SIGCHLD) {
			loop_stop(run, strsignal((int)info.ssi_signo));
		}
	}
}

static void loop_reap(struct run *run)
{
	int status;

	if (run_monitor_reap(&run->monitor, &status)) {
		loop_ended(run, status);
	}
}

/* ---- decisions ---- */

static void loop_connect(struct run *run)
{
	/* All decisions only where somebody wants to see them: each costs the
	 * engine a record. */
	struct view_request request = { .type = run->debug ? VIEW_EVENTS
							   : VIEW_ALERTS };
	int r = peer_open(&run->events, run->place.state_fd, PEER_ENGINE, 0);

	run->connect_at.ns = 0;
	if (r == 0) {
		r = peer_ask_view(&run->events, &request);
	}
	if (r < 0) {
		peer_closep(&run->events);
		run->connect_at = mono_add(mono_now(), LOOP_RETRY_NS);
	}
}

static void loop_decisions(struct run *run)
{
	union peer_record record;
	int most, r = 1;

	for (most = LOOP_EVENTS; most > 0 && r == 1; most--) {
		r = peer_next(&run->events, &record);
		if (r == 1 && record.head.type == VIEW_DECISION) {
			run_say_decision(&record.decision, run->debug);
		}
	}
	if (r != 1 && r != -ETIMEDOUT) {
		peer_closep(&run->events);
		run->connect_at = mono_add(mono_now(), LOOP_RETRY_NS);
	}
}

/* ---- time ---- */

static void loop_deadlines(struct run *run)
{
	mono_t now = mono_now();

	if (loop_due(run->start_at, now)) {
		loop_start(run);
	}
	if (loop_due(run->connect_at, now)) {
		loop_connect(run);
	}
	if (run->monitor.pid && run->monitor.watched && !run->stop_by.ns &&
	    mono_between(run->monitor.heard, now) > RUN_WATCHDOG_NS &&
	    run_monitor_hear(&run->monitor) == 0 &&
	    mono_between(run->monitor.heard, now) > RUN_WATCHDOG_NS) {
		run_say("the monitor was silent for %llu s: killing it",
			RUN_WATCHDOG_NS / MONO_S);
		run->monitor.heard = now;
		kill(run->monitor.pid, SIGKILL);
	}
	if (loop_due(run->stop_by, now) && run->monitor.pid) {
		run_say("the monitor does not end: killing it");
		run->stop_by = mono_add(now, RUN_STOP_NS);
		kill(run->monitor.pid, SIGKILL);
	}
}

/* Milliseconds until the next deadline, rounded up; -1: none. */
static int loop_wait(const struct run *run)
{
	mono_t now = mono_now(), next = { UINT64_MAX };
	const mono_t all[] = { run->start_at, run->connect_at, run->stop_by,
			       run->updater.start_at };
	size_t i;

	for (i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		if (all[i].ns && all[i].ns < next.ns) {
			next = all[i];
		}
	}
	if (run->monitor.pid && run->monitor.watched &&
	    run->monitor.heard.ns + RUN_WATCHDOG_NS < next.ns) {
		next = mono_add(run->monitor.heard, RUN_WATCHDOG_NS + MONO_MS);
	}
	if (next.ns == UINT64_MAX) {
		return -1;
	}
	return (int)((mono_between(now, next) + MONO_MS - 1) / MONO_MS);
}

static void loop_round(struct run *run)
{
	enum { SIGNALS, NOTIFY, EVENTS, INPUT, COUNT };
	struct pollfd p[COUNT] = {
		[SIGNALS] = { .fd = run->signal_fd, .events = POLLIN },
		[NOTIFY] = { .fd = run->monitor.notify_fd, .events = POLLIN },
		[EVENTS] = { .fd = run->events.fd, .events = POLLIN },
		[INPUT] = { .fd = run->watch_input ? STDIN_FILENO : -1 },
	};

	if (poll(p, COUNT, loop_wait(run)) < 0 && errno != EINTR) {
		loop_stop(run, strerror(errno));
	}
	if (p[NOTIFY].revents && run_monitor_hear(&run->monitor) == 1) {
		loop_ready(run);
	}
	if (p[SIGNALS].revents) {
		loop_signals(run);
	}
	if (p[INPUT].revents & (POLLHUP | POLLERR | POLLNVAL)) {
		run->watch_input = false;
		loop_stop(run, "end of input");
	}
	if (p[EVENTS].revents) {
		loop_decisions(run);
	}
	loop_reap(run);
	run_updater_turn(&run->updater);
	if (!run->done) {
		loop_deadlines(run);
	}
}

int run_loop(struct run *run)
{
	run->code = CLI_YES;
	loop_start(run);
	while (!run->done) {
		loop_round(run);
	}
	run_updater_end(&run->updater);
	peer_closep(&run->events);
	return run->code;
}
