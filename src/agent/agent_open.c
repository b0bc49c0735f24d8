/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent_open.c - a product comes and goes; steps have names, tries are put off
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>

#include "agent/agent.h"
#include "base/log.h"
#include "base/text.h"

#define PUT_OFF_S 5u            /* then four times that, and so on */
#define PUT_OFF_MOST_S 3600u

static const char *const steps[] = {
#define NAME(sym, name) name,
	AGENT_STEP_TABLE(NAME)
#undef NAME
};

const char *agent_step_name(enum agent_step step)
{
	return steps[step];
}

struct agent_short agent_short(const uint8_t hash[VERSION_HASH])
{
	struct agent_short s = { "no version" };
	char hex[VERSION_HEX];

	if (!agent_hash_none(hash)) {
		version_hex(hash, hex);
		text_format(s.text, sizeof(s.text), "%.12s", hex);
	}
	return s;
}

void agent_step(struct agent_product_state *p, enum agent_step step,
		uint32_t limit_s)
{
	p->step = step;
	p->limit = limit_s ? mono_add(mono_now(), limit_s * MONO_S)
			   : (mono_t){ 0 };
	if (step == AGENT_STEP_IDLE) {
		p->due = mono_now();
	}
}

void agent_put_off(struct agent_product_state *p,
		   const uint8_t hash[VERSION_HASH])
{
	size_t at = 0;
	uint64_t s = PUT_OFF_S;

	for (size_t i = 0; i < AGENT_PUT_OFF; i++) {
		if (agent_hash_same(p->put_off[i].hash, hash)) {
			at = i;
			break;
		}
		if (p->put_off[i].until.ns < p->put_off[at].until.ns) {
			at = i;
		}
	}
	if (!agent_hash_same(p->put_off[at].hash, hash)) {
		memset(&p->put_off[at], 0, sizeof(p->put_off[at]));
		memcpy(p->put_off[at].hash, hash, VERSION_HASH);
	}
	for (uint32_t i = 0; i < p->put_off[at].times && s < PUT_OFF_MOST_S;
	     i++) {
		s *= 4;
	}
	s = s < PUT_OFF_MOST_S ? s : PUT_OFF_MOST_S;
	p->put_off[at].times++;
	p->put_off[at].until = mono_add(mono_now(), s * MONO_S);
}

void agent_put_off_end(struct agent_product_state *p,
		       const uint8_t hash[VERSION_HASH])
{
	for (size_t i = 0; i < AGENT_PUT_OFF; i++) {
		if (agent_hash_same(p->put_off[i].hash, hash)) {
			memset(&p->put_off[i], 0, sizeof(p->put_off[i]));
		}
	}
}

uint32_t agent_put_off_times(const struct agent_product_state *p,
			      const uint8_t hash[VERSION_HASH])
{
	for (size_t i = 0; i < AGENT_PUT_OFF; i++) {
		if (agent_hash_same(p->put_off[i].hash, hash)) {
			return p->put_off[i].times;
		}
	}
	return 0;
}

/* ---- it comes and goes ---- */

static void manifest_make(struct agent_product_state *p)
{
	const struct agent_product *told = &p->told;
	struct manifest *m = &p->manifest;

	manifest_defaults(m);
	memcpy(m->name, told->name, sizeof(m->name));
	for (size_t i = 0; i < AGENT_EVENTS && i < MANIFEST_EVENTS; i++) {
		m->ask[i] = (struct manifest_event){ told->ask[i].kind,
			told->ask[i].optional, told->ask[i].deadline_ms };
		m->notify[i] = (struct manifest_event){ told->notify[i].kind,
			told->notify[i].optional, told->notify[i].deadline_ms };
	}
	m->deadline_max_ms = told->deadline_max_ms;
	m->start_s = told->start_s;
	m->hold = told->hold;
	m->see_files = told->see_files;
	m->memory_bytes = told->memory_bytes;
	m->state_bytes = told->state_bytes;
	m->on_miss = told->on_miss;
	for (size_t i = 0; i < AGENT_DENY_PREFIXES; i++) {
		text_format(m->may_deny[i], sizeof(m->may_deny[i]), "%.*s",
			    (int)sizeof(told->may_deny[i]) - 1,
			    told->may_deny[i]);
	}
}

