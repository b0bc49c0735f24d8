/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_updater.c - does bailey-updater bring a repository to staging, only
 * what is new, whole at every instant, and what an agent can verify?
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/updater_host.h"
#include "lib/web.h"

#define BIG 300000u

struct world {
	struct content_repo *repo;
	struct web *web;
	struct updater_host *host;
	char *big;
};

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	size_t i;

	w->repo = content_repo_new();
	w->big = malloc(BIG);
	for (i = 0; i < BIG; i++) {
		w->big[i] = (char)(i * 7 + i / 251);
	}
	content_repo_add(w->repo, "code", 1, NULL, 0);
	content_repo_publish(w->repo);
	w->web = web_new(w->repo->dir);
	w->host = updater_host_new(w->repo, w->web->url);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	web_free(w->web);
	updater_host_free(w->host);
	content_repo_free(w->repo);
	free(w->big);
	free(w);
	return 0;
}

static void once(const struct world *w, int status)
{
	struct run_cli *run = updater_host_once(w->host);

	if (run->status != status) {
		fail_msg("exit %d, not %d: %s", run->status, status, run->err);
	}
	free(run);
}

static void assert_mirror(const struct world *w, long version, unsigned whole)
{
	unsigned found;

	assert_int_equal(updater_host_verify(w->host, &found), version);
	assert_int_equal(found, whole);
}

static void add_big(const struct world *w, const char *kind, unsigned number)
{
	char rules[32];
	struct content_repo_file files[] = {
		{ "big", w->big, BIG }, { "rules/new", rules, 0 },
	};

	files[1].length = (size_t)snprintf(rules, sizeof(rules), "%u\n",
					   number);
	content_repo_add(w->repo, kind, number, files, 2);
}

/* ---- what comes ---- */

static void the_first_try_makes_a_mirror_that_verifies(void **state)
{
	struct world *w = *state;
	json_t *status;

	content_repo_add(w->repo, "data", 1, NULL, 0);
	content_repo_release(w->repo, "code", 1, 30);
	content_repo_publish(w->repo);
	once(w, 0);
	assert_mirror(w, 2, 2);
	status = updater_host_status(w->host);
	assert_int_equal(json_integer_value(json_object_get(status, "error")),
			 0);
	assert_true(json_integer_value(json_object_get(status, "reached")) >
		    1700000000);
	assert_true(json_is_null(json_object_get(status, "step")));
	assert_true(json_integer_value(json_object_get(status, "staged")) > 0);
	json_decref(status);
}

static void a_second_try_asks_for_what_could_be_new(void **state)
{
	struct world *w = *state;

	once(w, 0);
	web_forget(w->web);
	once(w, 0);
	assert_int_equal(web_asked(w->web, "2.root.json"), 1);
	assert_int_equal(web_asked(w->web, "timestamp.json"), 1);
	assert_int_equal(w->web->seen->count, 2);
}

static void a_new_version_costs_its_difference(void **state)
{
	struct world *w = *state;

	add_big(w, "code", 2);
	content_repo_publish(w->repo);
	once(w, 0);
	assert_mirror(w, 2, 2);
	add_big(w, "code", 3);
	content_repo_publish(w->repo);
	web_forget(w->web);
	once(w, 0);
	assert_mirror(w, 3, 3);
	assert_int_equal(web_asked(w->web, "/blob/"), 1);
	assert_true(w->web->seen->bytes < BIG / 4);
}

static void every_root_since_the_first_is_there(void **state)
{
	struct world *w = *state;

	once(w, 0);
	content_repo_rotate(w->repo);
	content_repo_rotate(w->repo);
	content_repo_rotate(w->repo);
	content_repo_publish(w->repo);
	once(w, 0);
	assert_mirror(w, 2, 1);
}

/* What is not listed goes, but not before the generation after. */
static void what_nobody_lists_goes(void **state)
{
	struct world *w = *state;
	char old[160], junk[160], link[160];
	unsigned number;

	once(w, 0);
	content_repo_blob_path(w->repo, "rules of code 1\n", 16, old,
			       sizeof(old));
	snprintf(junk, sizeof(junk), "%s/targets/blob/%s", w->host->scan,
		 strrchr(old, '/') + 1);
	strcpy(old, junk);
	snprintf(junk, sizeof(junk), "%s/targets/junk", w->host->scan);
	snprintf(link, sizeof(link), "%s/metadata/link", w->host->scan);
	assert_int_equal(mkdir(junk, 0755), 0);
	assert_int_equal(symlink("/etc/passwd", link), 0);
	for (number = 2; number < 5; number++) {
		content_repo_add(w->repo, "code", number, NULL, 0);
	}
	content_repo_publish(w->repo);
	once(w, 0);
	assert_int_equal(access(old, F_OK), 0);
	assert_int_not_equal(access(junk, F_OK), 0);
	assert_int_not_equal(access(link, F_OK), 0);
	assert_int_equal(access("/etc/passwd", F_OK), 0);
	content_repo_publish(w->repo);
	once(w, 0);
	assert_int_not_equal(access(old, F_OK), 0);
	assert_mirror(w, 3, 3);
}

