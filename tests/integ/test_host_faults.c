/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The host fails around the broker: disks are full, frozen, unmounted; nobody
 * reads what it says; it lies itself on what it watches. Does it go on, and
 * does nobody wait for himself?
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/hostile_host.h"
#include "lib/ns_proc.h"
#include "proto/view.h"

static struct hostile host;
static const char *build;

static void place(void)
{
	assert_int_equal(hostile_place(&host, build), 0);
	hostile_file(&host, "good", "GOOD", 0666, HOSTILE_OTHER);
}

static void run(const struct hostile_wish *wish)
{
	assert_int_equal(hostile_run(&host, wish), 0);
	assert_true(hostile_protects(&host, 10000));
}

static int teardown(void **state)
{
	return hostile_stop(&host);
}

/* ---- nothing of it may be read or left as a core ---- */

static void check_process(pid_t pid, void *context)
{
	char path[64], line[256], comm[64] = "";
	unsigned *seen = context;
	bool limited = false;
	struct stat st;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	file = fopen(path, "re");
	if (!file || !fgets(comm, sizeof(comm), file)) {
		return;
	}
	fclose(file);
	if (strcmp(comm, "bailey\n") == 0) {
		return;         /* the administrator's command */
	}
	snprintf(path, sizeof(path), "/proc/%d/limits", pid);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file)) {
		unsigned long soft, hard;

		limited |= sscanf(line, "Max core file size %lu %lu", &soft,
				  &hard) == 2 && soft == 0 && hard == 0;
	}
	if (file) {
		fclose(file);
	}
	snprintf(path, sizeof(path), "/proc/%d/environ", pid);
	assert_int_equal(stat(path, &st), 0);
	print_message("%d %.*s: core limit %s, its memory is %s\n", pid,
		      (int)strcspn(comm, "\n"), comm, limited ? "0" : "NOT 0",
		      st.st_uid == 0 ? "root's" : "its user's");
	assert_true(limited);
	assert_int_equal(st.st_uid, 0); /* of another uid: not dumpable */
	*seen += 1;
}

static void no_part_leaves_a_core(void **state)
{
	unsigned seen = 0;

	place();
	run(&(struct hostile_wish){ 0 });
	ns_proc_tree(host.child, check_process, &seen);
	assert_true(seen >= 5); /* monitor, helper, keeper, worker, product */
}

/* ---- on what it watches itself ---- */

static int act_copy(void *argument)
{
	static const char *const names[] = { "src/cli/bailey",
		"src/broker/bailey-monitor", "src/broker/bailey-engine",
		"tests/lib/hostile_product" };
	char command[1024];

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		snprintf(command, sizeof(command), "mkdir -p b/$(dirname %s) "
			 "&& cp %s/%s b/%s", names[i], host.build, names[i],
			 names[i]);
		if (system(command) != 0) {
			return 1;
		}
	}
	return 0;
}

static void kill_part(const char *key)
{
	pid_t pid = (pid_t)hostile_status(&host, key);
	uint64_t start = ns_now_ns();

	assert_true(pid > 0);
	assert_int_equal(hostile_signal(&host, pid, SIGKILL), 0);
	for (int i = 0; i < 2000 && hostile_status(&host, key) == pid; i++) {
		ns_sleep_ms(5);
	}
	assert_true(hostile_reaches(&host, "products.0.state", 1, 10000));
	assert_true(hostile_protects(&host, 10000));
	print_message("%s killed: back after %llu ms\n", key,
		      (unsigned long long)(ns_now_ns() - start) / 1000000);
}

static void its_own_programs_may_be_watched(void **state)
{
	char binaries[128];

	place();
	assert_int_equal(hostile_do(&host, 0, act_copy, NULL, 20000), 0);
	snprintf(binaries, sizeof(binaries), "%s/b", host.env.tree);
	run(&(struct hostile_wish){ .binaries = binaries });
	kill_part("products.0.pid");
	kill_part("worker.pid");
	kill_part("keeper.pid");
	kill_part("products.0.pid");
	assert_true(hostile_status(&host, "engine.own") >= 0);
	assert_int_equal(hostile_open(&host, HOSTILE_OTHER, "good", NULL), 0);
}

/* ---- nobody listens ---- */

