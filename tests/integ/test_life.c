/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What does an administrator see and decide in the life of a product?
 *
 * Deaths, hangs and brakes of products, the switches of the command, and
 * configuration that is wrong: each test is one `bailey run`. The broker's own
 * deaths are in test_life_broker.c.
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

#include "test_life_host.h"

#define SLACK_MS 250
#define WAIT_MS 30000
#define DEADLINE_MS 100
#define HUNG "answered nothing for two deadlines"

static const char *build, *source;
static struct host host;

static int set_up(void **state)
{
	(void)state;
	host_make(&host, build, source);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	host_end(&host);
	return 0;
}

static void run_until_serving(const char *name)
{
	host_run(&host);
	host_wait_text(&host, name, "state", "serving", WAIT_MS);
}

static void run_scan(void)
{
	host_product(&host, "scan", "scan", NULL, NULL);
	run_until_serving("scan");
	if (!host.observe) {
		(void)host_wait_open(&host, HOST_EICAR, EPERM, WAIT_MS);
	}
}

static pid_t pid_of(const char *name)
{
	json_t *status = host_status(&host);
	pid_t pid = (pid_t)host_number(host_find(status, name), "pid");

	json_decref(status);
	return pid;
}

/* Kills the product once it serves; returns when another process does. */
static void kill_serving(const char *name, double restarts)
{
	pid_t pid;

	host_wait_text(&host, name, "state", "serving", WAIT_MS);
	pid = pid_of(name);
	assert_true(pid > 1);
	assert_int_equal(kill(pid, SIGKILL), 0);
	host_wait_number(&host, name, "restarts", restarts, WAIT_MS);
}

static void wait_log(const char *text)
{
	for (int ms = 0; ms < WAIT_MS; ms += 20) {
		char *log = host_log(&host);
		bool found = strstr(log, text) != NULL;

		free(log);
		if (found) {
			return;
		}
		ns_sleep_ms(20);
	}
	host_show_log(&host);
	fail_msg("the log does not say \"%s\"", text);
}

static void write_etc(const char *name, const char *text)
{
	char path[192];
	FILE *out;

	snprintf(path, sizeof(path), "%s/%s", host.etc, name);
	out = fopen(path, "we");
	assert_non_null(out);
	fputs(text, out);
	assert_int_equal(fclose(out), 0);
}

/* ---- deaths ---- */

/* The first deaths are answered by longer and longer waits, which the
 * administrator's `start` ends. */
static void a_product_killed_twenty_times_lets_nothing_evil_pass(void **state)
{
	double longest;

	(void)state;
	run_scan();
	host_load_start(&host);
	for (int i = 1; i <= 20; i++) {
		json_t *status;

		kill_serving("scan", i);
		status = host_status(&host);
		if (i == 6) {   /* 0, 100, 200 ... 1600 ms: it is waiting */
			assert_string_equal(host_text(host_find(status, "scan"),
						      "state"), "restarting");
			assert_true(*host_text(host_find(status, "scan"),
					       "next_start") != '\0');
		}
		json_decref(status);
		if (i >= 6) {
			assert_int_equal(HOST_CLI(&host, "product", "scan",
						  "start"), 0);
		}
	}
	host_wait_text(&host, "scan", "state", "serving", WAIT_MS);
	host_load_stop(&host);
	longest = (double)atomic_load(&host.load->longest_ns) / 1e6;
	print_message("  %u opens, longest %.1f ms; eicar refused %u times\n",
		      atomic_load(&host.load->opens), longest,
		      atomic_load(&host.load->evil_refused));
	assert_int_equal(atomic_load(&host.load->evil_allowed), 0);
	assert_true(atomic_load(&host.load->evil_refused) > 0);
	assert_int_equal(atomic_load(&host.load->refused), 0);
	assert_true(longest <= SLACK_MS);
	host_stop(&host);
}

