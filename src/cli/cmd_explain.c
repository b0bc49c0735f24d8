/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cmd_explain.c - one decision, or all about one path, in words: what was
 * asked, who decided and how, and what can be done about it
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "base/result.h"
#include "cli/cli.h"
#include "cli/decision.h"
#include "cli/explain.h"
#include "cli/names.h"
#include "cli/out.h"
#include "cli/peer.h"
#include "cli/when.h"

#define EXPLAIN_MOST 10000u

int explain_id(const char *text, uint64_t *ret_id)
{
	uint64_t id = 0;
	const char *p;

	for (p = text; *p >= '0' && *p <= '9'; p++) {
		if (id > (UINT64_MAX - (uint64_t)(*p - '0')) / 10) {
			return -ERANGE;
		}
		id = id * 10 + (uint64_t)(*p - '0');
	}
	if (*p || p == text) {
		return -EINVAL;
	}
	*ret_id = id;
	return 0;
}

static void explain_print_finding(const struct bailey_finding *finding)
{
	if (finding->size == 0) {
		return;
	}
	out_text("  found     ");
	out_foreign(finding->rule);
	out_text(": ");
	out_foreign(finding->title);
	out_text(" (severity %u, confidence %u", finding->severity,
		 finding->confidence);
	if (*finding->technique) {
		out_text(", ");
		out_foreign(finding->technique);
	}
	out_text(")\n");
}

static void explain_print(const struct view_decision *d)
{
	char buffer[VIEW_REASON];
	enum out_color color;
	const char *word = decision_word(d, &color);

	out_text("event %" PRIu64 ": %s %s%s%s\n", d->id, names_event(d->kind),
		 out_color(color), word, out_color(OUT_PLAIN));
	out_text("  when      %s, answered in %" PRIu64 ".%03" PRIu64 " ms\n",
		 when_local_text(d->time_ns, buffer), d->took_ns / 1000000,
		 d->took_ns / 1000 % 1000);
	out_text("  path      ");
	out_foreign(d->path);
	out_text("%s\n", d->path_foreign ?
		 "  (as named in another mount namespace)" : "");
	out_text("  object    device %u:%u inode %" PRIu64 "\n",
		 major((dev_t)d->device), minor((dev_t)d->device), d->inode);
	out_text("  asked by  pid %d, child of %d, uid %u, ", d->pid, d->ppid,
		 d->uid);
	out_foreign(*d->exe ? d->exe : "a program whose path is not known");
	out_text("\n  decided   by ");
	out_foreign(decision_by(d, buffer));
	out_text(": %s\n", names_by_help(d->by));
	explain_print_finding(&d->finding);
	if (d->missed) {
		out_text("  missed    no answer in time");
		out_text(*d->product ? " by " : "");
		out_foreign(d->product);
		out_text("\n");
	}
	if (decision_is_would(d)) {
		out_text("  applied   no: observe mode; it would be in enforce "
			 "mode\n");
	}
	if (decision_is_denial(d) || decision_is_would(d)) {
		out_text("  to allow  bailey allow %" PRIu64 " --for 1d "
			 "--reason TEXT\n", d->id);
	}
}

static void explain_request(const struct cli_args *args, uint64_t id,
			    struct view_request *ret_request)
{
	const char *path = cli_value(args, "path", 0);

	*ret_request = (struct view_request){ .type = VIEW_EXPLAIN,
					      .number = id };
	if (path && args->operand_count == 0) {
		snprintf(ret_request->path, sizeof(ret_request->path), "%s",
			 path);
	}
}

static int explain_all(struct peer *peer, struct json_doc *doc, json_t *list,
		       uint32_t *ret_count)
{
	union peer_record record;
	uint32_t count = 0;
	int r;

	while ((r = peer_next(peer, &record)) == 1) {
		if (record.head.type != VIEW_DECISION) {
			continue;
		}
		if (count++ == EXPLAIN_MOST) {
			return -EMSGSIZE;
		}
		if (list) {
			decision_json(&record.decision, doc, list, NULL);
		} else {
			explain_print(&record.decision);
		}
	}
	*ret_count = count;
	return r;
}

static int explain_run(const struct cli_args *args)
{
	cleanup_json struct json_doc doc = { 0 };
	cleanup_peer struct peer peer = PEER_INIT;
	struct view_request request;
	bool json = cli_has(args, "json");
	json_t *list = NULL;
	uint32_t count = 0;
	uint64_t id = 0;
	int r;

	if ((args->operand_count == 1) == cli_has(args, "path")) {
		cli_error("give an event's id (from `bailey denials`) or "
			  "--path PATH, one of the two");
		return CLI_UNKNOWN;
	}
	if (args->operand_count && explain_id(args->operand[0], &id) < 0) {
		cli_error("%s is no event id, which is a number; for a file "
			  "write --path", args->operand[0]);
		return CLI_UNKNOWN;
	}
	if (json && json_open(&doc) < 0) {
		cli_error("out of memory; try again");
		return CLI_UNKNOWN;
	}
	list = json ? json_put_array(&doc, doc.root, "decisions") : NULL;
	explain_request(args, id, &request);
	if (peer_begin_view(args, &request, &peer) < 0) {
		return CLI_UNKNOWN;
	}
	r = explain_all(&peer, &doc, list, &count);
	if (r < 0 && !(r == -EREMOTEIO && peer.remote == ENOENT)) {
		peer_say(&peer, r);
		return peer_exit(&peer, r);
	}
	if (json && json_print(&doc, false) < 0) {
		cli_error("cannot build the answer: out of memory");
		return CLI_UNKNOWN;
	}
	if (count == 0) {
		cli_error("nothing is recorded about it: denials and missed "
			  "answers are, the rest while `bailey events` runs; "
			  "it may be too old, or another user's");
	}
	return count ? CLI_YES : CLI_NO;
}

static const struct cli_option explain_options[] = {
	{ "path", CLI_FILE, false, "PATH", "all decisions about this path" },
	CLI_OPTION_JSON,
	{ NULL, CLI_FLAG, false, NULL, NULL }
};

const struct cli_command cmd_explain = {
	.name = "explain",
	.synopsis = "EVENT-ID | --path PATH [--json]",
	.summary = "why something was decided as it was",
	.help = "Exit code: 0 explained, 1 nothing is recorded about it, 2 "
		"could not tell.\n",
	.page = "bailey-denials",
	.options = explain_options,
	.operand = CLI_TEXT,
	.operand_max = 1,
	.run = explain_run,
};
