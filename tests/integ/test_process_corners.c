/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/integ/test_process_corners.c - is the table right about processes that
 * somebody made to confuse it?
 *
 * Root; mounts only in its own namespace, places no mark.
 */
#include <fcntl.h>
#include <linux/sched.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include "process_live.h"

#define USER 20000

static struct live live;

typedef void child_body(const char *argument);

/* A process that runs `body` and stays; what the table says of it. */
static const struct process *look_at(child_body *body, const char *argument)
{
	pid_t pid = fork();

	if (pid == 0) {
		body(argument);
		_exit(126);
	}
	check(live_wait_ready(&live, 1) == pid);
	live_drain(&live);
	const struct process *process = process_table_find(live.table, pid);

	check(process && process->pid == pid);
	return process;
}

static void done_with(const struct process *process)
{
	live_release(&live);
	if (process) {
		check(waitpid(process->pid, NULL, 0) == process->pid);
	}
	live_drain(&live);
}

static bool path_is(const struct process *process, const char *path)
{
	if (process->exe_path_length == strlen(path) &&
	    memcmp(process->exe_path, path, strlen(path)) == 0) {
		return true;
	}
	fprintf(stderr, "path: %.*s, not %s\n", (int)process->exe_path_length,
		process->exe_path, path);
	return false;
}

static bool runs(const struct process *process, const char *file)
{
	struct stat st;

	return stat(file, &st) == 0 && st.st_dev == process->exe_device &&
		st.st_ino == process->exe_inode;
}

static void run(const char *program)
{
	live_exec(&live, program, "x");
}

/* The program of a script is its interpreter. */
static void test_script(void)
{
	int fd = open("script", O_CREAT | O_WRONLY | O_CLOEXEC, 0755);

	check(write(fd, "#!./p0 stay\n", 12) == 12);
	close(fd);
	const struct process *process = look_at(run, "./script");

	check(runs(process, "p0") && strcmp(process->comm, "script") == 0);
	done_with(process);
}

/* Names that hold what a parser might stumble over. */
static void test_names(void)
{
	static const char name[] = "./a) R\n\xff 1";
	char *real;

	live_copy(name);
	real = realpath(name, NULL);
	const struct process *process = look_at(run, name);

	check(runs(process, name) && path_is(process, real));
	check(!process->exe_truncated && !process->exe_foreign);
	free(real);
	done_with(process);
}

/* More names than the walk takes, and more bytes than there is room for. */
static void test_too_deep_and_too_long(void)
{
	char name[200] = "", path[512] = ".";
	const struct process *process;
	struct stat st;

	check(chdir("deep") == 0);
	for (int i = 0; i < 60; i++) {
		check(mkdir("d", 0755) == 0 && chdir("d") == 0);
	}
	live_copy("p");
	check(stat("p", &st) == 0);
	process = look_at(run, "./p");
	check(runs(process, "p") && process->exe_truncated);
	check(process->exe_path_length > 2 &&
	      memcmp(process->exe_path + process->exe_path_length - 4, "/d/p",
		     4) == 0);
	done_with(process);

	check(chdir("../../../../../../../../../..") == 0);
	memset(name, 'n', sizeof name - 1);
	check(mkdir(name, 0755) == 0);
	strcat(path, "/");
	strcat(path, name);
	check(chdir(path) == 0 && mkdir(name, 0755) == 0 && chdir(name) == 0);
	live_copy("q");
	process = look_at(run, "./q");
	check(runs(process, "q") && process->exe_truncated);
	check(process->exe_path_length <= PROCESS_PATH);
	done_with(process);
}

/* A long name hides what stands before it: the rest looks like a host path. */
static void test_cut_to_look_like_another(void)
{
	char name[256] = "";

	memset(name, 'n', PROCESS_PATH - strlen("/usr/bin/apt"));
	check(chdir("deep") == 0);
	check(mkdir(name, 0755) == 0 && chdir(name) == 0);
	check(mkdir("usr", 0755) == 0 && mkdir("usr/bin", 0755) == 0);
	live_copy("usr/bin/apt");
	const struct process *process = look_at(run, "./usr/bin/apt");

	check(runs(process, "usr/bin/apt") && process->exe_foreign);
	check(path_is(process, "/usr/bin/apt"));
	done_with(process);
	check(chdir("../..") == 0);
}

