/* SPDX-License-Identifier: Apache-2.0 */
/* run_updater.c - bailey-updater as a child (run.h) */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/result.h"
#include "cli/run.h"
#include "config/config.h"

#define UPDATER_FILE 65536u

/* What is being read. What is wrong with a file the monitor says. */
struct updater_reading {
	char text[UPDATER_FILE];
	struct config config;
	struct manifest manifest;
	bool wanted;                    /* an enabled one has a url */
};

typedef void updater_take(struct updater_reading *r, const char *path,
			  size_t length);

static void updater_file(struct updater_reading *r, const char *path,
			 updater_take *take)
{
	cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, r->text, sizeof(r->text));

	if (n > 0) {
		take(r, path, (size_t)n);
	}
}

/* Files that end so, in the order of their names. */
static void updater_folder(struct updater_reading *r, const char *folder,
			   const char *ending, updater_take *take)
{
	struct dirent **list = NULL;
	int count = scandir(folder, &list, NULL, alphasort), i;

	for (i = 0; i < count; i++) {
		const char *name = list[i]->d_name;
		size_t n = strlen(name), e = strlen(ending);
		char path[RUN_PATH * 2];

		if (*name != '.' && n > e &&
		    strcmp(name + n - e, ending) == 0) {
			snprintf(path, sizeof(path), "%s/%s", folder, name);
			updater_file(r, path, take);
		}
		free(list[i]);
	}
	free(list);
}

static void updater_conf(struct updater_reading *r, const char *path,
			 size_t length)
{
	struct manifest_error error;

	(void)!config_parse(r->text, length, path, &r->config, &error);
}

static void updater_over(struct updater_reading *r, const char *path,
			 size_t length)
{
	struct manifest_error error;

	(void)!manifest_parse(r->text, length, path, &r->manifest, &error);
}

/* With its drop-ins: NAME.d beside NAME.ini. */
static bool updater_has_url(struct updater_reading *r, const char *path)
{
	char drop_ins[RUN_PATH * 2];

	snprintf(drop_ins, sizeof(drop_ins), "%.*s.d",
		 (int)(strlen(path) - strlen(".ini")), path);
	updater_folder(r, drop_ins, ".ini", updater_over);
	return r->manifest.content_url[0] && r->manifest.content_root[0];
}

static void updater_product(struct updater_reading *r, const char *path,
			    size_t length)
{
	bool enabled = false;

	manifest_defaults(&r->manifest);
	updater_over(r, path, length);
	for (uint32_t i = 0; i < r->config.enable.count; i++) {
		enabled |= strcmp(r->config.enable.entry[i],
				  r->manifest.name) == 0;
	}
	r->wanted = r->wanted || (enabled && updater_has_url(r, path));
}

static void updater_named(struct updater_reading *r, const char *path,
			  size_t length)
{
	manifest_defaults(&r->manifest);
	updater_over(r, path, length);
	r->wanted = updater_has_url(r, path);
}

bool run_updater_wanted(const char *path)
{
	cleanup_free struct updater_reading *r = calloc(1, sizeof(*r));

	if (r) {
		updater_file(r, path, updater_named);
	}
	return r && r->wanted;
}

bool run_updater_enabled(const char *etc)
{
	cleanup_free struct updater_reading *r = calloc(1, sizeof(*r));
	char path[RUN_PATH * 2];

	if (!r) {
		return false;
	}
	config_defaults(&r->config);
	snprintf(path, sizeof(path), "%s/bailey.conf", etc);
	updater_file(r, path, updater_conf);
	snprintf(path, sizeof(path), "%s/bailey.conf.d", etc);
	updater_folder(r, path, ".conf", updater_conf);
	snprintf(path, sizeof(path), "%s/products.d", etc);
	updater_folder(r, path, ".ini", updater_product);
	return r->wanted;
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
