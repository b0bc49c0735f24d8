/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/jail_monitor.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mono.h"

#define JAIL_TEST_UID 64117u

static void jail_fail(const char *what)
{
	perror(what);
	exit(99);
}

void jail_write(const char *directory, const char *name, const char *text,
		unsigned mode)
{
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text) ||
	    fchmod(fd, mode) < 0) {
		jail_fail(path);
	}
	close(fd);
}

void jail_monitor_init_mode(struct jail_monitor *ret_monitor, unsigned mode)
{
	struct jail_monitor *m = ret_monitor;
	int table = memfd_create("table", MFD_CLOEXEC), pair[2];

	memset(m, 0, sizeof(*m));
	strcpy(m->base, "/tmp/jail.XXXXXX");
	if (!mkdtemp(m->base) || table < 0 ||
	    ftruncate(table, sizeof(struct handoff_table)) < 0) {
		jail_fail("temporary");
	}
	chmod(m->base, 0755);
	snprintf(m->etc, sizeof(m->etc), "%s/etc", m->base);
	snprintf(m->state, sizeof(m->state), "%s/state", m->base);
	mkdir(m->etc, 0755);
	mkdir(m->state, 0700);
	chmod(m->state, mode);
	m->start = (struct helper_start){
		.etc_dir = m->etc, .state_dir = m->state,
		.runtime_dir = m->state,
		.table = mmap(NULL, sizeof(struct handoff_table), PROT_READ |
			      PROT_WRITE, MAP_SHARED, table, 0),
	};
	close(table);
	if (m->start.table == MAP_FAILED ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) {
		jail_fail("socketpair");
	}
	m->helper = fork();
	if (m->helper == 0) {
		close(pair[0]);
		helper_main(pair[1], &m->start);
	}
	close(pair[1]);
	m->socket = pair[0];
}

void jail_monitor_init(struct jail_monitor *ret_monitor)
{
	jail_monitor_init_mode(ret_monitor, 0700);
}

static int jail_remove_one(const char *path, const struct stat *st, int flag,
			   struct FTW *walk)
{
	return remove(path);
}

