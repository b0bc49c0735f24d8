/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What many processes of one unprivileged user do at once, or one to the
 * other: does anybody else notice?
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <linux/sched.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/hostile_host.h"
#include "proto/view.h"

#define WAITERS 1000
#define STORMERS 100
#define KILLED 40
#define INNOCENT_OPENS 200
#define QUICK_US 5000000u       /* a hang; the budgets are make bench's */

static struct hostile host;
static pid_t pulse;

/* ---- an innocent's day ---- */

/* The machine may be busy with other things: how much longer than asked for a
 * sleep lasts is what waiting costs anyway. */
struct day {
	volatile int opens, failed;
	uint64_t us[INNOCENT_OPENS];
	uint64_t noise_us;
};

static int act_innocent(void *argument)
{
	struct day *day = argument;

	while (day->opens < INNOCENT_OPENS) {
		uint64_t start = ns_now_ns(), late;
		int fd = open(day->opens % 2 ? "innocent" : "roots",
			      O_RDONLY | O_CLOEXEC);

		day->us[day->opens++] = (ns_now_ns() - start) / 1000;
		day->failed += fd < 0;
		if (fd >= 0) {
			close(fd);
		}
		start = ns_now_ns();
		ns_sleep_ms(2);
		late = (ns_now_ns() - start) / 1000 - 2000;
		day->noise_us = late > day->noise_us ? late : day->noise_us;
	}
	return 0;
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static void innocents_have_a_good_day(const char *during)
{
	struct day *day = hostile_shared(sizeof(*day));
	int r = hostile_do(&host, HOSTILE_OTHER, act_innocent, day, 30000);
	uint64_t longest, most;

	qsort(day->us, INNOCENT_OPENS, sizeof(*day->us), compare);
	most = day->us[INNOCENT_OPENS * 95 / 100];
	longest = day->us[INNOCENT_OPENS - 1];
	print_message("%s: %d opens of another user, half within %llu us, "
		      "95%% %llu, all %llu, %d failed; a sleep came %llu us "
		      "late\n", during, day->opens,
		      (unsigned long long)day->us[INNOCENT_OPENS / 2],
		      (unsigned long long)most, (unsigned long long)longest,
		      day->failed, (unsigned long long)day->noise_us);
	assert_int_equal(r, 0);
	assert_int_equal(day->failed, 0);
	assert_true(most < QUICK_US / 2 + 2 * day->noise_us);
	assert_true(longest < QUICK_US + 10 * day->noise_us);
	munmap(day, sizeof(*day));
}

/* Something that the product can answer, all the time: one that answers
 * nothing at all is hung, and rightly ended. */
static int act_pulse(void *argument)
{
	while (!ns_stopped()) {
		int fd = open("pulse", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

		(void)!write(fd, "GOOD", 4);
		close(fd);
		ns_sleep_ms(50);
	}
	return 0;
}

/* ---- a thousand that wait ---- */

/* Not in step: each answer wakes all that wait, and a thousand at once cost
 * the kernel a million wake-ups, whatever a broker does. */
static _Noreturn void wait_in_open(int i, unsigned apart_ms)
{
	char name[32];
	int fd;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	snprintf(name, sizeof(name), "hang%d", i);
	for (unsigned n = 0;; n++) {
		ns_sleep_ms(1 + (unsigned)i * 7919u % (n ? 4 * apart_ms
							 : apart_ms));
		fd = open(name, O_RDONLY | O_CLOEXEC);
		if (fd >= 0) {
			close(fd);
		}
	}
}

struct crowd {
	int first, count;
	unsigned apart_ms;      /* within it all have begun */
	volatile int ready;
};

static int act_crowd(void *argument)
{
	struct crowd *crowd = argument;

	for (int i = 0; i < crowd->count; i++) {
		pid_t pid = fork();

		if (pid == 0) {
			wait_in_open(crowd->first + i, crowd->apart_ms);
		}
		if (pid < 0) {
			return 1;
		}
	}
	crowd->ready = 1;
	pause();
	return 0;
}

static pid_t crowd_start(uid_t uid, struct crowd *crowd)
{
	pid_t pid = hostile_start(&host, uid, act_crowd, crowd);

	for (int i = 0; i < 5000 && !crowd->ready; i++) {
		ns_sleep_ms(2);
	}
	assert_true(crowd->ready);
	return pid;
}

static void a_thousand_waiting_openers_are_capped(void **state)
{
	struct crowd *crowd = hostile_shared(sizeof(*crowd));
	double most = 0;
	pid_t pid;

	*crowd = (struct crowd){ .count = WAITERS, .apart_ms = 2000 };
	pid = crowd_start(HOSTILE_USER, crowd);
	assert_true(hostile_reaches(&host, "engine.open_questions", 40, 10000));
	innocents_have_a_good_day("1,000 waiting openers");
	for (int i = 0; i < 20; i++) {
		double now = hostile_status(&host, "engine.open_questions");

		most = now > most ? now : most;
	}
	/* 64 of him; one of somebody who asks just now */
	print_message("most open questions seen: %g\n", most);
	assert_true(most <= 64 + 8);
	assert_true(hostile_status(&host, "engine.overload") > 100);
	assert_true(hostile_protects(&host, 20000));
	ns_end(pid, SIGKILL, 0);
	assert_true(hostile_falls(&host, "engine.open_questions", 0, 10000));
}

static void many_uids_together_are_capped(void **state)
{
	struct crowd *crowd = hostile_shared(sizeof(*crowd) * 10);
	double most = 0;
	pid_t pid[10];

	for (int u = 0; u < 10; u++) {
		crowd[u] = (struct crowd){ .first = u * 70, .count = 70,
					   .apart_ms = 1000 };
		pid[u] = crowd_start(61000 + (uid_t)u, &crowd[u]);
	}
	assert_true(hostile_reaches(&host, "engine.open_questions", 80, 10000));
	innocents_have_a_good_day("ten users with 70 waiting openers each");
	for (int i = 0; i < 20; i++) {
		double now = hostile_status(&host, "engine.open_questions");

		most = now > most ? now : most;
	}
	print_message("most open questions seen: %g\n", most);
	assert_true(most <= 512);
	for (int u = 0; u < 10; u++) {
		ns_end(pid[u], SIGKILL, 0);
	}
	assert_true(hostile_falls(&host, "engine.open_questions", 0, 10000));
}

/* ---- a hundred that storm ---- */

static volatile int *storm_stop;

static void *storm(void *argument)
{
	while (!*storm_stop) {
		int fd = open(argument, O_RDONLY | O_CLOEXEC);

		if (fd >= 0) {
			close(fd);
		}
	}
	return NULL;
}

static int act_storm(void *argument)
{
	pthread_t thread[STORMERS];

	for (int i = 0; i < STORMERS; i++) {
		if (pthread_create(&thread[i], NULL, storm, argument)) {
			return 1;
		}
	}
	for (int i = 0; i < STORMERS; i++) {
		pthread_join(thread[i], NULL);
	}
	return 0;
}

static void a_hundred_storming_threads_disturb_nobody(void **state)
{
	double before = hostile_status(&host, "engine.questions");
	pid_t pid;

	storm_stop = hostile_shared(4096);
	pid = hostile_start(&host, HOSTILE_USER, act_storm,
			    (void *)(uintptr_t)"stormed");
	innocents_have_a_good_day("100 storming threads");
	*storm_stop = 1;
	assert_int_equal(hostile_wait(pid, 10000), 0);
	assert_true(hostile_status(&host, "engine.questions") > before + 500);
	assert_true(hostile_falls(&host, "engine.open_questions", 0, 20000));
}

/* ---- the parser's nemesis ---- */

static int act_crash(void *argument)
{
	for (int i = 0; i < 400; i++) {
		int fd = open("crash", O_RDONLY | O_CLOEXEC);

		if (fd >= 0) {
			close(fd);
		}
		ns_sleep_ms(10);
	}
	return 0;
}

static void a_file_that_crashes_the_parser_becomes_poison(void **state)
{
	double restarts = hostile_status(&host, "products.0.restarts");
	pid_t pid = hostile_start(&host, HOSTILE_USER, act_crash, NULL);

	assert_true(hostile_reaches(&host, "engine.poison", 1, 20000));
	assert_true(hostile_reaches(&host, "products.0.state", 1, 10000));
	/* he goes on; it is not asked any more */
	assert_true(hostile_protects(&host, 10000));
	assert_int_equal(hostile_wait(pid, 30000), 0);
	restarts = hostile_status(&host, "products.0.restarts") - restarts;
	print_message("the product was started again %g times\n", restarts);
	assert_true(restarts >= 1 && restarts <= 3);
	assert_true(hostile_protects(&host, 20000));
}

/* ---- killed askers ---- */

static int worker_files(void)
{
	char path[64];
	int n = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/fd",
		 (int)hostile_status(&host, "worker.pid"));
	dir = opendir(path);
	if (!dir) {
		return -1;
	}
	while (readdir(dir)) {
		n++;
	}
	closedir(dir);
	return n;
}

static void killed_askers_leave_nothing_behind(void **state)
{
	struct crowd *crowd = hostile_shared(sizeof(*crowd));
	int before, after = 0;

	before = worker_files();
	for (int i = 0; i < 2; i++) {
		pid_t pid;

		*crowd = (struct crowd){ .first = 800 + i * KILLED,
					 .count = KILLED,
					 .apart_ms = 100 };
		pid = crowd_start(HOSTILE_USER, crowd);
		assert_true(hostile_reaches(&host, "engine.open_questions",
					    KILLED / 2, 20000));
		ns_end(pid, SIGKILL, 0);
	}
	assert_true(hostile_falls(&host, "engine.open_questions", 0, 10000));
	for (int i = 0; i < 500; i++) {
		after = worker_files();
		if (after <= before) {
			break;
		}
		ns_sleep_ms(20);
	}
	print_message("the worker's descriptors: %d before, %d after\n",
		      before, after);
	assert_true(before > 0 && after <= before);
	assert_true(hostile_protects(&host, 20000));
}

/* ---- ptrace ---- */

/* Traces an asker of his own while it waits, stops it, lets it go. */
static int act_trace(void *argument)
{
	int status, error;
	pid_t pid;

	prctl(PR_SET_DUMPABLE, 1);      /* lost with the former uid */
	pid = fork();
	if (pid == 0) {
		int fd = open("slow_traced", O_RDONLY | O_CLOEXEC);

		_exit(fd < 0 ? errno : 0);
	}
	ns_sleep_ms(30);
	if (ptrace(PTRACE_SEIZE, pid, NULL, NULL) < 0 ||
	    ptrace(PTRACE_INTERRUPT, pid, NULL, NULL) < 0 ||
	    waitpid(pid, &status, 0) != pid) {
		return 100;
	}
	if (WIFSTOPPED(status)) {
		ns_sleep_ms(200);
		ptrace(PTRACE_DETACH, pid, NULL, NULL);
		waitpid(pid, &status, 0);
	}
	error = WIFEXITED(status) ? WEXITSTATUS(status) : 101;
	return error;
}

static void a_traced_asker_gets_its_answer(void **state)
{
	uint64_t us;

	for (int i = 0; i < 3; i++) {
		pid_t pid;

		hostile_file(&host, "slow_traced", "GOOD", 0644, HOSTILE_USER);
		pid = hostile_start(&host, HOSTILE_USER, act_trace, NULL);
		ns_sleep_ms(60);
		assert_int_equal(hostile_open(&host, HOSTILE_OTHER, "innocent",
					      &us), 0);
		assert_true(us < QUICK_US);
		assert_int_equal(hostile_wait(pid, 10000), 0);
	}
}

/* ---- one number, two processes ---- */

struct reuse {
	pid_t pid;
	volatile int made;
};

/* A process with a number of our choice, as uid, that opens the evil file. */
static int reuse_once(struct reuse *reuse, uid_t uid)
{
	pid_t want = reuse->pid;
	struct clone_args args = {
		.exit_signal = SIGCHLD,
		.set_tid = (uint64_t)(uintptr_t)&want, .set_tid_size = 1 };
	int status;
	pid_t pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));

	if (pid == 0) {
		if (ns_become(uid) < 0) {
			_exit(126);
		}
		_exit(open("evil", O_RDONLY | O_CLOEXEC) < 0 ? errno : 0);
	}
	if (pid < 0) {
		return errno == EEXIST ? 127 : 125;
	}
	reuse->made++;
	return waitpid(pid, &status, 0) == pid && WIFEXITED(status)
		       ? WEXITSTATUS(status) : 124;
}