static int act_stalled_reader(void *argument)
{
	struct view_request request = { .version = VIEW_VERSION,
					.type = VIEW_EVENTS };
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	snprintf(a.sun_path, sizeof(a.sun_path), "%.90s/view.sock",
		 host.env.state);
	if (connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0 ||
	    send(fd, &request, sizeof(request), 0) < 0) {
		return errno;
	}
	*(volatile int *)argument = 1;
	for (;;) {
		pause();
	}
}

static int act_many_opens(void *argument)
{
	int failed = 0, count = *(int *)argument;

	for (int i = 0; i < count; i++) {
		int fd = open("good", O_RDONLY | O_CLOEXEC);

		failed += fd < 0;
		if (fd >= 0) {
			close(fd);
		}
	}
	return failed > 100 ? 100 : failed;
}

static void a_stalled_reader_of_events_holds_nobody(void **state)
{
	volatile int *ready = hostile_shared(4096);
	int count = 5000;
	uint64_t us;
	pid_t pid;

	place();
	run(&(struct hostile_wish){ 0 });
	pid = hostile_start(&host, 0, act_stalled_reader,
			    (void *)(uintptr_t)ready);
	for (int i = 0; i < 2000 && !*ready; i++) {
		ns_sleep_ms(2);
	}
	assert_true(*ready);
	ns_sleep_ms(100);       /* until it is served */
	assert_int_equal(hostile_do(&host, HOSTILE_OTHER, act_many_opens,
				    &count, 30000), 0);
	assert_true(hostile_reaches(&host, "engine.view_lost", 1, 20000));
	assert_int_equal(hostile_open(&host, HOSTILE_OTHER, "good", &us), 0);
	assert_true(us < 5000000);
	ns_end(pid, SIGKILL, 0);
	assert_true(hostile_protects(&host, 20000));
	assert_true(hostile_status(&host, "worker.restarts") == 0);
}

static void a_closed_standard_error_changes_nothing(void **state)
{
	place();
	run(&(struct hostile_wish){ .no_stderr = true });
	kill_part("products.0.pid");
	kill_part("worker.pid");
	assert_true(hostile_protects(&host, 20000));
}

/* ---- the state's disk is full ---- */

static int act_state_disk(void *argument)
{
	return mount("state", host.env.state, "tmpfs", 0,
		     "size=2m,mode=0700") < 0 ? errno : 0;
}

static int act_fill(void *argument)
{
	static char block[65536];
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/filler", host.env.state);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	for (size_t size = sizeof(block); fd >= 0 && size; size /= 2) {
		while (write(fd, block, size) == (ssize_t)size) {
		}
	}
	return fd < 0 || errno != ENOSPC;
}

static void a_full_disk_changes_nothing(void **state)
{
	place();
	assert_int_equal(hostile_do(&host, 0, act_state_disk, NULL, 20000), 0);
	run(&(struct hostile_wish){ 0 });
	assert_int_equal(hostile_do(&host, 0, act_fill, NULL, 20000), 0);
	assert_true(hostile_protects(&host, 20000));
	kill_part("products.0.pid");
	kill_part("keeper.pid");
	assert_true(hostile_status(&host, "engine.questions") > 0);
}

/* ---- time jumps ---- */

/* As after a suspend: the monitor's tick comes late, and blames nobody. */
static void a_late_monitor_blames_nobody(void **state)
{
	pid_t monitor, keeper, worker;

	place();
	run(&(struct hostile_wish){ .open_ms = "5000" });
	monitor = (pid_t)hostile_status(&host, "monitor.pid");
	keeper = (pid_t)hostile_status(&host, "keeper.pid");
	worker = (pid_t)hostile_status(&host, "worker.pid");
	/* the keeper first: it ends a worker that alone stands still */
	assert_int_equal(hostile_signal(&host, keeper, SIGSTOP), 0);
	assert_int_equal(hostile_signal(&host, worker, SIGSTOP), 0);
	assert_int_equal(hostile_signal(&host, monitor, SIGSTOP), 0);
	ns_sleep_ms(1500);
	assert_int_equal(hostile_signal(&host, worker, SIGCONT), 0);
	assert_int_equal(hostile_signal(&host, keeper, SIGCONT), 0);
	assert_int_equal(hostile_signal(&host, monitor, SIGCONT), 0);
	assert_true(hostile_protects(&host, 20000));
	assert_int_equal((pid_t)hostile_status(&host, "worker.pid"), worker);
	assert_true(hostile_status(&host, "worker.restarts") == 0);
}

