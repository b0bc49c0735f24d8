/* SPDX-License-Identifier: Apache-2.0 */
/* test_trial_host.c - see test_trial_host.h */
#include "test_trial_host.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mono.h"
#include "base/pass.h"
#include "proto/slot.h"

#define WAIT_MS 20000

static void make_path(const struct trial *t, char *ret_path, size_t size,
		      const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/* Below the state directory. */
static void make_path(const struct trial *t, char *ret_path, size_t size,
		      const char *format, ...)
{
	int n = snprintf(ret_path, size, "%s/", t->host.env.state);
	va_list list;

	va_start(list, format);
	vsnprintf(ret_path + n, size - (size_t)n, format, list);
	va_end(list);
}

static void copy(const char *from, const char *to)
{
	struct stat st;
	int in = open(from, O_RDONLY | O_CLOEXEC);
	int out = open(to, O_WRONLY | O_CREAT | O_CLOEXEC, 0755);

	assert_true(in >= 0 && out >= 0 && fstat(in, &st) == 0);
	for (off_t left = st.st_size; left > 0;) {
		ssize_t n = sendfile(out, in, NULL, (size_t)left);

		assert_true(n > 0);
		left -= n;
	}
	close(in);
	close(out);
}

/* As in the build folder, but for the agent. */
static void make_build(struct trial *t, const char *build)
{
	static const char *const programs[][2] = {
		{ "src/cli/bailey", "src/cli/bailey" },
		{ "src/broker/bailey-monitor", "src/broker/bailey-monitor" },
		{ "src/broker/bailey-engine", "src/broker/bailey-engine" },
		{ "tests/lib/agent_stand_in", "src/agent/bailey-content" },
	};
	static const char *const folders[] = { "", "/src", "/src/cli",
					       "/src/broker", "/src/agent" };
	char from[512], to[512];

	snprintf(t->build, sizeof(t->build), "%s/build", t->host.env.base);
	for (size_t i = 0; i < sizeof(folders) / sizeof(*folders); i++) {
		snprintf(to, sizeof(to), "%s%s", t->build, folders[i]);
		assert_int_equal(mkdir(to, 0755), 0);
	}
	for (size_t i = 0; i < sizeof(programs) / sizeof(*programs); i++) {
		snprintf(from, sizeof(from), "%s/%s", build, programs[i][0]);
		snprintf(to, sizeof(to), "%s/%s", t->build, programs[i][1]);
		copy(from, to);
	}
	t->host.build = t->build;
}

static void make_manifest(struct trial *t, const char *build,
			  const char *source, const char *reload)
{
	char path[128];
	FILE *out;

	snprintf(path, sizeof(path), "%s/brittle.ini", t->host.env.base);
	out = fopen(path, "we");
	assert_non_null(out);
	fprintf(out, "[product]\nname = brittle\nexec = "
		"%s/products/brittle/brittle\n"
		"[events]\nask = file.open process.exec\n"
		"[policy]\nmode = enforce\ndeadline_ms = open:200 exec:500\n"
		"deadline_max_ms = 1000\nstart_s = 10\nmax_denials = 60 in 1s\n"
		"hold = 64\n[see]\nfiles = all\n"
		"[jail]\nprofile = c\nmemory = 32M\ntasks = 4\nfiles = 64\n"
		"[storage]\nstate = 1M\n"
		"[content]\npath = %s/products/brittle/content/good\n"
		"root = %s/root.json\nreload = %s\n",
		build, source, t->host.env.base, reload);
	assert_int_equal(fclose(out), 0);
	host_argument(&t->host, "--product");
	host_argument(&t->host, path);
}

static void make_relay(struct trial *t)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	make_path(t, address.sun_path, sizeof(address.sun_path),
		  "content/relay.sock");
	t->listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(t->listener, (struct sockaddr *)&address,
			      sizeof(address)), 0);
	assert_int_equal(chmod(address.sun_path, 0666), 0);
	assert_int_equal(listen(t->listener, 4), 0);
}

void trial_make(struct trial *ret_trial, const char *build,
		const char *source, const char *reload)
{
	static const char *const folders[] = { "content", "content/brittle",
					       "content/brittle/slots" };
	char path[256];

	memset(ret_trial, 0, sizeof(*ret_trial));
	ret_trial->relay = -1;
	host_make(&ret_trial->host, build, source);
	make_build(ret_trial, build);
	make_manifest(ret_trial, build, source, reload);
	for (size_t i = 0; i < sizeof(folders) / sizeof(*folders); i++) {
		make_path(ret_trial, path, sizeof(path), "%s", folders[i]);
		assert_int_equal(mkdir(path, 0755), 0);
	}
	make_relay(ret_trial);
	trial_slot(ret_trial, 0, "when 1 is /eicar deny\n", TRIAL_FIELDS);
	trial_current(ret_trial, 0);
}

void trial_end(struct trial *trial)
{
	for (size_t i = 0; i < trial->count; i++) {
		close(trial->fds[i]);
	}
	if (trial->relay >= 0) {
		close(trial->relay);
		pass_close(trial->inherited, sizeof(trial->inherited) /
			   sizeof(*trial->inherited));
	}
	close(trial->listener);
	host_end(&trial->host);
}

