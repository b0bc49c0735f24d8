/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent_staging.c - what the updater or an import put into staging
 *
 * A mirror of a repository, a version that a site signed, or both; and the
 * updater's word on its last try. Who asks for a check waits for that word:
 * the updater touches `ready` after each try, at once after `check` was
 * touched. Without an updater that could answer, what is there is looked at.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>

#include "agent/agent_socket.h"
#include "base/json.h"
#include "base/log.h"
#include "base/text.h"

#define NEWS_SETTLE_MS 200u     /* several files change together */
#define CHECK_S 60u             /* for the updater's word */

/* ---- news ---- */

static void news(struct agent *agent, const struct inotify_event *e)
{
	/* Our own hand. */
	if (e->len && strcmp(e->name, CONTENT_CHECK) == 0) {
		return;
	}
	for (uint32_t i = 0; i < AGENT_PRODUCTS; i++) {
		struct agent_product_state *p = &agent->product[i];

		/* Its folder may have come: it is opened by the next look. */
		if (p->present && p->staging < 0 &&
		    e->wd == agent->staging_watch) {
			p->due = mono_add(mono_now(),
					  NEWS_SETTLE_MS * MONO_MS);
		}
		if (p->present && p->watch == e->wd) {
			p->refresh = true;
			p->told_ready |= e->len &&
					 strcmp(e->name, CONTENT_READY) == 0;
			p->due = mono_add(mono_now(),
					  NEWS_SETTLE_MS * MONO_MS);
		}
	}
}

/* A burst is one piece of news. */
void agent_staging_news(struct agent *agent)
{
	char bytes[4096] __attribute__((aligned(8)));
	ssize_t n = read(agent->inotify, bytes, sizeof(bytes));

	for (ssize_t at = 0; at + (ssize_t)sizeof(struct inotify_event) <= n;) {
		const struct inotify_event *e = (const void *)(bytes + at);

		news(agent, e);
		at += (ssize_t)(sizeof(*e) + e->len);
	}
}

/* ---- what is there ---- */

/* A publisher's signed word on hashes: lifted ones are free again. */
static void lifts(struct agent_product_state *p)
{
	struct store_words words = { .by = STATE_BY_PUBLISHER,
				     .reason = "its publisher lifted it" };

	for (uint32_t i = 0; i < p->lifted.count; i++) {
		const struct state_version *v = state_find(
			store_state(p->store), p->lifted.hash[i]);

		if (v && v->state == STATE_QUARANTINED && !v->lifted) {
			agent_changed(p, store_lift(p->store,
						    p->lifted.hash[i],
						    &words));
		}
	}
}

/* The updater's word; ret_reason "" if it was good, or there is none. */
static int status_read(struct agent_product_state *p,
		       char ret_reason[AGENT_WHY])
{
	cleanup_json_tree json_t *tree = NULL;
	cleanup_free char *text = NULL;
	struct json_fault fault;
	struct json_at top;
	const char *reason;
	int64_t checked, reached, error = 0;
	size_t length;

	ret_reason[0] = '\0';
	if (agent_file_read(p->staging, CONTENT_STATUS, CONTENT_STATUS_MOST,
			    &text, &length) < 0 ||
	    json_read(text, length, CONTENT_STATUS_MOST, &tree, &top,
		      &fault) < 0) {
		return 0;
	}
	if (json_int(&top, "checked", 0, INT64_MAX, &checked) == 0) {
		p->checked_s = checked;
	}
	if (json_int(&top, "reached", 0, INT64_MAX, &reached) == 0) {
		p->reached_s = reached;
	}
	if (json_int(&top, "error", 0, 4095, &error) == 0 && error &&
	    json_text(&top, "reason", AGENT_WHY - 1, &reason) == 0) {
		text_format(ret_reason, AGENT_WHY, "%s", reason);
	}
	return (int)error;
}

static bool is_there(const struct agent_product_state *p, const char *path)
{
	cleanup_fd int fd = agent_open_below(p->staging, path,
					     O_PATH | O_NOFOLLOW);

	return fd >= 0;
}

