/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cmd_rules.c - rules: who has some in force, whether a file is good, and what
 * a file would have decided about recorded events
 *
 * check and try need no Bailey that runs, and no root.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/result.h"
#include "cli/cli.h"
#include "cli/file.h"
#include "cli/json.h"
#include "cli/names.h"
#include "cli/out.h"
#include "cli/peer.h"
#include "cli/text.h"
#include "cli/when.h"
#include "proto/record.h"
#include "rule/rule.h"

/* ---- show ---- */

static int rules_show(const struct cli_args *args)
{
	static const char *const names[] = { "OWNER", ">RULES", "EXPIRES",
					     NULL };
	struct view_request request = { .type = VIEW_RULES };
	cleanup_table struct out_table *table = out_table_new(names);
	cleanup_json struct json_doc doc = { 0 };
	cleanup_peer struct peer peer = PEER_INIT;
	union peer_record record;
	unsigned left = VIEW_PRODUCTS * 4;
	char buffer[WHEN_TEXT];
	json_t *list, *object;
	int r;

	if (!table || json_open(&doc) < 0) {
		cli_error("out of memory; try again");
		return CLI_UNKNOWN;
	}
	list = json_put_array(&doc, doc.root, "rules");
	if (peer_begin_view(args, &request, &peer) < 0) {
		return CLI_UNKNOWN;
	}
	while ((r = peer_next(&peer, &record)) == 1 && left-- > 0) {
		const struct view_rules *row = &record.rules;

		if (record.head.type != VIEW_RULES_ROW) {
			continue;
		}
		object = json_put_object(&doc, list, NULL);
		json_put_text(&doc, object, "owner", row->owner);
		json_put_number(&doc, object, "rules", row->rules);
		json_put_time(&doc, object, "expires", row->expires_ns);
		out_table_foreign(table, row->owner);
		out_table_cell(table, "%u", row->rules);
		out_table_cell(table, "%s", row->expires_ns ?
			       when_local_text(row->expires_ns, buffer) :
			       "never");
	}
	if (r != 0) {
		r = r == 1 ? -EBADMSG : r;
		peer_say(&peer, r);
		return peer_exit(&peer, r);
	}
	if (cli_has(args, "json")) {
		r = json_print(&doc, false);
	} else if (out_table_rows(table)) {
		r = out_table_print(table, "");
	}
	return r < 0 ? CLI_UNKNOWN : out_table_rows(table) ? CLI_YES : CLI_NO;
}

/* ---- check, try ---- */

/* Collections are the running products': here any name will do. */
static int rules_any_set(const void *context, const char *name)
{
	return 0;
}

/* 0, 1 for a malformed file after saying where, or negative. */
static int rules_compile(const char *path, struct rule_program **ret_program)
{
	const struct rule_limits limits = { .set_index = rules_any_set };
	cleanup_free char *text = NULL;
	struct rule_error error = { .line = 0 };
	size_t length;
	int r = file_read(path, &text, &length);

	if (r < 0) {
		return r;
	}
	r = rule_compile(text, length, &limits, ret_program, &error);
	if (r == -EBADMSG) {
		cli_error("%s:%d: %s", path, error.line, error.text);
		return 1;
	}
	if (r < 0) {
		cli_error("%s: %s; split the file", path, strerror(-r));
	}
	return r;
}

static int rules_check(const char *path)
{
	cleanup_free struct rule_program *program = NULL;
	int r = rules_compile(path, &program);

	if (r != 0) {
		return r > 0 ? CLI_NO : CLI_UNKNOWN;
	}
	out_text("%u rules, at most %u looked at for an open and %u for a "
		 "program start\n", rule_program_count(program),
		 rule_program_cost(program, BAILEY_EVENT_FILE_OPEN),
		 rule_program_cost(program, BAILEY_EVENT_PROCESS_EXEC));
	return CLI_YES;
}

static bool rules_number(const struct wire_event *event, unsigned field,
			 uint64_t *ret_value)
{
	if (!(event->present & 1ull << field)) {
		return false;
	}
	*ret_value = (uint64_t)event->number[field];
	return true;
}

