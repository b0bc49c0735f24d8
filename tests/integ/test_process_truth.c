/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/integ/test_process_truth.c - is what the table says of 2,000 processes
 * true, and are lost records counted to the last one?
 *
 * Root; places no mark.
 */
#include <fcntl.h>
#include <grp.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "process_live.h"

#define PROGRAMS 8
#define BATCH 50
#define BATCHES 40
#define FIRST_UID 20000

static struct live live;
static struct stat program[PROGRAMS];
static int proc;

static const char *name_of(unsigned int i)
{
	static char name[32];

	snprintf(name, sizeof name, "./p%u", i % PROGRAMS);
	return name;
}

/* Every third does not exec, every fifth does it twice. */
static bool stays_as_it_is(unsigned int i)
{
	return i % 3 == 0;
}

static bool execs_twice(unsigned int i)
{
	return i % 5 == 0 && !stays_as_it_is(i);
}

_Noreturn static void child(unsigned int i)
{
	char self[16];

	snprintf(self, sizeof self, "%u", i);
	if (stays_as_it_is(i)) {
		close(live.stop[1]);
		dup2(live.stop[0], 3);
		dup2(live.ready[1], 4);
		live_stay();
	}
	if (setgroups(0, NULL) < 0 || setgid(FIRST_UID + i) < 0 ||
	    setuid(FIRST_UID + i) < 0) {
		_exit(1);
	}
	if (execs_twice(i)) {
		/* The shell execs its last command in its own process. */
		char command[64];
		char *arguments[] = { "sh", "-c", command, NULL };

		dup2(live.stop[0], 3);
		dup2(live.ready[1], 4);
		snprintf(command, sizeof command, "exec %s stay %s",
			 name_of(i), self);
		execv("/bin/sh", arguments);
		_exit(127);
	}
	live_exec(&live, name_of(i), self);
}

static void compare_with_proc(const struct process *process)
{
	struct process_record record;
	int r = process_read_proc(proc, process->pid, &record);

	check(r == 0);
	if (r < 0) {
		return;
	}
	check(record.ppid == process->ppid);
	check(record.session == process->session);
	check(record.uid == process->uid && record.gid == process->gid);
	check(record.start_ns == process->start_ns);
	check(record.cgroup == process->cgroup);
	check(record.exe_device == process->exe_device);
	check(record.exe_inode == process->exe_inode);
	check(strcmp(record.comm, process->comm) == 0);
	/* We ourselves were there before the hooks: our path is unknown. */
	if (process->exe_path_length) {
		check(record.path_foreign == process->exe_foreign);
		check(record.path_length == process->exe_path_length &&
		      memcmp(record.path, process->exe_path,
			     record.path_length) == 0);
		check(record.arguments_length == process->arguments_length &&
		      memcmp(record.arguments, process->arguments,
			     record.arguments_length) == 0);
	}
}

static void compare(pid_t pid, unsigned int i)
{
	const struct process *process = process_table_find(live.table, pid);
	bool forked_only = stays_as_it_is(i);

	check(process != NULL);
	if (!process) {
		return;
	}
	check(process->pid == pid && process->ppid == getpid());
	check(!process->exited);
	check(process->generation == (forked_only ? 0u :
				      execs_twice(i) ? 2u : 1u));
	compare_with_proc(process);
	if (forked_only) {
		check(process->uid == 0);
		return;
	}
	check(!process->uncertain);
	check(process->uid == FIRST_UID + i && process->gid == FIRST_UID + i);
	check(process->exe_inode == program[i % PROGRAMS].st_ino);
	check(process->exe_device == program[i % PROGRAMS].st_dev);
}

static void test_two_thousand(void)
{
	pid_t pid[BATCH];

	for (unsigned int batch = 0; batch < BATCHES; batch++) {
		for (unsigned int i = 0; i < BATCH; i++) {
			pid[i] = fork();
			if (pid[i] == 0) {
				child(batch * BATCH + i);
			}
			check(pid[i] > 0);
		}
		live_wait_ready(&live, BATCH);
		live_drain(&live);
		for (unsigned int i = 0; i < BATCH; i++) {
			compare(pid[i], batch * BATCH + i);
		}
		live_release(&live);
		for (unsigned int i = 0; i < BATCH; i++) {
			check(waitpid(pid[i], NULL, 0) == pid[i]);
		}
		live_drain(&live);
		for (unsigned int i = 0; i < BATCH; i++) {
			const struct process *process =
				process_table_find(live.table, pid[i]);

			check(process && process->exited);
		}
	}
	check(process_ring_lost(&live.ring) == 0);
	printf("%u processes, %lu records, %u live in the table\n",
	       BATCH * BATCHES, live.records,
	       process_table_count(live.table));
}

