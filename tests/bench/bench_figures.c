/* SPDX-License-Identifier: Apache-2.0 */
/* tests/bench/bench_figures.c - see bench_figures.h */
#include "bench/bench_figures.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

struct budget {
	const char *name;
	double most;
	const char *what;
};

/* The published budgets. Rows without one are shown as measured. */
static const struct budget budgets[] = {
	{ "ratio_kcached_bare", 1.15, "open, verdict cached in the kernel" },
	{ "ratio_ecached_floor", 1.15, "open, verdict cached in the engine" },
	{ "ratio_rule_floor", 1.25, "open, decided by an object rule" },
	{ "ratio_pathrule_floor", 1.45, "open, decided by a path rule" },
	{ "ratio_bigrules_floor", 1.6,
	  "open, path rule among 10,000, a million hashes" },
	{ "ratio_ask1_floor", 1.6, "open, one jailed product asked" },
	{ "ratio_ask1_p99_floor_p99", 3, "the same, p99" },
	{ "ratio_ask1_idle_floor", 3, "the same, first after idle" },
	{ "ratio_ask3_floor", 5, "open, three products, two processors" },
	{ "ratio_ask1_fapolicyd", 1, "one product against fapolicyd" },
	{ "ratio_exec_ask1_fapolicyd", 1.3, "exec, the same" },
	{ "cpu_ask1_floor", 2.5, "processor time of a question" },
	{ "innocent_p99_ratio_waiters", 3, "innocents beside 1,000 waiters" },
	{ "innocent_p99_ratio_storm", 5, "innocents beside 100 stormers" },
	{ "stall_product_killed_ms", 5, "longest open, product killed" },
	{ "stall_product_stopped_ms", 105,
	  "total stall in 10 s, product stopped" },
	{ "stall_product_spinning_ms", 105,
	  "total stall in 10 s, product spins" },
	{ "stall_worker_killed_ms", 10, "longest open, worker killed" },
	{ "stall_worker_stopped_ms", 500, "longest open, worker stopped" },
	{ "stall_engine_killed_ms", 100, "longest open, both killed" },
	{ "stall_monitor_killed_ms", 100, "longest open, monitor killed" },
	{ "wrong_allow", 0, "evil opens that were allowed" },
	{ "wrong_deny", 0, "innocent opens that were refused" },
	{ "unprotected_ms", 1000, "without monitor until it is back" },
	{ "product_back_ms_p99", 100, "killed product serves again" },
	{ "flush_100k_ms", 50, "dropping 100,000 verdicts" },
	{ "rss_monitor_kb", 2048, "resident, monitor" },
	{ "rss_engine_kb", 16384, "resident, keeper and worker" },
	{ "revert_content_ms_p99", 1000,
	  "content on trial fails, the former is asked" },
	{ "refresh_cpu_us", 1000, "bailey-tuf: a refresh without change" },
	{ "refresh_rss_kb", 256, "its memory" },
	{ "refresh_program_cpu_us", 1000, "the same, as a program" },
	{ "refresh_program_rss_kb", 256, "its memory" },
	{ "idle_wakeups_per_s", 4, "wake-ups of all of it, idle" },
};

#define BUDGETS (sizeof budgets / sizeof budgets[0])

void figures_set(struct figures *figures, double value, const char *name, ...)
{
	char text[sizeof figures->row[0].name];
	va_list list;
	size_t i;

	va_start(list, name);
	vsnprintf(text, sizeof text, name, list);
	va_end(list);
	for (i = 0; i < figures->count; i++) {
		if (strcmp(figures->row[i].name, text) == 0) {
			break;
		}
	}
	if (i == FIGURES_MAX) {
		fprintf(stderr, "bench: no room for figure %s\n", text);
		return;
	}
	if (i == figures->count) {
		figures->count++;
	}
	memcpy(figures->row[i].name, text, sizeof text);
	figures->row[i].value = value;
}

bool figures_get(const struct figures *figures, const char *name,
		 double *ret_value)
{
	for (size_t i = 0; i < figures->count; i++) {
		if (strcmp(figures->row[i].name, name) == 0) {
			*ret_value = figures->row[i].value;
			return true;
		}
	}
	return false;
}

static const struct budget *budget_of(const char *name)
{
	for (size_t i = 0; i < BUDGETS; i++) {
		if (strcmp(budgets[i].name, name) == 0) {
			return &budgets[i];
		}
	}
	return NULL;
}

static void print_row(FILE *out, bool markdown, const struct figure *row,
		      const struct budget *budget)
{
	const char *kept = budget == NULL ? "" :
			   row->value <= budget->most ? "kept" : "MISSED";
	char most[32] = "";

	if (budget != NULL) {
		snprintf(most, sizeof most, "%g", budget->most);
	}
	fprintf(out, markdown ? "| `%s` | %.3f | %s | %s | %s |\n" :
				"%-30s %12.3f %8s %-7s %s\n",
		row->name, row->value, most, kept,
		budget != NULL ? budget->what : "");
}

int figures_print(const struct figures *figures, FILE *out, bool markdown,
		  int *ret_absent)
{
	int missed = 0, absent = 0;
	double value;

	if (markdown) {
		fputs("| figure | value | budget | | what |\n"
		      "|---|---:|---:|---|---|\n", out);
	} else {
		fprintf(out, "%-30s %12s %8s\n", "figure", "value", "budget");
	}
	for (size_t i = 0; i < figures->count; i++) {
		const struct figure *row = &figures->row[i];
		const struct budget *budget = budget_of(row->name);

		print_row(out, markdown, row, budget);
		missed += budget != NULL && row->value > budget->most;
	}
	for (size_t i = 0; i < BUDGETS; i++) {
		if (!figures_get(figures, budgets[i].name, &value)) {
			absent++;
			fprintf(out, markdown ?
				"| `%s` | not measured | %g | | %s |\n" :
				"%-30s not measured %7g         %s\n",
				budgets[i].name, budgets[i].most,
				budgets[i].what);
		}
	}
	*ret_absent = absent;
	return missed;
}

int figures_save(const struct figures *figures, const char *path)
{
	FILE *file = fopen(path, "we");
	int r = 0;

	if (file == NULL) {
		return -errno;
	}
	fputs("{\n", file);
	for (size_t i = 0; i < figures->count; i++) {
		fprintf(file, "  \"%s\": %.4f%s\n", figures->row[i].name,
			figures->row[i].value,
			i + 1 < figures->count ? "," : "");
	}
	fputs("}\n", file);
	if (ferror(file) != 0) {
		r = -EIO;
	}
	if (fclose(file) != 0 && r == 0) {
		r = -errno;
	}
	return r;
}