static const char *rules_string(const struct wire_event *event, unsigned field,
				size_t *ret_length)
{
	const struct wire_string *s = &event->string[field - WIRE_NUMBERS];

	*ret_length = s->length;
	return event->present & 1ull << field ?
		(const char *)event + s->offset : NULL;
}

/* What the record says; borrowed from the event. */
static void rules_facts(const struct wire_event *event,
			struct rule_facts *ret_facts)
{
	struct rule_facts f = { .kind = event->kind };
	uint64_t n = 0;

	f.path = rules_string(event, BAILEY_FIELD_PATH, &f.path_length);
	f.exe_path = rules_string(event, BAILEY_FIELD_EXE_PATH,
				  &f.exe_path_length);
	f.have = (f.path ? RULE_FACT_PATH : 0u) |
		 (f.exe_path ? RULE_FACT_EXE : 0u);
	if (rules_number(event, BAILEY_FIELD_PATH_FOREIGN, &n)) {
		f.path_foreign = n != 0;
	}
	if (rules_number(event, BAILEY_FIELD_DEVICE, &f.device) &&
	    rules_number(event, BAILEY_FIELD_INODE, &f.inode)) {
		f.have |= RULE_FACT_OBJECT;
	}
	if (rules_number(event, BAILEY_FIELD_EXE_DEVICE, &f.exe_device) &&
	    rules_number(event, BAILEY_FIELD_EXE_INODE, &f.exe_inode)) {
		f.have |= RULE_FACT_EXE;
	}
	f.have |= rules_number(event, BAILEY_FIELD_CGROUP, &f.cgroup) ?
		  RULE_FACT_CGROUP : 0u;
	f.have |= rules_number(event, BAILEY_FIELD_SIZE, &f.size) ?
		  RULE_FACT_SIZE : 0u;
	if (rules_number(event, BAILEY_FIELD_UID, &n)) {
		f.uid = (uint32_t)n;
		f.have |= RULE_FACT_UID;
	}
	if (rules_number(event, BAILEY_FIELD_OWNER, &n)) {
		f.owner = (uint32_t)n;
		f.have |= RULE_FACT_OWNER;
	}
	if (rules_number(event, BAILEY_FIELD_FILE_MODE, &n)) {
		f.mode = (uint32_t)n;
		f.have |= RULE_FACT_MODE;
	}
	*ret_facts = f;
}

static void rules_tell(const struct wire_event *event,
		       const struct rule_facts *facts, enum rule_action action,
		       const struct rule_match *match, bool json)
{
	cleanup_json struct json_doc doc = { 0 };
	const char *path = facts->path ? facts->path : "";

	if (!json) {
		out_text("%-6s  line %-5d  %-13s ", rule_action_name(action),
			 match->line, names_event(event->kind));
		out_foreign(path);
		out_text("%s\n", match->missing ? "  (needs a fact that was "
			 "not recorded)" : "");
		return;
	}
	if (json_open(&doc) < 0) {
		cli_error("out of memory; an event is not shown");
		return;
	}
	json_put_number(&doc, doc.root, "id", event->id);
	json_put_text(&doc, doc.root, "type", names_event(event->kind));
	json_put_text(&doc, doc.root, "action", rule_action_name(action));
	json_put_number(&doc, doc.root, "line", (uint64_t)match->line);
	json_put_filled(&doc, doc.root, "path", path);
	json_put_bool(&doc, doc.root, "missing_facts", match->missing);
	if (json_print(&doc, true) < 0) {
		cli_error("out of memory; an event is not shown");
	}
}

static int rules_replay(const struct rule_program *program, int fd, bool json)
{
	_Alignas(struct wire_event) static char slot[WIRE_SLOT_SIZE];
	const struct wire_event *event = (const struct wire_event *)slot;
	struct record_content content;
	struct record_reader reader;
	uint64_t offset = 0, denied = 0;
	int r = record_reader_init(&reader, fd);

	while (r == 0 && (r = record_read(&reader, slot, &content)) == 1) {
		struct rule_match match = { 0 };
		struct rule_facts facts;
		enum rule_action action;

		rules_facts(event, &facts);
		action = rule_eval(program, &facts, NULL, &match);
		denied += action == RULE_DENY;
		rules_tell(event, &facts, action, &match, json);
		r = cli_interrupted() || !out_flush() ? -EINTR : 0;
	}
	if (r == -EINTR) {
		return CLI_UNKNOWN;
	}
	if (r < 0) {
		const char *fault = record_fault(&reader, &offset);

		cli_error("the record is broken at byte %" PRIu64 ": %s; "
			  "record it again", offset,
			  fault ? fault : strerror(-r));
		return CLI_UNKNOWN;
	}
	return denied ? CLI_NO : CLI_YES;
}

