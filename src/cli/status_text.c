/* SPDX-License-Identifier: Apache-2.0 */
/*
 * status_text.c - `bailey status` for a person: the verdict first, then what
 * is wrong, then the rest
 */
#include <inttypes.h>

#include "base/mono.h"
#include "cli/names.h"
#include "cli/out.h"
#include "cli/status.h"
#include "cli/when.h"

static void status_headline(const struct status *status)
{
	static const struct {
		enum out_color color;
		const char *text;
	} lines[] = {
		[STATUS_PROTECTED] = { OUT_GREEN, "protected" },
		[STATUS_OBSERVING] = { OUT_YELLOW,
			"observing: all runs, nothing is denied" },
		[STATUS_DEGRADED_NOW] = { OUT_RED, "degraded" },
		[STATUS_UNKNOWN] = { OUT_RED, "unknown: nothing answers" },
	};
	enum status_verdict verdict = status_verdict(status);

	out_text("%s%s%s\n", out_color(lines[verdict].color),
		 lines[verdict].text, out_color(OUT_PLAIN));
}

static const char *status_ago(uint64_t since_ns, char buffer[WHEN_TEXT])
{
	uint64_t now = wall_now_ns();

	if (since_ns == 0) {
		return "-";
	}
	return when_length_text(now > since_ns ? now - since_ns : 0, buffer);
}

static int status_print_degraded(const struct status *status)
{
	static const char *const names[] = { "WHAT", "FOR", "WHY", NULL };
	cleanup_table struct out_table *table = out_table_new(names);
	char buffer[WHEN_TEXT];
	uint32_t i;

	if (!table) {
		return -1;
	}
	for (i = 0; i < status->degradations; i++) {
		const struct admin_degraded *row = &status->degraded[i];

		out_table_foreign(table, row->what);
		out_table_cell(table, "%s", status_ago(row->since_ns, buffer));
		out_table_foreign(table, row->why);
	}
	return out_table_rows(table) ? out_table_print(table, "  ") : 0;
}

static void status_print_processes(const struct status *status)
{
	char buffer[WHEN_TEXT];

	if (status->has_monitor) {
		const struct admin_monitor *m = &status->monitor;

		out_text("  monitor  pid %d for %s", m->monitor_pid,
			 status_ago(m->since_ns, buffer));
		out_text(", unprotected %" PRIu64 " ms since boot\n",
			 m->unprotected_ms);
		out_text("  keeper   pid %d, restarts %u\n", m->keeper_pid,
			 m->keeper_restarts);
	}
	if (status->has_engine) {
		const struct view_engine *e = &status->engine;

		out_text("  worker   pid %d for %s, restarts %u\n",
			 e->worker_pid, status_ago(e->since_ns, buffer),
			 e->worker_restarts);
		out_text("  answers  %" PRIu64 " questions, %" PRIu64
			 " denied, %" PRIu64 " would be, %" PRIu64 " missed, %"
			 PRIu64 " refused by the kernel\n", e->questions,
			 e->denied, e->would_deny, e->missed,
			 status_kernel_denied(status));
	}
}

static int status_print_scopes(const struct status *status)
{
	static const char *const names[] = { "SCOPE", "TYPE", "WATCHED", "PATH",
					     NULL };
	cleanup_table struct out_table *table = out_table_new(names);
	uint32_t i;

	if (!table) {
		return -1;
	}
	for (i = 0; i < status->scopes; i++) {
		const struct admin_scope *scope = &status->scope[i];

		out_table_foreign(table, scope->kind);
		out_table_foreign(table, scope->fstype);
		out_table_colored(table, scope->marked ? OUT_GREEN : OUT_RED,
				  scope->marked ? "yes" : "no");
		out_table_foreign(table, scope->path);
	}
	return out_table_rows(table) ? out_table_print(table, "  ") : 0;
}

void status_print_products(const struct status *status, const char *indent)
{
	static const char *const names[] = {
		"PRODUCT", "STATE", "MODE", "FOR", ">ASKED", ">MISSED",
		">DENIED", ">WOULD", ">RESTARTS", "LAST FAULT OR END", NULL
	};
	cleanup_table struct out_table *table = out_table_new(names);
	char buffer[WHEN_TEXT];
	uint32_t i;

	for (i = 0; table && i < status->products; i++) {
		const struct status_product *p = &status->product[i];
		uint32_t state = status_product_state(p);

		out_table_foreign(table, p->name);
		out_table_colored(table, state == VIEW_STATE_SERVING ?
				  OUT_GREEN : OUT_YELLOW, names_state(state));
		out_table_cell(table, "%s",
			       names_mode(status_product_mode(p)));
		out_table_cell(table, "%s", status_ago(p->engine.since_ns,
						       buffer));
		out_table_cell(table, "%" PRIu64, p->engine.asked);
		out_table_cell(table, "%" PRIu64, p->engine.missed);
		out_table_cell(table, "%" PRIu64, p->engine.denied);
		out_table_cell(table, "%" PRIu64, p->engine.would_deny);
		out_table_cell(table, "%u", p->monitor.restarts);
		out_table_foreign(table, *p->engine.last_fault ?
				  p->engine.last_fault : p->monitor.last_exit);
	}
	if (table && out_table_rows(table)) {
		if (out_table_print(table, indent) < 0) {
			cli_error("out of memory; use --json");
		}
	}
}

void status_print(const struct status *status)
{
	status_headline(status);
	if (status_print_degraded(status) < 0) {
		cli_error("out of memory; use --json");
	}
	status_print_processes(status);
	if (status_print_scopes(status) < 0) {
		cli_error("out of memory; use --json");
	}
	status_print_products(status, "  ");
}
