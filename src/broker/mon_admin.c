/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mon_admin.c - the admin socket: fixed-size requests, by a table
 *
 * Root only (SO_PEERCRED), but for STATUS and DOCTOR. What needs a file is
 * passed to the helper; the client waits for its reply, the monitor does not.
 */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/log.h"
#include "base/text.h"
#include "broker/mon.h"

void mon_admin_accept(struct mon *m)
{
	int fd = accept4(m->admin_listen, NULL, NULL,
			 SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct ucred who;
	socklen_t size = sizeof(who);
	uint32_t others = 0;

	if (fd < 0 ||
	    getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &size) < 0) {
		fd_closep(&fd);
		return;
	}
	/* Half of the places are root's: nobody keeps `bailey off` out. */
	for (size_t i = 0; i < MON_CLIENTS; i++) {
		others += m->client[i].fd >= 0 && m->client[i].uid != 0;
	}
	for (size_t i = 0; i < MON_CLIENTS; i++) {
		if (m->client[i].fd < 0 &&
		    (who.uid == 0 || others < MON_CLIENTS / 2)) {
			m->client[i] = (struct mon_client){ .fd = fd,
							    .uid = who.uid };
			return;
		}
	}
	fd_closep(&fd);
}

static void admin_send(const struct mon_client *c, const void *record,
		       size_t size)
{
	/* A client that does not read loses records, not the monitor time. */
	ssize_t n = send(c->fd, record, size, MSG_DONTWAIT | MSG_NOSIGNAL);
	(void)n;
}

static void admin_end(struct mon_client *c, int error)
{
	struct view_end end = { { ADMIN_END, sizeof(end) }, (uint32_t)error,
				0 };

	admin_send(c, &end, sizeof(end));
	close(fd_take(&c->fd));
	c->job = 0;
}

/* ---- status ---- */

static void send_monitor(const struct mon *m, const struct mon_client *c)
{
	struct admin_monitor a = {
		.head = { ADMIN_MONITOR, sizeof(a) },
		.monitor_pid = getpid(), .keeper_pid = m->keeper_pid,
		.helper_pid = m->helper_pid,
		.forced = atomic_load(&m->table->forced),
		.keeper_restarts = m->keeper_restarts,
		.worker_restarts = atomic_load(&m->table->worker_restarts),
		.since_ns = m->since_wall,
		.unprotected_ms = m->unprotected_ns / MONO_MS,
		.kernel_denied = m->kernel_denied,
		.unmarked = m->unmarked,
	};

	if (m->off_until.ns) {
		a.off_until_ns = wall_now_ns() +
				 mono_between(mono_now(), m->off_until);
	}
	admin_send(c, &a, sizeof(a));
}

static void send_hash(const struct handoff_expect *expect,
		      char ret_text[VIEW_HASH])
{
	for (size_t i = 0; expect->managed && i < AGENT_HASH; i++) {
		text_format(ret_text + 2 * i, 3, "%02x", expect->hash[i]);
	}
}

static void send_products(const struct mon *m, const struct mon_client *c)
{
	for (uint32_t i = 0; i < HANDOFF_PRODUCTS; i++) {
		const struct mon_product *p = &m->product[i];
		struct admin_product a = {
			.head = { ADMIN_PRODUCT, sizeof(a) }, .index = i,
			.mode = p->manifest.mode, .pid = p->asked.pid,
			.restarts = p->restarts, .uid = MON_PRODUCT_UID + i,
			.enabled = p->enabled,
		};

		if (!p->used) {
			continue;
		}
		if (p->next_start.ns) {
			a.next_start_ns = wall_now_ns() +
					  mono_between(mono_now(),
						       p->next_start);
		}
		memcpy(a.name, p->manifest.name, sizeof(a.name));
		memcpy(a.last_exit, p->last_exit, sizeof(a.last_exit));
		send_hash(&p->asked.expect, a.content);
		admin_send(c, &a, sizeof(a));
	}
}

