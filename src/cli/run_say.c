/* SPDX-License-Identifier: Apache-2.0 */
/* run_say.c - lines to standard error that never wait for its reader (run.h) */
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/decision.h"
#include "cli/run.h"

static unsigned long say_dropped;

/* A whole line, shorter than PIPE_BUF, if the descriptor takes it now. */
static bool say_line(int fd, const char *line, size_t length)
{
	struct pollfd p = { .fd = fd, .events = POLLOUT };

	return poll(&p, 1, 0) == 1 && (p.revents & POLLOUT) &&
	       write(fd, line, length) == (ssize_t)length;
}

void run_say(const char *format, ...)
{
	char line[4000] = "bailey: ";
	size_t n = strlen(line);
	va_list list;
	int more;

	if (say_dropped) {
		char note[80];
		int length = snprintf(note, sizeof(note), "bailey: %lu lines "
				      "were dropped here\n", say_dropped);

		if (say_line(STDERR_FILENO, note, (size_t)length)) {
			say_dropped = 0;
		}
	}
	va_start(list, format);
	more = vsnprintf(line + n, sizeof(line) - n - 1, format, list);
	va_end(list);
	n += more < 0 ? 0 : (size_t)more;
	if (n > sizeof(line) - 2) {
		n = sizeof(line) - 2;
	}
	line[n++] = '\n';
	if (!say_line(STDERR_FILENO, line, n)) {
		say_dropped++;
	}
}

void run_say_ready(void)
{
	static const char line[] = "ready\n";

	if (!say_line(STDOUT_FILENO, line, sizeof(line) - 1)) {
		run_say("ready (standard output does not take it)");
	}
}

void run_say_decision(const struct view_decision *decision, const char *debug)
{
	char text[DECISION_TEXT];
	bool mine = debug && strcmp(decision->product, debug) == 0;

	if (!mine && !decision_is_denial(decision) &&
	    !decision_is_would(decision)) {
		return;
	}
	decision_text(decision, text, sizeof(text));
	run_say("%s", text);
}
