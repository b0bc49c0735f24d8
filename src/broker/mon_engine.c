/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mon_engine.c - the engine's life, and what happens when it is dead
 *
 * A worker's death is the keeper's business. When the control socket closes,
 * both are gone: nobody else holds its other end. Then the monitor answers
 * every descriptor number with the verdict that stands in the shared table,
 * deny where none is written and something enforces (counted), and has a new
 * engine started. Questions that nobody had read wait for that one.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/fanotify.h>
#include <sys/socket.h>

#include "base/log.h"
#include "base/pass.h"
#include "broker/mon.h"

#define KEEPER_LIMIT_MS 2000
#define KEEPER_QUICK_NS (10 * MONO_S)
#define HOLD_NS (400 * MONO_MS)

void mon_keeper_start(struct mon *m)
{
	struct helper_request r = { .job = HELPER_START_KEEPER,
				    .limit_ms = KEEPER_LIMIT_MS };
	int pair[2], size = 1 << 20;
	int fds[1 + HANDOFF_FD_END - HANDOFF_FD_GROUP];

	m->next_keeper = (mono_t){ 0 };
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) {
		log_error("no socket for an engine: %m");
		m->next_keeper = mono_add(mono_now(), MONO_S);
		return;
	}
	setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	if (m->control >= 0) {
		close(m->control);
	}
	m->control = pair[0];
	memcpy(fds, (int[]){ m->engine_memfd, m->group, m->table_fd, pair[1],
			     m->mountinfo, m->proc,
			     m->processes.ring_fd < 0 ? m->null
						      : m->processes.ring_fd,
			     m->processes.counters_fd < 0
				     ? m->null : m->processes.counters_fd,
			     m->view_listen, m->record_fd }, sizeof(fds));
	m->engine_ready = false;
	m->engine_dead = false;
	m->keeper_started = mono_now();
	if (mon_helper_ask(m, &r, fds, sizeof(fds) / sizeof(*fds)) < 0) {
		m->next_keeper = mono_add(mono_now(), MONO_S);
	}
	close(pair[1]);
}

void mon_keeper_started(struct mon *m, const struct helper_reply *r, int *fds,
			size_t count)
{
	(void)fds;
	(void)count;
	if (r->error) {
		log_error("cannot start an engine: %s", r->text);
		m->next_keeper = mono_add(mono_now(), MONO_S);
		return;
	}
	m->keeper_pid = r->pid;
	m->keeper_stopped = false;
	m->engine_first = false;
	mon_child_early(m);
}

void mon_engine_tell(struct mon *m, const struct handoff_message *message,
		     const int *fds, size_t count)
{
	int r = m->engine_ready ? pass_send(m->control, message,
					    sizeof(*message), fds, count,
					    MSG_DONTWAIT) : 0;

	if (r < 0) {
		log_error("the engine does not listen: %s", strerror(-r));
	}
}

static void engine_give(struct mon *m, uint32_t type, int fd, uint64_t number)
{
	struct handoff_message message = { .type = type, .number = number };

	if (fd >= 0) {
		mon_engine_tell(m, &message, &fd, 1);
	}
}

void mon_engine_rules(struct mon *m)
{
	engine_give(m, HANDOFF_RULES, m->rules_fd, 0);
}

/* Told again to each new keeper, and whenever something of it changes. */
void mon_engine_knows(struct mon *m)
{
	engine_give(m, HANDOFF_KEEP, m->keep_fd, m->keep_count);
	mon_engine_rules(m);
	engine_give(m, HANDOFF_PROCESSES, m->processes_fd, m->processes_count);
	if (m->engine_ready && m->processes_fd >= 0) {
		close(fd_take(&m->processes_fd));       /* stale by now */
	}
}

static void on_stale(struct mon *m, const struct handoff_message *message)
{
	struct helper_request r = { .job = HELPER_PROCESSES };

	(void)message;
	if (mon_helper_ask(m, &r, NULL, 0) < 0) {
		log_warning("no snapshot of processes");
	}
}

