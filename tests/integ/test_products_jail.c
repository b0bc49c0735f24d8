/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Do the products work in the real jail, with their real manifests, and does
 * the jail hold rogue?
 *
 * The helper starts them as it does for the monitor; the fake broker speaks
 * for the engine. No mark is placed anywhere.
 */
#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/jail_monitor.h"
#include "lib/run_product.h"

static struct jail_monitor monitor;
static const char *scan_ini, *rogue_ini;

struct guest {
	struct jail_started started;
	struct run run;
	char content[64];
	double ready_ms;
};

static void read_manifest(const char *path, struct manifest *ret_manifest)
{
	static char text[16384];
	struct manifest_error error = { "" };
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = read(fd, text, sizeof(text));

	assert_true(n > 0);
	close(fd);
	manifest_defaults(ret_manifest);
	if (manifest_parse(text, (size_t)n, path, ret_manifest, &error) < 0 ||
	    manifest_check(ret_manifest, path, &error) < 0) {
		fail_msg("%s", error.text);
	}
}

/* In its jail, connected to a fake engine, ready. mode: of rogue, else null. */
static void start(struct guest *ret_guest, const char *ini, const char *mode)
{
	struct guest *g = ret_guest;
	struct fake_script script = { 0 };
	double began = run_now_ms();
	struct manifest m;

	memset(g, 0, sizeof(*g));
	read_manifest(ini, &m);
	if (mode != NULL) {
		snprintf(m.argument[0], sizeof(m.argument[0]), "%s", mode);
	}
	jail_start(&monitor, &m, &g->started);
	assert_int_equal(g->started.error, 0);
	if (g->started.directory[BAILEY_DIRECTORY_CONTENT] >= 0) {
		snprintf(g->content, sizeof(g->content), "/proc/self/fd/%d",
			 g->started.directory[BAILEY_DIRECTORY_CONTENT]);
		script.directories = 1u << BAILEY_DIRECTORY_CONTENT;
		script.directory = g->content;
	}
	script.session = g->started.session;
	fcntl(script.session, F_SETFL, 0);
	g->started.session = -1;        /* the fake's now */
	g->run.fake = fake_start(&script);
	g->run.pid = g->started.pid;
	g->run.next_id = 1;
	fake_await(g->run.fake, WIRE_REQUEST_READY, 1);
	g->ready_ms = run_now_ms() - began;
}

static void stop(struct guest *guest)
{
	(void)jail_stop(&guest->started);
	fake_stop(guest->run.fake);
}

static int file_of(const char *head, const char *tail)
{
	int low = memfd_create("sample", MFD_CLOEXEC);
	int fd = fcntl(low, F_DUPFD_CLOEXEC, 64);

	assert_true(low >= 0 && fd >= 0);
	close(low);
	assert_int_equal(pwrite(fd, head, strlen(head), 0),
			 (ssize_t)strlen(head));
	assert_int_equal(pwrite(fd, tail, strlen(tail), (off_t)strlen(head)),
			 (ssize_t)strlen(tail));
	return fd;
}

static void does_scan_judge_in_its_jail(void **state)
{
	int evil = file_of("X5O!P%@AP[4\\PZX54(P^)7CC)7}$EICAR-STANDARD",
			   "-ANTIVIRUS-TEST-FILE!$H+H*");
	int good = file_of("#!/bin/sh\n", "echo hello\n");
	struct wire_answer answer;
	struct guest g;

	start(&g, scan_ini, NULL);
	run_ask(&g.run, 0, "/evil", evil, 2000);
	answer = run_answer(&g.run, WIRE_ANSWER_VERDICT);
	assert_int_equal(answer.verdict, BAILEY_VERDICT_DENY);
	assert_string_equal(answer.finding.rule, "eicar_test_file");
	run_ask(&g.run, 1, "/good", good, 2000);
	answer = run_answer(&g.run, WIRE_ANSWER_VERDICT);
	assert_int_equal(answer.verdict, BAILEY_VERDICT_ALLOW);
	assert_non_null(strstr(g.run.fake->logged, " 0 files left out"));
	print_message("in the jail: ready after %.0f ms, of which helper and "
		      "jail %.0f ms; it says: %s", g.ready_ms,
		      (double)g.started.took_us / 1000, g.run.fake->logged);
	stop(&g);
	close(evil);
	close(good);
}

