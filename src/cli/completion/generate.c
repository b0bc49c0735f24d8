/* SPDX-License-Identifier: Apache-2.0 */
/*
 * generate.c - completion for bash and zsh, from the table of commands
 *
 * generate bash|zsh prints a script; generate list prints one line a command,
 * its name and its manual page, for the test that each has all three.
 */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/names.h"

static void generate_options(const struct cli_option *option)
{
	for (; option && option->name; option++) {
		printf(" --%s", option->name);
	}
}

static void generate_values(const struct cli_option *option)
{
	size_t i;

	for (; option && option->name; option++) {
		if (option->kind == CLI_DIRECTORY) {
			printf("\t--%s) COMPREPLY=($(compgen -d -- \"$word\"))"
			       "; return ;;\n", option->name);
		} else if (option->kind == CLI_USER) {
			printf("\t--%s) COMPREPLY=($(compgen -u -- \"$word\"))"
			       "; return ;;\n", option->name);
		} else if (option->kind == CLI_FILE) {
			printf("\t--%s) COMPREPLY=($(compgen -f -- \"$word\"))"
			       "; return ;;\n", option->name);
		} else if (option->kind == CLI_EVENT_TYPE) {
			printf("\t--%s) COMPREPLY=($(compgen -W \"",
			       option->name);
			for (i = 0; names_events[i]; i++) {
				printf("%s%s", i ? " " : "", names_events[i]);
			}
			printf("\" -- \"$word\")); return ;;\n");
		} else if (option->kind != CLI_FLAG) {
			printf("\t--%s) return ;;\n", option->name);
		}
	}
}

static void generate_command(const struct cli_command *command)
{
	size_t i;

	printf("%s)\n\tcase $previous in\n", command->name);
	generate_values(command->options);
	generate_values(cli_common_options);
	printf("\tesac\n\twords=\"");
	for (i = 0; command->words && command->words[i]; i++) {
		printf("%s ", command->words[i]);
	}
	printf("\"\n\toptions=\"");
	generate_options(command->options);
	generate_options(command->raw ? NULL : cli_common_options);
	printf("\"\n\tfiles=%d ;;\n", command->operand == CLI_FILE ||
	       (command->words && command->operand_max > 1));
}

static void generate_body(void)
{
	size_t i;

	printf("_bailey() {\n"
	       "local word=${COMP_WORDS[COMP_CWORD]} words options files=0\n"
	       "local previous=${COMP_WORDS[COMP_CWORD-1]}\n"
	       "COMPREPLY=()\n"
	       "if [ \"$COMP_CWORD\" -eq 1 ]; then\n"
	       "\tCOMPREPLY=($(compgen -W \"");
	for (i = 0; cli_commands[i]; i++) {
		printf("%s ", cli_commands[i]->name);
	}
	printf("--help --version\" -- \"$word\"))\n\treturn\nfi\n"
	       "case ${COMP_WORDS[1]} in\n");
	for (i = 0; cli_commands[i]; i++) {
		generate_command(cli_commands[i]);
	}
	printf("*) return ;;\nesac\n"
	       "case $word in\n"
	       "-*) COMPREPLY=($(compgen -W \"$options\" -- \"$word\")) ;;\n"
	       "*) COMPREPLY=($(compgen -W \"$words\" -- \"$word\"))\n"
	       "\tif [ \"$files\" = 1 ]; then\n"
	       "\t\tCOMPREPLY+=($(compgen -f -- \"$word\"))\n"
	       "\tfi ;;\n"
	       "esac\n}\n");
}

int main(int argc, char **argv)
{
	const char *what = argc == 2 ? argv[1] : "";
	size_t i;

	if (strcmp(what, "bash") == 0) {
		printf("# bash completion of bailey; generated\n");
		generate_body();
		printf("complete -F _bailey bailey\n");
		return 0;
	}
	if (strcmp(what, "zsh") == 0) {
		printf("#compdef bailey\n# generated\n"
		       "autoload -U +X bashcompinit && bashcompinit\n");
		generate_body();
		printf("complete -F _bailey bailey\n");
		return 0;
	}
	if (strcmp(what, "list") == 0) {
		for (i = 0; cli_commands[i]; i++) {
			printf("%s %s\n", cli_commands[i]->name,
			       cli_commands[i]->page);
		}
		return 0;
	}
	fprintf(stderr, "usage: generate bash|zsh|list\n");
	return 2;
}
