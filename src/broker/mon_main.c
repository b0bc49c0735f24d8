/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mon_main.c - main of bailey-monitor: start, loop, end
 *
 * Start: open everything; have the helper read the configuration; have it
 * start the engine, and the products once that serves; confine; mark. The loop
 * waits for signals, the engine, the helper, administrators and the mount
 * table, and ticks four times a second. The end leaves the host as it was:
 * marks first, so that nobody waits for what is being taken down.
 */
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>

#include "base/log.h"
#include "broker/mon.h"

#define LOAD_LIMIT_MS 30000
#define EARLY_NS (5 * MONO_S)

/* ---- children ---- */

static void child_ended(struct mon *m, pid_t pid, int status)
{
	struct mon_instance *instance;
	uint32_t index;

	if (pid == m->helper_pid && m->stopping) {
		return;
	}
	if (pid == m->helper_pid) {
		log_error("the helper died; ending, to be started anew");
		m->stopping = true;
		return;
	}
	if (pid == m->keeper_pid) {
		m->keeper_pid = 0;      /* its control socket tells the rest */
		if (m->stopping) {
			return;         /* we ended it */
		}
		log_warning("keeper %d %s %d", pid,
			    WIFEXITED(status) ? "exited with"
					      : "killed by signal",
			    WIFEXITED(status) ? WEXITSTATUS(status)
					      : WTERMSIG(status));
		return;
	}
	if (pid == m->agent.pid) {
		mon_agent_ended(m, status);
		return;
	}
	if (mon_preflight_ended(m, pid, status)) {
		return;
	}
	instance = mon_instance_pid(m, pid, &index);
	if (instance && instance == &m->product[index].asked) {
		mon_product_ended(m, index, status);
		return;
	}
	if (instance) {
		mon_trial_ended(m, index, status);
		return;
	}
	m->early[m->early_next % MON_EARLY].when = mono_now();
	m->early[m->early_next % MON_EARLY].pid = pid;
	m->early[m->early_next++ % MON_EARLY].status = status;
}

/* A child may end before the helper's reply told us who it is. */
void mon_child_early(struct mon *m)
{
	for (size_t i = 0; i < MON_EARLY; i++) {
		pid_t pid = m->early[i].pid;
		uint32_t index;
		bool ours;

		if (mono_between(m->early[i].when, mono_now()) > EARLY_NS) {
			continue;       /* the number may be another's */
		}
		ours = pid && (pid == m->keeper_pid || pid == m->agent.pid ||
			       mon_preflight_is(m, pid) ||
			       mon_instance_pid(m, pid, &index));
		if (ours) {
			m->early[i].pid = 0;
			child_ended(m, pid, m->early[i].status);
		}
	}
}

static void on_signal(struct mon *m)
{
	struct signalfd_siginfo info;
	int status;
	pid_t pid;

	while (read(m->signals, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo != SIGCHLD) {
			m->stopping = true;
		}
	}
	while ((pid = waitpid(-1, &status, WNOHANG | WUNTRACED | WCONTINUED)) >
	       0) {
		if (WIFEXITED(status) || WIFSIGNALED(status)) {
			child_ended(m, pid, status);
		} else if (pid == m->keeper_pid) {
			m->keeper_stopped = WIFSTOPPED(status);
		}
	}
}

/* ---- the loop ---- */

enum {
	POLL_SIGNALS, POLL_HELPER, POLL_CONTROL, POLL_MOUNTS, POLL_ADMIN,
	POLL_AGENT, POLL_CLIENTS, POLL_END = POLL_CLIENTS + MON_CLIENTS
};

static int loop_timeout(const struct mon *m)
{
	mono_t now = mono_now();
	mono_t next = mono_add(m->tick, MON_TICK_MS * MONO_MS);
	bool may_start = m->engine_ready && !mon_products_busy(m);

	for (uint32_t i = 0; i < HANDOFF_PRODUCTS; i++) {
		mono_t start = m->product[i].next_start;

		if (start.ns && may_start && !m->product[i].switched.ns &&
		    start.ns < next.ns) {
			next = start;
		}
	}
	return (int)((mono_between(now, next) + MONO_MS - 1) / MONO_MS);
}

