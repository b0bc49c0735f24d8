/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who may ask what on content.sock, does it do what people say, and can a bad
 * caller or a bad bundle do harm?
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
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sysexits.h>

#include <cmocka.h>

#include "base/pass.h"
#include "config/manifest.h"
#include "lib/agent_host.h"

static const char *agent, *product;

#define CORPUS { { "evil", "EVIL", true }, { "good", "nothing", false } }
#define ASK(word, more)                                                       \
	"{\"do\":\"" word "\",\"product\":\"tester\"" more "}"

static const struct host_version first = {
	1, "deny EVIL\n", 20, 0, 0, CORPUS
};
static const struct host_version second = {
	2, "deny EVIL\n#\n", 20, 0, 0, CORPUS
};

static void begin(struct host *host, uint8_t ret_good[32])
{
	host_start(host, agent, product, MANIFEST_RELOAD_PARALLEL);
	host->counting = true;
	assert_int_equal(host_submit(host, &first, ret_good), 0);
}

static int ask(struct host *host, const char *request)
{
	return host_ask(host, request, -1, NULL, 0);
}

static void check_shown(struct host *host, const char *what)
{
	char records[16384];

	assert_int_equal(host_show(host, records, sizeof(records)), 0);
	if (!strstr(records, what)) {
		fail_msg("no %s in %s", what, records);
	}
}

static void do_people_decide(void **state)
{
	uint8_t good[32], next[32];
	struct host host;

	begin(&host, good);
	assert_int_equal(ask(&host, ASK("pause", ",\"reason\":\"audit\"")), 0);
	check_shown(&host, "\"paused\":true");
	assert_int_equal(host_submit(&host, &second, next), 0);
	assert_true(host_is_current(&host, good));
	check_shown(&host, "\"waits_for\":\"paused\"");
	assert_int_equal(ask(&host, ASK("resume", "")), 0);
	host_await(&host, next, "good");
	assert_int_equal(ask(&host, ASK("revert", ",\"reason\":\"no\"")), 0);
	assert_true(host_is_current(&host, good));
	host_await(&host, next, "quarantined");
	host_serve(&host, 100);
	assert_memory_equal(host.runs, good, 32);
	assert_int_equal(ask(&host, ASK("revert", "")), ENOENT);
	assert_int_equal(ask(&host, ASK("lift", ",\"version\":\"2\"")), 0);
	host_await(&host, next, "good");
	assert_int_equal(ask(&host, ASK("pin", ",\"version\":\"v2\"")), 0);
	check_shown(&host, "\"pinned\":\"");
	assert_int_equal(ask(&host, ASK("unpin", "")), 0);
	assert_int_equal(ask(&host, ASK("pin", ",\"version\":\"77\"")),
			 ENOENT);
	host_stop(&host);
}

static void are_bad_requests_refused(void **state)
{
	static const struct {
		const char *request;
		int error;
	} bad[] = {
		{ "", 0 },
		{ "{", EINVAL }, { "[]", EINVAL }, { "{}", EINVAL },
		{ "{\"do\":7}", EINVAL }, { "{\"do\":\"dance\"}", EINVAL },
		{ "{\"do\":\"show\"}", EINVAL },
		{ "{\"do\":\"show\",\"product\":\"other\"}", ENODEV },
		{ "{\"do\":\"show\",\"product\":\"../x\"}", ENODEV },
		{ "{\"do\":\"list\",\"do\":\"list\"}", EINVAL },
		{ ASK("submit", ""), EINVAL }, { ASK("lift", ""), EINVAL },
		{ ASK("pause", ",\"for_s\":-1"), EINVAL },
		{ ASK("pause", ",\"reason\":{}"), EINVAL },
	};
	uint8_t good[32];
	struct host host;
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

	begin(&host, good);
	for (size_t i = 1; i < sizeof(bad) / sizeof(*bad); i++) {
		int error = ask(&host, bad[i].request);

		if (error != bad[i].error) {
			fail_msg("%s: %d", bad[i].request, error);
		}
	}
	assert_int_equal(host_ask(&host, "{\"do\":\"list\"}", null, NULL, 0),
			 EINVAL);
	assert_int_equal(host_ask(&host, ASK("submit", ""), null, NULL, 0),
			 EBADMSG);
	close(null);
	assert_true(host_is_current(&host, good));
	host_stop(&host);
}

static int connect_to(const struct host *host)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	snprintf(to.sun_path, sizeof(to.sun_path), "%s/content.sock",
		 host->dir);
	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	return fd;
}

