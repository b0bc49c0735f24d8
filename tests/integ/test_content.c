/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Does bad content of a vendor do any harm, whichever way it is bad?
 *
 * All parts are real: a vendor who signs and releases, a web server, and
 * `bailey run` with its updater and agent. The tests are one story: each goes
 * on where the one before ended, with `first` good. Users open files all the
 * time: innocent ones must open, eicar must not.
 *
 * Told once for each way to load new content. With `parallel` a former process
 * is there to be asked again. With `restart` and `live` there is none: while
 * the product starts the policy answers in its place, so eicar opens, for less
 * than a second from the first open to the last.
 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/ns_proc.h"
#include "lib/vendor.h"
#include "lib/web.h"
#include "test_life_host.h"

#define WAIT_MS 20000
#define BACK_MS 1000.0
#define FIELDS 21
#define BOOMS 2u                /* files, and of the users' that crash both */
#define USERS 6u
#define EVIL "when 1 is /eicar deny\n"
#define GOOD EVIL "when 1 is /boom deny\nwhen 1 is /good allow\n"
/* It looks at the last field for what is neither evil nor called good. */
#define CRASHES EVIL "when 1 is /good allow\nwhen 21 is 1 deny\n"

static const char *build, *source, *reload;
static bool kept;               /* there is a former process */
static struct host host;
static struct vendor vendor;
static struct web *web;
static unsigned booms;

/* ---- the vendor ---- */

static void folder(const char *name, char ret_path[160])
{
	snprintf(ret_path, 160, "%s/%s", host.env.base, name);
	assert_int_equal(mkdir(ret_path, 0755), 0);
}

static void put(const char *folder_path, const char *name, const char *text)
{
	char path[256];
	FILE *out;

	snprintf(path, sizeof(path), "%s/%s", folder_path, name);
	out = fopen(path, "we");
	assert_non_null(out);
	fputs(text, out);
	assert_int_equal(fclose(out), 0);
}

static void make_corpus(const char *name, bool innocents)
{
	char path[160], below[176];

	folder(name, path);
	snprintf(below, sizeof(below), "%s/deny", path);
	assert_int_equal(mkdir(below, 0755), 0);
	put(below, HOST_EICAR, "evil\n");
	if (innocents) {
		snprintf(below, sizeof(below), "%s/allow", path);
		assert_int_equal(mkdir(below, 0755), 0);
		put(below, "good", "innocent\n");
	}
}

struct release {
	const char *name, *rules, *bake, *corpus;
	unsigned fields;
	bool unchecked;
};

static void release(const struct release *r)
{
	char content[160], corpus[160], name[64];
	struct vendor_version version = {
		.name = r->name, .schema = "brittle/1",
		.fields = r->fields ? r->fields : FIELDS,
		.content = content, .corpus = corpus,
		.bake = r->bake ? r->bake : "1h", .events = 5,
		.unchecked = r->unchecked,
	};
	int e;

	snprintf(name, sizeof(name), "content-%s", r->name);
	folder(name, content);
	put(content, "rules", r->rules);
	snprintf(corpus, sizeof(corpus), "%s/%s", host.env.base,
		 r->corpus ? r->corpus : "corpus");
	e = vendor_release(&vendor, &version);
	if (e < 0) {
		fail_msg("%s is not released: %s", r->name, strerror(-e));
	}
}

static void submit(void)
{
	(void)HOST_CLI(&host, "content", "submit", vendor.repository,
		       "--product", "brittle", "--timeout", "1s");
}

static void check(void)
{
	(void)HOST_CLI(&host, "content", "check", "brittle", "--timeout",
		       "1s");
}

/* ---- what the host says of it ---- */

static json_t *show(void)
{
	static char text[1 << 18];

	(void)host_cli(&host, text, sizeof(text),
		       (const char *const[]){ "content", "show", "brittle",
					      "--json", NULL });
	return json_loads(text, 0, NULL);
}

