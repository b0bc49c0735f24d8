/* SPDX-License-Identifier: Apache-2.0 */
/* Does the table of processes know who asks? */
#include <setjmp.h>
#include <stdarg.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "broker/eng_process.h"

#define TICK 10000000ull

static struct process_table *table;
static uint64_t now;                    /* time of the next record */

static int setup(void **state)
{
	table = aligned_alloc(64, (process_table_bytes() + 63) & ~63ul);
	assert_non_null(table);
	memset(table, 0, process_table_bytes());
	process_table_init(table);
	now = 1;
	return 0;
}

static int teardown(void **state)
{
	free(table);
	return 0;
}

static struct process_record record_of(unsigned int type, int pid,
				       uint64_t start_ticks)
{
	return (struct process_record){
		.type = type, .pid = pid, .ppid = 1, .uid = 1000, .gid = 100,
		.time_ns = now++, .start_ns = start_ticks * TICK + 12345,
		.comm = "name",
	};
}

static const struct process *apply(struct process_record record)
{
	return process_table_apply(table, &record);
}

static const struct process *fork_of(int creator, int pid, uint64_t start)
{
	struct process_record record = record_of(PROCESS_FORK, pid, start);

	record.creator = record.ppid = creator;
	return apply(record);
}

static struct process_record exec_record(int pid, uint64_t start,
					 const char *path, uint64_t inode)
{
	struct process_record record = record_of(PROCESS_EXEC, pid, start);

	record.exe_device = 8;
	record.exe_inode = inode;
	record.path_length = (unsigned int)strlen(path);
	memcpy(record.path, path, strlen(path));
	record.arguments_length = 3;
	memcpy(record.arguments, "a\0b", 3);
	return record;
}

static const struct process *exec_of(int pid, uint64_t start, const char *path,
				     uint64_t inode)
{
	return apply(exec_record(pid, start, path, inode));
}

static const struct process *exit_of(int pid, uint64_t start)
{
	return apply(record_of(PROCESS_EXIT, pid, start));
}

static void assert_path(const struct process *process, const char *path)
{
	assert_int_equal(process->exe_path_length, strlen(path));
	assert_memory_equal(process->exe_path, path, strlen(path));
}

static void test_exec_raises_the_generation(void **state)
{
	const struct process *process;

	exec_of(10, 5, "/bin/sh", 1);
	fork_of(10, 20, 6);
	assert_int_equal(process_table_find(table, 20)->generation, 0);
	exec_of(20, 6, "/bin/ls", 2);
	process = exec_of(20, 6, "/bin/cat", 3);
	assert_int_equal(process->generation, 2);
	assert_int_equal(process->exe_inode, 3);
	assert_int_equal(process->arguments_length, 3);
	assert_path(process, "/bin/cat");
	assert_false(process->uncertain);
	assert_int_equal(process->start_ns, 6 * TICK);
}

static void test_fork_inherits_the_program(void **state)
{
	const struct process *child;

	exec_of(10, 5, "/bin/sh", 1);
	child = fork_of(10, 20, 6);
	assert_path(child, "/bin/sh");
	assert_int_equal(child->exe_inode, 1);
	assert_int_equal(child->exe_device, 8);
	assert_int_equal(child->ppid, 10);
	assert_int_equal(child->arguments_length, 3);
}

/* With CLONE_PARENT the program is that of the caller, not of the parent. */
static void test_fork_inherits_from_the_creator(void **state)
{
	struct process_record record = record_of(PROCESS_FORK, 30, 7);

	exec_of(10, 5, "/bin/parent", 1);
	exec_of(20, 6, "/bin/creator", 2);
	record.ppid = 10;
	record.creator = 20;
	assert_path(apply(record), "/bin/creator");
	assert_int_equal(process_table_find(table, 30)->ppid, 10);
}

/* The creator's exec was lost: the kernel's word on the child stands. */
static void test_fork_believes_the_kernel(void **state)
{
	struct process_record record = record_of(PROCESS_FORK, 20, 6);
	const struct process *child;

	exec_of(10, 5, "/bin/sh", 1);
	record.creator = record.ppid = 10;
	record.exe_device = 8;
	record.exe_inode = 77;
	child = apply(record);
	assert_int_equal(child->exe_inode, 77);
	assert_int_equal(child->exe_path_length, 0);
	assert_false(child->uncertain);
}

/* What runs since before the start is known by stat(2)'s number of the device,
 * which is another on btrfs. */
