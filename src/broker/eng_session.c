/* SPDX-License-Identifier: Apache-2.0 */
/*
 * eng_session.c - one product's session: from HELLO to its end
 *
 * Service thread. It begins when the monitor hands over the socket of a new
 * process, and ends by a fault, by the end of the process, or by the
 * administrator; what it still owes is then answered by the reply thread before
 * anything here is taken apart. Requests: eng_request.c.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "base/log.h"
#include "broker/eng.h"
#include "broker/eng_known.h"
#include "broker/eng_set.h"
#include "broker/eng_text.h"

static void session_close(struct engine *e, int *fd)
{
	if (*fd >= 0) {
		e->ours[*fd] = 0;
		close(*fd);
		*fd = -1;
	}
}

static void session_close_all(struct engine *e, struct session *s)
{
	session_close(e, &s->socket);
	session_close(e, &s->files);
	session_close(e, &s->wake_product);
	session_close(e, &s->wake_engine);
	eng_content_forget(e, s);
	for (size_t i = 0; i < 3; i++) {
		session_close(e, &s->directory[i]);
	}
	eng_text_abandon(s);
	eng_set_abandon(s);
}

void eng_enforcing_changed(struct engine *e)
{
	uint32_t any = 0;

	for (uint32_t i = 0; i < HANDOFF_PRODUCTS; i++) {
		any |= e->session[i].present &&
		       e->session[i].mode == BAILEY_MODE_ENFORCE;
	}
	atomic_store(&e->table->enforcing, any);
}

void eng_session_state(struct session *s, enum view_product_state state)
{
	s->view.state = state;
	s->view.since_ns = wall_now_ns();
}

static bool session_present(const struct engine *e, const struct session *s)
{
	return e->session[s->product].present;
}

/* From the end of its serving, not again from each start that comes to
 * nothing. */
static void session_rules_outlive(struct session *s)
{
	if (!s->rules.expires_ns) {
		s->rules.expires_ns = mono_now().ns +
				      s->manifest.rules_ttl_s * MONO_S;
	}
}

/* Rules and collections of a process that is not asked any more. */
static void session_forget(struct engine *e, struct session *s)
{
	eng_program_drop(e, &s->rules);
	eng_sets_drop(e, s);
}

static void session_product(struct engine *e, struct session *s,
			    const struct handoff_message *m)
{
	uint32_t product = m->second ? m->second - 1 : m->index;
	struct session *p = &e->session[product];

	if (s->product != product ||
	    memcmp(s->expect.hash, m->expect.hash,
		   sizeof(s->expect.hash)) != 0) {
		s->serial++;
	}
	s->product = product;
	if (m->asked && !eng_is_asked(e, s) &&
	    e->session[eng_asked(e, product)].phase != SESSION_SERVING) {
		atomic_store(&p->kept, 0);
		atomic_store(&p->asked, s->index);
	}
	if (!eng_is_asked(e, s)) {
		session_forget(e, s);
		return;
	}
	/* Not another of its processes meanwhile. */
	atomic_store(&p->mode, m->manifest.mode);
	p->view.mode = m->manifest.mode;
	memcpy(p->view.name, m->manifest.name, sizeof(p->view.name));
	p->manifest = m->manifest;
	atomic_fetch_or(&e->told, 1u << product);
	p->present = true;
	session_rules_outlive(s);
}

void eng_session_add(struct engine *e, const struct handoff_message *m,
		     const int *fds, size_t count)
{
	struct session *s = &e->session[m->index];
	size_t at = 1;

	/* The reply thread lets go of the former instance first. */
	if (s->phase == SESSION_SERVING) {
		atomic_store(&s->phase, SESSION_ENDING);
	}
	while (s->phase == SESSION_ENDING) {
		eng_reply_kick(e);
		eng_grace(e);
	}
	eng_session_reap(e);
	session_close_all(e, s);
	session_product(e, s, m);
	s->manifest = m->manifest;
	s->expect = m->expect;
	atomic_store(&s->fault, SESSION_FAULT_NONE);
	s->started = mono_now();
	s->owed = 0;
	s->instance = m->instance;
	s->gone = false;
	s->phase = SESSION_EMPTY;
	eng_session_state(s, VIEW_STATE_LOADING);
	s->socket = count ? fds[0] : -1;
	for (uint32_t bit = 0; bit < 3; bit++) {
		if (m->number >> (bit + 1) & 1 && at < count) {
			s->directory[bit] = fds[at++];
		}
	}
	eng_enforcing_changed(e);
}

/* That it ended says less than how: the monitor's last_exit has that, and an
 * older fault would stand in front of it. */
static void session_last_fault(struct engine *e, const struct session *s,
			       enum session_fault fault)
{
	bool ended = fault == SESSION_FAULT_GONE ||
		     fault == SESSION_FAULT_CLOSED;
	struct view_product *view = &e->session[s->product].view;

	snprintf(view->last_fault, sizeof(view->last_fault), "%s",
		 ended ? "" : eng_fault_text(fault));
}

/* The process is gone. Its rules stay for rules_ttl. One that a former engine
 * left behind may end when its place is another's. */
void eng_session_gone(struct engine *e, uint32_t index, uint32_t instance)
{
	struct session *s = &e->session[index];
	bool expected_end = s->gone;

	if (s->instance != instance) {
		return;
	}
	/* If it was taken apart already there is nothing to remember. */
	s->gone = s->phase != SESSION_EMPTY;
	if (s->phase == SESSION_SERVING) {
		uint32_t expected = SESSION_FAULT_NONE;

		if (!expected_end) {
			session_last_fault(e, s, SESSION_FAULT_GONE);
		}
		atomic_compare_exchange_strong(&s->fault, &expected,
					       SESSION_FAULT_GONE);
		atomic_store(&s->phase, SESSION_ENDING);
		eng_reply_kick(e);
		return;
	}
	if (s->phase != SESSION_ENDING && s->phase != SESSION_DROPPED) {
		session_close_all(e, s);
		eng_session_state(s, session_present(e, s)
					     ? VIEW_STATE_RESTARTING
					     : VIEW_STATE_STOPPED);
		if (!eng_is_asked(e, s)) {
			session_forget(e, s);
		}
	}
}

