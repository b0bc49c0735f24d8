/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/content_show.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mono.h"
#include "base/text.h"
#include "cli/text.h"
#include "cli/when.h"

#define SHOW_HASH 12            /* digits of a hash that people are shown */

static const char *const show_plural[CONTENT_RECORDS] = {
	[CONTENT_RECORD_PRODUCT] = "products",
	[CONTENT_RECORD_VERSION] = "versions",
	[CONTENT_RECORD_REASON] = "reasons",
};

int content_view_init(struct content_view *ret_view, bool json, bool details,
		      unsigned types)
{
	static const char *const products[] = {
		"PRODUCT", "VERSION", ">NUMBER", "STATE", "SINCE", "NEXT",
		"WAITS FOR", NULL
	};
	static const char *const versions[] = {
		" ", "VERSION", ">NUMBER", "CLASS", "STATE", "SINCE", "HASH",
		"REASON", NULL
	};
	struct content_view view = { .json = json, .details = details };
	unsigned i;

	view.products = out_table_new(products);
	view.versions = out_table_new(versions);
	if (!view.products || !view.versions || json_open(&view.doc) < 0) {
		content_view_fini(&view);
		return -ENOMEM;
	}
	for (i = 0; i < CONTENT_RECORDS; i++) {
		if (types & 1u << i && show_plural[i]) {
			view.list[i] = json_put_array(&view.doc, view.doc.root,
						      show_plural[i]);
		}
	}
	*ret_view = view;
	return 0;
}

void content_view_fini(struct content_view *view)
{
	out_table_freep(&view->products);
	out_table_freep(&view->versions);
	json_closep(&view->doc);
}

/* ---- JSON ---- */

static void show_json(struct json_doc *doc, json_t *object,
		      const struct content_row *row)
{
	const struct content_member *m = content_members(row->type);

	for (; m->name; m++) {
		uint64_t n = 0;
		bool known = content_number(row, m->name, &n);

		if (m->kind == CONTENT_KIND_TEXT) {
			json_put_text(doc, object, m->name,
				      content_text(row, m->name));
		} else if (m->kind == CONTENT_KIND_TRUTH) {
			json_put_bool(doc, object, m->name,
				      content_truth(row, m->name));
		} else if (!known) {
			json_put_null(doc, object, m->name);
		} else if (m->kind == CONTENT_KIND_TIME) {
			json_put_time(doc, object, m->name,
				      n > UINT64_MAX / MONO_S ? 0 :
				      n * MONO_S);
		} else {
			json_put_number(doc, object, m->name, n);
		}
	}
}

/* A document of its own, on a line of its own. */
static int show_json_line(const struct content_row *row)
{
	cleanup_json struct json_doc doc = { 0 };
	int r = json_open(&doc);

	if (r < 0) {
		return r;
	}
	json_put_text(&doc, doc.root, "type", content_type_name(row->type));
	show_json(&doc, doc.root, row);
	r = json_print(&doc, true);
	return r < 0 ? r : out_flush() ? 0 : -EPIPE;
}

/* ---- cells ---- */

static const char *show_or(const char *text, const char *otherwise)
{
	return text && *text ? text : otherwise;
}

static const char *show_time(const struct content_row *row, const char *name,
			     char buffer[WHEN_TEXT])
{
	uint64_t seconds = 0;

	if (!content_number(row, name, &seconds) ||
	    seconds > UINT64_MAX / MONO_S) {
		return "-";
	}
	return when_local_text(seconds * MONO_S, buffer);
}

static void show_number(struct out_table *table, const struct content_row *row)
{
	uint64_t n;

	if (content_number(row, "number", &n)) {
		out_table_cell(table, "%" PRIu64, n);
	} else {
		out_table_cell(table, "-");
	}
}

static enum out_color show_state_color(const char *state)
{
	static const struct { const char *name; enum out_color color; } c[] = {
		{ "good", OUT_GREEN }, { "trial", OUT_YELLOW },
		{ "quarantined", OUT_RED },
	};
	size_t i;