static void rules_outlive_their_product_for_their_time(void **state)
{
	char arguments[128], policy[192];

	(void)state;
	host_write(&host, "ruled", "x", 1);
	snprintf(arguments, sizeof(arguments), "rule-deny %s/ruled",
		 host.env.tree);
	snprintf(policy, sizeof(policy), "may_deny = %s/ruled\n"
		 "rules_ttl = 2s\n", host.env.tree);
	host_product(&host, "ruler", "rogue", arguments, policy);
	run_until_serving("ruler");
	wait_log("rule-deny: accepted");
	assert_int_equal(host_open(&host, "ruled", NULL), EPERM);
	for (int i = 1; i <= 8; i++) {  /* the last wait: 6.4 s */
		kill_serving("ruler", i);
		assert_int_equal(host_open(&host, "ruled", NULL), EPERM);
	}
	/* dead, and its rules in force: then they fall, and it is still dead */
	(void)host_wait_open(&host, "ruled", 0, 4500);
	assert_int_equal(pid_of("ruler"), 0);
	assert_int_equal(HOST_CLI(&host, "product", "ruler", "start"), 0);
	(void)host_wait_open(&host, "ruled", EPERM, WAIT_MS);
	/* stopped by the administrator: forgotten at once */
	assert_int_equal(HOST_CLI(&host, "product", "ruler", "stop"), 0);
	(void)host_wait_open(&host, "ruled", 0, 1000);
	host_stop(&host);
}

static void a_stopped_product_costs_a_task_one_deadline(void **state)
{
	double longest, stalled;
	pid_t pid;

	(void)state;
	host_product(&host, "scan", "scan", NULL, NULL);
	host_product(&host, "other", "rogue", "allow", NULL);
	run_until_serving("other");
	(void)host_wait_open(&host, HOST_EICAR, EPERM, WAIT_MS);
	pid = pid_of("other");
	host_load_start(&host);
	assert_int_equal(kill(pid, SIGSTOP), 0);
	host_wait_text(&host, "other", "last_exit", HUNG, WAIT_MS);
	host_wait_text(&host, "other", "state", "serving", WAIT_MS);
	host_load_stop(&host);
	longest = (double)atomic_load(&host.load->longest_ns) / 1e6;
	stalled = (double)atomic_load(&host.load->stalled_ns) / 1e6;
	print_message("  %u opens, longest %.1f ms, stalled %.1f ms in all\n",
		      atomic_load(&host.load->opens), longest, stalled);
	assert_true(longest >= DEADLINE_MS);
	assert_true(longest <= DEADLINE_MS + SLACK_MS);
	assert_true(stalled <= DEADLINE_MS + SLACK_MS);
	assert_int_equal(atomic_load(&host.load->refused), 0);
	assert_int_equal(atomic_load(&host.load->evil_allowed), 0);
	assert_true(pid_of("other") != pid);
	host_stop(&host);
}

/* ---- switches ---- */

static void each_verb_of_bailey_product_does_what_it_says(void **state)
{
	(void)state;
	host_write(&host, "evil", "x", 1);
	host_product(&host, "scan", "scan", NULL, NULL);
	host_product(&host, "namer", "rogue", "deny-name evil", NULL);
	run_until_serving("namer");
	host_wait_text(&host, "scan", "state", "serving", WAIT_MS);
	assert_int_equal(host_open(&host, "evil", NULL), EPERM);
	assert_int_equal(HOST_CLI(&host, "product", "namer", "suspend"), 0);
	host_wait_text(&host, "namer", "state", "suspended", WAIT_MS);
	assert_int_equal(host_open(&host, "evil", NULL), 0);
	assert_int_equal(HOST_CLI(&host, "product", "namer", "resume"), 0);
	(void)host_wait_open(&host, "evil", EPERM, 1000);
	host_wait_text(&host, "namer", "state", "serving", WAIT_MS);
	assert_int_equal(HOST_CLI(&host, "product", "namer", "observe"), 0);
	(void)host_wait_open(&host, "evil", 0, 1000);
	host_wait_text(&host, "namer", "mode", "observe", WAIT_MS);
	host_wait_number(&host, "namer", "would_deny", 1, WAIT_MS);
	assert_int_equal(HOST_CLI(&host, "product", "namer", "enforce"), 0);
	(void)host_wait_open(&host, "evil", EPERM, 1000);
	/* what scan says meanwhile must not outlive the bypass in a cache */
	assert_int_equal(HOST_CLI(&host, "product", "namer", "bypass", "--for",
				  "1s"), 0);
	(void)host_wait_open(&host, "evil", 0, 1000);
	(void)host_wait_open(&host, "evil", EPERM, WAIT_MS);
	assert_int_equal(HOST_CLI(&host, "product", "namer", "stop"), 0);
	host_wait_text(&host, "namer", "state", "stopped", WAIT_MS);
	(void)host_wait_open(&host, "evil", 0, 1000);
	assert_int_equal(HOST_CLI(&host, "product", "namer", "start"), 0);
	(void)host_wait_open(&host, "evil", EPERM, WAIT_MS);
	assert_int_equal(HOST_CLI(&host, "product", "nobody", "stop"), 1);
	host_stop(&host);
}

