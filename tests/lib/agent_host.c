/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/agent_host.h"

#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include <bailey/event.h>

#include "base/canon.h"
#include "base/mono.h"
#include "base/pass.h"
#include "update/key.h"

#define POLICY "[*]\nchannel = local\n"

static int open_dir(const char *dir, const char *name)
{
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(fd >= 0);
	return fd;
}

static int listen_at(const char *dir, const char *name)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	snprintf(at.sun_path, sizeof(at.sun_path), "%s/%s", dir, name);
	unlink(at.sun_path);
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(fd, 8), 0);
	return fd;
}

/* ---- words to the agent ---- */

static void tell(struct host *host, struct agent_message *m, uint32_t type,
		 const int *fds, size_t count)
{
	m->type = type;
	/* A killed agent hears nothing. */
	(void)!pass_send(host->socket, m, sizeof(*m), fds, count, 0);
}

static void tell_product(struct host *host)
{
	struct agent_message m = { .number = AGENT_PRODUCT_WANTED |
		(host->serving ? AGENT_PRODUCT_SERVING : 0u) |
		(host->frozen ? AGENT_PRODUCT_FROZEN : 0u) };
	struct agent_product *p = &m.product;

	snprintf(p->name, sizeof(p->name), "%s", host->options.name);
	if (host->options.root) {
		snprintf(p->url, sizeof(p->url), "%s", host->options.no_url
			 ? "" : "file:///unused");
		snprintf(p->root, sizeof(p->root), "%s/root.json", host->dir);
	}
	p->reload = host->reload;
	p->ask[0] = (struct agent_event){ BAILEY_EVENT_FILE_OPEN, 0, 4000 };
	p->deadline_max_ms = host->deadline_ms;
	p->start_s = 10;
	p->hold = 64;
	p->see_files = 1;
	p->memory_bytes = 1ull << 31;
	snprintf(p->may_deny[0], sizeof(p->may_deny[0]), "/");
	tell(host, &m, AGENT_PRODUCT, NULL, 0);
}

static void tell_ready(struct host *host)
{
	struct agent_message m = { .try = host->runs_try, .pid = 1 };

	memcpy(m.hash, host->runs, 32);
	tell(host, &m, AGENT_PRODUCT_READY, NULL, 0);
}

static void tell_ended(struct host *host, const uint8_t *hash, uint32_t try,
		       uint32_t fault, int status)
{
	struct agent_message m = { .try = try, .fault = fault,
				   .number = (uint64_t)status };

	memcpy(m.hash, hash, 32);
	tell(host, &m, AGENT_PRODUCT_ENDED, NULL, 0);
}

/* ---- what runs ---- */

static void tell_alarm(struct host *host)
{
	struct agent_message m = { 0 };

	memcpy(m.hash, host->denied, 32);
	tell(host, &m, AGENT_PRODUCT_ALARM, NULL, 0);
}

static void current_read(const struct host *host, uint8_t ret_hash[32])
{
	char path[256], target[256] = "";
	ssize_t n;

	memset(ret_hash, 0, 32);
	snprintf(path, sizeof(path), "%s/content/%s/current", host->dir,
		 host->options.name);
	n = readlink(path, target, sizeof(target) - 1);
	if (n > 6) {
		assert_int_equal(version_unhex(target + 6, ret_hash), 0);
	}
}

bool host_is_current(const struct host *host, const uint8_t hash[32])
{
	uint8_t current[32];

	current_read(host, current);
	return memcmp(current, hash, 32) == 0;
}

static void comes_back(struct host *host)
{
	current_read(host, host->runs);
	host->runs_try = 0;
	host->serving = true;
	tell_ready(host);
}

static void on_restart(struct host *host)
{
	if (host->serving) {
		tell_ended(host, host->runs, host->runs_try, AGENT_FAULT_NONE,
			   0);
	}
	comes_back(host);
}

static void on_live(struct host *host)
{
	struct agent_message m = { 0 };

	current_read(host, host->runs);
	memcpy(m.hash, host->runs, 32);
	tell(host, &m, AGENT_CONTENT_DONE, NULL, 0);
}

static void on_switch(struct host *host, const struct agent_message *r)
{
	struct agent_message m = { .try = r->try };

	memcpy(host->former, host->runs, 32);
	for (int i = 0; i < HOST_TRIES; i++) {
		if (host->try[i].id == r->try) {
			memcpy(host->runs, host->try[i].hash, 32);
			host->try[i].id = 0;
		}
	}
	host->runs_try = r->try;
	host->frozen = true;
	tell(host, &m, AGENT_SWITCHED, NULL, 0);
}

