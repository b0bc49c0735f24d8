/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_exceptions.c - what `bailey allow` let happen: listed, removed */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/mono.h"
#include "base/result.h"
#include "cli/cli.h"
#include "cli/explain.h"
#include "cli/json.h"
#include "cli/out.h"
#include "cli/peer.h"
#include "cli/when.h"

#define EXCEPTIONS_MOST 100000u

static void exceptions_row(struct out_table *table,
			   const struct admin_exception *e)
{
	char buffer[WHEN_TEXT];
	uint64_t now = wall_now_ns();

	out_table_cell(table, "%" PRIu64, e->id);
	out_table_cell(table, "%s", when_local_text(e->added_ns, buffer));
	out_table_cell(table, "%s", !e->expires_ns ? "never" :
		       e->expires_ns <= now ? "now" :
		       when_length_text(e->expires_ns - now, buffer));
	out_table_foreign(table, e->text);
	out_table_foreign(table, e->reason);
}

static void exceptions_json(const struct admin_exception *e,
			    struct json_doc *doc, json_t *list)
{
	json_t *object = json_put_object(doc, list, NULL);

	json_put_number(doc, object, "id", e->id);
	json_put_time(doc, object, "added", e->added_ns);
	json_put_time(doc, object, "expires", e->expires_ns);
	json_put_text(doc, object, "rule", e->text);
	json_put_text(doc, object, "reason", e->reason);
}

static int exceptions_list(const struct cli_args *args)
{
	static const char *const names[] = { ">ID", "ADDED", "ENDS IN", "RULE",
					     "REASON", NULL };
	struct admin_request request = { .type = ADMIN_EXCEPTIONS };
	cleanup_table struct out_table *table = out_table_new(names);
	cleanup_json struct json_doc doc = { 0 };
	cleanup_peer struct peer peer = PEER_INIT;
	union peer_record record;
	uint32_t count = 0;
	json_t *list;
	int r;

	if (!table || json_open(&doc) < 0) {
		cli_error("out of memory; try again");
		return CLI_UNKNOWN;
	}
	list = json_put_array(&doc, doc.root, "exceptions");
	if (peer_begin_admin(args, &request, &peer) < 0) {
		return CLI_UNKNOWN;
	}
	while ((r = peer_next(&peer, &record)) == 1 &&
	       count < EXCEPTIONS_MOST) {
		if (record.head.type == ADMIN_EXCEPTION) {
			exceptions_row(table, &record.exception);
			exceptions_json(&record.exception, &doc, list);
			count++;
		}
	}
	if (r != 0) {
		r = r == 1 ? -EBADMSG : r;
		peer_say(&peer, r);
		return peer_exit(&peer, r);
	}
	if (cli_has(args, "json")) {
		r = json_print(&doc, false);
	} else if (count) {
		r = out_table_print(table, "");
	}
	if (r < 0) {
		cli_error("cannot build the list: %s", strerror(-r));
		return CLI_UNKNOWN;
	}
	return count ? CLI_YES : CLI_NO;
}

static int exceptions_run(const struct cli_args *args)
{
	struct admin_request request = { .type = ADMIN_EXCEPTION_REMOVE };

	if (args->operand_count == 0) {
		return exceptions_list(args);
	}
	if (args->operand_count == 1 ||
	    explain_id(args->operand[1], &request.number) < 0) {
		cli_error("remove needs the exception's id, a number: see "
			  "`bailey exceptions`");
		return CLI_UNKNOWN;
	}
	if (cli_has(args, "json")) {
		cli_error("remove prints nothing; leave --json out");
		return CLI_UNKNOWN;
	}
	return peer_do(args, &request);
}

static const char *const exceptions_words[] = { "remove", NULL };

static const struct cli_option exceptions_options[] = {
	CLI_OPTION_JSON,
	{ NULL, CLI_FLAG, false, NULL, NULL }
};

const struct cli_command cmd_exceptions = {
	.name = "exceptions",
	.synopsis = "[--json] | remove ID",
	.summary = "what `bailey allow` let happen; and its end",
	.help = "For root.\nExit code: 0 there are some, or it was removed; 1 "
		"there are none; 2 could not tell.\n",
	.page = "bailey-allow",
	.options = exceptions_options,
	.words = exceptions_words,
	.operand = CLI_WORD,
	.operand_max = 2,
	.run = exceptions_run,
};
