/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Is what an import or the updater leaves in staging taken, without a url
 * too; does `check` wait for the updater and say what it said; and does the
 * agent serve while it copies?
 */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sysexits.h>

#include <cmocka.h>

#include "base/mono.h"
#include "base/pass.h"
#include "config/manifest.h"
#include "lib/agent_host.h"
#include "lib/content_repo.h"

#define CHECK "{\"do\":\"check\",\"product\":\"scan\"}"
#define LARGE_MIB 256

static const char *agent, *product;

static void run(const char *format, ...)
{
	char command[1024];
	va_list list;

	va_start(list, format);
	vsnprintf(command, sizeof(command), format, list);
	va_end(list);
	assert_int_equal(system(command), 0);
}

static void begin(struct host *host, const struct content_repo *repo,
		  bool no_url)
{
	struct host_options options = { .name = "scan",
		.schema = "scan-rules/1", .fields = "3", .no_url = no_url,
		.policy = "[*]\nchannel = local\n" };
	char path[128], root[8192];
	FILE *in;

	snprintf(path, sizeof(path), "%s/metadata/1.root.json", repo->dir);
	in = fopen(path, "re");
	assert_non_null(in);
	options.root_length = fread(root, 1, sizeof(root), in);
	options.root = root;
	fclose(in);
	host_start_as(host, agent, product, MANIFEST_RELOAD_PARALLEL,
		      &options);
	host->counting = true;
	/* As updater_place_open makes it. */
	run("cd '%s/staging' && mkdir -p scan/metadata scan/targets && "
	    "touch scan/check", host->dir);
}

static char shown[16384];

static bool shows(struct host *host, const char *what)
{
	assert_int_equal(host_show(host, shown, sizeof(shown)), 0);
	return strstr(shown, what) != NULL;
}

/* By what was shown last. */
static bool is_kept(const char *version)
{
	char wanted[64];
	const char *line;

	snprintf(wanted, sizeof(wanted), "{\"type\":\"version\",\"product\":"
		 "\"scan\",\"version\":\"%s\"", version);
	line = strstr(shown, wanted);
	return line && memmem(line, strcspn(line, "\n"), "\"kept\":true", 11);
}

static void await(struct host *host, const char *what)
{
	mono_t end = mono_add(mono_now(), 20 * MONO_S);

	while (!shows(host, what)) {
		host_serve(host, 5);
		if (mono_now().ns > end.ns) {
			fail_msg("never %s: %s", what, shown);
		}
	}
}

static void is_an_imported_mirror_taken_without_a_url(void **state)
{
	struct content_repo *repo = content_repo_new();
	struct host host;

	content_repo_add(repo, "code", 1, NULL, 0);
	content_repo_publish(repo);
	begin(&host, repo, true);
	run("cp -R '%s/metadata' '%s/targets' '%s/staging/scan/' && "
	    "touch '%s/staging/scan/ready'", repo->dir, repo->dir, host.dir,
	    host.dir);
	await(&host, "\"version\":\"2026.11.1\"");
	host_stop(&host);
	content_repo_free(repo);
}

static void is_an_imported_site_bundle_taken(void **state)
{
	struct host_version version = { 1, "deny EVIL\n", 3, 0, 0,
					{ { "evil", "EVIL", true } } };
	struct content_repo *repo = content_repo_new();
	uint8_t hash[32];
	char path[128];
	struct host host;

	content_repo_publish(repo);
	begin(&host, repo, true);
	host_serve(&host, 50);
	host_bundle(&host, &version, path, hash);
	run("cp -R '%s'/* '%s/staging/scan/' && touch "
	    "'%s/staging/scan/ready'", path, host.dir, host.dir);
	host_await(&host, hash, "good");
	assert_true(host_is_current(&host, hash));
	/* One that nobody signed is said, and changes nothing. */
	run("cd '%s/staging/scan' && sed -i 's/\"sig\": *\"../\"sig\":\"00/' "
	    "site.json && touch ready", host.dir);
	await(&host, "no key of site-keys.d signed it");
	assert_true(host_is_current(&host, hash));
	host_stop(&host);
	content_repo_free(repo);
}

static int ask(const struct host *host, const char *request)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	snprintf(to.sun_path, sizeof(to.sun_path), "%s/content.sock",
		 host->dir);
	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	assert_true(send(fd, request, strlen(request), 0) > 0);
	return fd;
}

static ssize_t answer(int fd, char ret_text[4096])
{
	ssize_t n = recv(fd, ret_text, 4095, MSG_DONTWAIT);

	ret_text[n > 0 ? n : 0] = '\0';
	return n;
}

