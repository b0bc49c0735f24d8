/* SPDX-License-Identifier: Apache-2.0 */
/* A client that is killed, or finds no room, at any step: does the folder hold
 * only what was verified, nothing older than before, and is the next one good?
 * And may several clients use one folder at once? */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/tuf_sim.h"

#define KILLED 99
#define STEPS_LEAST 26

/* The system calls that change something, counted; one of them is the last. */
static unsigned calls, last_call;
static int last_error;                  /* 0: the process ends there */
static bool no_sleep;
static uint64_t slept_ns;               /* instead of sleeping */

static int hit(void)
{
	if (!last_call || ++calls != last_call) {
		return 0;
	}
	if (!last_error) {
		_exit(KILLED);
	}
	errno = last_error;
	return -1;
}

ssize_t __real_write(int fd, const void *bytes, size_t n);
ssize_t __wrap_write(int fd, const void *bytes, size_t n);
ssize_t __wrap_write(int fd, const void *bytes, size_t n)
{
	/* half of it is written when it ends here */
	if (last_call && calls + 1 == last_call && n > 1 &&
	    __real_write(fd, bytes, n / 2) < 0) {
		return -1;
	}
	return hit() < 0 ? -1 : __real_write(fd, bytes, n);
}

ssize_t __real_pwrite64(int fd, const void *bytes, size_t n, off_t at);
ssize_t __wrap_pwrite64(int fd, const void *bytes, size_t n, off_t at);
ssize_t __wrap_pwrite64(int fd, const void *bytes, size_t n, off_t at)
{
	return hit() < 0 ? -1 : __real_pwrite64(fd, bytes, n, at);
}

int __real_fsync(int fd);
int __wrap_fsync(int fd);
int __wrap_fsync(int fd)
{
	return hit() < 0 ? -1 : __real_fsync(fd);
}

int __real_renameat(int from, const char *a, int to, const char *b);
int __wrap_renameat(int from, const char *a, int to, const char *b);
int __wrap_renameat(int from, const char *a, int to, const char *b)
{
	return hit() < 0 ? -1 : __real_renameat(from, a, to, b);
}

int __real_unlinkat(int folder, const char *name, int flags);
int __wrap_unlinkat(int folder, const char *name, int flags);
int __wrap_unlinkat(int folder, const char *name, int flags)
{
	return hit() < 0 ? -1 : __real_unlinkat(folder, name, flags);
}

int __real_nanosleep(const struct timespec *time, struct timespec *rest);
int __wrap_nanosleep(const struct timespec *time, struct timespec *rest);
int __wrap_nanosleep(const struct timespec *time, struct timespec *rest)
{
	if (!no_sleep) {
		return __real_nanosleep(time, rest);
	}
	slept_ns += (uint64_t)time->tv_sec * 1000000000u +
		    (uint64_t)time->tv_nsec;
	return 0;
}

int __real_clock_gettime(clockid_t clock, struct timespec *ret_time);
int __wrap_clock_gettime(clockid_t clock, struct timespec *ret_time);
int __wrap_clock_gettime(clockid_t clock, struct timespec *ret_time)
{
	int r = __real_clock_gettime(clock, ret_time);

	ret_time->tv_sec += (time_t)(slept_ns / 1000000000u);
	return r;
}

static struct sim *s;
static struct sim_client c;

/* Trusts the first version of everything; the second one is out, with other
 * keys for the timestamp, and a new file. */
static int setup(void **state)
{
	s = sim_new();
	sim_delegate(s, "targets", "role", "*", false);
	sim_add_target(s, "role", "file", "first");
	sim_publish_all(s);
	sim_client_init(&c, s);
	sim_expect(&c, sim_download(&c, "file"), 0);
	sim_rotate(s, "timestamp");
	sim_add_target(s, "role", "file", "second");
	sim_publish_all(s);
	return 0;
}

static int teardown(void **state)
{
	sim_client_fini(&c);
	sim_free(s);
	return 0;
}

/* Of each role the first or the second version, whole. */
static void nothing_else_is_there(unsigned at)
{
	static const char *const roles[] = { "root", "timestamp", "snapshot",
					     "targets", "role" };
	const char *text;

	for (size_t i = 0; i < 5; i++) {
		int64_t version = sim_trusts(&c, roles[i]);
		bool may_be_gone = i == 1 || i == 2;
		int64_t new = sim_version(s, roles[i]);

		if (version != new && version != new - 1 &&
		    !(may_be_gone && version == 0)) {
			fail_msg("call %u: %s is %lld", at, roles[i],
				 (long long)version);
		}
	}
	text = sim_downloaded(&c, "file");
	assert_non_null(text);
	assert_true(strcmp(text, "first") == 0 ||
		    strcmp(text, "second") == 0);
}

static void then_it_is_good(unsigned at)
{
	if (sim_download(&c, "file") != 0) {
		fail_msg("after call %u: %s", at, c.why);
	}
	assert_string_equal(sim_downloaded(&c, "file"), "second");
	assert_int_equal(sim_trusts(&c, "timestamp"),
			 sim_version(s, "timestamp"));
}

