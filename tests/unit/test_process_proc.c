/* SPDX-License-Identifier: Apache-2.0 */
/* Is /proc read right, whatever a user calls his processes? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "broker/eng_process.h"

#define STAT_TAIL " S 7 42 43 0 -1 4194560 0 0 0 0 0 0 0 0 20 0 1 0 1234 0 0\n"
#define STATUS "Name:\tx\nUmask:\t0022\nUid:\t1000\t0\t0\t0\n" \
	"Gid:\t100\t1\t1\t1\n"

static char folder[] = "/tmp/test_process_proc.XXXXXX";
static int proc = -1;

static void put(const char *name, const char *text, size_t length)
{
	int fd = openat(proc, name, O_CREAT | O_WRONLY | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, length), length);
	close(fd);
}

static int setup(void **state)
{
	strcpy(folder + strlen(folder) - 6, "XXXXXX");
	assert_non_null(mkdtemp(folder));
	proc = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
	assert_true(proc >= 0);
	assert_int_equal(mkdirat(proc, "42", 0700), 0);
	put("42/stat", "42 (x)" STAT_TAIL, strlen("42 (x)" STAT_TAIL));
	put("42/status", STATUS, strlen(STATUS));
	put("42/cmdline", "x\0-y", 5);
	return 0;
}

static int teardown(void **state)
{
	static const char *const files[] = {
		"42/stat", "42/status", "42/cmdline", "42/exe"
	};

	for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
		unlinkat(proc, files[i], 0);
	}
	unlinkat(proc, "42", AT_REMOVEDIR);
	close(proc);
	return rmdir(folder);
}

static void test_all_of_it(void **state)
{
	struct process_record record;
	struct stat st;

	assert_int_equal(symlinkat("/bin/sh", proc, "42/exe"), 0);
	assert_int_equal(process_read_proc(proc, 42, &record), 0);
	assert_int_equal(record.type, PROCESS_SNAPSHOT);
	assert_int_equal(record.pid, 42);
	assert_int_equal(record.ppid, 7);
	assert_int_equal(record.session, 43);
	assert_int_equal(record.uid, 1000);
	assert_int_equal(record.gid, 100);
	assert_int_equal(record.start_ns, 12340000000);
	assert_true(record.time_ns > 0);
	assert_string_equal(record.comm, "x");
	assert_int_equal(stat("/bin/sh", &st), 0);
	assert_int_equal(record.exe_inode, st.st_ino);
	assert_int_equal(record.exe_device, st.st_dev);
	assert_int_equal(record.path_length, 7);
	assert_memory_equal(record.path, "/bin/sh", 7);
	assert_int_equal(record.arguments_length, 5);
	assert_memory_equal(record.arguments, "x\0-y", 5);
	/* There is no mountinfo that says it is the host's. */
	assert_int_equal(record.path_foreign, 1);
}

static void test_names_that_look_like_the_rest(void **state)
{
	static const char *const names[] = {
		") R 1 1", "a) S 9", "(", ")", "))((", "a\nb) Z",
		"\xff\xfe) X 0"
	};
	struct process_record record;
	char text[512];

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		int n = snprintf(text, sizeof text, "42 (%s)" STAT_TAIL,
				 names[i]);

		put("42/stat", text, (size_t)n);
		assert_int_equal(process_read_proc(proc, 42, &record), 0);
		assert_string_equal(record.comm, names[i]);
		assert_int_equal(record.ppid, 7);
		assert_int_equal(record.start_ns, 12340000000);
	}
}

/* Cut after any byte, it is refused, or says the same. */
static void test_stat_cut_anywhere(void **state)
{
	static const char whole[] = "42 (x)" STAT_TAIL;
	struct process_record record;

	for (size_t n = 0; n < strlen(whole); n++) {
		int r;

		put("42/stat", whole, n);
		r = process_read_proc(proc, 42, &record);
		if (r == 0) {
			assert_int_equal(record.start_ns, 12340000000);
			assert_int_equal(record.ppid, 7);
		} else {
			assert_int_equal(r, -EBADMSG);
		}
	}
}

static void test_status_without_ids(void **state)
{
	struct process_record record = { .pid = -7 };

	put("42/status", "Name:\tUid:\t0\n", 13);
	assert_int_equal(process_read_proc(proc, 42, &record), -EBADMSG);
	put("42/status", "", 0);
	assert_int_equal(process_read_proc(proc, 42, &record), -EBADMSG);
	assert_int_equal(record.pid, -7);
}

