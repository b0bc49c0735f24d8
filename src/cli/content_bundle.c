/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/content_bundle.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/result.h"
#include "cli/run.h"

#define BUNDLE_ARGUMENTS 12

/* The updater opens nothing of the caller's: the bundle is its standard input
 * or output. */
static _Noreturn void bundle_exec(const char *const *argv, int fd, int number)
{
	signal(SIGPIPE, SIG_DFL);
	if (dup2(fd, number) < 0) {
		_exit(CLI_UNKNOWN);
	}
	execv(argv[0], (char *const *)argv);
	fprintf(stderr, "bailey: cannot start %s: %s; install all of Bailey\n",
		argv[0], strerror(errno));
	_exit(CLI_UNKNOWN);
}

static int bundle_wait(pid_t pid)
{
	int status = 0;
	pid_t r;

	while ((r = waitpid(pid, &status, 0)) < 0 && errno == EINTR) {
		/* Ctrl-C went to the updater as well: it ends */
	}
	if (r < 0 || !WIFEXITED(status)) {
		return CLI_UNKNOWN;
	}
	return WEXITSTATUS(status) <= CLI_UNKNOWN ? WEXITSTATUS(status) :
						    CLI_UNKNOWN;
}

static int bundle_spawn(const struct cli_args *args, const char *verb, int fd)
{
	char program[RUN_PATH];
	char mode[16];
	const char *argv[BUNDLE_ARGUMENTS] = { program, mode };
	static const char *const passed[] = { "state", "product", "from",
					       "etc" };
	static const char *const names[] = { "--state", "--product",
					     "--from", "--etc" };
	unsigned n = 2;
	size_t i;
	pid_t pid;

	if (run_find_updater(program) < 0) {
		return CLI_UNKNOWN;
	}
	snprintf(mode, sizeof(mode), "--%s", verb);
	for (i = 0; i < sizeof(passed) / sizeof(passed[0]); i++) {
		if (cli_has(args, passed[i])) {
			argv[n++] = names[i];
			argv[n++] = cli_value(args, passed[i], 0);
		}
	}
	pid = fork();
	if (pid < 0) {
		cli_error("cannot start %s: %s", program, strerror(errno));
		return CLI_UNKNOWN;
	}
	if (pid == 0) {
		bundle_exec(argv, fd, strcmp(verb, "export") == 0 ?
			    STDOUT_FILENO : STDIN_FILENO);
	}
	return bundle_wait(pid);
}

/* Whole or not at all: written beside its place, then renamed. */
static int bundle_export(const struct cli_args *args, const char *path)
{
	char beside[RUN_PATH * 2];
	cleanup_fd int fd = -1;
	int code;

	if (snprintf(beside, sizeof(beside), "%s.XXXXXX", path) >=
	    (int)sizeof(beside)) {
		cli_error("%s: the name is too long", path);
		return CLI_UNKNOWN;
	}
	fd = mkostemp(beside, O_CLOEXEC);
	if (fd < 0) {
		cli_error("cannot write beside %s: %s", path, strerror(errno));
		return CLI_UNKNOWN;
	}
	code = bundle_spawn(args, "export", fd);
	if (code == CLI_YES && (fchmod(fd, 0644) < 0 || fsync(fd) < 0 ||
				rename(beside, path) < 0)) {
		cli_error("cannot write %s: %s", path, strerror(errno));
		code = CLI_UNKNOWN;
	}
	if (code != CLI_YES) {
		unlink(beside);
	}
	return code;
}

int content_bundle(const struct cli_args *args, const char *verb)
{
	const char *path = args->operand[1];
	cleanup_fd int fd = -1;

	if (strcmp(verb, "export") == 0) {
		return bundle_export(args, path);
	}
	fd = strcmp(path, "-") == 0 ? dup(STDIN_FILENO) :
				      open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		cli_error("cannot open %s: %s; give a file that `bailey "
			  "content export` wrote", path, strerror(errno));
		return CLI_UNKNOWN;
	}
	return bundle_spawn(args, "import", fd);
}