static void send_degraded_since(const struct mon_client *c, uint64_t since_ns,
				const char *what, const char *why)
{
	struct admin_degraded a = { .head = { ADMIN_DEGRADED, sizeof(a) },
				    .since_ns = since_ns };

	text_format(a.what, sizeof(a.what), "%s", what);
	text_format(a.why, sizeof(a.why), "%s", why);
	admin_send(c, &a, sizeof(a));
}

static void send_degraded(const struct mon *m, const struct mon_client *c,
			  const char *what, const char *why)
{
	send_degraded_since(c, m->since_wall, what, why);
}

static void send_alarms(const struct mon *m, const struct mon_client *c)
{
	char what[64];

	for (uint32_t i = 0; i < HANDOFF_PRODUCTS; i++) {
		const struct mon_product *p = &m->product[i];

		if (p->used && p->alarm_wall) {
			text_format(what, sizeof(what), "denials of %s",
				    p->manifest.name);
			send_degraded_since(c, p->alarm_wall, what, "it denied "
				"more than its max_denials and was put into "
				"observe; `bailey product NAME enforce` "
				"believes it again");
		}
	}
}

static void send_content(const struct mon *m, const struct mon_client *c)
{
	char what[64];

	if (m->agent.managed && m->agent.why[0]) {
		send_degraded_since(c, m->agent.since_wall, "content agent",
				    m->agent.why);
	}
	for (uint32_t i = 0; i < HANDOFF_PRODUCTS; i++) {
		const struct mon_product *p = &m->product[i];

		if (p->used && p->content_alarm[0]) {
			text_format(what, sizeof(what), "content of %s",
				    p->manifest.name);
			send_degraded_since(c, p->content_alarm_wall, what,
					    p->content_alarm);
		}
	}
}

static void send_degradations(const struct mon *m, const struct mon_client *c)
{
	uint32_t forced = atomic_load(&m->table->forced);

	if (!m->engine_ready) {
		send_degraded(m, c, "engine", "it is being started");
	}
	for (uint32_t i = 0; i < m->scopes; i++) {
		if (!m->scope[i].view.marked && forced != HANDOFF_OFF) {
			send_degraded(m, c, "scope", m->scope[i].view.reason);
		}
	}
	send_alarms(m, c);
	send_content(m, c);
	for (uint32_t i = 0; i < m->complaints; i++) {
		send_degraded(m, c, "configuration", m->complaint[i]);
	}
	for (uint32_t i = 0; i < m->doctors; i++) {
		if (!m->doctor[i].ok) {
			send_degraded(m, c, m->doctor[i].what,
				      m->doctor[i].why);
		}
	}
}

static int on_status(struct mon *m, struct mon_client *c,
		     const struct admin_request *r)
{
	(void)r;
	send_monitor(m, c);
	for (uint32_t i = 0; i < m->scopes; i++) {
		admin_send(c, &m->scope[i].view, sizeof(m->scope[i].view));
	}
	send_products(m, c);
	send_degradations(m, c);
	return 0;
}

static int on_doctor(struct mon *m, struct mon_client *c,
		     const struct admin_request *r)
{
	for (uint32_t i = 0; i < m->doctors; i++) {
		if (!r->product[0] ||
		    strcmp(r->product, m->doctor[i].product) == 0) {
			admin_send(c, &m->doctor[i], sizeof(m->doctor[i]));
		}
	}
	return 0;
}

/* ---- switches ---- */

static int on_off(struct mon *m, struct mon_client *c,
		  const struct admin_request *r)
{
	(void)c;
	m->off_until = r->number ? mono_add(mono_now(), r->number * MONO_S)
				 : (mono_t){ 0 };
	atomic_store(&m->table->forced, HANDOFF_OFF);
	mon_scopes_unmark(m);
	log_notice("switched off%s", r->number ? " for a time" : "");
	return 0;
}

static int on_on(struct mon *m, struct mon_client *c,
		 const struct admin_request *r)
{
	(void)c;
	(void)r;
	m->off_until = (mono_t){ 0 };
	atomic_store(&m->table->forced, HANDOFF_NORMAL);
	mon_scopes_mark(m);
	log_notice("switched on");
	return 0;
}

static int on_shutdown(struct mon *m, struct mon_client *c,
		       const struct admin_request *r)
{
	(void)c;
	(void)r;
	m->stopping = true;
	return 0;
}

