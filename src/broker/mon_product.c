/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mon_product.c - products are started, end, and are started again
 *
 * The helper makes the jail and the process; the process is our child. The
 * first restart comes at once, further quick deaths wait longer each time.
 */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/text.h"
#include "broker/mon.h"

#define START_LIMIT_MS 10000
#define STARTS 4u               /* at once: the helper has 8 places */
#define QUICK_NS (10 * MONO_S)
#define BACKOFF_FIRST_MS 100u
#define BACKOFF_MAX_MS 30000u

static bool product_chosen(const struct mon *m, const struct manifest *manifest)
{
	char text[sizeof(m->options.products)];
	char *rest = text;

	memcpy(text, m->options.products, sizeof(text));
	for (char *word = strsep(&rest, "\n"); word;
	     word = strsep(&rest, "\n")) {
		/* A path was read because it was named. */
		if (strcmp(word, manifest->name) == 0) {
			return true;
		}
	}
	/* The command line says which, or else bailey.conf. */
	return manifest->from_command_line ||
	       (!m->options.products[0] && mon_config_enables(manifest->name));
}

void mon_product_manifest(struct mon *m, const struct manifest *manifest)
{
	for (uint32_t i = 0; i < HANDOFF_PRODUCTS; i++) {
		struct mon_product *p = &m->product[i];

		if (mon_place_taken(m, i)) {
			continue;
		}
		*p = (struct mon_product){ .used = true,
					   .manifest = *manifest };
		mon_instance_init(&p->asked);
		mon_instance_init(&p->beside);
		p->place = p->asked.place = i;
		p->enabled = product_chosen(m, manifest);
		p->wanted = p->enabled;
		if (m->options.enforce) {
			p->manifest.mode = BAILEY_MODE_ENFORCE;
		} else if (mon_config_mode() == BAILEY_MODE_OBSERVE) {
			p->manifest.mode = BAILEY_MODE_OBSERVE;
		}
		return;
	}
}

void mon_product_start(struct mon *m, uint32_t index)
{
	struct mon_product *p = &m->product[index];
	struct helper_request r = { .job = HELPER_START_PRODUCT,
				    .index = index,
				    .limit_ms = START_LIMIT_MS,
				    .uid = MON_PRODUCT_UID + index,
				    .manifest = p->manifest };

	p->next_start = (mono_t){ 0 };
	p->started = mono_now();
	mon_instance_init(&p->asked);
	p->asked.place = p->place;
	p->asked.started = p->started;
	p->asked.asked_once = true;
	p->asked.starting = mon_helper_ask(m, &r, NULL, 0) == 0;
	if (!p->asked.starting) {
		p->next_start = mono_add(mono_now(), MONO_S);
	}
}

void mon_product_plan(struct mon_product *p)
{
	uint64_t ms = 0;

	if (mono_between(p->started, mono_now()) > QUICK_NS) {
		p->quick_deaths = 0;
	}
	if (p->quick_deaths) {
		ms = BACKOFF_FIRST_MS << (p->quick_deaths < 10
						  ? p->quick_deaths - 1 : 9);
		ms = ms < BACKOFF_MAX_MS ? ms : BACKOFF_MAX_MS;
	}
	p->quick_deaths++;
	p->next_start = mono_add(mono_now(), ms * MONO_MS);
}

static void product_not_started(struct mon *m, uint32_t index)
{
	struct agent_message ended = { .type = AGENT_PRODUCT_ENDED,
				       .index = index,
				       .fault = AGENT_FAULT_START };

	if (mon_product_managed(&m->product[index])) {
		text_format(ended.text, sizeof(ended.text), "%s",
			    m->product[index].last_exit);
		mon_agent_tell(m, &ended, NULL, 0);
	}
}

void mon_product_started(struct mon *m, const struct helper_reply *r, int *fds,
			 size_t count)
{
	struct mon_product *p = &m->product[r->index];

	if (r->purpose == AGENT_PREFLIGHT) {
		mon_preflight_started(m, r, fds, count);
		return;
	}
	if (r->purpose == AGENT_PARALLEL) {
		mon_trial_started(m, r, fds, count);
		return;
	}
	if (r->error) {
		p->asked.starting = false;
		text_format(p->last_exit, sizeof(p->last_exit),
			    "not started: %s", r->text);
		log_error("%s: %s", p->manifest.name, p->last_exit);
		product_not_started(m, r->index);
		if (p->wanted) {
			mon_product_plan(p);
		}
		return;
	}
	mon_instance_started(m, r->index, &p->asked, r, fds, count);
	mon_child_early(m);
}

void mon_product_ended(struct mon *m, uint32_t index, int status)
{
	struct mon_product *p = &m->product[index];
	bool told = p->asked.fault == AGENT_FAULT_NONE && p->asked.why[0];

	p->stop_at = (mono_t){ 0 };
	if (p->kept) {
		mon_trial_failed(m, index);     /* before anything else */
	}
	mon_instance_ended(m, index, &p->asked, status, p->last_exit);
	p->asked.place = p->place;
	if (p->kept) {
		log_warning("%s %s; the former content is asked again",
			    p->manifest.name, p->last_exit);
		return;                 /* the engine says when */
	}
	if (!p->wanted || m->stopping) {
		return;
	}
	log_warning("%s %s; it is started again", p->manifest.name,
		    p->last_exit);
	p->restarts++;
	if (told) {             /* as it was told to: no reason to wait */
		p->quick_deaths = 0;
	}
	if (m->engine_ready) {
		mon_product_plan(p);
	}
}

void mon_product_mode(struct mon *m, uint32_t index, uint32_t mode)
{
	m->product[index].manifest.mode = mode;
	m->product[index].alarm_wall = 0;
	mon_agent_product(m, index);
	mon_engine_tell(m, &(struct handoff_message){
		.type = HANDOFF_PRODUCT_MODE, .index = index,
		.number = mode }, NULL, 0);
}

void mon_products_kill(struct mon *m)
{
	for (uint32_t i = 0; i < HANDOFF_PRODUCTS; i++) {
		mon_instance_kill(&m->product[i].asked, AGENT_FAULT_ENGINE,
				  "the engine went away");
		mon_instance_kill(&m->product[i].beside, AGENT_FAULT_ENGINE,
				  "the engine went away");
	}
}

bool mon_products_busy(const struct mon *m)
{
	uint32_t starting = 0;

	for (uint32_t i = 0; i < HANDOFF_PRODUCTS; i++) {
		starting += m->product[i].asked.starting;
	}
	return starting >= STARTS;
}

void mon_products_due(struct mon *m)
{
	mono_t now = mono_now();

	for (uint32_t i = 0; i < HANDOFF_PRODUCTS; i++) {
		struct mon_product *p = &m->product[i];

		if (p->stop_at.ns && p->stop_at.ns <= now.ns) {
			p->stop_at = (mono_t){ 0 };
			mon_instance_kill(&p->asked, AGENT_FAULT_ADMIN,
					  "stopped by the administrator");
		}
		mon_trial_due(m, i);
		/* While a switch is under way: whom to start is not known. */
		if (p->next_start.ns && p->next_start.ns <= now.ns &&
		    !p->switched.ns && m->engine_ready && !m->stopping &&
		    !mon_products_busy(m)) {
			mon_product_start(m, i);
		}
	}
}
