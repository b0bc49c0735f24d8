/* SPDX-License-Identifier: Apache-2.0 */
/* help.c - what --help prints, made from the table of commands (cli.h) */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/out.h"

#define HELP_COLUMN 24u
#define HELP_WIDTH 79u

/* Words of text from HELP_COLUMN on, wrapped. at: column reached so far. */
static void help_wrap(size_t at, const char *text)
{
	size_t column = HELP_COLUMN;

	if (at + 2 > HELP_COLUMN) {
		out_text("\n");
		at = 0;
	}
	out_text("%*s", (int)(HELP_COLUMN - at), "");
	while (*text) {
		size_t word = strcspn(text, " ");

		if (column > HELP_COLUMN && column + 1 + word > HELP_WIDTH) {
			out_text("\n%*s", (int)HELP_COLUMN, "");
			column = HELP_COLUMN;
		} else if (column > HELP_COLUMN) {
			out_text(" ");
			column++;
		}
		out_text("%.*s", (int)word, text);
		column += word;
		text += word;
		text += *text == ' ';
	}
	out_text("\n");
}

static void help_options(const struct cli_option *option)
{
	for (; option && option->name; option++) {
		char left[64];
		int n = snprintf(left, sizeof(left), "  --%s%s%s",
				 option->name, option->argument ? " " : "",
				 option->argument ? option->argument : "");

		out_text("%s", left);
		help_wrap((size_t)n, option->help);
	}
}

void cli_help_command(const struct cli_command *command)
{
	out_text("usage: bailey %s%s%s\n\n%s.\n", command->name,
		 *command->synopsis ? " " : "", command->synopsis,
		 command->summary);
	out_text("%s", command->help);
	if (!command->raw) {
		out_text("\noptions:\n");
		help_options(command->options);
		help_options(cli_common_options);
	}
	out_text("\nMore: man %s\n", command->page);
}

void cli_help(void)
{
	size_t i;

	out_text("usage: bailey COMMAND [OPTION]... [OPERAND]...\n\n"
		 "Security products in their place: confined processes that "
		 "decide about opens\nand program starts, on a host that "
		 "outlives all they do.\n\n");
	for (i = 0; cli_commands[i]; i++) {
		out_text("  %s", cli_commands[i]->name);
		help_wrap(2 + strlen(cli_commands[i]->name),
			  cli_commands[i]->summary);
	}
	out_text("\nEvery command takes:\n");
	help_options(cli_common_options);
	out_text("\nExit code: 0 yes, 1 no, 2 could not tell. "
		 "More: man bailey\n");
}