static int act_reuse(void *argument)
{
	struct reuse *reuse = argument;
	pid_t own = fork();
	int r;

	if (own == 0) {
		_exit(0);
	}
	waitpid(own, NULL, 0);
	reuse->pid = own;       /* free now; nobody gets it for a while */
	r = reuse_once(reuse, 61001);
	if (r != EPERM) {
		return r;
	}
	r = reuse_once(reuse, 61002);
	return r != EPERM ? r : 0;
}

static void a_number_used_again_is_another_process(void **state)
{
	static char text[1 << 20];
	struct reuse *reuse = hostile_shared(sizeof(*reuse));
	int r = hostile_do(&host, 0, act_reuse, reuse, 10000);

	if (r == 125 || r == 127) {
		print_message("a process number cannot be chosen here\n");
		skip();
	}
	assert_int_equal(r, 0);
	assert_true(hostile_command(&host, (const char *[]){ "denials", NULL },
				    text, sizeof(text)) >= 0);
	assert_non_null(strstr(text, "  61001  "));
	assert_non_null(strstr(text, "  61002  "));
}

/* ---- io_uring ---- */

struct uring {
	const char *name;
	unsigned flags;
	volatile int result, refused;
};

static int uring_submit(int ring, const struct io_uring_params *p,
			const struct uring *u, int *ret_result)
{
	size_t sq_size = p->sq_off.array + p->sq_entries * 4;
	size_t cq_size = p->cq_off.cqes +
			 p->cq_entries * sizeof(struct io_uring_cqe);
	char *sq = mmap(NULL, sq_size, PROT_READ | PROT_WRITE, MAP_SHARED,
			ring, IORING_OFF_SQ_RING);
	char *cq = mmap(NULL, cq_size, PROT_READ | PROT_WRITE, MAP_SHARED,
			ring, IORING_OFF_CQ_RING);
	struct io_uring_sqe *sqe = mmap(NULL, p->sq_entries * sizeof(*sqe),
					PROT_READ | PROT_WRITE, MAP_SHARED,
					ring, IORING_OFF_SQES);
	struct io_uring_cqe *cqe;
	unsigned *array, *tail;

	if (sq == MAP_FAILED || cq == MAP_FAILED || sqe == MAP_FAILED) {
		return -errno;
	}
	memset(sqe, 0, sizeof(*sqe));
	sqe->opcode = IORING_OP_OPENAT;
	sqe->fd = AT_FDCWD;
	sqe->addr = (uint64_t)(uintptr_t)u->name;
	sqe->open_flags = O_RDONLY | O_CLOEXEC;
	sqe->flags = u->flags & 1 ? IOSQE_ASYNC : 0;
	array = (unsigned *)(void *)(sq + p->sq_off.array);
	tail = (unsigned *)(void *)(sq + p->sq_off.tail);
	array[0] = 0;
	__atomic_store_n(tail, *tail + 1, __ATOMIC_RELEASE);
	for (int i = 0; i < 5; i++) {
		if (syscall(SYS_io_uring_enter, ring, i ? 0 : 1, 1,
			    IORING_ENTER_GETEVENTS |
			    (p->flags & IORING_SETUP_SQPOLL
				     ? IORING_ENTER_SQ_WAKEUP : 0),
			    NULL, 0) >= 0) {
			break;
		}
	}
	cqe = (struct io_uring_cqe *)(void *)(cq + p->cq_off.cqes);
	*ret_result = cqe->res;
	return 0;
}

