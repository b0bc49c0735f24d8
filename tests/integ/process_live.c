/* SPDX-License-Identifier: Apache-2.0 */
#include "process_live.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/sendfile.h>
#include <sys/stat.h>

int live_failures;

static void die(const char *what)
{
	perror(what);
	exit(1);
}

/* What a child that stays does: fd 4 says so, fd 3 ends it. */
void live_stay(void)
{
	pid_t self = getpid();
	char byte;

	if (write(4, &self, sizeof self) != (ssize_t)sizeof self) {
		_exit(1);
	}
	close(4);
	(void)!read(3, &byte, 1);
	_exit(0);
}

/* Away from the numbers that the children use. */
static void move_away(int *fd)
{
	int moved = fcntl(*fd, F_DUPFD_CLOEXEC, 20);

	close(*fd);
	*fd = moved;
}

static void pipes(struct live *live)
{
	if (pipe2(live->stop, O_CLOEXEC) < 0 ||
	    pipe2(live->ready, O_CLOEXEC) < 0) {
		die("pipe2");
	}
	for (int i = 0; i < 2; i++) {
		move_away(&live->stop[i]);
		move_away(&live->ready[i]);
	}
}

static void own_mount(void)
{
	if (unshare(CLONE_NEWNS) < 0 ||
	    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) {
		printf("skipped: no mount namespace of its own: %m\n");
		exit(77);
	}
	mkdir("live.mnt", 0755);
	if (mount("none", "live.mnt", "tmpfs", 0, "size=64m,mode=755") < 0 ||
	    chdir("live.mnt") < 0) {
		die("live.mnt");
	}
}

void live_start(struct live *live, int count, char **arguments)
{
	int r;

	if (count > 1 && strcmp(arguments[1], "stay") == 0) {
		live_stay();
	}
	setvbuf(stdout, NULL, _IONBF, 0);
	memset(live, 0, sizeof *live);
	own_mount();
	r = process_source_open(PROCESS_RING_BYTES, &live->source);
	if (r == -EPERM || r == -ENOSYS || r == -EXDEV) {
		printf("skipped: no process tracepoints here: %s\n",
		       strerror(-r));
		exit(77);
	}
	check(r == 0);
	r = process_ring_init(&live->ring, live->source.ring_fd,
			      live->source.counters_fd, PROCESS_RING_BYTES);
	check(r == 0);
	live->table = mmap(NULL, process_table_bytes(),
			   PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			   -1, 0);
	if (live_failures || live->table == MAP_FAILED) {
		die("start");
	}
	process_table_init(live->table);
	pipes(live);
}

void live_end(struct live *live)
{
	process_ring_fini(&live->ring);
	process_source_close(&live->source);
	munmap(live->table, process_table_bytes());
}

static void into_table(void *context, const struct process_record *record,
		       size_t bytes)
{
	struct live *live = context;

	process_table_apply(live->table, record);
	live->records++;
}

void live_drain(struct live *live)
{
	uint64_t before = process_ring_lost(&live->ring);
	int r;

	do {
		r = process_ring_drain(&live->ring, into_table, live);
	} while (r == PROCESS_RING_BUSY);
	check(r == 0);
	if (process_ring_lost(&live->ring) != before) {
		process_table_mark_uncertain(live->table);
	}
}

void live_copy(const char *name)
{
	int from = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	int to = open(name, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0755);

	if (from < 0 || to < 0) {
		die(name);
	}
	while (sendfile(to, from, NULL, 1 << 20) > 0) {
	}
	close(from);
	close(to);
}

void live_exec(const struct live *live, const char *program,
	       const char *argument)
{
	char *arguments[] = {
		(char *)program, "stay", (char *)argument, NULL
	};

	dup2(live->stop[0], 3);
	dup2(live->ready[1], 4);
	execv(program, arguments);
	perror(program);
	_exit(127);
}

pid_t live_wait_ready(const struct live *live, unsigned int count)
{
	struct pollfd poller = { .fd = live->ready[0], .events = POLLIN };
	pid_t pid = -1;

	while (count > 0) {
		if (poll(&poller, 1, 10000) != 1 ||
		    read(live->ready[0], &pid, sizeof pid) != sizeof pid) {
			check(!"everybody is there");
			return -1;
		}
		count--;
	}
	return pid;
}

void live_release(struct live *live)
{
	for (int i = 0; i < 2; i++) {
		close(live->stop[i]);
		close(live->ready[i]);
	}
	pipes(live);
}
