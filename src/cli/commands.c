/* SPDX-License-Identifier: Apache-2.0 */
/*
 * commands.c - the table, and what every command has in common: options are
 * read, signals end it quietly, output is handed on whole
 */
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/out.h"

#ifndef BAILEY_VERSION
#define BAILEY_VERSION "unknown"
#endif

#define CLI_ROW(symbol) &cmd_##symbol,
const struct cli_command *const cli_commands[] = {
	CLI_COMMAND_TABLE(CLI_ROW) NULL
};
#undef CLI_ROW

static volatile sig_atomic_t cli_signal;

bool cli_interrupted(void)
{
	return cli_signal != 0;
}

void cli_error(const char *format, ...)
{
	char line[2048];
	va_list list;

	va_start(list, format);
	vsnprintf(line, sizeof(line), format, list);
	va_end(list);
	/* what was printed so far comes first, also into one file */
	out_flush();
	fprintf(stderr, "bailey: %s\n", line);
}

const struct cli_command *cli_find(const char *name)
{
	size_t i;

	for (i = 0; cli_commands[i]; i++) {
		if (strcmp(cli_commands[i]->name, name) == 0) {
			return cli_commands[i];
		}
	}
	return NULL;
}

static void cli_on_signal(int number)
{
	cli_signal = number;
}

/* Without SA_RESTART: a wait ends, and looks at cli_interrupted(). */
static void cli_signals(void)
{
	static const int ends[] = { SIGINT, SIGTERM, SIGHUP };
	struct sigaction action = { .sa_handler = cli_on_signal };
	size_t i;

	for (i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		sigaction(ends[i], &action, NULL);
	}
	signal(SIGPIPE, SIG_IGN);
}

/* Another program reads its words: only `--help' alone is ours. */
static int cli_run_raw(const struct cli_command *command, int argc,
		       char **argv)
{
	struct cli_args args = { .command = command,
				 .operand_count = argc - 2,
				 .operand = argv + 2 };

	if (argc == 3 && strcmp(argv[2], "--help") == 0) {
		cli_help_command(command);
		return CLI_YES;
	}
	return command->run(&args);
}

static int cli_run(int argc, char **argv)
{
	const struct cli_command *command;
	struct cli_args args;

	if (argc < 2) {
		cli_error("say what to do; `bailey --help` lists the commands");
		return CLI_UNKNOWN;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
	    (strcmp(argv[1], "help") == 0 && argc == 2)) {
		cli_help();
		return CLI_YES;
	}
	if (strcmp(argv[1], "--version") == 0) {
		out_text("bailey %s\n", BAILEY_VERSION);
		return CLI_YES;
	}
	if (strcmp(argv[1], "help") == 0) {
		argv[1] = argv[2];
		argv[2] = "--help";
		argc = 3;
	}
	command = cli_find(argv[1]);
	if (!command) {
		cli_error("there is no command \"%s\"; `bailey --help` lists "
			  "them", argv[1]);
		return CLI_UNKNOWN;
	}
	if (command->raw) {
		return cli_run_raw(command, argc, argv);
	}
	if (cli_parse(command, argc - 1, argv + 1, &args) < 0) {
		return CLI_UNKNOWN;
	}
	if (cli_has(&args, "help")) {
		cli_help_command(command);
		return CLI_YES;
	}
	return command->run(&args);
}

int cli_main(int argc, char **argv)
{
	out_start();
	cli_signals();
	return out_end(cli_run(argc, argv));
}
