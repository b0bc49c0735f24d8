/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mon_trial.c - the second process of a product
 *
 *   TRY_START          beside: starting -> loading -> standby (ready)
 *   SWITCH             the engine asks it; the two change roles here when it
 *                      says so; the former one is `kept`, frozen once idle
 *   TRIAL_END          the kept one is ended
 *   the reflex         the one on trial fails: the kept one is thawed at once,
 *                      whoever saw it first; the engine asks it without us
 *                      (eng_beside.c), says so, and the roles change back
 *
 * The engine decides who is asked; we follow what it says. A new engine knows
 * one process a product: all were ended with the former, and places are as at
 * first.
 */
#include <string.h>

#include "base/log.h"
#include "base/text.h"
#include "broker/mon.h"

#define TRIAL_LIMIT_MS 10000
#define TRIAL_BACK_NS MONO_S

bool mon_place_taken(const struct mon *m, uint32_t place)
{
	for (uint32_t i = 0; i < HANDOFF_PRODUCTS; i++) {
		if (m->product[i].used && m->product[i].second == place + 1) {
			return true;
		}
	}
	return m->product[place].used;
}

/* A place that is no product's, from the end; it stays this product's. */
static bool trial_second(struct mon *m, struct mon_product *p)
{
	for (uint32_t i = HANDOFF_PRODUCTS; !p->second && i > 0; i--) {
		p->second = mon_place_taken(m, i - 1) ? 0 : i;
	}
	return p->second != 0;
}

int mon_trial_start(struct mon *m, const struct agent_message *request)
{
	struct mon_product *p = &m->product[request->index];
	struct helper_request r = { .job = HELPER_START_PRODUCT,
				    .index = request->index,
				    .limit_ms = TRIAL_LIMIT_MS,
				    .uid = MON_PRODUCT_UID + request->index,
				    .purpose = AGENT_PARALLEL,
				    .try = request->try,
				    .manifest = p->manifest };
	int error;

	if (p->beside.pid || p->beside.starting || p->kept) {
		return EBUSY;
	}
	if (!p->wanted || !m->engine_ready) {
		return EAGAIN;
	}
	if (!trial_second(m, p)) {
		return ENOSPC;
	}
	memcpy(r.hash, request->hash, sizeof(r.hash));
	mon_instance_init(&p->beside);
	p->beside.try = request->try;
	p->beside.place = p->place == request->index ? p->second - 1
						     : request->index;
	p->beside.started = mono_now();
	error = mon_helper_ask(m, &r, NULL, 0);
	p->beside.starting = error == 0;
	return -error;
}

static void trial_not_started(struct mon *m, uint32_t index,
			      const struct helper_reply *r)
{
	struct agent_message ended = { .type = AGENT_TRY_ENDED,
				       .index = index, .try = r->try,
				       .purpose = AGENT_PARALLEL,
				       .fault = AGENT_FAULT_START };

	text_format(ended.text, sizeof(ended.text), "%s", r->text);
	mon_instance_init(&m->product[index].beside);
	mon_agent_tell(m, &ended, NULL, 0);
}

void mon_trial_started(struct mon *m, const struct helper_reply *r, int *fds,
		       size_t count)
{
	struct mon_product *p = &m->product[r->index];
	struct agent_message started = { .type = AGENT_TRY_STARTED,
					 .index = r->index, .try = r->try,
					 .purpose = AGENT_PARALLEL,
					 .pid = r->pid };

	if (r->error) {
		trial_not_started(m, r->index, r);
		return;
	}
	mon_instance_started(m, r->index, &p->beside, r, fds, count);
	if (p->beside.statm >= 0) {
		const int pass[] = { fds[0], p->beside.statm };

		mon_agent_tell(m, &started, pass, 2);
	}
	mon_child_early(m);
}

void mon_trial_ready(struct mon *m, uint32_t index)
{
	struct mon_product *p = &m->product[index];

	p->beside.ready = true;
	mon_agent_tell(m, &(struct agent_message){
		.type = AGENT_TRY_READY, .index = index,
		.try = p->beside.try, .purpose = AGENT_PARALLEL }, NULL, 0);
}