/* Across mounts the path is the one that a user would type. */
static void test_across_mounts(void)
{
	char *real;

	check(mkdir("m", 0755) == 0 &&
	      mount("none", "m", "tmpfs", 0, "size=8m") == 0);
	check(mkdir("m/n", 0755) == 0 &&
	      mount("none", "m/n", "tmpfs", 0, "size=8m") == 0);
	live_copy("m/n/p");
	real = realpath("m/n/p", NULL);
	const struct process *process = look_at(run, "./m/n/p");

	check(runs(process, "m/n/p") && path_is(process, real));
	check(!process->exe_foreign);
	free(real);
	done_with(process);
}

static void run_in_own_namespace(const char *program)
{
	check(unshare(CLONE_NEWNS) == 0);
	check(mount("p1", program, NULL, MS_BIND, NULL) == 0);
	live_exec(&live, program, "x");
}

/* Anybody can mount his file over /usr/bin/true, in his own namespace. */
static void test_foreign_mount(void)
{
	const struct process *process = look_at(run_in_own_namespace,
						"/usr/bin/true");

	check(runs(process, "p1") && path_is(process, "/usr/bin/true"));
	check(process->exe_foreign);
	done_with(process);
}

static int copy_to_memory(const char *file, const char *name)
{
	int from = open(file, O_RDONLY | O_CLOEXEC);
	int to = memfd_create(name, MFD_CLOEXEC), fd;
	char bytes[4096], path[32];
	ssize_t n;

	while ((n = read(from, bytes, sizeof bytes)) > 0) {
		check(write(to, bytes, (size_t)n) == n);
	}
	/* What is open for writing cannot run. */
	snprintf(path, sizeof path, "/proc/self/fd/%d", to);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	close(to);
	close(from);
	return fd;
}

static void run_memory(const char *name)
{
	char *arguments[] = { "x", "stay", NULL }, *environment[] = { NULL };

	dup2(live.stop[0], 3);
	dup2(live.ready[1], 4);
	fexecve(copy_to_memory("p0", name), arguments, environment);
	_exit(127);
}

/* A file without a place has no host path. */
static void test_memfd(void)
{
	const struct process *process = look_at(run_memory, "usr/bin/true");

	check(process->exe_inode != 0 && process->exe_foreign);
	check(path_is(process, "/memfd:usr/bin/true"));
	done_with(process);
}

static void run_in_chroot(const char *program)
{
	check(chroot("m") == 0 && chdir("/") == 0);
	live_exec(&live, program, "x");
}

/* Inside a chroot the path is still the host's. */
static void test_chroot(void)
{
	char *real = realpath("m/n/p", NULL);
	const struct process *process = look_at(run_in_chroot, "/n/p");

	check(runs(process, "m/n/p") && path_is(process, real));
	check(!process->exe_foreign);
	free(real);
	done_with(process);
}

static void run_as_user(const char *program)
{
	check(setuid(USER) == 0);
	live_exec(&live, program, "x");
}

/* Who runs a set-uid program is charged, not its owner. */
static void test_set_uid(void)
{
	check(chown("setuid", 4321, 0) == 0 && chmod("setuid", 04755) == 0);
	const struct process *process = look_at(run_as_user, "./setuid");

	check(runs(process, "setuid") && process->uid == USER);
	done_with(process);
}

static void run_new_ids(const char *argument)
{
	check(setsid() == getpid() && setgid(USER + 1) == 0);
	check(setuid(USER) == 0);
	close(live.stop[1]);
	dup2(live.stop[0], 3);
	dup2(live.ready[1], 4);
	live_stay();
}

/* A daemon that drops its privilege without an exec. */
static void test_ids_without_exec(void)
{
	const struct process *process = look_at(run_new_ids, NULL);

	check(live.source.ids_fd >= 0);
	check(process->uid == USER && process->gid == USER + 1);
	check(process->session == process->pid);
	done_with(process);
}

static void *exec_in_thread(void *program)
{
	live_exec(&live, program, "x");
}

static void run_by_thread(const char *program)
{
	pthread_t thread;

	check(pthread_create(&thread, NULL, exec_in_thread,
			     (void *)program) == 0);
	pause();
}

