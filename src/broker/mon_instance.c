/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mon_instance.c - one process of a product: started, measured, frozen, ended
 *
 * A product has one process that is asked, and at times a second one beside it
 * (mon_trial.c). What is the same for both stands here. Descriptors come from
 * the helper with the start: nothing is opened.
 */
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#include "base/log.h"
#include "base/text.h"
#include "broker/mon.h"

void mon_instance_init(struct mon_instance *instance)
{
	*instance = (struct mon_instance){ .statm = -1, .freeze = -1 };
}

bool mon_product_managed(const struct mon_product *p)
{
	return p->used && p->manifest.content_root[0];
}

struct mon_instance *mon_instance_at(struct mon *m, uint32_t place,
				     uint32_t *ret_index)
{
	for (uint32_t i = 0; i < HANDOFF_PRODUCTS; i++) {
		struct mon_product *p = &m->product[i];

		*ret_index = i;
		if (p->used && p->asked.pid && p->asked.place == place) {
			return &p->asked;
		}
		if (p->used && p->beside.pid && p->beside.place == place) {
			return &p->beside;
		}
	}
	return NULL;
}

struct mon_instance *mon_instance_pid(struct mon *m, pid_t pid,
				      uint32_t *ret_index)
{
	for (uint32_t i = 0; pid && i < HANDOFF_PRODUCTS; i++) {
		struct mon_product *p = &m->product[i];

		*ret_index = i;
		if (p->asked.pid == pid) {
			return &p->asked;
		}
		if (p->beside.pid == pid) {
			return &p->beside;
		}
	}
	return NULL;
}

/* fds: pidfd, session, a directory for each bit of number, statm, freezer. */
void mon_instance_started(struct mon *m, uint32_t index,
			  struct mon_instance *instance,
			  const struct helper_reply *r, int *fds, size_t count)
{
	struct mon_product *p = &m->product[index];
	size_t engine = 1 + (size_t)__builtin_popcountll(r->number);
	struct handoff_message add = {
		.type = HANDOFF_PRODUCT_ADD, .index = instance->place,
		.second = instance->place == index ? 0 : index + 1,
		.asked = instance == &p->asked,
		.instance = ++p->instances, .number = r->number,
		.expect = r->expect, .manifest = p->manifest,
	};

	instance->starting = false;
	instance->pid = r->pid;
	instance->instance = p->instances;
	instance->expect = r->expect;
	if (count < 1 + engine) {
		mon_instance_kill(instance, AGENT_FAULT_START,
				  "its session did not come");
		return;
	}
	mon_engine_tell(m, &add, fds + 1, engine);
	if (count > 1 + engine) {
		instance->statm = fd_take(&fds[1 + engine]);
	}
	if (count > 2 + engine) {
		instance->freeze = fd_take(&fds[2 + engine]);
	}
	if (!p->wanted || !m->engine_ready || instance->unwanted) {
		mon_instance_kill(instance, instance->unwanted
				  ? AGENT_FAULT_NONE : AGENT_FAULT_ENGINE,
				  "not wanted any more");
	}
}

static void instance_text(const struct mon_instance *instance, int status,
			  char ret_text[VIEW_REASON])
{
	const char *why = instance->why;

	if (WIFSIGNALED(status)) {
		text_format(ret_text, VIEW_REASON, "killed by signal %d "
			    "(%s)%s%s", WTERMSIG(status),
			    strsignal(WTERMSIG(status)), why[0] ? ": " : "",
			    why);
	} else {
		text_format(ret_text, VIEW_REASON, "exited with %d%s%s",
			    WEXITSTATUS(status), why[0] ? ": " : "", why);
	}
}

void mon_instance_ended(struct mon *m, uint32_t index,
			struct mon_instance *instance, int status,
			char ret_text[VIEW_REASON])
{
	struct handoff_message gone = { .type = HANDOFF_PRODUCT_GONE,
					.index = instance->place,
					.instance = instance->instance,
					.number = (uint64_t)status };
	struct agent_message ended = {
		.type = instance->asked_once ? AGENT_PRODUCT_ENDED
					     : AGENT_TRY_ENDED,
		.index = index, .try = instance->try,
		.purpose = instance->asked_once ? 0 : AGENT_PARALLEL,
		.fault = instance->fault,
		.frozen = instance->frozen, .number = (uint64_t)status };

	/* What we did not do ourselves it did; and a crash that the engine saw
	 * as a closed session is one. */
	if (!instance->why[0]) {
		ended.fault = WIFSIGNALED(status) ? AGENT_FAULT_CRASH
						  : AGENT_FAULT_EXIT;
	} else if (ended.fault == AGENT_FAULT_EXIT && WIFSIGNALED(status) &&
		   WTERMSIG(status) != SIGKILL) {
		ended.fault = AGENT_FAULT_CRASH;
	}
	instance_text(instance, status, ret_text);
	memcpy(ended.hash, instance->expect.hash, sizeof(ended.hash));
	memcpy(m->product[index].ended.hash, ended.hash, sizeof(ended.hash));
	m->product[index].ended.try = instance->try;
	text_format(ended.text, sizeof(ended.text), "%s", ret_text);
	fd_closep(&instance->statm);
	fd_closep(&instance->freeze);
	mon_instance_init(instance);
	mon_engine_tell(m, &gone, NULL, 0);
	if (mon_product_managed(&m->product[index])) {
		mon_agent_tell(m, &ended, NULL, 0);
	}
}

/* The first reason stands. */
void mon_instance_kill(struct mon_instance *instance, uint32_t fault,
		       const char *why)
{
	if (instance->starting) {
		instance->unwanted = true;
	}
	if (instance->pid <= 0) {
		return;
	}
	if (!instance->why[0]) {
		instance->fault = fault;
		text_format(instance->why, sizeof(instance->why), "%s", why);
	}
	kill(instance->pid, SIGKILL);
}

static void instance_frozen(struct mon_instance *instance, bool frozen)
{
	if (instance->pid <= 0 || instance->frozen == frozen) {
		return;
	}
	instance->frozen = frozen;
	if (instance->freeze < 0 ||
	    write(instance->freeze, frozen ? "1" : "0", 1) != 1) {
		kill(instance->pid, frozen ? SIGSTOP : SIGCONT);
	}
}

void mon_instance_freeze(struct mon_instance *instance)
{
	instance_frozen(instance, true);
}

void mon_instance_thaw(struct mon_instance *instance)
{
	instance_frozen(instance, false);
}

/* What the process that is asked uses: the second number of statm, in pages,
 * and its clock. The kernel's words; no name of the product's stands there. */
void mon_instance_measure(struct mon *m, uint32_t index)
{
	const struct mon_instance *instance = &m->product[index].asked;
	uint64_t pages = 0, ns = 0;
	char text[96] = "";
	struct timespec t;
	clockid_t clock;
	ssize_t n = instance->statm < 0 ? 0 :
		    pread(instance->statm, text, sizeof(text) - 1, 0);
	const char *second = n > 0 ? strchr(text, ' ') : NULL;

	while (second && *++second >= '0' && *second <= '9') {
		pages = pages * 10 + (uint64_t)(*second - '0');
	}
	if (instance->pid && !clock_getcpuclockid(instance->pid, &clock) &&
	    clock_gettime(clock, &t) == 0) {
		ns = (uint64_t)t.tv_sec * MONO_S + (uint64_t)t.tv_nsec;
	}
	atomic_store(&m->table->memory[index], pages * m->page_bytes);
	atomic_store(&m->table->cpu_ns[index], ns);
}
