/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/text.h - foreign bytes made safe to print, and reversibly so
 *
 * File names hold any byte but NUL. Escaped text is valid UTF-8 in which a
 * backslash is written \\ and each byte that may not stand for itself is
 * written \xHH (for people also \n, \t, \r). Reading \\ and \xHH back gives
 * the bytes again.
 *
 * TEXT_JSON:  only bytes that are not valid UTF-8, and the backslash; control
 *             characters are left to JSON's own escapes.
 * TEXT_HUMAN: control characters and those that turn the direction of writing
 *             as well, so that no name can drive a terminal.
 */
#ifndef CLI_TEXT_H
#define CLI_TEXT_H

#include <stddef.h>

enum text_for { TEXT_JSON, TEXT_HUMAN };

/* Room that the escaped form of length bytes can take, NUL included. */
#define TEXT_ESCAPED(length) ((length) * 4 + 1)

/* Writes the escaped form and a NUL; room >= TEXT_ESCAPED(length). Returns its
 * length. */
size_t text_escape(enum text_for purpose, const char *bytes, size_t length,
		   char *ret_text);
/* The bytes behind an escaped text; ret_bytes may be text itself. Returns the
 * length, or -EINVAL on a broken escape. */
long text_unescape(const char *text, char *ret_bytes);
/* Cells that an escaped text takes on a terminal. */
size_t text_width(const char *text);
/* Set once, from the locale: false escapes everything beyond ASCII. */
void text_set_utf8(int allowed);

#endif