/* ---- products ---- */

static int admin_product(const struct mon *m, const struct admin_request *r)
{
	for (int i = 0; i < (int)HANDOFF_PRODUCTS; i++) {
		if (m->product[i].used &&
		    strcmp(m->product[i].manifest.name, r->product) == 0) {
			return i;
		}
	}
	return -1;
}

static void product_start(struct mon *m, uint32_t index)
{
	struct mon_product *p = &m->product[index];

	p->wanted = true;
	if (!p->asked.pid && !p->asked.starting) {
		p->quick_deaths = 0;
		p->next_start = mono_now();
	}
	mon_agent_product(m, index);
}

static void product_stop(struct mon *m, uint32_t index)
{
	struct handoff_message stop = { .type = HANDOFF_PRODUCT_STOP,
					.index = index };

	m->product[index].wanted = false;
	m->product[index].next_start = (mono_t){ 0 };
	mon_engine_tell(m, &stop, NULL, 0);
	mon_trial_stop(m, index);
	mon_agent_product(m, index);
	/* It has a second to finish; the tick ends it. */
	m->product[index].stop_at = mono_add(mono_now(), MONO_S);
}

#define ADMIN_WORD(sym, num, name) [num] = name,
static const char *const admin_word[] = { ADMIN_REQUEST_TABLE(ADMIN_WORD) };

static int on_product(struct mon *m, struct mon_client *c,
		      const struct admin_request *r)
{
	static const uint32_t message[] = {
		[ADMIN_PRODUCT_SUSPEND] = HANDOFF_PRODUCT_SUSPEND,
		[ADMIN_PRODUCT_RESUME] = HANDOFF_PRODUCT_SUSPEND,
		[ADMIN_PRODUCT_BYPASS] = HANDOFF_PRODUCT_BYPASS,
	};
	int index = admin_product(m, r);
	struct handoff_message tell;

	(void)c;
	if (index < 0) {
		return ENOENT;
	}
	log_notice("%s: %s, by the administrator",
		   m->product[index].manifest.name, admin_word[r->type]);
	if (r->type == ADMIN_PRODUCT_START || r->type == ADMIN_PRODUCT_ENABLE) {
		m->product[index].enabled |= r->type == ADMIN_PRODUCT_ENABLE;
		product_start(m, (uint32_t)index);
		return 0;
	}
	if (r->type == ADMIN_PRODUCT_STOP || r->type == ADMIN_PRODUCT_DISABLE) {
		m->product[index].enabled &= r->type != ADMIN_PRODUCT_DISABLE;
		product_stop(m, (uint32_t)index);
		return 0;
	}
	if (r->type == ADMIN_PRODUCT_OBSERVE ||
	    r->type == ADMIN_PRODUCT_ENFORCE) {
		mon_product_mode(m, (uint32_t)index,
				 r->type == ADMIN_PRODUCT_ENFORCE
					 ? BAILEY_MODE_ENFORCE
					 : BAILEY_MODE_OBSERVE);
		return 0;
	}
	tell = (struct handoff_message){ .type = message[r->type],
					 .index = (uint32_t)index,
					 .number = r->number };
	if (r->type == ADMIN_PRODUCT_SUSPEND ||
	    r->type == ADMIN_PRODUCT_RESUME) {
		tell.number = r->type == ADMIN_PRODUCT_SUSPEND;
	}
	mon_engine_tell(m, &tell, NULL, 0);
	return 0;
}

/* ---- what the helper does ---- */

#define LATER (-1)

static int on_file(struct mon *m, struct mon_client *c,
		   const struct admin_request *r)
{
	static const uint32_t job[] = {
		[ADMIN_EXCEPTION_ADD] = HELPER_EXCEPTION_ADD,
		[ADMIN_EXCEPTION_REMOVE] = HELPER_EXCEPTION_REMOVE,
		[ADMIN_EXCEPTIONS] = HELPER_EXCEPTIONS,
		[ADMIN_RELOAD] = HELPER_RULES,
	};
	struct helper_request request = { .job = job[r->type],
					  .number = r->number };

	for (size_t i = 0; i < MON_CLIENTS; i++) {
		if (m->client[i].fd >= 0 && m->client[i].job == request.job) {
			return EBUSY;   /* replies carry no client */
		}
	}
	memcpy(request.text, r->text, sizeof(r->text) - 1);
	memcpy(request.reason, r->reason, sizeof(request.reason) - 1);
	c->job = request.job;
	if (r->type == ADMIN_RELOAD) {
		mon_engine_tell(m, &(struct handoff_message){
			.type = HANDOFF_CONFIG }, NULL, 0);
	}
	return mon_helper_ask(m, &request, NULL, 0) < 0 ? EIO : LATER;
}

