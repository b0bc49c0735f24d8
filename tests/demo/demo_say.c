/* SPDX-License-Identifier: Apache-2.0 */
/* tests/demo/demo_say.c - the lines of the story; see demo.h */
#include "demo/demo.h"

#include <stdarg.h>
#include <stdio.h>

void demo_title(const char *format, ...)
{
	va_list list;

	va_start(list, format);
	putchar('\n');
	vprintf(format, list);
	putchar('\n');
	fflush(stdout);
	va_end(list);
}

bool demo_check(struct demo *demo, bool held, const char *format, ...)
{
	va_list list;

	va_start(list, format);
	printf("  %s ", held ? "✓" : "✗");
	vprintf(format, list);
	putchar('\n');
	fflush(stdout);
	va_end(list);
	if (held) {
		demo->good++;
	} else {
		demo->bad++;
	}
	return held;
}

void demo_remark(const char *format, ...)
{
	va_list list;

	va_start(list, format);
	fputs("    ", stdout);
	vprintf(format, list);
	putchar('\n');
	fflush(stdout);
	va_end(list);
}

#define LONGEST_US 500000u      /* what no innocent may ever wait */

void demo_check_innocents(struct demo *demo, uint32_t from)
{
	const struct load *load = demo->load;
	uint32_t to = load_now_us(load);
	uint32_t opens = load_count(load, LOAD_OPENS, true, from, to);
	uint32_t execs = load_count(load, LOAD_EXECS, true, from, to);
	uint32_t refused = load_count(load, LOAD_OPENS, false, from, to) +
			   load_count(load, LOAD_EXECS, false, from, to);
	uint32_t longest = load_longest_us(load, LOAD_OPENS, from, to);

	demo_check(demo, refused == 0 && longest <= LONGEST_US &&
		   opens > 0 && execs > 0,
		   "meanwhile %u opens and %u program starts of an ordinary "
		   "user: %u refused, longest open %.1f ms", opens, execs,
		   refused, longest / 1000.0);
}