/* Who waits for it to be asked again waits in vain. */
static void trial_kept_ended(struct mon *m, uint32_t index)
{
	struct mon_product *p = &m->product[index];

	if (p->failed.ns) {
		mon_agent_tell(m, &(struct agent_message){
			.type = AGENT_REFUSED, .index = index,
			.refused = AGENT_SWITCH_BACK, .number = ESRCH,
			.text = "it ended before it was asked again" },
			       NULL, 0);
	}
	p->kept = false;
	p->failed = (mono_t){ 0 };
	mon_engine_tell(m, &(struct handoff_message){
		.type = HANDOFF_TRIAL_END, .index = index }, NULL, 0);
}

/* A standby, a kept one, or one that failed its trial. */
void mon_trial_ended(struct mon *m, uint32_t index, int status)
{
	struct mon_product *p = &m->product[index];
	char text[VIEW_REASON];

	if (p->kept) {
		trial_kept_ended(m, index);
	}
	mon_instance_ended(m, index, &p->beside, status, text);
	log_info("%s: its second process %s", p->manifest.name, text);
	if (!p->asked.pid && !p->asked.starting && p->wanted &&
	    !p->next_start.ns && m->engine_ready) {
		mon_product_plan(p);    /* it was to be asked again */
	}
}

/* The one on trial is dead, and the engine has not gone back: the kept one
 * cannot be asked either. Both are started anew, as one. */
void mon_trial_due(struct mon *m, uint32_t index)
{
	struct mon_product *p = &m->product[index];

	if (p->kept && p->failed.ns && !p->asked.pid &&
	    mono_between(p->failed, mono_now()) > TRIAL_BACK_NS) {
		p->failed = (mono_t){ 0 };
		mon_instance_kill(&p->beside, AGENT_FAULT_ENGINE,
				  "it could not be asked again");
	}
}

/* ---- the switch, and back ---- */

int mon_trial_switch(struct mon *m, const struct agent_message *request)
{
	struct mon_product *p = &m->product[request->index];

	if (p->kept || p->switched.ns) {
		return EBUSY;
	}
	if (!p->asked.ready) {  /* nobody to go back to */
		return EAGAIN;
	}
	if (!p->beside.pid || !p->beside.ready ||
	    p->beside.try != request->try || p->beside.why[0]) {
		return ENOENT;
	}
	p->switched = mono_now();
	mon_engine_tell(m, &(struct handoff_message){
		.type = HANDOFF_SWITCH, .index = request->index,
		.number = p->beside.place }, NULL, 0);
	return 0;
}

/* It must run before it is asked. */
int mon_trial_back(struct mon *m, const struct agent_message *request)
{
	struct mon_product *p = &m->product[request->index];

	if (!p->kept) {
		return ENOENT;
	}
	mon_trial_failed(m, request->index);
	mon_engine_tell(m, &(struct handoff_message){
		.type = HANDOFF_SWITCH_BACK, .index = request->index },
			NULL, 0);
	return 0;
}

void mon_trial_failed(struct mon *m, uint32_t index)
{
	struct mon_product *p = &m->product[index];

	if (!p->failed.ns) {
		p->failed = mono_now();
	}
	mon_instance_thaw(&p->beside);
}

static void trial_roles(struct mon_product *p)
{
	struct mon_instance former = p->asked;

	p->asked = p->beside;
	p->beside = former;
	p->asked.asked_once = true;
	p->place = p->asked.place;
}

static void trial_told(struct mon *m, uint32_t index, uint32_t type,
		       mono_t since, const struct handoff_message *message)
{
	struct mon_product *p = &m->product[index];
	struct agent_message told = {
		.type = type, .index = index, .try = p->asked.try,
		.fault = message->fault,
		.number = since.ns ? mono_between(since, mono_now()) : 0 };

	memcpy(told.hash, p->asked.expect.hash, sizeof(told.hash));
	text_format(told.text, sizeof(told.text), "%s", message->text);
	mon_agent_tell(m, &told, NULL, 0);
}

