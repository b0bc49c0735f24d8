/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/replay_engine.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "base/log.h"

#define PAGE 4096u
#define TURNS 64                /* around a loop until nothing happens */

/* What cannot fail in a test's surroundings. */
static void sure(bool good, const char *what)
{
	if (!good) {
		fprintf(stderr, "replay: %s: %m\n", what);
		abort();
	}
}

/* ---- descriptors ---- */

static void stand_in(int fd, int number)
{
	sure(fd >= 0, "a stand-in");
	if (fd != number) {
		sure(dup2(fd, number) >= 0, "dup2");
		close(fd);
	}
}

static int file_of(size_t bytes)
{
	int fd = memfd_create("replay", MFD_CLOEXEC);

	sure(fd >= 0 && ftruncate(fd, (off_t)bytes) == 0, "memfd");
	return fd;
}

static void stand_ins(struct replay *r)
{
	const struct rlimit files = { HANDOFF_FDS, HANDOFF_FDS };
	int control[2];

	setrlimit(RLIMIT_NOFILE, &files);
	for (int fd = HANDOFF_FD_END; fd < (int)HANDOFF_FDS; fd++) {
		r->inherited[fd] = fcntl(fd, F_GETFD) >= 0;
	}
	for (int fd = HANDOFF_FD_GROUP; fd < HANDOFF_FD_END; fd++) {
		stand_in(eventfd(0, EFD_CLOEXEC), fd);
	}
	stand_in(file_of(sizeof(*r->table)), HANDOFF_FD_TABLE);
	sure(!socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, control),
	     "socketpair");
	stand_in(control[0], HANDOFF_FD_CONTROL);
	r->monitor = control[1];
	stand_in(open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC),
		 HANDOFF_FD_MOUNTINFO);
	stand_in(open("/proc", O_PATH | O_CLOEXEC), HANDOFF_FD_PROC);
	stand_in(file_of(2 * PAGE + 2 * PROCESS_RING_BYTES),
		 HANDOFF_FD_PROCESS_RING);
	stand_in(file_of(PAGE), HANDOFF_FD_PROCESS_LOST);
	stand_in(file_of(HANDOFF_RECORD_BYTES), HANDOFF_FD_RECORD);
}

int replay_own(struct replay *r, int fd)
{
	sure(fd >= 0 && fd < (int)HANDOFF_FDS, "a descriptor");
	r->e->ours[fd] = 1;
	return fd;
}

/* ---- beginning and end ---- */

struct replay *replay_start(uint32_t features)
{
	struct replay *r = calloc(1, sizeof(*r));

	sure(r != NULL, "memory");
	log_init("engine", LOG_ERROR);
	stand_ins(r);
	r->table = mmap(NULL, sizeof(*r->table), PROT_READ | PROT_WRITE,
			MAP_SHARED, HANDOFF_FD_TABLE, 0);
	r->ring = mmap(NULL, 2 * PAGE + PROCESS_RING_BYTES,
		       PROT_READ | PROT_WRITE, MAP_SHARED,
		       HANDOFF_FD_PROCESS_RING, 0);
	sure(r->table != MAP_FAILED && r->ring != MAP_FAILED, "mmap");
	r->table->magic = HANDOFF_MAGIC;
	r->table->features = features | HANDOFF_HAS_EXEC;
	r->table->open_per_uid = 64;
	r->table->open_total = 512;
	r->group = replay_group_new();
	r->e = eng_map(r->table);
	for (int fd = HANDOFF_FD_END; fd < (int)HANDOFF_FDS; fd++) {
		r->e->ours[fd] |= r->inherited[fd];
	}
	replay_own(r, r->monitor);
	replay_succeed(r);
	replay_control(r, &(struct handoff_message){ .type = HANDOFF_BEGIN },
		       NULL, 0);
	return r;
}

void replay_succeed(struct replay *r)
{
	sure(eng_programs_map(r->e) == 0, "programs");
	eng_succeed(r->e);
	eng_view_reset(r->e);
	eng_session_succeed(r->e);
	r->e->asleep = 1;       /* so that nobody waits for a quiet point */
}

static void engine_unmap(struct engine *e)
{
	for (size_t i = 0; i < HANDOFF_PRODUCTS; i++) {
		munmap(e->region[i].events, WIRE_EVENTS_BYTES);
		munmap(e->region[i].answers, WIRE_ANSWERS_BYTES);
		free(e->session[i].text);
	}
	process_ring_fini(&e->ring);
	munmap(e->cache, sizeof(*e->cache) * ENG_CACHE_ENTRIES);
	munmap(e->processes, process_table_bytes());
	munmap(e->denials.entry, HANDOFF_RECORD_BYTES);
	munmap(e->events.entry, sizeof(*e->events.entry) * ENG_EVENTS);
	munmap(e, sizeof(*e));
}

void replay_stop(struct replay *r)
{
	for (int fd = HANDOFF_FD_END; fd < (int)HANDOFF_FDS; fd++) {
		if (!r->inherited[fd]) {
			close(fd);
		}
	}
	engine_unmap(r->e);
	munmap(r->table, sizeof(*r->table));
	munmap(r->ring, 2 * PAGE + PROCESS_RING_BYTES);
	replay_group_free(r->group);
	for (int fd = HANDOFF_FD_TABLE; fd < HANDOFF_FD_END; fd++) {
		close(fd);
	}
	free(r);
}

