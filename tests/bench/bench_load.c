/* SPDX-License-Identifier: Apache-2.0 */
/* tests/bench/bench_load.c - see bench_load.h */
#include "bench/bench_load.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define INNOCENT_UID 60001u
#define EVIL_UID 60002u
#define CROWD_UID 60003u

static const struct {
	const char *name, *files;
	unsigned every_us;
	bool whole;
} rows[LOAD_KINDS] = {
#define X(sym, name, files, us, whole) { name, files, us, whole },
	LOAD_TABLE(X)
#undef X
};

const char *load_name(enum load_kind kind)
{
	return rows[kind].name;
}

struct load *load_new(void)
{
	struct load *load = mmap(NULL, sizeof *load, PROT_READ | PROT_WRITE,
				 MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	return load == MAP_FAILED ? NULL : load;
}

struct load *load_free(struct load *load)
{
	if (load != NULL) {
		munmap(load, sizeof *load);
	}
	return NULL;
}

int load_files(struct server *server)
{
	static const struct {
		const char *name;
		unsigned count;
	} files[] = {
		{ "admin_evil", 1 }, { "rule_evil", 1 }, { "object_evil", 1 },
		{ "once_evil", 1 }, { "spin", 1 }, { "hold", 1000 },
		{ "storm", 16 },
	};
	int r = 0;

	for (size_t i = 0; r == 0 && i < sizeof files / sizeof *files; i++) {
		r = server_add_files(server, files[i].name, files[i].count,
				     0666);
	}
	return r;
}

uint32_t load_now_us(const struct load *load)
{
	return (uint32_t)((ns_now_ns() - load->start_ns) / 1000u);
}

static bool open_file(const char *name)
{
	int fd = open(name, O_RDONLY | O_CLOEXEC);

	if (fd < 0) {
		return errno != EPERM && errno != EACCES;
	}
	close(fd);
	return true;
}

static bool start_program(const char *name)
{
	char *argv[] = { (char *)(uintptr_t)name, NULL }, *envp[] = { NULL };
	int status = -1;
	pid_t pid;

	if (posix_spawn(&pid, name, NULL, NULL, argv, envp) != 0) {
		return false;
	}
	waitpid(pid, &status, 0);
	return status == 0;
}

static void note(struct load *load, enum load_kind kind, uint32_t at,
		 bool allowed)
{
	struct load_list *list = &load->list[kind];
	uint32_t now = load_now_us(load);

	if (now < at) {
		/* seen on virtual machines; what it took is not known */
		list->backwards++;
		now = at;
	}
	if (list->count == LOAD_NOTES) {
		list->dropped++;
		return;
	}
	list->note[list->count] = (struct load_note){
		.at_us = at, .took_us = now - at, .allowed = allowed
	};
	atomic_thread_fence(memory_order_release);
	list->count++;
}

/* By the clock: what is late is not made up for, as in a program that waits. */
static _Noreturn void work(struct load *load, const char *tree,
			   enum load_kind kind)
{
	unsigned files = kind == LOAD_OPENS ? 16 : 1;
	uint64_t next = load_now_us(load);
	char name[160];

	if (ns_become(kind >= LOAD_EVIL_ADMIN ? EVIL_UID : INNOCENT_UID)) {
		_exit(125);
	}
	for (unsigned i = 0; !atomic_load(&load->stop); i++) {
		uint32_t at;
		bool allowed;

		snprintf(name, sizeof name, "%s%s%s%u",
			 rows[kind].whole ? tree : "",
			 rows[kind].whole ? "/" : "", rows[kind].files,
			 i % files);
		at = load_now_us(load);
		allowed = kind == LOAD_EXECS ? start_program(name) :
					       open_file(name);
		note(load, kind, at, allowed);
		next += rows[kind].every_us;
		at = load_now_us(load);
		if (next > at) {
			usleep((useconds_t)(next - at));
		} else {
			next = at;
		}
	}
	_exit(0);
}

int load_start(struct load *load, const struct server *server, unsigned kinds)
{
	pid_t pid;

	memset(load, 0, sizeof *load);
	load->start_ns = ns_now_ns();
	for (int i = 0; i < LOAD_KINDS; i++) {
		if ((kinds & 1u << i) == 0) {
			continue;
		}
		/* not into the shared memory: the child would write its 0 */
		pid = ns_env_fork(&server->env);
		if (pid == 0) {
			work(load, server->env.tree, i);
		}
		if (pid < 0) {
			load_stop(load);
			return pid;
		}
		load->child[i] = pid;
	}
	return 0;
}

struct member {
	struct load *load;
	unsigned pause_us;
	char name[32];
};

static void *member_main(void *argument)
{
	const struct member *member = argument;

	while (!atomic_load(&member->load->stop)) {
		open_file(member->name);
		if (member->pause_us > 0) {
			usleep(member->pause_us);
		}
	}
	return NULL;
}

#define CROWD_MAX 1000u

static _Noreturn void crowd_main(struct load *load, const char *name,
				 unsigned threads, unsigned pause_us)
{
	static struct member member[CROWD_MAX];
	pthread_attr_t attributes;
	pthread_t thread;

	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, 65536);
	if (ns_become(CROWD_UID) != 0) {
		_exit(125);
	}
	for (unsigned i = 0; i < threads; i++) {
		member[i] = (struct member){ .load = load,
					     .pause_us = pause_us };
		snprintf(member[i].name, sizeof member[i].name, "%s%u", name,
			 pause_us > 0 ? i : i % 16);
		if (pthread_create(&thread, &attributes, member_main,
				   &member[i]) != 0) {
			_exit(124);
		}
	}
	for (;;) {
		pause();
	}
}