/* A member of the version, "" if it is not known. */
static void of_version(const char *name, const char *key, char ret_text[256])
{
	json_t *all = show(), *row;
	size_t i;

	ret_text[0] = '\0';
	json_array_foreach(json_object_get(all, "versions"), i, row) {
		if (strcmp(host_text(row, "version"), name) == 0) {
			snprintf(ret_text, 256, "%s", host_text(row, key));
		}
	}
	json_decref(all);
}

static void of_product(const char *key, char ret_text[256])
{
	json_t *all = show();

	snprintf(ret_text, 256, "%s", host_text(json_array_get(
		 json_object_get(all, "products"), 0), key));
	json_decref(all);
}

static const char *why(void)
{
	static char text[1 << 18];

	(void)host_cli(&host, text, sizeof(text),
		       (const char *const[]){ "content", "why", "brittle",
					      NULL });
	return text;
}

static void show_why(void)
{
	host_show_log(&host);
	fprintf(stderr, "%s\n", why());
}

static void wait_version(const char *name, const char *state)
{
	uint64_t end = ns_now_ns() + WAIT_MS * 1000000ull;
	char text[256];

	for (;;) {
		of_version(name, "state", text);
		if (strcmp(text, state) == 0) {
			return;
		}
		if (ns_now_ns() > end) {
			break;
		}
		ns_sleep_ms(20);
	}
	show_why();
	fail_msg("%s is \"%s\", not \"%s\"", name, text, state);
}

static void wait_runs(const char *name)
{
	uint64_t end = ns_now_ns() + WAIT_MS * 1000000ull;
	char text[256];

	do {
		of_product("version", text);
		if (strcmp(text, name) == 0) {
			return;
		}
		ns_sleep_ms(20);
	} while (ns_now_ns() < end);
	show_why();
	fail_msg("%s runs, not %s", text, name);
}

/* It was stopped, with this in the reason, and never ran. */
static void is_stopped(const char *name, const char *state, const char *reason)
{
	char text[256];

	wait_version(name, state);
	of_version(name, "reason", text);
	if (!strstr(text, reason)) {
		show_why();
		fail_msg("%s: \"%s\", not \"%s\"", name, text, reason);
	}
	print_message("  %s: %s\n", name, text);
	of_product("version", text);
	assert_string_equal(text, "first");
}

static double evil_ms(void)
{
	return (double)(atomic_load(&host.load->evil_to_ns) -
			atomic_load(&host.load->evil_from_ns)) / 1e6;
}

static void nothing_was_wrong(void)
{
	const struct host_load *load = host.load;

	(void)host_wait_open(&host, HOST_EICAR, EPERM, WAIT_MS);
	ns_sleep_ms(300);
	print_message("  %u opens, longest %.1f ms, %u refused; eicar refused "
		      "%u times, allowed %u within %.1f ms\n",
		      atomic_load(&load->opens),
		      (double)atomic_load(&load->longest_ns) / 1e6,
		      atomic_load(&load->refused),
		      atomic_load(&load->evil_refused),
		      atomic_load(&load->evil_allowed), evil_ms());
	assert_int_equal(atomic_load(&load->refused), 0);
	assert_true(!kept || atomic_load(&load->evil_allowed) == 0);
	assert_true(atomic_load(&load->evil_refused) > 0);
	host_load_reset(&host);
}

/* Opens what the version on trial dies of, until the last good one answers:
 * that one denies it. */
static void boom(void)
{
	uint64_t start;
	char name[32];
	double ms = 0;
	int e;

	assert_true(booms < BOOMS);
	snprintf(name, sizeof(name), "boom%u", booms++);
	start = ns_now_ns();
	do {
		e = host_open(&host, name, NULL);
		ms = (double)(ns_now_ns() - start) / 1e6;
	} while (e != EPERM && ms < WAIT_MS);
	print_message("  back: answered by the last good version %.1f ms "
		      "after the open that it died of\n", ms);
	assert_int_equal(e, EPERM);
	assert_true(ms < BACK_MS);
}

