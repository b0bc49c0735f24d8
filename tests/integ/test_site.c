/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Does a site's own version reach its hosts by a file that is carried to them,
 * under the site's key and lease alone; does nothing else that is carried do
 * any harm; and does `bailey content check` make a real updater look at once?
 *
 * All parts are real: `bailey run` with agent and updater, a vendor, a web
 * server. The tests are one story: each goes on where the one before ended.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/ns_proc.h"
#include "lib/site.h"
#include "lib/vendor.h"
#include "lib/web.h"
#include "test_life_host.h"

#define WAIT_MS 20000
#define FIELDS 21
#define EVIL "when 1 is /eicar deny\n"
#define HOUR 3600u

static const char *build, *source;
static struct host host;
static struct vendor vendor;
static struct web *web;
static struct key *site_key, *other_key;

static void path_of(const char *name, char ret_path[200])
{
	snprintf(ret_path, 200, "%s/%s", host.env.base, name);
}

static void put(const char *name, const char *text)
{
	char path[200];
	FILE *out;

	path_of(name, path);
	out = fopen(path, "we");
	assert_non_null(out);
	fputs(text, out);
	assert_int_equal(fclose(out), 0);
}

static void folder(const char *name)
{
	char path[200];

	path_of(name, path);
	assert_int_equal(mkdir(path, 0755), 0);
}

__attribute__((format(printf, 1, 2))) static int shell(const char *format, ...)
{
	char command[640];
	va_list list;

	va_start(list, format);
	vsnprintf(command, sizeof(command), format, list);
	va_end(list);
	return system(command);
}

/* ---- what the host says ---- */

static const char *cli(int *ret_code, const char *const *words)
{
	static char text[1 << 18];

	*ret_code = host_cli(&host, text, sizeof(text), words);
	return text;
}

#define CLI(code, ...) cli(code, (const char *const[]){ __VA_ARGS__, NULL })

static json_t *show(void)
{
	int code;

	return json_loads(CLI(&code, "content", "show", "brittle", "--json"),
			  0, NULL);
}

/* A member of the product (name null), or of a version. */
static void member(const char *name, const char *key, char ret_text[256])
{
	json_t *all = show(), *row;
	size_t i;

	ret_text[0] = '\0';
	json_array_foreach(json_object_get(all, name ? "versions"
						     : "products"), i, row) {
		if (!name || strcmp(host_text(row, "version"), name) == 0) {
			snprintf(ret_text, 256, "%s", host_text(row, key));
		}
	}
	json_decref(all);
}

static void wait_member(const char *name, const char *key, const char *text)
{
	uint64_t end = ns_now_ns() + WAIT_MS * 1000000ull;
	char got[256];
	int code;

	do {
		member(name, key, got);
		if (strcmp(got, text) == 0) {
			return;
		}
		ns_sleep_ms(20);
	} while (ns_now_ns() < end);
	host_show_log(&host);
	fprintf(stderr, "%s\n", CLI(&code, "content", "why", "brittle"));
	fprintf(stderr, "%s\n", CLI(&code, "content", "show", "brittle"));
	fail_msg("%s of %s is \"%s\", not \"%s\"", key,
		 name ? name : "brittle", got, text);
}

/* Until the product's trouble says so. */
static void wait_says(const char *text)
{
	uint64_t end = ns_now_ns() + WAIT_MS * 1000000ull;
	const char *got;
	int code;

	do {
		got = CLI(&code, "content", "show", "brittle", "--json");
		if (strstr(got, text)) {
			return;
		}
		ns_sleep_ms(20);
	} while (ns_now_ns() < end);
	fail_msg("does not say \"%s\": %s", text, got);
}

/* ---- the site ---- */

static const struct site_version own = {
	.product = "brittle", .schema = "brittle/1", .name = "own",
	.rules = EVIL "when 1 is /secret deny\n# of the site\n",
	.number = 1001, .fields = FIELDS, .bake_s = 1, .min_events = 5,
	.corpus = { { HOST_EICAR, "evil\n", true },
		    { "good", "innocent\n", false } },
	.lease_s = HOUR,
};

/* Signed at the site, and made one file there. */
static void export(const struct site_version *v, const struct key *key)
{
	char at[200], bundle[200];
	uint8_t hash[32];
	int code;

	path_of("site", at);
	path_of("bundle", bundle);
	assert_int_equal(shell("rm -rf '%s' '%s'", at, bundle), 0);
	site_write(at, v, key, hash);
	(void)CLI(&code, "content", "export", bundle, "--product", "brittle",
		  "--from", at);
	assert_int_equal(code, 0);
}

/* Carried over, and read there. The products of this `bailey run` are named on
 * its command line: for the import they stand in a configuration of its own. */