static void test_fork_knows_two_numbers_of_a_device(void **state)
{
	struct process_record record = record_of(PROCESS_SNAPSHOT, 10, 5);
	const struct process *child;

	record.exe_device = 9;
	record.exe_inode = 77;
	record.path_length = 7;
	memcpy(record.path, "/bin/sh", 7);
	apply(record);
	record = record_of(PROCESS_FORK, 20, 6);
	record.creator = record.ppid = 10;
	record.exe_device = 8;
	record.exe_inode = 77;
	child = apply(record);
	assert_int_equal(child->exe_device, 8);
	assert_path(child, "/bin/sh");
}

static void test_fork_of_an_unknown_creator(void **state)
{
	const struct process *child = fork_of(99, 20, 6);

	assert_int_equal(child->exe_path_length, 0);
	assert_true(child->uncertain);
}

static void test_pid_reuse(void **state)
{
	const struct process *process;

	exec_of(20, 6, "/bin/old", 1);
	exit_of(20, 6);
	assert_true(process_table_find(table, 20)->exited);
	assert_int_equal(process_table_count(table), 0);
	exec_of(10, 5, "/bin/sh", 2);
	process = fork_of(10, 20, 900);
	assert_false(process->exited);
	assert_path(process, "/bin/sh");
	assert_int_equal(process->generation, 0);
	assert_int_equal(process->start_ns, 900 * TICK);
	assert_int_equal(process_table_count(table), 2);
}

/* The exit in between was lost. */
static void test_pid_reuse_without_exit(void **state)
{
	const struct process *process;

	exec_of(20, 6, "/bin/old", 1);
	process = exec_of(20, 900, "/bin/new", 2);
	assert_path(process, "/bin/new");
	assert_int_equal(process->generation, 1);
	assert_int_equal(process_table_count(table), 1);
}

/* Records of a predecessor never touch who has the pid now. */
static void test_late_records_of_a_predecessor(void **state)
{
	exec_of(20, 900, "/bin/new", 2);
	fork_of(10, 20, 6);
	exec_of(20, 6, "/bin/old", 1);
	assert_null(exit_of(20, 6));
	assert_path(process_table_find(table, 20), "/bin/new");
	assert_false(process_table_find(table, 20)->exited);
	assert_int_equal(process_table_find(table, 20)->generation, 1);
}

static void test_exit_of_a_successor_ends_the_predecessor(void **state)
{
	exec_of(20, 6, "/bin/old", 1);
	assert_null(exit_of(20, 900));
	assert_true(process_table_find(table, 20)->exited);
}

static void test_exit_of_an_unknown_one(void **state)
{
	assert_null(exit_of(20, 6));
	assert_null(process_table_find(table, 20));
}

static void test_records_applied_twice(void **state)
{
	struct process_record fork_20 = record_of(PROCESS_FORK, 20, 6);
	struct process_record exec_20;

	exec_of(10, 5, "/bin/sh", 1);
	fork_20.creator = 10;
	exec_20 = exec_record(20, 6, "/bin/ls", 2);
	apply(fork_20);
	apply(fork_20);
	apply(exec_20);
	apply(exec_20);
	apply(fork_20);
	assert_int_equal(process_table_find(table, 20)->generation, 1);
	assert_path(process_table_find(table, 20), "/bin/ls");
	assert_non_null(exit_of(20, 6));
	assert_null(exit_of(20, 6));
	assert_int_equal(process_table_count(table), 1);
}

static void test_nonsense_changes_nothing(void **state)
{
	assert_null(apply(record_of(0, 20, 6)));
	assert_null(apply(record_of(77, 20, 6)));
	assert_null(apply(record_of(PROCESS_FORK, 0, 6)));
	assert_null(apply(record_of(PROCESS_FORK, -1, 6)));
	assert_null(process_table_find(table, 0));
	assert_null(process_table_find(table, -5));
	assert_int_equal(process_table_count(table), 0);
}

/* Lengths beyond the room are cut, and said. */
static void test_lengths_too_long(void **state)
{
	struct process_record record = exec_record(20, 6, "/x", 1);
	const struct process *process;

	record.path_length = 60000;
	record.arguments_length = 70000;
	process = apply(record);
	assert_int_equal(process->exe_path_length, PROCESS_PATH);
	assert_int_equal(process->arguments_length, PROCESS_ARGUMENTS);
	assert_true(process->exe_truncated && process->exe_foreign);
}

static void test_foreign_and_truncated_are_kept(void **state)
{
	struct process_record record = exec_record(20, 6, "/bin/ls", 1);

	record.path_foreign = record.path_truncated = 1;
	apply(record);
	fork_of(20, 30, 7);
	assert_true(process_table_find(table, 30)->exe_foreign);
	assert_true(process_table_find(table, 30)->exe_truncated);
}