int load_crowd(struct load *load, const struct server *server,
	       const char *name, unsigned threads, unsigned pause_us)
{
	pid_t pid;

	if (threads > CROWD_MAX) {
		return -EINVAL;
	}
	pid = ns_env_fork(&server->env);
	if (pid == 0) {
		crowd_main(load, name, threads, pause_us);
	}
	load->crowd = pid > 0 ? pid : 0;
	return pid < 0 ? pid : 0;
}

void load_stop(struct load *load)
{
	atomic_store(&load->stop, 1);
	ns_end(load->crowd, SIGKILL, 20000);
	load->crowd = 0;
	for (int i = 0; i < LOAD_KINDS; i++) {
		/* signal 0: they end by themselves */
		ns_end(load->child[i], 0, 2000);
		load->child[i] = 0;
	}
}

static bool within(const struct load_note *n, uint32_t from, uint32_t to)
{
	return n->at_us < to && n->at_us + n->took_us >= from;
}

/* The i-th note of the kind in the window, from *i on; null: no more. */
static const struct load_note *next_note(const struct load *load,
					 enum load_kind kind, uint32_t from,
					 uint32_t to, uint32_t *i)
{
	const struct load_list *list = &load->list[kind];

	while (*i < list->count) {
		const struct load_note *n = &list->note[(*i)++];

		if (within(n, from, to)) {
			return n;
		}
	}
	return NULL;
}

uint32_t load_longest_us(const struct load *load, enum load_kind kind,
			 uint32_t from, uint32_t to)
{
	const struct load_note *n;
	uint32_t longest = 0, i = 0;

	while ((n = next_note(load, kind, from, to, &i)) != NULL) {
		longest = n->took_us > longest ? n->took_us : longest;
	}
	return longest;
}

uint32_t load_stalled_us(const struct load *load, enum load_kind kind,
			 uint32_t from, uint32_t to)
{
	const struct load_note *n;
	uint32_t sum = 0, i = 0;

	while ((n = next_note(load, kind, from, to, &i)) != NULL) {
		sum += n->took_us > 1000 ? n->took_us - 1000 : 0;
	}
	return sum;
}

double load_p99_us(const struct load *load, enum load_kind kind, uint32_t from,
		   uint32_t to)
{
	static uint32_t took[LOAD_NOTES];
	struct stat_summary summary;
	const struct load_note *n;
	uint32_t i = 0;
	size_t count = 0;

	while ((n = next_note(load, kind, from, to, &i)) != NULL) {
		took[count++] = n->took_us;
	}
	stat_summarize(took, count, &summary);
	return summary.p99;
}

uint32_t load_count(const struct load *load, enum load_kind kind, bool allowed,
		    uint32_t from, uint32_t to)
{
	const struct load_note *n;
	uint32_t count = 0, i = 0;

	while ((n = next_note(load, kind, from, to, &i)) != NULL) {
		count += n->at_us >= from && (n->allowed != 0) == allowed;
	}
	return count;
}

uint32_t load_last_allowed_us(const struct load *load, enum load_kind kind,
			      uint32_t from, uint32_t to)
{
	const struct load_note *n;
	uint32_t last = from, i = 0;

	while ((n = next_note(load, kind, from, to, &i)) != NULL) {
		if (n->at_us > last + LOAD_QUIET_US) {
			break;          /* what comes now has its own cause */
		}
		if (n->allowed && n->at_us + n->took_us > last) {
			last = n->at_us + n->took_us;
		}
	}
	return last;
}

uint32_t load_dropped(const struct load *load)
{
	uint32_t dropped = 0;

	for (int i = 0; i < LOAD_KINDS; i++) {
		dropped += load->list[i].dropped;
	}
	return dropped;
}

uint32_t load_backwards(const struct load *load)
{
	uint32_t backwards = 0;

	for (int i = 0; i < LOAD_KINDS; i++) {
		backwards += load->list[i].backwards;
	}
	return backwards;
}
