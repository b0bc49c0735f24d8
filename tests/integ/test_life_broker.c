/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What does the death of a part of the broker cost its users?
 *
 * Worker: nothing but milliseconds, and no wrong verdict. Keeper, or both: at
 * most a refused open that nobody knew an answer for, never an evil one
 * allowed. Monitor: the kernel allows until it is back, by itself, and the
 * time is counted (P4).
 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "test_life_host.h"

#define WAIT_MS 30000
#define FEW 7                   /* what a keeper puts up with in ten seconds */
/* Nobody waits for a limit of ours; the budgets are for make bench to measure,
 * on a machine that does nothing else. */
#define STALL_MS 5000

static const char *build, *source;
static struct host host;

static int set_up(void **state)
{
	(void)state;
	host_make(&host, build, source);
	host_product(&host, "scan", "scan", NULL, NULL);
	host_run(&host);
	host_wait_text(&host, "scan", "state", "serving", WAIT_MS);
	(void)host_wait_open(&host, HOST_EICAR, EPERM, WAIT_MS);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	host_end(&host);
	return 0;
}

static pid_t pid_of(const char *path)
{
	pid_t pid = 0;

	for (int ms = 0; ms < WAIT_MS && pid <= 1; ms += 10) {
		json_t *status = host_status(&host);

		pid = (pid_t)host_number(status, path);
		json_decref(status);
		if (pid <= 1) {
			ns_sleep_ms(10);
		}
	}
	assert_true(pid > 1);
	return pid;
}

static pid_t pid_other_than(const char *path, pid_t former)
{
	pid_t pid = former;

	for (int ms = 0; ms < WAIT_MS && pid == former; ms += 10) {
		pid = pid_of(path);
		ns_sleep_ms(pid == former ? 10 : 0);
	}
	assert_int_not_equal(pid, former);
	return pid;
}

static void say(double longest)
{
	print_message("  %u opens, %u refused, longest %.1f ms; eicar refused "
		      "%u times, allowed %u times\n",
		      atomic_load(&host.load->opens),
		      atomic_load(&host.load->refused), longest,
		      atomic_load(&host.load->evil_refused),
		      atomic_load(&host.load->evil_allowed));
}

static double longest_ms(void)
{
	return (double)atomic_load(&host.load->longest_ns) / 1e6;
}

static void kill_workers(int times)
{
	unsigned seed = (unsigned)getpid();
	pid_t pid = pid_of("worker.pid");

	host_load_start(&host);
	for (int i = 0; i < times; i++) {
		usleep((useconds_t)rand_r(&seed) % 30000);
		(void)kill(pid, SIGKILL);       /* or its keeper gave up */
		pid = pid_other_than("worker.pid", pid);
	}
	host_wait_text(&host, "scan", "state", "serving", WAIT_MS);
	(void)host_wait_open(&host, HOST_EICAR, EPERM, WAIT_MS);
	host_load_stop(&host);
	say(longest_ms());
	assert_int_equal(atomic_load(&host.load->evil_allowed), 0);
	assert_true(atomic_load(&host.load->evil_refused) > 0);
	assert_true(atomic_load(&host.load->opens) > 0);
	assert_true(longest_ms() <= STALL_MS);
}

static void a_killed_worker_gives_no_wrong_verdict(void **state)
{
	pid_t keeper = pid_of("keeper.pid");
	json_t *status;

	(void)state;
	kill_workers(FEW);
	status = host_status(&host);
	assert_int_equal((int)host_number(status, "worker.restarts"), FEW);
	assert_int_equal((int)host_number(status, "keeper.pid"), keeper);
	assert_int_equal((int)host_number(status, "kernel_denied"), 0);
	assert_int_equal((int)host_number(host_find(status, "scan"),
					  "restarts"), 0);
	json_decref(status);
	assert_int_equal(atomic_load(&host.load->refused), 0);
	host_stop(&host);
}

/* both: the worker too, so that nobody is left who knows the questions */
static void kill_keeper(bool both)
{
	pid_t keeper = pid_of("keeper.pid"), worker = pid_of("worker.pid");
	json_t *status;

	host_load_start(&host);
	host_wait_number(&host, NULL, "engine.questions", 100, WAIT_MS);
	assert_int_equal(kill(keeper, SIGKILL), 0);
	if (both) {
		(void)kill(worker, SIGKILL);    /* or it is gone already */
	}
	(void)pid_other_than("keeper.pid", keeper);
	host_wait_text(&host, "scan", "state", "serving", WAIT_MS);
	(void)host_wait_open(&host, HOST_EICAR, EPERM, WAIT_MS);
	host_load_stop(&host);
	say(longest_ms());
	status = host_status(&host);
	assert_int_equal((int)host_number(status, "keeper.restarts"), 1);
	assert_int_equal((int)host_number(status, "unprotected_ms"), 0);
	assert_true(atomic_load(&host.load->refused) <=
		    host_number(status, "kernel_denied"));
	json_decref(status);
	assert_int_equal(atomic_load(&host.load->evil_allowed), 0);
	assert_true(longest_ms() <= STALL_MS);
	host_stop(&host);
}

static void a_keeper_killed_allows_nothing_evil(void **state)
{
	(void)state;
	kill_keeper(false);
}

static void keeper_and_worker_killed_allow_nothing_evil(void **state)
{
	(void)state;
	kill_keeper(true);
}

static void a_killed_monitor_comes_back_by_itself(void **state)
{
	pid_t monitor = pid_of("monitor.pid");
	json_t *status;

	(void)state;
	host_load_start(&host);
	assert_int_equal(kill(monitor, SIGKILL), 0);
	monitor = pid_other_than("monitor.pid", monitor);
	(void)host_wait_open(&host, HOST_EICAR, EPERM, WAIT_MS);
	host_load_stop(&host);
	say(longest_ms());
	status = host_status(&host);
	print_message("  unprotected for %.0f ms\n",
		      host_number(status, "unprotected_ms"));
	assert_true(host_number(status, "unprotected_ms") > 0);
	json_decref(status);
	assert_int_equal(atomic_load(&host.load->refused), 0);
	assert_true(longest_ms() <= STALL_MS);
	host_stop(&host);       /* the bind of the killed one is undone, too */
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(int argc, char **argv)
{
	const struct CMUnitTest list[] = {
		TEST(a_killed_worker_gives_no_wrong_verdict),
		TEST(a_keeper_killed_allows_nothing_evil),
		TEST(keeper_and_worker_killed_allow_nothing_evil),
		TEST(a_killed_monitor_comes_back_by_itself),
	};

	if (argc < 3) {
		fputs("usage: test_life_broker BUILD SOURCE [TEST]\n", stderr);
		return 2;
	}
	if (geteuid() != 0) {
		puts("skipped: needs root (a mount of its own, fanotify)");
		return 77;
	}
	build = argv[1];
	source = argv[2];
	cmocka_set_test_filter(argc > 3 ? argv[3] : NULL);
	return cmocka_run_group_tests(list, NULL, NULL);
}