/* Before the first question: who is to come, so that its fallback stands, and
 * what it denied before. */
static void engine_expects(struct mon *m)
{
	for (uint32_t i = 0; i < HANDOFF_PRODUCTS; i++) {
		struct mon_product *p = &m->product[i];
		struct handoff_message add = { .type = HANDOFF_PRODUCT_ADD,
					       .index = i };

		if (p->used && p->wanted && !p->asked.starting) {
			add.manifest = p->manifest;
			mon_engine_tell(m, &add, NULL, 0);
		}
	}
}

static void on_ready(struct mon *m, const struct handoff_message *message)
{
	if (m->engine_ready) {
		return;         /* a further worker of the same keeper */
	}
	m->engine_ready = true;
	if (m->keeper_restarts) {
		log_notice("a new engine serves, %llu ms after the former one",
			   (unsigned long long)(mono_between(m->engine_lost,
				mono_now()) / MONO_MS));
	}
	on_stale(m, message);
	mon_engine_knows(m);
	engine_expects(m);
	mon_engine_tell(m, &(struct handoff_message){ .type = HANDOFF_BEGIN },
			NULL, 0);
	for (uint32_t i = 0; i < HANDOFF_PRODUCTS; i++) {
		struct mon_product *p = &m->product[i];

		if (p->used && p->wanted && !p->asked.pid &&
		    !p->asked.starting) {
			p->next_start = mono_now();
		}
	}
}

/* The process that the engine means, unless it is dead already. */
static struct mon_instance *engine_means(struct mon *m,
					 const struct handoff_message *message,
					 uint32_t *ret_index)
{
	struct mon_instance *i = mon_instance_at(m, message->index, ret_index);

	return i && i->instance == message->instance ? i : NULL;
}

static void on_fault(struct mon *m, const struct handoff_message *message)
{
	uint32_t index;
	struct mon_instance *instance = engine_means(m, message, &index);

	if (!instance) {
		return;
	}
	if (instance == &m->product[index].asked && m->product[index].kept) {
		mon_trial_failed(m, index);
	}
	mon_instance_kill(instance, message->fault, message->text);
}

/* One that observes already was put there by a person meanwhile, or this is
 * told twice. */
static void on_alarm(struct mon *m, const struct handoff_message *message)
{
	struct mon_product *p = &m->product[message->index];

	if (p->manifest.mode != BAILEY_MODE_ENFORCE) {
		return;
	}
	mon_product_mode(m, message->index, BAILEY_MODE_OBSERVE);
	p->alarm_wall = wall_now_ns();
	memcpy(p->alarm_hash, message->expect.hash, sizeof(p->alarm_hash));
	mon_agent_alarm(m, message->index);
}

static void on_product_ready(struct mon *m,
			     const struct handoff_message *message)
{
	uint32_t index;
	struct mon_instance *instance = engine_means(m, message, &index);

	if (!instance) {
		return;
	}
	log_info("%s is ready after %llu ms", m->product[index].manifest.name,
		 (unsigned long long)(mono_between(instance->started,
						   mono_now()) / MONO_MS));
	instance->ready = true;
	if (instance == &m->product[index].beside) {
		mon_trial_ready(m, index);
	} else {
		mon_agent_ready(m, index);
	}
}

static const struct {
	uint32_t type;
	void (*act)(struct mon *, const struct handoff_message *);
} engine_table[] = {
	{ HANDOFF_READY, on_ready },
	{ HANDOFF_PROCESSES_STALE, on_stale },
	{ HANDOFF_PRODUCT_FAULT, on_fault },
	{ HANDOFF_PRODUCT_ALARM, on_alarm },
	{ HANDOFF_PRODUCT_READY, on_product_ready },
	{ HANDOFF_SWITCHED, mon_trial_switched },
	{ HANDOFF_IDLE, mon_trial_idle },
	{ HANDOFF_CONTENT_DONE, mon_agent_content_done },
};