/* As configured: the brake's alarm was about what is taken back. */
static void is_enforcing(void)
{
	json_t *status = host_status(&host);

	assert_string_equal(host_text(host_find(status, "brittle"), "mode"),
			    "enforce");
	json_decref(status);
}

struct wanted {
	const char *name;
	pid_t pid;
};

static void look(pid_t pid, void *context)
{
	struct wanted *wanted = context;
	char path[64], name[64] = "";
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	f = fopen(path, "re");
	if (f && fgets(name, sizeof(name), f) &&
	    strncmp(name, wanted->name, strlen(wanted->name)) == 0) {
		wanted->pid = pid;
	}
	if (f) {
		fclose(f);
	}
}

/* One process of this name below `bailey run`; 0: none. */
static pid_t find_process(const char *name)
{
	struct wanted wanted = { .name = name };

	ns_proc_tree(host.run, look, &wanted);
	return wanted.pid;
}

/* Killed, and started again by whoever started it. */
static void kill_and_wait(const char *name)
{
	pid_t before = find_process(name), now = before;

	assert_true(before > 1);
	assert_int_equal(kill(before, SIGKILL), 0);
	for (int ms = 0; now == before || now == 0; ms += 20) {
		assert_true(ms < WAIT_MS);
		ns_sleep_ms(20);
		now = find_process(name);
	}
}

/* ---- the story ---- */

static void a_first_version_comes_by_the_web_and_becomes_good(void **state)
{
	(void)state;
	wait_version("first", "good");
	wait_runs("first");
	nothing_was_wrong();
}

/* What fetches has neither root's rights nor the last word. */
static void an_updater_that_is_killed_is_started_again(void **state)
{
	char path[128];
	struct stat st;

	(void)state;
	kill_and_wait("bailey-updater");
	snprintf(path, sizeof(path), "%s/staging/brittle/status.json",
		 host.env.state);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_uid, 61002);
	nothing_was_wrong();
}

static void one_that_crashes_while_it_loads_is_stopped_before(void **state)
{
	(void)state;
	release(&(struct release){ .name = "load", .rules = "every 0\n" EVIL,
				   .unchecked = true });
	submit();
	is_stopped("load", "quarantined", "crash");
	nothing_was_wrong();
}

static void one_of_another_schema_never_starts(void **state)
{
	char text[256];

	(void)state;
	release(&(struct release){ .name = "schema", .rules = EVIL,
				   .fields = FIELDS + 1, .unchecked = true });
	submit();
	of_product("waits_for", text);
	print_message("  schema: %s\n", text);
	assert_non_null(strstr(text, "another schema or field count"));
	of_version("schema", "state", text);
	assert_string_not_equal(text, "trial");
	nothing_was_wrong();
}

static void one_that_denies_all_is_stopped_by_innocents(void **state)
{
	(void)state;
	release(&(struct release){ .name = "deny",
				   .rules = "when 1 is * deny\n",
				   .unchecked = true });
	submit();
	is_stopped("deny", "quarantined", "wrong-verdict");
	nothing_was_wrong();
}

/* Its corpus has none: then it is on trial that it shows. Nobody can know
 * before a few were refused; but not more than max_denials are. */
static void or_on_trial_by_its_denials(void **state)
{
	const struct host_load *load = host.load;

	(void)state;
	release(&(struct release){ .name = "deny2",
				   .rules = "when 1 is * deny\n# 2\n",
				   .corpus = "evil", .unchecked = true });
	submit();
	is_stopped("deny2", "quarantined", "denials");
	(void)host_wait_open(&host, "good1", 0, WAIT_MS);
	(void)host_wait_open(&host, HOST_EICAR, EPERM, WAIT_MS);
	print_message("  %u of %u opens were refused, eicar allowed %u "
		      "times, within %.1f ms\n", atomic_load(&load->refused),
		      atomic_load(&load->opens),
		      atomic_load(&load->evil_allowed), evil_ms());
	assert_in_range(atomic_load(&load->refused), 1, 200);
	assert_true(evil_ms() < BACK_MS);
	host_load_reset(&host);
	nothing_was_wrong();
	is_enforcing();
}