static void switch_back(struct host *host, uint32_t fault)
{
	struct agent_message m = { .try = 0, .fault = fault };

	memcpy(host->runs, host->former, 32);
	host->runs_try = 0;
	host->frozen = false;
	memcpy(m.hash, host->runs, 32);
	tell(host, &m, AGENT_SWITCHED_BACK, NULL, 0);
}

/* ---- tries ---- */

static void try_exec(struct host *host, int session)
{
	char *argv[] = { (char *)(uintptr_t)host->product_program,
			 (char *)(uintptr_t)host->options.fields,
			 (char *)(uintptr_t)host->options.schema, NULL };
	char *nothing[] = { NULL };

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	dup2(session, 3);
	close_range(4, ~0u, 0);
	execve(argv[0], argv, nothing);
	_exit(127);
}

static void try_preflight(struct host *host, int slot,
			  const struct agent_message *r)
{
	struct agent_message m = { .try = r->try,
				   .purpose = AGENT_PREFLIGHT };
	char path[64];
	int pair[2], fds[3];
	pid_t pid;

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0,
				    pair), 0);
	fflush(NULL);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		try_exec(host, pair[1]);
	}
	close(pair[1]);
	host->try[slot].pid = m.pid = pid;
	snprintf(path, sizeof(path), "/proc/%d/statm", (int)pid);
	fds[0] = open("/dev/null", O_RDONLY | O_CLOEXEC);
	fds[1] = open(path, O_RDONLY | O_CLOEXEC);
	fds[2] = pair[0];
	tell(host, &m, AGENT_TRY_STARTED, fds, 3);
	for (int i = 0; i < 3; i++) {
		close(fds[i]);
	}
}

static void on_try_start(struct host *host, const struct agent_message *r)
{
	struct agent_message m = { .try = r->try, .purpose = r->purpose };
	int slot = 0;

	while (slot < HOST_TRIES && host->try[slot].id) {
		slot++;
	}
	assert_true(slot < HOST_TRIES);
	host->try[slot].id = r->try;
	host->try[slot].pid = 0;
	host->try[slot].purpose = r->purpose;
	memcpy(host->try[slot].hash, r->hash, 32);
	if (r->purpose == AGENT_PREFLIGHT) {
		try_preflight(host, slot, r);
		return;
	}
	tell(host, &m, AGENT_TRY_STARTED, NULL, 0);
	if (host->standby_fails) {
		host->try[slot].id = 0;
		m.fault = AGENT_FAULT_CRASH;
		m.number = SIGSEGV;
		tell(host, &m, AGENT_TRY_ENDED, NULL, 0);
	} else {
		tell(host, &m, AGENT_TRY_READY, NULL, 0);
	}
}

static void try_over(struct host *host, int slot, uint32_t fault, int status)
{
	struct agent_message m = { .try = host->try[slot].id,
				   .purpose = host->try[slot].purpose,
				   .fault = fault,
				   .number = (uint64_t)status };

	host->try[slot].id = 0;
	host->try[slot].pid = 0;
	tell(host, &m, AGENT_TRY_ENDED, NULL, 0);
}

static void on_try_stop(struct host *host, const struct agent_message *r)
{
	for (int i = 0; i < HOST_TRIES; i++) {
		int status = 0;

		if (host->try[i].id != r->try) {
			continue;
		}
		if (host->try[i].pid) {
			kill(host->try[i].pid, SIGKILL);
			waitpid(host->try[i].pid, &status, 0);
		}
		try_over(host, i, AGENT_FAULT_NONE, status);
	}
}

static void reap(struct host *host)
{
	for (int i = 0; i < HOST_TRIES; i++) {
		int status;

		if (host->try[i].id && host->try[i].pid &&
		    waitpid(host->try[i].pid, &status, WNOHANG) > 0) {
			try_over(host, i, WIFSIGNALED(status)
				 ? AGENT_FAULT_CRASH : AGENT_FAULT_EXIT,
				 status);
		}
	}
}

static void tries_kill(struct host *host)
{
	for (int i = 0; i < HOST_TRIES; i++) {
		if (host->try[i].id && host->try[i].pid) {
			kill(host->try[i].pid, SIGKILL);
			waitpid(host->try[i].pid, NULL, 0);
		}
		host->try[i].id = 0;
	}
}

