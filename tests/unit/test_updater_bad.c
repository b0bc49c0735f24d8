/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_updater_bad.c - whatever a repository, the disk or the configuration
 * does: is the reason told, the mirror untouched, and the next try good?
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/updater_host.h"
#include "lib/web.h"

struct world {
	struct content_repo *repo;
	struct web *web;
	struct updater_host *host;
};

/* A host with a good mirror of timestamp 1. */
static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	struct run_cli *run;

	w->repo = content_repo_new();
	content_repo_add(w->repo, "code", 1, NULL, 0);
	content_repo_release(w->repo, "code", 1, 30);
	content_repo_publish(w->repo);
	w->web = web_new(w->repo->dir);
	w->host = updater_host_new(w->repo, w->web->url);
	run = updater_host_once(w->host);
	assert_int_equal(run->status, 0);
	free(run);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	web_free(w->web);
	updater_host_free(w->host);
	content_repo_free(w->repo);
	free(w);
	return 0;
}

static void assert_once(const struct world *w, int status, const char *says)
{
	struct run_cli *run = updater_host_once(w->host);

	if (run->status != status || (says && !strstr(run->err, says))) {
		fail_msg("exit %d, not %d, or no \"%s\" in: %s", run->status,
			 status, says ? says : "", run->err);
	}
	free(run);
}

static void assert_status(const struct world *w, const char *step, int error)
{
	json_t *status = updater_host_status(w->host);
	const char *found = json_string_value(json_object_get(status, "step"));

	assert_string_equal(found ? found : "", step);
	if (error) {
		assert_int_equal(json_integer_value(json_object_get(
			status, "error")), error);
	}
	assert_true(!*step == !json_string_value(json_object_get(status,
								 "reason")));
	json_decref(status);
}

static void assert_mirror(const struct world *w, long version)
{
	unsigned whole;

	assert_int_equal(updater_host_verify(w->host, &whole), version);
	assert_true(whole >= 1);
}

/* ---- the repository ---- */

static void bad_metadata_leaves_the_mirror_as_it_was(void **state)
{
	static const struct {
		enum web_mischief mischief;
		const char *holds;
	} rows[] = {
		{ WEB_ABSENT, "timestamp.json" },
		{ WEB_ENDLESS, "timestamp.json" },
		{ WEB_CUT, "timestamp.json" },
		{ WEB_ROUND, "timestamp.json" },
		{ WEB_WRONG, "timestamp.json" },
		{ WEB_ENDLESS, "root.json" },
		{ WEB_ROUND, "root.json" },
		{ WEB_ABSENT, "snapshot.json" },
		{ WEB_ENDLESS, "snapshot.json" },
		{ WEB_WRONG, "targets.json" },
	};
	struct world *w = *state;
	size_t i;

	content_repo_add(w->repo, "code", 2, NULL, 0);
	content_repo_publish(w->repo);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		web_mischief(w->web, rows[i].mischief, rows[i].holds);
		assert_once(w, 1, NULL);
		assert_status(w, "metadata", 0);
		assert_mirror(w, 1);
	}
	web_mischief(w->web, WEB_GOOD, "");
	assert_once(w, 0, NULL);
	assert_status(w, "", 0);
	assert_mirror(w, 2);
}

/* A lease and a revocation are here although a blob is not. */
static void a_bad_blob_does_not_hold_metadata_up(void **state)
{
	static const struct {
		enum web_mischief mischief;
		int error;
	} rows[] = {
		{ WEB_ABSENT, ENOENT }, { WEB_WRONG, EBADMSG },
		{ WEB_ENDLESS, 0 }, { WEB_ROUND, 0 }, { WEB_SLOW, 0 },
	};
	struct world *w = *state;
	unsigned whole;
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		content_repo_add(w->repo, "code", 2 + (unsigned)i, NULL, 0);
		content_repo_publish(w->repo);
		web_mischief(w->web, rows[i].mischief, "/blob/");
		assert_once(w, 1, "blob");
		assert_status(w, "blob", rows[i].error);
		assert_mirror(w, 2 + (long)i);
	}
	web_mischief(w->web, WEB_GOOD, "");
	assert_once(w, 0, NULL);
	assert_int_equal(updater_host_verify(w->host, &whole), 6);
	assert_int_equal(whole, 4);     /* the lease's and the newest three */
}

static void a_bad_delegated_role_stops_no_other(void **state)
{
	struct world *w = *state;

	content_repo_add(w->repo, "code", 2, NULL, 0);
	content_repo_publish(w->repo);
	web_mischief(w->web, WEB_WRONG, "gate.json");
	assert_once(w, 1, "gate/scan.json");
	assert_status(w, "metadata", 0);
	assert_mirror(w, 2);
}

