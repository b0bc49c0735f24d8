/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent_request.c - what people ask for on content.sock
 *
 * A table: name, who may, what comes with it, handler. What a person does is
 * written to the journal with his reason before anything is done about it.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "agent/agent_socket.h"
#include "base/json.h"
#include "base/log.h"
#include "base/text.h"

#define PAUSE_MOST_S (366ll * 86400)

struct request {
	struct agent *agent;
	struct agent_client *client;
	struct json_at top;
	struct agent_product_state *p;  /* null: all */
	int fd;
	char reason[JOURNAL_REASON];
	struct store_words words;
};

/* The version that the request names. False: the client was told. */
static bool version_named(struct request *r, uint8_t ret_hash[VERSION_HASH])
{
	const char *text;

	if (json_text(&r->top, "version", POLICY_PIN - 1, &text) < 0) {
		client_end(r->client, EINVAL, "say which version");
		return false;
	}
	if (version_meant(r->p, text, ret_hash)) {
		client_end(r->client, ENOENT, "%s has no version %s",
			   r->p->told.name, text);
		return false;
	}
	return true;
}

/* The store's word on a change that a person asked for. */
static void end_stored(struct request *r, int result, const char *same)
{
	switch (result) {
	case STORE_DONE:
	case STORE_BACK:
		client_end(r->client, 0, "%s", "");
		break;
	case STORE_SAME:
		client_end(r->client, EALREADY, "%s", same);
		break;
	case STORE_UNKNOWN:
		client_end(r->client, ENOENT, "%s", store_reason(r->p->store));
		break;
	default:
		client_end(r->client, result < 0 ? -result : EBUSY, "%s",
			   store_reason(r->p->store));
	}
}

/* ---- anyone ---- */

static void on_list(struct request *r)
{
	for (uint32_t i = 0; i < AGENT_PRODUCTS; i++) {
		struct agent_product_state *p = &r->agent->product[i];

		if (p->store && (!r->p || r->p == p)) {
			client_say(r->client, row_product(p));
		}
	}
	client_end(r->client, 0, "%s", "");
}

static void on_show(struct request *r)
{
	client_say(r->client, row_product(r->p));
	rows_versions(r->client, r->p);
	client_end(r->client, 0, "%s", "");
}

static void on_why(struct request *r)
{
	uint8_t hash[VERSION_HASH];

	if (json_has(&r->top, "version")) {
		if (!version_named(r, hash)) {
			return;
		}
		rows_why(r->client, r->p, hash);
	} else {
		rows_why(r->client, r->p, NULL);
	}
	client_end(r->client, 0, "%s", "");
}

/* ---- root ---- */

static void on_pin(struct request *r)
{
	uint8_t hash[VERSION_HASH];

	if (version_named(r, hash)) {
		end_stored(r, store_pin(r->p->store, hash, &r->words),
			   "it is pinned to that already");
		agent_think(r->p);
	}
}

static void on_unpin(struct request *r)
{
	end_stored(r, store_pin(r->p->store, NULL, &r->words),
		   "it is not pinned");
	agent_think(r->p);
}

static void on_pause(struct request *r)
{
	int64_t for_s = 0;

	if (json_has(&r->top, "for_s") &&
	    json_int(&r->top, "for_s", 0, PAUSE_MOST_S, &for_s) < 0) {
		client_end(r->client, EINVAL, "for_s: seconds, at most a year");
		return;
	}
	for (uint32_t i = 0; i < AGENT_PRODUCTS; i++) {
		struct agent_product_state *p = &r->agent->product[i];
		int s;

		if (!p->store || (r->p && r->p != p)) {
			continue;
		}
		s = store_pause(p->store, for_s ? (uint64_t)(agent_now_s(p) +
							     for_s) : 0,
				&r->words);
		if (s < 0) {
			client_end(r->client, -s, "%s: %s", p->told.name,
				   store_reason(p->store));
			return;
		}
		agent_think(p);
	}
	client_end(r->client, 0, "%s", "");
}

