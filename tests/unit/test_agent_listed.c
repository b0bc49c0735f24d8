/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Does what the updater fetched become content, by signed metadata and lease
 * alone; and what is wrong with a mirror, is it said and left alone?
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include <cmocka.h>

#include "base/mono.h"
#include "config/manifest.h"
#include "lib/agent_host.h"
#include "lib/content_repo.h"

static const char *agent, *product;

static char *file_read(const char *dir, const char *name, size_t *ret_length)
{
	char path[256], *bytes = malloc(1 << 16);
	FILE *in;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	in = fopen(path, "re");
	assert_non_null(in);
	*ret_length = fread(bytes, 1, 1 << 16, in);
	fclose(in);
	return bytes;
}

/* As the updater does: the mirror, then `ready`. */
static void mirror(const struct host *host, const struct content_repo *repo)
{
	char command[512];

	snprintf(command, sizeof(command), "mkdir -p '%s/staging/scan' && "
		 "cp -R '%s/metadata' '%s/targets' '%s/staging/scan/' && "
		 "touch '%s/staging/scan/ready'", host->dir, repo->dir,
		 repo->dir, host->dir, host->dir);
	assert_int_equal(system(command), 0);
}

static void begin(struct host *host, const struct content_repo *repo,
		  const char *policy)
{
	struct host_options options = { .name = "scan",
		.schema = "scan-rules/1", .fields = "3", .policy = policy };
	size_t length;
	char *root = file_read(repo->dir, "metadata/1.root.json", &length);

	options.root = root;
	options.root_length = length;
	host_start_as(host, agent, product, MANIFEST_RELOAD_PARALLEL,
		      &options);
	host->counting = true;
	free(root);
}

static int check(struct host *host)
{
	return host_ask(host, "{\"do\":\"check\",\"product\":\"scan\"}", -1,
			NULL, 0);
}

/* Until a record of `show` has it. */
static void await(struct host *host, const char *what)
{
	mono_t end = mono_add(mono_now(), 20 * MONO_S);
	char records[16384];

	do {
		assert_int_equal(host_show(host, records, sizeof(records)), 0);
		if (strstr(records, what)) {
			return;
		}
		host_serve(host, 20);
	} while (mono_now().ns < end.ns);
	fail_msg("not %s: %s", what, records);
}

static void is_a_release_activated_and_nothing_else(void **state)
{
	struct content_repo *repo = content_repo_new();
	struct host host;

	content_repo_add(repo, "code", 1, NULL, 0);
	content_repo_add(repo, "code", 2, NULL, 0);
	content_repo_release(repo, "code", 1, 60);
	content_repo_publish(repo);
	begin(&host, repo, "[*]\nring = early\n");
	mirror(&host, repo);
	assert_int_equal(check(&host), 0);
	await(&host, "\"state\":\"trial\",\"version\":\"2026.11.1\"");
	await(&host, "\"next_version\":\"2026.11.2\"");
	host_stop(&host);
	content_repo_free(repo);
}

/* Its turn is the early ring's; this host is of the general one. */
static void is_a_host_not_first_before_its_turn(void **state)
{
	struct content_repo *repo = content_repo_new();
	char why[65536];
	struct host host;

	content_repo_add(repo, "code", 1, NULL, 0);
	content_repo_release(repo, "code", 1, 60);
	content_repo_publish(repo);
	begin(&host, repo, "[*]\nring = general\n");
	mirror(&host, repo);
	assert_int_equal(check(&host), 0);
	await(&host, "it is not this host's turn yet");
	host_serve(&host, 300);
	assert_int_equal(host.seen[AGENT_TRY_START], 0);
	assert_int_equal(host_ask(&host, "{\"do\":\"why\",\"product\":"
				  "\"scan\"}", -1, why, sizeof(why)), 0);
	assert_non_null(strstr(why, "reason=not-admitted"));
	host_stop(&host);
	content_repo_free(repo);
}

static void is_a_wrong_mirror_said_and_left_alone(void **state)
{
	struct content_repo *repo = content_repo_new();
	struct content_repo *other = content_repo_new();
	char command[512];
	struct host host;

	content_repo_add(repo, "code", 1, NULL, 0);
	content_repo_release(repo, "code", 1, 60);
	content_repo_publish(repo);
	content_repo_add(other, "code", 9, NULL, 0);
	content_repo_publish(other);
	begin(&host, repo, "[*]\nring = early\n");
	/* Another vendor's. */
	mirror(&host, other);
	assert_int_not_equal(check(&host), 0);
	await(&host, "\"trouble\":\"");
	snprintf(command, sizeof(command), "rm -r '%s/staging/scan'/*",
		 host.dir);
	assert_int_equal(system(command), 0);
	/* A blob is not there; then it is. */
	mirror(&host, repo);
	snprintf(command, sizeof(command),
		 "mv '%s/staging/scan/targets/blob' '%s/blob' && "
		 "mkdir '%s/staging/scan/targets/blob'", host.dir, host.dir,
		 host.dir);
	assert_int_equal(system(command), 0);
	assert_int_equal(check(&host), 0);
	await(&host, "\"trouble\":\"");
	assert_int_equal(host.seen[AGENT_TRY_START], 0);
	mirror(&host, repo);
	assert_int_equal(check(&host), 0);
	await(&host, "\"state\":\"trial\",\"version\":\"2026.11.1\"");
	host_stop(&host);
	content_repo_free(repo);
	content_repo_free(other);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(is_a_release_activated_and_nothing_else),
		cmocka_unit_test(is_a_host_not_first_before_its_turn),
		cmocka_unit_test(is_a_wrong_mirror_said_and_left_alone),
	};

	if (argc != 3) {
		return EX_USAGE;
	}
	agent = argv[1];
	product = argv[2];
	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