/* A folder of that name, made if it is not there. */
static int folder(int dir, const char *name)
{
	(void)mkdirat(dir, name, 0755);
	return agent_open_below(dir, name, O_RDONLY | O_DIRECTORY);
}

/* A product without a name that is a folder's is none. */
static int open_store(struct agent_product_state *p)
{
	struct store_setup setup = { .product = p->told.name };
	int r;

	if (!version_product_good(p->told.name)) {
		return -EINVAL;
	}
	p->dir = folder(p->agent->content, p->told.name);
	if (p->dir < 0) {
		return p->dir;
	}
	setup.dir = p->dir;
	r = store_open(&setup, &p->store);
	if (r < 0) {
		return r;
	}
	r = store_recover(p->store);
	if (r < 0) {            /* what can be read is used; tried again */
		text_format(p->trouble, sizeof(p->trouble), "%s",
			    store_reason(p->store));
	}
	agent_faults_lost(p);
	agent_memory_load(p);
	return 0;
}

/* The updater makes it when it first fetches. */
void agent_open_staging(struct agent_product_state *p)
{
	char path[48];

	if (p->staging >= 0 || p->agent->staging < 0) {
		return;
	}
	p->staging = agent_open_below(p->agent->staging, p->told.name,
				      O_RDONLY | O_DIRECTORY);
	if (p->staging < 0) {
		p->staging = -1;
		return;
	}
	snprintf(path, sizeof(path), "/proc/self/fd/%d", p->staging);
	p->watch = inotify_add_watch(p->agent->inotify, path,
				     IN_ATTRIB | IN_CLOSE_WRITE | IN_MOVED_TO |
				     IN_CREATE | IN_ONLYDIR);
	p->refresh = true;
}

/* Frozen before this agent was there: the one that it would go back to. */
static void frozen_assume(struct agent_product_state *p)
{
	const struct state_version *back = p->store
		? state_back(store_state(p->store)) : NULL;

	if (p->frozen && back && agent_hash_none(p->frozen_hash)) {
		memcpy(p->frozen_hash, back->hash, VERSION_HASH);
	}
}

void agent_product_add(struct agent *agent, const struct agent_message *m)
{
	struct agent_product_state *p = &agent->product[m->index];
	bool fresh = !p->present;
	int r;

	if (fresh) {
		*p = (struct agent_product_state){
			.present = true, .agent = agent, .index = m->index,
			.dir = -1, .staging = -1, .watch = -1,
		};
		p->try.pidfd = -1;
		for (size_t i = 0; i < PREFLIGHT_DIRECTORIES; i++) {
			p->try.directory[i] = -1;
		}
		health_init(&p->health);
	}
	p->told = m->product;
	p->told.name[sizeof(p->told.name) - 1] = '\0';
	p->told.root[sizeof(p->told.root) - 1] = '\0';
	p->wanted = m->number & AGENT_PRODUCT_WANTED;
	p->frozen = m->number & AGENT_PRODUCT_FROZEN;
	p->serving = p->serving && m->number & AGENT_PRODUCT_SERVING;
	manifest_make(p);
	if (fresh) {
		r = open_store(p);
		if (r < 0) {
			log_error("%s: its content cannot be kept: %s",
				  p->told.name, strerror(-r));
			agent_alarm(p, "its content cannot be kept");
			agent_product_close(p);
			return;
		}
		agent_open_staging(p);
	}
	frozen_assume(p);
	agent_think(p);
}

void agent_product_close(struct agent_product_state *p)
{
	if (!p->present) {
		return;
	}
	agent_try_drop(p);
	for (size_t i = 0; i < AGENT_FAULTS_WAITING; i++) {
		agent_fault_drop(&p->fault[i]);
	}
	agent_listed_clear(p, false);
	agent_listed_clear(p, true);
	p->store = store_close(p->store);
	fd_closep(&p->dir);
	fd_closep(&p->staging);
	p->dir = p->staging = -1;
	p->present = false;
}
