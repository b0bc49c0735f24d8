/* SPDX-License-Identifier: Apache-2.0 */
/*
 * brittle/judge.c - rules against an event's values
 *
 * The values stand at the end of a page, and the page behind it cannot be
 * read: what is read beyond the last one does not go unnoticed, as it did
 * elsewhere on most days.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "content.h"

#define VALUE_BYTES 128

const enum bailey_field brittle_fields[] = {
#define BRITTLE_FIELD(name) BAILEY_FIELD_##name,
	BRITTLE_FIELDS_TABLE(BRITTLE_FIELD)
#undef BRITTLE_FIELD
};
const size_t brittle_fields_count =
	sizeof(brittle_fields) / sizeof(brittle_fields[0]);

struct value {
	char text[VALUE_BYTES];
};

/* BRITTLE_SUPPLIED of them. */
static struct value *values;

int brittle_supply_init(void)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t bytes = BRITTLE_SUPPLIED * sizeof(struct value);
	size_t pages = (bytes + page - 1) / page * page;
	char *memory = mmap(NULL, pages + page, PROT_NONE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED ||
	    mprotect(memory, pages, PROT_READ | PROT_WRITE) < 0) {
		return -errno;
	}
	values = (struct value *)(void *)(memory + pages - bytes);
	return 0;
}

static void supply(const struct bailey_event *event)
{
	for (unsigned i = 0; i < BRITTLE_SUPPLIED; i++) {
		struct bailey_string string;
		int64_t number;

		values[i].text[0] = '\0';
		if (bailey_event_string(event, brittle_fields[i], &string) ==
		    0) {
			snprintf(values[i].text, VALUE_BYTES, "%.*s",
				 (int)string.length, string.bytes);
		} else if (bailey_event_number(event, brittle_fields[i],
					       &number) == 0) {
			snprintf(values[i].text, VALUE_BYTES, "%" PRId64,
				 number);
		}
	}
}

static int matches(const struct brittle_rule *rule, unsigned number)
{
	if (number < rule->from) {
		return 0;
	}
	if (strcmp(rule->text, "*") == 0) {
		return 1;       /* no need to look */
	}
	return strstr(values[rule->field].text, rule->text) != NULL;
}

enum bailey_verdict brittle_judge(const struct brittle_content *content,
				  const struct bailey_event *event,
				  unsigned number)
{
	const struct timespec pause = {
		.tv_sec = content->pause_ms / 1000,
		.tv_nsec = content->pause_ms % 1000 * 1000000l,
	};

	if (content->pause_ms > 0) {
		nanosleep(&pause, NULL);
	}
	if (number % content->every != content->phase) {
		return BAILEY_VERDICT_ALLOW;
	}
	supply(event);
	for (unsigned i = 0; i < content->rules; i++) {
		if (matches(&content->rule[i], number)) {
			return content->rule[i].verdict;
		}
	}
	return BAILEY_VERDICT_ALLOW;
}
