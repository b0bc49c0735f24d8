/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mon_preflight.c - a product's process in a jail of its own, for the agent
 *
 * The same program, jail and limits, another uid and the lowest priority; its
 * session goes to the agent, which plays the engine. We start it, pass on what
 * the helper made, reap it. AGENT_TRIES at a time.
 */
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#include "base/text.h"
#include "broker/mon.h"

#define PREFLIGHT_LIMIT_MS 20000

static struct mon_try *preflight_find(struct mon *m, uint32_t id)
{
	for (size_t i = 0; i < AGENT_TRIES; i++) {
		if (m->try[i].id == id) {
			return &m->try[i];
		}
	}
	return NULL;
}

int mon_preflight_start(struct mon *m, const struct agent_message *request)
{
	struct mon_try *t = preflight_find(m, 0);
	struct helper_request r = {
		.job = HELPER_START_PRODUCT, .index = request->index,
		.limit_ms = PREFLIGHT_LIMIT_MS,
		.uid = MON_PREFLIGHT_UID + request->index,
		.purpose = AGENT_PREFLIGHT, .try = request->try,
		.manifest = m->product[request->index].manifest };
	int error;

	if (!t) {
		return EBUSY;
	}
	memcpy(r.hash, request->hash, sizeof(r.hash));
	error = mon_helper_ask(m, &r, NULL, 0);
	if (error == 0) {
		*t = (struct mon_try){ .id = request->try,
				       .index = request->index,
				       .starting = true };
	}
	return -error;
}

static void preflight_told(struct mon *m, const struct mon_try *t,
			   uint32_t fault, int status, const char *text)
{
	struct agent_message ended = { .type = AGENT_TRY_ENDED,
				       .index = t->index, .try = t->id,
				       .purpose = AGENT_PREFLIGHT,
				       .fault = fault,
				       .number = (uint64_t)status };

	text_format(ended.text, sizeof(ended.text), "%s", text);
	mon_agent_tell(m, &ended, NULL, 0);
}

int mon_preflight_stop(struct mon *m, uint32_t id)
{
	struct mon_try *t = preflight_find(m, id);

	if (!t || !id) {
		return ENOENT;
	}
	t->unwanted = true;
	if (t->pid > 0) {
		kill(t->pid, SIGKILL);
	}
	return 0;
}

/* fds: pidfd, session, directories, statm. The agent's order: see agent.h. */
void mon_preflight_started(struct mon *m, const struct helper_reply *r,
			   int *fds, size_t count)
{
	struct mon_try *t = preflight_find(m, r->try);
	size_t directories = (size_t)__builtin_popcountll(r->number);
	struct agent_message started = { .type = AGENT_TRY_STARTED,
					 .index = r->index, .try = r->try,
					 .purpose = AGENT_PREFLIGHT,
					 .pid = r->pid, .number = r->number };
	int pass[PASS_FDS];

	if (!t || !r->try) {
		if (!r->error) {
			kill(r->pid, SIGKILL);
		}
		return;
	}
	t->starting = false;
	if (r->error || count < directories + 3) {
		preflight_told(m, t, AGENT_FAULT_START, 0, r->error ? r->text :
			       "its session did not come");
		if (!r->error) {
			kill(r->pid, SIGKILL);
		}
		*t = (struct mon_try){ 0 };
		return;
	}
	t->pid = r->pid;
	pass[0] = fds[0];
	pass[1] = fds[2 + directories];
	memcpy(pass + 2, fds + 1, (1 + directories) * sizeof(*pass));
	mon_agent_tell(m, &started, pass, 3 + directories);
	if (t->unwanted || m->agent.socket < 0) {
		kill(t->pid, SIGKILL);
	}
	mon_child_early(m);
}

bool mon_preflight_is(const struct mon *m, pid_t pid)
{
	for (size_t i = 0; pid && i < AGENT_TRIES; i++) {
		if (m->try[i].pid == pid) {
			return true;
		}
	}
	return false;
}

bool mon_preflight_ended(struct mon *m, pid_t pid, int status)
{
	for (size_t i = 0; i < AGENT_TRIES; i++) {
		struct mon_try *t = &m->try[i];

		if (t->pid == pid) {
			preflight_told(m, t, t->unwanted ? AGENT_FAULT_NONE
				       : WIFSIGNALED(status)
					       ? AGENT_FAULT_CRASH
					       : AGENT_FAULT_EXIT, status,
				       WIFSIGNALED(status)
					       ? strsignal(WTERMSIG(status))
					       : "exited");
			*t = (struct mon_try){ 0 };
			return true;
		}
	}
	return false;
}

void mon_preflights_end(struct mon *m)
{
	for (size_t i = 0; i < AGENT_TRIES; i++) {
		m->try[i].unwanted = true;
		if (m->try[i].pid > 0) {
			kill(m->try[i].pid, SIGKILL);
		}
	}
}