static void count(void *context, const struct process_record *record,
		  size_t bytes)
{
	++*(uint64_t *)context;
}

/* Both rings emptied at one moment: nothing came in between. */
static void cut(struct process_ring *all, uint64_t *all_read,
		struct process_ring *some, uint64_t *some_read)
{
	uint64_t before;

	do {
		check(process_ring_drain(all, count, all_read) >= 0);
		check(process_ring_drain(some, count, some_read) >= 0);
		before = *all_read + *some_read;
		check(process_ring_drain(all, count, all_read) >= 0);
		check(process_ring_drain(some, count, some_read) >= 0);
	} while (*all_read + *some_read != before);
}

/* Two rings see the same; the small one overflows. What it read and what it
 * says that it lost is what the other one read. */
static void test_lost_to_the_last_one(void)
{
	uint64_t all = 0, some = 0, all_0, some_0, lost_0;
	struct process_source small;
	struct process_ring ring;

	check(process_source_open(8192, &small) == 0);
	check(process_ring_init(&ring, small.ring_fd, small.counters_fd,
				8192) == 0);
	cut(&live.ring, &all, &ring, &some);
	all_0 = all;
	some_0 = some;
	lost_0 = process_ring_lost(&ring);
	for (unsigned int i = 0; i < 300; i++) {
		pid_t pid = fork();

		if (pid == 0) {
			child(i % 2 ? 1 : 2);
		}
		live_wait_ready(&live, 1);
		live_release(&live);
		check(waitpid(pid, NULL, 0) == pid);
	}
	cut(&live.ring, &all, &ring, &some);
	printf("small ring: %lu records, %lu read, %lu lost\n",
	       (unsigned long)(all - all_0), (unsigned long)(some - some_0),
	       (unsigned long)(process_ring_lost(&ring) - lost_0));
	check(all - all_0 >= 900);
	check(process_ring_lost(&ring) - lost_0 > 0);
	check(all - all_0 == some - some_0 + process_ring_lost(&ring) - lost_0);
	check(process_ring_lost(&live.ring) == 0);
	process_ring_fini(&ring);
	process_source_close(&small);
}

/* A loss is seen, makes uncertain, and a snapshot makes it good. */
static void test_uncertain_after_a_loss(void)
{
	struct live big = live;
	struct process_record record;
	const struct process *process;
	pid_t pid = fork();

	if (pid == 0) {
		child(1);
	}
	live_wait_ready(&live, 1);
	live_drain(&live);
	process = process_table_find(live.table, pid);
	check(process && !process->uncertain);

	check(process_source_open(4096, &live.source) == 0);
	check(process_ring_init(&live.ring, live.source.ring_fd,
				live.source.counters_fd, 4096) == 0);
	for (int i = 0; i < 100; i++) {
		pid_t other = fork();

		if (other == 0) {
			_exit(0);
		}
		check(waitpid(other, NULL, 0) == other);
	}
	uint64_t lost = process_ring_lost(&live.ring);

	check(lost > 0);
	live_drain(&live);
	process_table_mark_uncertain(live.table);
	process = process_table_find(live.table, pid);
	check(process && process->uncertain);
	check(process_read_proc(proc, pid, &record) == 0);
	process = process_table_apply(live.table, &record);
	check(process && !process->uncertain && process->generation == 1);
	process_ring_fini(&live.ring);
	process_source_close(&live.source);
	live.ring = big.ring;
	live.source = big.source;
	live_release(&live);
	check(waitpid(pid, NULL, 0) == pid);
}

int main(int argc, char **argv)
{
	live_start(&live, argc, argv);
	proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	for (unsigned int i = 0; i < PROGRAMS; i++) {
		live_copy(name_of(i));
		check(stat(name_of(i), &program[i]) == 0);
	}
	test_two_thousand();
	test_lost_to_the_last_one();
	test_uncertain_after_a_loss();
	live_end(&live);
	return live_failures != 0;
}