static void one_that_crashes_on_the_third_event_is_taken_back(void **state)
{
	(void)state;
	release(&(struct release){
		.name = "third", .rules = EVIL "when 21 is 1 from 3 deny\n" });
	check();
	is_stopped("third", "quarantined", "crash");
	(void)host_wait_open(&host, HOST_EICAR, EPERM, WAIT_MS);
	assert_true(evil_ms() < BACK_MS);
	nothing_was_wrong();
}

static void the_last_good_one_needs_no_network(void **state)
{
	(void)state;
	release(&(struct release){ .name = "boom", .rules = CRASHES });
	check();
	wait_version("boom", "trial");
	web_free(web);
	web = NULL;
	boom();
	is_stopped("boom", "quarantined", "not with the version before");
	nothing_was_wrong();
}

static void an_agent_that_is_killed_on_trial_goes_on_with_it(void **state)
{
	(void)state;
	release(&(struct release){ .name = "boom2", .rules = CRASHES "# 2\n" });
	submit();
	wait_version("boom2", "trial");
	kill_and_wait("bailey-content");
	wait_version("boom2", "trial");
	boom();
	is_stopped("boom2", "quarantined", "");
	nothing_was_wrong();
}

static void the_administrator_has_the_last_word(void **state)
{
	char text[256];

	(void)state;
	assert_int_equal(HOST_CLI(&host, "content", "pause", "brittle"), 0);
	release(&(struct release){ .name = "second", .rules = GOOD "# 2\n" });
	submit();
	of_product("waits_for", text);
	print_message("  paused: %s\n", text);
	of_version("second", "state", text);
	assert_string_not_equal(text, "trial");
	assert_int_equal(HOST_CLI(&host, "content", "resume", "brittle"), 0);
	wait_version("second", "trial");
	wait_runs("second");
	assert_int_equal(HOST_CLI(&host, "content", "revert", "brittle"), 0);
	wait_runs("first");
	assert_int_equal(HOST_CLI(&host, "content", "pin", "brittle", "first"),
			 0);
	assert_int_equal(HOST_CLI(&host, "content", "lift", "brittle",
				  "second"), 0);
	ns_sleep_ms(500);
	wait_runs("first");
	assert_int_equal(HOST_CLI(&host, "content", "unpin", "brittle"), 0);
	wait_runs("second");
	nothing_was_wrong();
	assert_int_equal(HOST_CLI(&host, "content", "revert", "brittle"), 0);
	wait_runs("first");
	nothing_was_wrong();
}

/* Both versions die of it: so it is the file's fault. While both are down the
 * policy for a missing product answers. */
static void a_users_file_takes_no_version_back(void **state)
{
	char name[32], text[256];

	(void)state;
	release(&(struct release){ .name = "weak", .rules = CRASHES "# weak\n",
				   .bake = "0s" });
	submit();
	wait_version("weak", "good");
	release(&(struct release){ .name = "weak2",
				   .rules = CRASHES "# weak 2\n" });
	submit();
	wait_version("weak2", "trial");
	wait_runs("weak2");
	host_load_reset(&host);
	for (unsigned i = 0; i < USERS; i++) {
		snprintf(name, sizeof(name), "user%u", i);
		(void)host_open(&host, name, NULL);
		ns_sleep_ms(300);
	}
	(void)host_wait_open(&host, HOST_EICAR, EPERM, WAIT_MS);
	wait_runs("weak2");
	of_version("weak2", "state", text);
	if (strcmp(text, "trial") != 0) {
		show_why();
	}
	assert_string_equal(text, "trial");
	assert_non_null(strstr(why(), "the version before fails on it too"));
	of_version("weak", "state", text);
	assert_string_equal(text, "good");
	assert_int_equal(atomic_load(&host.load->refused), 0);
}

