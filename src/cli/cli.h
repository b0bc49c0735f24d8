/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/cli.h - the `bailey` command: one table of subcommands
 *
 * Problem: a dozen subcommands that must agree in options, help, exit codes,
 * completion and manual. Each is one cmd_*.c with one struct cli_command; all
 * that is said about it elsewhere (help, completion, the test of the manual
 * pages) is made from that struct.
 *
 * Runs as the caller, in one thread, and holds no state of its own: it talks
 * to the two sockets of proto/view.h. What comes from a socket is checked for
 * type and size and its texts are ended before anything looks at it (peer.h);
 * what is printed is escaped (text.h).
 *
 * Exit codes: 0 yes, 1 no, 2 could not tell. A closed pipe and Ctrl-C end the
 * command quietly. An error is one line that says what to do.
 */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum cli_exit { CLI_YES = 0, CLI_NO = 1, CLI_UNKNOWN = 2 };

/* What a value is: decides how it is checked and how it is completed. */
enum cli_kind {
	CLI_FLAG = 0,           /* option without a value */
	CLI_NONE = CLI_FLAG,    /* command without operands */
	CLI_TEXT, CLI_DIRECTORY, CLI_FILE, CLI_DURATION, CLI_WHEN,
	CLI_PRODUCT, CLI_EVENT_TYPE, CLI_USER, CLI_WORD
};

struct cli_option {
	const char *name;       /* without the dashes; null ends the table */
	enum cli_kind kind;
	bool repeat;            /* may be given more than once */
	const char *argument;   /* name of the value, in capitals */
	const char *help;
};

#define CLI_MAX_SET 64u         /* options on one command line */

struct cli_args {
	const struct cli_command *command;
	unsigned count;
	struct {
		const struct cli_option *option;
		const char *value;
	} set[CLI_MAX_SET];
	int operand_count;
	char **operand;         /* borrowed from argv */
};

struct cli_command {
	const char *name;
	const char *synopsis;   /* what follows "bailey NAME" */
	const char *summary;    /* one line, no full stop */
	const char *help;       /* the rest, ends with a newline */
	const char *page;       /* manual page, "bailey-status" */
	const struct cli_option *options;       /* own ones; null: none */
	const char *const *words;       /* first operand's words; null ends */
	const char *const *verbs;       /* second one's, for completion */
	enum cli_kind operand;  /* first operand; CLI_WORD: one of words */
	int operand_min, operand_max;
	bool raw;               /* words are passed on, options too */
	int (*run)(const struct cli_args *args);
};

/* X(symbol): the variable is cmd_SYMBOL, in cmd_SYMBOL.c */
#define CLI_COMMAND_TABLE(X)                                                  \
	X(run)                                                                \
	X(status)                                                             \
	X(products)                                                           \
	X(product)                                                            \
	X(denials)                                                            \
	X(events)                                                             \
	X(explain)                                                            \
	X(allow)                                                              \
	X(exceptions)                                                         \
	X(off)                                                                \
	X(on)                                                                 \
	X(rules)                                                              \
	X(config)                                                             \
	X(content)                                                            \
	X(publish)                                                            \
	X(doctor)

#define CLI_DECLARE(symbol) extern const struct cli_command cmd_##symbol;
CLI_COMMAND_TABLE(CLI_DECLARE)
#undef CLI_DECLARE

extern const struct cli_command *const cli_commands[];  /* null ends */
extern const struct cli_option cli_common_options[];    /* of every command */

/* An option row that several commands have. */
#define CLI_OPTION_JSON                                                       \
	{ "json", CLI_FLAG, false, NULL, "print JSON in place of text" }

const struct cli_command *cli_find(const char *name);
int cli_main(int argc, char **argv);
/* True after SIGINT, SIGTERM or SIGHUP: end quietly. */
bool cli_interrupted(void);

/* ---- options.c ---- */

/* argv[0] is the command's name. 0, or -EINVAL after saying why. */
int cli_parse(const struct cli_command *command, int argc, char **argv,
	      struct cli_args *ret_args) __attribute__((warn_unused_result));
bool cli_has(const struct cli_args *args, const char *name);
/* The n-th value given for an option, or null. */
const char *cli_value(const struct cli_args *args, const char *name,
		      unsigned n);
/* A CLI_DURATION option's value (checked by cli_parse), or otherwise. */
uint64_t cli_duration_ns(const struct cli_args *args, const char *name,
			 uint64_t otherwise_ns);

/* ---- help.c ---- */

void cli_help(void);
void cli_help_command(const struct cli_command *command);

/* Prints "bailey: ..." to standard error: what is wrong, then what to do. */
__attribute__((format(printf, 1, 2))) void cli_error(const char *format, ...);

#endif