static struct process_record snapshot_of(int pid, uint64_t start,
					 const char *path, uint64_t inode)
{
	struct process_record record = exec_record(pid, start, path, inode);

	record.type = PROCESS_SNAPSHOT;
	record.start_ns = start * TICK;         /* /proc has no more */
	return record;
}

static void test_snapshot_and_records_agree_on_start(void **state)
{
	apply(snapshot_of(20, 6, "/bin/sh", 1));
	assert_int_equal(process_table_find(table, 20)->generation, 0);
	exec_of(20, 6, "/bin/ls", 2);
	assert_int_equal(process_table_find(table, 20)->generation, 1);
	assert_int_equal(process_table_find(table, 20)->start_ns, 6 * TICK);
	assert_non_null(exit_of(20, 6));
}

static void test_older_snapshot_undoes_nothing(void **state)
{
	struct process_record early = snapshot_of(20, 6, "/bin/sh", 1);
	struct process_record ended = snapshot_of(30, 6, "/bin/sh", 1);

	exec_of(20, 6, "/bin/ls", 2);
	exec_of(30, 6, "/bin/ls", 2);
	exit_of(30, 6);
	apply(early);
	apply(ended);
	assert_path(process_table_find(table, 20), "/bin/ls");
	assert_true(process_table_find(table, 30)->exited);
}

static void test_exec_before_the_snapshot_is_not_counted(void **state)
{
	struct process_record exec_20 = exec_record(20, 6, "/bin/ls", 2);

	apply(snapshot_of(20, 6, "/bin/ls", 2));
	apply(exec_20);
	assert_int_equal(process_table_find(table, 20)->generation, 0);
}

static void test_loss_makes_uncertain_until_refreshed(void **state)
{
	exec_of(20, 6, "/bin/ls", 2);
	exec_of(30, 6, "/bin/ls", 2);
	exec_of(40, 6, "/bin/ls", 2);
	process_table_mark_uncertain(table);
	assert_true(process_table_find(table, 20)->uncertain);
	assert_true(process_table_find(table, 30)->uncertain);
	assert_true(fork_of(40, 50, 7)->uncertain);

	exec_of(20, 6, "/bin/cat", 3);
	assert_false(process_table_find(table, 20)->uncertain);
	apply(snapshot_of(30, 6, "/bin/ls", 2));
	assert_false(process_table_find(table, 30)->uncertain);
	assert_int_equal(process_table_find(table, 30)->generation, 1);
	apply(snapshot_of(40, 6, "/bin/other", 9));
	assert_int_equal(process_table_find(table, 40)->generation, 2);
	assert_true(process_table_find(table, 50)->uncertain);
}

static void test_ids_change_without_exec(void **state)
{
	struct process_record late = record_of(PROCESS_IDS, 20, 6);
	struct process_record ids;

	exec_of(20, 6, "/bin/daemon", 2);
	apply(late);
	assert_int_equal(process_table_find(table, 20)->uid, 1000);
	ids = record_of(PROCESS_IDS, 20, 6);
	ids.uid = 33;
	ids.gid = 34;
	ids.session = 20;
	apply(ids);
	assert_int_equal(process_table_find(table, 20)->uid, 33);
	assert_int_equal(process_table_find(table, 20)->gid, 34);
	assert_int_equal(process_table_find(table, 20)->session, 20);
	assert_int_equal(process_table_find(table, 20)->generation, 1);
	assert_path(process_table_find(table, 20), "/bin/daemon");
	ids.pid = 21;
	assert_null(apply(ids));
}

static void test_snapshot_end_finds_who_is_gone(void **state)
{
	uint64_t since;

	exec_of(20, 6, "/bin/ls", 2);
	exec_of(30, 6, "/bin/ls", 2);
	process_table_mark_uncertain(table);
	since = now;
	apply(snapshot_of(30, 6, "/bin/ls", 2));
	exec_of(40, 7, "/bin/ls", 2);
	process_table_snapshot_end(table, since);
	assert_true(process_table_find(table, 20)->exited);
	assert_false(process_table_find(table, 30)->exited);
	assert_false(process_table_find(table, 40)->exited);
	assert_int_equal(process_table_count(table), 2);
}

static void test_exited_give_way_first_oldest_first(void **state)
{
	int pid;

	exec_of(1, 1, "/bin/init", 1);
	for (pid = 2; pid <= (int)PROCESS_TABLE_EXITED + 1; pid++) {
		fork_of(1, pid, 6);
		exit_of(pid, 6);
	}
	assert_non_null(process_table_find(table, 2));
	fork_of(1, 60000, 7);
	assert_null(process_table_find(table, 2));
	assert_non_null(process_table_find(table, 3));
	assert_int_equal(process_table_given_up(table), 0);
	assert_int_equal(process_table_count(table), 2);
}