/* ---- the loop ---- */

static void on_message(struct host *host, const struct agent_message *m)
{
	host->seen[m->type % 128]++;
	switch (m->type) {
	case AGENT_TRY_START:
		on_try_start(host, m);
		break;
	case AGENT_TRY_STOP:
		on_try_stop(host, m);
		break;
	case AGENT_SWITCH:
		on_switch(host, m);
		break;
	case AGENT_SWITCH_BACK:
		switch_back(host, AGENT_FAULT_NONE);
		break;
	case AGENT_TRIAL_END:
		host->frozen = false;
		break;
	case AGENT_RESTART:
		on_restart(host);
		break;
	case AGENT_LIVE:
		on_live(host);
		break;
	case AGENT_BELIEVE:
		/* As the monitor demands it. */
		host->observes = host->observes &&
				 (memcmp(m->hash, host->denied, 32) != 0 ||
				  memcmp(m->hash, host->runs, 32) == 0);
		break;
	case AGENT_ALARM:
		memcpy(host->alarm, m->text, sizeof(host->alarm));
		break;
	default:
		fail_msg("message %u", m->type);
	}
}

static void view_answer(struct host *host, int client)
{
	struct view_product *v = &host->counters;
	struct view_end end = { .head = { VIEW_END, sizeof(end) } };

	v->head.type = VIEW_PRODUCT;
	v->head.size = sizeof(*v);
	snprintf(v->name, sizeof(v->name), "%s", host->options.name);
	if (host->counting) {
		v->asked += 1000;
		v->answered += 1000;
		v->latency[6] += 1000;
		v->cpu_ns += 50 * MONO_MS;
		v->memory = 10u << 20;
		if (host->denying) {
			v->denied += 1000;
			v->denied_objects += 300;
			v->denied_users = 12;
		}
	}
	(void)!send(client, v, sizeof(*v), MSG_NOSIGNAL);
	(void)!send(client, &end, sizeof(end), MSG_NOSIGNAL);
}

static void view_turn(struct host *host)
{
	char bytes[4096];
	int client = accept4(host->view, NULL, NULL, SOCK_CLOEXEC);

	if (client >= 0 && recv(client, bytes, sizeof(bytes), 0) > 0) {
		view_answer(host, client);
	}
	if (client >= 0) {
		close(client);
	}
}

uint64_t host_records(const struct host *host)
{
	char path[256];
	struct stat st = { 0 };

	snprintf(path, sizeof(path), "%s/content/%s/journal", host->dir,
		 host->options.name);
	(void)!stat(path, &st);
	return (uint64_t)st.st_size / 1024;
}

void host_kill_at(struct host *host, uint64_t records)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/content/%s/journal", host->dir,
		 host->options.name);
	host->journal = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	assert_true(inotify_add_watch(host->journal, path, IN_MODIFY) >= 0);
	host->kill_at = records;
}

static void kill_now(struct host *host)
{
	host->kill_at = 0;
	host->kills++;
	host_agent_kill(host);
	close(host->journal);
	host->journal = -1;
	host_agent_start(host);
}

void host_turn(struct host *host, int ms)
{
	struct pollfd p[] = { { .fd = host->socket, .events = POLLIN },
			      { .fd = host->view, .events = POLLIN },
			      { .fd = host->kill_at ? host->journal : -1,
				.events = POLLIN } };
	struct agent_message m;
	int fds[PASS_FDS];
	size_t count;

	(void)poll(p, 3, ms);
	if (host->kill_at && host_records(host) >= host->kill_at) {
		kill_now(host);
		return;
	}
	while (pass_receive(host->socket, &m, sizeof(m), fds, &count,
			    MSG_DONTWAIT) > 0) {
		assert_int_equal(count, 0);
		on_message(host, &m);
	}
	if (p[1].revents) {
		view_turn(host);
	}
	reap(host);
}

void host_serve(struct host *host, unsigned ms)
{
	mono_t end = mono_add(mono_now(), ms * MONO_MS);

	do {
		host_turn(host, 5);
	} while (mono_now().ns < end.ns);
}

/* ---- the agent ---- */

