/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_updater_bundle.c - does content cross an air gap as if it had been
 * fetched, and no other way?
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/updater_host.h"
#include "lib/web.h"

struct world {
	struct content_repo *repo;
	struct web *web;
	struct updater_host *outside, *inside;
	char bundle[96];
};

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	w->repo = content_repo_new();
	content_repo_add(w->repo, "code", 1, NULL, 0);
	content_repo_add(w->repo, "data", 1, NULL, 0);
	content_repo_release(w->repo, "code", 1, 30);
	content_repo_publish(w->repo);
	w->web = web_new(w->repo->dir);
	w->outside = updater_host_new(w->repo, w->web->url);
	w->inside = updater_host_new(w->repo, NULL);
	snprintf(w->bundle, sizeof(w->bundle), "%s/bundle", w->repo->dir);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	web_free(w->web);
	updater_host_free(w->outside);
	updater_host_free(w->inside);
	content_repo_free(w->repo);
	free(w);
	return 0;
}

/* The program with a redirection, as `bailey content` starts it. */
__attribute__((format(printf, 2, 3)))
static void updater(int status, const char *format, ...)
{
	char command[1024], rest[768];
	va_list list;
	int r;

	va_start(list, format);
	vsnprintf(rest, sizeof(rest), format, list);
	va_end(list);
	snprintf(command, sizeof(command), "'%s' %s", getenv("BAILEY"), rest);
	r = system(command);
	if (!WIFEXITED(r) || WEXITSTATUS(r) != status) {
		fail_msg("%s: %d, not %d", command, r, status);
	}
}

static void import(const struct world *w, int status)
{
	updater(status, "--import --state '%s' --etc '%s' < '%s' 2>'%s.err'",
		w->inside->dir, w->inside->etc, w->bundle, w->bundle);
}

static void assert_said(const struct world *w, const char *text)
{
	char path[128], said[4096] = "";
	FILE *file;

	snprintf(path, sizeof(path), "%s.err", w->bundle);
	file = fopen(path, "re");
	assert_non_null(file);
	said[fread(said, 1, sizeof(said) - 1, file)] = '\0';
	fclose(file);
	if (!strstr(said, text)) {
		fail_msg("no \"%s\" in: %s", text, said);
	}
}

static void assert_inside(const struct world *w, long version, unsigned whole)
{
	unsigned found;

	assert_int_equal(updater_host_verify(w->inside, &found), version);
	assert_int_equal(found, whole);
}

static void export_outside(const struct world *w)
{
	struct run_cli *run = updater_host_once(w->outside);

	assert_int_equal(run->status, 0);
	free(run);
	updater(0, "--export --product scan --state '%s' > '%s'",
		w->outside->dir, w->bundle);
}

static void from_staging_to_a_host_without_network(void **state)
{
	struct world *w = *state;
	json_t *status;

	content_repo_rotate(w->repo);
	content_repo_publish(w->repo);
	export_outside(w);
	import(w, 0);
	assert_inside(w, 2, 2);
	status = updater_host_status(w->inside);
	assert_int_equal(json_integer_value(json_object_get(status, "error")),
			 0);
	json_decref(status);
	/* a second one brings the difference, and goes over the first */
	content_repo_add(w->repo, "code", 2, NULL, 0);
	content_repo_publish(w->repo);
	export_outside(w);
	import(w, 0);
	assert_inside(w, 3, 3);
}

static void from_a_publishers_folder(void **state)
{
	struct world *w = *state;

	updater(0, "--export --product scan --from '%s' > '%s'", w->repo->dir,
		w->bundle);
	import(w, 0);
	assert_inside(w, 1, 2);
	updater(1, "--export --product scan --from /usr > '%s' 2>'%s.err'",
		w->bundle, w->bundle);
	assert_said(w, "1.root.json");
}

static void an_older_bundle_is_refused(void **state)
{
	struct world *w = *state;
	char command[256];

	export_outside(w);
	snprintf(command, sizeof(command), "cp '%s' '%s.old'", w->bundle,
		 w->bundle);
	assert_int_equal(system(command), 0);
	content_repo_publish(w->repo);
	export_outside(w);
	import(w, 0);
	snprintf(command, sizeof(command), "mv '%s.old' '%s'", w->bundle,
		 w->bundle);
	assert_int_equal(system(command), 0);
	import(w, 1);
	assert_inside(w, 2, 2);
}