/* The administrator stopped it: it and its rules are forgotten. */
void eng_session_stop(struct engine *e, uint32_t index)
{
	struct session *p = &e->session[index];

	p->present = false;
	p->served = false;      /* others decided without it meanwhile */
	for (uint32_t i = 0; i < HANDOFF_PRODUCTS; i++) {
		struct session *s = &e->session[i];

		if (s->product != index) {
			continue;
		}
		if (s->phase == SESSION_SERVING) {
			atomic_fetch_or(&s->tell, ENG_TELL_STOP);
			eng_reply_kick(e);
		}
		session_forget(e, s);
		eng_session_state(s, VIEW_STATE_STOPPED);
	}
	eng_enforcing_changed(e);
}

void eng_session_fail(struct engine *e, struct session *s,
		      enum session_fault fault)
{
	uint32_t expected = SESSION_FAULT_NONE;

	if (fault != SESSION_FAULT_CLOSED && fault != SESSION_FAULT_BACK) {
		e->session[s->product].view.faults++;
	}
	atomic_compare_exchange_strong(&s->fault, &expected, fault);
	if (s->phase == SESSION_SERVING) {
		atomic_store(&s->phase, SESSION_ENDING);
		eng_reply_kick(e);
	} else if (s->phase != SESSION_ENDING) {
		atomic_store(&s->phase, SESSION_DROPPED);
	}
}

static void session_tell_fault(struct engine *e, struct session *s,
			       enum session_fault fault)
{
	struct handoff_message m = { .type = HANDOFF_PRODUCT_FAULT,
				     .index = s->index,
				     .instance = s->instance,
				     .fault = eng_fault_agent(fault) };

	snprintf(m.text, sizeof(m.text), "%s", eng_fault_text(fault));
	session_last_fault(e, s, fault);
	log_warning("session of %s ended: %s", s->manifest.name, m.text);
	eng_monitor_tell(&m);
}

/* For its author: what it died or fell silent over. */
static void session_tell_owed(struct engine *e, const struct session *s)
{
	if (s->owed && session_present(e, s)) {
		log_notice("%s owed an answer to event %llu; `bailey explain "
			   "%llu` says what that was about", s->manifest.name,
			   (unsigned long long)s->owed,
			   (unsigned long long)s->owed);
	}
}

/* A product looks on after an event only while each that serves has a
 * processor, and the engine one more. */
void eng_spin_advise(struct engine *e)
{
	uint32_t serving = 0;

	for (uint32_t i = 0; i < HANDOFF_PRODUCTS; i++) {
		serving += e->session[i].phase == SESSION_SERVING &&
			   eng_is_asked(e, &e->session[i]);
	}
	for (uint32_t i = 0; i < HANDOFF_PRODUCTS; i++) {
		e->region[i].events->spin_ns =
			e->processors > serving ? ENG_PRODUCT_SPIN_NS : 0;
	}
}

/* Takes apart what the reply thread has dropped; watches the time to ready. */
void eng_session_reap(struct engine *e)
{
	for (uint32_t i = 0; i < HANDOFF_PRODUCTS; i++) {
		struct session *s = &e->session[i];
		uint32_t fault = atomic_load(&s->fault);

		if (session_present(e, s) && s->socket >= 0 &&
		    s->phase <= SESSION_CONNECTED &&
		    mono_between(s->started, mono_now()) >
			    s->manifest.start_s * MONO_S) {
			eng_session_fail(e, s, SESSION_FAULT_NOT_READY);
		}
		if (s->phase == SESSION_SERVING && eng_content_late(s)) {
			eng_session_fail(e, s, SESSION_FAULT_CONTENT);
		}
		if (s->phase != SESSION_DROPPED) {
			continue;
		}
		fault = atomic_load(&s->fault);
		if (fault != SESSION_FAULT_NONE && !s->gone) {
			session_tell_fault(e, s, fault);
		}
		session_tell_owed(e, s);
		atomic_store(&e->region[i].events->ended, 1);
		session_close_all(e, s);
		if (eng_is_asked(e, s)) {
			session_rules_outlive(s);
		} else {
			session_forget(e, s);
		}
		eng_session_state(s, session_present(e, s)
					     ? VIEW_STATE_RESTARTING
					     : VIEW_STATE_STOPPED);
		s->gone = false;
		atomic_store(&s->phase, SESSION_EMPTY);
		eng_spin_advise(e);
	}
}

/* A new worker, before anything else: the text being sent was on the heap of
 * the dead one; its product is told EINVAL by its next request. */
void eng_session_succeed(struct engine *e)
{
	for (uint32_t i = 0; i < HANDOFF_PRODUCTS; i++) {
		struct session *s = &e->session[i];

		s->text = NULL;
		s->text_length = 0;
		if (s->replying) {
			s->replying = 0;
			eng_session_fail(e, s, SESSION_FAULT_REPLY);
		}
	}
}

bool eng_session_starting(const struct engine *e)
{
	for (uint32_t i = 0; i < HANDOFF_PRODUCTS; i++) {
		const struct session *s = &e->session[i];

		if (s->content_since.ns ||
		    (s->socket >= 0 && s->phase <= SESSION_CONNECTED)) {
			return true;
		}
	}
	return false;
}
