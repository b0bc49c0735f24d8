/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mon_helper.c - asking the helper, and what comes back
 */
#include <string.h>
#include <sys/socket.h>

#include "base/log.h"
#include "base/pass.h"
#include "base/text.h"
#include "broker/mon.h"

int mon_helper_ask(struct mon *m, const struct helper_request *request,
		   const int *fds, size_t count)
{
	int r = pass_send(m->helper, request, sizeof(*request), fds, count,
			  MSG_DONTWAIT);

	if (r < 0) {
		log_error("the helper does not take a request: %s",
			  strerror(-r));
	}
	return r;
}

void mon_helper_rules(struct mon *m)
{
	struct helper_request r = { .job = HELPER_RULES };

	m->rules_until = 0;
	if (mon_helper_ask(m, &r, NULL, 0) < 0) {
		m->rules_until = wall_now_ns() + MONO_S;        /* again */
	}
}

static void keep_fd(int *where, int *fds, size_t count)
{
	if (count == 1) {
		if (*where >= 0) {
			close(*where);
		}
		*where = fd_take(&fds[0]);
	}
}

static void on_doctor(struct mon *m, const struct helper_reply *r)
{
	for (uint32_t i = 0; i < m->doctors; i++) {
		if (strcmp(m->doctor[i].product, r->doctor.product) == 0 &&
		    strcmp(m->doctor[i].what, r->doctor.what) == 0) {
			m->doctor[i] = r->doctor;
			return;
		}
	}
	mon_doctor_add(m, r->doctor.ok, r->doctor.product, r->doctor.what,
		       r->doctor.why, r->doctor.cost);
}

static void on_done(struct mon *m, const struct helper_reply *r, int *fds,
		    size_t count)
{
	switch (r->job) {
	case HELPER_LOAD:
		m->loading = false;
		if (r->error) {
			log_error("configuration: %s", r->text);
		}
		break;
	case HELPER_START_KEEPER:
		mon_keeper_started(m, r, fds, count);
		break;
	case HELPER_START_PRODUCT:
		mon_product_started(m, r, fds, count);
		break;
	case HELPER_START_AGENT:
		mon_agent_started(m, r);
		break;
	case HELPER_CONTENT:
		mon_agent_content(m, r, fds, count);
		break;
	case HELPER_PROCESSES:
		keep_fd(&m->processes_fd, fds, count);
		m->processes_count = r->number;
		mon_engine_knows(m);
		break;
	default:
		if (r->error && r->text[0]) {
			log_warning("%s", r->text);
		}
		break;
	}
}

void mon_helper_read(struct mon *m)
{
	static struct helper_reply r;
	int fds[PASS_FDS];
	size_t count;
	int got = pass_receive(m->helper, &r, sizeof(r), fds, &count, 0);

	if (got == 0) {
		log_error("the helper is gone; ending, to be started anew");
		m->stopping = true;
	}
	if (got <= 0) {
		return;
	}
	switch (r.type) {
	case HELPER_MANIFEST:
		mon_product_manifest(m, &r.manifest);
		break;
	case HELPER_PROGRAM:
		keep_fd(&m->rules_fd, fds, count);
		m->rules_until = r.number;
		mon_engine_rules(m);
		break;
	case HELPER_KEEP:
		keep_fd(&m->keep_fd, fds, count);
		m->keep_count = r.number;
		break;
	case HELPER_COMPLAINT:
		mon_complain(m, r.text);
		break;
	case HELPER_DOCTOR:
		on_doctor(m, &r);
		break;
	default:
		on_done(m, &r, fds, count);
		break;
	}
	mon_admin_helper(m, &r);
	for (size_t i = 0; i < count; i++) {
		fd_closep(&fds[i]);
	}
}