static void anothers_or_a_damaged_bundle_is_refused(void **state)
{
	struct world *w = *state;
	struct content_repo *other = content_repo_new();
	char command[512];

	content_repo_add(other, "code", 9, NULL, 0);
	content_repo_publish(other);
	updater(0, "--export --product scan --from '%s' > '%s'", other->dir,
		w->bundle);
	import(w, 1);
	assert_said(w, "scan: ");
	assert_inside(w, 0, 0);
	content_repo_free(other);
	export_outside(w);
	snprintf(command, sizeof(command), "printf x | dd of='%s' bs=1 "
		 "seek=$(($(stat -c %%s '%s') - 3)) conv=notrunc 2>/dev/null",
		 w->bundle, w->bundle);
	assert_int_equal(system(command), 0);
	import(w, 1);
	assert_said(w, "damaged");
	assert_inside(w, 0, 0);
	snprintf(command, sizeof(command), "truncate -s -5 '%s'", w->bundle);
	assert_int_equal(system(command), 0);
	import(w, 1);
	assert_said(w, "it ends too early");
	snprintf(command, sizeof(command), "head -c 9999 /dev/urandom > '%s'",
		 w->bundle);
	assert_int_equal(system(command), 0);
	import(w, 1);
	assert_said(w, "no bundle");
	assert_inside(w, 0, 0);
}

/* What a site signed for its own hosts: no metadata, another signature. */
static void a_sites_version_crosses_and_stays(void **state)
{
	struct world *w = *state;
	struct updater_host *in = w->inside;
	char site[128], command[1024];

	snprintf(site, sizeof(site), "%s/site", w->repo->dir);
	snprintf(command, sizeof(command), "mkdir -p '%s/targets' && cp -r "
		 "'%s/targets/blob' '%s/targets/' && cp '%s'/targets/content/"
		 "scan/code/*.1.json '%s/version.json' && echo '{\"signed\":"
		 "{}}' > '%s/site.json'", site, w->repo->dir, site,
		 w->repo->dir, site, site);
	assert_int_equal(system(command), 0);
	updater(0, "--export --product scan --from '%s' > '%s'", site,
		w->bundle);
	import(w, 0);
	snprintf(command, sizeof(command), "cd '%s' && cmp site.json "
		 "'%s/site.json' && cmp version.json '%s/version.json' && "
		 "test $(ls targets/blob | wc -l) = 1", in->scan, site, site);
	assert_int_equal(system(command), 0);
	/* a generation after it leaves its files where they are */
	content_repo_add(w->repo, "code", 7, NULL, 0);
	content_repo_publish(w->repo);
	content_repo_publish(w->repo);
	updater(0, "--export --product scan --from '%s' > '%s'", w->repo->dir,
		w->bundle);
	import(w, 0);
	snprintf(command, sizeof(command), "cd '%s' && cmp site.json "
		 "'%s/site.json' && for f in '%s'/targets/blob/*; do test -f "
		 "targets/blob/${f##*/} || exit 1; done", in->scan, site, site);
	assert_int_equal(system(command), 0);
	/* a blob that is not what version.json lists */
	snprintf(command, sizeof(command), "rm -rf '%s' && cd '%s' && for f "
		 "in targets/blob/*; do echo x > $f; done", in->scan, site);
	assert_int_equal(system(command), 0);
	updater(0, "--export --product scan --from '%s' > '%s'", site,
		w->bundle);
	import(w, 1);
	assert_said(w, "blob");
	snprintf(command, sizeof(command), "test ! -e '%s/site.json'",
		 in->scan);
	assert_int_equal(system(command), 0);
}

static void a_product_that_is_not_here_is_named(void **state)
{
	struct world *w = *state;

	export_outside(w);
	updater_host_file(w->inside, "etc/bailey.conf", "");
	import(w, 1);
	assert_said(w, "the bundle is for scan");
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(from_staging_to_a_host_without_network),
		T(from_a_publishers_folder),
		T(an_older_bundle_is_refused),
		T(anothers_or_a_damaged_bundle_is_refused),
		T(a_sites_version_crosses_and_stays),
		T(a_product_that_is_not_here_is_named),
	};

	unsetenv("http_proxy");
	unsetenv("all_proxy");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