static void on_resume(struct request *r)
{
	for (uint32_t i = 0; i < AGENT_PRODUCTS; i++) {
		struct agent_product_state *p = &r->agent->product[i];
		int s;

		if (!p->store || (r->p && r->p != p)) {
			continue;
		}
		s = store_resume(p->store, &r->words);
		if (s < 0) {
			client_end(r->client, -s, "%s: %s", p->told.name,
				   store_reason(p->store));
			return;
		}
		agent_think(p);
	}
	client_end(r->client, 0, "%s", "");
}

/* What he left is not taken again by itself: it is quarantined until he lifts
 * it. */
static void on_revert(struct request *r)
{
	uint8_t to[VERSION_HASH], left[VERSION_HASH];
	bool named = json_has(&r->top, "version");

	if (named && !version_named(r, to)) {
		return;
	}
	if (store_current(r->p->store, left) != STORE_DONE ||
	    !state_back(store_state(r->p->store))) {
		client_end(r->client, ENOENT,
			   "there is no good version to go back to");
		return;
	}
	if (named && agent_hash_same(to, left)) {
		client_end(r->client, EALREADY, "that one is in use");
		return;
	}
	agent_revert(r->p, named ? to : NULL, STATE_BY_PERSON, r->reason);
	if (store_reason(r->p->store)[0]) {
		client_end(r->client, EBUSY, "%s", store_reason(r->p->store));
		return;
	}
	agent_changed(r->p, store_quarantine(r->p->store, left, &r->words));
	client_end(r->client, 0, "%s", "");
}

static void on_lift(struct request *r)
{
	uint8_t hash[VERSION_HASH];

	if (version_named(r, hash)) {
		agent_put_off_end(r->p, hash);
		end_stored(r, store_lift(r->p->store, hash, &r->words),
			   "it is not in quarantine");
		agent_think(r->p);
	}
}

static void on_check(struct request *r)
{
	bool any = false;

	for (uint32_t i = 0; i < AGENT_PRODUCTS; i++) {
		struct agent_product_state *p = &r->agent->product[i];

		if (p->store && (!r->p || r->p == p)) {
			any = true;
			r->client->checks |= 1u << i;
		}
	}
	/* All are noted before the first can be answered. */
	for (uint32_t i = 0; i < AGENT_PRODUCTS; i++) {
		if (r->client->checks >> i & 1) {
			agent_check_begin(&r->agent->product[i], r->client);
		}
	}
	if (!any) {
		client_end(r->client, 0, "%s", "");
	}
}

static void on_submit(struct request *r)
{
	char why[AGENT_WHY] = "";
	int e;

	if (r->p->step != AGENT_STEP_IDLE) {
		client_end(r->client, EBUSY, "%s is at it: %s", r->p->told.name,
			   agent_step_name(r->p->step));
		return;
	}
	if (faccessat(r->fd, "site.json", F_OK, 0) == 0) {
		e = agent_site_read(r->p, r->fd, why);
	} else {
		e = agent_refresh(r->p, r->fd);
		text_format(why, sizeof(why), "%s", r->p->trouble);
	}
	if (e < 0) {
		log_warning("%s: what was brought is refused: %s",
			    r->p->told.name, why);
		client_end(r->client, EBADMSG, "%s", why);
		return;
	}
	client_say(r->client, row_progress(r->p, NULL, "verify", ""));
	r->client->waits = r->p;
	if (r->p->listed_count) {
		memcpy(r->client->hash,
		       r->p->listed[r->p->listed_count - 1].hash,
		       VERSION_HASH);
	}
	agent_think(r->p);
	if (r->client->waits && r->p->step == AGENT_STEP_IDLE &&
	    !r->p->filling) {
		client_end(r->client, 0, "%s", r->p->waits_for);
	}
}

