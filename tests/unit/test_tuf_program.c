/* SPDX-License-Identifier: Apache-2.0 */
/* Does bailey-tuf, as it is installed, do what its command line says against a
 * repository on a web server or in a folder, and say by its status whether it
 * could? */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/tuf_http.h"

static struct sim *s;
static struct sim_http h;
static struct sim_client c;             /* its folders, not its handle */
static char said[1024];
static const char *metadata_url, *target_url;
static char urls[2][100];

static int64_t wall_now(void)
{
	return time(NULL);
}

static int setup(void **state)
{
	s = sim_new();
	/* the program's clock is the machine's */
	s->now = wall_now();
	for (size_t i = 0; i < 4; i++) {
		sim_expires(s, s->roles[i].name, s->now + SIM_DAY);
		sim_unpublish(s, s->roles[i].name);
	}
	sim_publish(s, "root targets snapshot timestamp");
	sim_client_init(&c, s);
	sim_http_start(&h, s, false);
	snprintf(urls[0], sizeof(urls[0]), "%smetadata/", h.base);
	snprintf(urls[1], sizeof(urls[1]), "%stargets", h.base);
	metadata_url = urls[0];
	target_url = urls[1];
	return 0;
}

static int teardown(void **state)
{
	char path[200];

	sim_http_stop(&h);
	snprintf(path, sizeof(path), "%s/root", c.folder);
	unlink(path);
	sim_client_fini(&c);
	sim_free(s);
	return 0;
}