	for (i = 0; i < sizeof(c) / sizeof(c[0]); i++) {
		if (strcmp(state, c[i].name) == 0) {
			return c[i].color;
		}
	}
	return OUT_PLAIN;
}

static void show_state(struct out_table *table, const struct content_row *row)
{
	const char *state = show_or(content_text(row, "state"), "-");
	enum out_color color = show_state_color(state);

	if (color) {
		out_table_colored(table, color, state);
	} else {
		out_table_foreign(table, state);
	}
}

static void show_product_row(struct out_table *table,
			     const struct content_row *row)
{
	const char *trouble = content_text(row, "trouble");
	char buffer[WHEN_TEXT];

	out_table_foreign(table, show_or(content_text(row, "product"), "-"));
	out_table_foreign(table, show_or(content_text(row, "version"), "-"));
	show_number(table, row);
	show_state(table, row);
	out_table_cell(table, "%s", show_time(row, "since", buffer));
	out_table_foreign(table, show_or(content_text(row, "next_version"),
					 "-"));
	out_table_foreign(table, show_or(trouble, show_or(
			content_text(row, "waits_for"), "-")));
}

static void show_version_row(struct out_table *table,
			     const struct content_row *row)
{
	const char *hash = show_or(content_text(row, "hash"), "-");
	bool revoked = content_truth(row, "revoked");
	char buffer[WHEN_TEXT], cut[SHOW_HASH + 1];

	text_format(cut, sizeof(cut), "%s", hash);
	out_table_cell(table, "%s", content_truth(row, "active") ? "*" : " ");
	out_table_foreign(table, show_or(content_text(row, "version"), "-"));
	show_number(table, row);
	out_table_foreign(table, show_or(content_text(row, "class"), "-"));
	if (revoked) {
		out_table_colored(table, OUT_RED, "revoked");
	} else {
		show_state(table, row);
	}
	out_table_cell(table, "%s", show_time(row, "since", buffer));
	out_table_foreign(table, cut);
	out_table_foreign(table, show_or(content_text(row, "reason"), "-"));
}

/* ---- a product in full: a line a member, null ones left out ---- */

static void show_product_full(const struct content_row *row)
{
	const struct content_member *m = content_members(row->type);

	for (; m->name; m++) {
		const char *text = content_text(row, m->name);
		char buffer[WHEN_TEXT];
		uint64_t n;

		if (text && *text) {
			out_text("%-14s", m->name);
			out_foreign(text);
		} else if (content_number(row, m->name, &n)) {
			out_text("%-14s", m->name);
			if (m->kind == CONTENT_KIND_TIME) {
				out_text("%s", show_time(row, m->name,
							 buffer));
			} else {
				out_text("%" PRIu64, n);
			}
		} else if (m->kind == CONTENT_KIND_TRUTH) {
			out_text("%-14s%s", m->name,
				 content_truth(row, m->name) ? "yes" : "no");
		} else {
			continue;
		}
		out_text("\n");
	}
}

/* ---- reasons and progress ---- */

static void show_reason(const struct content_row *row)
{
	bool now = content_truth(row, "now");
	const char *inputs = content_text(row, "inputs");
	const char *version = content_text(row, "version");
	char buffer[WHEN_TEXT];

	out_text("%s%-19s%s  ", now ? out_color(OUT_BOLD) : "",
		 now ? "now" : show_time(row, "time", buffer),
		 now ? out_color(OUT_PLAIN) : "");
	out_foreign(show_or(content_text(row, "what"), "-"));
	if (version) {
		out_text(" ");
		out_foreign(version);
	}
	out_text(": ");
	out_foreign(show_or(content_text(row, "reason"), "no reason is kept"));
	if (content_text(row, "by")) {
		out_text(" (by ");
		out_foreign(content_text(row, "by"));
		out_text(")");
	}
	out_text("\n");
	if (inputs && *inputs) {
		out_text("%-21s", "");
		out_foreign(inputs);
		out_text("\n");
	}
}

