/* SPDX-License-Identifier: Apache-2.0 */
/* tests/bench/bench_broker.c - see bench_broker.h */
#include "bench/bench_broker.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/bench_rules.h"
#include "lib/ns_proc.h"

struct broker_row {
	const char *name;
	int products;
	const char *arguments;
	enum bench_rules rules;
	const char *fallback;
};

static const struct broker_row rows[BROKER_KINDS] = {
#define X(sym, name, products, args, rules, fallback)                         \
	{ name, products, args, BENCH_RULES_##rules, fallback },
	BROKER_TABLE(X)
#undef X
};

const char *broker_name(enum broker_kind kind)
{
	return rows[kind].name;
}

/* Opens files that are not in this process's namespace: base is the same
 * ordinary directory in all of them. */
static int write_manifest(const struct ns_env *env, int index,
			  const struct broker_row *row,
			  const struct bench_paths *paths)
{
	char path[128], arguments[256];
	FILE *out;

	snprintf(path, sizeof path, "%s/product%d.ini", env->base, index);
	out = fopen(path, "we");
	if (out == NULL) {
		return -errno;
	}
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	snprintf(arguments, sizeof arguments, row->arguments, env->tree);
#pragma GCC diagnostic pop
	fprintf(out,
		"[product]\nname = bench%d\ntitle = Bench product %d\n"
		"exec = %s\nargs = %s\nvendor = bench\n"
		"[events]\nask = file.open process.exec\n"
		"[policy]\nmode = enforce\ndeadline_ms = open:100 exec:500\n"
		"on_miss = %s\nwhile_loading = %s\non_poison = %s\n"
		"start_s = 30\n"
		"may_deny = %s\nmax_denials = 1000000 in 10s\nhold = 256\n"
		"[jail]\nprofile = c\nmemory = 256M\ntasks = 8\nfiles = 64\n",
		index, index, paths->product, arguments, row->fallback,
		row->fallback, row->fallback, env->tree);
	return fclose(out) != 0 ? -errno : 0;
}

static _Noreturn void run_exec(const struct server *server, int products,
			       const struct bench_paths *paths, int out)
{
	const struct ns_env *env = &server->env;
	char manifest[BROKER_PRODUCTS][128], log[128];
	const char *argv[24] = { "bailey", "run", "--tree", env->tree,
				 "--enforce", "--state", env->state };
	int n = 7, fd, null;

	snprintf(log, sizeof log, "%s/log", env->base);
	fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (fd < 0 || dup2(null, 0) < 0 || dup2(out, 1) < 0 ||
	    dup2(fd, 2) < 0) {
		_exit(126);
	}
	for (int i = 0; i < products && i < BROKER_PRODUCTS; i++) {
		snprintf(manifest[i], sizeof manifest[i], "%s/product%d.ini",
			 env->base, i);
		argv[n++] = "--product";
		argv[n++] = manifest[i];
	}
	argv[n] = NULL;
	/* it takes its mount and its cgroups away when it is asked to end */
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	execv(paths->bailey, (char *const *)(uintptr_t)argv);
	_exit(127);
}

/* `bailey run` says "ready" on a line of its own. */
static int wait_ready(int fd, int limit_ms)
{
	char text[256];
	size_t length = 0;

	for (int ms = 0; ms < limit_ms && !ns_stopped(); ms += 10) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		ssize_t n;

		if (poll(&p, 1, 10) <= 0) {
			continue;
		}
		n = read(fd, text + length, sizeof text - 1 - length);
		if (n <= 0) {
			return -ECHILD;
		}
		length += (size_t)n;
		text[length] = '\0';
		if (strstr(text, "ready\n") != NULL) {
			return 0;
		}
	}
	return -ETIMEDOUT;
}

#define LOG_SHOWN 2000000       /* bytes, of its end */

void broker_show_log(const struct ns_env *env)
{
	char path[128], line[512];
	FILE *log;

	snprintf(path, sizeof path, "%s/log", env->base);
	log = fopen(path, "re");
	if (log != NULL && fseek(log, -LOG_SHOWN, SEEK_END) == 0 &&
	    fgets(line, sizeof line, log) != NULL) {
		fputs("  | ...\n", stderr);
	}
	while (log != NULL && fgets(line, sizeof line, log) != NULL) {
		/* denials are what the load is for */
		if (strstr(line, "  deny  ") == NULL) {
			fprintf(stderr, "  | %s", line);
		}
	}
	if (log != NULL) {
		fclose(log);
	}
}

int broker_launch(struct server *server, int products,
		  const struct bench_paths *paths)
{
	int out[2], r;

	if (pipe2(out, O_CLOEXEC) != 0) {
		return -errno;
	}
	server->child = ns_env_fork(&server->env);
	if (server->child == 0) {
		run_exec(server, products, paths, out[1]);
	}
	close(out[1]);
	r = server->child < 0 ? server->child : wait_ready(out[0], 20000);
	close(out[0]);
	return r;
}

int broker_restart(struct server *server, enum broker_kind kind,
		   const struct bench_paths *paths)
{
	return broker_launch(server, rows[kind].products, paths);
}

static int prepare(struct server *server, enum broker_kind kind,
		   const struct bench_paths *paths)
{
	int r = 0, status;
	pid_t pid;

	for (int i = 0; r == 0 && i < rows[kind].products; i++) {
		r = write_manifest(&server->env, i, &rows[kind], paths);
	}
	if (r != 0) {
		return r;
	}
	pid = ns_env_fork(&server->env);
	if (pid == 0) {
		_exit(-bench_rules_write(&server->env, rows[kind].rules));
	}
	r = pid < 0 ? pid : ns_wait(pid, 10000, &status);
	return r != 0 ? r : -WEXITSTATUS(status);
}

int broker_start_in(struct server *server, enum broker_kind kind,
		    const struct bench_paths *paths)
{
	int r = access(paths->bailey, X_OK) != 0 ? -ENOENT :
		prepare(server, kind, paths);

	r = r == 0 ? broker_restart(server, kind, paths) : r;
	r = r == 0 ? broker_wait_serving(server, paths, 30000) : r;
	if (r != 0) {
		broker_show_log(&server->env);
	}
	return r;
}

static int start(struct server *ret_server, enum broker_kind kind,
		 const struct bench_paths *paths)
{
	struct server server;
	int r = server_start_none(&server, paths->trivial);

	if (r != 0) {
		return r;
	}
	r = broker_start_in(&server, kind, paths);
	if (r != 0) {
		server_stop(&server);
		return r;
	}
	*ret_server = server;
	return 0;
}

int broker_start(struct server *ret_server, enum broker_kind kind,
		 const struct bench_paths *paths)
{
	switch (kind) {
	case BROKER_NONE:
		return server_start_none(ret_server, paths->trivial);
	case BROKER_FLOOR:
		return server_start_floor(ret_server, paths->trivial);
	case BROKER_FAPOLICYD:
		return server_start_fapolicyd(ret_server, paths->trivial);
	default:
		return start(ret_server, kind, paths);
	}
}
