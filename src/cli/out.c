/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/out.h"

#include <errno.h>
#include <langinfo.h>
#include <locale.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/result.h"
#include "cli/cli.h"
#include "cli/text.h"

static bool out_colors;
static int out_error;           /* first errno of a failed write */

void out_start(void)
{
	const char *no_color = getenv("NO_COLOR");
	const char *term = getenv("TERM");

	setlocale(LC_CTYPE, "");
	text_set_utf8(strcmp(nl_langinfo(CODESET), "UTF-8") == 0);
	out_colors = isatty(STDOUT_FILENO) && !(no_color && *no_color) &&
		     !(term && strcmp(term, "dumb") == 0);
	out_error = 0;
}

void out_text(const char *format, ...)
{
	va_list list;

	va_start(list, format);
	if (vprintf(format, list) < 0 && !out_error) {
		out_error = errno;
	}
	va_end(list);
}

void out_foreign(const char *bytes)
{
	size_t length = strlen(bytes);
	cleanup_free char *text = malloc(TEXT_ESCAPED(length));

	if (!text) {
		out_error = out_error ? out_error : ENOMEM;
		return;
	}
	text_escape(TEXT_HUMAN, bytes, length, text);
	out_text("%s", text);
}

const char *out_color(enum out_color color)
{
	static const char *const codes[] = {
		"\033[0m", "\033[1m", "\033[31m", "\033[32m", "\033[33m"
	};

	return out_colors ? codes[color] : "";
}

bool out_gone(void)
{
	struct pollfd p = { .fd = STDOUT_FILENO, .events = 0 };

	if (out_error) {
		return true;
	}
	return poll(&p, 1, 0) == 1 && (p.revents & (POLLERR | POLLNVAL));
}

bool out_flush(void)
{
	if (fflush(stdout) != 0 && !out_error) {
		out_error = errno;
	}
	return out_error == 0;
}

int out_end(int code)
{
	out_flush();
	if (out_error && out_error != EPIPE && !cli_interrupted()) {
		cli_error("cannot write the output: %s", strerror(out_error));
		return CLI_UNKNOWN;
	}
	return code;
}
