/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cmd_run.c - Bailey in the foreground (run.h): the command line, and what
 * stands before and after the loop
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/result.h"
#include "cli/cli.h"
#include "cli/run.h"

/* The command lines; copies are kept in `text`. */
struct run_line {
	const char *argv[RUN_ARGUMENTS];        /* the monitor's */
	size_t count;
	struct run_updater *updater;            /* borrowed */
	bool update;                            /* it is wanted */
	char monitor[RUN_PATH];
	char program[RUN_PATH];                 /* the updater */
	char text[CLI_MAX_SET][RUN_PATH];
	size_t texts;
};

static void run_add(struct run_line *line, const char *word, const char *value)
{
	line->argv[line->count++] = word;
	if (value) {
		line->argv[line->count++] = value;
	}
}

/* Scopes: directories must be there, and are given by their real path. */
static int run_add_scope(struct run_line *line, const char *word,
			 const char *value)
{
	char *to = line->text[line->texts];
	cleanup_free char *real = NULL;

	if (strcmp(word, "--filesystem") == 0 && strcmp(value, "local") == 0) {
		run_add(line, word, value);
		return 0;
	}
	real = realpath(value, NULL);
	if (!real || strlen(real) >= RUN_PATH) {
		cli_error("%s %s: %s; give a directory that is there", word,
			  value, strerror(real ? ENAMETOOLONG : errno));
		return -ENOENT;
	}
	strcpy(to, real);
	line->texts++;
	run_add(line, word, to);
	return 0;
}

static int run_add_product(struct run_line *line, const char *value,
			   const char *etc)
{
	char *to = line->text[line->texts];
	int r = run_find_manifest(value, etc, to);

	if (r == 0) {
		line->texts++;
		run_add(line, "--product", to);
		line->updater->argv[line->updater->count++] = "--product";
		line->updater->argv[line->updater->count++] = to;
		line->update = line->update || run_updater_wanted(to);
	}
	return r;
}

/* The command line says which products, or else bailey.conf. */
static int run_build_updater(const struct cli_args *args,
			     const struct run_place *place,
			     struct run_line *line)
{
	struct run_updater *updater = line->updater;

	if (!cli_has(args, "product")) {
		line->update = run_updater_enabled(place->etc);
	}
	if (!line->update || cli_has(args, "no-update")) {
		updater->count = 0;
		return 0;
	}
	updater->argv[0] = line->program;
	updater->argv[1] = "--state";
	updater->argv[2] = place->state;
	updater->argv[3] = "--etc";
	updater->argv[4] = place->etc;
	return run_find_updater(line->program);
}

static int run_build(const struct cli_args *args,
		     const struct run_place *place, struct run_line *line)
{
	unsigned i;
	int r = run_find_monitor(line->monitor);

	if (r < 0) {
		return r;
	}
	run_add(line, line->monitor, NULL);
	run_add(line, "--state", place->state);
	run_add(line, "--etc", place->etc);
	line->updater->count = 5;       /* as run_build_updater() fills in */
	for (i = 0; i < args->count && r == 0; i++) {
		const char *name = args->set[i].option->name;
		const char *value = args->set[i].value;

		if (strcmp(name, "tree") == 0) {
			r = run_add_scope(line, "--tree", value);
		} else if (strcmp(name, "filesystem") == 0) {
			r = run_add_scope(line, "--filesystem", value);
		} else if (strcmp(name, "product") == 0) {
			r = run_add_product(line, value, place->etc);
		} else if (strcmp(name, "enforce") == 0) {
			run_add(line, "--enforce", NULL);
		}
	}
	return r < 0 ? r : run_build_updater(args, place, line);
}

/* Standard input's end is the shell's, if it is a terminal or a pipe, and has
 * not ended already. */
static bool run_input_counts(void)
{
	struct pollfd p = { .fd = STDIN_FILENO };
	struct stat st;

	if (fstat(STDIN_FILENO, &st) < 0 ||
	    !(isatty(STDIN_FILENO) || S_ISFIFO(st.st_mode) ||
	      S_ISSOCK(st.st_mode))) {
		return false;
	}
	return poll(&p, 1, 0) == 0;
}

static int run_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGQUIT);
	sigaddset(&set, SIGCHLD);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0) {
		return result_errno();
	}
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static int run_with(struct run *run, const struct cli_args *args,
		    struct run_line *line)
{
	cleanup_fd int signals = -1;
	int code, r;

	line->updater = &run->updater;
	if (run_build(args, &run->place, line) < 0) {
		return CLI_UNKNOWN;
	}
	signals = run_signals();
	r = signals < 0 ? signals :
	    run_monitor_init(&run->monitor, &run->place, line->argv);
	if (r < 0) {
		cli_error("cannot prepare: %s", strerror(-r));
		return CLI_UNKNOWN;
	}
	run->signal_fd = signals;
	run->watch_input = run_input_counts();
	if (run->place.made) {
		run_say("ask this one with --state %s", run->place.state);
	}
	code = run_loop(run);
	run_monitor_fini(&run->monitor);
	return code;
}

static int run_run(const struct cli_args *args)
{
	cleanup_free struct run_line *line = calloc(1, sizeof(*line));
	struct run run = { .events = PEER_INIT,
			   .debug = cli_value(args, "debug", 0) };
	int code;

	if (!line) {
		cli_error("out of memory; try again");
		return CLI_UNKNOWN;
	}
	if (!cli_has(args, "tree") && !cli_has(args, "filesystem")) {
		cli_error("say what to watch: --tree DIR, --filesystem PATH, "
			  "or --filesystem local");
		return CLI_UNKNOWN;
	}
	if (run_place_open(args, &run.place) < 0) {
		return CLI_UNKNOWN;
	}
	code = run_with(&run, args, line);
	run_place_close(&run.place);
	return code;
}

static const struct cli_option run_options[] = {
	{ "tree", CLI_DIRECTORY, true, "DIR",
	  "watch what is opened and started below DIR" },
	{ "filesystem", CLI_DIRECTORY, true, "PATH|local",
	  "watch the file system of PATH, or all local ones" },
	{ "product", CLI_PRODUCT, true, "NAME|MANIFEST",
	  "start this product" },
	{ "enforce", CLI_FLAG, false, NULL,
	  "deny; otherwise only observe and say what would be denied" },
	{ "etc", CLI_DIRECTORY, false, "DIR",
	  "rules.d, exceptions.d and products.d (default: empty, in the state "
	  "directory)" },
	{ "no-update", CLI_FLAG, false, NULL,
	  "do not fetch new versions of the products' content" },
	{ "debug", CLI_PRODUCT, false, "PRODUCT",
	  "print all decisions of this product, not only denials" },
	{ NULL, CLI_FLAG, false, NULL, NULL }
};

const struct cli_command cmd_run = {
	.name = "run",
	.synopsis = "[--tree DIR]... [--filesystem PATH|local]... "
		    "[--product NAME|MANIFEST]...\n"
		    "                  [--enforce] [--etc DIR] "
		    "[--no-update]\n"
		    "                  [--debug PRODUCT]",
	.summary = "start Bailey in the foreground, without a service manager",
	.help = "Prints \"ready\" when it watches, then denials on standard "
		"error. Ctrl-C, SIGTERM\nor the end of the shell ends it and "
		"leaves the host as it was. Without --state it\nmakes a "
		"temporary directory, says which, and removes it.\n"
		"Exit code: 0 ended as asked, 1 could not start, 2 something "
		"else failed.\n",
	.page = "bailey-run",
	.options = run_options,
	.run = run_run,
};
