/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/integ/test_process_ring.c - do the process records arrive, and only by
 * inherited descriptors?
 *
 * Linked statically, as the monitor is. Root; places no mark. Other processes
 * of the host run meanwhile: only records of our own children are looked at.
 */
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/mono.h"
#include "broker/source_process.h"
#include "broker/source_process_ring.h"
#include "process.skel.h"

#define NOBODY 65534

static int failures;

#define check(what) do { \
	if (!(what)) { \
		fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, \
			#what); \
		failures++; \
	} \
} while (0)

struct seen {
	pid_t pid;
	unsigned int forks, execs, exits, others;
	struct process_record exec, last;
};

static void look(void *context, const struct process_record *record,
		 size_t bytes)
{
	struct seen *seen = context;

	if (record->pid != seen->pid) {
		seen->others++;
		return;
	}
	memset(&seen->last, 0, sizeof seen->last);
	memcpy(&seen->last, record, bytes);
	seen->forks += record->type == PROCESS_FORK;
	seen->execs += record->type == PROCESS_EXEC;
	seen->exits += record->type == PROCESS_EXIT;
	if (record->type == PROCESS_EXEC) {
		seen->exec = seen->last;
	}
}

static void drain(struct process_ring *ring, struct seen *seen)
{
	int r;

	do {
		r = process_ring_drain(ring, look, seen);
	} while (r == PROCESS_RING_BUSY);
	check(r == 0);
}

static pid_t spawn_sh(const char *command)
{
	pid_t pid = fork();

	if (pid == 0) {
		char *arguments[] = { "sh", "-c", (char *)command, NULL };

		execv("/bin/sh", arguments);
		_exit(127);
	}
	return pid;
}

static uint64_t start_ticks(pid_t pid)
{
	char path[64], text[1024] = "";
	unsigned long long ticks = 0;
	FILE *file;

	snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
	file = fopen(path, "r");
	if (file) {
		(void)!fread(text, 1, sizeof text - 1, file);
		fclose(file);
		sscanf(strrchr(text, ')') + 2, "%*c %*d %*d %*d %*d %*d %*d "
		       "%*d %*d %*d %*d %*d %*d %*d %*d %*d %*d %*d %*d %llu",
		       &ticks);
	}
	return ticks;
}

/* Does a record say what stat(2), getsid(2) and /proc say? */
static void test_record(struct process_ring *ring)
{
	static const char arguments[] = "sh\0-c\0read x; exit 3";
	struct seen seen = { 0 };
	struct stat st;
	int stop[2], status;
	uint64_t ticks;

	check(pipe(stop) == 0 && dup2(stop[0], 0) == 0);
	seen.pid = spawn_sh("read x; exit 3");
	for (int i = 0; i < 1000 && !seen.execs; i++) {
		usleep(1000);
		drain(ring, &seen);
	}
	ticks = start_ticks(seen.pid);
	check(write(stop[1], "\n", 1) == 1);
	check(waitpid(seen.pid, &status, 0) == seen.pid);
	drain(ring, &seen);

	check(seen.forks == 1 && seen.execs == 1 && seen.exits == 1);
	check(seen.last.type == PROCESS_EXIT && seen.last.status == status);
	check(seen.exec.ppid == getpid());
	check(seen.exec.session == getsid(0));
	check(seen.exec.uid == getuid() && seen.exec.gid == getgid());
	check(stat("/bin/sh", &st) == 0);
	check(seen.exec.exe_device == st.st_dev);
	check(seen.exec.exe_inode == st.st_ino);
	check(seen.exec.start_ns / 10000000 == ticks);
	check(seen.last.start_ns == seen.exec.start_ns);
	check(strcmp(seen.exec.comm, "sh") == 0);
	check(seen.exec.arguments_length == sizeof arguments);
	check(memcmp(seen.exec.arguments, arguments, sizeof arguments) == 0);
	check(seen.exec.path_foreign == 0 && seen.exec.path_truncated == 0);
	printf("path: %.*s\n", (int)seen.exec.path_length, seen.exec.path);
	char *real = realpath("/bin/sh", NULL);
	check(real && strlen(real) == seen.exec.path_length);
	check(real && !memcmp(real, seen.exec.path, seen.exec.path_length));
	free(real);
	close(stop[1]);
}

/* Without any privilege, and a successor reads on where a killed worker was. */
static int worker(void *argument)
{
	struct process_ring *ring = argument;
	struct seen seen = { 0 };

	drain(ring, &seen);
	_exit(seen.others > 0 && failures == 0 ? 0 : 1);
}

static void test_unprivileged(const struct process_source *source)
{
	static char stack[65536] __attribute__((aligned(16)));
	struct process_ring ring;
	struct seen seen = { 0 };
	int status = -1;
	pid_t pid = fork();

	if (pid != 0) {
		check(waitpid(pid, &status, 0) == pid && status == 0);
		return;
	}
	check(setgid(NOBODY) == 0 && setuid(NOBODY) == 0);
	check(process_ring_init(&ring, source->ring_fd, source->counters_fd,
				PROCESS_RING_BYTES) == 0);
	check(waitpid(spawn_sh("exit 0"), NULL, 0) > 0);
	pid = clone(worker, stack + sizeof stack, CLONE_FILES | SIGCHLD, &ring);
	check(waitpid(pid, &status, 0) == pid && status == 0);
	seen.pid = pid;
	drain(&ring, &seen);
	/* Its own fork was drained by itself; its exit is left for us. */
	check(seen.forks == 0 && seen.exits == 1);
	_exit(failures != 0);
}

