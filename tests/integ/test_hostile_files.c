/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an unprivileged user does to his own files: does a verdict hold for
 * what was judged, and only for that; and does nobody wait for him?
 *
 * The product allows with scope object, so that a verdict is kept wherever the
 * broker dares to keep it.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/hostile_host.h"

#define ROUNDS 12
#define GOOD "GOOD text\n"
#define EVIL "EVIL text\n"

static struct hostile host;

/* ---- write lease ---- */

static volatile int *lease_held;

static int act_lease(void *argument)
{
	int fd = open(argument, O_RDWR | O_CLOEXEC);

	signal(SIGIO, SIG_IGN);
	/* refused as long as the product has not given its descriptor back */
	for (int i = 0; fcntl(fd, F_SETLEASE, F_WRLCK) < 0; i++) {
		if (i == 2000 || errno != EAGAIN) {
			return 1;
		}
		ns_sleep_ms(2);
	}
	*lease_held = 1;
	for (;;) {
		pause();        /* never gives it back */
	}
}

static void a_write_lease_hangs_neither_asker_nor_engine(void **state)
{
	uint64_t us;
	pid_t holder;
	int error;

	hostile_file(&host, "leased", GOOD, 0666, HOSTILE_USER);
	hostile_file(&host, "plain", GOOD, 0666, HOSTILE_OTHER);
	lease_held = hostile_shared(4096);
	holder = hostile_start(&host, HOSTILE_USER, act_lease,
			       (void *)(uintptr_t)"leased");
	for (int i = 0; i < 2000 && !*lease_held; i++) {
		ns_sleep_ms(2);
	}
	assert_true(*lease_held);
	error = hostile_open(&host, HOSTILE_OTHER, "leased", &us);
	print_message("leased: %s after %llu us\n", strerror(error),
		      (unsigned long long)us);
	assert_int_not_equal(error, ETIMEDOUT);
	assert_true(us < 5000000);
	assert_int_equal(hostile_open(&host, HOSTILE_OTHER, "plain", &us), 0);
	assert_true(us < 5000000);
	ns_end(holder, SIGKILL, 0);
	assert_int_equal(hostile_open(&host, HOSTILE_OTHER, "leased", NULL),
			 0);
}

/* ---- stores that no event tells of ---- */

struct stores {
	const char *name;
	void (*store)(int fd, char *map, const char *text);
	volatile int turn;      /* odd: actor stores; even: test opens */
	volatile int stop;
};

static void store_mapped(int fd, char *map, const char *text)
{
	memcpy(map, text, strlen(text));
}

static void store_written(int fd, char *map, const char *text)
{
	(void)!pwrite(fd, text, strlen(text), 0);
}

/* libaio's calls: the kernel raises no event for these writes. */
static void store_aio(int fd, char *map, const char *text)
{
	aio_context_t context = 0;
	struct iocb job = { .aio_lio_opcode = IOCB_CMD_PWRITE,
			    .aio_fildes = (uint32_t)fd,
			    .aio_buf = (uint64_t)(uintptr_t)text,
			    .aio_nbytes = strlen(text) };
	struct iocb *jobs[] = { &job };
	struct io_event event;

	if (syscall(SYS_io_setup, 4, &context) == 0) {
		if (syscall(SYS_io_submit, context, 1, jobs) == 1) {
			syscall(SYS_io_getevents, context, 1, 1, &event, NULL);
		}
		syscall(SYS_io_destroy, context);
	}
}

/* Keeps the file open and mapped for writing all the time. */
static int act_store(void *argument)
{
	struct stores *s = argument;
	int fd = open(s->name, O_RDWR | O_CLOEXEC);
	char *map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	volatile char first;

	if (fd < 0 || map == MAP_FAILED) {
		return 1;
	}
	first = map[0];         /* the page is there and writable from now on */
	(void)first;
	while (!s->stop) {
		if (s->turn % 2) {
			s->store(fd, map, s->turn / 2 % 2 ? GOOD : EVIL);
			s->turn++;
		} else {
			ns_sleep_ms(1);
		}
	}
	return 0;
}