static int act_uring(void *argument)
{
	struct uring *u = argument;
	struct io_uring_params p = {
		.flags = u->flags & 2 ? IORING_SETUP_SQPOLL : 0,
		.sq_thread_idle = 100 };
	int ring = (int)syscall(SYS_io_uring_setup, 4, &p), result = 0;

	if (ring < 0) {
		u->refused = errno;
		return 0;
	}
	if (uring_submit(ring, &p, u, &result) < 0) {
		return 1;
	}
	u->result = result;
	return 0;
}

static void opens_by_io_uring_are_judged(void **state)
{
	struct uring *u = hostile_shared(sizeof(*u));

	for (unsigned flags = 0; flags < 4; flags++) {
		*u = (struct uring){ .name = "evil", .flags = flags };
		assert_int_equal(hostile_do(&host, HOSTILE_USER, act_uring, u,
					    10000), 0);
		if (u->refused) {
			print_message("io_uring, flags %u: %s\n", flags,
				      strerror(u->refused));
			skip();
		}
		assert_int_equal(u->result, -EPERM);
		*u = (struct uring){ .name = "innocent", .flags = flags };
		assert_int_equal(hostile_do(&host, HOSTILE_USER, act_uring, u,
					    10000), 0);
		assert_true(u->result >= 0);
	}
}