static void test_gone_and_zombie(void **state)
{
	static const char zombie[] =
		"42 (x) Z 7 42 43 0 -1 4 0 0 0 0 0 0 0 0 20 0 1 0 1234 0\n";
	static const char leader[] =
		"42 (x) Z 7 42 43 0 -1 4 0 0 0 0 0 0 0 0 20 0 3 0 1234 0\n";
	struct process_record record;

	assert_int_equal(process_read_proc(proc, 43, &record), -ESRCH);
	put("42/stat", zombie, strlen(zombie));
	assert_int_equal(process_read_proc(proc, 42, &record), -ESRCH);
	put("42/stat", leader, strlen(leader));
	assert_int_equal(process_read_proc(proc, 42, &record), 0);
}

static void test_of_another_pid(void **state)
{
	struct process_record record;

	put("42/stat", "43 (x)" STAT_TAIL, strlen("43 (x)" STAT_TAIL));
	assert_int_equal(process_read_proc(proc, 42, &record), -EBADMSG);
}

/* A kernel thread, or without the right to look. */
static void test_without_a_program(void **state)
{
	struct process_record record;

	put("42/cmdline", "", 0);
	assert_int_equal(process_read_proc(proc, 42, &record), 0);
	assert_int_equal(record.exe_inode, 0);
	assert_int_equal(record.path_length, 0);
	assert_int_equal(record.arguments_length, 0);
}

static void test_arguments_beyond_the_room(void **state)
{
	struct process_record record;
	char text[2 * PROCESS_ARGUMENTS];

	memset(text, 'a', sizeof text);
	put("42/cmdline", text, sizeof text);
	assert_int_equal(process_read_proc(proc, 42, &record), 0);
	assert_int_equal(record.arguments_length, PROCESS_ARGUMENTS);
}

/* A name of 300 bytes does not fit, and that is said. */
static void test_path_beyond_the_room(void **state)
{
	struct process_record record;
	char path[600] = "/", *at = path + 1;

	for (int i = 0; i < 150; i++) {
		*at++ = '.';
		*at++ = '/';
	}
	strcpy(at, "bin/sh");
	assert_int_equal(symlinkat(path, proc, "42/exe"), 0);
	assert_int_equal(process_read_proc(proc, 42, &record), 0);
	assert_int_equal(record.path_length, PROCESS_PATH);
	assert_int_equal(record.path_truncated, 1);
}

/* This process, in the real /proc. */
static void test_this_process(void **state)
{
	int real = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct process_record record;
	char path[PROCESS_PATH];
	struct stat st;
	ssize_t n = readlink("/proc/self/exe", path, sizeof path);

	assert_int_equal(prctl(PR_SET_NAME, "a) R 1\n(b"), 0);
	assert_int_equal(process_read_proc(real, getpid(), &record), 0);
	close(real);
	assert_int_equal(record.pid, getpid());
	assert_int_equal(record.ppid, getppid());
	assert_int_equal(record.session, getsid(0));
	assert_int_equal(record.uid, getuid());
	assert_int_equal(record.gid, getgid());
	assert_string_equal(record.comm, "a) R 1\n(b");
	assert_int_equal(stat("/proc/self/exe", &st), 0);
	assert_int_equal(record.exe_inode, st.st_ino);
	assert_int_equal(record.exe_device, st.st_dev);
	assert_int_equal(record.path_length, n);
	assert_memory_equal(record.path, path, (size_t)n);
	assert_int_equal(record.path_foreign, 0);
}

static void test_a_real_zombie(void **state)
{
	int real = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct process_record record;
	siginfo_t info;
	pid_t pid = fork();

	if (pid == 0) {
		_exit(0);
	}
	assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
	assert_int_equal(process_read_proc(real, pid, &record), -ESRCH);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_int_equal(process_read_proc(real, pid, &record), -ESRCH);
	close(real);
}

#define question(name) \
	cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		question(test_all_of_it),
		question(test_names_that_look_like_the_rest),
		question(test_stat_cut_anywhere),
		question(test_status_without_ids),
		question(test_gone_and_zombie),
		question(test_of_another_pid),
		question(test_without_a_program),
		question(test_arguments_beyond_the_room),
		question(test_path_beyond_the_room),
		question(test_this_process),
		question(test_a_real_zombie),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