/* Stores good and evil in turn; each open must meet a verdict about what
 * stands there now. Waits between: a cached verdict is at its most tempting
 * when the file has not changed for a while. */
static void stores(const char *name, unsigned mode, uid_t owner,
		   void (*store)(int, char *, const char *))
{
	struct stores *s = hostile_shared(sizeof(*s));
	int wrong = 0;
	pid_t pid;

	hostile_file(&host, name, GOOD, 0666, HOSTILE_USER);
	s->name = name;
	s->store = store;
	pid = hostile_start(&host, HOSTILE_USER, act_store, s);
	ns_sleep_ms(50);
	/* root takes the file over while its writer still has it */
	hostile_file(&host, name, GOOD, mode, owner);
	for (int i = 0; i < ROUNDS; i++) {
		int evil = i % 2, error = 0;

		ns_sleep_ms(30);
		for (int n = 0; n < 3 && error == 0; n++) {
			error = hostile_open(&host, HOSTILE_OTHER, name, NULL);
		}
		wrong += error != (evil ? EPERM : 0);
		s->turn++;
		for (int n = 0; n < 2000 && s->turn % 2; n++) {
			ns_sleep_ms(1);
		}
	}
	s->stop = 1;
	assert_int_equal(hostile_wait(pid, 20000), 0);
	assert_int_equal(wrong, 0);
}

static void stores_through_a_mapping_are_seen(void **state)
{
	stores("mapped", 0666, HOSTILE_USER, store_mapped);
}

static void stores_by_libaio_are_seen(void **state)
{
	stores("aio", 0666, HOSTILE_USER, store_aio);
}

static void plain_writes_are_seen(void **state)
{
	stores("written", 0666, HOSTILE_USER, store_written);
}

/* Nobody but root may open it for writing any more; he still has it mapped. */
static void stores_into_what_root_took_over_are_seen(void **state)
{
	stores("taken", 0644, 0, store_mapped);
	stores("taken_aio", 0644, 0, store_aio);
}

/* ---- names and modes ---- */

static void a_cached_allow_does_not_outlive_a_write(void **state)
{
	hostile_file(&host, "roots", GOOD, 0644, 0);
	for (int i = 0; i < 5; i++) {
		ns_sleep_ms(25);
		assert_int_equal(hostile_open(&host, HOSTILE_OTHER, "roots",
					      NULL), 0);
	}
	hostile_file(&host, "roots", EVIL, 0644, 0);
	assert_int_equal(hostile_open(&host, HOSTILE_OTHER, "roots", NULL),
			 EPERM);
}

/* Root makes a file, empty and its own when it is asked about, and has given
 * it away before the answer's last effect: the verdict was on the empty one. */
static int act_give_away(void *argument)
{
	char name[32];

	for (int i = 0; i < 200; i++) {
		int fd;

		snprintf(name, sizeof(name), "given%d", i);
		fd = open(name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
		if (fd < 0 || write(fd, EVIL, 5) != 5 ||
		    fchown(fd, HOSTILE_USER, HOSTILE_USER) < 0) {
			return 100;
		}
		close(fd);
		fd = open(name, O_RDONLY | O_CLOEXEC);
		if (fd >= 0 || errno != EPERM) {
			return 101;
		}
		unlink(name);
	}
	return 0;
}

static void what_root_gives_away_is_judged_anew(void **state)
{
	assert_int_equal(hostile_do(&host, 0, act_give_away, NULL, 20000), 0);
}

static int act_rename(void *argument)
{
	return rename("good1", "moved") || rename("evil1", "good1") ||
	       link("good1", "linked") || chmod("good1", 0777) ||
	       symlink("good1", "symbolic") ? errno : 0;
}

static void renames_links_and_modes_do_not_move_a_verdict(void **state)
{
	hostile_file(&host, "good1", GOOD, 0644, HOSTILE_USER);
	hostile_file(&host, "evil1", EVIL, 0644, HOSTILE_USER);
	ns_sleep_ms(30);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(hostile_open(&host, HOSTILE_OTHER, "good1",
					      NULL), 0);
		assert_int_equal(hostile_open(&host, HOSTILE_OTHER, "evil1",
					      NULL), EPERM);
	}
	/* sticky or not, the tree is root's: root moves them */
	assert_int_equal(hostile_do(&host, 0, act_rename, NULL, 20000), 0);
	assert_int_equal(hostile_open(&host, HOSTILE_OTHER, "moved", NULL), 0);
	assert_int_equal(hostile_open(&host, HOSTILE_OTHER, "good1", NULL),
			 EPERM);
	assert_int_equal(hostile_open(&host, HOSTILE_OTHER, "linked", NULL),
			 EPERM);
	assert_int_equal(hostile_open(&host, HOSTILE_OTHER, "symbolic", NULL),
			 EPERM);
}