static void loop_turn(struct mon *m)
{
	struct pollfd p[POLL_END] = {
		[POLL_SIGNALS] = { m->signals, POLLIN, 0 },
		[POLL_HELPER] = { m->helper, POLLIN, 0 },
		[POLL_CONTROL] = { m->control, POLLIN, 0 },
		[POLL_MOUNTS] = { m->mountinfo, POLLPRI, 0 },
		[POLL_ADMIN] = { m->admin_listen, POLLIN, 0 },
		[POLL_AGENT] = { m->agent.socket, POLLIN, 0 },
	};

	for (size_t i = 0; i < MON_CLIENTS; i++) {
		p[POLL_CLIENTS + i] = (struct pollfd){ m->client[i].fd, POLLIN,
						       0 };
	}
	if (poll(p, POLL_END, loop_timeout(m)) < 0) {
		return;
	}
	if (p[POLL_CONTROL].revents) {
		mon_control_read(m);
	}
	if (p[POLL_AGENT].revents && m->agent.socket >= 0) {
		mon_agent_read(m);
	}
	if (p[POLL_HELPER].revents) {
		mon_helper_read(m);
	}
	if (p[POLL_SIGNALS].revents) {
		on_signal(m);
	}
	if (p[POLL_MOUNTS].revents && m->marked) {
		mon_scopes_again(m);
	}
	if (p[POLL_ADMIN].revents) {
		mon_admin_accept(m);
	}
	for (size_t i = 0; i < MON_CLIENTS; i++) {
		if (p[POLL_CLIENTS + i].revents && m->client[i].fd >= 0) {
			mon_admin_read(m, &m->client[i]);
		}
	}
	mon_products_due(m);
	mon_agent_due(m);
	if (mono_between(m->tick, mono_now()) >= MON_TICK_MS * MONO_MS) {
		mon_tick(m);
	}
}

/* ---- start and end ---- */

static void start_load(struct mon *m)
{
	struct helper_request r = { .job = HELPER_LOAD,
				    .limit_ms = LOAD_LIMIT_MS };

	memcpy(r.text, m->options.products, sizeof(r.text));
	if (mon_helper_ask(m, &r, NULL, 0) < 0) {
		exit(1);
	}
	m->loading = true;
	while (m->loading && !m->stopping) {
		loop_turn(m);
	}
}

static void start_engine(struct mon *m)
{
	mon_keeper_start(m);
	while (!m->engine_ready && !m->stopping) {
		loop_turn(m);
	}
}

/* Everything that we started is our child, or ends with us. */
static void end_children(struct mon *m)
{
	mono_t limit = mono_add(mono_now(), 2 * MONO_S);

	m->engine_ready = false;
	mon_products_kill(m);
	mon_preflights_end(m);
	if (m->agent.pid > 0) {
		kill(m->agent.pid, SIGTERM);
	}
	close(m->helper);       /* it ends, after its jobs */
	if (m->keeper_pid > 0) {
		kill(m->keeper_pid, SIGKILL);
	}
	while (mono_now().ns < limit.ns) {
		struct pollfd p = { m->signals, POLLIN, 0 };
		pid_t pid;

		while ((pid = waitpid(-1, NULL, WNOHANG)) > 0) {
		}
		if (pid < 0) {
			return;         /* no child is left */
		}
		poll(&p, 1, 20);
		on_signal(m);
	}
	log_warning("some processes did not end in time");
}

int main(int argc, char **argv)
{
	static struct mon m;

	log_init("bailey-monitor", LOG_INFO);
	mon_options_parse(argc, argv, &m.options);
	mon_setup(&m);
	m.tick = mono_now();
	start_load(&m);
	mon_agent_open(&m);
	mon_scopes_bind(&m);
	start_engine(&m);
	mon_confine();
	if (!m.stopping) {
		if (atomic_load(&m.table->forced) != HANDOFF_OFF) {
			mon_scopes_mark(&m);
		}
		mon_alive_again(&m);
		mon_alive_touch(&m);
		mon_notify(&m, "READY=1");
	}
	while (!m.stopping) {
		loop_turn(&m);
	}
	mon_notify(&m, "STOPPING=1");
	mon_agent_tell(&m, &(struct agent_message){ .type = AGENT_SHUTDOWN },
		       NULL, 0);
	mon_scopes_undo(&m);
	end_children(&m);
	mon_sockets_remove(&m);
	mon_agent_remove(&m);
	mon_alive_clean(&m);
	return 0;
}