static void test_full_of_living(void **state)
{
	const int entries = (int)PROCESS_TABLE_ENTRIES;

	exec_of(1, 1, "/bin/init", 1);
	for (int pid = 2; pid <= entries + 10; pid++) {
		fork_of(1, pid, 6);
	}
	/* 1 was heard of all the time; 2 to 11 were not. */
	assert_int_equal(process_table_count(table), entries);
	assert_int_equal(process_table_given_up(table), 10);
	assert_path(process_table_find(table, 1), "/bin/init");
	assert_null(process_table_find(table, 11));
	assert_non_null(process_table_find(table, 12));
	assert_false(process_table_find(table, entries + 10)->uncertain);

	assert_true(exec_of(5, 6, "/bin/ls", 2)->uncertain);
	assert_true(apply(snapshot_of(6, 6, "/bin/ls", 2))->uncertain);
	assert_false(exec_of(5, 6, "/bin/ls", 2)->uncertain);
}

static void test_next_shows_all_that_live(void **state)
{
	uint32_t cursor = 0;
	int sum = 0;

	for (int pid = 1; pid <= 10; pid++) {
		exec_of(pid, 6, "/bin/ls", 2);
	}
	exit_of(4, 6);
	for (const struct process *process;
	     (process = process_table_next(table, &cursor));) {
		sum += process->pid;
	}
	assert_int_equal(sum, 55 - 4);
}

static void test_recover_keeps_all_that_was_whole(void **state)
{
	exec_of(1, 1, "/bin/init", 1);
	for (int pid = 2; pid <= 100; pid++) {
		fork_of(1, pid, 6);
	}
	exit_of(50, 6);
	process_table_recover(table);
	assert_int_equal(process_table_count(table), 99);
	assert_true(process_table_find(table, 50)->exited);
	assert_path(process_table_find(table, 99), "/bin/init");
	assert_int_equal(process_table_given_up(table), 0);
}

/*
 * The model: what the records of one pid mean, told in the plainest way.
 * Fewer pids than slots, so nothing gives way; times and starts only grow.
 */
#define PIDS 300

static struct {
	bool known, exited, uncertain;
	uint64_t start, inode;
	uint32_t generation, uid;
} model[PIDS];

static void model_apply(const struct process_record *record)
{
	uint64_t start = record->start_ns / TICK;
	int pid = record->pid;
	bool same = model[pid].known && model[pid].start == start;

	if (record->type == PROCESS_EXIT) {
		if (same) {
			model[pid].exited = true;
		}
		return;
	}
	if (!same) {
		memset(&model[pid], 0, sizeof model[pid]);
		model[pid].known = true;
		model[pid].start = start;
	}
	model[pid].uid = record->uid;
	if (record->type == PROCESS_FORK) {
		model[pid].inode = model[record->creator].inode;
		model[pid].uncertain = !model[record->creator].known ||
			model[record->creator].exited ||
			model[record->creator].uncertain;
		return;
	}
	model[pid].inode = record->exe_inode;
	model[pid].uncertain = false;
	model[pid].generation++;
}

static uint32_t random_state;

static uint32_t random_below(uint32_t n)
{
	random_state = random_state * 1664525u + 1013904223u;
	return (random_state >> 8) % n;
}

/* A record that the kernel could have sent. */
static bool model_record(uint64_t start, struct process_record *record)
{
	int pid = 1 + (int)random_below(PIDS - 1);
	int creator = 1 + (int)random_below(PIDS - 1);
	bool lives = model[pid].known && !model[pid].exited;

	if (!lives) {
		if (pid == creator) {
			return false;
		}
		*record = record_of(PROCESS_FORK, pid, start);
		record->creator = record->ppid = creator;
		record->uid = random_below(4);
		return true;
	}
	*record = random_below(3) == 0 ?
		record_of(PROCESS_EXIT, pid, model[pid].start) :
		exec_record(pid, model[pid].start, "/bin/p",
			    1 + random_below(50));
	record->uid = random_below(4);
	return true;
}