/* Two names change places as fast as they can: whoever gets a descriptor got
 * the good file. */
static volatile int *swap_stop;

static int act_swap(void *argument)
{
	while (!*swap_stop) {
		syscall(SYS_renameat2, AT_FDCWD, "swap_a", AT_FDCWD, "swap_b",
			2 /* RENAME_EXCHANGE */);
	}
	return 0;
}

static int act_read_swapped(void *argument)
{
	int denied = 0, opened = 0;

	for (int i = 0; i < 400; i++) {
		char text[8] = "";
		int fd = open("swap_a", O_RDONLY | O_CLOEXEC);

		if (fd < 0) {
			denied++;
			continue;
		}
		if (read(fd, text, 4) != 4 || memcmp(text, "EVIL", 4) == 0) {
			return 1;
		}
		opened++;
		close(fd);
	}
	return denied && opened ? 0 : 2;
}

static void a_swapped_name_never_yields_the_evil_file(void **state)
{
	pid_t pid;

	hostile_file(&host, "swap_a", GOOD, 0644, HOSTILE_USER);
	hostile_file(&host, "swap_b", EVIL, 0644, HOSTILE_USER);
	swap_stop = hostile_shared(4096);
	pid = hostile_start(&host, 0, act_swap, NULL);
	assert_int_equal(hostile_do(&host, HOSTILE_OTHER, act_read_swapped,
				    NULL, 10000), 0);
	*swap_stop = 1;
	assert_int_equal(hostile_wait(pid, 20000), 0);
}

/* ---- rewriting while it is judged ---- */

struct rewriting {
	char name[32];
	size_t at;              /* of the byte that makes the difference */
	bool written;           /* by write(2), not through a mapping */
	volatile int ready;
};

/* Has the program open and mapped before the exec; stores the evil in the
 * middle of the judgement and lets go of the file, so that nothing but the
 * broker could stop what runs then. The page is writable from the start: on a
 * tmpfs no time stamp moves. */
static int act_rewrite(void *argument)
{
	struct rewriting *r = argument;
	int fd = open(r->name, O_RDWR | O_CLOEXEC);
	char *map = mmap(NULL, r->at + 4096, PROT_READ | PROT_WRITE,
			 MAP_SHARED, fd, 0);
	volatile char first;

	if (fd < 0 || map == MAP_FAILED) {
		return 1;
	}
	first = map[r->at];
	(void)first;
	r->ready = 1;
	ns_sleep_ms(75);
	if (!r->written) {
		memcpy(map + r->at, "EVIL", 4);
	} else if (pwrite(fd, "EVIL", 4, (off_t)r->at) != 4) {
		return 2;
	}
	munmap(map, r->at + 4096);
	close(fd);
	return 0;
}

/* The program's file, as the user's own. Returns where its payload is. */
static size_t make_program(const char *name)
{
	static char text[128 * 1024];
	char path[512];
	const char *at;
	size_t n;
	FILE *file;

	snprintf(path, sizeof(path), "%s/tests/lib/hostile_payload",
		 host.build);
	file = fopen(path, "re");
	assert_non_null(file);
	n = fread(text, 1, sizeof(text), file);
	fclose(file);
	at = memmem(text, n, "PAYLOAD=", 8);
	assert_non_null(at);
	assert_int_equal(ns_env_write(&host.env, name, text, n, 0777,
				      HOSTILE_USER), 0);
	return (size_t)(at - text) + 8;
}

