/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent_view.c - the engine's counters, from view.sock
 *
 * A status request a second while something is on trial. Nobody waits for the
 * engine: records are taken as they come, and a connection that brings none is
 * closed after a while.
 */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "agent/agent.h"

#define VIEW_TRIAL_MS 1000u
#define VIEW_IDLE_MS 10000u
#define VIEW_LIMIT_MS 2000u

static void view_close(struct agent *agent)
{
	fd_closep(&agent->view);
	agent->view = -1;
}

static void view_plan(struct agent *agent)
{
	uint64_t ms = VIEW_IDLE_MS;

	for (uint32_t i = 0; i < AGENT_PRODUCTS; i++) {
		if (agent->product[i].trial) {
			ms = VIEW_TRIAL_MS;
		}
	}
	agent->view_next = mono_add(mono_now(), ms * MONO_MS);
}

static int view_connect(struct agent *agent)
{
	struct view_request request = { .version = VIEW_VERSION,
					.type = VIEW_STATUS };
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	cleanup_fd int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC |
						    SOCK_NONBLOCK, 0);

	snprintf(to.sun_path, sizeof(to.sun_path), "/proc/self/fd/%d",
		 agent->view_path);
	if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0 ||
	    send(fd, &request, sizeof(request), MSG_NOSIGNAL) < 0) {
		return result_errno();
	}
	agent->view = fd_take(&fd);
	agent->view_limit = mono_add(mono_now(), VIEW_LIMIT_MS * MONO_MS);
	return 0;
}

void agent_view_tick(struct agent *agent)
{
	mono_t now = mono_now();

	if (agent->view >= 0 && now.ns >= agent->view_limit.ns) {
		view_close(agent);
	}
	if (agent->view >= 0 || now.ns < agent->view_next.ns) {
		return;
	}
	view_plan(agent);
	if (view_connect(agent) < 0) {
		view_close(agent);      /* no engine now: the next time */
	}
}

static void view_product(struct agent *agent, const struct view_product *v)
{
	struct agent_product_state *p;

	if (v->index >= AGENT_PRODUCTS) {
		return;
	}
	p = &agent->product[v->index];
	if (p->present && p->store) {
		agent_trial_counted(p, v);
	}
}

void agent_view_read(struct agent *agent)
{
	union {
		struct view_head head;
		struct view_product product;
		char bytes[4096];
	} record;

	while (agent->view >= 0) {
		ssize_t n = recv(agent->view, &record, sizeof(record),
				 MSG_DONTWAIT);

		if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
			return;
		}
		if (n < (ssize_t)sizeof(record.head) ||
		    record.head.type == VIEW_END) {
			view_close(agent);
			return;
		}
		if (record.head.type == VIEW_PRODUCT &&
		    n == (ssize_t)sizeof(record.product)) {
			view_product(agent, &record.product);
		}
	}
}