static void test_killed_at_every_step(void **state)
{
	bool ended = false;

	for (unsigned at = 1; !ended; at++) {
		int status = 0;
		pid_t child;

		teardown(NULL);
		setup(NULL);
		child = fork();
		if (child == 0) {
			calls = 0;
			last_call = at;
			_exit(sim_download(&c, "file") ? 1 : 0);
		}
		assert_true(child > 0);
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_true(WIFEXITED(status));
		ended = WEXITSTATUS(status) != KILLED;
		assert_true(!ended || WEXITSTATUS(status) == 0);
		assert_true(at < 200 && (!ended || at > STEPS_LEAST));
		nothing_else_is_there(at);
		then_it_is_good(at);
	}
}

static void fails_at_every_step(int error)
{
	bool ended = false;

	for (unsigned at = 1; !ended; at++) {
		int r;

		teardown(NULL);
		setup(NULL);
		calls = 0;
		last_error = error;
		last_call = at;
		r = sim_download(&c, "file");
		ended = calls < at;
		last_call = 0;
		/* a file that is to be removed and cannot be is left */
		assert_true(ended ? r == 0 : r == -error || r == 0);
		assert_true(at < 200 && (!ended || at > STEPS_LEAST));
		nothing_else_is_there(at);
		then_it_is_good(at);
	}
	last_error = 0;
}

static void test_no_room_at_every_step(void **state)
{
	fails_at_every_step(ENOSPC);
}

static void test_read_only_at_every_step(void **state)
{
	fails_at_every_step(EROFS);
}

/* Each in a process, with a repository that has moved on by a few versions. */
static void run_client(unsigned seed)
{
	for (unsigned i = 0; i < 30; i++) {
		char text[32];
		int r;

		if ((i + seed) % 3 == 0) {
			snprintf(text, sizeof(text), "text %u %u", seed, i);
			sim_add_target(s, "role", "file", text);
			sim_publish(s, "role snapshot timestamp");
		}
		r = sim_download(&c, "file");
		/* another one is further: its snapshot, then ours, is stale;
		 * one number, two contents: its file is not ours */
		if (r != 0 && r != -ESTALE && r != -EBADMSG) {
			fprintf(stderr, "client %u: %d %s\n", seed, r, c.why);
			_exit(1);
		}
	}
	_exit(0);
}

static void test_several_at_once(void **state)
{
	pid_t children[4];

	for (unsigned i = 0; i < 4; i++) {
		children[i] = fork();
		if (children[i] == 0) {
			tuf_close(c.tuf);
			c.tuf = NULL;
			run_client(i);
		}
		assert_true(children[i] > 0);
	}
	for (unsigned i = 0; i < 4; i++) {
		int status = 0;

		assert_int_equal(waitpid(children[i], &status, 0),
				 children[i]);
		assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	}
	for (int i = 0; i < 40; i++) {
		sim_publish(s, "role targets snapshot timestamp");
	}
	then_it_is_good(0);
}

static void test_another_does_not_let_go(void **state)
{
	int folder = open(c.metadata, O_RDONLY | O_DIRECTORY);

	assert_int_equal(flock(folder, LOCK_EX), 0);
	no_sleep = true;
	sim_expect(&c, sim_refresh(&c), -EBUSY);
	assert_true(slept_ns > 20000000000ull && slept_ns < 40000000000ull);
	slept_ns = 0;
	no_sleep = false;
	close(folder);
	sim_expect(&c, sim_refresh(&c), 0);
}

static void test_another_writes_the_same_file(void **state)
{
	char path[200];
	int part;

	snprintf(path, sizeof(path), "%s/.file.part", c.targets);
	part = open(path, O_RDWR | O_CREAT, 0644);
	assert_int_equal(flock(part, LOCK_EX), 0);
	no_sleep = true;
	sim_expect(&c, sim_download(&c, "file"), -EBUSY);
	assert_string_equal(sim_downloaded(&c, "file"), "first");
	slept_ns = 0;
	no_sleep = false;
	close(part);
	then_it_is_good(0);
	assert_int_equal(sim_target_files(&c), 1);
}

/* Another client replaced what we have in memory. */
static void test_another_was_here(void **state)
{
	struct sim_client other = c;

	sim_expect(&c, sim_refresh(&c), 0);
	other.tuf = NULL;
	sim_publish(s, "targets snapshot timestamp");
	sim_expect(&other, sim_refresh(&other), 0);
	tuf_close(other.tuf);
	/* an old timestamp for the first one: the folder knows better */
	sim_serve(s, "timestamp.json", s->roles[3].published[2].bytes,
		  s->roles[3].published[2].length);
	sim_expect(&c, sim_refresh(&c), -ESTALE);
	sim_serve_none(s);
	sim_expect(&c, sim_refresh(&c), 0);
}

#define EACH(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		EACH(test_killed_at_every_step),
		EACH(test_no_room_at_every_step),
		EACH(test_read_only_at_every_step),
		EACH(test_several_at_once),
		EACH(test_another_does_not_let_go),
		EACH(test_another_writes_the_same_file),
		EACH(test_another_was_here),
	};
	int failed = cmocka_run_group_tests_name("a handle each", tests, NULL,
						 NULL);

	sim_one_handle = true;
	return failed + cmocka_run_group_tests_name("one handle", tests, NULL,
						    NULL);
}