static int rules_try(const struct cli_args *args, const char *path)
{
	cleanup_free struct rule_program *program = NULL;
	const char *record = cli_value(args, "events", 0);
	cleanup_fd int fd = -1;

	if (!record) {
		cli_error("try needs --events RECORD, a file that `bailey "
			  "record` or a test wrote");
		return CLI_UNKNOWN;
	}
	if (rules_compile(path, &program) != 0) {
		return CLI_UNKNOWN;
	}
	fd = open(record, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		cli_error("cannot read %s: %s", record, strerror(errno));
		return CLI_UNKNOWN;
	}
	return rules_replay(program, fd, cli_has(args, "json"));
}

/* What is wrong comes line by line; a file with a mistake is left out. */
static int rules_reload(const struct cli_args *args)
{
	struct admin_request request = { .type = ADMIN_RELOAD };
	cleanup_peer struct peer peer = PEER_INIT;
	char why[TEXT_ESCAPED(VIEW_REASON)];
	union peer_record record;
	unsigned complaints = 0;
	int r;

	if (peer_begin_admin(args, &request, &peer) < 0) {
		return CLI_UNKNOWN;
	}
	while ((r = peer_next(&peer, &record)) == 1) {
		if (record.head.type == ADMIN_DEGRADED) {
			const char *text = record.degraded.why;

			text_escape(TEXT_HUMAN, text, strlen(text), why);
			cli_error("%s", why);
			complaints++;
		}
	}
	if (r < 0) {
		peer_say(&peer, r);
		return peer_exit(&peer, r);
	}
	return complaints ? CLI_NO : CLI_YES;
}

static int rules_run(const struct cli_args *args)
{
	const char *verb = args->operand[0];
	bool show = strcmp(verb, "show") == 0;
	bool reload = strcmp(verb, "reload") == 0;

	if ((show || reload) != (args->operand_count == 1)) {
		cli_error("write: bailey rules %s", args->command->synopsis);
		return CLI_UNKNOWN;
	}
	if (cli_has(args, "json") && (reload || strcmp(verb, "check") == 0)) {
		cli_error("--json goes with `rules show` and `rules try` only");
		return CLI_UNKNOWN;
	}
	if (cli_has(args, "events") && strcmp(verb, "try") != 0) {
		cli_error("--events goes with `rules try` only");
		return CLI_UNKNOWN;
	}
	if (show || reload) {
		return show ? rules_show(args) : rules_reload(args);
	}
	return strcmp(verb, "check") == 0 ? rules_check(args->operand[1]) :
					    rules_try(args, args->operand[1]);
}

static const char *const rules_words[] = { "show", "reload", "check", "try",
					   NULL };

static const struct cli_option rules_options[] = {
	{ "events", CLI_FILE, false, "RECORD", "recorded events to try on" },
	CLI_OPTION_JSON,
	{ NULL, CLI_FLAG, false, NULL, NULL }
};

const struct cli_command cmd_rules = {
	.name = "rules",
	.synopsis = "{show [--json] | reload | check FILE | "
		    "try FILE --events RECORD [--json]}",
	.summary = "rules in force; is a file good; what would it decide",
	.help = "FILE - is standard input. check and try need no service and "
		"no root.\n"
		"reload reads rules.d and exceptions.d again.\n"
		"Exit code: show: 0 there are some, 1 none. check, reload: 0 "
		"good, 1 malformed.\ntry: 0 denies nothing, 1 denies "
		"something. "
		"2 could not tell.\n",
	.page = "bailey-rules",
	.options = rules_options,
	.words = rules_words,
	.operand = CLI_WORD,
	.operand_min = 1,
	.operand_max = 2,
	.run = rules_run,
};