/* ---- what one may know of others ---- */

struct looker {
	uint32_t request;               /* enum view_request_type */
	int end;                        /* the answer's error */
	int own, others;                /* denials that were told of */
};

static int act_look(void *argument)
{
	struct view_request request = { .version = VIEW_VERSION };
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	struct looker *l = argument;
	struct view_decision d;
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	snprintf(at.sun_path, sizeof(at.sun_path), "%s/view.sock",
		 host.env.state);
	request.type = l->request;
	if (connect(fd, (struct sockaddr *)&at, sizeof(at)) < 0 ||
	    send(fd, &request, sizeof(request), 0) != sizeof(request)) {
		return errno;
	}
	while (recv(fd, &d, sizeof(d), 0) >= (ssize_t)sizeof(d.head)) {
		if (d.head.type == VIEW_END) {
			l->end = (int)((struct view_end *)(void *)&d)->error;
			return 0;
		}
		*(d.uid == getuid() ? &l->own : &l->others) += 1;
	}
	return EPIPE;
}

static void nobody_sees_what_others_are_refused(void **state)
{
	struct looker *l = hostile_shared(sizeof(*l));

	assert_int_equal(chmod(host.env.state, 0755), 0); /* as /run/bailey */
	(void)hostile_open(&host, HOSTILE_USER, "evil", NULL);
	(void)hostile_open(&host, HOSTILE_OTHER, "evil", NULL);
	l->request = VIEW_DENIALS;
	assert_int_equal(hostile_do(&host, HOSTILE_OTHER, act_look, l, 10000),
			 0);
	assert_int_equal(l->end, 0);
	assert_true(l->own >= 1);
	assert_int_equal(l->others, 0);
	assert_int_equal(hostile_do(&host, 0, act_look, l, 10000), 0);
	assert_true(l->others >= 2);
	l->request = VIEW_RULES;
	assert_int_equal(hostile_do(&host, HOSTILE_OTHER, act_look, l, 10000),
			 0);
	assert_int_equal(l->end, EPERM);
	assert_int_equal(chmod(host.env.state, 0700), 0);
	munmap(l, sizeof(*l));
}

