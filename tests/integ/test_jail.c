/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Does the jail hold? The probe (tests/lib/jail_probe.c) is started by the
 * real helper, in the real jail, and tries what it must not do.
 */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <bailey/client.h>

#include "base/mono.h"
#include "lib/jail_monitor.h"
#include "proto/wire.h"

static char probe_path[64];
static const char *scan_path;
static struct jail_monitor monitor;

/* The probe must be root's alone, whoever built it: a copy on our tmpfs. */
static void probe_place(const char *built)
{
	char command[512];

	if (unshare(CLONE_NEWNS) < 0 ||
	    mount("", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("jailtest", "/mnt", "tmpfs", 0, "mode=0755") < 0) {
		printf("SKIP: cannot make a mount namespace\n");
		exit(77);
	}
	snprintf(probe_path, sizeof(probe_path), "/mnt/jail_probe");
	snprintf(command, sizeof(command), "install -m 0755 '%s' %s", built,
		 probe_path);
	if (system(command) != 0) {
		exit(99);
	}
}

static int setup(void **state)
{
	jail_monitor_init(&monitor);
	return 0;
}

static int teardown(void **state)
{
	return jail_monitor_fini(&monitor) ? 0 : -1;
}

static void start(const char *mode, struct jail_started *ret_started)
{
	struct manifest m;

	jail_manifest(&m, probe_path, "probe", mode);
	jail_start(&monitor, &m, ret_started);
	if (ret_started->error) {
		print_error("start: %s\n", ret_started->text);
	}
	assert_int_equal(ret_started->error, 0);
}

/* Reads result lines until "end". Fails on any that is not ok. */
static unsigned hear_all(const struct jail_started *s)
{
	unsigned good = 0, bad = 0;
	char text[256];

	for (;;) {
		if (jail_hear(s, text, sizeof(text)) <= 0) {
			print_error("the probe fell silent after %u\n", good);
			assert_true(false);
		}
		if (strcmp(text, "end ok") == 0) {
			break;
		}
		if (strlen(text) > 3 &&
		    strcmp(text + strlen(text) - 3, " ok") == 0) {
			good++;
		} else {
			print_error("%s\n", text);
			bad++;
		}
	}
	assert_int_equal(bad, 0);
	return good;
}

static void refuses_everything_that_is_forbidden(void **state)
{
	struct jail_started s;
	int file;

	start("all", &s);
	if (s.text[0]) {
		print_message("not applied here: %s\n", s.text);
	}
	file = open(probe_path, O_RDONLY | O_CLOEXEC);
	jail_hand(&s, file);
	close(file);
	assert_true(hear_all(&s) >= 70);
	jail_stop(&s);
}

static void hands_over_directories_and_no_way_out_of_them(void **state)
{
	char content[128];
	struct jail_started s;
	struct manifest m;

	snprintf(content, sizeof(content), "%s/content", monitor.base);
	mkdir(content, 0755);
	jail_write(content, "rules", "rule", 0644);
	jail_write(monitor.base, "secret", "secret", 0644);
	jail_manifest(&m, probe_path, "probe", "directories");
	m.state_bytes = 1 << 20;
	strcpy(m.content, content);
	jail_start(&monitor, &m, &s);
	assert_int_equal(s.error, 0);
	assert_true(s.directory[BAILEY_DIRECTORY_CONTENT] >= 0);
	assert_true(s.directory[BAILEY_DIRECTORY_CONFIG] < 0);
	assert_true(s.directory[BAILEY_DIRECTORY_STATE] >= 0);
	jail_hand(&s, s.directory[BAILEY_DIRECTORY_CONTENT]);
	jail_hand(&s, s.directory[BAILEY_DIRECTORY_STATE]);
	assert_true(hear_all(&s) >= 8);
	jail_stop(&s);
}

static void bounds_a_fork_bomb(void **state)
{
	struct jail_started s;
	char text[256];
	int made = -1;

	start("forks", &s);
	for (int i = 0; i < 200 && made < 0; i++) {
		assert_true(jail_hear(&s, text, sizeof(text)) > 0);
		(void)sscanf(text, "forks %d", &made);
	}
	assert_in_range(made, 0, 32);
	assert_true(WIFSIGNALED(jail_stop(&s)));
	for (int i = 0; i < 200 && jail_cgroup_count(getpid()); i++) {
		usleep(10000);
	}
	/* a group can be removed only when its last process is gone */
	assert_int_equal(jail_cgroup_count(getpid()), 0);
}

/* A helper that logs into a file, which is returned. */
static int restart_logging(void)
{
	int saved = dup(2), log;

	jail_monitor_fini(&monitor);
	log = open("/mnt/log", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	dup2(log, 2);
	jail_monitor_init(&monitor);
	dup2(saved, 2);
	close(saved);
	return log;
}

/* And its author is told: SIGKILL alone says nothing. */
static void bounds_memory(void **state)
{
	static const char why[] = "it went beyond its memory";
	struct jail_started s;
	char text[4096] = "";
	struct pollfd p;
	int log = restart_logging(), status;

	start("memory", &s);
	if (strstr(s.text, "memory limit")) {
		jail_stop(&s);
		close(log);
		skip();
	}
	p = (struct pollfd){ .fd = s.pidfd, .events = POLLIN };
	assert_int_equal(poll(&p, 1, 20000), 1);
	status = jail_stop(&s);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	for (int i = 0; i < 200 && !strstr(text, why); i++) {
		usleep(10000);
		assert_true(pread(log, text, sizeof(text) - 1, 0) >= 0);
	}
	assert_non_null(strstr(text, why));
	close(log);
}

/* The flood must end, must not hold the product, and the helper must serve
 * meanwhile and write little. */
static void bounds_a_flood_of_standard_error(void **state)
{
	struct jail_started s, other;
	char text[256];
	struct stat st;
	int log = restart_logging();

	start("flood", &s);
	start("hello", &other);
	assert_true(jail_hear(&other, text, sizeof(text)) > 0);
	assert_true(jail_hear(&s, text, sizeof(text)) > 0);
	assert_string_equal(text, "end ok");
	jail_stop(&other);
	jail_stop(&s);
	usleep(200000);
	assert_int_equal(fstat(log, &st), 0);
	assert_in_range(st.st_size, 20, 20000);
	assert_true(pread(log, text, sizeof(text) - 1, 0) > 40);
	text[255] = '\0';
	assert_non_null(strstr(text, "probe: flood ?[31m0"));
	assert_null(strchr(text, '\033'));
	close(log);
}

static int compare(const void *a, const void *b)
{
	unsigned long long x = *(const unsigned long long *)a;
	unsigned long long y = *(const unsigned long long *)b;

	return x < y ? -1 : x > y;
}

static int mount_count(void)
{
	FILE *f = fopen("/proc/self/mountinfo", "r");
	int c, lines = 0;

	while (f && (c = fgetc(f)) != EOF) {
		lines += c == '\n';
	}
	if (f) {
		fclose(f);
	}
	return lines;
}

static void two_hundred_starts_leak_nothing_and_are_quick(void **state)
{
	unsigned long long took[200];
	int fds = 0, own = 0, mounts = mount_count();
	char text[256];

	for (int i = 0; i < 200; i++) {
		mono_t begin = mono_now();
		struct jail_started s;

		start("hello", &s);
		assert_true(jail_hear(&s, text, sizeof(text)) > 0);
		took[i] = mono_between(begin, mono_now()) / 1000;
		jail_stop(&s);
		if (i == 20) {
			usleep(100000);
			fds = jail_fd_count(monitor.helper);
			own = jail_own_count(&monitor);
		}
	}
	usleep(200000);
	assert_int_equal(jail_fd_count(monitor.helper), fds);
	assert_int_equal(jail_own_count(&monitor), own);
	assert_int_equal(own, 1);
	assert_int_equal(jail_cgroup_count(getpid()), 0);
	assert_int_equal(mount_count(), mounts);
	print_message("start to first word: first %llu us\n", took[0]);
	qsort(took, 200, sizeof(took[0]), compare);
	print_message("  p50 %llu us, p99 %llu us\n", took[100], took[198]);
	assert_in_range(took[100], 0, 100000);
}

static void a_start_that_fails_says_why(void **state)
{
	struct jail_started s;
	struct manifest m;

	jail_manifest(&m, "/mnt/absent", "probe", "hello");
	jail_start(&monitor, &m, &s);
	assert_int_equal(s.error, ENOENT);
	assert_non_null(strstr(s.text, "/mnt/absent"));
	jail_write("/mnt", "script", "#!/bin/sh\n", 0755);
	jail_manifest(&m, "/mnt/script", "probe", "hello");
	jail_start(&monitor, &m, &s);
	assert_int_equal(s.error, ENOEXEC);
	usleep(100000);
	assert_int_equal(jail_own_count(&monitor), 1);
	assert_int_equal(jail_cgroup_count(getpid()), 0);
}

/* The signature scanner, linked against libyara and what that needs: it must
 * come as far as its first request. */
static void a_product_with_many_libraries_starts(void **state)
{
	struct wire_request hello;
	struct jail_started s;
	struct manifest m;
	char bytes[4096];

	jail_manifest(&m, scan_path, "scan", "");
	jail_start(&monitor, &m, &s);
	assert_int_equal(s.error, 0);
	assert_true(jail_hear(&s, bytes, sizeof(bytes)) >=
		    (ssize_t)sizeof(hello));
	memcpy(&hello, bytes, sizeof(hello));
	assert_int_equal(hello.type, WIRE_REQUEST_HELLO);
	jail_stop(&s);
}

/* The program is replaced between two starts: the new one must run. */
static void a_changed_program_is_noticed(void **state)
{
	struct jail_started s;
	struct manifest m;
	char text[256];

	start("hello", &s);
	assert_true(jail_hear(&s, text, sizeof(text)) > 0);
	jail_stop(&s);
	assert_int_equal(rename("/mnt/jail_probe", "/mnt/kept"), 0);
	jail_manifest(&m, probe_path, "probe", "hello");
	jail_start(&monitor, &m, &s);
	assert_int_equal(s.error, ENOENT);
	assert_int_equal(rename("/mnt/kept", "/mnt/jail_probe"), 0);
	start("hello", &s);
	jail_stop(&s);
}

/* 0 when it ended within a second; reaps it. */
static int wait_gone(pid_t pid)
{
	for (int i = 0; i < 100; i++) {
		if (waitpid(pid, NULL, WNOHANG) == pid) {
			return 0;
		}
		usleep(10000);
	}
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	return -1;
}

/* Everything that the monitor started must end when it does. */
static void products_end_with_the_monitor(void **state)
{
	int word[2], status, product = 0, helper = 0;
	char text[64] = "";
	pid_t pid;

	/* what the dead monitor leaves is ours to reap */
	assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), 0);
	assert_int_equal(pipe(word), 0);
	pid = fork();
	if (pid == 0) {
		static struct jail_monitor own;
		struct jail_started s;
		struct manifest m;

		close(word[0]);
		jail_monitor_init(&own);
		jail_manifest(&m, probe_path, "probe", "hello");
		jail_start(&own, &m, &s);
		(void)jail_hear(&s, text, sizeof(text));
		dprintf(word[1], "%d %d %s", s.pid, own.helper, own.base);
		kill(getpid(), SIGKILL);
	}
	close(word[1]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(read(word[0], text, sizeof(text) - 1) > 0);
	close(word[0]);
	assert_int_equal(sscanf(text, "%d %d", &product, &helper), 2);
	assert_int_equal(wait_gone(product), 0);
	assert_int_equal(wait_gone(helper), 0);
	assert_int_equal(jail_cgroup_count(pid), 0);
	jail_remove(strrchr(text, ' ') + 1);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		T(refuses_everything_that_is_forbidden),
		T(hands_over_directories_and_no_way_out_of_them),
		T(bounds_a_fork_bomb),
		T(bounds_memory),
		T(bounds_a_flood_of_standard_error),
		T(two_hundred_starts_leak_nothing_and_are_quick),
		T(a_start_that_fails_says_why),
		T(a_product_with_many_libraries_starts),
		T(a_changed_program_is_noticed),
		T(products_end_with_the_monitor),
#undef T
	};

	if (geteuid() != 0) {
		printf("SKIP: needs root\n");
		return 77;
	}
	alarm(110);
	probe_place(argv[1]);
	scan_path = argv[2];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
