/* SPDX-License-Identifier: Apache-2.0 */
/* tests/lib/hostile_host.c - see hostile_host.h */
#include "lib/hostile_host.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/ns_proc.h"

#define ARGUMENTS 24

void hostile_require_root(void)
{
	if (geteuid() != 0) {
		puts("skipped: needs root (a mount of its own, fanotify)");
		exit(77);
	}
}

void *hostile_shared(size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED) {
		abort();
	}
	return memory;
}

/* ---- actors ---- */

pid_t hostile_start(const struct hostile *h, uid_t uid, hostile_act *act,
		    void *argument)
{
	pid_t pid;

	fflush(NULL);
	pid = ns_env_fork(&h->env);
	if (pid == 0) {
		if (uid && ns_become(uid) < 0) {
			_exit(126);
		}
		_exit(act(argument));
	}
	return pid;
}

int hostile_wait(pid_t pid, int limit_ms)
{
	int status, r = pid < 0 ? pid : ns_wait(pid, limit_ms, &status);

	if (r < 0) {
		return r;
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : -EINTR;
}

int hostile_do(const struct hostile *h, uid_t uid, hostile_act *act,
	       void *argument, int limit_ms)
{
	return hostile_wait(hostile_start(h, uid, act, argument), limit_ms);
}

struct opening {
	const char *name;
	uint64_t *us;
};

static int act_open(void *argument)
{
	const struct opening *o = argument;
	uint64_t start = ns_now_ns();
	int fd = open(o->name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	int error = fd < 0 ? errno : 0;

	*o->us = (ns_now_ns() - start) / 1000;
	return error;
}

int hostile_open(const struct hostile *h, uid_t uid, const char *name,
		 uint64_t *ret_us)
{
	static uint64_t *us;
	struct opening o = { name, us ? us : (us = hostile_shared(4096)) };
	int r = hostile_do(h, uid, act_open, &o, 20000);

	if (ret_us) {
		*ret_us = *us;
	}
	return r < 0 ? -r : r;
}

static int act_exec(void *argument)
{
	char *const argv[] = { argument, NULL };

	execv(argument, argv);
	return 200 + (errno < 50 ? errno : 50);
}

int hostile_exec(const struct hostile *h, uid_t uid, const char *name)
{
	return hostile_do(h, uid, act_exec, (void *)(uintptr_t)name, 20000);
}

void hostile_file(const struct hostile *h, const char *name, const char *text,
		  unsigned mode, uid_t owner)
{
	int r = ns_env_write(&h->env, name, text, strlen(text), mode, owner);

	if (r < 0) {
		fprintf(stderr, "%s: %s\n", name, strerror(-r));
		abort();
	}
}

/* ---- the command ---- */

static void program(const struct hostile *h, const char *binaries,
		    char ret_path[512])
{
	snprintf(ret_path, 512, "%s/src/cli/bailey",
		 binaries ? binaries : h->build);
}

int hostile_command(const struct hostile *h, const char *const *arguments,
		    char *ret_text, size_t size)
{
	const char *argv[ARGUMENTS] = { "bailey" };
	char path[512];
	size_t n = 1, length = 0;
	ssize_t got;
	int out[2];
	pid_t pid;

	while (*arguments && n < ARGUMENTS - 3) {
		argv[n++] = *arguments++;
	}
	argv[n++] = "--state";
	argv[n++] = h->env.state;
	if (pipe2(out, O_CLOEXEC) < 0) {
		return -errno;
	}
	program(h, NULL, path);
	pid = ns_env_fork(&h->env);
	if (pid == 0) {
		dup2(out[1], 1);
		execv(path, (char *const *)(uintptr_t)argv);
		_exit(127);
	}
	close(out[1]);
	while ((got = read(out[0], ret_text + length, size - 1 - length)) > 0) {
		length += (size_t)got;
	}
	ret_text[length] = '\0';
	close(out[0]);
	return hostile_wait(pid, 10000);
}

static const json_t *json_step(const json_t *at, const char *name)
{
	return json_is_array(at) ? json_array_get(at, strtoul(name, NULL, 10))
				 : json_object_get(at, name);
}

double hostile_status(const struct hostile *h, const char *key)
{
	static const char *const arguments[] = { "status", "--json", NULL };
	static char text[1 << 17];
	char steps[128], *rest = steps, *step;
	double value = -1;
	const json_t *at;
	json_t *root;

	if (hostile_command(h, arguments, text, sizeof(text)) < 0) {
		return -1;
	}
	root = json_loads(text, 0, NULL);
	snprintf(steps, sizeof(steps), "%s", key);
	for (at = root; at && (step = strsep(&rest, "."));) {
		at = json_step(at, step);
	}
	if (json_is_number(at)) {
		value = json_number_value(at);
	} else if (json_is_string(at)) {
		value = strcmp(json_string_value(at), "serving") == 0;
	}
	json_decref(root);
	return value;
}

bool hostile_reaches(const struct hostile *h, const char *key, double least,
		     int limit_ms)
{
	uint64_t end = ns_now_ns() + (uint64_t)limit_ms * 1000000u;

	while (hostile_status(h, key) < least) {
		if (ns_now_ns() > end) {
			return false;
		}
		ns_sleep_ms(5);
	}
	return true;
}

bool hostile_falls(const struct hostile *h, const char *key, double most,
		   int limit_ms)
{
	uint64_t end = ns_now_ns() + (uint64_t)limit_ms * 1000000u;
	double now;

	while ((now = hostile_status(h, key)) > most || now < 0) {
		if (ns_now_ns() > end) {
			return false;
		}
		ns_sleep_ms(5);
	}
	return true;
}

bool hostile_protects(const struct hostile *h, int limit_ms)
{
	uint64_t end = ns_now_ns() + (uint64_t)limit_ms * 1000000u;
	int error;

	while ((error = hostile_open(h, HOSTILE_OTHER, "proof", NULL)) !=
	       EPERM) {
		if (ns_now_ns() > end) {
			fprintf(stderr, "an evil file opens: %d\n", error);
			hostile_log(h);
			return false;
		}
		ns_sleep_ms(5);
	}
	return true;
}

/* ---- bailey run ---- */

/* Less the denials: there are many, and `bailey denials` has them. */
void hostile_log(const struct hostile *h)
{
	char path[128], line[512];
	FILE *log;

	snprintf(path, sizeof(path), "%s/log", h->env.base);
	log = fopen(path, "re");
	while (log && fgets(line, sizeof(line), log)) {
		if (!strstr(line, "  deny  ")) {
			fprintf(stderr, "  | %s", line);
		}
	}
	if (log) {
		fclose(log);
	}
}

/* The namespace's mount table, less what tests mount below the tree. */
static int act_mounts(void *argument)
{
	struct hostile *h = argument;
	int fd = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
	ssize_t n;
	size_t at = 0;

	while (at < sizeof(h->mounts) - 1 &&
	       (n = read(fd, h->mounts + at, sizeof(h->mounts) - 1 - at)) > 0) {
		at += (size_t)n;
	}
	memset(h->mounts + at, 0, sizeof(h->mounts) - at);
	return 0;
}

static void mounts_now(const struct hostile *h, struct hostile *ret_shared)
{
	memset(ret_shared->mounts, 0, sizeof(ret_shared->mounts));
	(void)!hostile_do(h, 0, act_mounts, ret_shared, 20000);
}

int hostile_place(struct hostile *h, const char *build)
{
	int r;

	*h = (struct hostile){ .child = 0 };
	if (!realpath(build, h->build)) {
		return -errno;
	}
	r = ns_env_init(&h->env, "256m");
	if (r == 0) {
		hostile_file(h, "proof", "EVIL proof", 0644, HOSTILE_OTHER);
	}
	return r;
}

void hostile_mounts(struct hostile *h)
{
	static struct hostile *shared;

	shared = shared ? shared : hostile_shared(sizeof(*shared));
	mounts_now(h, shared);
	memcpy(h->mounts, shared->mounts, sizeof(h->mounts));
}

static int write_manifest(const struct hostile *h,
			  const struct hostile_wish *wish)
{
	char path[128];
	FILE *out;

	snprintf(path, sizeof(path), "%s/hostile.ini", h->env.base);
	out = fopen(path, "we");
	if (!out) {
		return -errno;
	}
	fprintf(out,
		"[product]\nname = judge\ntitle = Judge\nvendor = tests\n"
		"exec = %s/tests/lib/hostile_product\n"
		"[events]\nask = file.open process.exec\n"
		"[policy]\nmode = enforce\ndeadline_ms = open:%s exec:1000\n"
		"deadline_max_ms = 10000\non_miss = rules\n"
		"while_loading = rules\nstart_s = 30\n"
		"may_deny = asked\nmax_denials = 1000000 in 10s\nhold = 256\n"
		"%s\n[see]\nfiles = all\n[jail]\nprofile = c\nmemory = 64M\n"
		"tasks = 16\nfiles = 1024\n",
		wish->binaries ? wish->binaries : h->build,
		wish->open_ms ? wish->open_ms : "1000",
		wish->policy ? wish->policy : "");
	return fclose(out) != 0 ? -errno : 0;
}

static int write_rules(const struct hostile *h,
		       const struct hostile_wish *wish)
{
	char path[128];
	FILE *out;

	snprintf(path, sizeof(path), "%s/etc", h->env.state);
	(void)mkdir(path, 0700);
	snprintf(path, sizeof(path), "%s/etc/rules.d", h->env.state);
	(void)mkdir(path, 0700);
	snprintf(path, sizeof(path), "%s/etc/rules.d/test.rules",
		 h->env.state);
	if (!wish->rules) {
		return unlink(path) < 0 && errno != ENOENT ? -errno : 0;
	}
	out = fopen(path, "we");
	if (!out) {
		return -errno;
	}
	fputs(wish->rules, out);
	return fclose(out) != 0 ? -errno : 0;
}

static _Noreturn void run_exec(const struct hostile *h,
			       const struct hostile_wish *wish, int out)
{
	char log[128], manifest[128], path[512];
	const char *argv[ARGUMENTS] = { "bailey", "run", "--enforce",
		"--state", wish->state ? wish->state : h->env.state,
		"--product", manifest };
	size_t n = 7;
	int fd;

	snprintf(log, sizeof(log), "%s/log", h->env.base);
	snprintf(manifest, sizeof(manifest), "%s/hostile.ini", h->env.base);
	program(h, wish->binaries, path);
	argv[n++] = wish->tree ? "--tree" : "--filesystem";
	argv[n++] = wish->tree ? wish->tree : h->env.tree;
	for (size_t i = 0; i < 4 && wish->scope[i]; i++) {
		argv[n++] = "--filesystem";
		argv[n++] = wish->scope[i];
	}
	fd = open(log, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || dup2(out, 1) < 0 || dup2(fd, 2) < 0 ||
	    dup2(open("/dev/null", O_RDONLY | O_CLOEXEC), 0) < 0) {
		_exit(126);
	}
	if (wish->no_stderr) {
		close(2);
	}
	/* it takes its marks and its cgroups away when it is asked to end */
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	execv(path, (char *const *)(uintptr_t)argv);
	_exit(127);
}

static int wait_ready(int fd, int limit_ms)
{
	uint64_t end = ns_now_ns() + (uint64_t)limit_ms * 1000000u;
	char text[256];
	size_t length = 0;

	while (ns_now_ns() < end) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		ssize_t n;

		if (poll(&p, 1, 100) <= 0) {
			continue;
		}
		n = read(fd, text + length, sizeof(text) - 1 - length);
		if (n <= 0) {
			return -ECHILD;
		}
		length += (size_t)n;
		text[length] = '\0';
		if (strstr(text, "ready\n")) {
			return 0;
		}
	}
	return -ETIMEDOUT;
}

static void note_pid(pid_t pid, void *context)
{
	struct hostile *h = context;

	if (h->pids < HOSTILE_PIDS) {
		h->pid[h->pids++] = pid;
	}
}

int hostile_run(struct hostile *h, const struct hostile_wish *wish)
{
	int out[2], r;

	hostile_mounts(h);
	r = write_manifest(h, wish);
	r = r < 0 ? r : write_rules(h, wish);
	if (r < 0 || pipe2(out, O_CLOEXEC) < 0) {
		return r < 0 ? r : -errno;
	}
	h->child = ns_env_fork(&h->env);
	if (h->child == 0) {
		run_exec(h, wish, out[1]);
	}
	close(out[1]);
	r = h->child < 0 ? h->child : wait_ready(out[0], 20000);
	close(out[0]);
	if (r == 0 && !wish->state && !hostile_reaches(h, "products.0.state",
						       1, 20000)) {
		r = -ETIMEDOUT;
	}
	if (r < 0) {
		hostile_log(h);
	}
	return r;
}

int hostile_signal(const struct hostile *h, pid_t pid, int number)
{
	struct hostile now = { .pids = 0 };

	ns_proc_tree(h->child, note_pid, &now);
	for (int i = 0; i < now.pids; i++) {
		if (now.pid[i] == pid) {
			return kill(pid, number) < 0 ? -errno : 0;
		}
	}
	return -ESRCH;
}

static int left_processes(const struct hostile *h)
{
	int left = 0;

	for (int i = 0; i < h->pids; i++) {
		char path[64], name[64] = "";
		FILE *file;

		snprintf(path, sizeof(path), "/proc/%d/comm", h->pid[i]);
		file = fopen(path, "re");
		if (file) {
			(void)!fgets(name, sizeof(name), file);
			fclose(file);
			fprintf(stderr, "left: process %d %s\n", h->pid[i],
				name);
			left++;
		}
	}
	return left;
}

static int left_files(const struct hostile *h)
{
	static const char *const names[] = { "view.sock", "admin.sock",
					     "notify.sock", "trees" };
	int left = 0;

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		char path[128];

		snprintf(path, sizeof(path), "%s/%s", h->env.state, names[i]);
		if (access(path, F_OK) == 0) {
			fprintf(stderr, "left: %s\n", path);
			left++;
		}
	}
	return left;
}

int hostile_end(struct hostile *h)
{
	static struct hostile *shared;
	int left;

	if (h->child <= 0) {
		return 0;
	}
	shared = shared ? shared : hostile_shared(sizeof(*shared));
	h->pids = 0;
	ns_proc_tree(h->child, note_pid, h);
	ns_end(h->child, SIGINT, 10000);
	h->child = 0;
	left = left_processes(h) + left_files(h);
	mounts_now(h, shared);
	if (strcmp(h->mounts, shared->mounts) != 0) {
		fprintf(stderr, "mounts before:\n%snow:\n%s", h->mounts,
			shared->mounts);
		left++;
	}
	if (left) {
		hostile_log(h);
	}
	return left;
}

int hostile_stop(struct hostile *h)
{
	int left = hostile_end(h);

	ns_env_fini(&h->env);
	return left;
}
