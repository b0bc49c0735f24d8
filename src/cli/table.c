/* SPDX-License-Identifier: Apache-2.0 */
/*
 * table.c - columns as wide as their widest cell; the last one is not padded
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/result.h"
#include "cli/out.h"
#include "cli/text.h"

struct table_cell {
	char *text;             /* owned, escaped already */
	enum out_color color;
};

struct out_table {
	const char *const *names;       /* borrowed */
	size_t columns;
	struct table_cell *cells;       /* owned */
	size_t count, room;
	int error;
};

struct out_table *out_table_new(const char *const *names)
{
	struct out_table *table = calloc(1, sizeof(*table));

	if (!table) {
		return NULL;
	}
	table->names = names;
	while (names[table->columns] && table->columns < OUT_COLUMNS) {
		table->columns++;
	}
	return table;
}

/* Takes text, which may be null when memory is out. */
static void table_add(struct out_table *table, char *text, enum out_color color)
{
	if (table->count == table->room && text) {
		size_t room = table->room ? table->room * 2 : 64;
		struct table_cell *cells =
			reallocarray(table->cells, room, sizeof(*cells));

		if (!cells) {
			free(text);
			text = NULL;
		} else {
			table->cells = cells;
			table->room = room;
		}
	}
	if (!text) {
		table->error = -ENOMEM;
		return;
	}
	table->cells[table->count++] =
		(struct table_cell){ .text = text, .color = color };
}

void out_table_cell(struct out_table *table, const char *format, ...)
{
	char *text = NULL;
	va_list list;

	va_start(list, format);
	if (vasprintf(&text, format, list) < 0) {
		text = NULL;
	}
	va_end(list);
	table_add(table, text, OUT_PLAIN);
}

void out_table_foreign(struct out_table *table, const char *bytes)
{
	size_t length = strlen(bytes);
	char *text = malloc(TEXT_ESCAPED(length));

	if (text) {
		text_escape(TEXT_HUMAN, bytes, length, text);
	}
	table_add(table, text, OUT_PLAIN);
}

void out_table_colored(struct out_table *table, enum out_color color,
		       const char *text)
{
	table_add(table, strdup(text), color);
}

size_t out_table_rows(const struct out_table *table)
{
	return table->count / table->columns;
}

static void table_pad(size_t cells)
{
	out_text("%*s", (int)cells, "");
}

static void table_put(const struct out_table *table, size_t column,
		      const char *text, size_t width, enum out_color color)
{
	size_t cells = text_width(text);
	bool right = table->names[column][0] == '>';
	bool last = column + 1 == table->columns;
	size_t pad = width > cells ? width - cells : 0;

	if (right) {
		table_pad(pad);
	}
	out_text("%s%s%s", color ? out_color(color) : "", text,
		 color ? out_color(OUT_PLAIN) : "");
	if (!last) {
		table_pad((right ? 0 : pad) + 2);
	}
}

static const char *table_name(const struct out_table *table, size_t column)
{
	const char *name = table->names[column];

	return name[0] == '>' ? name + 1 : name;
}

int out_table_print(const struct out_table *table, const char *indent)
{
	size_t width[OUT_COLUMNS], i;

	if (table->error) {
		return table->error;
	}
	for (i = 0; i < table->columns; i++) {
		width[i] = text_width(table_name(table, i));
	}
	for (i = 0; i < table->count; i++) {
		size_t cells = text_width(table->cells[i].text);

		if (cells > width[i % table->columns]) {
			width[i % table->columns] = cells;
		}
	}
	out_text("%s", indent);
	for (i = 0; i < table->columns; i++) {
		table_put(table, i, table_name(table, i), width[i], OUT_BOLD);
	}
	for (i = 0; i < table->count; i++) {
		size_t column = i % table->columns;

		if (column == 0) {
			out_text("\n%s", indent);
		}
		table_put(table, column, table->cells[i].text, width[column],
			  table->cells[i].color);
	}
	out_text("\n");
	return 0;
}

void out_table_freep(struct out_table **table)
{
	size_t i;

	if (!*table) {
		return;
	}
	for (i = 0; i < (*table)->count; i++) {
		free((*table)->cells[i].text);
	}
	free((*table)->cells);
	free(*table);
	*table = NULL;
}