static void a_repository_that_is_gone_says_so(void **state)
{
	struct world *w = *state;

	web_free(w->web);
	w->web = NULL;
	assert_once(w, 1, NULL);
	assert_status(w, "metadata", ECONNREFUSED);
	assert_mirror(w, 1);
}

static void an_older_repository_is_refused(void **state)
{
	struct world *w = *state;

	content_repo_publish(w->repo);
	assert_once(w, 0, NULL);
	w->repo->version = 0;
	content_repo_publish(w->repo);
	assert_once(w, 1, NULL);
	assert_status(w, "metadata", ESTALE);
	assert_mirror(w, 2);
}

/* ---- the host ---- */

static void two_at_once_do_not_mix(void **state)
{
	struct world *w = *state;
	char path[160];
	int fd;

	snprintf(path, sizeof(path), "%s/lock", w->host->scan);
	fd = open(path, O_RDWR);
	assert_true(fd >= 0);
	assert_int_equal(flock(fd, LOCK_EX), 0);
	assert_once(w, 1, "another updater");
	assert_status(w, "", 0);        /* what the other one wrote */
	close(fd);
	assert_once(w, 0, NULL);
}

/* Somebody, or a broken disk, put something else in the way. */
static void what_stands_in_the_way_is_put_right(void **state)
{
	static const char *const commands[] = {
		"ln -sf /etc/passwd metadata/1.snapshot.json",
		"rm metadata/timestamp.json; mkfifo metadata/timestamp.json",
		"echo x > metadata/1.root.json",
		"rm -r targets; ln -s /tmp targets",
		"rm listed; mkdir listed",
		"rm -r trust/root.json",
		"for f in targets/blob/*; do echo x > $f; done",
		"rm -rf metadata targets trust listed root.first",
		"truncate -s 1T targets/blob/sparse",
	};
	struct world *w = *state;
	size_t i;

	for (i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		char command[512];
		struct run_cli *run;
		unsigned whole;

		snprintf(command, sizeof(command), "cd '%s' && %s",
			 w->host->scan, commands[i]);
		assert_int_equal(system(command), 0);
		run = updater_host_once(w->host);
		if (run->status != 0) {
			/* what it may not remove is said, and a person can */
			assert_non_null(strstr(run->err, "scan: "));
			snprintf(command, sizeof(command), "cd '%s' && rm -rf "
				 "targets listed", w->host->scan);
			assert_int_equal(system(command), 0);
			free(run);
			run = updater_host_once(w->host);
		}
		if (run->status != 0 ||
		    updater_host_verify(w->host, &whole) != 1 || whole != 1) {
			fail_msg("%s: %s", commands[i], run->err);
		}
		free(run);
	}
	assert_int_equal(access("/etc/passwd", R_OK), 0);
}

static void a_malformed_manifest_stops_no_other_product(void **state)
{
	struct world *w = *state;
	char path[160];

	updater_host_file(w->host, "etc/products.d/other.ini",
			  "[product]\nname = other\nexec = /bin/true\n"
			  "[content]\nurl = ftp://x\n");
	content_repo_publish(w->repo);
	assert_once(w, 1, "products.d/other.ini:5: url: `ftp://x' is not a");
	assert_mirror(w, 2);
	updater_host_file(w->host, "etc/products.d/other.ini", "");
	snprintf(path, sizeof(path), "%s/root.json", w->host->etc);
	assert_int_equal(chmod(path, 0666), 0);
	assert_once(w, 1, "writable by nobody else");
	assert_int_equal(chmod(path, 0644), 0);
}

/* A manifest that was dropped in makes no host call anywhere. */
static void what_is_not_enabled_is_not_fetched(void **state)
{
	struct world *w = *state;
	struct run_cli *run;

	updater_host_file(w->host, "etc/bailey.conf", "[products]\n");
	web_forget(w->web);
	assert_once(w, 0, NULL);
	assert_int_equal(w->web->seen->count, 0);
	run = RUN_CLI("--state", w->host->dir, "--etc", w->host->etc,
		      "--product", "scan", "--once");
	assert_int_equal(run->status, 0);
	assert_true(w->web->seen->count > 0);
	free(run);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(bad_metadata_leaves_the_mirror_as_it_was),
		T(a_bad_blob_does_not_hold_metadata_up),
		T(a_bad_delegated_role_stops_no_other),
		T(a_repository_that_is_gone_says_so),
		T(an_older_repository_is_refused),
		T(two_at_once_do_not_mix),
		T(what_stands_in_the_way_is_put_right),
		T(a_malformed_manifest_stops_no_other_product),
		T(what_is_not_enabled_is_not_fetched),
	};

	unsetenv("http_proxy");
	unsetenv("all_proxy");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