static void trial_forward(struct mon *m, uint32_t index,
			  const struct handoff_message *message)
{
	struct mon_product *p = &m->product[index];

	p->beside.asked_once = true;
	p->next_start = (mono_t){ 0 };  /* of the former, if it just ended */
	trial_roles(p);
	p->kept = p->beside.pid > 0;
	log_notice("%s: new content is asked, the former is kept",
		   p->manifest.name);
	trial_told(m, index, AGENT_SWITCHED, p->switched, message);
}

static void trial_backward(struct mon *m, uint32_t index,
			   const struct handoff_message *message)
{
	struct mon_product *p = &m->product[index];

	mon_trial_failed(m, index);
	trial_roles(p);
	p->kept = false;
	log_warning("%s: the former content is asked again after %llu us%s%s",
		    p->manifest.name, (unsigned long long)
		    (mono_between(p->failed, mono_now()) / 1000),
		    message->text[0] ? ": the new one " : "", message->text);
	trial_told(m, index, AGENT_SWITCHED_BACK, p->failed, message);
	p->failed = (mono_t){ 0 };
	mon_instance_kill(&p->beside, message->fault, message->text[0]
			  ? message->text : "its trial is over");
}

void mon_trial_switched(struct mon *m, const struct handoff_message *message)
{
	struct mon_product *p = &m->product[message->index];
	uint32_t asked = (uint32_t)message->number;

	if (p->used && asked == p->beside.place && p->beside.pid) {
		if (p->kept) {
			trial_backward(m, message->index, message);
		} else {
			trial_forward(m, message->index, message);
		}
	} else if (p->switched.ns) {
		mon_agent_tell(m, &(struct agent_message){
			.type = AGENT_REFUSED, .index = message->index,
			.try = p->beside.try, .refused = AGENT_SWITCH,
			.number = EAGAIN,
			.text = "it is not ready in the engine" }, NULL, 0);
	}
	p->switched = (mono_t){ 0 };
}

void mon_trial_idle(struct mon *m, const struct handoff_message *message)
{
	uint32_t index;
	struct mon_instance *instance = mon_instance_at(m, message->index,
							&index);

	if (instance && instance->instance == message->instance &&
	    instance == &m->product[index].beside && m->product[index].kept &&
	    !m->product[index].failed.ns) {
		mon_instance_freeze(instance);
	}
}

int mon_trial_end(struct mon *m, const struct agent_message *request)
{
	struct mon_product *p = &m->product[request->index];

	if (!p->kept) {
		return ENOENT;
	}
	mon_engine_tell(m, &(struct handoff_message){
		.type = HANDOFF_TRIAL_END, .index = request->index }, NULL, 0);
	mon_instance_kill(&p->beside, AGENT_FAULT_NONE, "its trial is over");
	return 0;
}

/* The administrator stops the product. */
void mon_trial_stop(struct mon *m, uint32_t index)
{
	mon_instance_kill(&m->product[index].beside, AGENT_FAULT_ADMIN,
			  "stopped by the administrator");
}

bool mon_trials_switching(const struct mon *m)
{
	for (uint32_t i = 0; i < HANDOFF_PRODUCTS; i++) {
		if (m->product[i].used && m->product[i].switched.ns) {
			return true;
		}
	}
	return false;
}

void mon_trials_reset(struct mon *m)
{
	for (uint32_t i = 0; i < HANDOFF_PRODUCTS; i++) {
		struct mon_product *p = &m->product[i];

		p->place = i;
		p->kept = false;
		p->switched = p->failed = (mono_t){ 0 };
		p->live = false;
	}
}

/* What nobody would switch to any more. A kept one stays, and the reflex. */
void mon_trials_abandon(struct mon *m)
{
	for (uint32_t i = 0; i < HANDOFF_PRODUCTS; i++) {
		struct mon_product *p = &m->product[i];

		if (p->used && !p->kept && !p->switched.ns) {
			mon_instance_kill(&p->beside, AGENT_FAULT_NONE,
					  "the content agent is gone");
		}
	}
}