static void compare_with_model(void)
{
	uint32_t living = 0;

	for (int pid = 1; pid < PIDS; pid++) {
		const struct process *process = process_table_find(table, pid);

		if (!model[pid].known) {
			assert_null(process);
			continue;
		}
		living += !model[pid].exited;
		assert_non_null(process);
		assert_int_equal(process->exited, model[pid].exited);
		assert_int_equal(process->uncertain, model[pid].uncertain);
		assert_int_equal(process->generation, model[pid].generation);
		assert_int_equal(process->exe_inode, model[pid].inode);
		assert_int_equal(process->start_ns, model[pid].start * TICK);
	}
	assert_int_equal(process_table_count(table), living);
}

static void test_same_as_the_plain_model(void **state)
{
	struct process_record record;

	for (uint32_t seed = 1; seed <= 20; seed++) {
		teardown(state);
		setup(state);
		memset(model, 0, sizeof model);
		random_state = seed;
		for (uint64_t i = 1; i <= 5000; i++) {
			if (!model_record(i, &record)) {
				continue;
			}
			model_apply(&record);
			apply(record);
			if (random_below(200) == 0) {
				process_table_mark_uncertain(table);
				for (int pid = 0; pid < PIDS; pid++) {
					model[pid].uncertain = true;
				}
			}
			if (random_below(50) == 0) {
				process_table_recover(table);
			}
		}
		compare_with_model();
	}
}

/* Many more pids than slots: counts stay right, the newest are found. */
static void test_bounded_under_any_load(void **state)
{
	random_state = 7;
	for (uint64_t i = 1; i <= 200000; i++) {
		int pid = 1 + (int)random_below(60000);

		exec_of(pid, i, "/bin/p", i);
		if (random_below(4) == 0) {
			exit_of(pid, i);
		}
		assert_non_null(process_table_find(table, pid));
		assert_int_equal(process_table_find(table, pid)->exe_inode, i);
	}
	assert_true(process_table_count(table) <= PROCESS_TABLE_ENTRIES);
	assert_true(process_table_count(table) >
		    PROCESS_TABLE_ENTRIES - PROCESS_TABLE_EXITED - 2);
}

static void assert_whole(void)
{
	const struct process *process;
	uint32_t cursor = 0, living = 0;

	while ((process = process_table_next(table, &cursor))) {
		assert_ptr_equal(process_table_find(table, process->pid),
				 process);
		living++;
	}
	assert_int_equal(living, process_table_count(table));
}

_Noreturn static void apply_for_ever(void)
{
	for (;; now++) {
		int about = 1 + (int)random_below(20000);

		if (random_below(2)) {
			exec_of(about, now, "/p", now);
		} else {
			exit_of(about, now);
		}
	}
}

/* A worker killed at any instruction: its successor has a table that holds
 * together, and only the process in hand is forgotten. */
static void test_death_at_any_moment(void **state)
{
	struct process_table *own = table;
	size_t bytes = process_table_bytes();

	table = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(table, MAP_FAILED);
	process_table_init(table);
	random_state = 3;
	for (int round = 0; round < 100; round++) {
		pid_t pid = fork();

		now += 1000000000;
		if (pid == 0) {
			apply_for_ever();
		}
		usleep(random_below(3000));
		assert_int_equal(kill(pid, SIGKILL), 0);
		assert_int_equal(waitpid(pid, NULL, 0), pid);
		process_table_recover(table);
		assert_whole();
		assert_in_range(process_table_given_up(table), 0,
				(uint64_t)round + 1);
	}
	munmap(table, bytes);
	table = own;
}

#define question(name) \
	cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		question(test_exec_raises_the_generation),
		question(test_fork_inherits_the_program),
		question(test_fork_inherits_from_the_creator),
		question(test_fork_believes_the_kernel),
		question(test_fork_knows_two_numbers_of_a_device),
		question(test_fork_of_an_unknown_creator),
		question(test_pid_reuse),
		question(test_pid_reuse_without_exit),
		question(test_late_records_of_a_predecessor),
		question(test_exit_of_a_successor_ends_the_predecessor),
		question(test_exit_of_an_unknown_one),
		question(test_records_applied_twice),
		question(test_nonsense_changes_nothing),
		question(test_lengths_too_long),
		question(test_foreign_and_truncated_are_kept),
		question(test_snapshot_and_records_agree_on_start),
		question(test_older_snapshot_undoes_nothing),
		question(test_exec_before_the_snapshot_is_not_counted),
		question(test_loss_makes_uncertain_until_refreshed),
		question(test_ids_change_without_exec),
		question(test_snapshot_end_finds_who_is_gone),
		question(test_exited_give_way_first_oldest_first),
		question(test_full_of_living),
		question(test_next_shows_all_that_live),
		question(test_recover_keeps_all_that_was_whole),
		question(test_same_as_the_plain_model),
		question(test_bounded_under_any_load),
		question(test_death_at_any_moment),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
