/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cmd_doctor.c - what this host offers and each jail applies; what is missing
 * and what that costs (the monitor's rows); and which events and fields are
 * known how well (the engine's)
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/result.h"
#include "cli/cli.h"
#include "cli/json.h"
#include "cli/names.h"
#include "cli/out.h"
#include "cli/peer.h"

#define DOCTOR_MOST 4096u

struct doctor {
	const char *product;    /* null: all */
	struct json_doc doc;
	json_t *rows, *events;
	struct out_table *table, *known;
	uint32_t count, missing;
};

static const char *const doctor_fields[64] = {
#define DOCTOR_FIELD(sym, num, name, help) [num] = name,
	BAILEY_NUMBER_FIELD_TABLE(DOCTOR_FIELD)
	BAILEY_STRING_FIELD_TABLE(DOCTOR_FIELD)
#undef DOCTOR_FIELD
};

static const char *doctor_mediation(uint32_t mediation)
{
	static const char *const names[] = { "absent", "notify", "rule",
					     "ask" };

	return mediation < 4 ? names[mediation] : "unknown";
}

static void doctor_take_row(struct doctor *all, const struct admin_doctor *row)
{
	json_t *object;

	if (all->product && strcmp(all->product, row->product) != 0) {
		return;
	}
	all->count++;
	all->missing += row->ok == 0;
	object = json_put_object(&all->doc, all->rows, NULL);
	json_put_filled(&all->doc, object, "product", row->product);
	json_put_text(&all->doc, object, "what", row->what);
	json_put_bool(&all->doc, object, "ok", row->ok);
	json_put_filled(&all->doc, object, "why", row->why);
	json_put_filled(&all->doc, object, "cost", row->cost);
	out_table_foreign(all->table, *row->product ? row->product : "host");
	out_table_colored(all->table, row->ok ? OUT_GREEN : OUT_RED,
			  row->ok ? "yes" : "no");
	out_table_foreign(all->table, row->what);
	out_table_foreign(all->table, row->why);
	out_table_foreign(all->table, row->ok ? "" : row->cost);
}

/* Fields of the event type that are known this well, as one cell. */
static void doctor_fields_cell(struct doctor *all, const struct view_known *row,
			       uint8_t known)
{
	char text[1024] = "";
	size_t n = 0, i;

	for (i = 0; i < 64; i++) {
		const char *name = doctor_fields[i];

		if (!name || row->field[i] != known ||
		    n + strlen(name) + 2 > sizeof(text)) {
			continue;
		}
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%s",
				      n ? " " : "", name);
	}
	out_table_cell(all->known, "%s", text);
}

static void doctor_take_known(struct doctor *all, const struct view_known *row)
{
	json_t *object = json_put_object(&all->doc, all->events, NULL);
	json_t *fields;
	size_t i;

	json_put_text(&all->doc, object, "type", names_event(row->kind));
	json_put_text(&all->doc, object, "mediation",
		      doctor_mediation(row->mediation));
	fields = json_put_object(&all->doc, object, "fields");
	for (i = 0; i < 64; i++) {
		if (doctor_fields[i]) {
			json_put_text(&all->doc, fields, doctor_fields[i],
				      names_known(row->field[i]));
		}
	}
	out_table_cell(all->known, "%s", names_event(row->kind));
	out_table_cell(all->known, "%s", doctor_mediation(row->mediation));
	doctor_fields_cell(all, row, BAILEY_KNOWN_HINT);
	doctor_fields_cell(all, row, BAILEY_KNOWN_ABSENT);
}

static int doctor_read(struct doctor *all, struct peer *peer)
{
	union peer_record record;
	uint32_t most = DOCTOR_MOST;
	int r;

	while ((r = peer_next(peer, &record)) == 1) {
		if (most-- == 0) {
			r = -EBADMSG;
			break;
		}
		if (record.head.type == ADMIN_DOCTOR_ROW) {
			doctor_take_row(all, &record.doctor);
		} else if (record.head.type == VIEW_KNOWN_ROW) {
			doctor_take_known(all, &record.known);
		}
	}
	if (r < 0) {
		peer_say(peer, r);
	}
	return r;
}

static int doctor_ask(const struct cli_args *args, struct doctor *all)
{
	struct admin_request admin = { .type = ADMIN_DOCTOR };
	struct view_request view = { .type = VIEW_KNOWN };
	cleanup_peer struct peer monitor = PEER_INIT;
	cleanup_peer struct peer engine = PEER_INIT;

	if (all->product) {
		if (strlen(all->product) >= sizeof(admin.product)) {
			cli_error("no product has so long a name; see `bailey "
				  "products`");
			return -EINVAL;
		}
		strcpy(admin.product, all->product);
	}
	if (peer_begin_admin(args, &admin, &monitor) < 0 ||
	    doctor_read(all, &monitor) < 0) {
		return -EIO;
	}
	if (all->product) {
		return 0;
	}
	if (peer_begin_view(args, &view, &engine) < 0 ||
	    doctor_read(all, &engine) < 0) {
		return -EIO;
	}
	return 0;
}

static int doctor_show(const struct doctor *all, bool json)
{
	int r;

	if (json) {
		return json_print(&all->doc, false);
	}
	r = out_table_print(all->table, "");
	if (r == 0 && out_table_rows(all->known)) {
		out_text("\n");
		r = out_table_print(all->known, "");
	}
	return r;
}

static int doctor_run(const struct cli_args *args)
{
	static const char *const names[] = { "OF", "THERE", "WHAT", "WHY",
					     "COST", NULL };
	static const char *const known[] = { "EVENT", "MEDIATION", "HINTS",
					     "ABSENT", NULL };
	cleanup_table struct out_table *table = out_table_new(names);
	cleanup_table struct out_table *table_known = out_table_new(known);
	struct doctor all = { .table = table, .known = table_known };
	int code = CLI_UNKNOWN, r;

	all.product = args->operand_count ? args->operand[0] : NULL;
	if (!table || !table_known || json_open(&all.doc) < 0) {
		cli_error("out of memory; try again");
		return CLI_UNKNOWN;
	}
	all.rows = json_put_array(&all.doc, all.doc.root, "checks");
	all.events = json_put_array(&all.doc, all.doc.root, "events");
	if (doctor_ask(args, &all) == 0) {
		r = doctor_show(&all, cli_has(args, "json"));
		code = all.missing || !all.count ? CLI_NO : CLI_YES;
		if (r < 0) {
			cli_error("cannot build the list: %s", strerror(-r));
			code = CLI_UNKNOWN;
		} else if (!all.count && all.product) {
			cli_error("nothing is known of %s; see `bailey "
				  "products`", all.product);
		}
	}
	json_closep(&all.doc);
	return code;
}

static const struct cli_option doctor_options[] = {
	CLI_OPTION_JSON,
	{ NULL, CLI_FLAG, false, NULL, NULL }
};

const struct cli_command cmd_doctor = {
	.name = "doctor",
	.synopsis = "[PRODUCT] [--json]",
	.summary = "what this kernel offers and each jail applies, and what "
		   "is missing",
	.help = "For root.\nExit code: 0 all is there, 1 something is missing, "
		"2 could not tell.\n",
	.page = "bailey-doctor",
	.options = doctor_options,
	.operand = CLI_PRODUCT,
	.operand_max = 1,
	.run = doctor_run,
};