/* ---- a disk of its own ---- */

static char disk[64];

static int act_disk(void *argument)
{
	char command[1024];

	snprintf(command, sizeof(command), "truncate -s 400M %s.img && "
		 "mkfs.ext4 -q -F -b 1024 -N 2000 -O ^has_journal %s.img && "
		 "mkdir -p %s && mount -o loop %s.img %s && chmod 1777 %s",
		 disk, disk, disk, disk, disk, disk);
	return system(command) != 0;
}

static void disk_make(void)
{
	int r;

	place();
	snprintf(disk, sizeof(disk), "%.56s/disk", host.env.base);
	r = hostile_do(&host, 0, act_disk, NULL, 30000);
	if (r != 0) {
		print_message("no loop device here\n");
		skip();
	}
}

static int act_umount(void *argument)
{
	return umount2(disk, 0) < 0 ? errno : 0;
}

static int act_open_path(void *argument)
{
	int fd = open(argument, O_RDONLY | O_CLOEXEC);

	return fd < 0 ? errno : 0;
}

/* Descriptors are closed behind the answer. Milliseconds it took. */
static uint64_t unmount_soon(void)
{
	uint64_t start = ns_now_ns();
	int r;

	while ((r = hostile_do(&host, 0, act_umount, NULL, 20000)) == EBUSY &&
	       ns_now_ns() < start + 10000000000u) {
		ns_sleep_ms(5);
	}
	assert_int_equal(r, 0);
	return (ns_now_ns() - start) / 1000000;
}

static void a_disk_can_be_unmounted_soon(void **state)
{
	char path[160];
	pid_t pid;

	disk_make();
	snprintf(path, sizeof(path), "%s/hang", disk);
	hostile_file(&host, path, "GOOD", 0644, 0);
	run(&(struct hostile_wish){ .scope = { disk }, .open_ms = "1000" });
	pid = hostile_start(&host, HOSTILE_USER, act_open_path, path);
	assert_true(hostile_reaches(&host, "engine.open_questions", 1, 20000));
	assert_int_equal(hostile_do(&host, 0, act_umount, NULL, 20000), EBUSY);
	assert_int_equal(hostile_wait(pid, 20000), 0);   /* fallback: allowed */
	/* the product keeps its descriptor for a while */
	print_message("unmounted %llu ms after the answer\n",
		      (unsigned long long)unmount_soon());
	hostile_mounts(&host);
	assert_true(hostile_protects(&host, 20000));
}

/* ---- off, and another disk, and on ---- */

/* One file system above the other: what is below must never be marked, and it
 * is not the machine's in this test. */
static int act_two_disks(void *argument)
{
	return mkdir(disk, 0755) < 0 ||
			       mount("below", disk, "tmpfs", 0, NULL) < 0 ||
			       mount("above", disk, "tmpfs", 0, NULL) < 0
		       ? errno : 0;
}

static void command(const char *name)
{
	static char text[1 << 16];

	assert_int_equal(hostile_command(&host, (const char *[]){ name, NULL },
					 text, sizeof(text)), 0);
}

static void only_the_disk_that_was_meant_is_marked_again(void **state)
{
	char path[96];

	place();
	snprintf(disk, sizeof(disk), "%.56s/disk", host.env.base);
	snprintf(path, sizeof(path), "%s/evil", disk);
	assert_int_equal(hostile_do(&host, 0, act_two_disks, NULL, 20000), 0);
	hostile_file(&host, path, "EVIL", 0644, 0);
	run(&(struct hostile_wish){ .scope = { disk } });
	assert_int_equal(hostile_open(&host, HOSTILE_USER, path, NULL), EPERM);
	command("off");
	assert_int_equal(hostile_open(&host, HOSTILE_USER, path, NULL), 0);
	command("on");
	assert_true(hostile_protects(&host, 20000));
	assert_int_equal(hostile_open(&host, HOSTILE_USER, path, NULL), EPERM);
	command("off");
	(void)unmount_soon();
	hostile_mounts(&host);
	hostile_file(&host, path, "EVIL", 0644, 0);
	command("on");
	assert_true(hostile_protects(&host, 20000));
	assert_int_equal(hostile_open(&host, HOSTILE_USER, path, NULL), 0);
}

