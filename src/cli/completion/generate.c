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

static void generate_words(const char *const *words)
{
	size_t i;

	for (i = 0; words && words[i]; i++) {
		printf("%s%s", i ? " " : "", words[i]);
	}
}

/* What completes a value or an operand, as shell text that prints it. */
static const char *generate_source(enum cli_kind kind)
{
	static const char *const sources[] = {
		[CLI_DIRECTORY] = "compgen -d -- \"$word\"",
		[CLI_FILE] = "compgen -f -- \"$word\"",
		[CLI_USER] = "compgen -u -- \"$word\"",
		[CLI_PRODUCT] = "_bailey_products \"$word\"",
		[CLI_EVENT_TYPE] = "compgen -W \"$types\" -- \"$word\"",
		[CLI_WORD] = NULL,
	};

	return sources[kind];
}

static void generate_values(const struct cli_option *option)
{
	for (; option && option->name; option++) {
		const char *source = generate_source(option->kind);

		if (option->kind != CLI_FLAG) {
			printf("\t--%s) COMPREPLY=(%s%s%s); return ;;\n",
			       option->name, source ? "$(" : "",
			       source ? source : "", source ? ")" : "");
		}
	}
}

/* The first operand, then the rest: `content' names products, what else has
 * words takes files. */
static void generate_operands(const struct cli_command *command)
{
	const char *first = generate_source(command->operand);
	bool products = command == &cmd_content;

	printf("\tcase $place in\n\t1) COMPREPLY=(");
	if (command->words) {
		printf("$(compgen -W \"");
		generate_words(command->words);
		printf("\" -- \"$word\")");
	} else if (first) {
		printf("$(%s)", first);
	}
	printf(") ;;\n\t*) COMPREPLY=(");
	if (command->verbs) {
		printf("$(compgen -W \"");
		generate_words(command->verbs);
		printf("\" -- \"$word\")");
	} else if (command->words && command->operand_max > 1) {
		printf("%s$(%s)", products ? "$(_bailey_products \"$word\") "
		       : "", generate_source(CLI_FILE));
	}
	printf(") ;;\n\tesac ;;\n");
}

static void generate_command(const struct cli_command *command)
{
	printf("%s)\n\tcase $previous in\n", command->name);
	generate_values(command->options);
	generate_values(command->raw ? NULL : cli_common_options);
	printf("\tesac\n\tcase $word in -*)\n");
	if (command->raw) {
		/* another program's: it says which it has */
		printf("\t\toptions=$(bailey %s \"${COMP_WORDS[2]}\" --help "
		       "2>/dev/null |\n\t\t\tsed -n "
		       "'s/^  \\(--[a-z-]*\\).*/\\1/p')\n", command->name);
	} else {
		printf("\t\toptions=\"");
		generate_options(command->options);
		generate_options(cli_common_options);
		printf("\"\n");
	}
	printf("\t\tCOMPREPLY=($(compgen -W \"$options\" -- \"$word\"))\n"
	       "\t\treturn ;;\n\tesac\n");
	generate_operands(command);
}

/* Options without a value: what follows is an operand. */
static void generate_flags(const struct cli_option *option)
{
	for (; option && option->name; option++) {
		if (option->kind == CLI_FLAG) {
			printf("|--%s", option->name);
		}
	}
}

static void generate_body(void)
{
	size_t i;

	printf("_bailey_products() {\n"
	       "\tcompgen -W \"$(bailey products 2>/dev/null |\n"
	       "\t\tsed '1d;s/ .*//')\" -- \"$1\"\n}\n"
	       "_bailey() {\n"
	       "local word=${COMP_WORDS[COMP_CWORD]} options i place=0\n"
	       "local previous=${COMP_WORDS[COMP_CWORD-1]} types=\"");
	generate_words(names_events);
	printf("\"\nlocal commands=\"");
	for (i = 0; cli_commands[i]; i++) {
		printf("%s ", cli_commands[i]->name);
	}
	printf("help\"\nCOMPREPLY=()\n"
	       "if [ \"$COMP_CWORD\" -eq 1 ]; then\n"
	       "\tCOMPREPLY=($(compgen -W \"$commands --help --version\" -- "
	       "\"$word\"))\n\treturn\nfi\n"
	       "for ((i = 2; i <= COMP_CWORD; i++)); do\n"
	       "\tcase ${COMP_WORDS[i]} in\n\t--*=*");
	for (i = 0; cli_commands[i]; i++) {
		generate_flags(cli_commands[i]->options);
	}
	printf(") ;;\n"
	       "\t--*) i=$((i + 1)) ;;\n"
	       "\t*) place=$((place + 1)) ;;\n\tesac\ndone\n"
	       "case ${COMP_WORDS[1]} in\n"
	       "help) COMPREPLY=($(compgen -W \"$commands\" -- \"$word\")) "
	       ";;\n");
	for (i = 0; cli_commands[i]; i++) {
		generate_command(cli_commands[i]);
	}
	printf("esac\n}\n");
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
		/* loaded by the first completion, which is to be served too */
		printf("complete -F _bailey bailey\n"
		       "_bash_complete -F _bailey\n");
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
