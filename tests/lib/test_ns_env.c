/* SPDX-License-Identifier: Apache-2.0 */
/* Is the place in which root tests set marks really apart from the host? */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/ns_env.h"
#include "lib/ns_proc.h"

#define TMPFS 0x01021994

static struct ns_env env = { .mount_ns = -1 };

static int make(void **state)
{
	return ns_env_init(&env, "8m");
}

static int unmake(void **state)
{
	char base[sizeof env.base];
	struct stat st;

	memcpy(base, env.base, sizeof base);
	ns_env_fini(&env);
	return lstat(base, &st) == 0 ? -1 : 0;
}

static void is_the_tmpfs_inside_and_not_outside(void **state)
{
	struct statfs fs;
	struct stat st;
	char path[128];
	int status;
	pid_t pid;

	assert_int_equal(ns_env_write(&env, "inside", "x", 1, 0644, 0), 0);
	snprintf(path, sizeof path, "%s/inside", env.tree);
	assert_int_equal(lstat(path, &st), -1);
	pid = ns_env_fork(&env);
	if (pid == 0) {
		_exit(statfs(".", &fs) != 0 || fs.f_type != TMPFS ||
		      lstat(path, &st) != 0);
	}
	assert_true(pid > 0);
	assert_int_equal(ns_wait(pid, 5000, &status), 0);
	assert_int_equal(status, 0);
}

static void does_a_child_that_hangs_end_at_the_limit(void **state)
{
	int status;
	pid_t pid = ns_env_fork(&env);

	if (pid == 0) {
		for (;;) {
			pause();
		}
	}
	assert_int_equal(ns_wait(pid, 50, &status), -ETIMEDOUT);
	assert_int_equal(kill(pid, 0), -1);
}

static void do_children_end_with_their_parent(void **state)
{
	int pipe_ends[2], status;
	pid_t child = 0, parent;
	char byte;

	assert_int_equal(pipe(pipe_ends), 0);
	parent = fork();
	if (parent == 0) {
		child = ns_env_fork(&env);
		if (child == 0) {
			for (;;) {
				pause();
			}
		}
		_exit(0);
	}
	close(pipe_ends[1]);
	assert_int_equal(ns_wait(parent, 5000, &status), 0);
	/* the other end is held by the grandchild as long as it lives */
	assert_int_equal(read(pipe_ends[0], &byte, 1), 0);
	close(pipe_ends[0]);
}

/* A runner that is killed hard, its test, and a child of that. */
static void does_nothing_outlive_a_killed_runner(void **state)
{
	struct ns_env own = { .mount_ns = -1 };
	struct pollfd ended = { .events = POLLIN };
	int pipe_ends[2];
	char byte = 0;
	pid_t runner;

	assert_int_equal(pipe(pipe_ends), 0);
	ended.fd = pipe_ends[0];
	runner = fork();
	if (runner == 0) {
		if (fork() == 0) {
			alarm(20);      /* if this test fails */
			if (ns_env_init(&own, "1m") != 0) {
				_exit(1);
			}
			(void)!write(pipe_ends[1], &own, sizeof own);
			if (ns_env_fork(&own) == 0) {
				alarm(20);
				(void)!write(pipe_ends[1], &byte, 1);
			}
		}
		for (;;) {
			pause();
		}
	}
	assert_true(runner > 0);
	close(pipe_ends[1]);
	assert_int_equal(read(pipe_ends[0], &own, sizeof own), sizeof own);
	own.mount_ns = -1;              /* of another process */
	assert_int_equal(read(pipe_ends[0], &byte, 1), 1);
	ns_end(runner, SIGKILL, 5000);
	/* the other end is held by the two as long as they live */
	assert_int_equal(poll(&ended, 1, 5000), 1);
	assert_int_equal(read(pipe_ends[0], &byte, 1), 0);
	close(pipe_ends[0]);
	ns_env_fini(&own);
}

static void is_a_users_child_no_longer_root(void **state)
{
	int status;
	pid_t pid = ns_env_fork(&env);

	if (pid == 0) {
		_exit(ns_become(60001) != 0 || geteuid() != 60001 ||
		      getegid() != 60001 || setuid(0) == 0);
	}
	assert_int_equal(ns_wait(pid, 5000, &status), 0);
	assert_int_equal(status, 0);
}

static void count_one(pid_t pid, void *context)
{
	*(int *)context += pid == getpid();
}

static void does_proc_tell_about_a_process(void **state)
{
	uint64_t before = ns_proc_cpu_ns(getpid());
	int seen = 0;

	for (uint64_t end = ns_now_ns() + 20000000; ns_now_ns() < end;) {
	}
	assert_true(ns_proc_cpu_ns(getpid()) > before);
	assert_true(ns_proc_status(getpid(), "VmRSS") > 0);
	assert_int_equal(ns_proc_status(getpid(), "PPid"), getppid());
	assert_false(ns_proc_has_mark(getpid()));
	assert_true(ns_proc_tree(getpid(), count_one, &seen) >= 1);
	assert_int_equal(seen, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(is_the_tmpfs_inside_and_not_outside),
		cmocka_unit_test(does_a_child_that_hangs_end_at_the_limit),
		cmocka_unit_test(do_children_end_with_their_parent),
		cmocka_unit_test(does_nothing_outlive_a_killed_runner),
		cmocka_unit_test(is_a_users_child_no_longer_root),
		cmocka_unit_test(does_proc_tell_about_a_process),
	};

	if (geteuid() != 0) {
		puts("needs root: mount namespaces");
		return 77;
	}
	return cmocka_run_group_tests(tests, make, unmake);
}