/* Is a sleeper in poll woken at each record, or from so many bytes on? */
static void test_wake(const struct process_source *source,
		      struct process_ring *ring)
{
	struct pollfd poller = { .fd = source->ring_fd, .events = POLLIN };
	struct seen seen = { 0 };

	drain(ring, &seen);
	process_ring_wake(ring, 0);
	pid_t pid = spawn_sh("exit 0");
	check(poll(&poller, 1, 20000) == 1);
	check(waitpid(pid, NULL, 0) == pid);
	drain(ring, &seen);
}

/* Two loads, when there is nothing. The best of many rounds: the machine may be
 * loaded, or emulated. */
static void test_cost_of_nothing(struct process_ring *ring)
{
	enum { ROUNDS = 200, DRAINS = 5000 };
	struct seen seen = { 0 };
	double best = 1e9;
	int bad = 0;

	for (int i = 0; i < ROUNDS; i++) {
		mono_t start = mono_now();

		for (int n = 0; n < DRAINS; n++) {
			bad |= process_ring_drain(ring, look, &seen) < 0;
		}
		double ns = (double)mono_between(start, mono_now()) / DRAINS;

		best = ns < best ? ns : best;
	}
	printf("drain of nothing: %.1f ns\n", best);
	check(bad == 0 && best < 500);
}

/* One page of ring: what does not fit is counted, exactly. */
static void test_lost_exactly(void)
{
	enum { CHILDREN = 200 };
	struct process_source source;
	struct process_ring ring;
	struct seen seen = { 0 };

	if (process_source_open(4096, &source) < 0) {
		check(!"opened with one page");
		return;
	}
	check(process_ring_init(&ring, source.ring_fd, source.counters_fd,
				4096) == 0);
	for (int i = 0; i < CHILDREN; i++) {
		pid_t pid = fork();

		if (pid == 0) {
			_exit(0);
		}
		check(waitpid(pid, NULL, 0) == pid);
	}
	drain(&ring, &seen);
	/* Others' records can only add to it. */
	printf("one page: %u read, %llu lost\n", seen.others,
	       (unsigned long long)process_ring_lost(&ring));
	check(seen.others + process_ring_lost(&ring) >= 2 * CHILDREN);
	check(seen.others > 0 && process_ring_lost(&ring) > 0);
	process_ring_fini(&ring);
	process_source_close(&source);
}

/* What the verifier went through: recorded, and bounded. */
static void test_verifier_cost(void)
{
	static char text[PROCESS_HOOKS + 1][4096];
	struct process_bpf *skeleton = process_bpf__open();
	struct bpf_program *program;
	size_t i = 0;

	check(skeleton != NULL);
	if (!skeleton) {
		return;
	}
	bpf_object__for_each_program(program, skeleton->obj) {
		bpf_program__set_log_level(program, 4);
		bpf_program__set_log_buf(program, text[i++], sizeof text[0]);
	}
	check(process_bpf__load(skeleton) == 0);
	i = 0;
	bpf_object__for_each_program(program, skeleton->obj) {
		const char *at = strstr(text[i++], "processed ");
		unsigned int steps = 0;

		check(at && sscanf(at, "processed %u", &steps) == 1);
		printf("verifier: %s: %u instructions processed\n",
		       bpf_program__name(program), steps);
		check(steps > 0 && steps < 100000);
	}
	process_bpf__destroy(skeleton);
}

static long resident_kb(void)
{
	long total = 0, resident = 0;
	FILE *file = fopen("/proc/self/statm", "r");

	if (file) {
		check(fscanf(file, "%ld %ld", &total, &resident) == 2);
		fclose(file);
	}
	return resident * (sysconf(_SC_PAGESIZE) / 1024);
}

int main(void)
{
	struct process_source source;
	struct process_ring ring;
	long before = resident_kb();
	int r;

	setvbuf(stdout, NULL, _IONBF, 0);
	r = process_source_open(PROCESS_RING_BYTES, &source);
	if (r == -EPERM || r == -ENOSYS || r == -EXDEV) {
		printf("skipped: no process tracepoints here: %s\n",
		       strerror(-r));
		return 77;
	}
	check(r == 0);
	if (r < 0) {
		fprintf(stderr, "process_source_open: %s\n", strerror(-r));
		return 1;
	}
	printf("resident: %ld KiB before, %ld after opening\n", before,
	       resident_kb());
	check(process_ring_init(&ring, source.ring_fd, source.counters_fd,
				PROCESS_RING_BYTES) == 0);
	test_record(&ring);
	test_unprivileged(&source);
	test_wake(&source, &ring);
	test_cost_of_nothing(&ring);
	check(process_ring_lost(&ring) == 0);
	process_ring_fini(&ring);
	process_source_close(&source);
	test_lost_exactly();
	test_verifier_cost();
	return failures != 0;
}