/* `observe` writes down each event that reaches it. */
static void changes_reach_the_product_as_events(void **state)
{
	(void)state;
	host_product(&host, "seer", "rogue", "observe", NULL);
	run_until_serving("seer");
	assert_int_equal(HOST_CLI(&host, "product", "seer", "observe"), 0);
	wait_log("seer: control.mode");
	assert_int_equal(HOST_CLI(&host, "product", "seer", "stop"), 0);
	/* STOP ended it; without it a signal does, a second later */
	host_wait_text(&host, "seer", "last_exit", "exited with 0", WAIT_MS);
	host_stop(&host);
}

static void off_and_on_switch_the_whole(void **state)
{
	(void)state;
	run_scan();
	assert_int_equal(HOST_CLI(&host, "off"), 0);
	assert_int_equal(host_open(&host, HOST_EICAR, NULL), 0);
	assert_int_equal(HOST_CLI(&host, "status"), 1);
	assert_int_equal(HOST_CLI(&host, "on"), 0);
	assert_int_equal(host_open(&host, HOST_EICAR, NULL), EPERM);
	assert_int_equal(HOST_CLI(&host, "off", "--for", "1s"), 0);
	assert_int_equal(host_open(&host, HOST_EICAR, NULL), 0);
	(void)host_wait_open(&host, HOST_EICAR, EPERM, WAIT_MS);
	host_stop(&host);
}

static void an_exception_undoes_a_block_and_ends(void **state)
{
	char text[4096];
	double ms;

	(void)state;
	run_scan();
	assert_int_equal(HOST_CLI(&host, "allow", HOST_EICAR, "--reason",
				  "test", "--for", "3s"), 0);
	ms = host_wait_open(&host, HOST_EICAR, 0, 1000);
	print_message("  allowed after %.0f ms\n", ms);
	assert_int_equal(host_cli(&host, text, sizeof(text),
				  (const char *const []){ "exceptions",
							  NULL }), 0);
	assert_non_null(strstr(text, "test"));
	(void)host_wait_open(&host, HOST_EICAR, EPERM, 6000);
	host_stop(&host);
}

/* ---- modes and brakes ---- */

static void observing_denies_nothing_and_shows_what_it_would(void **state)
{
	static const char *const would[] = { "denials", "--would", NULL };
	char text[65536];
	json_t *status;

	(void)state;
	host.observe = true;
	run_scan();
	for (int i = 0; i < 5; i++) {
		assert_int_equal(host_open(&host, HOST_EICAR, NULL), 0);
	}
	host_wait_number(&host, "scan", "would_deny", 1, WAIT_MS);
	status = host_status(&host);
	assert_int_equal((int)host_number(status, "engine.denied"), 0);
	assert_true(host_number(status, "engine.would_deny") >= 1);
	assert_string_equal(host_text(status, "state"), "observing");
	json_decref(status);
	assert_int_equal(host_cli(&host, text, sizeof(text), would), 0);
	assert_non_null(strstr(text, HOST_EICAR));
	assert_non_null(strstr(text, "eicar_test_file"));
	host_stop(&host);
}

static bool degraded_says(const json_t *status, const char *words)
{
	json_t *row;
	size_t i;

	json_array_foreach(json_object_get(status, "degraded"), i, row) {
		if (strstr(host_text(row, "why"), words)) {
			return true;
		}
	}
	return false;
}

static void wait_degraded(const char *words)
{
	for (int ms = 0; ms < WAIT_MS; ms += 20) {
		json_t *status = host_status(&host);
		bool said = degraded_says(status, words);

		json_decref(status);
		if (said) {
			return;
		}
		ns_sleep_ms(20);
	}
	host_show_log(&host);
	fail_msg("nothing in degraded[] says \"%s\"", words);
}