static void show_step_end(struct content_view *view)
{
	if (view->step_open) {
		out_text("\n");
	}
	view->step_open = false;
}

/* "scan: preflight 2026.11.25: 12 of 100". On a terminal one line a step is
 * written over; elsewhere a line for each new step or reason. */
static int show_progress(struct content_view *view,
			 const struct content_row *row)
{
	const char *reason = content_text(row, "reason");
	const char *version = content_text(row, "version");
	uint64_t done, total;
	char step[sizeof(view->step)];
	bool same;

	text_format(step, sizeof(step), "%.31s: %.20s%s%.40s%s%.60s",
		    show_or(content_text(row, "product"), "all"),
		    show_or(content_text(row, "step"), "step"),
		    version && *version ? " " : "", show_or(version, ""),
		    reason && *reason ? ": " : "", show_or(reason, ""));
	same = strcmp(step, view->step) == 0;
	if (!isatty(STDOUT_FILENO)) {
		if (!same) {
			out_foreign(step);
			out_text("\n");
		}
	} else {
		if (!same) {
			show_step_end(view);
		}
		out_text("\r");
		out_foreign(step);
		if (content_number(row, "done", &done) &&
		    content_number(row, "total", &total)) {
			out_text("  %" PRIu64 " of %" PRIu64, done, total);
		}
		out_text("\033[K");
		view->step_open = true;
	}
	memcpy(view->step, step, sizeof(view->step));
	return out_flush() ? 0 : -EPIPE;
}

/* ---- a view ---- */

static int show_text(struct content_view *view, const struct content_row *row)
{
	switch (row->type) {
	case CONTENT_RECORD_PRODUCT:
		if (view->details) {
			show_product_full(row);
		} else {
			show_product_row(view->products, row);
		}
		return 0;
	case CONTENT_RECORD_VERSION:
		show_version_row(view->versions, row);
		return 0;
	case CONTENT_RECORD_REASON:
		show_reason(row);
		return out_flush() ? 0 : -EPIPE;
	default:
		return -EBADMSG;
	}
}

int content_view_take(struct content_view *view, const struct content_row *row)
{
	json_t *list = view->list[row->type];

	if (row->type == CONTENT_RECORD_PROGRESS) {
		return view->json ? show_json_line(row) :
				    show_progress(view, row);
	}
	if (!list) {
		return -EBADMSG;        /* not what was asked for */
	}
	if (view->shown == CONTENT_ROWS) {
		/* far beyond what an agent keeps: it would never end */
		return ++view->beyond > CONTENT_ROWS ? -EBADMSG : 0;
	}
	view->shown++;
	if (!view->json) {
		return show_text(view, row);
	}
	show_json(&view->doc, json_put_object(&view->doc, list, NULL), row);
	return view->doc.error;
}

int content_view_end(struct content_view *view)
{
	int r = 0;

	if (view->json) {
		r = json_print(&view->doc, false);
	} else {
		if (out_table_rows(view->products)) {
			r = out_table_print(view->products, "");
		}
		if (r == 0 && out_table_rows(view->versions)) {
			r = out_table_print(view->versions, "");
		}
	}
	if (view->beyond) {
		cli_error("%" PRIu64 " more are not shown; ask for one product "
			  "or version", view->beyond);
	}
	return r;
}

void content_view_ended(struct content_view *view, int error, const char *text)
{
	cleanup_json struct json_doc doc = { 0 };

	show_step_end(view);
	if (!view->json) {
		if (error == 0 && *text) {
			out_foreign(text);
			out_text("\n");
		}
		return;
	}
	if (json_open(&doc) == 0) {
		json_put_text(&doc, doc.root, "type", "end");
		json_put_number(&doc, doc.root, "error", (uint64_t)error);
		json_put_text(&doc, doc.root, "text", text);
		(void)!json_print(&doc, true);
	}
}
