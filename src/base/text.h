/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base/text.h - texts of fixed size, cut where they are too long
 */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include <stddef.h>

/* Like snprintf, for texts that may be cut: always ends with a NUL. The
 * arguments may not overlap ret_text. */
__attribute__((format(printf, 3, 4)))
void text_format(char *ret_text, size_t size, const char *format, ...);

#endif
