/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/run_cli.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define RUN_CLI_MS 20000

static void run_need(int good, const char *what)
{
	if (!good) {
		perror(what);
		abort();
	}
}

static void run_exec(const char *const *args, int out, int err)
{
	const char *argv[RUN_CLI_ARGS + 2] = { getenv("BAILEY") };
	int i;

	for (i = 0; args[i] && i < RUN_CLI_ARGS; i++) {
		argv[i + 1] = args[i];
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	dup2(out, STDOUT_FILENO);
	dup2(err, STDERR_FILENO);
	if (argv[0]) {
		execv(argv[0], (char **)argv);
	}
	_exit(126);
}

struct run_cli *run_cli_start(const char *const *args)
{
	struct run_cli *run = calloc(1, sizeof(*run));
	int out[2], err[2];

	run_need(run != NULL, "calloc");
	run_need(getenv("BAILEY") != NULL, "BAILEY is not set");
	run_need(pipe2(out, O_CLOEXEC) == 0 && pipe2(err, O_CLOEXEC) == 0,
		 "pipe2");
	fflush(NULL);
	run->pid = fork();
	run_need(run->pid >= 0, "fork");
	if (run->pid == 0) {
		run_exec(args, out[1], err[1]);
	}
	close(out[1]);
	close(err[1]);
	run->out_fd = out[0];
	run->err_fd = err[0];
	return run;
}

static long run_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void run_take(int *fd, char *buffer, size_t room, size_t *used)
{
	char rest[4096];
	char *at = *used + 1 < room ? buffer + *used : rest;
	size_t size = *used + 1 < room ? room - 1 - *used : sizeof(rest);
	ssize_t n = read(*fd, at, size);

	if (n <= 0) {
		close(*fd);
		*fd = -1;
	} else if (at != rest) {
		*used += (size_t)n;
		buffer[*used] = '\0';
	}
}

/* Reads both pipes until text is there (null: until both end). */
static int run_read(struct run_cli *run, const char *text)
{
	long end = run_ms() + RUN_CLI_MS;
	size_t err_used = strlen(run->err);

	for (;;) {
		struct pollfd p[2] = {
			{ .fd = run->out_fd, .events = POLLIN },
			{ .fd = run->err_fd, .events = POLLIN },
		};
		long left = end - run_ms();

		if (text && (strstr(run->out, text) ||
			     strstr(run->err, text))) {
			return 1;
		}
		if ((run->out_fd < 0 && run->err_fd < 0) || left <= 0 ||
		    poll(p, 2, (int)left) <= 0) {
			return 0;
		}
		if (p[0].revents) {
			run_take(&run->out_fd, run->out, sizeof(run->out),
				 &run->out_size);
		}
		if (p[1].revents) {
			run_take(&run->err_fd, run->err, sizeof(run->err),
				 &err_used);
		}
	}
}

int run_cli_expect(struct run_cli *run, const char *text)
{
	return run_read(run, text);
}

void run_cli_wait(struct run_cli *run)
{
	long end = run_ms() + RUN_CLI_MS;
	int status = 0;
	pid_t r;

	run_read(run, NULL);
	while ((r = waitpid(run->pid, &status, WNOHANG)) == 0 &&
	       run_ms() < end) {
		usleep(2000);
	}
	if (r == 0) {
		kill(run->pid, SIGKILL);
		waitpid(run->pid, &status, 0);
	}
	if (run->out_fd >= 0) {
		close(run->out_fd);
	}
	if (run->err_fd >= 0) {
		close(run->err_fd);
	}
	run->status = WIFEXITED(status) ? WEXITSTATUS(status) :
					  1000 + WTERMSIG(status);
}

struct run_cli *run_cli(const char *const *args)
{
	struct run_cli *run = run_cli_start(args);

	run_cli_wait(run);
	return run;
}