static int import(void)
{
	char bundle[200], etc[200];
	int code;

	path_of("bundle", bundle);
	path_of("etc-import", etc);
	(void)CLI(&code, "content", "import", bundle, "--etc", etc);
	return code;
}

static void stays_with(const char *version)
{
	char text[256];

	member(NULL, "version", text);
	assert_string_equal(text, version);
	(void)host_wait_open(&host, "good1", 0, WAIT_MS);
	(void)host_wait_open(&host, HOST_EICAR, EPERM, WAIT_MS);
}

/* ---- the story ---- */

static void release(const char *name)
{
	char content[200], corpus[200], file[64], text[128];
	const struct vendor_version version = {
		.name = name, .schema = "brittle/1", .fields = FIELDS,
		.content = content, .corpus = corpus, .bake = "1s",
		.events = 5,
	};

	snprintf(file, sizeof(file), "content-%s", name);
	folder(file);
	path_of(file, content);
	snprintf(file, sizeof(file), "content-%s/rules", name);
	snprintf(text, sizeof(text), EVIL "# %s\n", name);
	put(file, text);
	path_of("corpus", corpus);
	assert_int_equal(vendor_release(&vendor, &version), 0);
}

static void the_vendors_version_is_good(void **state)
{
	(void)state;
	wait_member("first", "state", "good");
	wait_member(NULL, "version", "first");
	stays_with("first");
	assert_int_equal(host_open(&host, "secret", NULL), 0);
}

/* The lease says ten seconds. */
static void check_makes_the_updater_look_at_once(void **state)
{
	uint64_t from;
	int code;

	(void)state;
	release("second");
	web_forget(web);
	from = ns_now_ns();
	(void)CLI(&code, "content", "check", "brittle", "--timeout", "5s");
	while (web_asked(web, "timestamp.json") == 0) {
		assert_true(ns_now_ns() - from < 5000000000ull);
		ns_sleep_ms(10);
	}
	wait_member("second", "state", "good");
	print_message("  asked for, fetched, tried, good: %.1f s\n",
		      (double)(ns_now_ns() - from) / 1e9);
	stays_with("second");
}

/* Whoever carries it may be anybody. */
static void what_another_key_signed_is_refused(void **state)
{
	(void)state;
	export(&own, other_key);
	assert_int_equal(import(), 0);
	wait_says("no key of site-keys.d signed it");
	stays_with("second");
}

static void what_was_changed_on_the_way_is_refused(void **state)
{
	char bundle[200];

	(void)state;
	export(&own, site_key);
	path_of("bundle", bundle);
	/* the last byte is of version.json */
	assert_int_equal(shell("truncate -s -1 '%s' && printf X >>'%s'",
				  bundle, bundle), 0);
	assert_int_not_equal(import(), 0);
	stays_with("second");
	assert_int_equal(shell("truncate -s -9 '%s'", bundle), 0);
	assert_int_not_equal(import(), 0);
	stays_with("second");
}

static void what_has_expired_is_refused(void **state)
{
	struct site_version late = own;

	(void)state;
	late.until = "2020-01-01T00:00:00Z";
	export(&late, site_key);
	assert_int_equal(import(), 0);
	wait_says("site.json has expired");
	stays_with("second");
}

/* Longer than the design allows, whoever signs it. */
static void a_lease_of_a_hundred_days_is_none(void **state)
{
	struct site_version long_one = own;
	char text[256];

	(void)state;
	long_one.lease_s = 100 * 24 * HOUR;
	export(&long_one, site_key);
	assert_int_equal(import(), 0);
	wait_says("lease: ");
	member("own", "state", text);
	assert_string_not_equal(text, "trial");
	stays_with("second");
}

static void the_sites_version_is_tried_and_becomes_good(void **state)
{
	uint64_t from = ns_now_ns();

	(void)state;
	export(&own, site_key);
	assert_int_equal(import(), 0);
	wait_member(NULL, "version", "own");
	/* it is asked now: what only the site's rules deny */
	(void)host_wait_open(&host, "secret", EPERM, WAIT_MS);
	wait_member("own", "state", "good");
	print_message("  carried, tried, good: %.1f s\n",
		      (double)(ns_now_ns() - from) / 1e9);
	stays_with("own");
}

/* What the vendor's lease names is older than what the site's does. */
static void the_vendors_next_one_does_not_take_its_place(void **state)
{
	int code;

	(void)state;
	release("third");
	web_forget(web);
	(void)CLI(&code, "content", "check", "brittle", "--timeout", "5s");
	for (int ms = 0; web_asked(web, "timestamp.json") == 0; ms += 10) {
		assert_true(ms < WAIT_MS);
		ns_sleep_ms(10);
	}
	ns_sleep_ms(1000);
	stays_with("own");
}