/* 0, or an errno with p->trouble: of the first that is wrong. The site's word
 * comes first: while it is valid its lease stands, not the gate's. */
static int look(struct agent_product_state *p)
{
	bool site = is_there(p, "site.json");
	bool mirror = is_there(p, "metadata/timestamp.json");
	char why[AGENT_WHY] = "";
	int r = site ? agent_site_read(p, p->staging, why) : 0, m = 0;

	p->trouble[0] = '\0';
	if (mirror) {
		m = agent_refresh(p, p->staging);
	} else if (!site) {
		text_format(p->trouble, sizeof(p->trouble),
			    "nothing was fetched yet");
		m = -ENOENT;
	}
	if (m == 0) {
		lifts(p);
	}
	if (r < 0) {
		text_format(p->trouble, sizeof(p->trouble), "%s", why);
	}
	return r < 0 ? r : m;
}

void agent_staging_look(struct agent_product_state *p)
{
	char why[AGENT_WHY] = "";
	int r, e;

	p->refresh = false;
	if (p->staging < 0 || !p->told.root[0]) {
		return;
	}
	r = look(p);
	e = status_read(p, why);
	if (why[0] && (r == 0 || r == -ENOENT)) {
		text_format(p->trouble, sizeof(p->trouble), "%s", why);
	}
	p->look_error = r < 0 ? -r : e;
	if (p->trouble[0] && strcmp(p->trouble, p->trouble_said) != 0) {
		log_warning("%s: %s", p->told.name, p->trouble);
	}
	text_format(p->trouble_said, sizeof(p->trouble_said), "%s",
		    p->trouble);
}

/* ---- check ---- */

/* The updater watches its time stamp. 0: it can hear. */
static int poke(const struct agent_product_state *p)
{
	cleanup_fd int fd = p->staging < 0 || !p->told.url[0] ? -ENOENT
		: agent_open_below(p->staging, CONTENT_CHECK, O_WRONLY);

	if (fd < 0) {
		return fd;
	}
	return futimens(fd, NULL) < 0 ? result_errno() : 0;
}

/* What came of it, for one product; the last one ends it. */
static void check_answer(struct agent_product_state *p,
			 struct agent_client *c, int error, const char *why)
{
	c->checks &= ~(1u << p->index);
	c->check_error = c->check_error ? c->check_error : error;
	client_say(c, row_progress(p, NULL, "verify", why));
	if (!c->checks) {
		client_end(c, c->check_error, "%s", c->check_error
			   ? "not all went well: see the steps" : "");
	}
}

static const char *outcome(const struct agent_product_state *p)
{
	return p->trouble[0]		 ? p->trouble
	       : p->step != AGENT_STEP_IDLE ? agent_step_name(p->step)
	       : p->filling	 ? "its files are being copied"
					 : p->waits_for;
}

void agent_check_begin(struct agent_product_state *p, struct agent_client *c)
{
	agent_open_staging(p);
	c->checks |= 1u << p->index;
	p->check_until = mono_add(mono_now(), CHECK_S * MONO_S);
	p->told_ready = false;
	if (poke(p) == 0) {
		return;
	}
	p->told_ready = p->refresh = true;
	agent_think(p);
	agent_check_turn(p);
}

void agent_check_turn(struct agent_product_state *p)
{
	bool over = mono_now().ns >= p->check_until.ns;

	/* Its word is there and was looked at, or does not come. */
	if (!p->store || (!(p->told_ready && !p->refresh) && !over)) {
		return;
	}
	for (size_t i = 0; i < AGENT_CLIENTS; i++) {
		struct agent_client *c = p->agent->client[i];

		if (!c || c->ended || !(c->checks >> p->index & 1)) {
			continue;
		}
		if (p->told_ready && !p->refresh) {
			check_answer(p, c, p->look_error, outcome(p));
		} else if (p->step != AGENT_STEP_IDLE) {
			check_answer(p, c, EBUSY, agent_step_name(p->step));
		} else {
			check_answer(p, c, ETIMEDOUT, "the updater did not "
				     "answer in 60 s; does it run?");
		}
	}
	p->check_until = (mono_t){ UINT64_MAX };
}