static void does_check_wait_for_the_updaters_word(void **state)
{
	struct content_repo *repo = content_repo_new();
	char text[4096];
	struct host host;
	int fd;

	content_repo_publish(repo);
	begin(&host, repo, false);
	host_serve(&host, 100);
	run("touch -d '2020-01-01' '%s/staging/scan/check'", host.dir);
	fd = ask(&host, CHECK);
	host_serve(&host, 500);
	assert_true(answer(fd, text) < 0);
	run("test '%s/staging/scan/check' -nt '%s/root.json'", host.dir,
	    host.dir);
	run("cd '%s/staging/scan' && printf '{\"product\":\"scan\","
	    "\"checked\":77,\"reached\":null,\"error\":110,\"reason\":"
	    "\"the web server is silent\"}' >new && mv new status.json && "
	    "touch ready", host.dir);
	host_serve(&host, 1000);
	assert_true(answer(fd, text) > 0);
	assert_non_null(strstr(text, "the web server is silent"));
	assert_true(answer(fd, text) > 0);
	assert_non_null(strstr(text, "\"end\":true"));
	assert_null(strstr(text, "\"error\":0"));
	close(fd);
	assert_true(shows(&host, "\"trouble\":\"the web server is silent"));
	assert_true(shows(&host, "\"checked\":77"));
	host_stop(&host);
	content_repo_free(repo);
}

#define REVERT "{\"do\":\"revert\",\"product\":\"scan\"}"

/* Two versions that were good; the second runs. */
static void have_two(struct host *host, uint8_t ret_hash[2][32])
{
	struct host_version version = { 1, "deny EVIL\n", 3, 0, 0,
					{ { "evil", "EVIL", true } } };

	for (unsigned n = 0; n < 2; n++) {
		assert_int_equal(host_submit(host, &version, ret_hash[n]), 0);
		host_await(host, ret_hash[n], "good");
		version.number = 2;
		version.rules = "deny EVIL\n# two\n";
	}
	assert_true(host_is_current(host, ret_hash[1]));
}

/* Is there, before the copy is over, within a second. */
static void revert(struct host *host, const uint8_t hash[32])
{
	mono_t start = mono_now();
	uint64_t ms;

	assert_int_equal(host_ask(host, REVERT, -1, NULL, 0), 0);
	while (memcmp(host->runs, hash, 32) != 0 ||
	       !host_is_current(host, hash)) {
		host_serve(host, 1);
		assert_true(mono_between(start, mono_now()) < 20 * MONO_S);
	}
	ms = mono_between(start, mono_now()) / MONO_MS;
	print_message("  the former version ran after %llu ms\n",
		      (unsigned long long)ms);
	assert_true(ms < 1000);
	assert_true(shows(host, "its files are being copied"));
}

/* A version whose copy takes a while: what is asked meanwhile is answered, a
 * revert does not wait, and an agent that is killed leaves nothing half. */
static void does_it_serve_while_it_copies(void **state)
{
	struct content_repo *repo = content_repo_new();
	struct content_repo_file file = { "rules", NULL,
					  (size_t)LARGE_MIB << 20 };
	uint8_t hash[2][32];
	mono_t start = mono_now();
	struct host host;

	file.bytes = calloc(1, file.length);
	assert_non_null(file.bytes);
	content_repo_add(repo, "code", 3, &file, 1);
	free((void *)(uintptr_t)file.bytes);
	content_repo_publish(repo);
	begin(&host, repo, true);
	have_two(&host, hash);
	run("cp -R '%s/metadata' '%s/targets' '%s/staging/scan/' && "
	    "touch '%s/staging/scan/ready'", repo->dir, repo->dir, host.dir,
	    host.dir);
	await(&host, "its files are being copied");
	assert_true(shows(&host, "\"state\":\"fetched\""));
	revert(&host, hash[0]);
	host_agent_kill(&host);
	host_agent_start(&host);
	while (!is_kept("2026.11.3")) {
		assert_true(mono_between(start, mono_now()) < 40 * MONO_S);
		host_serve(&host, 20);
		(void)shows(&host, "");
	}
	run("test -z \"$(find '%s/content' -name '*.part')\"", host.dir);
	host_stop(&host);
	content_repo_free(repo);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(is_an_imported_mirror_taken_without_a_url),
		cmocka_unit_test(is_an_imported_site_bundle_taken),
		cmocka_unit_test(does_check_wait_for_the_updaters_word),
		cmocka_unit_test(does_it_serve_while_it_copies),
	};

	if (argc != 3) {
		return EX_USAGE;
	}
	agent = argv[1];
	product = argv[2];
	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
