/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lib/run_cli.h - runs the bailey executable ($BAILEY) and keeps what it says
 */
#ifndef LIB_RUN_CLI_H
#define LIB_RUN_CLI_H

#include <stddef.h>
#include <sys/types.h>

#define RUN_CLI_ARGS 32
#define RUN_CLI_OUTPUT (1u << 20)

struct run_cli {
	int status;             /* exit code, or 1000 + signal */
	size_t out_size;
	char out[RUN_CLI_OUTPUT];       /* NUL at the end */
	char err[65536];
	/* while it runs */
	pid_t pid;
	int out_fd, err_fd;
};

/* Runs `bailey args...` (null ends), at most 20 s. Never null; free() it. */
struct run_cli *run_cli(const char *const *args);
/* The same in steps: start; then read, signal or close out_fd; then wait. */
struct run_cli *run_cli_start(const char *const *args);
void run_cli_wait(struct run_cli *run);
/* Reads until out holds text or the program ended; 1 if it is there. */
int run_cli_expect(struct run_cli *run, const char *text);

#define RUN_CLI(...) run_cli((const char *const []){ __VA_ARGS__, NULL })
#define RUN_CLI_START(...)                                                    \
	run_cli_start((const char *const []){ __VA_ARGS__, NULL })

#endif
