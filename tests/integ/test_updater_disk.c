/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_updater_disk.c - a full disk, and one that became read-only: is the
 * reason told, the mirror whole, and the next try good?
 *
 * Staging is a small tmpfs in a private mount namespace.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/updater_host.h"
#include "lib/web.h"

#define BIG (6u << 20)

struct world {
	struct content_repo *repo;
	struct web *web;
	struct updater_host *host;
	char staging[96];
	char *big;
};

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	w->repo = content_repo_new();
	content_repo_add(w->repo, "code", 1, NULL, 0);
	content_repo_publish(w->repo);
	w->web = web_new(w->repo->dir);
	w->host = updater_host_new(w->repo, w->web->url);
	w->big = calloc(1, BIG);
	snprintf(w->staging, sizeof(w->staging), "%s/staging", w->host->dir);
	assert_int_equal(mkdir(w->staging, 0750), 0);
	assert_int_equal(mount("staging", w->staging, "tmpfs", 0,
			       "size=36m,mode=0750"), 0);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	assert_int_equal(umount2(w->staging, MNT_DETACH), 0);
	web_free(w->web);
	updater_host_free(w->host);
	content_repo_free(w->repo);
	free(w->big);
	free(w);
	return 0;
}

static void once(const struct world *w, int status, const char *says)
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

	assert_string_equal(json_string_value(json_object_get(status, "step")),
			    step);
	assert_int_equal(json_integer_value(json_object_get(status, "error")),
			 error);
	json_decref(status);
}

static long verify(const struct world *w, unsigned whole)
{
	unsigned found;
	long version = updater_host_verify(w->host, &found);

	assert_int_equal(found, whole);
	return version;
}

/* Takes what is free of the tmpfs, but leave bytes. */
static void fill(const struct world *w, size_t leave)
{
	char path[160];
	off_t size = 0;
	int fd;

	snprintf(path, sizeof(path), "%s/filler", w->staging);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	for (;;) {
		ssize_t n = write(fd, w->big, 65536);

		if (n <= 0) {
			break;
		}
		size += n;
	}
	assert_int_equal(ftruncate(fd, size - (off_t)leave), 0);
	close(fd);
}

static void empty(const struct world *w)
{
	char path[160];

	snprintf(path, sizeof(path), "%s/filler", w->staging);
	assert_int_equal(unlink(path), 0);
}

/* Before it begins, not when the disk is full for everybody. */
static void a_version_that_does_not_fit_says_so(void **state)
{
	struct world *w = *state;
	const struct content_repo_file file = { "big", w->big, BIG };

	once(w, 0, NULL);
	content_repo_add(w->repo, "code", 2, &file, 1);
	content_repo_publish(w->repo);
	once(w, 1, "do not fit");
	assert_status(w, "disk", ENOSPC);
	assert_int_equal(verify(w, 1), 2);
	assert_int_equal(mount("staging", w->staging, "tmpfs", MS_REMOUNT,
			       "size=80m"), 0);
	once(w, 0, NULL);
	assert_int_equal(verify(w, 2), 2);
}

static void a_full_disk_leaves_the_mirror_as_it_was(void **state)
{
	static const size_t left[] = { 0, 4096, 3 * 4096, 6 * 4096, 9 * 4096,
				       12 * 4096, 15 * 4096, 18 * 4096 };
	struct world *w = *state;
	unsigned whole;
	size_t i;

	once(w, 0, NULL);
	content_repo_add(w->repo, "code", 2, NULL, 0);
	content_repo_publish(w->repo);
	for (i = 0; i < sizeof(left) / sizeof(left[0]); i++) {
		long version;

		fill(w, left[i]);
		once(w, 1, "scan: ");
		assert_status(w, "disk", ENOSPC);
		version = updater_host_verify(w->host, &whole);
		assert_true((version == 1 || version == 2) && whole >= 1);
		empty(w);
	}
	once(w, 0, NULL);
	assert_int_equal(verify(w, 2), 2);
}

static void a_read_only_disk_is_an_error_that_passes(void **state)
{
	struct world *w = *state;

	once(w, 0, NULL);
	content_repo_publish(w->repo);
	assert_int_equal(mount(NULL, w->staging, NULL, MS_REMOUNT | MS_BIND |
			       MS_RDONLY, NULL), 0);
	once(w, 2, "Read-only file system");
	assert_int_equal(verify(w, 1), 1);
	assert_int_equal(mount(NULL, w->staging, NULL, MS_REMOUNT | MS_BIND,
			       NULL), 0);
	once(w, 0, NULL);
	assert_int_equal(verify(w, 1), 2);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(a_version_that_does_not_fit_says_so),
		T(a_full_disk_leaves_the_mirror_as_it_was),
		T(a_read_only_disk_is_an_error_that_passes),
	};

	if (geteuid() != 0 || unshare(CLONE_NEWNS) < 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) {
		printf("needs root and a mount namespace of its own: %s\n",
		       strerror(errno));
		return 77;
	}
	alarm(90);
	unsetenv("http_proxy");
	unsetenv("all_proxy");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
