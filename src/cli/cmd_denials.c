/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cmd_denials.c - what was denied, or would have been
 *
 * The list is kept in memory until it is whole, at most DENIALS_MOST of them:
 * more are counted and said.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/result.h"
#include "cli/cli.h"
#include "cli/decision.h"
#include "cli/out.h"
#include "cli/peer.h"
#include "cli/when.h"

#define DENIALS_MOST 100000u

struct denials {
	bool would;             /* show those, in place of real ones */
	uint64_t shown, other, beyond;
	struct json_doc doc;
	json_t *list;           /* null: text */
	struct out_table *table;
};

static void denials_row(struct out_table *table, const struct view_decision *d)
{
	char buffer[VIEW_REASON];
	enum out_color color;
	const char *word = decision_word(d, &color);

	out_table_cell(table, "%" PRIu64, d->id);
	out_table_cell(table, "%s", when_local_text(d->time_ns, buffer));
	out_table_colored(table, color, word);
	out_table_foreign(table, decision_by(d, buffer));
	out_table_foreign(table, d->finding.size ? d->finding.rule : "-");
	out_table_cell(table, "%u", d->uid);
	out_table_foreign(table, d->exe);
	out_table_foreign(table, d->path);
}

static void denials_take(struct denials *all, const struct view_decision *d)
{
	bool wanted = all->would ? decision_is_would(d) :
				   decision_is_denial(d);

	if (!wanted) {
		all->other += decision_is_would(d) || decision_is_denial(d);
		return;
	}
	if (all->shown == DENIALS_MOST) {
		all->beyond++;
		return;
	}
	all->shown++;
	if (all->list) {
		decision_json(d, &all->doc, all->list, NULL);
	} else {
		denials_row(all->table, d);
	}
}

static int denials_read(const struct cli_args *args,
			const struct decision_filter *filter,
			struct denials *all)
{
	struct view_request request = { .type = VIEW_DENIALS,
					.number = filter->since_ns };
	cleanup_peer struct peer peer = PEER_INIT;
	union peer_record record;
	int r = peer_begin_view(args, &request, &peer);

	if (r < 0) {
		return CLI_UNKNOWN;
	}
	while ((r = peer_next(&peer, &record)) == 1) {
		if (record.head.type == VIEW_DECISION &&
		    decision_matches(filter, &record.decision)) {
			denials_take(all, &record.decision);
		}
	}
	if (r < 0) {
		peer_say(&peer, r);
		return peer_exit(&peer, r);
	}
	return CLI_YES;
}

static int denials_show(const struct denials *all)
{
	int r = 0;

	if (all->list) {
		r = json_print(&all->doc, false);
	} else if (all->shown) {
		r = out_table_print(all->table, "");
	}
	if (r < 0) {
		cli_error("cannot build the list: %s; ask for less with "
			  "--since", strerror(-r));
		return CLI_UNKNOWN;
	}
	if (all->beyond) {
		cli_error("%" PRIu64 " more are not shown; ask for less with "
			  "--since", all->beyond);
	}
	if (all->shown == 0 && !all->list && all->other) {
		cli_error(all->would ?
			  "none; %" PRIu64 " were denied: leave --would out" :
			  "none; %" PRIu64 " would have been in enforce mode: "
			  "see them with --would", all->other);
	}
	return all->shown ? CLI_YES : CLI_NO;
}

static int denials_run(const struct cli_args *args)
{
	static const char *const names[] = { "ID", "TIME", "VERDICT", "BY",
					     "FINDING", ">UID", "PROGRAM",
					     "PATH", NULL };
	cleanup_table struct out_table *table = out_table_new(names);
	struct denials all = { .would = cli_has(args, "would"),
			       .table = table };
	struct decision_filter filter;
	int code = CLI_UNKNOWN;

	if (decision_filter_read(args, &filter) < 0) {
		return CLI_UNKNOWN;
	}
	if (!table || json_open(&all.doc) < 0) {
		cli_error("out of memory; try again");
		return CLI_UNKNOWN;
	}
	if (cli_has(args, "json")) {
		all.list = json_put_array(&all.doc, all.doc.root, "denials");
	}
	code = denials_read(args, &filter, &all);
	if (code == CLI_YES) {
		code = denials_show(&all);
	}
	json_closep(&all.doc);
	return code;
}

static const struct cli_option denials_options[] = {
	{ "since", CLI_WHEN, false, "T",
	  "only later than this long ago (2h), or than a date" },
	{ "path", CLI_FILE, false, "PATH",
	  "only this path; with a / at the end, all below it" },
	{ "user", CLI_USER, false, "USER",
	  "only of this user, name or number" },
	{ "mine", CLI_FLAG, false, NULL, "only of the calling user" },
	{ "would", CLI_FLAG, false, NULL,
	  "those that were not applied, because nothing is denied in observe "
	  "mode" },
	CLI_OPTION_JSON,
	{ NULL, CLI_FLAG, false, NULL, NULL }
};

const struct cli_command cmd_denials = {
	.name = "denials",
	.synopsis = "[--since T] [--path PATH] [--user USER | --mine] [--would]"
		    " [--json]",
	.summary = "what was denied, to whom, and by what",
	.help = "Oldest first. `bailey explain ID` tells more about one, "
		"`bailey allow ID\n--reason TEXT` lets it happen from now "
		"on.\nUsers other than root see their own.\n"
		"Exit code: 0 there are some, 1 there are none, 2 could not "
		"tell.\n",
	.page = "bailey-denials",
	.options = denials_options,
	.run = denials_run,
};
