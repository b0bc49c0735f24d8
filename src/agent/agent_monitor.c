/* SPDX-License-Identifier: Apache-2.0 */
/* agent_monitor.c - words from and to the monitor (proto/agent.h) */
#include <string.h>
#include <sys/socket.h>

#include "agent/agent.h"
#include "base/log.h"
#include "base/pass.h"
#include "base/text.h"

#define MESSAGES_A_TURN 64u

void agent_tell(struct agent_product_state *p, enum agent_message_type type,
		const struct agent_message *with)
{
	struct agent_message m = { 0 };
	int r;

	if (with) {
		m = *with;
	}
	m.type = type;
	m.index = p->index;
	/* The monitor reads at once; one that does not is as good as gone, and
	 * the loop sees that. */
	r = pass_send(p->agent->monitor, &m, sizeof(m), NULL, 0, 0);
	if (r < 0) {
		log_warning("%s: the monitor was not told: %s", p->told.name,
			    strerror(-r));
	}
}

void agent_alarm(struct agent_product_state *p, const char *text)
{
	struct agent_message m = { 0 };

	text_format(m.text, sizeof(m.text), "%s", text);
	agent_tell(p, AGENT_ALARM, &m);
}

/* Nothing good is there to go back to: from journal and decision, so that the
 * next agent says the same. */
static const char *alarm_text(const struct agent_product_state *p)
{
	const struct state *state = store_state(p->store);

	if (state_active(state)) {
		return p->decision.reason == DECIDE_BECAUSE_NO_OTHER
			? "its content fails, and no good version is here to "
			  "go back to" : "";
	}
	for (size_t i = 0; i < state->count; i++) {
		if (state->version[i].reverts > 0) {
			return "its content was taken back, and no good "
			       "version is here: it runs with the manifest's "
			       "own";
		}
	}
	return "";
}

void agent_alarm_update(struct agent_product_state *p)
{
	const char *text = alarm_text(p);

	if (!p->alarm_known || strcmp(p->alarm, text) != 0) {
		p->alarm_known = true;
		p->alarm = text;
		if (text[0]) {
			log_error("%s: %s", p->told.name, text);
		}
		agent_alarm(p, text);
	}
}

static void on_ready_try(struct agent_product_state *p,
			 const struct agent_message *m)
{
	if (p->step == AGENT_STEP_STANDBY && m->try == p->try.id) {
		agent_on_ready(p, m);
	}
}

/* Those without descriptors. */
static void message_plain(struct agent_product_state *p,
			  const struct agent_message *m)
{
	switch (m->type) {
	case AGENT_PRODUCT_READY:
		agent_on_ready(p, m);
		break;
	case AGENT_PRODUCT_ENDED:
		agent_on_ended(p, m);
		break;
	case AGENT_PRODUCT_ALARM:
		agent_on_alarm(p, m);
		break;
	case AGENT_TRY_READY:
		on_ready_try(p, m);
		break;
	case AGENT_TRY_ENDED:
		agent_try_ended(p, m);
		break;
	case AGENT_SWITCHED:
		agent_on_switched(p, m);
		break;
	case AGENT_SWITCHED_BACK:
		agent_on_switched_back(p, m);
		break;
	case AGENT_CONTENT_DONE:
		agent_on_content_done(p, m);
		break;
	case AGENT_REFUSED:
		agent_on_refused(p, m);
		break;
	default:
		break;
	}
}

static void message_take(struct agent *agent, const struct agent_message *m,
			 int *fds, size_t count)
{
	struct agent_product_state *p;

	if (m->type == AGENT_BEGIN) {
		agent->begun = true;
		for (uint32_t i = 0; i < AGENT_PRODUCTS; i++) {
			agent_think(&agent->product[i]);
		}
		return;
	}
	if (m->type == AGENT_SHUTDOWN) {
		agent->over = true;
		return;
	}
	if (m->index >= AGENT_PRODUCTS) {
		return;
	}
	p = &agent->product[m->index];
	if (m->type == AGENT_PRODUCT) {
		agent_product_add(agent, m);
	} else if (!p->present || !p->store) {
		return;
	} else if (m->type == AGENT_TRY_STARTED) {
		agent_try_started(p, m, fds, count);
	} else if (m->type == AGENT_LAST_QUESTIONS) {
		agent_on_questions(p, m, fds, count);
	} else {
		message_plain(p, m);
	}
}

int agent_monitor_read(struct agent *agent)
{
	for (unsigned i = 0; i < MESSAGES_A_TURN && !agent->over; i++) {
		struct agent_message m;
		int fds[PASS_FDS];
		size_t count = 0;
		int r = pass_receive(agent->monitor, &m, sizeof(m), fds,
				     &count, MSG_DONTWAIT);

		if (r == -EAGAIN) {
			return 0;
		}
		if (r <= 0) {
			return r < 0 && r == -EBADMSG ? r : -EPIPE;
		}
		m.text[sizeof(m.text) - 1] = '\0';
		message_take(agent, &m, fds, count);
		/* What is wanted of them was taken: set to -1. */
		for (size_t k = 0; k < count; k++) {
			fd_closep(&fds[k]);
		}
	}
	return 0;
}