static void the_brake_stops_a_denier_and_kept_files_never_suffer(void **state)
{
	char conf[192], path[128];
	int refused = 0;

	(void)state;
	assert_int_equal(ns_env_write(&host.env, "kept", "x", 1, 0644, 0), 0);
	snprintf(conf, sizeof(conf), "[broker]\nkeep = %s/kept\n",
		 host.env.tree);
	write_etc("bailey.conf", conf);
	host_product(&host, "denier", "rogue", "deny-all",
		     "max_denials = 5 in 60s\n");
	run_until_serving("denier");
	for (int i = 0; i < 20; i++) {
		snprintf(path, sizeof(path), "good%d", i);
		refused += host_open(&host, path, NULL) == EPERM;
		assert_int_equal(host_open(&host, "kept", NULL), 0);
	}
	assert_int_equal(refused, 5);
	host_wait_text(&host, "denier", "mode", "observe", WAIT_MS);
	wait_degraded("put into observe");
	/* what it had denied is not denied any more either */
	assert_int_equal(host_open(&host, "good0", NULL), 0);
	/* and the administrator may believe it again */
	assert_int_equal(HOST_CLI(&host, "product", "denier", "enforce"), 0);
	(void)host_wait_open(&host, "good0", EPERM, 1000);
	host_stop(&host);
}

/* ---- what is wrong is refused, the rest goes on ---- */

static void malformed_text_is_refused_with_its_line(void **state)
{
	char path[128];
	FILE *out;

	(void)state;
	write_etc("rules.d/10-bad.rules", "# fine\nallow any nonsense 7\n");
	write_etc("products.d/bad.ini",
		  "[product]\nname = bad\ncolour = red\n");
	host_product(&host, "scan", "scan", NULL, NULL);
	host_product(&host, "broken", "rogue", "allow", "on_miss = perhaps\n");
	snprintf(path, sizeof(path), "%s/broken.ini", host.env.base);
	out = fopen(path, "re");
	assert_non_null(out);
	fclose(out);
	run_until_serving("scan");
	(void)host_wait_open(&host, HOST_EICAR, EPERM, WAIT_MS);
	wait_degraded("10-bad.rules:2:");
	wait_degraded("bad.ini:3:");
	wait_degraded("broken.ini:");
	host_stop(&host);
}

/* ---- large files ---- */

#define LARGE (24u << 20)
#define MARK "bailey test: what makes a large file evil"

/* Beyond the edges that are read while somebody waits. */
static void a_large_file_is_denied_once_it_was_read_whole(void **state)
{
	static const char rule[] = "rule large { meta: title = \"Large\" "
		"severity = 90 confidence = 90 strings: $a = \"" MARK "\" "
		"condition: filesize > 9MB and $a }\n";
	char content[96], path[128], *bytes = calloc(1, LARGE);
	FILE *out;

	(void)state;
	assert_non_null(bytes);
	snprintf(content, sizeof(content), "%s/content", host.env.base);
	assert_int_equal(mkdir(content, 0755), 0);
	snprintf(path, sizeof(path), "%s/large.yar", content);
	out = fopen(path, "we");
	assert_non_null(out);
	fputs(rule, out);
	assert_int_equal(fclose(out), 0);
	memcpy(bytes + LARGE / 2, MARK, sizeof(MARK));
	host_write(&host, "large", bytes, LARGE);
	free(bytes);
	host.content = content;
	host_product(&host, "scan", "scan", NULL, NULL);
	run_until_serving("scan");
	assert_int_equal(host_open(&host, "large", NULL), 0);
	host_wait_number(&host, "scan", "deferred", 1, WAIT_MS);
	print_message("  denied after %.0f ms\n",
		      host_wait_open(&host, "large", EPERM, WAIT_MS));
	wait_log("found after the fact");
	assert_int_equal(host_open(&host, "good0", NULL), 0);
	host_stop(&host);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(int argc, char **argv)
{
	const struct CMUnitTest list[] = {
		TEST(a_product_killed_twenty_times_lets_nothing_evil_pass),
		TEST(rules_outlive_their_product_for_their_time),
		TEST(a_stopped_product_costs_a_task_one_deadline),
		TEST(each_verb_of_bailey_product_does_what_it_says),
		TEST(changes_reach_the_product_as_events),
		TEST(off_and_on_switch_the_whole),
		TEST(an_exception_undoes_a_block_and_ends),
		TEST(observing_denies_nothing_and_shows_what_it_would),
		TEST(the_brake_stops_a_denier_and_kept_files_never_suffer),
		TEST(malformed_text_is_refused_with_its_line),
		TEST(a_large_file_is_denied_once_it_was_read_whole),
	};

	if (argc < 3) {
		fputs("usage: test_life BUILD SOURCE [TEST]\n", stderr);
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