static void one_that_denies_all_does_not_get_through(void **state)
{
	struct site_version bad = own;

	(void)state;
	bad.name = "bad";
	bad.number++;
	bad.rules = "when 1 is * deny\n";
	export(&bad, site_key);
	assert_int_equal(import(), 0);
	wait_member("bad", "state", "quarantined");
	stays_with("own");
	assert_int_equal(host_open(&host, "secret", NULL), EPERM);
}

/* ---- the stage ---- */

static void make_manifest(char ret_path[200])
{
	char text[2048];

	path_of("brittle.ini", ret_path);
	snprintf(text, sizeof(text), "[product]\nname = brittle\nexec = "
		 "%s/products/brittle/brittle\n"
		 "[events]\nask = file.open process.exec\n"
		 "[policy]\nmode = enforce\ndeadline_ms = open:200 exec:500\n"
		 "deadline_max_ms = 1000\nstart_s = 10\n"
		 "max_denials = 40 in 1s\nhold = 64\n[see]\nfiles = all\n"
		 "[jail]\nprofile = c\nmemory = 32M\ntasks = 4\nfiles = 64\n"
		 "[content]\npath = %s/base\nurl = %s/brittle\n"
		 "root = %s/root.json\nreload = parallel\n", build,
		 host.env.base, web->url, host.env.base);
	put("brittle.ini", text);
}

static void make_keys(void)
{
	char path[200];

	assert_int_equal(key_generate(KEY_ED25519, &site_key), 0);
	assert_int_equal(key_generate(KEY_ED25519, &other_key), 0);
	snprintf(path, sizeof(path), "%s/site-keys.d", host.etc);
	assert_int_equal(mkdir(path, 0755), 0);
	snprintf(path, sizeof(path), "%s/site-keys.d/site.json", host.etc);
	site_write_key(path, site_key);
}

static int group_setup(void **state)
{
	char manifest[200], path[200];

	(void)state;
	unsetenv("http_proxy");
	host_make(&host, build, source);
	assert_int_equal(vendor_host(host.etc), 0);
	make_keys();
	host_write(&host, "secret", "secret", 6);
	folder("base");
	put("base/rules", EVIL);
	folder("corpus");
	folder("corpus/deny");
	folder("corpus/allow");
	put("corpus/deny/" HOST_EICAR, "evil\n");
	put("corpus/allow/good", "innocent\n");
	folder(VENDOR_WEB);
	path_of(VENDOR_WEB, path);
	web = web_new(path);
	make_manifest(manifest);
	assert_int_equal(vendor_init(&vendor, build, host.env.base, "brittle",
				     manifest), 0);
	release("first");
	path_of("root.json", path);
	assert_int_equal(vendor_root(&vendor, path), 0);
	folder("etc-import");
	folder("etc-import/products.d");
	put("etc-import/bailey.conf", "[products]\nenable = brittle\n");
	path_of("etc-import/products.d", path);
	assert_int_equal(shell("cp '%s' '%s'", manifest, path), 0);
	host_argument(&host, "--product");
	host_argument(&host, manifest);
	host_run(&host);
	host_wait_text(&host, "brittle", "state", "serving", WAIT_MS);
	(void)host_wait_open(&host, HOST_EICAR, EPERM, WAIT_MS);
	host_load_start(&host);
	return 0;
}

static int group_teardown(void **state)
{
	(void)state;
	key_free(site_key);
	key_free(other_key);
	web_free(web);
	host_load_stop(&host);
	host_end(&host);
	return 0;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_vendors_version_is_good),
		cmocka_unit_test(check_makes_the_updater_look_at_once),
		cmocka_unit_test(what_another_key_signed_is_refused),
		cmocka_unit_test(what_was_changed_on_the_way_is_refused),
		cmocka_unit_test(what_has_expired_is_refused),
		cmocka_unit_test(a_lease_of_a_hundred_days_is_none),
		cmocka_unit_test(the_sites_version_is_tried_and_becomes_good),
		cmocka_unit_test(
			the_vendors_next_one_does_not_take_its_place),
		cmocka_unit_test(one_that_denies_all_does_not_get_through),
	};

	if (argc < 3) {
		fputs("usage: test_site BUILD SOURCE [TEST]\n", stderr);
		return 2;
	}
	if (geteuid() != 0) {
		puts("skipped: needs root (a mount of its own, fanotify)");
		return 77;
	}
	build = argv[1];
	source = argv[2];
	cmocka_set_test_filter(argc > 3 ? argv[3] : NULL);
	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
