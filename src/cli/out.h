/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/out.h - standard output: text, colour, columns, and its end
 *
 * A reader that went away (closed pipe) is no error: out_gone() tells loops to
 * stop, out_end() keeps the exit code. Any other failure to write is said and
 * makes the exit code "could not tell".
 */
#ifndef CLI_OUT_H
#define CLI_OUT_H

#include <stdbool.h>
#include <stddef.h>

enum out_color { OUT_PLAIN, OUT_BOLD, OUT_RED, OUT_GREEN, OUT_YELLOW };

/* Colours on a terminal only, and not with NO_COLOR in the environment. */
void out_start(void);
__attribute__((format(printf, 1, 2))) void out_text(const char *format, ...);
/* Foreign bytes, escaped for people (text.h); ends at a NUL. */
void out_foreign(const char *bytes);
const char *out_color(enum out_color color);    /* "" without colours */
/* Hands all that was printed on. False: stop, nobody reads. */
bool out_flush(void);
bool out_gone(void);
int out_end(int code);

/* ---- columns: rows are kept until out_table_print() measures them ---- */

#define OUT_COLUMNS 12u

struct out_table;

/* names: headings, null ends; a heading that starts with '>' is a column of
 * numbers, to the right. Null without memory. */
struct out_table *out_table_new(const char *const *names);
/* The cells of the next row in order; copied. */
__attribute__((format(printf, 2, 3)))
void out_table_cell(struct out_table *table, const char *format, ...);
void out_table_foreign(struct out_table *table, const char *bytes);
void out_table_colored(struct out_table *table, enum out_color color,
		       const char *text);
size_t out_table_rows(const struct out_table *table);
/* 0, or -ENOMEM if a cell was lost on the way. */
int out_table_print(const struct out_table *table, const char *indent);
void out_table_freep(struct out_table **table);

#define cleanup_table __attribute__((cleanup(out_table_freep)))

#endif
