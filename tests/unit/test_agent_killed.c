/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Does the next agent go on when one is killed at any record of the journal?
 *
 * SIGKILL as soon as the journal has N records more than before, for every N
 * until the story is over without one. What was brought and not yet kept is
 * brought again, as a person would.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include <cmocka.h>

#include "config/manifest.h"
#include "lib/agent_host.h"

#define RECORDS_MOST 40u

static const char *agent, *product;

#define CORPUS { { "evil", "EVIL", true }, { "good", "nothing", false } }

static const struct host_version first = {
	1, "deny EVIL\n", 20, 0, 0, CORPUS
};
static const struct host_version second = {
	2, "deny EVIL\n#\n", 20, 0, 0, CORPUS
};
static const struct host_version bad = {
	2, "deny nothing\n", 20, 0, 0, CORPUS
};

/* True: it was killed on the way. */
static bool story(uint32_t reload, uint64_t records,
		  const struct host_version *next, const char *end)
{
	uint8_t good[32], hash[32];
	struct host host;
	char text[4096];
	bool killed;

	host_start(&host, agent, product, reload);
	host.counting = true;
	assert_int_equal(host_submit(&host, &first, good), 0);
	host_serve(&host, 50);
	host_kill_at(&host, host_records(&host) + records);
	host_bring(&host, next, hash);
	host_version(&host, hash, text, sizeof(text));
	if (!strstr(text, "\"kept\":true")) {
		host_bring(&host, next, hash);
	}
	host_await(&host, hash, end);
	host_serve(&host, 100);
	assert_true(host_is_current(&host, next == &bad ? good : hash));
	assert_memory_equal(host.runs, next == &bad ? good : hash, 32);
	assert_false(host.frozen);
	killed = host.kills > 0;
	host_stop(&host);
	return killed;
}

static void stories(uint32_t reload, const struct host_version *next,
		    const char *end)
{
	uint64_t n = 1;

	while (story(reload, n, next, end)) {
		n++;
		assert_true(n < RECORDS_MOST);
	}
	printf("killed at each of %u records\n", (unsigned)n - 1);
	assert_true(n > 4);
}

static void does_a_parallel_switch_go_on(void **state)
{
	stories(MANIFEST_RELOAD_PARALLEL, &second, "good");
}

static void does_a_restart_go_on(void **state)
{
	stories(MANIFEST_RELOAD_RESTART, &second, "good");
}

static void does_a_refusal_go_on(void **state)
{
	stories(MANIFEST_RELOAD_LIVE, &bad, "quarantined");
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(does_a_parallel_switch_go_on),
		cmocka_unit_test(does_a_restart_go_on),
		cmocka_unit_test(does_a_refusal_go_on),
	};

	if (argc != 3) {
		return EX_USAGE;
	}
	agent = argv[1];
	product = argv[2];
	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