void trial_accept(struct trial *trial)
{
	struct pollfd p = { .fd = trial->listener, .events = POLLIN };
	int fds[PASS_FDS];
	size_t count;
	char byte;

	if (trial->relay >= 0) {
		close(trial->relay);
		pass_close(trial->inherited, sizeof(trial->inherited) /
			   sizeof(*trial->inherited));
	}
	if (poll(&p, 1, WAIT_MS) != 1) {
		host_show_log(&trial->host);
		fail_msg("the agent does not start");
	}
	trial->relay = accept4(trial->listener, NULL, NULL, SOCK_CLOEXEC);
	assert_int_equal(pass_receive(trial->relay, &byte, 1, fds, &count, 0),
			 1);
	assert_int_equal(count, AGENT_FD_END - AGENT_FD_MONITOR);
	memcpy(trial->inherited, fds, sizeof(trial->inherited));
}

void trial_run(struct trial *trial)
{
	host_run(&trial->host);
	trial_accept(trial);
	host_wait_text(&trial->host, "brittle", "state", "serving", WAIT_MS);
	(void)host_wait_open(&trial->host, HOST_EICAR, EPERM, WAIT_MS);
}

static void slot_name(uint8_t number, char ret_name[2 * AGENT_HASH + 1])
{
	for (size_t i = 0; i < AGENT_HASH; i++) {
		snprintf(ret_name + 2 * i, 3, "%02x", number);
	}
}

void trial_slot(const struct trial *trial, uint8_t number, const char *rules,
		uint32_t fields)
{
	struct slot_expect expect = { .magic = SLOT_EXPECT_MAGIC,
				      .size = sizeof(expect),
				      .fields = fields,
				      .schema = "brittle/1" };
	char name[2 * AGENT_HASH + 1], path[256];
	FILE *out;

	slot_name(number, name);
	memset(expect.hash, number, sizeof(expect.hash));
	make_path(trial, path, sizeof(path), "content/brittle/slots/%s", name);
	assert_int_equal(mkdir(path, 0755), 0);
	make_path(trial, path, sizeof(path), "content/brittle/slots/%s/files",
		  name);
	assert_int_equal(mkdir(path, 0755), 0);
	make_path(trial, path, sizeof(path),
		  "content/brittle/slots/%s/files/rules", name);
	out = fopen(path, "we");
	assert_non_null(out);
	fputs(rules, out);
	assert_int_equal(fclose(out), 0);
	make_path(trial, path, sizeof(path), "content/brittle/slots/%s/expect",
		  name);
	out = fopen(path, "we");
	assert_non_null(out);
	assert_int_equal(fwrite(&expect, sizeof(expect), 1, out), 1);
	assert_int_equal(fclose(out), 0);
}

void trial_current(const struct trial *trial, uint8_t number)
{
	char name[2 * AGENT_HASH + 1], target[96], path[256], next[256];

	slot_name(number, name);
	snprintf(target, sizeof(target), "slots/%s", name);
	make_path(trial, path, sizeof(path), "content/brittle/current");
	make_path(trial, next, sizeof(next), "content/brittle/next");
	assert_int_equal(symlink(target, next), 0);
	assert_int_equal(rename(next, path), 0);
}

void trial_ask(struct trial *trial, uint32_t type, uint32_t purpose,
	       uint32_t try_id, uint8_t slot)
{
	struct agent_message m = { .type = type, .purpose = purpose,
				   .try = try_id };

	memset(m.hash, slot, sizeof(m.hash));
	assert_int_equal(pass_send(trial->inherited[0], &m, sizeof(m), NULL, 0,
				   0), 0);
}

static bool receive(struct trial *t, uint64_t until)
{
	struct pollfd p = { .fd = t->inherited[0], .events = POLLIN };
	uint64_t now = mono_now().ns;
	int ms = until > now ? (int)((until - now) / MONO_MS) + 1 : 0;

	for (size_t i = 0; i < t->count; i++) {
		close(t->fds[i]);
	}
	t->count = 0;
	return poll(&p, 1, ms) == 1 &&
	       pass_receive(t->inherited[0], &t->last, sizeof(t->last), t->fds,
			    &t->count, 0) == 1;
}

const struct agent_message *trial_wait(struct trial *trial, uint32_t type)
{
	uint64_t until = mono_now().ns + WAIT_MS * MONO_MS;

	while (receive(trial, until)) {
		if (trial->last.type == type) {
			return &trial->last;
		}
		if (trial->last.type == AGENT_REFUSED) {
			print_message("  refused: %u: %s\n",
				      trial->last.refused, trial->last.text);
		}
	}
	host_show_log(&trial->host);
	fail_msg("the monitor does not say %u", type);
	return NULL;
}

void trial_wait_all(struct trial *trial, const uint32_t *types,
		    struct agent_message *ret_messages)
{
	uint64_t until = mono_now().ns + WAIT_MS * MONO_MS;
	uint32_t missing = 0;

	for (size_t i = 0; types[i]; i++) {
		missing |= 1u << i;
	}
	while (missing && receive(trial, until)) {
		for (size_t i = 0; types[i]; i++) {
			if (trial->last.type == types[i]) {
				ret_messages[i] = trial->last;
				missing &= ~(1u << i);
			}
		}
	}
	if (missing) {
		host_show_log(&trial->host);
		fail_msg("the monitor does not say all: %#x", missing);
	}
}
