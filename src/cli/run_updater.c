/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/result.h"
#include "cli/file.h"
#include "cli/run.h"
#include "config/config.h"

int run_updater_look(const char *path, bool *ret_wanted)
{
	cleanup_free struct manifest *m = malloc(sizeof(*m));
	cleanup_free char *text = NULL;
	struct manifest_error error;
	size_t length;
	int r = file_read(path, &text, &length);

	if (r < 0 || !m) {
		return r < 0 ? r : -ENOMEM;
	}
	manifest_defaults(m);
	/* Whether it is whole the monitor says: a drop-in may complete it. */
	r = manifest_parse(text, length, path, m, &error);
	if (r < 0) {
		cli_error("%s", error.text);
		return r;
	}
	*ret_wanted = m->content_url[0] && m->content_root[0];
	return 0;
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