/* ---- closing takes for ever ---- */

/* The worker's threads but the first and the service thread. */
static size_t closers(pid_t worker, pid_t *ret_tid, size_t most)
{
	char path[64], name[32];
	struct dirent *entry;
	size_t n = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/task", worker);
	dir = opendir(path);
	assert_non_null(dir);
	while ((entry = readdir(dir)) && n < most) {
		pid_t tid = (pid_t)strtol(entry->d_name, NULL, 10);
		FILE *file;

		snprintf(path, sizeof(path), "/proc/%d/task/%d/comm", worker,
			 tid);
		file = tid > 0 && tid != worker ? fopen(path, "re") : NULL;
		if (file && fgets(name, sizeof(name), file) &&
		    strcmp(name, "bailey-service\n") != 0) {
			ret_tid[n++] = tid;
		}
		if (file) {
			fclose(file);
		}
	}
	closedir(dir);
	return n;
}

/* The last descriptor of a deleted file: closing it can run a truncation of
 * many seconds (discard, 100,000 extents), and any user can arrange that for
 * each thread that closes. Here they are stopped instead. The numbers that
 * wait for them must not run out: the kernel would deny everything unseen. */
static void descriptors_never_run_out(void **state)
{
	int count = 12000, status;
	double asked, before = -1;
	pid_t tid[8], worker, pid;
	size_t n;

	place();
	run(&(struct hostile_wish){ 0 });
	worker = (pid_t)hostile_status(&host, "worker.pid");
	n = closers(worker, tid, 8);
	assert_true(n >= 1);
	for (size_t i = 0; i < n; i++) {
		if (ptrace(PTRACE_SEIZE, tid[i], NULL, NULL) < 0) {
			print_message("no tracing here\n");
			skip();
		}
		ptrace(PTRACE_INTERRUPT, tid[i], NULL, NULL);
		waitpid(tid[i], &status, __WALL);
	}
	pid = hostile_start(&host, HOSTILE_OTHER, act_many_opens, &count);
	/* until it gets no further */
	for (int i = 0; i < 200; i++) {
		asked = hostile_status(&host, "engine.questions");
		if (asked == before && asked > 1000) {
			break;
		}
		before = asked;
		ns_sleep_ms(100);
	}
	print_message("read with nothing closed: %g\n", before);
	ns_sleep_ms(1000);      /* nobody ends the worker for that */
	for (size_t i = 0; i < n; i++) {
		ptrace(PTRACE_DETACH, tid[i], NULL, NULL);
	}
	assert_int_equal(hostile_wait(pid, 30000), 0);
	assert_true(hostile_protects(&host, 10000));
	assert_true(hostile_status(&host, "worker.restarts") == 0);
	assert_true(hostile_status(&host, "kernel_denied") == 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(no_part_leaves_a_core, teardown),
		cmocka_unit_test_teardown(its_own_programs_may_be_watched,
					  teardown),
		cmocka_unit_test_teardown(
			a_stalled_reader_of_events_holds_nobody, teardown),
		cmocka_unit_test_teardown(
			a_closed_standard_error_changes_nothing, teardown),
		cmocka_unit_test_teardown(a_full_disk_changes_nothing,
					  teardown),
		cmocka_unit_test_teardown(a_late_monitor_blames_nobody,
					  teardown),
		cmocka_unit_test_teardown(a_disk_can_be_unmounted_soon,
					  teardown),
		cmocka_unit_test_teardown(
			only_the_disk_that_was_meant_is_marked_again,
			teardown),
		cmocka_unit_test_teardown(
			descriptors_never_run_out, teardown),
	};

	hostile_require_root();
	if (argc < 2) {
		fputs("usage: test_host_faults BUILD [PATTERN]\n", stderr);
		return 1;
	}
	build = argv[1];
	if (argc > 2) {
		cmocka_set_test_filter(argv[2]);
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