/* Some say nothing, some ask and do not read, some ask twice. */
static void does_a_bad_caller_hold_nobody(void **state)
{
	static const char why[] = ASK("why", "");
	uint8_t good[32], next[32];
	struct host host;
	int fd[12];

	begin(&host, good);
	for (int i = 0; i < 12; i++) {
		fd[i] = connect_to(&host);
		if (i % 3) {
			assert_true(send(fd[i], why, sizeof(why) - 1, 0) > 0);
		}
		if (i % 3 == 2) {
			assert_true(send(fd[i], why, sizeof(why) - 1, 0) > 0);
		}
	}
	assert_int_equal(host_submit(&host, &second, next), 0);
	host_await(&host, next, "good");
	for (int i = 0; i < 12; i++) {
		close(fd[i]);
	}
	host_stop(&host);
}

/* As nobody: 0 if each request ends as it should. */
static int nobody_asks(const struct host *host)
{
	static const struct {
		const char *request, *want;
	} asked[] = {
		{ ASK("pause", ""), "\"error\":1," },
		{ ASK("revert", ""), "\"error\":1," },
		{ ASK("check", ""), "\"error\":1," },
		{ ASK("show", ""), "\"type\":\"product\"" },
		{ ASK("why", ""), "\"type\":\"reason\"" },
	};

	if (setresuid(65534, 65534, 65534) < 0) {
		return 77;
	}
	for (size_t i = 0; i < sizeof(asked) / sizeof(*asked); i++) {
		char bytes[65537] = "";
		int fd = connect_to(host);
		ssize_t n;

		(void)!send(fd, asked[i].request, strlen(asked[i].request), 0);
		n = recv(fd, bytes, sizeof(bytes) - 1, 0);
		close(fd);
		if (n <= 0 || !strstr(bytes, asked[i].want)) {
			return 1 + (int)i;
		}
	}
	return 0;
}

static void may_anyone_look_and_only_root_act(void **state)
{
	uint8_t good[32];
	struct host host;
	char path[128];
	int status = -1;
	pid_t pid;

	if (geteuid() != 0) {
		skip();
	}
	begin(&host, good);
	snprintf(path, sizeof(path), "%s/content.sock", host.dir);
	assert_int_equal(chmod(host.dir, 0755), 0);
	assert_int_equal(chmod(path, 0666), 0);
	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		_exit(nobody_asks(&host));
	}
	while (waitpid(pid, &status, WNOHANG) == 0) {
		host_serve(&host, 5);
	}
	assert_int_equal(status, 0);
	host_stop(&host);
}

/* ---- bundles ---- */

enum harm { UNSIGNED, CHANGED, NO_BLOB, WRONG_BLOB, LINK, HARMS };

static void harm_do(const char *dir, enum harm harm)
{
	static const char *const commands[] = {
		[UNSIGNED] = "sed -i 's/\"sig\": *\"../\"sig\":\"00/; "
			     "s/\"sig\":\"../\"sig\":\"00/' site.json",
		[CHANGED] = "sed -i 's/tester/tester /' version.json",
		[NO_BLOB] = "rm targets/blob/*",
		[WRONG_BLOB] = "for f in targets/blob/*; do "
			       "printf x | dd of=$f conv=notrunc 2>/dev/null; "
			       "done",
		[LINK] = "for f in targets/blob/*; do mv $f $f.away; "
			 "ln -s $f.away $f; done",
	};
	char command[512];

	snprintf(command, sizeof(command), "cd '%s' && { %s; }", dir,
		 commands[harm]);
	assert_int_equal(system(command), 0);
}

static void is_a_bad_bundle_refused(void **state)
{
	uint8_t good[32], next[32];
	char path[128];
	struct host host;

	for (int harm = 0; harm < HARMS; harm++) {
		int fd, error;

		begin(&host, good);
		host_bundle(&host, &second, path, next);
		harm_do(path, (enum harm)harm);
		fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		error = host_ask(&host, ASK("submit", ""), fd, NULL, 0);
		if (error == 0) {
			fail_msg("harm %d was taken", harm);
		}
		close(fd);
		assert_true(host_is_current(&host, good));
		assert_int_equal(host.seen[AGENT_SWITCH], 0);
		/* The next attempt is possible. */
		snprintf(path, sizeof(path), "rm -rf %s/bundle2", host.dir);
		assert_int_equal(system(path), 0);
		host_bring(&host, &second, next);
		host_await(&host, next, "good");
		host_stop(&host);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(do_people_decide),
		cmocka_unit_test(are_bad_requests_refused),
		cmocka_unit_test(does_a_bad_caller_hold_nobody),
		cmocka_unit_test(may_anyone_look_and_only_root_act),
		cmocka_unit_test(is_a_bad_bundle_refused),
	};

	if (argc != 3) {
		return EX_USAGE;
	}
	agent = argv[1];
	product = argv[2];
	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