/* All that the mode tries on a descriptor is refused; it still allows. */
static void check_refused(const char *mode, unsigned tries)
{
	int file = file_of("some ", "content");
	struct wire_answer answer;
	unsigned refused = 0;
	struct guest g;

	start(&g, rogue_ini, mode);
	run_ask(&g.run, 0, "/a", file, 2000);
	answer = run_answer(&g.run, WIRE_ANSWER_VERDICT);
	assert_int_equal(answer.verdict, BAILEY_VERDICT_ALLOW);
	fake_await(g.run.fake, WIRE_REQUEST_LOG, tries);
	if (strstr(g.run.fake->logged, "NOT REFUSED") != NULL) {
		fail_msg("%s: %s", mode, g.run.fake->logged);
	}
	for (const char *at = g.run.fake->logged;
	     (at = strstr(at, ": refused")) != NULL; at++) {
		refused++;
	}
	assert_int_equal(refused, tries);
	assert_int_equal(lseek(file, 0, SEEK_CUR), 0);
	stop(&g);
	close(file);
}

static void are_descriptors_safe_from_rogue(void **state)
{
	check_refused("lock", 3);
	check_refused("seek", 3);
}

static void is_the_events_region_read_only(void **state)
{
	check_refused("remap", 2);
}

/* Processes of this name, as the host sees them. */
static unsigned rogues(void)
{
	DIR *proc = opendir("/proc");
	const struct dirent *entry;
	char path[300], comm[32];
	unsigned count = 0;

	while ((entry = readdir(proc)) != NULL) {
		ssize_t n;
		int fd;

		snprintf(path, sizeof(path), "/proc/%s/comm", entry->d_name);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		n = fd >= 0 ? read(fd, comm, sizeof(comm)) : -1;
		count += n == 6 && memcmp(comm, "rogue\n", 6) == 0;
		if (fd >= 0) {
			close(fd);
		}
	}
	closedir(proc);
	return count;
}

/* rogue.ini says tasks = 16; the monitor's own child is not among them. */
static void does_a_fork_bomb_stay_within_its_tasks(void **state)
{
	unsigned before = rogues();
	unsigned most = 0;
	struct guest g;

	start(&g, rogue_ini, "fork-bomb");
	run_ask(&g.run, 0, "/a", -1, 100);
	for (int i = 0; i < 50; i++) {
		unsigned now = rogues() - before;

		most = now > most ? now : most;
		usleep(10000);
	}
	assert_null(strstr(g.run.fake->logged, "not outside a jail"));
	assert_true(most > 1 && most <= 16);
	stop(&g);
	for (int i = 0; i < 200 && rogues() > before; i++) {
		usleep(10000);
	}
	assert_int_equal(rogues(), before);
}

static void is_memory_without_end_ended(void **state)
{
	struct guest g;
	int status;

	start(&g, rogue_ini, "alloc");
	run_ask(&g.run, 0, "/a", -1, 100);
	/* A memory cgroup kills it; without one it is said in doctor. */
	if (g.started.doctor_missing == 0) {
		status = run_wait(&g.run);
		assert_true(WIFSIGNALED(status));
		assert_int_equal(WTERMSIG(status), SIGKILL);
		g.started.pid = 0;
	} else {
		print_message("SKIP: a measure is missing here\n");
	}
	stop(&g);
}

/* As process 1 it cannot be stopped from inside: it finds another way. */
static void does_stop_fall_silent_and_die(void **state)
{
	struct guest g;
	int status;

	start(&g, rogue_ini, "stop");
	run_ask(&g.run, 0, "/a", -1, 100);
	assert_false(run_hears(&g.run, WIRE_ANSWER_VERDICT, 300));
	status = jail_stop(&g.started);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	fake_stop(g.run.fake);
}

/* Faults of process 1 of a pid namespace kill it all the same. */
static void do_crashes_crash_in_a_jail(void **state)
{
	static const char *const modes[] = { "segfault", "abort", "crash-on" };
	struct guest g;
	int status;

	for (unsigned i = 0; i < 3; i++) {
		start(&g, rogue_ini, modes[i]);
		run_ask(&g.run, 0, "/evil", -1, 100);
		status = run_wait(&g.run);
		assert_true(WIFSIGNALED(status));
		g.started.pid = 0;
		stop(&g);
	}
}

static int begin(void **state)
{
	jail_monitor_init(&monitor);
	return 0;
}

static int end(void **state)
{
	return jail_monitor_fini(&monitor) ? 0 : -1;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(does_scan_judge_in_its_jail),
		cmocka_unit_test(are_descriptors_safe_from_rogue),
		cmocka_unit_test(is_the_events_region_read_only),
		cmocka_unit_test(does_a_fork_bomb_stay_within_its_tasks),
		cmocka_unit_test(is_memory_without_end_ended),
		cmocka_unit_test(does_stop_fall_silent_and_die),
		cmocka_unit_test(do_crashes_crash_in_a_jail),
	};

	if (geteuid() != 0) {
		printf("SKIP: needs root\n");
		return 77;
	}
	alarm(110);
	scan_ini = argv[1];
	rogue_ini = argv[2];
	return cmocka_run_group_tests(tests, begin, end);
}
