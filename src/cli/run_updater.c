/* SPDX-License-Identifier: Apache-2.0 */
/* run_updater.c - bailey-updater as a child (run.h) */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/result.h"
#include "cli/run.h"
#include "config/config.h"

#define UPDATER_FILE 65536u

static bool updater_text(const char *path, char ret_text[UPDATER_FILE],
			 size_t *ret_length)
{
	cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, ret_text, UPDATER_FILE);

	*ret_length = n > 0 ? (size_t)n : 0;
	return n > 0;
}

bool run_updater_wanted(const char *path)
{
	cleanup_free char *text = malloc(UPDATER_FILE);
	cleanup_free struct manifest *m = malloc(sizeof(*m));
	struct manifest_error error;
	size_t length;

	if (!text || !m || !updater_text(path, text, &length)) {
		return false;
	}
	manifest_defaults(m);
	/* What is wrong with it the monitor says. */
	return manifest_parse(text, length, path, m, &error) == 0 &&
	       m->content_url[0] && m->content_root[0];
}

/* In the child. It gives up root by itself. */
static void updater_become(const struct run_updater *updater, pid_t parent)
{
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	sigset_t none;

	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent) {
		_exit(1);
	}
	signal(SIGPIPE, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	dup2(null, STDIN_FILENO);
	dup2(STDERR_FILENO, STDOUT_FILENO);
	execv(updater->argv[0], (char **)updater->argv);
	fprintf(stderr, "bailey: cannot start %s: %s\n", updater->argv[0],
		strerror(errno));
	_exit(127);
}

static void updater_start(struct run_updater *updater)
{
	pid_t parent = getpid();
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (pid < 0) {
		updater->start_at = mono_add(mono_now(), RUN_DELAY_MOST_NS);
		return;
	}
	if (pid == 0) {
		updater_become(updater, parent);
	}
	updater->start_at.ns = 0;
	updater->pid = pid;
}

void run_updater_begin(struct run_updater *updater)
{
	if (updater->count && updater->pid == 0 && !updater->start_at.ns) {
		updater->start_at = mono_now();
	}
}

void run_updater_turn(struct run_updater *updater)
{
	mono_t now = mono_now();
	int status = 0;

	if (updater->pid > 0 &&
	    waitpid(updater->pid, &status, WNOHANG) == updater->pid) {
		uint64_t delay = run_backoff_death(&updater->backoff, now);

		updater->pid = 0;
		updater->start_at = mono_add(now, delay);
		run_say("the updater ended (%s %d); next start in %llu ms",
			WIFSIGNALED(status) ? "signal" : "code",
			WIFSIGNALED(status) ? WTERMSIG(status)
					    : WEXITSTATUS(status),
			(unsigned long long)(delay / MONO_MS));
	}
	if (updater->start_at.ns && now.ns >= updater->start_at.ns) {
		updater_start(updater);
	}
}

void run_updater_end(struct run_updater *updater)
{
	unsigned ms;

	updater->start_at.ns = 0;
	updater->count = 0;
	if (updater->pid <= 0) {
		return;
	}
	kill(updater->pid, SIGTERM);
	for (ms = 0; ms < RUN_UPDATER_STOP_MS; ms += 5) {
		if (waitpid(updater->pid, NULL, WNOHANG) == updater->pid) {
			updater->pid = 0;
			return;
		}
		usleep(5000);
	}
	kill(updater->pid, SIGKILL);
	waitpid(updater->pid, NULL, 0);
	updater->pid = 0;
}