/* ---- the group ---- */

static void nothing_is_wrong_in_the_end(void **state)
{
	assert_true(hostile_protects(&host, 20000));
	assert_true(hostile_status(&host, "worker.restarts") == 0);
	assert_true(hostile_status(&host, "keeper.restarts") == 0);
	assert_true(hostile_status(&host, "kernel_denied") == 0);
	assert_true(hostile_falls(&host, "engine.open_questions", 0, 10000));
}

static int act_make(void *argument)
{
	char name[32];

	for (int i = 0; i < WAITERS; i++) {
		int fd;

		snprintf(name, sizeof(name), "hang%d", i);
		fd = open(name, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
		if (fd < 0) {
			return errno;
		}
		close(fd);
	}
	return 0;
}

static int act_open_tree(void *argument)
{
	return chmod(".", 01777);
}

static int start(void **state)
{
	int r = hostile_do(&host, 0, act_make, NULL, 10000);

	hostile_file(&host, "crash", "GOOD", 0644, HOSTILE_USER);
	hostile_file(&host, "slow_traced", "GOOD", 0644, HOSTILE_USER);
	hostile_file(&host, "stormed", "GOOD", 0666, HOSTILE_USER);
	hostile_file(&host, "innocent", "GOOD", 0644, HOSTILE_OTHER);
	hostile_file(&host, "roots", "GOOD", 0644, 0);
	hostile_file(&host, "evil", "EVIL", 0644, HOSTILE_USER);
	r = r ? -r : hostile_run(&host, &(struct hostile_wish){
					.open_ms = "1500" });
	if (r < 0) {
		fprintf(stderr, "bailey run: %s\n", strerror(-r));
	}
	assert_int_equal(hostile_do(&host, 0, act_open_tree, NULL, 20000), 0);
	pulse = hostile_start(&host, HOSTILE_OTHER, act_pulse, NULL);
	return r;
}

static int stop(void **state)
{
	ns_end(pulse, SIGKILL, 0);
	return hostile_stop(&host);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(opens_by_io_uring_are_judged),
		cmocka_unit_test(a_number_used_again_is_another_process),
		cmocka_unit_test(a_traced_asker_gets_its_answer),
		cmocka_unit_test(a_hundred_storming_threads_disturb_nobody),
		cmocka_unit_test(killed_askers_leave_nothing_behind),
		cmocka_unit_test(many_uids_together_are_capped),
		cmocka_unit_test(a_thousand_waiting_openers_are_capped),
		cmocka_unit_test(a_file_that_crashes_the_parser_becomes_poison),
		cmocka_unit_test(nobody_sees_what_others_are_refused),
		cmocka_unit_test(nothing_is_wrong_in_the_end),
	};

	hostile_require_root();
	if (argc < 2 || hostile_place(&host, argv[1]) < 0) {
		fputs("usage: test_hostile_crowd BUILD [PATTERN]\n", stderr);
		return 1;
	}
	if (argc > 2) {
		cmocka_set_test_filter(argv[2]);
	}
	return cmocka_run_group_tests(tests, start, stop);
}
