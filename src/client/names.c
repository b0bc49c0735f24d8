/* SPDX-License-Identifier: Apache-2.0 */
/* Names and texts, all made from the rows of <bailey/tables.h>. */
#include "client/client.h"

#include <string.h>

struct name {
	unsigned number;
	const char *text;
};

#define NAME_EVENT(sym, num, name, class, help) { num, name },
#define NAME_FIELD(sym, num, name, help) { num, name },
#define NAME_ERROR(sym, num, text) { num, text },

static const struct name event_names[] = { BAILEY_EVENT_TABLE(NAME_EVENT) };
static const struct name field_names[] = {
	BAILEY_NUMBER_FIELD_TABLE(NAME_FIELD)
	BAILEY_STRING_FIELD_TABLE(NAME_FIELD)
};
static const struct name error_texts[] = { BAILEY_ERROR_TABLE(NAME_ERROR) };

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static_assert(COUNT(event_names) <= WIRE_KNOWN_ROWS, "a row per event type");

static const char *name_find(const struct name *list, size_t count,
			     unsigned number)
{
	for (size_t i = 0; i < count; i++) {
		if (list[i].number == number) {
			return list[i].text;
		}
	}
	return NULL;
}

int client_event_row(unsigned kind)
{
	for (size_t i = 0; i < COUNT(event_names); i++) {
		if (event_names[i].number == kind) {
			return (int)i;
		}
	}
	return -1;
}

const char *bailey_event_kind_name(unsigned kind)
{
	return name_find(event_names, COUNT(event_names), kind);
}

const char *bailey_field_name(unsigned field)
{
	return name_find(field_names, COUNT(field_names), field);
}

const char *bailey_strerror(int error)
{
	unsigned number = error < 0 ? 0u - (unsigned)error : (unsigned)error;
	const char *text = name_find(error_texts, COUNT(error_texts), number);

	if (text == NULL && number < 4000) {
		text = strerrordesc_np((int)number);
	}
	return text != NULL ? text : "unknown error";
}