/* Several rounds: the attacker aims at the middle of a wait and may miss. */
static void rewrite(bool written)
{
	struct rewriting *r = hostile_shared(sizeof(*r));
	double changed = hostile_status(&host, "engine.changed");

	for (int i = 0; i < 4; i++) {
		pid_t pid;
		int code;

		snprintf(r->name, sizeof(r->name), "slow_%s%d",
			 written ? "written" : "mapped", i);
		r->at = make_program(r->name);
		r->written = written;
		r->ready = 0;
		pid = hostile_start(&host, HOSTILE_USER, act_rewrite, r);
		for (int n = 0; n < 2000 && !r->ready; n++) {
			ns_sleep_ms(1);
		}
		code = hostile_exec(&host, HOSTILE_USER, r->name);
		assert_int_equal(hostile_wait(pid, 20000), 0);
		assert_int_not_equal(code, 66);
		/* nor afterwards */
		assert_int_equal(hostile_exec(&host, HOSTILE_USER, r->name),
				 200 + EPERM);
	}
	assert_true(hostile_status(&host, "engine.changed") > changed);
}

static void what_is_written_while_judged_does_not_run(void **state)
{
	rewrite(true);
}

static void what_is_stored_while_judged_does_not_run(void **state)
{
	rewrite(false);
}

static void an_unchanged_program_runs(void **state)
{
	(void)make_program("slow_program");
	assert_int_equal(hostile_exec(&host, HOSTILE_USER, "slow_program"),
			 11);
	assert_int_equal(hostile_exec(&host, HOSTILE_USER, "slow_program"),
			 11);
}

/* ---- every kind of file ---- */

static int act_make_kinds(void *argument)
{
	return mkfifo("fifo", 0666) ||
	       mknod("socket", S_IFSOCK | 0666, 0) ||
	       mknod("device", S_IFCHR | 0666, 1 << 8 | 3) ? errno : 0;
}

static int act_fifo(void *argument)
{
	int fd = open("fifo", O_RDWR | O_CLOEXEC);

	return fd < 0 ? errno : 0;
}

static void fifos_sockets_and_devices_open_as_ever(void **state)
{
	uint64_t us;
	int error;

	assert_int_equal(hostile_do(&host, 0, act_make_kinds, NULL, 20000), 0);
	assert_int_equal(hostile_do(&host, 0, act_fifo, NULL, 20000), 0);
	assert_int_equal(hostile_open(&host, 0, "fifo", &us), 0);
	assert_true(us < 5000000);
	assert_int_equal(hostile_open(&host, 0, "socket", &us), ENXIO);
	assert_true(us < 5000000);
	error = hostile_open(&host, 0, "device", &us);
	assert_true(error == 0 || error == EPERM || error == EACCES);
	assert_true(us < 5000000);
}

static int act_memfd(void *argument)
{
	int fd = memfd_create("evil", MFD_CLOEXEC);
	char name[32];
	int again;

	if (fd < 0 || write(fd, EVIL, 5) != 5) {
		return 1;
	}
	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	again = open(name, O_RDONLY | O_CLOEXEC);
	return again < 0 ? errno : 0;
}

/* A memfd lies on no marked file system: nobody asks, nobody waits. */
static void memfds_are_not_asked_about(void **state)
{
	assert_int_equal(hostile_do(&host, HOSTILE_USER, act_memfd, NULL,
				    20000), 0);
}

static int act_directory(void *argument)
{
	return open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC) < 0 ? errno : 0;
}

static void directories_open(void **state)
{
	assert_int_equal(hostile_do(&host, HOSTILE_USER, act_directory, NULL,
				    20000), 0);
}

/* ---- names ---- */