/* A version that the lease releases comes whole, however old it is. */
static void what_the_lease_releases_comes_whole(void **state)
{
	struct world *w = *state;
	unsigned number;

	for (number = 2; number < 9; number++) {
		content_repo_add(w->repo, "code", number, NULL, 0);
	}
	content_repo_release(w->repo, "code", 1, 30);
	content_repo_publish(w->repo);
	once(w, 0);
	assert_mirror(w, 2, 4);
}

/* ---- interruption ---- */

static void a_kill_at_any_instant_leaves_a_whole_mirror(void **state)
{
	struct world *w = *state;
	unsigned i, whole, number = 2;
	long last = 0, within_us = 60000;

	srandom(20261125);
	for (i = 0; i < 100; i++) {
		struct run_cli *run;
		long version;

		if (i % 10 == 5) {
			add_big(w, "code", number++);
			w->big[i]++;
			content_repo_publish(w->repo);
		}
		run = RUN_CLI_START("--state", w->host->dir, "--etc",
				    w->host->etc, "--once");
		usleep((useconds_t)(random() % within_us));
		kill(run->pid, SIGKILL);
		run_cli_wait(run);
		free(run);
		version = updater_host_verify(w->host, &whole);
		if (version < last) {
			fail_msg("kill %u: timestamp %ld after %ld", i,
				 version, last);
		}
		last = version;
		if (last == 0 && i % 10 == 9) {
			within_us *= 2;         /* a machine that is busy */
		}
	}
	assert_true(last > 0);          /* not all of them died too early */
	once(w, 0);
	assert_int_equal(updater_host_verify(w->host, &whole),
			 w->repo->version);
	assert_true(whole >= 3);        /* some of before may still be there */
}

static void a_blob_is_gone_on_with(void **state)
{
	struct world *w = *state;

	add_big(w, "code", 2);
	content_repo_publish(w->repo);
	web_mischief(w->web, WEB_CUT, "/blob/");
	once(w, 1);
	web_mischief(w->web, WEB_GOOD, "");
	web_forget(w->web);
	once(w, 0);
	assert_mirror(w, 2, 2);
	assert_true(w->web->seen->bytes < BIG * 3 / 4);
	/* a server without ranges: from the start, and right all the same */
	w->big[0]++;
	add_big(w, "code", 3);
	content_repo_publish(w->repo);
	web_mischief(w->web, WEB_CUT, "/blob/");
	once(w, 1);
	web_mischief(w->web, WEB_WHOLE, "/blob/");
	once(w, 0);
	assert_mirror(w, 3, 3);
}

static void a_part_that_is_wrong_is_fetched_anew(void **state)
{
	struct world *w = *state;
	char command[256];

	add_big(w, "code", 2);
	content_repo_publish(w->repo);
	web_mischief(w->web, WEB_CUT, "/blob/");
	once(w, 1);
	web_mischief(w->web, WEB_GOOD, "");
	snprintf(command, sizeof(command), "for f in "
		 "'%s'/targets/blob/*.part; do printf XX | dd of=\"$f\" "
		 "conv=notrunc 2>&1; done > /dev/null",
		 w->host->scan);
	assert_int_equal(system(command), 0);
	once(w, 0);
	assert_mirror(w, 2, 2);
}

/* ---- the process that stays ---- */

static void wait_asked(const struct world *w, const char *name, unsigned count)
{
	unsigned i;

	for (i = 0; i < 1500 && web_asked(w->web, name) < count; i++) {
		usleep(10000);
	}
	if (web_asked(w->web, name) < count) {
		fail_msg("%s was not asked for %u times", name, count);
	}
}

static void a_touch_of_check_is_a_try_and_sigterm_ends(void **state)
{
	struct world *w = *state;
	struct run_cli *run;
	char path[160];

	run = RUN_CLI_START("--state", w->host->dir, "--etc", w->host->etc);
	wait_asked(w, "timestamp.json", 1);
	wait_asked(w, "/blob/", 1);
	snprintf(path, sizeof(path), "%s/check", w->host->scan);
	assert_int_equal(utimensat(AT_FDCWD, path, NULL, 0), 0);
	wait_asked(w, "timestamp.json", 2);
	kill(run->pid, SIGTERM);
	run_cli_wait(run);
	assert_int_equal(run->status, 0);
	free(run);
	assert_mirror(w, 1, 1);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(the_first_try_makes_a_mirror_that_verifies),
		T(a_second_try_asks_for_what_could_be_new),
		T(a_new_version_costs_its_difference),
		T(every_root_since_the_first_is_there),
		T(what_nobody_lists_goes),
		T(what_the_lease_releases_comes_whole),
		T(a_kill_at_any_instant_leaves_a_whole_mirror),
		T(a_blob_is_gone_on_with),
		T(a_part_that_is_wrong_is_fetched_anew),
		T(a_touch_of_check_is_a_try_and_sigterm_ends),
	};

	unsetenv("http_proxy");
	unsetenv("all_proxy");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