void mon_control_read(struct mon *m)
{
	static struct handoff_message message;
	int fds[PASS_FDS];
	size_t count;
	int got = pass_receive(m->control, &message, sizeof(message), fds,
			       &count, MSG_DONTWAIT);

	if (got == 0 || (got < 0 && got != -EAGAIN && got != -EBADMSG)) {
		mon_engine_lost(m);
		return;
	}
	if (got < 0) {
		return;
	}
	message.text[sizeof(message.text) - 1] = '\0';
	if (message.index >= HANDOFF_PRODUCTS) {
		pass_close(fds, count);
		return;
	}
	if (message.type == HANDOFF_LAST_QUESTIONS) {
		mon_agent_last(m, &message, fds, count);
	}
	pass_close(fds, count);
	for (size_t i = 0; i < sizeof(engine_table) / sizeof(*engine_table);
	     i++) {
		if (engine_table[i].type == message.type) {
			engine_table[i].act(m, &message);
		}
	}
}

/* Every number below the limit: a question that was read by the dead engine
 * is known to the kernel by its descriptor number alone. */
static uint32_t engine_answer(struct mon *m)
{
	bool deny = atomic_load(&m->table->enforcing) &&
		    atomic_load(&m->table->forced) == HANDOFF_NORMAL;
	uint32_t denied = 0;

	for (int fd = 0; fd < (int)HANDOFF_FDS; fd++) {
		uint8_t verdict = atomic_exchange(&m->table->verdict[fd],
						  HANDOFF_VERDICT_NONE);
		struct fanotify_response r = { .fd = fd };
		bool guess = verdict == HANDOFF_VERDICT_NONE && deny;

		r.response = guess || verdict == HANDOFF_VERDICT_DENY
				     ? FAN_DENY : FAN_ALLOW;
		if (write(m->group, &r, sizeof(r)) == sizeof(r) && guess) {
			denied++;
		}
	}
	return denied;
}

/* Questions of enforcing products wait for them, in place of their fallback. */
static void engine_hold(struct mon *m)
{
	uint32_t products = 0;

	for (uint32_t i = 0; i < HANDOFF_PRODUCTS; i++) {
		struct mon_product *p = &m->product[i];

		p->quick_deaths = 0;    /* not its fault */
		if (p->used && p->wanted &&
		    p->manifest.mode == BAILEY_MODE_ENFORCE) {
			products |= 1u << i;
		}
	}
	atomic_store(&m->table->hold_until,
		     mono_add(m->engine_lost, HOLD_NS).ns);
	atomic_store(&m->table->hold_products, products);
}

void mon_engine_lost(struct mon *m)
{
	uint32_t denied;
	uint64_t wait = 0;

	close(fd_take(&m->control));
	m->engine_lost = mono_now();
	m->engine_ready = false;
	m->engine_dead = true;
	if (m->keeper_pid > 0) {
		kill(m->keeper_pid, SIGKILL);
	}
	engine_hold(m);
	denied = engine_answer(m);
	m->kernel_denied += denied;
	m->keeper_restarts++;
	if (mono_between(m->keeper_started, m->engine_lost) <
	    KEEPER_QUICK_NS) {
		m->quick_keepers++;
	} else {
		m->quick_keepers = 0;
	}
	if (m->quick_keepers > 3) {
		wait = (m->quick_keepers < 10 ? m->quick_keepers : 10) *
		       100 * MONO_MS;
	}
	log_error("the engine is dead; %u of its questions denied, a new one "
		  "starts", denied);
	mon_products_kill(m);
	mon_trials_reset(m);
	if (wait) {
		m->next_keeper = mono_add(m->engine_lost, wait);
	} else {
		mon_keeper_start(m);
	}
}