/* ---- the stage ---- */

/* Before anybody is asked: creating one is an open, too. */
static void make_files(const char *name, unsigned count)
{
	char path[32];

	for (unsigned i = 0; i < count; i++) {
		snprintf(path, sizeof(path), "%s%u", name, i);
		host_write(&host, path, path, strlen(path));
	}
}

static void make_manifest(char ret_path[160])
{
	FILE *out;

	snprintf(ret_path, 160, "%s/brittle.ini", host.env.base);
	out = fopen(ret_path, "we");
	assert_non_null(out);
	fprintf(out, "[product]\nname = brittle\nexec = "
		"%s/products/brittle/brittle\n"
		"[events]\nask = file.open process.exec\n"
		"[policy]\nmode = enforce\ndeadline_ms = open:500 exec:500\n"
		"deadline_max_ms = 1000\nstart_s = 10\nmax_denials = 40 in 1s\n"
		"hold = 64\n[see]\nfiles = all\n"
		"[jail]\nprofile = c\nmemory = 32M\ntasks = 4\nfiles = 64\n"
		"[content]\npath = %s/base\nurl = %s/brittle\n"
		"root = %s/root.json\nreload = %s\n", build,
		host.env.base, web->url, host.env.base, reload);
	assert_int_equal(fclose(out), 0);
}

static int group_setup(void **state)
{
	char base[160], manifest[160], path[200];

	(void)state;
	unsetenv("http_proxy");
	host_make(&host, build, source);
	assert_int_equal(vendor_host(host.etc), 0);
	make_files("boom", BOOMS);
	make_files("user", USERS);
	folder("base", base);
	put(base, "rules", GOOD);
	make_corpus("corpus", true);
	make_corpus("evil", false);
	folder(VENDOR_WEB, base);
	web = web_new(base);
	make_manifest(manifest);
	assert_int_equal(vendor_init(&vendor, build, host.env.base, "brittle",
				     manifest), 0);
	release(&(struct release){ .name = "first", .rules = GOOD "# 1\n",
				   .bake = "1s" });
	snprintf(path, sizeof(path), "%s/root.json", host.env.base);
	assert_int_equal(vendor_root(&vendor, path), 0);
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
	web_free(web);
	host_load_stop(&host);
	host_end(&host);
	return 0;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			a_first_version_comes_by_the_web_and_becomes_good),
		cmocka_unit_test(an_updater_that_is_killed_is_started_again),
		cmocka_unit_test(
			one_that_crashes_while_it_loads_is_stopped_before),
		cmocka_unit_test(one_of_another_schema_never_starts),
		cmocka_unit_test(one_that_denies_all_is_stopped_by_innocents),
		cmocka_unit_test(or_on_trial_by_its_denials),
		cmocka_unit_test(
			one_that_crashes_on_the_third_event_is_taken_back),
		cmocka_unit_test(the_last_good_one_needs_no_network),
		cmocka_unit_test(
			an_agent_that_is_killed_on_trial_goes_on_with_it),
		cmocka_unit_test(the_administrator_has_the_last_word),
		cmocka_unit_test(a_users_file_takes_no_version_back),
	};

	if (argc < 4) {
		fputs("usage: test_content BUILD SOURCE RELOAD [TEST]\n",
		      stderr);
		return 2;
	}
	if (geteuid() != 0) {
		puts("skipped: needs root (a mount of its own, fanotify)");
		return 77;
	}
	build = argv[1];
	source = argv[2];
	reload = argv[3];
	kept = strcmp(reload, "parallel") == 0;
	cmocka_set_test_filter(argc > 4 ? argv[4] : NULL);
	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
