/* SPDX-License-Identifier: Apache-2.0 */
/*
 * options.c - reads a command line by the tables: --name, --name=value,
 * --name value; `--` ends the options. Names are never shortened, so that a
 * new option cannot change what an old script means.
 */
#include <errno.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/names.h"
#include "cli/when.h"

const struct cli_option cli_common_options[] = {
	{ "state", CLI_DIRECTORY, false, "DIR",
	  "where the sockets are (default /run/bailey)" },
	{ "timeout", CLI_DURATION, false, "T",
	  "how long to wait for an answer (default 5s)" },
	{ "help", CLI_FLAG, false, NULL, "print this" },
	{ NULL, CLI_FLAG, false, NULL, NULL }
};

static const struct cli_option *options_find(const struct cli_option *list,
					     const char *name, size_t length)
{
	for (; list && list->name; list++) {
		if (strlen(list->name) == length &&
		    memcmp(list->name, name, length) == 0) {
			return list;
		}
	}
	return NULL;
}

static int options_check(const struct cli_option *option, const char *value)
{
	uint64_t ns;

	if (option->kind == CLI_DURATION && when_duration(value, &ns) < 0) {
		cli_error("--%s %s: not a length of time; write 30s, 5m, 2h "
			  "or 1d", option->name, value);
		return -EINVAL;
	}
	if (option->kind == CLI_WHEN && when_parse(value, 0, &ns) < 0) {
		cli_error("--%s %s: not a time; write how long ago (2h) or "
			  "2026-01-31T14:00", option->name, value);
		return -EINVAL;
	}
	if (option->kind == CLI_EVENT_TYPE && names_event_number(value) == 0) {
		cli_error("--%s %s: no such event type; known ones: %s",
			  option->name, value, names_event_list());
		return -EINVAL;
	}
	if (*value == '\0') {
		cli_error("--%s needs a value: %s", option->name,
			  option->argument);
		return -EINVAL;
	}
	return 0;
}

static int options_add(struct cli_args *args, const struct cli_option *option,
		       const char *value)
{
	if (!option->repeat && cli_has(args, option->name)) {
		cli_error("--%s is given twice; give it once", option->name);
		return -EINVAL;
	}
	if (args->count == CLI_MAX_SET) {
		cli_error("more than %u options; give fewer", CLI_MAX_SET);
		return -EINVAL;
	}
	args->set[args->count].option = option;
	args->set[args->count].value = value;
	args->count++;
	return 0;
}

/* One option; *index moves to the last word that belongs to it. */
static int options_take(struct cli_args *args, int argc, char **argv,
			int *index)
{
	const char *name = argv[*index] + 2;
	size_t length = strcspn(name, "=");
	const char *value = name[length] == '=' ? name + length + 1 : NULL;
	const struct cli_option *option =
		options_find(args->command->options, name, length);

	if (!option) {
		option = options_find(cli_common_options, name, length);
	}
	if (!option) {
		cli_error("%s has no option --%.*s; see `bailey %s --help`",
			  args->command->name, (int)length, name,
			  args->command->name);
		return -EINVAL;
	}
	if (option->kind == CLI_FLAG) {
		if (value) {
			cli_error("--%s takes no value", option->name);
			return -EINVAL;
		}
		return options_add(args, option, NULL);
	}
	if (!value) {
		if (*index + 1 >= argc) {
			cli_error("--%s needs a value: %s", option->name,
				  option->argument);
			return -EINVAL;
		}
		value = argv[++*index];
	}
	if (options_check(option, value) < 0) {
		return -EINVAL;
	}
	return options_add(args, option, value);
}

static int options_operands(const struct cli_args *args)
{
	const struct cli_command *command = args->command;
	const char *const *word = command->words;

	if (args->operand_count < command->operand_min) {
		cli_error("%s needs more: bailey %s %s", command->name,
			  command->name, command->synopsis);
		return -EINVAL;
	}
	if (args->operand_count > command->operand_max) {
		cli_error("%s: do not know what to do with \"%s\"; "
			  "see `bailey %s --help`", command->name,
			  args->operand[command->operand_max], command->name);
		return -EINVAL;
	}
	if (command->operand != CLI_WORD || args->operand_count == 0) {
		return 0;
	}
	for (; *word; word++) {
		if (strcmp(*word, args->operand[0]) == 0) {
			return 0;
		}
	}
	cli_error("%s has no \"%s\"; write: bailey %s %s", command->name,
		  args->operand[0], command->name, command->synopsis);
	return -EINVAL;
}

int cli_parse(const struct cli_command *command, int argc, char **argv,
	      struct cli_args *ret_args)
{
	struct cli_args args = { .command = command, .operand = argv };
	bool ended = false;
	int i;

	/* operands move to the front of argv, in their order */
	for (i = 1; i < argc; i++) {
		if (!ended && strcmp(argv[i], "--") == 0) {
			ended = true;
		} else if (!ended && strcmp(argv[i], "-h") == 0) {
			argv[i] = "--help";
			i--;
		} else if (!ended && strncmp(argv[i], "--", 2) == 0) {
			if (options_take(&args, argc, argv, &i) < 0) {
				return -EINVAL;
			}
		} else if (!ended && argv[i][0] == '-' && argv[i][1]) {
			cli_error("%s: options are written out (--name); a "
				  "name that starts with - goes after --",
				  argv[i]);
			return -EINVAL;
		} else {
			argv[args.operand_count++] = argv[i];
		}
	}
	if (!cli_has(&args, "help") && options_operands(&args) < 0) {
		return -EINVAL;
	}
	*ret_args = args;
	return 0;
}

const char *cli_value(const struct cli_args *args, const char *name,
		      unsigned n)
{
	unsigned i;

	for (i = 0; i < args->count; i++) {
		if (strcmp(args->set[i].option->name, name) == 0 && n-- == 0) {
			return args->set[i].value;
		}
	}
	return NULL;
}

bool cli_has(const struct cli_args *args, const char *name)
{
	unsigned i;

	for (i = 0; i < args->count; i++) {
		if (strcmp(args->set[i].option->name, name) == 0) {
			return true;
		}
	}
	return false;
}

uint64_t cli_duration_ns(const struct cli_args *args, const char *name,
			 uint64_t otherwise_ns)
{
	const char *value = cli_value(args, name, 0);
	uint64_t ns;

	return value && when_duration(value, &ns) == 0 ? ns : otherwise_ns;
}