/* Runs it; what it said on both outputs is in said. */
static int run(const char *const *arguments)
{
	int pipes[2], status = 0;
	size_t n = 0;
	ssize_t got;
	pid_t child;

	assert_int_equal(pipe(pipes), 0);
	child = fork();
	if (child == 0) {
		dup2(pipes[1], 1);
		dup2(pipes[1], 2);
		close(pipes[0]);
		close(pipes[1]);
		execv(arguments[0], (char *const *)arguments);
		_exit(127);
	}
	close(pipes[1]);
	while ((got = read(pipes[0], said + n, sizeof(said) - 1 - n)) > 0) {
		n += (size_t)got;
	}
	said[n] = '\0';
	close(pipes[0]);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static int init_with(struct sim_bytes root)
{
	char path[200];
	const char *arguments[] = { getenv("BAILEY_TUF"), "--metadata-dir",
				    c.metadata, "init", path, NULL };
	int fd;

	snprintf(path, sizeof(path), "%s/root", c.folder);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	assert_int_equal(write(fd, root.bytes, root.length), root.length);
	close(fd);
	return run(arguments);
}

static int refresh(void)
{
	const char *arguments[] = { getenv("BAILEY_TUF"), "--metadata-dir",
				    c.metadata, "--metadata-url",
				    metadata_url, "refresh", NULL };

	sim_clear_log(s);
	return run(arguments);
}

static int download(const char *one, const char *two)
{
	const char *arguments[] = {
		getenv("BAILEY_TUF"), "--metadata-dir", c.metadata,
		"--metadata-url", metadata_url, "--target-name", one,
		"--target-base-url", target_url, "--target-dir", c.targets,
		two ? "--target-name" : "download", two ? two : NULL,
		"download", NULL
	};

	sim_clear_log(s);
	return run(arguments);
}

static void good(int status)
{
	if (status != 0) {
		fail_msg("status %d: %s", status, said);
	}
	assert_string_equal(said, "");
}

static void bad(int status, const char *why)
{
	assert_int_equal(status, 1);
	if (!strstr(said, why)) {
		fail_msg("\"%s\", not \"%s\"", said, why);
	}
}

static void test_init_refresh_download(void **state)
{
	sim_add_target(s, "targets", "dir/file one", "first");
	sim_add_target(s, "targets", "two", "second");
	good(init_with(sim_last(s, "root")));
	sim_publish(s, "targets snapshot timestamp");
	good(refresh());
	assert_string_equal(s->log, "2.root.json timestamp.json "
				    "2.snapshot.json 2.targets.json");
	assert_string_equal(sim_folder(&c),
			    "root 1 snapshot 2 targets 2 timestamp 2");
	sim_stored_is(&c, "timestamp", sim_last(s, "timestamp"));
	good(download("dir/file one", "two"));
	assert_string_equal(sim_downloaded(&c, "dir%2Ffile%20one"), "first");
	assert_string_equal(sim_downloaded(&c, "two"), "second");
	good(download("two", NULL));
	assert_string_equal(s->log, "2.root.json timestamp.json");
	bad(download("three", NULL), "there is no such target");
}

/* The first that it is told after the root: it refreshes by itself. */
static void test_download_alone(void **state)
{
	good(init_with(sim_last(s, "root")));
	bad(download("none", NULL), "there is no such target");
	assert_string_equal(s->log, "2.root.json timestamp.json "
				    "1.snapshot.json 1.targets.json");
	assert_string_equal(sim_folder(&c),
			    "root 1 snapshot 1 targets 1 timestamp 1");
}

/* A root that was refused is not there: nobody is asked for anything. */
static void test_without_a_root(void **state)
{
	struct sim_bytes root = sim_last(s, "root");
	char path[200], *sig;
	uint8_t bytes[9000];

	assert_true(root.length < sizeof(bytes));
	memcpy(bytes, root.bytes, root.length);
	bytes[root.length] = '\0';
	sig = strstr((char *)bytes, "\"sig\"");
	assert_non_null(sig);
	sig = strchr(sig + 5, '"') + 1;
	memcpy(sig, "00000000", 8);
	snprintf(path, sizeof(path), "%s/root.json", c.metadata);
	unlink(path);
	bad(init_with((struct sim_bytes){ bytes, root.length }),
	    "0 valid signatures, 1 are needed");
	bad(refresh(), "no trusted root");
	bad(download("none", NULL), "no trusted root");
	assert_string_equal(s->log, "");
}

/* Under another clock, as a test suite gives it one. */
static int refresh_ahead(const char *seconds)
{
	int status;

	setenv("CLOCK_AHEAD_S", seconds, 1);
	setenv("LD_PRELOAD", getenv("CLOCK_AHEAD"), 1);
	status = refresh();
	unsetenv("LD_PRELOAD");
	return status;
}

static void test_another_clock(void **state)
{
	if (!*getenv("CLOCK_AHEAD")) {
		skip();
	}
	good(init_with(sim_last(s, "root")));
	good(refresh_ahead("0"));
	bad(refresh_ahead("172800"), "expired");
	for (size_t i = 0; i < 4; i++) {
		sim_expires(s, s->roles[i].name, s->now + 7 * SIM_DAY);
	}
	sim_publish_all(s);
	good(refresh_ahead("172800"));
	assert_string_equal(sim_folder(&c),
			    "root 2 snapshot 2 targets 2 timestamp 2");
	good(refresh());
	bad(refresh_ahead("691200"), "expired");
}

static void test_delegated_with_odd_names(void **state)
{
	sim_delegate(s, "targets", "../odd?#", "*", false);
	sim_add_target(s, "../odd?#", "x", "content");
	sim_expires(s, "../odd?#", s->now + SIM_DAY);
	sim_publish_all(s);
	good(init_with(s->roles[0].published[0]));
	good(download("x", NULL));
	assert_non_null(strstr(s->log, " 1...%2Fodd%3F%23.json "));
	assert_string_equal(sim_downloaded(&c, "x"), "content");
	/* the same from a server of plain files */
	h.plain = true;
	sim_serve(s, "2...%2Fodd%3F%23.json", "", 0);
	sim_publish(s, "../odd?# snapshot timestamp");
	sim_serve(s, "2...%2Fodd%3F%23.json", sim_last(s, "../odd?#").bytes,
		  sim_last(s, "../odd?#").length);
	sim_serve(s, "timestamp.json", sim_last(s, "timestamp").bytes,
		  sim_last(s, "timestamp").length);
	good(refresh());
	good(download("x", NULL));
	assert_int_equal(sim_trusts(&c, "..%2Fodd%3F%23"), 2);
}

static void test_reasons(void **state)
{
	struct sim_bytes none = { (uint8_t *)"{}", 2 };

	bad(init_with(none), "root: signatures: missing");
	good(init_with(sim_last(s, "root")));
	s->roles[1].signer_count = 0;
	sim_expires(s, "timestamp", s->now - 1);
	h.odd = HTTP_ERROR;
	h.odd_name = "timestamp.json";
	bad(refresh(), "timestamp.json: status 500");
	h.odd = HTTP_CIRCLE;
	bad(refresh(), "timestamp.json: Maximum (8) redirects followed");
	h.odd = HTTP_ENDLESS;
	bad(refresh(), "timestamp.json: larger than it may be");
	h.odd = HTTP_BREAKS;
	bad(refresh(), "timestamp.json: ");
	h.odd = HTTP_GOOD;
	good(refresh());
	metadata_url = "ftp://example.org/";
	bad(refresh(), "Invalid argument");
	metadata_url = "http://127.0.0.1:1/";
	bad(refresh(), "2.root.json: ");
}

static void test_usage(void **state)
{
	const char *none[] = { getenv("BAILEY_TUF"), NULL };
	const char *unknown[] = { getenv("BAILEY_TUF"), "--metadata-dir",
				  c.metadata, "upgrade", NULL };
	const char *no_url[] = { getenv("BAILEY_TUF"), "--metadata-dir",
				 c.metadata, "refresh", NULL };
	const char *help[] = { getenv("BAILEY_TUF"), "--help", NULL };

	assert_int_equal(run(none), 1);
	assert_int_equal(run(unknown), 1);
	assert_int_equal(run(no_url), 1);
	assert_non_null(strstr(said, "usage: "));
	assert_int_equal(run(help), 0);
	assert_non_null(strstr(said, "--target-base-url"));
}

/* As a mirror in a folder, without any network. */
static void test_from_a_folder(void **state)
{
	static const char *const roles[] = { "timestamp", "snapshot",
					     "targets" };
	char folder[] = "/tmp/bailey-mirror.XXXXXX", url[100], path[200];

	assert_non_null(mkdtemp(folder));
	good(init_with(sim_last(s, "root")));
	snprintf(url, sizeof(url), "file://%s", folder);
	metadata_url = url;
	bad(refresh(), "timestamp.json: there is no such file");
	for (size_t i = 0; i < 3; i++) {
		int fd;

		snprintf(path, sizeof(path), "%s/%s%s.json", folder,
			 i ? "1." : "", roles[i]);
		fd = open(path, O_WRONLY | O_CREAT, 0644);
		assert_int_equal(write(fd, sim_last(s, roles[i]).bytes,
				       sim_last(s, roles[i]).length),
				 sim_last(s, roles[i]).length);
		close(fd);
	}
	good(refresh());
	assert_string_equal(s->log, "");
	for (size_t i = 0; i < 3; i++) {
		snprintf(path, sizeof(path), "%s/%s%s.json", folder,
			 i ? "1." : "", roles[i]);
		unlink(path);
	}
	assert_int_equal(rmdir(folder), 0);
}

#define EACH(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		EACH(test_init_refresh_download),
		EACH(test_download_alone),
		EACH(test_without_a_root),
		EACH(test_another_clock),
		EACH(test_delegated_with_odd_names),
		EACH(test_reasons),
		EACH(test_usage),
		EACH(test_from_a_folder),
	};

	setenv("no_proxy", "*", 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
