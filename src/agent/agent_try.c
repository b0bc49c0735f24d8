/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent_try.c - processes that were asked for: preflights and standbys
 *
 * The agent is the engine of a preflight (preflight.h); of a standby it only
 * hears whether it became ready. One at a time a product.
 */
#include <string.h>

#include "agent/agent.h"
#include "base/text.h"

#define STARTED_S 30u           /* until TRY_STARTED; a busy helper */

static uint32_t try_next(struct agent *agent)
{
	agent->next_try += agent->next_try + 1 == 0 ? 2 : 1;
	return agent->next_try;
}

void agent_try_drop(struct agent_product_state *p)
{
	struct agent_try *t = &p->try;

	t->run = preflight_run_free(t->run);
	fd_closep(&t->pidfd);
	for (size_t i = 0; i < PREFLIGHT_DIRECTORIES; i++) {
		fd_closep(&t->directory[i]);
	}
	if (t->loaded.version) {
		preflight_slot_close(&t->loaded);
	}
	if (t->asked.version) {
		preflight_slot_close(&t->asked);
	}
	*t = (struct agent_try){ .pidfd = -1,
				 .directory = { -1, -1, -1, -1 } };
}

void agent_try_stop(struct agent_product_state *p)
{
	struct agent_message m = { .try = p->try.id };

	if (p->try.id) {
		agent_tell(p, AGENT_TRY_STOP, &m);
	}
	agent_try_drop(p);
}

static void try_ask(struct agent_product_state *p, uint32_t purpose,
		    const uint8_t hash[VERSION_HASH])
{
	struct agent_try *t = &p->try;
	struct agent_message m = { .purpose = purpose };

	t->id = m.try = try_next(p->agent);
	t->purpose = purpose;
	t->limit = mono_add(mono_now(), STARTED_S * MONO_S);
	memcpy(t->hash, hash, VERSION_HASH);
	memcpy(m.hash, hash, VERSION_HASH);
	agent_tell(p, AGENT_TRY_START, &m);
}

void agent_try_parallel(struct agent_product_state *p,
			const uint8_t hash[VERSION_HASH])
{
	agent_try_drop(p);
	try_ask(p, AGENT_PARALLEL, hash);
}

static int slot_of(struct agent_product_state *p, const uint8_t *hash,
		   struct preflight_slot *ret_slot)
{
	cleanup_fd int dir = store_open_slot(p->store, hash, ".");
	char why[PREFLIGHT_TEXT];

	return dir < 0 ? dir : preflight_slot_open(dir, ret_slot, why);
}

int agent_try_preflight(struct agent_product_state *p,
			const uint8_t loaded[VERSION_HASH],
			const uint8_t *asked,
			const struct agent_fault_seen *fault)
{
	struct agent_try *t = &p->try;
	int r;

	agent_try_drop(p);
	r = slot_of(p, loaded, &t->loaded);
	if (r == 0 && asked) {
		r = slot_of(p, asked, &t->asked);
	}
	if (r < 0) {
		return r;
	}
	for (size_t i = 0; fault && i < fault->held; i++) {
		struct preflight_case *c = &t->replay[t->replays++];

		text_format(c->name, sizeof(c->name), "object %zu", i + 1);
		c->fd = fault->fd[i];   /* borrowed of the fault */
		c->kind = fault->kind[i];
		c->expect = BAILEY_VERDICT_NONE;
		c->repeat = 1;
	}
	try_ask(p, AGENT_PREFLIGHT, loaded);
	return 0;
}

static void try_plan(struct agent_product_state *p,
		     struct preflight_plan *ret_plan)
{
	struct agent_try *t = &p->try;
	bool replay = t->replays > 0;

	preflight_slot_plan(&t->loaded, replay ? &t->loaded : &t->asked,
			    &p->manifest, ret_plan);
	if (replay) {
		ret_plan->cases = t->replay;
		ret_plan->count = t->replays;
		ret_plan->events = -1;
	}
	for (size_t i = 1; i < PREFLIGHT_DIRECTORIES; i++) {
		if (t->directory[i] >= 0) {
			ret_plan->directory[i] = t->directory[i];
		}
	}
}

/* pidfd, statm, session, then a directory for each bit. */
static int try_take(struct agent_product_state *p,
		    const struct agent_message *m, int *fds, size_t count)
{
	struct agent_try *t = &p->try;
	struct preflight_plan plan;
	size_t at = 3;

	if (count < 3) {
		return -EPROTO;
	}
	t->pidfd = fd_take(&fds[0]);
	for (unsigned i = 1; i < PREFLIGHT_DIRECTORIES && at < count; i++) {
		if (m->number >> i & 1) {
			t->directory[i] = fd_take(&fds[at++]);
		}
	}
	try_plan(p, &plan);
	return preflight_run_new(&plan, fd_take(&fds[2]), fd_take(&fds[1]),
				 &t->run);
}

void agent_try_started(struct agent_product_state *p,
		       const struct agent_message *m, int *fds, size_t count)
{
	int r;

	if (m->try != p->try.id || p->try.started) {
		return;         /* of a try that was given up */
	}
	p->try.started = true;
	p->try.limit = (mono_t){ 0 };
	if (m->purpose != AGENT_PREFLIGHT) {
		return;
	}
	r = try_take(p, m, fds, count);
	if (r < 0) {
		agent_on_try_over(p, strerror(-r), false);
	}
}

static void try_over(struct agent_product_state *p)
{
	struct preflight_outcome outcome = *preflight_run_outcome(p->try.run);

	if (p->step == AGENT_STEP_REPLAY_NEW ||
	    p->step == AGENT_STEP_REPLAY_OLD) {
		agent_replay_over(p, &outcome);
	} else {
		agent_preflight_over(p, &outcome);
	}
}

void agent_try_turn(struct agent_product_state *p)
{
	if (!p->try.run) {
		agent_on_try_over(p, "the product was not started in time",
				  false);
	} else if (preflight_run_turn(p->try.run)) {
		try_over(p);
	}
}

void agent_try_ended(struct agent_product_state *p,
		     const struct agent_message *m)
{
	char why[AGENT_WHY];

	if (!p->try.id || m->try != p->try.id) {
		return;
	}
	if (p->try.run) {
		preflight_run_ended(p->try.run,
				    m->fault == AGENT_FAULT_START
					    ? -1 : (int)m->number, m->text);
		try_over(p);
		return;
	}
	text_format(why, sizeof(why), "%s", m->text[0] ? m->text
						       : "it ended");
	p->try.id = 0;
	agent_on_try_over(p, why, m->fault != AGENT_FAULT_START &&
				  m->fault != AGENT_FAULT_ENGINE &&
				  m->fault != AGENT_FAULT_ADMIN);
}
