/* SPDX-License-Identifier: Apache-2.0 */
#include "base/text.h"

#include <stdarg.h>
#include <stdio.h>

void text_format(char *ret_text, size_t size, const char *format, ...)
{
	va_list list;

	va_start(list, format);
	if (vsnprintf(ret_text, size, format, list) < 0) {
		ret_text[0] = '\0';
	}
	va_end(list);
}
