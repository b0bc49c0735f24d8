/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Is a good version taken, and each bad one stopped where it should be?
 *
 * The real agent and real preflights; the monitor is a stand-in.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>

#include <cmocka.h>

#include "base/mono.h"
#include "config/manifest.h"
#include "lib/agent_host.h"

static const char *agent, *product;

#define CORPUS { { "evil", "EVIL", true }, { "good", "nothing", false } }

static const struct host_version first = {
	1, "deny EVIL\n", 20, 0, 0, CORPUS
};

static void check_reason(struct host *host, const uint8_t hash[32],
			 const char *state, const char *reason)
{
	char text[4096];

	host_version(host, hash, text, sizeof(text));
	if (!strstr(text, state) || !strstr(text, reason)) {
		fail_msg("%s", text);
	}
}

/* A good version runs. */
static void begin(struct host *host, uint32_t reload, uint8_t ret_good[32])
{
	host_start(host, agent, product, reload);
	host->counting = true;
	assert_int_equal(host_submit(host, &first, ret_good), 0);
	host_await(host, ret_good, "good");
	assert_true(host_is_current(host, ret_good));
	assert_memory_equal(host->runs, ret_good, 32);
}

static void check_good_second(uint32_t reload)
{
	struct host_version second = { 2, "deny EVIL\n# two\n", 20, 1, 500,
				       CORPUS };
	uint8_t good[32], next[32];
	struct host host;

	begin(&host, reload, good);
	assert_int_equal(host_submit(&host, &second, next), 0);
	host_await(&host, next, "good");
	assert_memory_equal(host.runs, next, 32);
	assert_true(host_is_current(&host, next));
	if (reload == MANIFEST_RELOAD_PARALLEL) {
		assert_int_equal(host.seen[AGENT_SWITCH], 1);
		assert_int_equal(host.seen[AGENT_TRIAL_END], 1);
		assert_false(host.frozen);
	}
	host_stop(&host);
}

static void does_a_good_version_become_good(void **state)
{
	check_good_second(MANIFEST_RELOAD_PARALLEL);
	check_good_second(MANIFEST_RELOAD_LIVE);
	check_good_second(MANIFEST_RELOAD_RESTART);
}

static void check_stopped(const struct host_version *bad, const char *status,
			  const char *reason)
{
	uint8_t good[32], hash[32];
	struct host host;

	begin(&host, MANIFEST_RELOAD_PARALLEL, good);
	assert_int_not_equal(host_submit(&host, bad, hash), 0);
	check_reason(&host, hash, status, reason);
	assert_true(host_is_current(&host, good));
	assert_memory_equal(host.runs, good, 32);
	assert_int_equal(host.seen[AGENT_SWITCH], 0);
	host_stop(&host);
}

static void are_bad_versions_stopped_by_preflight(void **state)
{
	check_stopped(&(struct host_version){ 2, "crash-load\n", 20, 0, 0,
					      CORPUS },
		      "quarantined", "crash: killed by signal 11 "
		      "(Segmentation fault) while it loaded");
	check_stopped(&(struct host_version){ 2, "deny EVIL\ncrash-at 3\n",
					      20, 0, 0,
		      { { "evil", "EVIL", true }, { "good", "-", false },
			{ "third", "+", false } } },
		      "quarantined", "at question 3 (third)");
	check_stopped(&(struct host_version){ 2, "deny nothing\n", 20, 0, 0,
					      CORPUS },
		      "quarantined", "evil: allow, expected deny");
}

struct word {
	const char *rules;
	uint32_t on_miss;
	const char *may_deny, *reason;  /* null: it passes */
};

/* What stands for an answer that does not come, and what rules may deny. */
static void does_the_manifest_count_in_preflight(void **state)
{
	static const struct word words[] = {
		{ "defer\n", MANIFEST_ALLOW, "/", "evil: allow, expected" },
		{ "defer\n", MANIFEST_DENY, "/", NULL },
		{ "deny EVIL\nbroker-rule deny any path-prefix \"/a/\"\n",
		  MANIFEST_ALLOW, "", "rule refused" },
		{ "deny EVIL\nbroker-rule deny any path-prefix \"/a/\"\n",
		  MANIFEST_ALLOW, "/b", "rule refused" },
		{ "deny EVIL\nbroker-rule deny any path-prefix \"/a/\"\n",
		  MANIFEST_ALLOW, "/a", NULL },
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
		const struct word *w = &words[i];
		struct host_options options = { .name = "tester",
			.schema = "test/1", .fields = "20",
			.policy = "[*]\nchannel = local\n",
			.on_miss = w->on_miss, .may_deny = w->may_deny };
		struct host_version version = { 1, w->rules, 20, 0, 0,
						{ { "evil", "EVIL", true } } };
		uint8_t hash[32];
		struct host host;

		host_start_as(&host, agent, product, MANIFEST_RELOAD_PARALLEL,
			      &options);
		host.counting = true;
		assert_int_equal(host_submit(&host, &version, hash) == 0,
				 w->reason == NULL);
		if (w->reason) {
			check_reason(&host, hash, "quarantined", w->reason);
		} else {
			host_await(&host, hash, "good");
		}
		host_stop(&host);
	}
}