/* Another thread than the first execs: the pid and the start stay. */
static void test_exec_by_a_thread(void)
{
	const struct process *process = look_at(run_by_thread, "./p1");
	int proc = open("/proc", O_PATH | O_CLOEXEC);
	struct process_record record;

	check(runs(process, "p1") && process->generation == 1);
	check(!process->exited);
	check(process_read_proc(proc, process->pid, &record) == 0);
	check(record.start_ns == process->start_ns);
	close(proc);
	done_with(process);
}

static void *nothing(void *argument)
{
	return argument;
}

static void *sleeping(void *argument)
{
	live_stay();
}

/* Threads come and go, also the first one; the process stays. */
static void run_threads(const char *argument)
{
	pthread_t thread;

	close(live.stop[1]);
	dup2(live.stop[0], 3);
	dup2(live.ready[1], 4);
	for (int i = 0; i < 50; i++) {
		check(pthread_create(&thread, NULL, nothing, NULL) == 0);
		check(pthread_join(thread, NULL) == 0);
	}
	check(pthread_create(&thread, NULL, sleeping, NULL) == 0);
	pthread_exit(NULL);
}

static void test_threads(void)
{
	const struct process *process = look_at(run_threads, NULL);
	pid_t pid = process->pid;

	check(!process->exited && process->generation == 0);
	done_with(process);
	process = process_table_find(live.table, pid);
	check(process && process->exited);
}

static void run_cloner(const char *argument)
{
	char *arguments[] = { "./p0", "clone", NULL };

	dup2(live.stop[0], 3);
	dup2(live.ready[1], 4);
	execv("./p0", arguments);
	_exit(127);
}

/* The body of p0 called with "clone". */
static void clone_a_sibling(void)
{
	struct clone_args arguments = { .flags = CLONE_PARENT };

	syscall(SYS_clone3, &arguments, sizeof arguments);
	live_stay();
}

/* CLONE_PARENT: the parent is ours, the program that of who called. */
static void test_sibling(void)
{
	pid_t first = fork(), second;

	if (first == 0) {
		run_cloner(NULL);
	}
	second = live_wait_ready(&live, 1);
	if (second == first) {
		second = live_wait_ready(&live, 1);
	} else {
		check(live_wait_ready(&live, 1) == first);
	}
	live_drain(&live);
	const struct process *process = process_table_find(live.table, second);

	check(process && process->ppid == getpid());
	check(process && runs(process, "p0"));
	check(process && process->generation == 0);
	live_release(&live);
	check(waitpid(first, NULL, 0) == first);
	check(waitpid(second, NULL, __WALL) == second);
}

/* The same pid a second time is another process. */
static void test_same_pid_again(void)
{
	const struct process *process = look_at(run, "./p1");
	uint64_t start = process->start_ns;
	pid_t pid = process->pid;
	struct timespec now;
	struct clone_args arguments = {
		.set_tid = (uintptr_t)&pid, .set_tid_size = 1,
		.exit_signal = SIGCHLD
	};
	long r;

	done_with(process);
	/* until it would have another start time, of 10 ms */
	do {
		usleep(1000);
		clock_gettime(CLOCK_BOOTTIME, &now);
	} while ((uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec <
		 start + 20000000u);
	r = syscall(SYS_clone3, &arguments, sizeof arguments);
	if (r == 0) {
		run("./p0");
	}
	check(r == pid);
	check(live_wait_ready(&live, 1) == pid);
	live_drain(&live);
	process = process_table_find(live.table, pid);
	check(process && !process->exited && process->start_ns > start);
	check(process && process->generation == 1 && runs(process, "p0"));
	done_with(process);
}

int main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "clone") == 0) {
		clone_a_sibling();
	}
	live_start(&live, argc, argv);
	live_copy("p0");
	live_copy("p1");
	live_copy("setuid");
	check(mkdir("deep", 0755) == 0);
	test_script();
	test_names();
	test_across_mounts();
	test_foreign_mount();
	test_memfd();
	test_chroot();
	test_set_uid();
	test_ids_without_exec();
	test_exec_by_a_thread();
	test_threads();
	test_sibling();
	test_same_pid_again();
	test_cut_to_look_like_another();
	test_too_deep_and_too_long();
	check(process_ring_lost(&live.ring) == 0);
	live_end(&live);
	return live_failures != 0;
}