void jail_remove(const char *path)
{
	nftw(path, jail_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

bool jail_monitor_fini(struct jail_monitor *monitor)
{
	bool ended = false;

	close(monitor->socket);
	for (int i = 0; i < 200 && !ended; i++) {
		ended = waitpid(monitor->helper, NULL, WNOHANG) ==
			monitor->helper;
		usleep(10000);
	}
	if (!ended) {
		kill(monitor->helper, SIGKILL);
		waitpid(monitor->helper, NULL, 0);
	}
	jail_remove(monitor->base);
	return ended;
}

void jail_request(struct jail_monitor *monitor,
		  const struct helper_request *request, const int *fds,
		  size_t count)
{
	char control[CMSG_SPACE(16 * sizeof(int))] = { 0 };
	struct iovec part = { (void *)request, sizeof(*request) };
	struct msghdr m = { .msg_iov = &part, .msg_iovlen = 1 };

	if (count) {
		struct cmsghdr *c;

		m.msg_control = control;
		m.msg_controllen = CMSG_SPACE(count * sizeof(int));
		c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(count * sizeof(int));
		memcpy(CMSG_DATA(c), fds, count * sizeof(int));
	}
	if (sendmsg(monitor->socket, &m, MSG_NOSIGNAL) < 0) {
		jail_fail("request");
	}
}

bool jail_reply(struct jail_monitor *monitor, struct helper_reply *ret_reply,
		int *ret_fds, size_t *ret_count)
{
	char control[CMSG_SPACE(16 * sizeof(int))];
	struct iovec part = { ret_reply, sizeof(*ret_reply) };
	struct msghdr m = { .msg_iov = &part, .msg_iovlen = 1,
			    .msg_control = control,
			    .msg_controllen = sizeof(control) };
	struct pollfd p = { .fd = monitor->socket, .events = POLLIN };
	struct cmsghdr *c;

	*ret_count = 0;
	if (poll(&p, 1, 20000) != 1 ||
	    recvmsg(monitor->socket, &m, MSG_CMSG_CLOEXEC) !=
	    sizeof(*ret_reply)) {
		return false;
	}
	c = CMSG_FIRSTHDR(&m);
	if (c) {
		*ret_count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		memcpy(ret_fds, CMSG_DATA(c), *ret_count * sizeof(int));
	}
	return true;
}

void jail_manifest(struct manifest *ret_manifest, const char *program,
		   const char *name, const char *mode)
{
	struct manifest *m = ret_manifest;

	memset(m, 0, sizeof(*m));
	snprintf(m->name, sizeof(m->name), "%s", name);
	snprintf(m->exec, sizeof(m->exec), "%s", program);
	snprintf(m->argument[0], sizeof(m->argument[0]), "%s", mode);
	m->profile = MANIFEST_PROFILE_C;
	m->memory_bytes = 64u << 20;
	m->tasks = 32;
	m->files = 256;
	m->cpu_percent = 80;
}

void jail_start(struct jail_monitor *monitor, const struct manifest *manifest,
		struct jail_started *ret_started)
{
	struct helper_request request = { .job = HELPER_START_PRODUCT,
					  .uid = JAIL_TEST_UID,
					  .manifest = *manifest };
	struct jail_started *s = ret_started;
	struct helper_reply reply = { .more = 1 };
	mono_t begin = mono_now();
	int fds[16];
	size_t count = 0, next = 2;

	memset(s, 0, sizeof(*s));
	jail_request(monitor, &request, NULL, 0);
	while (reply.more) {
		if (!jail_reply(monitor, &reply, fds, &count)) {
			jail_fail("no reply");
		}
		s->doctor_rows += reply.type == HELPER_DOCTOR;
		s->doctor_missing += reply.type == HELPER_DOCTOR &&
				     !reply.doctor.ok;
	}
	s->took_us = mono_between(begin, mono_now()) / 1000;
	s->error = reply.error;
	s->pid = reply.pid;
	s->pidfd = count > 0 ? fds[0] : -1;
	s->session = count > 1 ? fds[1] : -1;
	for (unsigned i = 0; i < 4; i++) {
		s->directory[i] = reply.number & 1u << i && next < count ?
				  fds[next++] : -1;
	}
	snprintf(s->text, sizeof(s->text), "%s", reply.text);
}

int jail_stop(struct jail_started *started)
{
	int status = -1;

	if (started->pid > 0) {
		kill(started->pid, SIGKILL);
		waitpid(started->pid, &status, 0);
	}
	for (unsigned i = 0; i < 4; i++) {
		if (started->directory[i] >= 0) {
			close(started->directory[i]);
		}
	}
	if (started->pidfd >= 0) {
		close(started->pidfd);
	}
	if (started->session >= 0) {
		close(started->session);
	}
	started->pid = 0;
	return status;
}

ssize_t jail_hear(const struct jail_started *started, char *text, size_t size)
{
	struct pollfd p = { .fd = started->session, .events = POLLIN };
	ssize_t n = -1;

	if (poll(&p, 1, 20000) == 1) {
		n = recv(started->session, text, size - 1, 0);
	}
	text[n > 0 ? n : 0] = '\0';
	return n;
}

void jail_hand(const struct jail_started *started, int fd)
{
	char control[CMSG_SPACE(sizeof(int))] = { 0 }, byte = 'f';
	struct iovec part = { &byte, 1 };
	struct msghdr m = { .msg_iov = &part, .msg_iovlen = 1,
			    .msg_control = control,
			    .msg_controllen = sizeof(control) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	if (sendmsg(started->session, &m, MSG_NOSIGNAL) != 1) {
		jail_fail("hand");
	}
}

static int jail_count(const char *path, const char *prefix)
{
	DIR *list = opendir(path);
	const struct dirent *entry;
	int count = 0;

	while (list && (entry = readdir(list))) {
		count += entry->d_name[0] != '.' &&
			 strncmp(entry->d_name, prefix, strlen(prefix)) == 0;
	}
	if (list) {
		closedir(list);
	}
	return count;
}

int jail_fd_count(pid_t pid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	return jail_count(path, "");
}

int jail_own_count(const struct jail_monitor *monitor)
{
	int count = 0;

	for (uint32_t i = 0; i < HANDOFF_OWN; i++) {
		count += monitor->start.table->own[i] != 0;
	}
	return count;
}

bool jail_wait_idle(const struct jail_monitor *monitor, int fds)
{
	for (int ms = 0; ms < 10000; ms += 10) {
		if (jail_own_count(monitor) == 1 &&
		    jail_cgroup_count(getpid()) == 0 &&
		    (fds < 0 || jail_fd_count(monitor->helper) <= fds)) {
			return true;
		}
		usleep(10000);
	}
	return false;
}

static char jail_cgroup_prefix[32];
static int jail_cgroups_seen;

static int jail_cgroup_walk(const char *path, const struct stat *st, int flag,
			    struct FTW *walk)
{
	jail_cgroups_seen += flag == FTW_D &&
			     strncmp(path + walk->base, jail_cgroup_prefix,
				     strlen(jail_cgroup_prefix)) == 0;
	return 0;
}

int jail_cgroup_count(pid_t monitor)
{
	jail_cgroups_seen = 0;
	snprintf(jail_cgroup_prefix, sizeof(jail_cgroup_prefix), "bailey-%d-",
		 monitor);
	nftw("/sys/fs/cgroup", jail_cgroup_walk, 32, FTW_PHYS);
	return jail_cgroups_seen;
}