/* ---- the table ---- */

enum { ONE, ANY };      /* a product must be named, or not */

static const struct {
	int product;
	void (*act)(struct request *);
} table[CONTENT_REQUESTS] = {
#define ROW(sym, which, handler) [CONTENT_DO_##sym] = {                       \
	.product = which, .act = handler }
	ROW(LIST, ANY, on_list), ROW(SHOW, ONE, on_show),
	ROW(WHY, ONE, on_why), ROW(PIN, ONE, on_pin),
	ROW(UNPIN, ONE, on_unpin), ROW(PAUSE, ANY, on_pause),
	ROW(RESUME, ANY, on_resume), ROW(REVERT, ONE, on_revert),
	ROW(CHECK, ANY, on_check), ROW(LIFT, ONE, on_lift),
	ROW(SUBMIT, ONE, on_submit),
#undef ROW
};

static const struct {
	const char *name;
	bool root, fd;
} rules[CONTENT_REQUESTS] = {
#define ROW(sym, name, root, fd, help) [CONTENT_DO_##sym] = { name, root, fd },
	CONTENT_REQUEST_TABLE(ROW)
#undef ROW
};

static struct agent_product_state *product_named(struct agent *agent,
						 const char *name)
{
	for (uint32_t i = 0; i < AGENT_PRODUCTS; i++) {
		struct agent_product_state *p = &agent->product[i];

		if (p->store && strcmp(p->told.name, name) == 0) {
			return p;
		}
	}
	return NULL;
}

static int request_find(const char *name)
{
	for (int i = 0; i < CONTENT_REQUESTS; i++) {
		if (strcmp(rules[i].name, name) == 0) {
			return i;
		}
	}
	return -1;
}

/* False: the client was told. */
static bool request_product(struct request *r, int which)
{
	const char *name = NULL;

	if (json_has(&r->top, "product") &&
	    json_text(&r->top, "product", VERSION_NAME - 1, &name) < 0) {
		client_end(r->client, EINVAL, "%s", r->top.fault->text);
		return false;
	}
	r->p = name ? product_named(r->agent, name) : NULL;
	if (name ? !r->p : table[which].product == ONE) {
		client_end(r->client, name ? ENODEV : EINVAL,
			   name ? "%s: no such product, or its content is not "
				  "managed" : "say which product%s",
			   name ? name : "");
		return false;
	}
	return true;
}

void client_request(struct agent *agent, struct agent_client *client,
		    const char *text, size_t length, int fd)
{
	struct request r = { .agent = agent, .client = client, .fd = fd };
	cleanup_json_tree json_t *tree = NULL;
	struct json_fault fault = { "" };
	const char *word = NULL, *reason = "";
	int which;

	if (json_read(text, length, CONTENT_REQUEST_MOST, &tree, &r.top,
		      &fault) < 0 ||
	    json_text(&r.top, "do", 32, &word) < 0) {
		client_end(client, EINVAL, "%s", fault.text);
		return;
	}
	which = request_find(word);
	if (which < 0) {
		client_end(client, EINVAL, "an unknown request: %.32s", word);
		return;
	}
	if (rules[which].root && !client->root) {
		client_end(client, EPERM, "only root may");
		return;
	}
	if (rules[which].fd != (fd >= 0)) {
		client_end(client, EINVAL, "%s", rules[which].fd
			   ? "a folder's descriptor is missing"
			   : "no descriptor is wanted");
		return;
	}
	if (json_has(&r.top, "reason") &&
	    json_text(&r.top, "reason", JOURNAL_REASON - 1, &reason) < 0) {
		client_end(client, EINVAL, "%s", fault.text);
		return;
	}
	text_format(r.reason, sizeof(r.reason), "%s", reason);
	r.words = (struct store_words){ .by = STATE_BY_PERSON,
					.reason = r.reason };
	if (request_product(&r, which)) {
		table[which].act(&r);
	}
}
