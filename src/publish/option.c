/* SPDX-License-Identifier: Apache-2.0 */
/*
 * option.c - the table of subcommands, and command lines read by it: --name,
 * --name=value, --name value; `--' ends the options; names are never shortened
 */
#include "publish/publish.h"

#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <time.h>

#include <openssl/crypto.h>

#include "config/conf.h"

#define PUB_ROW(symbol) &pub_cmd_##symbol,
static const struct pub_command *const commands[] = {
	PUB_COMMAND_TABLE(PUB_ROW) NULL
};
#undef PUB_ROW

static const struct pub_option common[] = {
	{ "workspace", "DIR", false, "the workspace (default: this folder)" },
	{ "passphrase-file", "FILE", true,
	  "its first line is a passphrase; each is tried for each key" },
	{ "passphrase-fd", "N", false,
	  "the first line from this descriptor is a passphrase" },
	{ "help", NULL, false, "print this" },
	{ NULL, NULL, false, NULL }
};

static const struct pub_option *find_option(const struct pub_option *list,
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

bool pub_has(const struct pub_args *args, const char *name)
{
	for (unsigned i = 0; i < args->count; i++) {
		if (strcmp(args->set[i].option->name, name) == 0) {
			return true;
		}
	}
	return false;
}

const char *pub_value(const struct pub_args *args, const char *name,
		      unsigned n)
{
	for (unsigned i = 0; i < args->count; i++) {
		if (strcmp(args->set[i].option->name, name) == 0 && n-- == 0) {
			return args->set[i].value;
		}
	}
	return NULL;
}

static int wrong(const char *name, const char *value, const char *what)
{
	pub_error("--%s %s: %s", name, value, what);
	return -EINVAL;
}

int pub_number(const struct pub_args *args, const char *name, uint64_t low,
	       uint64_t high, uint64_t *number)
{
	const char *value = pub_value(args, name, 0), *end = "";
	uint64_t n;

	if (!value) {
		return 0;
	}
	if (conf_number(value, &n, &end) || *end) {
		return wrong(name, value, "not a whole number");
	}
	if (n < low || n > high) {
		pub_error("--%s %s: give %llu to %llu", name, value,
			  (unsigned long long)low, (unsigned long long)high);
		return -EINVAL;
	}
	*number = n;
	return 0;
}

int pub_duration(const struct pub_args *args, const char *name, uint64_t low,
		 uint64_t high, uint64_t *seconds)
{
	const char *value = pub_value(args, name, 0);
	uint64_t n;

	if (!value) {
		return 0;
	}
	if (conf_seconds(value, &n)) {
		return wrong(name, value, "write a length of time: 30s, 5m, "
			     "2h or 1d");
	}
	if (n < low || n > high) {
		pub_error("--%s %s: give %llus to %llus", name, value,
			  (unsigned long long)low, (unsigned long long)high);
		return -EINVAL;
	}
	*seconds = n;
	return 0;
}

static int add_option(struct pub_args *args, const struct pub_option *option,
		      const char *value)
{
	if (!option->repeat && pub_has(args, option->name)) {
		pub_error("--%s is given twice; give it once", option->name);
		return -EINVAL;
	}
	if (args->count == PUB_SET) {
		pub_error("more than %u options; give fewer", PUB_SET);
		return -EINVAL;
	}
	args->set[args->count].option = option;
	args->set[args->count++].value = value;
	return 0;
}

/* One option; *index moves to the last word that belongs to it. */
static int take_option(struct pub_args *args, int argc, char **argv,
		       int *index)
{
	const char *name = argv[*index] + 2;
	size_t length = strcspn(name, "=");
	const char *value = name[length] == '=' ? name + length + 1 : NULL;
	const struct pub_option *option =
		find_option(args->command->options, name, length);

	option = option ? option : find_option(common, name, length);
	if (!option) {
		pub_error("%s has no option --%.*s; see `bailey publish %s "
			  "--help`", args->command->name, (int)length, name,
			  args->command->name);
		return -EINVAL;
	}
	if (!option->argument) {
		return value ? wrong(option->name, value, "takes no value")
			     : add_option(args, option, "");
	}
	if (!value && *index + 1 < argc) {
		value = argv[++*index];
	}
	if (!value || !*value) {
		pub_error("--%s needs a value: %s", option->name,
			  option->argument);
		return -EINVAL;
	}
	return add_option(args, option, value);
}

static int check_operands(const struct pub_args *args)
{
	const struct pub_command *command = args->command;

	if (args->operand_count < command->operand_min) {
		pub_error("%s needs more: bailey publish %s %s",
			  command->name, command->name, command->synopsis);
		return -EINVAL;
	}
	if (args->operand_count > command->operand_max) {
		pub_error("%s: do not know what to do with \"%s\"; see "
			  "`bailey publish %s --help`", command->name,
			  args->operand[command->operand_max], command->name);
		return -EINVAL;
	}
	return 0;
}

static int parse(const struct pub_command *command, int argc, char **argv,
		 struct pub_args *args)
{
	bool ended = false;

	args->command = command;
	args->operand = argv;
	/* operands move to the front of argv, in their order */
	for (int i = 1; i < argc; i++) {
		const char *word = argv[i];

		if (!ended && strcmp(word, "--") == 0) {
			ended = true;
		} else if (!ended && strncmp(word, "--", 2) == 0) {
			if (take_option(args, argc, argv, &i) < 0) {
				return -EINVAL;
			}
		} else if (!ended && word[0] == '-' && word[1]) {
			pub_error("%s: options are written out (--name); a "
				  "name that starts with - goes after --",
				  word);
			return -EINVAL;
		} else {
			argv[args->operand_count++] = argv[i];
		}
	}
	return pub_has(args, "help") ? 0 : check_operands(args);
}

static void help_options(const struct pub_option *option)
{
	for (; option && option->name; option++) {
		char left[64];

		snprintf(left, sizeof(left), "--%s%s%s", option->name,
			 option->argument ? " " : "",
			 option->argument ? option->argument : "");
		pub_say("  %-24s%s%s\n", left, strlen(left) > 23 ?
			"\n                          " : "", option->help);
	}
}

static int help(const struct pub_command *command)
{
	if (command) {
		pub_say("usage: bailey publish %s %s\n\n%s.\n%s\noptions:\n",
			command->name, command->synopsis, command->summary,
			command->help);
		help_options(command->options);
		help_options(common);
		pub_say("\nMore: man bailey-publish\n");
		return PUB_YES;
	}
	pub_say("usage: bailey publish COMMAND [OPTION]... [OPERAND]...\n\n"
		"The vendor's side of safe content: signed versions in a "
		"repository of plain files.\n\n");
	for (size_t i = 0; commands[i]; i++) {
		pub_say("  %-9s %s\n", commands[i]->name,
			commands[i]->summary);
	}
	pub_say("\nEvery command takes:\n");
	help_options(common);
	pub_say("\nExit code: 0 yes, 1 no, 2 could not tell. "
		"More: man bailey-publish\n");
	return PUB_YES;
}

static int secrets(struct publish *p, const struct pub_args *args)
{
	const char *file;
	uint64_t fd = UINT64_MAX;
	int r = pub_number(args, "passphrase-fd", 0, 1023, &fd);

	if (r == 0 && fd != UINT64_MAX) {
		r = pub_secret_fd(p, (int)fd);
	}
	for (unsigned i = 0;
	     r == 0 && (file = pub_value(args, "passphrase-file", i)); i++) {
		r = pub_secret_file(p, file);
	}
	return r;
}

static int run(const struct pub_args *args)
{
	cleanup_free struct publish *p = calloc(1, sizeof(*p));
	const char *folder = pub_value(args, "workspace", 0);
	int code = PUB_UNKNOWN;

	if (!p) {
		pub_error("out of memory; try again");
		return PUB_UNKNOWN;
	}
	p->dir = p->repository = -1;
	p->now = time(NULL);
	if (secrets(p, args) == 0 &&
	    (args->command->alone ||
	     pub_open(p, folder ? folder : ".") == 0)) {
		code = args->command->run(p, args);
	}
	pub_close(p);
	OPENSSL_cleanse(p, sizeof(*p));
	return code;
}

static int dispatch(int argc, char **argv)
{
	struct pub_args args = { 0 };
	size_t i = 0;

	if (argc < 2) {
		pub_error("say what to do; `bailey publish --help` lists the "
			  "commands");
		return PUB_UNKNOWN;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0) {
		return help(NULL);
	}
	while (commands[i] && strcmp(commands[i]->name, argv[1]) != 0) {
		i++;
	}
	if (!commands[i]) {
		pub_error("there is no command \"%s\"; `bailey publish "
			  "--help` lists them", argv[1]);
		return PUB_UNKNOWN;
	}
	if (parse(commands[i], argc - 1, argv + 1, &args) < 0) {
		return PUB_UNKNOWN;
	}
	return pub_has(&args, "help") ? help(commands[i]) : run(&args);
}

int pub_main(int argc, char **argv)
{
	/* private keys pass through memory: no core dump, no tracer; what is
	 * made is for nobody else unless its mode is set */
	(void)prctl(PR_SET_DUMPABLE, 0);
	umask(022);
	pub_signals();
	return pub_say_end(dispatch(argc, argv));
}