void replay_reply(struct replay *r)
{
	for (int i = 0; i < TURNS && eng_worker_turn(r->e); i++) {
	}
	r->e->asleep = 1;
}

void replay_turn(struct replay *r)
{
	replay_reply(r);
	for (int i = 0; i < 3; i++) {
		eng_service_turn(r->e, 0);
		replay_reply(r);
	}
	eng_close_turn(r->e);
}

/* ---- the monitor ---- */

void replay_control(struct replay *r, const struct handoff_message *m,
		    const int *fds, size_t count)
{
	struct iovec iov = { (void *)(uintptr_t)m, sizeof(*m) };
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(4 * sizeof(int))];
	} control = { 0 };
	struct msghdr h = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (count) {
		h.msg_control = &control;
		h.msg_controllen = CMSG_SPACE(count * sizeof(int));
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(count * sizeof(int));
		memcpy(CMSG_DATA(&control.header), fds, count * sizeof(int));
	}
	sure(sendmsg(r->monitor, &h, 0) == sizeof(*m), "the control socket");
	eng_service_turn(r->e, 0);
}

bool replay_told(struct replay *r, struct handoff_message *ret_message)
{
	return recv(r->monitor, ret_message, sizeof(*ret_message),
		    MSG_DONTWAIT) == sizeof(*ret_message);
}

static int bytes_file(const void *bytes, size_t size)
{
	int fd = memfd_create("replay", MFD_CLOEXEC);

	sure(fd >= 0 && write(fd, bytes, size) == (ssize_t)size, "memfd");
	return fd;
}

void replay_rules(struct replay *r, const char *text)
{
	struct handoff_message m = { .type = HANDOFF_RULES };
	const struct rule_limits limits = { 0 };
	struct rule_program *program;
	struct rule_error error;
	int fd;

	sure(rule_compile(text, strlen(text), &limits, &program, &error) == 0,
	     "rules");
	fd = bytes_file(program, rule_program_size(program));
	free(program);
	replay_control(r, &m, &fd, 1);
	close(fd);
}

void replay_keep(struct replay *r, int file)
{
	struct handoff_message m = { .type = HANDOFF_KEEP, .number = 1 };
	struct object object;
	struct handoff_keep keep;
	int fd;

	sure(eng_identify_object(file, &object) == 0, "statx");
	keep = (struct handoff_keep){ object.device, object.inode };
	fd = bytes_file(&keep, sizeof(keep));
	replay_control(r, &m, &fd, 1);
	close(fd);
}

/* ---- processes and files ---- */

void replay_process(struct replay *r, int32_t pid, uint32_t uid,
		    uint64_t exe_inode)
{
	struct process_record record = {
		.type = PROCESS_SNAPSHOT, .pid = pid, .ppid = 1,
		.session = pid, .uid = uid, .gid = uid,
		.path_length = 8, .path = "/bin/cat", .comm = "cat",
		.time_ns = mono_now().ns + 1, .start_ns = 70000000,
		.exe_device = 1, .exe_inode = exe_inode,
	};

	sure(process_table_apply(r->e->processes, &record) != NULL,
	     "a process");
}

/* The ring of bpf_ringbuf: the writer's position, then the data. */
void replay_record(struct replay *r, const struct process_record *record)
{
	_Atomic unsigned long *producer = (void *)((char *)r->ring + PAGE);
	unsigned long at = atomic_load(producer);
	char *to = (char *)r->ring + 2 * PAGE + at;
	uint32_t head[2] = { sizeof(*record), 0 };
	size_t bytes = (sizeof(head) + sizeof(*record) + 7) / 8 * 8;

	sure(at + bytes <= PROCESS_RING_BYTES, "the ring of a test");
	memcpy(to, head, sizeof(head));
	memcpy(to + sizeof(head), record, sizeof(*record));
	atomic_store(producer, at + bytes);
}

int replay_file(struct replay *r, const char *content)
{
	int fd = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	char path[32];
	int again;

	sure(fd >= 0 && write(fd, content, strlen(content)) >= 0, "a file");
	/* Nobody has it open for writing, as with files that are opened. */
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	again = open(path, O_RDONLY | O_CLOEXEC);
	sure(again >= 0, "a file");
	close(fd);
	return replay_own(r, again);
}

/* ---- questions ---- */

uint32_t replay_open(struct replay *r, int file, int32_t pid)
{
	return replay_group_ask(r->group, file, pid, FAN_OPEN_PERM);
}

uint32_t replay_exec(struct replay *r, int file, int32_t pid)
{
	return replay_group_ask(r->group, file, pid, FAN_OPEN_EXEC_PERM);
}

enum bailey_verdict replay_answer(const struct replay *r, uint32_t question)
{
	const struct replay_question *q = &r->group->question[question];

	return q->state != REPLAY_ANSWERED ? BAILEY_VERDICT_NONE
	       : q->denied                 ? BAILEY_VERDICT_DENY
					   : BAILEY_VERDICT_ALLOW;
}

const struct view_decision *replay_denial(const struct replay *r)
{
	uint64_t head = atomic_load(&r->e->denials.head);

	return head ? &r->e->denials.entry[(head - 1) % r->e->denials.size]
		    : NULL;
}
