/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mon_product.c - products are started, end, and are started again
 *
 * The helper makes the jail and the process; the process is our child. The
 * first restart comes at once, further quick deaths wait longer each time.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

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

		if (p->used) {
			continue;
		}
		*p = (struct mon_product){ .used = true,
					   .manifest = *manifest };
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
	p->starting = mon_helper_ask(m, &r, NULL, 0) == 0;
	if (!p->starting) {
		p->next_start = mono_add(mono_now(), MONO_S);
	}
}

static void product_plan(struct mon_product *p)
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

void mon_product_started(struct mon *m, const struct helper_reply *r, int *fds,
			 size_t count)
{
	struct mon_product *p = &m->product[r->index];
	struct handoff_message add = { .type = HANDOFF_PRODUCT_ADD,
				       .index = r->index, .number = r->number };

	p->starting = false;
	if (r->error) {
		text_format(p->last_exit, sizeof(p->last_exit),
			    "not started: %s", r->text);
		log_error("%s: %s", p->manifest.name, p->last_exit);
		if (p->wanted) {
			product_plan(p);
		}
		return;
	}
	p->pid = r->pid;
	add.instance = ++p->instance;
	add.manifest = p->manifest;
	if (count > 1) {        /* the first is the pidfd: ours, not needed */
		mon_engine_tell(m, &add, fds + 1, count - 1);
	}
	if (!p->wanted || !m->engine_ready) {
		kill(p->pid, SIGKILL);
	}
	mon_child_early(m);
}

void mon_product_ended(struct mon *m, uint32_t index, int status)
{
	struct mon_product *p = &m->product[index];
	struct handoff_message gone = { .type = HANDOFF_PRODUCT_GONE,
					.index = index,
					.number = (uint64_t)status };

	p->pid = 0;
	p->stop_at = (mono_t){ 0 };
	if (WIFSIGNALED(status)) {
		text_format(p->last_exit, sizeof(p->last_exit),
			 "killed by signal %d (%s)%s%s", WTERMSIG(status),
			 strsignal(WTERMSIG(status)), p->why[0] ? ": " : "",
			 p->why);
	} else {
		text_format(p->last_exit, sizeof(p->last_exit),
			 "exited with %d", WEXITSTATUS(status));
	}
	p->why[0] = '\0';
	mon_engine_tell(m, &gone, NULL, 0);
	if (!p->wanted || m->stopping) {
		return;
	}
	log_warning("%s %s; it is started again", p->manifest.name,
		    p->last_exit);
	p->restarts++;
	if (m->engine_ready) {
		product_plan(p);
	}
}

void mon_product_kill(struct mon *m, uint32_t index, const char *why)
{
	struct mon_product *p = &m->product[index];

	if (p->pid > 0) {
		text_format(p->why, sizeof(p->why), "%s", why);
		kill(p->pid, SIGKILL);
	}
}

void mon_products_kill(struct mon *m)
{
	for (uint32_t i = 0; i < HANDOFF_PRODUCTS; i++) {
		mon_product_kill(m, i, "the engine went away");
	}
}

bool mon_products_busy(const struct mon *m)
{
	uint32_t starting = 0;

	for (uint32_t i = 0; i < HANDOFF_PRODUCTS; i++) {
		starting += m->product[i].starting;
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
			mon_product_kill(m, i, "stopped by the administrator");
		}
		if (p->next_start.ns && p->next_start.ns <= now.ns &&
		    m->engine_ready && !m->stopping && !mon_products_busy(m)) {
			mon_product_start(m, i);
		}
	}
}
