/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include <poll.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const char *log_tag = "bailey";
static enum log_level log_highest = LOG_INFO;
static _Atomic unsigned long log_drops;

void log_init(const char *tag, enum log_level highest)
{
	log_tag = tag;
	log_highest = highest;
}

unsigned long log_dropped(void)
{
	return log_drops;
}

/* A pipe with a stalled reader must not hold the broker: ask before writing.
 * One line is below PIPE_BUF, so a writable pipe takes it whole. */
static int log_can_write(void)
{
	struct pollfd p = { .fd = STDERR_FILENO, .events = POLLOUT };

	return poll(&p, 1, 0) == 1 && (p.revents & POLLOUT);
}

void log_line(enum log_level level, const char *format, ...)
{
	char line[1024];
	va_list list;
	int n = 0;

	if (level > log_highest) {
		return;
	}
	if (getenv("JOURNAL_STREAM")) {
		n = snprintf(line, sizeof(line), "<%d>", level);
	}
	n += snprintf(line + n, sizeof(line) - (size_t)n, "%s: ", log_tag);
	va_start(list, format);
	n += vsnprintf(line + n, sizeof(line) - (size_t)n, format, list);
	va_end(list);
	if ((size_t)n > sizeof(line) - 2) {
		n = (int)sizeof(line) - 2;
	}
	line[n++] = '\n';
	if (!log_can_write() || write(STDERR_FILENO, line, (size_t)n) < 0) {
		log_drops++;
	}
}
