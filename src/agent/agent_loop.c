/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent_loop.c - one poll for all: monitor, staging, view, clients, preflights
 *
 * The monitor comes first: what it says may be that a version must go.
 */
#include "agent/agent.h"
#include "base/log.h"

#define POLLED (5 + AGENT_CLIENTS + AGENT_PRODUCTS * PREFLIGHT_FDS)

struct polled {
	struct pollfd fd[POLLED];
	struct agent_client *client[POLLED];
	size_t count;
	mono_t due;
};

static void add(struct polled *q, int fd, short events,
		struct agent_client *client)
{
	q->client[q->count] = client;
	q->fd[q->count++] = (struct pollfd){ .fd = fd, .events = events };
}

static void earlier(struct polled *q, mono_t due)
{
	if (due.ns && due.ns < q->due.ns) {
		q->due = due;
	}
}

static void poll_product(struct polled *q, const struct agent_product_state *p)
{
	mono_t due;

	if (!p->present || !p->store) {
		return;
	}
	earlier(q, p->check_until);
	if (p->step == AGENT_STEP_IDLE) {
		earlier(q, p->due);
		return;
	}
	earlier(q, p->limit);
	earlier(q, p->try.limit);
	if (p->try.run) {
		struct pollfd fds[PREFLIGHT_FDS];
		size_t n = preflight_run_poll(p->try.run, fds, &due);

		for (size_t i = 0; i < n; i++) {
			add(q, fds[i].fd, fds[i].events, NULL);
		}
		earlier(q, due);
	}
}

static bool client_room(const struct agent *agent)
{
	for (size_t i = 0; i < AGENT_CLIENTS; i++) {
		if (!agent->client[i]) {
			return true;
		}
	}
	return false;
}

static void gather(struct agent *agent, struct polled *q)
{
	q->count = 0;
	q->due = mono_add(mono_now(), 60 * MONO_S);
	add(q, agent->monitor, POLLIN, NULL);
	add(q, agent->inotify, POLLIN, NULL);
	add(q, client_room(agent) ? agent->listen : -1, POLLIN, NULL);
	add(q, agent->view, POLLIN, NULL);
	add(q, agent->fill_done, POLLIN, NULL);
	earlier(q, agent->view >= 0 ? agent->view_limit : agent->view_next);
	for (size_t i = 0; i < AGENT_CLIENTS; i++) {
		short events;

		if (agent->client[i]) {
			int fd = agent_client_fd(agent->client[i], &events);

			add(q, fd, events, agent->client[i]);
		}
	}
	for (uint32_t i = 0; i < AGENT_PRODUCTS; i++) {
		poll_product(q, &agent->product[i]);
	}
}

static void wait_for(struct polled *q)
{
	uint64_t ms = mono_between(mono_now(), q->due);

	ms = (ms + MONO_MS - 1) / MONO_MS;
	if (poll(q->fd, q->count, (int)ms) < 0) {
		for (size_t i = 0; i < q->count; i++) {
			q->fd[i].revents = 0;
		}
	}
}

void agent_loop(struct agent *agent)
{
	static struct polled q;

	while (!agent->over) {
		gather(agent, &q);
		wait_for(&q);
		if (agent_monitor_read(agent) < 0) {
			log_warning("the monitor is gone");
			return;
		}
		if (q.fd[1].revents) {
			agent_staging_news(agent);
		}
		for (uint32_t i = 0; i < AGENT_PRODUCTS; i++) {
			agent_product_tick(&agent->product[i]);
			agent_check_turn(&agent->product[i]);
		}
		if (q.fd[3].revents) {
			agent_view_read(agent);
		}
		if (q.fd[4].revents) {
			agent_fill_turn(agent);
		}
		agent_view_tick(agent);
		for (size_t i = 5; i < q.count; i++) {
			/* Without events only who must ask is looked at. */
			if (q.client[i]) {
				agent_client_turn(agent, q.client[i]);
			}
		}
		if (q.fd[2].revents) {
			agent_accept(agent);
		}
	}
}
