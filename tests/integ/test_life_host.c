/* SPDX-License-Identifier: Apache-2.0 */
/* test_life_host.c - see test_life_host.h */
#include "test_life_host.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/ns_proc.h"

#define POLL_MS 20
#define READY_MS 30000
#define STOP_MS 15000
#define CLI_MS 20000
#define LOAD_PAUSE_US 1000
#define EICAR_EVERY 16u

/* ---- the place ---- */

/* In two halves: no file of the repository holds the whole of it. */
static size_t eicar(char ret_text[128])
{
	static const char *const half[] = {
		"X5O!P%@AP[4\\PZX54(P^)7CC)7}$",
		"EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*",
	};

	return (size_t)snprintf(ret_text, 128, "%s%s", half[0], half[1]);
}

void host_write(const struct host *host, const char *name, const void *bytes,
		size_t length)
{
	assert_int_equal(ns_env_write(&host->env, name, bytes, length, 0644,
				      HOST_USER), 0);
}

/* One child writes them all: a child each would cost seconds. */
static int make_files(const struct host *host)
{
	char name[32];
	int status = 0;
	pid_t pid = ns_env_fork(&host->env);

	if (pid == 0) {
		for (int i = 0; i < HOST_FILES; i++) {
			int fd, n = snprintf(name, sizeof(name), "good%d", i);

			fd = open(name, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
			if (fd < 0 || write(fd, name, (size_t)n) != n) {
				_exit(1);
			}
			close(fd);
		}
		_exit(0);
	}
	return pid < 0 || ns_wait(pid, CLI_MS, &status) != 0 ? -EIO : status;
}

void host_make(struct host *ret_host, const char *build, const char *source)
{
	char text[128], path[128];

	*ret_host = (struct host){ .build = build, .source = source };
	assert_int_equal(ns_env_init(&ret_host->env, "256m"), 0);
	ret_host->load = mmap(NULL, sizeof(*ret_host->load),
			      PROT_READ | PROT_WRITE,
			      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(ret_host->load, MAP_FAILED);
	assert_int_equal(make_files(ret_host), 0);
	host_write(ret_host, HOST_EICAR, text, eicar(text));
	snprintf(ret_host->etc, sizeof(ret_host->etc), "%s/etc",
		 ret_host->env.base);
	assert_int_equal(mkdir(ret_host->etc, 0755), 0);
	for (int i = 0; i < 3; i++) {
		static const char *const under[] = { "rules.d", "products.d",
						     "exceptions.d" };

		snprintf(path, sizeof(path), "%s/%s", ret_host->etc, under[i]);
		assert_int_equal(mkdir(path, 0755), 0);
	}
}

void host_end(struct host *host)
{
	host_load_stop(host);
	ns_end(host->run, SIGINT, STOP_MS);
	host->run = 0;
	if (host->load) {
		munmap(host->load, sizeof(*host->load));
		host->load = NULL;
	}
	ns_env_fini(&host->env);
	for (size_t i = 0; i < host->count; i++) {
		free((void *)(uintptr_t)host->arguments[i]);
	}
	host->count = 0;
}

/* ---- bailey run ---- */

void host_argument(struct host *host, const char *word)
{
	assert_true(host->count < 47);
	host->arguments[host->count++] = strdup(word);
}

void host_product(struct host *host, const char *name, const char *program,
		  const char *arguments, const char *policy)
{
	char path[128];
	FILE *out;
	bool scan = strcmp(program, "scan") == 0;

	snprintf(path, sizeof(path), "%s/%s.ini", host->env.base, name);
	out = fopen(path, "we");
	assert_non_null(out);
	fprintf(out, "[product]\nname = %s\ntitle = Test\nvendor = Test\n"
		"exec = %s/products/%s/%s\n", name, host->build, program,
		program);
	if (arguments) {
		fprintf(out, "args = %s\n", arguments);
	}
	fprintf(out, "[events]\nask = file.open process.exec\n[policy]\n%s",
		policy ? policy : "");
	if (!policy || !strstr(policy, "deadline_ms")) {
		fprintf(out, "deadline_ms = open:%d exec:%d\n",
			scan ? 2000 : 100, scan ? 2000 : 500);
	}
	fprintf(out, "[see]\nfiles = all\n[jail]\nprofile = c\n"
		"memory = %s\ntasks = 16\nfiles = 256\n",
		scan ? "256M" : "64M");
	if (scan) {
		fprintf(out, "[content]\npath = %s%s\nreload = parallel\n",
			host->content ? "" : host->source,
			host->content ? host->content : "/products/scan/rules");
	}
	assert_int_equal(fclose(out), 0);
	host_argument(host, "--product");
	host_argument(host, path);
}

static _Noreturn void run_exec(const struct host *host, int out)
{
	char program[256], log[128];
	const char *argv[64] = { program, "run", "--tree", host->env.tree,
				 "--state", host->env.state, "--etc",
				 host->etc };
	size_t n = 8;
	int fd, null = open("/dev/null", O_RDONLY | O_CLOEXEC);

	snprintf(program, sizeof(program), "%s/src/cli/bailey", host->build);
	snprintf(log, sizeof(log), "%s/log", host->env.base);
	fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (fd < 0 || dup2(null, 0) < 0 || dup2(out, 1) < 0 ||
	    dup2(fd, 2) < 0) {
		_exit(126);
	}
	if (!host->observe) {
		argv[n++] = "--enforce";
	}
	for (size_t i = 0; i < host->count; i++) {
		argv[n++] = host->arguments[i];
	}
	/* it takes its mount and its cgroups away when it is asked to end */
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	execv(program, (char *const *)(uintptr_t)argv);
	_exit(127);
}

static int wait_ready(int fd)
{
	uint64_t end = ns_now_ns() + READY_MS * 1000000ull;
	char text[256];
	size_t length = 0;

	while (ns_now_ns() < end && length < sizeof(text) - 1) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		ssize_t n;

		if (poll(&p, 1, POLL_MS) <= 0) {
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

void host_run(struct host *host)
{
	int out[2], r;

	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	host->run = ns_env_fork(&host->env);
	if (host->run == 0) {
		run_exec(host, out[1]);
	}
	close(out[1]);
	assert_true(host->run > 0);
	r = wait_ready(out[0]);
	close(out[0]);
	if (r != 0) {
		host_show_log(host);
		fail_msg("`bailey run` is not ready: %s", strerror(-r));
	}
}

/* Lines of the namespace's mount table that name the tree: its tmpfs is one. */
static int mounts_of_tree(const struct host *host)
{
	int status = 0, found = 0;
	char line[1024];
	pid_t pid = ns_env_fork(&host->env);

	if (pid == 0) {
		FILE *table = fopen("/proc/self/mountinfo", "re");

		while (table && fgets(line, sizeof(line), table)) {
			found += strstr(line, host->env.tree) != NULL;
		}
		_exit(found);
	}
	assert_int_equal(ns_wait(pid, CLI_MS, &status), 0);
	return WEXITSTATUS(status);
}

struct descendants {
	pid_t pid[128];
	size_t count;
};

static void collect(pid_t pid, void *context)
{
	struct descendants *d = context;

	if (d->count < 128) {
		d->pid[d->count++] = pid;
	}
}

void host_stop(struct host *host)
{
	struct descendants before = { .count = 0 };
	int status = -1;

	ns_proc_tree(host->run, collect, &before);
	assert_true(before.count > 1);
	kill(host->run, SIGINT);
	if (ns_wait(host->run, STOP_MS, &status) != 0 || status != 0) {
		host_show_log(host);
		host->run = 0;
		fail_msg("`bailey run` ended with wait status %#x", status);
	}
	host->run = 0;
	for (size_t i = 0; i < before.count; i++) {
		if (kill(before.pid[i], 0) == 0) {
			fail_msg("process %d outlives `bailey run`",
				 before.pid[i]);
		}
	}
	assert_int_equal(mounts_of_tree(host), 1);
	assert_int_equal(host_open(host, HOST_EICAR, NULL), 0);
}

/* ---- the command ---- */

static _Noreturn void cli_exec(const struct host *host, int out,
			       const char *const *arguments)
{
	char program[256];
	const char *argv[32] = { program };
	int n = 1;

	snprintf(program, sizeof(program), "%s/src/cli/bailey", host->build);
	while (*arguments && n < 28) {
		argv[n++] = *arguments++;
	}
	argv[n++] = "--state";
	argv[n++] = host->env.state;
	argv[n] = NULL;
	dup2(out, 1);
	execv(program, (char *const *)(uintptr_t)argv);
	perror(program);
	_exit(127);
}

int host_cli(const struct host *host, char *ret_text, size_t size,
	     const char *const *arguments)
{
	int out[2], status = 0;
	size_t length = 0;
	char ignored[4096];
	ssize_t n = 1;
	pid_t pid;

	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	pid = ns_env_fork(&host->env);
	if (pid == 0) {
		cli_exec(host, out[1], arguments);
	}
	close(out[1]);
	while (pid > 0 && n > 0) {
		bool room = ret_text && length < size - 1;

		n = read(out[0], room ? ret_text + length : ignored,
			 room ? size - 1 - length : sizeof(ignored));
		length += room && n > 0 ? (size_t)n : 0;
	}
	close(out[0]);
	if (ret_text) {
		ret_text[length] = '\0';
	}
	assert_true(pid > 0);
	assert_int_equal(ns_wait(pid, CLI_MS, &status), 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1000;
}

json_t *host_status(const struct host *host)
{
	static char text[1 << 18];
	static const char *const words[] = { "status", "--json", NULL };
	int code = host_cli(host, text, sizeof(text), words);

	return code > 1 ? NULL : json_loads(text, 0, NULL);
}

static const json_t *find(const json_t *root, const char *path)
{
	char part[64];
	const char *dot;

	while ((dot = strchr(path, '.'))) {
		snprintf(part, sizeof(part), "%.*s", (int)(dot - path), path);
		root = json_object_get(root, part);
		path = dot + 1;
	}
	return json_object_get(root, path);
}

double host_number(const json_t *root, const char *path)
{
	return json_number_value(find(root, path));
}

const char *host_text(const json_t *root, const char *path)
{
	const char *text = json_string_value(find(root, path));

	return text ? text : "";
}

json_t *host_find(const json_t *status, const char *name)
{
	const json_t *list = json_object_get(status, "products");
	json_t *row;
	size_t i;

	json_array_foreach(list, i, row) {
		if (strcmp(host_text(row, "name"), name) == 0) {
			return row;
		}
	}
	return NULL;
}

void host_wait_text(const struct host *host, const char *name,
		    const char *key, const char *text, int limit_ms)
{
	uint64_t end = ns_now_ns() + (uint64_t)limit_ms * 1000000u;
	char last[256] = "";

	do {
		json_t *status = host_status(host);

		snprintf(last, sizeof(last), "%s",
			 host_text(host_find(status, name), key));
		json_decref(status);
		if (strstr(last, text)) {
			return;
		}
		ns_sleep_ms(POLL_MS);
	} while (ns_now_ns() < end);
	host_show_log(host);
	fail_msg("%s of %s is \"%s\" after %d ms, not \"%s\"", key, name, last,
		 limit_ms, text);
}

void host_wait_number(const struct host *host, const char *name,
		      const char *path, double least, int limit_ms)
{
	uint64_t end = ns_now_ns() + (uint64_t)limit_ms * 1000000u;
	double last = 0;

	do {
		json_t *status = host_status(host);

		last = host_number(name ? host_find(status, name) : status,
				   path);
		json_decref(status);
		if (last >= least) {
			return;
		}
		ns_sleep_ms(POLL_MS);
	} while (ns_now_ns() < end);
	host_show_log(host);
	fail_msg("%s of %s is %.0f after %d ms, not %.0f", path,
		 name ? name : "all", last, limit_ms, least);
}

/* ---- users ---- */

int host_open(const struct host *host, const char *path, double *ret_ms)
{
	int out[2], status = 0, r;
	uint64_t ns = 0;
	pid_t pid;

	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	pid = ns_env_fork(&host->env);
	if (pid == 0) {
		int fd, error;

		if (ns_become(HOST_USER) != 0) {
			_exit(255);
		}
		ns = ns_now_ns();
		fd = open(path, O_RDONLY | O_CLOEXEC);
		error = fd < 0 ? errno : 0;
		ns = ns_now_ns() - ns;
		_exit(write(out[1], &ns, sizeof(ns)) < 0 ? 254 : error);
	}
	close(out[1]);
	assert_true(pid > 0);
	r = ns_wait(pid, 10000, &status);
	(void)!read(out[0], &ns, sizeof(ns));
	close(out[0]);
	assert_int_equal(r, 0);
	if (ret_ms) {
		*ret_ms = (double)ns / 1e6;
	}
	return WEXITSTATUS(status);
}

double host_wait_open(const struct host *host, const char *path, int error,
		      int limit_ms)
{
	uint64_t start = ns_now_ns();
	int last;

	do {
		last = host_open(host, path, NULL);
		if (last == error) {
			return (double)(ns_now_ns() - start) / 1e6;
		}
		ns_sleep_ms(2);
	} while (ns_now_ns() - start < (uint64_t)limit_ms * 1000000u);
	host_show_log(host);
	fail_msg("opening %s gives %d after %d ms, not %d", path, last,
		 limit_ms, error);
	return -1;
}

static void load_open(struct host_load *load, unsigned turn)
{
	char name[32];
	uint64_t start, took;
	int fd;

	if (turn % EICAR_EVERY == 0) {
		fd = open(HOST_EICAR, O_RDONLY | O_CLOEXEC);
		atomic_fetch_add(fd >= 0 ? &load->evil_allowed
					 : &load->evil_refused, 1);
		if (fd >= 0) {
			uint64_t none = 0, now = ns_now_ns();

			atomic_compare_exchange_strong(&load->evil_from_ns,
						       &none, now);
			atomic_store(&load->evil_to_ns, now);
		}
		close(fd);
	}
	snprintf(name, sizeof(name), "good%u", turn % HOST_FILES);
	start = ns_now_ns();
	fd = open(name, O_RDONLY | O_CLOEXEC);
	took = ns_now_ns() - start;
	atomic_fetch_add(fd >= 0 ? &load->opens : &load->refused, 1);
	close(fd);
	if (took > HOST_STALL_MS * 1000000ull) {
		atomic_fetch_add(&load->stalled_ns, took);
	}
	if (took > atomic_load(&load->longest_ns)) {
		atomic_store(&load->longest_ns, took);
	}
}

void host_load_start(struct host *host)
{
	host_load_reset(host);
	atomic_store(&host->load->stop, 0);
	host->opener = ns_env_fork(&host->env);
	assert_true(host->opener >= 0);
	if (host->opener == 0) {
		unsigned turn = 0;

		if (ns_become(HOST_USER) != 0) {
			_exit(1);
		}
		while (!atomic_load(&host->load->stop)) {
			load_open(host->load, turn++);
			usleep(LOAD_PAUSE_US);
		}
		_exit(0);
	}
}

void host_load_reset(struct host *host)
{
	struct host_load *load = host->load;

	atomic_store(&load->opens, 0);
	atomic_store(&load->refused, 0);
	atomic_store(&load->longest_ns, 0);
	atomic_store(&load->stalled_ns, 0);
	atomic_store(&load->evil_allowed, 0);
	atomic_store(&load->evil_refused, 0);
	atomic_store(&load->evil_from_ns, 0);
	atomic_store(&load->evil_to_ns, 0);
}

void host_load_stop(struct host *host)
{
	int status;

	if (host->opener <= 0) {
		return;
	}
	atomic_store(&host->load->stop, 1);
	(void)!ns_wait(host->opener, 5000, &status);
	host->opener = 0;
}

/* ---- the log ---- */

char *host_log(const struct host *host)
{
	char path[128], *text = calloc(1, 1 << 20);
	FILE *log;

	assert_non_null(text);
	snprintf(path, sizeof(path), "%s/log", host->env.base);
	log = fopen(path, "re");
	if (log) {
		(void)!fread(text, 1, (1 << 20) - 1, log);
		fclose(log);
	}
	return text;
}

void host_show_log(const struct host *host)
{
	char *text = host_log(host);
	size_t length = strlen(text);

	fprintf(stderr, "%s\n", length > 8000 ? text + length - 8000 : text);
	free(text);
}