static void any_bytes_may_be_in_a_name(void **state)
{
	static const char *const names[] = {
		"two\nlines", "esc\033[2J", "\xff\xfe\xc3(", "quote\"back\\",
		"tab\tbell\a", "\xed\xa0\x80" };
	static char text[1 << 20];

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		hostile_file(&host, names[i], GOOD, 0644, HOSTILE_USER);
		assert_int_equal(hostile_open(&host, HOSTILE_OTHER, names[i],
					      NULL), 0);
		hostile_file(&host, names[i], EVIL, 0644, HOSTILE_USER);
		assert_int_equal(hostile_open(&host, HOSTILE_OTHER, names[i],
					      NULL), EPERM);
	}
	assert_true(hostile_command(&host, (const char *[]){ "denials", NULL },
				    text, sizeof(text)) >= 0);
	for (const char *c = text; *c; c++) {
		/* what a terminal would obey has been made visible */
		assert_true((unsigned char)*c >= 0x20 || *c == '\n');
		assert_int_not_equal((unsigned char)*c, 0x7f);
	}
	assert_null(strstr(text, "\nlines"));
	assert_non_null(strstr(text, "lines"));
	assert_true(hostile_command(&host, (const char *[]){ "denials",
			"--json", NULL }, text, sizeof(text)) >= 0);
	assert_non_null(strstr(text, "two"));
}

#define DEEP 24                 /* of 250 bytes: beyond PATH_MAX */

static int act_deep(void *argument)
{
	char name[252];
	int fd, error;

	memset(name, 'd', 250);
	name[250] = '\0';
	for (int i = 0; i < DEEP; i++) {
		if (mkdir(name, 0755) < 0 || chdir(name) < 0) {
			return 1;
		}
	}
	fd = open("deep", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	if (fd < 0 || write(fd, EVIL, 5) != 5) {
		return 2;
	}
	close(fd);
	fd = open("deep", O_RDONLY | O_CLOEXEC);
	error = fd < 0 ? errno : 0;
	return error == EPERM ? 0 : 3;
}

static void a_path_over_path_max_is_judged_all_the_same(void **state)
{
	assert_int_equal(hostile_do(&host, 0, act_deep, NULL, 10000), 0);
}

/* ---- the group ---- */

static void nothing_is_wrong_in_the_end(void **state)
{
	assert_true(hostile_protects(&host, 20000));
	assert_true(hostile_status(&host, "worker.restarts") == 0);
	assert_true(hostile_status(&host, "keeper.restarts") == 0);
	assert_true(hostile_status(&host, "products.0.restarts") == 0);
	assert_true(hostile_falls(&host, "engine.open_questions", 0, 20000));
}

static int start(void **state)
{
	int r = hostile_run(&host, &(struct hostile_wish){ .open_ms = "1000" });

	if (r < 0) {
		fprintf(stderr, "bailey run: %s\n", strerror(-r));
	}
	return r;
}

static int stop(void **state)
{
	return hostile_stop(&host);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_write_lease_hangs_neither_asker_nor_engine),
		cmocka_unit_test(stores_through_a_mapping_are_seen),
		cmocka_unit_test(stores_by_libaio_are_seen),
		cmocka_unit_test(plain_writes_are_seen),
		cmocka_unit_test(stores_into_what_root_took_over_are_seen),
		cmocka_unit_test(a_cached_allow_does_not_outlive_a_write),
		cmocka_unit_test(what_root_gives_away_is_judged_anew),
		cmocka_unit_test(renames_links_and_modes_do_not_move_a_verdict),
		cmocka_unit_test(a_swapped_name_never_yields_the_evil_file),
		cmocka_unit_test(an_unchanged_program_runs),
		cmocka_unit_test(what_is_written_while_judged_does_not_run),
		cmocka_unit_test(what_is_stored_while_judged_does_not_run),
		cmocka_unit_test(fifos_sockets_and_devices_open_as_ever),
		cmocka_unit_test(memfds_are_not_asked_about),
		cmocka_unit_test(directories_open),
		cmocka_unit_test(any_bytes_may_be_in_a_name),
		cmocka_unit_test(a_path_over_path_max_is_judged_all_the_same),
		cmocka_unit_test(nothing_is_wrong_in_the_end),
	};

	hostile_require_root();
	if (argc < 2 || hostile_place(&host, argv[1]) < 0) {
		fputs("usage: test_hostile_files BUILD [PATTERN]\n", stderr);
		return 1;
	}
	if (argc > 2) {
		cmocka_set_test_filter(argv[2]);
	}
	return cmocka_run_group_tests(tests, start, stop);
}
