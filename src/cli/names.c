/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/names.h"

#include <string.h>

#include "proto/view.h"

struct names_row {
	uint32_t number;
	const char *name, *help;
};

#define NAMES_EVENT(sym, num, name, class, help) { num, name, help },
#define NAMES_STATE(sym, num, name) { num, name, "" },
#define NAMES_HELP(sym, num, name, help) { num, name, help },
#define NAMES_NAME(sym, num, name, class, help) name,
#define NAMES_LIST(sym, num, name, class, help) ", " name

static const struct names_row rows_event[] = {
	BAILEY_EVENT_TABLE(NAMES_EVENT) { 0, NULL, NULL }
};
static const struct names_row rows_verdict[] = {
	BAILEY_VERDICT_TABLE(NAMES_HELP) { 0, NULL, NULL }
};
static const struct names_row rows_mode[] = {
	BAILEY_MODE_TABLE(NAMES_HELP) { 0, NULL, NULL }
};
static const struct names_row rows_known[] = {
	BAILEY_KNOWN_TABLE(NAMES_HELP) { 0, NULL, NULL }
};
static const struct names_row rows_state[] = {
	VIEW_PRODUCT_STATE_TABLE(NAMES_STATE) { 0, NULL, NULL }
};
static const struct names_row rows_beside[] = {
	VIEW_BESIDE_TABLE(NAMES_STATE) { 0, NULL, NULL }
};
static const struct names_row rows_by[] = {
	VIEW_BY_TABLE(NAMES_HELP) { 0, NULL, NULL }
};

const char *const names_events[] = { BAILEY_EVENT_TABLE(NAMES_NAME) NULL };

static const struct names_row *names_find(const struct names_row *row,
					  uint32_t number)
{
	static const struct names_row none = { 0, "unknown", "" };

	for (; row->name; row++) {
		if (row->number == number) {
			return row;
		}
	}
	return &none;
}

const char *names_event(uint32_t kind)
{
	return names_find(rows_event, kind)->name;
}

uint32_t names_event_number(const char *name)
{
	const struct names_row *row;

	for (row = rows_event; row->name; row++) {
		if (strcmp(row->name, name) == 0) {
			return row->number;
		}
	}
	return 0;
}

const char *names_event_list(void)
{
	return &BAILEY_EVENT_TABLE(NAMES_LIST)[2];
}

const char *names_verdict(uint32_t verdict)
{
	return names_find(rows_verdict, verdict)->name;
}

const char *names_mode(uint32_t mode)
{
	return names_find(rows_mode, mode)->name;
}

const char *names_state(uint32_t state)
{
	return names_find(rows_state, state)->name;
}

const char *names_beside(uint32_t beside)
{
	return names_find(rows_beside, beside)->name;
}

const char *names_by(uint32_t by)
{
	return names_find(rows_by, by)->name;
}

const char *names_by_help(uint32_t by)
{
	return names_find(rows_by, by)->help;
}

const char *names_known(uint32_t known)
{
	return names_find(rows_known, known)->name;
}
