/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cmd_events.c - decisions as they are made, until Ctrl-C or until nobody
 * reads; one line each
 */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "base/result.h"
#include "cli/cli.h"
#include "cli/decision.h"
#include "cli/out.h"
#include "cli/peer.h"

/* Waits for a record. False: the reader of standard output went away. */
static bool events_wait(const struct peer *peer)
{
	struct pollfd p[2] = {
		{ .fd = peer->fd, .events = POLLIN },
		{ .fd = STDOUT_FILENO, .events = 0 },
	};

	while (!cli_interrupted() && poll(p, 2, -1) <= 0) {
	}
	return !(p[1].revents & (POLLERR | POLLNVAL));
}

static int events_show(const struct view_decision *decision, bool json)
{
	cleanup_json struct json_doc doc = { 0 };
	int r;

	if (!json) {
		char text[DECISION_TEXT];
		enum out_color color;

		decision_word(decision, &color);
		decision_text(decision, text, sizeof(text));
		out_text("%s%s%s\n", color ? out_color(color) : "", text,
			 color ? out_color(OUT_PLAIN) : "");
		return 0;
	}
	r = json_open(&doc);
	if (r < 0) {
		return r;
	}
	decision_json_fields(decision, &doc, doc.root);
	return json_print(&doc, true);
}

static int events_run(const struct cli_args *args)
{
	struct view_request request = { .type = VIEW_EVENTS };
	cleanup_peer struct peer peer = PEER_INIT;
	struct decision_filter filter;
	union peer_record record;
	int r;

	if (decision_filter_read(args, &filter) < 0 ||
	    peer_begin_view(args, &request, &peer) < 0) {
		return CLI_UNKNOWN;
	}
	for (;;) {
		if (!events_wait(&peer) || cli_interrupted()) {
			return CLI_YES;
		}
		r = peer_next(&peer, &record);
		if (r != 1) {
			break;
		}
		if (record.head.type != VIEW_DECISION ||
		    !decision_matches(&filter, &record.decision)) {
			continue;
		}
		r = events_show(&record.decision, cli_has(args, "json"));
		if (r < 0) {
			cli_error("an event is not shown: %s", strerror(-r));
		}
		if (!out_flush()) {
			return CLI_YES;
		}
	}
	if (r == -EINTR) {
		return CLI_YES;
	}
	if (r == 0 || r == -EPIPE) {
		cli_error("the engine ended, and the events with it; `bailey "
			  "status` tells whether it restarted");
		return CLI_UNKNOWN;
	}
	peer_say(&peer, r);
	return peer_exit(&peer, r);
}

static const struct cli_option events_options[] = {
	{ "type", CLI_EVENT_TYPE, true, "TYPE",
	  "only events of this type; may be given several times" },
	{ "product", CLI_PRODUCT, false, "NAME",
	  "only what this product decided" },
	CLI_OPTION_JSON,
	{ NULL, CLI_FLAG, false, NULL, NULL }
};

const struct cli_command cmd_events = {
	.name = "events",
	.synopsis = "[--json] [--type TYPE]... [--product NAME]",
	.summary = "decisions as they are made",
	.help = "One line each, one JSON object a line with --json, until "
		"Ctrl-C. A slow reader\nloses events (view_lost in `bailey "
		"status --json`), never holds anyone.\nExit code: 0 ended by "
		"Ctrl-C or by a closed pipe, 1 refused,\n2 the engine went "
		"away.\n",
	.page = "bailey-events",
	.options = events_options,
	.run = events_run,
};
