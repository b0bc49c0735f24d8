/* SPDX-License-Identifier: Apache-2.0 */
/* say.c - what people read, and how they end it */
#include "publish/publish.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define BAR 30
#define BAR_EVERY_NS 50000000ll

static volatile sig_atomic_t ended_by;
static bool bar_drawn;
static int output_error;

static void on_signal(int number)
{
	ended_by = number;
}

void pub_signals(void)
{
	static const int ends[] = { SIGINT, SIGTERM, SIGHUP };
	struct sigaction action = { .sa_handler = on_signal };

	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		sigaction(ends[i], &action, NULL);
	}
	signal(SIGPIPE, SIG_IGN);
}

bool pub_interrupted(void)
{
	return ended_by != 0;
}

/* What comes from names of files and from carried files must not drive a
 * terminal: control characters, also those of two bytes, become `?'. */
static void tame(char *text)
{
	unsigned char before = 0;

	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if ((c < 0x20 && c != '\n') || c == 0x7f ||
		    (before == 0xc2 && c >= 0x80 && c < 0xa0)) {
			*text = '?';
		}
		before = c;
	}
}

void pub_error(const char *format, ...)
{
	char line[2048];
	va_list list;

	va_start(list, format);
	vsnprintf(line, sizeof(line), format, list);
	va_end(list);
	tame(line);
	for (char *p = strchr(line, '\n'); p; p = strchr(p, '\n')) {
		*p = '?';
	}
	pub_progress("", 0, 0);
	fflush(stdout);
	fprintf(stderr, "bailey-publish: %s\n", line);
}

void pub_say(const char *format, ...)
{
	char *text = NULL;
	va_list list;

	pub_progress("", 0, 0);
	va_start(list, format);
	if (vasprintf(&text, format, list) < 0) {
		text = NULL;
	}
	va_end(list);
	if (text) {
		tame(text);
	}
	if ((!text || fputs(text, stdout) < 0) && !output_error) {
		output_error = errno;
	}
	free(text);
}

int pub_say_end(int code)
{
	pub_progress("", 0, 0);
	if (fflush(stdout) != 0 && !output_error) {
		output_error = errno;
	}
	if (output_error && output_error != EPIPE && !pub_interrupted()) {
		pub_error("cannot write the output: %s",
			  strerror(output_error));
		return PUB_UNKNOWN;
	}
	return code;
}

void pub_progress(const char *what, uint64_t done, uint64_t total)
{
	static int64_t last;
	struct timespec t;
	int64_t now;
	int full;

	if (!total) {
		if (bar_drawn) {
			fputs("\r\033[K", stderr);
			bar_drawn = false;
		}
		return;
	}
	clock_gettime(CLOCK_MONOTONIC, &t);
	now = t.tv_sec * 1000000000ll + t.tv_nsec;
	if (!isatty(STDERR_FILENO) ||
	    (done < total && bar_drawn && now - last < BAR_EVERY_NS)) {
		return;
	}
	last = now;
	full = (int)(done >= total ? BAR : done * BAR / total);
	fprintf(stderr, "\r%-10.10s [%.*s%*s] %3d%%", what, full,
		"##############################", BAR - full, "",
		(int)(done >= total ? 100 : done * 100 / total));
	bar_drawn = true;
}