/* What runs, and two to go back to, keep their files. */
static void do_old_versions_go(void **state)
{
	uint8_t hash[5][32];
	char rules[32], text[4096];
	struct host host;

	begin(&host, MANIFEST_RELOAD_PARALLEL, hash[0]);
	for (unsigned n = 1; n < 5; n++) {
		struct host_version next = { n + 1, rules, 20, 0, 0, CORPUS };

		snprintf(rules, sizeof(rules), "deny EVIL\n# %u\n", n);
		assert_int_equal(host_submit(&host, &next, hash[n]), 0);
		host_await(&host, hash[n], "good");
	}
	for (unsigned n = 0; n < 2; n++) {
		host_await(&host, hash[n], "fetched");
		host_version(&host, hash[n], text, sizeof(text));
		assert_null(strstr(text, "\"kept\":true"));
	}
	for (unsigned n = 2; n < 5; n++) {
		check_reason(&host, hash[n], "good", "\"kept\":true");
	}
	assert_true(host_is_current(&host, hash[4]));
	host_stop(&host);
}

/* Before the code was ever seen, by preflight; then without one. */
static void is_another_schema_stopped(void **state)
{
	struct host_version bad = { 1, "deny EVIL\n", 21, 0, 0, CORPUS };
	uint8_t hash[32], good[32];
	char records[8192];
	struct host host;

	host_start(&host, agent, product, MANIFEST_RELOAD_PARALLEL);
	assert_int_equal(host_submit(&host, &bad, hash), EBADMSG);
	check_reason(&host, hash, "verified", "schema");
	assert_int_equal(host.seen[AGENT_TRY_START], 1);
	host_stop(&host);

	begin(&host, MANIFEST_RELOAD_PARALLEL, good);
	bad.number = 2;
	bad.fields = 19;
	assert_int_equal(host_submit(&host, &bad, hash), EBADMSG);
	assert_int_equal(host_show(&host, records, sizeof(records)), 0);
	assert_non_null(strstr(records, "reads another schema"));
	assert_int_equal(host.seen[AGENT_TRY_START], 1);
	assert_true(host_is_current(&host, good));
	host_stop(&host);
}

/* Its corpus does not show it; the engine's counters do. */
static void is_one_that_denies_everything_reverted(void **state)
{
	struct host_version bad = { 2, "deny-all\n", 20, 3600, 0,
				    { { "evil", "EVIL", true } } };
	uint8_t good[32], hash[32];
	struct host host;

	begin(&host, MANIFEST_RELOAD_PARALLEL, good);
	host_serve(&host, 200);
	host.denying = true;
	assert_int_equal(host_submit(&host, &bad, hash), ECANCELED);
	check_reason(&host, hash, "quarantined", "denies much more");
	assert_true(host_is_current(&host, good));
	host_serve(&host, 100);
	assert_memory_equal(host.runs, good, 32);
	assert_int_equal(host.seen[AGENT_SWITCH_BACK], 1);
	host_stop(&host);
}

/* What one user plants, and all the others find nothing. */
static void is_one_that_finds_what_a_user_planted_kept(void **state)
{
	struct host_version second = { 2, "deny EVIL\n# two\n", 20, 1, 500,
				       CORPUS };
	uint8_t good[32], next[32];
	struct host host;

	begin(&host, MANIFEST_RELOAD_PARALLEL, good);
	host_serve(&host, 200);
	host.denying = host.planted = true;
	assert_int_equal(host_submit(&host, &second, next), 0);
	host_await(&host, next, "good");
	host_stop(&host);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(is_one_that_finds_what_a_user_planted_kept),
		cmocka_unit_test(does_a_good_version_become_good),
		cmocka_unit_test(are_bad_versions_stopped_by_preflight),
		cmocka_unit_test(does_the_manifest_count_in_preflight),
		cmocka_unit_test(do_old_versions_go),
		cmocka_unit_test(is_another_schema_stopped),
		cmocka_unit_test(is_one_that_denies_everything_reverted),
	};

	if (argc != 3) {
		return EX_USAGE;
	}
	agent = argv[1];
	product = argv[2];
	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