static void agent_exec(struct host *host, int socket)
{
	int fds[6] = { socket, open_dir(host->dir, "content"),
		       open_dir(host->dir, "staging"),
		       open_dir(host->dir, "etc/content.d"),
		       listen_at(host->dir, "content.sock"), -1 };
	char path[128];

	snprintf(path, sizeof(path), "%s/view.sock", host->dir);
	fds[5] = open(path, O_PATH | O_CLOEXEC);
	for (int i = 0; i < 6; i++) {
		fds[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, 64);
	}
	for (int i = 0; i < 6; i++) {
		dup2(fds[i], AGENT_FD_MONITOR + i);
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* Its filter leaves nothing that a leak checker could look with. */
	setenv("ASAN_OPTIONS", "detect_leaks=0", 1);
	execl(host->agent_program, "bailey-content", NULL);
	_exit(127);
}

void host_agent_start(struct host *host)
{
	struct agent_message m = { .number = AGENT_VERSION };
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0,
				    pair), 0);
	fflush(NULL);
	host->agent = fork();
	assert_true(host->agent >= 0);
	if (host->agent == 0) {
		agent_exec(host, pair[1]);
	}
	close(pair[1]);
	host->socket = pair[0];
	tell_product(host);
	if (host->serving) {
		tell_ready(host);
	}
	if (host->observes) {
		tell_alarm(host);
	}
	tell(host, &m, AGENT_BEGIN, NULL, 0);
}

void host_agent_kill(struct host *host)
{
	kill(host->agent, SIGKILL);
	waitpid(host->agent, NULL, 0);
	close(host->socket);
	tries_kill(host);       /* as the monitor does */
}

void host_agent_end(struct host *host)
{
	struct agent_message m = { 0 };
	int status;

	tell(host, &m, AGENT_SHUTDOWN, NULL, 0);
	assert_int_equal(waitpid(host->agent, &status, 0), host->agent);
	close(host->socket);
	tries_kill(host);
	assert_int_equal(status, 0);
}

void host_start(struct host *ret_host, const char *agent_program,
		const char *product_program, uint32_t reload)
{
	static const struct host_options options = { .name = "tester",
		.schema = "test/1", .fields = "20", .policy = POLICY };

	host_start_as(ret_host, agent_program, product_program, reload,
		      &options);
}

void host_start_as(struct host *ret_host, const char *agent_program,
		   const char *product_program, uint32_t reload,
		   const struct host_options *options)
{
	struct host *host = ret_host;

	memset(host, 0, sizeof(*host));
	host->options = *options;
	host->journal = -1;
	host->agent_program = agent_program;
	host->product_program = product_program;
	host->reload = reload;
	host->deadline_ms = 8000;
	snprintf(host->dir, sizeof(host->dir), "/tmp/agent-host-XXXXXX");
	assert_non_null(mkdtemp(host->dir));
	host_dir(host->dir, "content");
	host_dir(host->dir, "staging");
	host_dir(host->dir, "etc");
	host_dir(host->dir, "etc/content.d");
	host_dir(host->dir, "etc/site-keys.d");
	host_file(host->dir, "etc/content.d/all.conf", options->policy,
		   strlen(options->policy));
	if (options->root) {
		host_file(host->dir, "root.json", options->root,
			   options->root_length);
	}
	host_key(host);
	host->view = listen_at(host->dir, "view.sock");
	host_agent_start(host);
}

static int remove_one(const char *path, const struct stat *st, int type,
		      struct FTW *ftw)
{
	return remove(path);
}

static int open_up(const char *path, const struct stat *st, int type,
		   struct FTW *ftw)
{
	return type == FTW_D ? chmod(path, 0755) : 0;
}

void host_stop(struct host *host)
{
	host_agent_end(host);
	close(host->view);
	key_free(host->key);
	nftw(host->dir, open_up, 16, FTW_PHYS);
	nftw(host->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* ---- faults ---- */

void host_denies(struct host *host)
{
	memcpy(host->denied, host->runs, 32);
	host->observes = true;
	tell_alarm(host);
}

void host_crash(struct host *host, const char *text)
{
	struct agent_message m = { .try = host->runs_try, .held = 1 };
	uint8_t died[32];
	int fd = memfd_create("object", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_true(write(fd, text, strlen(text)) > 0);
	m.kind[0] = BAILEY_EVENT_FILE_OPEN;
	memcpy(died, host->runs, 32);
	if (host->frozen) {     /* the reflex */
		switch_back(host, AGENT_FAULT_CRASH);
	}
	tell_ended(host, died, m.try, AGENT_FAULT_CRASH, SIGSEGV);
	tell(host, &m, AGENT_LAST_QUESTIONS, &fd, 1);
	close(fd);
	if (memcmp(died, host->runs, 32) == 0) {
		comes_back(host);
	}
}