void mon_admin_helper(struct mon *m, const struct helper_reply *reply)
{
	for (size_t i = 0; i < MON_CLIENTS; i++) {
		struct mon_client *c = &m->client[i];

		if (c->fd < 0 || !c->job || c->job != reply->job) {
			continue;
		}
		if (reply->type == HELPER_EXCEPTION) {
			struct admin_exception e = reply->exception;

			e.head = (struct view_head){ ADMIN_EXCEPTION,
						     sizeof(e) };
			admin_send(c, &e, sizeof(e));
		} else if (reply->type == HELPER_COMPLAINT) {
			struct admin_degraded d = {
				.head = { ADMIN_DEGRADED, sizeof(d) } };

			memcpy(d.why, reply->text, sizeof(d.why) - 1);
			admin_send(c, &d, sizeof(d));
		}
		if (reply->type != HELPER_DONE || reply->more) {
			continue;
		}
		if (!reply->error && (c->job == HELPER_EXCEPTION_ADD ||
				      c->job == HELPER_EXCEPTION_REMOVE)) {
			c->job = HELPER_RULES;  /* answered when in force */
			mon_helper_rules(m);
			return;
		}
		admin_end(c, reply->error);
	}
}

/* ---- the table ---- */

static const struct {
	int (*act)(struct mon *, struct mon_client *,
		   const struct admin_request *);
	bool anyone;
} admin_table[] = {
	[ADMIN_STATUS] = { on_status, true },
	[ADMIN_OFF] = { on_off, false },
	[ADMIN_ON] = { on_on, false },
	[ADMIN_PRODUCT_START] = { on_product, false },
	[ADMIN_PRODUCT_STOP] = { on_product, false },
	[ADMIN_PRODUCT_SUSPEND] = { on_product, false },
	[ADMIN_PRODUCT_RESUME] = { on_product, false },
	[ADMIN_PRODUCT_OBSERVE] = { on_product, false },
	[ADMIN_PRODUCT_ENFORCE] = { on_product, false },
	[ADMIN_PRODUCT_BYPASS] = { on_product, false },
	[ADMIN_PRODUCT_ENABLE] = { on_product, false },
	[ADMIN_PRODUCT_DISABLE] = { on_product, false },
	[ADMIN_EXCEPTION_ADD] = { on_file, false },
	[ADMIN_EXCEPTION_REMOVE] = { on_file, false },
	[ADMIN_EXCEPTIONS] = { on_file, false },
	[ADMIN_RELOAD] = { on_file, false },
	[ADMIN_DOCTOR] = { on_doctor, true },
	[ADMIN_SHUTDOWN] = { on_shutdown, false },
};

void mon_admin_read(struct mon *m, struct mon_client *c)
{
	static struct admin_request r;
	ssize_t n = recv(c->fd, &r, sizeof(r), MSG_DONTWAIT);
	int error;

	if (n < 0 && errno == EAGAIN) {
		return;
	}
	if (n <= 0) {
		close(fd_take(&c->fd));
		c->job = 0;
		return;
	}
	r.product[sizeof(r.product) - 1] = '\0';
	if (n != sizeof(r) || r.version != VIEW_VERSION ||
	    r.type >= sizeof(admin_table) / sizeof(*admin_table) ||
	    !admin_table[r.type].act) {
		error = EINVAL;
	} else if (c->uid != 0 && !admin_table[r.type].anyone) {
		error = EPERM;
	} else {
		error = admin_table[r.type].act(m, c, &r);
	}
	if (error != LATER) {
		admin_end(c, error);
	}
}
