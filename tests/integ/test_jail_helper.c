/* SPDX-License-Identifier: Apache-2.0 */
/* What does the helper answer to each job of helper.h? */
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
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mono.h"
#include "broker/process_record.h"
#include "lib/jail_monitor.h"
#include "rule/rule.h"

static struct jail_monitor monitor;
static const char *probe;

/* Everything that one request brought. */
struct answers {
	unsigned count[16];             /* by type */
	int error, fd[16];              /* last descriptor by type */
	uint64_t number[16];
	int32_t pid;
	char complaints[4096];
	char names[512];
	uint32_t tasks_of_one;
	struct admin_exception exception[8];
	char text[512];
};

static void ask(const struct helper_request *request, const int *fds,
		size_t count, struct answers *ret)
{
	struct helper_reply reply = { .more = 1 };

	memset(ret, 0, sizeof(*ret));
	jail_request(&monitor, request, fds, count);
	while (reply.more) {
		int got[16];
		size_t n;

		assert_true(jail_reply(&monitor, &reply, got, &n));
		assert_in_range(reply.type, 1, 15);
		ret->fd[reply.type] = n ? got[n - 1] : -1;
		ret->number[reply.type] = reply.number;
		if (reply.type == HELPER_COMPLAINT) {
			strcat(ret->complaints, reply.text);
			strcat(ret->complaints, "\n");
		} else if (reply.type == HELPER_MANIFEST) {
			strcat(ret->names, reply.manifest.name);
			strcat(ret->names, " ");
			if (strcmp(reply.manifest.name, "one") == 0) {
				ret->tasks_of_one = reply.manifest.tasks;
			}
		} else if (reply.type == HELPER_EXCEPTION) {
			ret->exception[ret->count[HELPER_EXCEPTION] % 8] =
				reply.exception;
		}
		ret->count[reply.type]++;
	}
	ret->error = reply.error;
	ret->pid = reply.pid;
	strcpy(ret->text, reply.text);
}

static void ask_job(uint32_t job, struct answers *ret)
{
	struct helper_request request = { .job = job };

	ask(&request, NULL, 0, ret);
}

static int setup(void **state)
{
	jail_monitor_init(&monitor);
	return 0;
}

static int teardown(void **state)
{
	bool ended = jail_monitor_fini(&monitor);

	while (waitpid(-1, NULL, WNOHANG) > 0) {
	}
	return ended ? 0 : -1;
}

static void sub(const char *name, char *ret_path, size_t size)
{
	snprintf(ret_path, size, "%s/%s", monitor.etc, name);
	mkdir(ret_path, 0755);
}

/* Maps a program that came sealed, and checks it. */
static uint32_t program_rules(int fd)
{
	struct stat st;
	void *block;
	uint32_t count;

	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(fcntl(fd, F_GET_SEALS) & F_SEAL_WRITE, F_SEAL_WRITE);
	block = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
	assert_ptr_not_equal(block, MAP_FAILED);
	assert_int_equal(rule_program_check(block, (size_t)st.st_size), 0);
	count = rule_program_count(block);
	munmap(block, (size_t)st.st_size);
	close(fd);
	return count;
}

static void compiles_good_rule_files_and_names_the_bad_one(void **state)
{
	char rules[160];
	struct answers a;

	sub("rules.d", rules, sizeof(rules));
	jail_write(rules, "10-a.rules", "deny file.open path \"/a\"\n", 0644);
	jail_write(rules, "20-b.rules", "# fine\nnonsense here\n", 0644);
	jail_write(rules, "30-c.rules", "deny file.open path \"/c\"\n", 0644);
	jail_write(rules, "40-d.txt", "not read\n", 0644);
	ask_job(HELPER_RULES, &a);
	assert_int_equal(a.error, 0);
	assert_int_equal(a.count[HELPER_COMPLAINT], 1);
	assert_non_null(strstr(a.complaints, "/rules.d/20-b.rules:2: "));
	assert_int_equal(program_rules(a.fd[HELPER_PROGRAM]), 2);
}

static void keeps_exceptions_until_they_end(void **state)
{
	struct helper_request add = { .job = HELPER_EXCEPTION_ADD };
	struct answers a;
	uint64_t first;
	mono_t end;

	strcpy(add.text, "allow file.open path \"/x\"");
	strcpy(add.reason, "tab\tand\nline");
	ask(&add, NULL, 0, &a);
	assert_int_equal(a.error, 0);
	first = a.number[HELPER_DONE];
	add.number = 4;                 /* seconds */
	ask(&add, NULL, 0, &a);
	assert_int_equal(a.error, 0);
	assert_true(a.number[HELPER_DONE] > first);
	ask_job(HELPER_EXCEPTIONS, &a);
	assert_int_equal(a.count[HELPER_EXCEPTION], 2);
	assert_string_equal(a.exception[0].reason, "tab and line");
	assert_string_equal(a.exception[0].text, "allow file.open path \"/x\"");
	ask_job(HELPER_RULES, &a);
	assert_int_equal(program_rules(a.fd[HELPER_PROGRAM]), 2);
	assert_true(a.number[HELPER_PROGRAM] > 0);
	end = mono_add(mono_now(), 20 * MONO_S);
	do {
		assert_true(mono_now().ns < end.ns);
		usleep(100000);
		ask_job(HELPER_RULES, &a);
	} while (program_rules(a.fd[HELPER_PROGRAM]) != 1);
	assert_int_equal(a.number[HELPER_PROGRAM], 0);
	add.job = HELPER_EXCEPTION_REMOVE;
	add.number = first;
	ask(&add, NULL, 0, &a);
	assert_int_equal(a.error, 0);
	ask(&add, NULL, 0, &a);
	assert_int_equal(a.error, ENOENT);
	ask_job(HELPER_EXCEPTIONS, &a);
	assert_int_equal(a.count[HELPER_EXCEPTION], 0);
}

static void refuses_an_exception_that_is_no_rule(void **state)
{
	struct helper_request add = { .job = HELPER_EXCEPTION_ADD };
	struct answers a;

	strcpy(add.text, "allow everything please");
	ask(&add, NULL, 0, &a);
	assert_int_not_equal(a.error, 0);
	assert_true(a.text[0] != '\0');
	strcpy(add.text, "allow file.open path \"/x\"\ndeny any");
	ask(&add, NULL, 0, &a);
	assert_int_equal(a.error, EINVAL);
}

static void loses_no_line_that_it_does_not_understand(void **state)
{
	struct helper_request add = { .job = HELPER_EXCEPTION_ADD };
	char directory[160], text[64] = "";
	struct answers a;
	int fd;

	snprintf(directory, sizeof(directory), "%s/exceptions.d",
		 monitor.state);
	mkdir(directory, 0755);
	jail_write(directory, "live", "# mine\nhand-made\n", 0644);
	jail_write(directory, "more.rules", "allow any uid 7\n", 0644);
	ask_job(HELPER_RULES, &a);
	assert_int_equal(a.error, 0);
	assert_non_null(strstr(a.complaints, "/exceptions.d/live:2: "));
	assert_int_equal(program_rules(a.fd[HELPER_PROGRAM]), 1);
	strcpy(add.text, "allow any uid 8");
	strcpy(add.reason, "why");
	ask(&add, NULL, 0, &a);
	assert_int_equal(a.error, EBADMSG);
	strcat(directory, "/live");
	fd = open(directory, O_RDONLY | O_CLOEXEC);
	assert_int_equal(read(fd, text, sizeof(text) - 1), 17);
	assert_string_equal(text, "# mine\nhand-made\n");
	close(fd);
}

static bool keeps(int fd, const char *path)
{
	struct handoff_keep keep;
	struct stat st;

	if (stat(path, &st) < 0) {
		return false;
	}
	for (off_t at = 0; pread(fd, &keep, sizeof(keep), at) == sizeof(keep);
	     at += (off_t)sizeof(keep)) {
		if (keep.device == st.st_dev && keep.inode == st.st_ino) {
			return true;
		}
	}
	return false;
}

static const char good[] =
	"[product]\nname = %s\ntitle = T\nvendor = V\nexec = /bin/true\n"
	"[events]\nask = file.open\n";

static void manifest(const char *directory, const char *file, const char *name,
		     unsigned mode)
{
	char text[256];

	snprintf(text, sizeof(text), good, name);
	jail_write(directory, file, text, mode);
}

static void loads_all_and_complains_of_what_is_wrong(void **state)
{
	struct helper_request load = { .job = HELPER_LOAD };
	char products[160], drop[192];
	struct answers a;
	mono_t begin = mono_now();

	sub("products.d", products, sizeof(products));
	manifest(products, "one.ini", "one", 0644);
	manifest(products, "two.ini", "two", 0644);
	jail_write(products, "bad.ini", "[product]\nnonsense = 1\n", 0644);
	snprintf(drop, sizeof(drop), "%s/one.d", products);
	mkdir(drop, 0755);
	jail_write(drop, "10.ini", "[jail]\ntasks = 7\n", 0644);
	jail_write(drop, "20.ini", "[jail]\ntasks = many\n", 0644);
	manifest(monitor.base, "given.ini", "given", 0644);
	snprintf(load.text, sizeof(load.text), "%s/given.ini\nnamed",
		 monitor.base);
	ask(&load, NULL, 0, &a);
	print_message("load: %llu ms, keep list %llu files\n",
		      (unsigned long long)(mono_between(begin, mono_now()) /
					   MONO_MS),
		      (unsigned long long)a.number[HELPER_KEEP]);
	assert_int_equal(a.error, 0);
	assert_int_equal(a.count[HELPER_PROGRAM], 1);
	assert_int_equal(a.count[HELPER_KEEP], 1);
	assert_true(keeps(a.fd[HELPER_KEEP], "/bin/sh"));
	assert_true(keeps(a.fd[HELPER_KEEP], "/lib64/ld-linux-x86-64.so.2"));
	assert_true(keeps(a.fd[HELPER_KEEP],
			  "/lib/x86_64-linux-gnu/libc.so.6"));
	assert_true(keeps(a.fd[HELPER_KEEP], "/etc/passwd"));
	assert_true(keeps(a.fd[HELPER_KEEP], "/proc/self/exe"));
	assert_false(keeps(a.fd[HELPER_KEEP], probe));
	assert_string_equal(a.names, "given one two ");
	assert_non_null(strstr(a.complaints, "/bad.ini:2: "));
	assert_non_null(strstr(a.complaints, "/one.d/20.ini:2: "));
	assert_int_equal(a.count[HELPER_COMPLAINT], 2);
	assert_int_equal(a.tasks_of_one, 7);
}

static int setup_strict(void **state)
{
	jail_monitor_init_mode(&monitor, 0770);
	return 0;
}

static void refuses_files_that_others_may_write(void **state)
{
	struct helper_request load = { .job = HELPER_LOAD };
	char products[160], rules[160], path[256];
	struct jail_started s;
	struct manifest m;
	struct answers a;

	sub("products.d", products, sizeof(products));
	sub("rules.d", rules, sizeof(rules));
	manifest(products, "one.ini", "one", 0644);
	manifest(products, "two.ini", "two", 0664);
	manifest(products, "three.ini", "three", 0644);
	snprintf(path, sizeof(path), "%s/three.ini", products);
	assert_int_equal(chown(path, 1000, 0), 0);
	jail_write(rules, "a.rules", "deny any\n", 0646);
	ask(&load, NULL, 0, &a);
	assert_int_equal(a.error, 0);
	assert_string_equal(a.names, "one ");
	assert_int_equal(a.count[HELPER_COMPLAINT], 3);
	assert_non_null(strstr(a.complaints, "/two.ini:0: refused: must "));
	assert_non_null(strstr(a.complaints, "/three.ini:0: refused: must "));
	assert_non_null(strstr(a.complaints, "/a.rules:0: refused: must "));
	assert_int_equal(program_rules(a.fd[HELPER_PROGRAM]), 0);
	snprintf(path, sizeof(path), "%s/program", monitor.base);
	jail_write(monitor.base, "program", "x", 0777);
	jail_manifest(&m, path, "p", "");
	jail_start(&monitor, &m, &s);
	assert_int_equal(s.error, EPERM);
	assert_non_null(strstr(s.text, "root owns"));
}

static void reads_processes(void **state)
{
	struct process_record record;
	struct answers a;
	bool found = false;

	ask_job(HELPER_PROCESSES, &a);
	assert_int_equal(a.error, 0);
	assert_true(a.number[HELPER_DONE] >= 2);
	for (uint64_t i = 0; i < a.number[HELPER_DONE]; i++) {
		assert_int_equal(pread(a.fd[HELPER_DONE], &record,
				       sizeof(record),
				       (off_t)(i * sizeof(record))),
				 sizeof(record));
		assert_int_equal(record.type, PROCESS_SNAPSHOT);
		found = found || record.pid == getpid();
	}
	assert_true(found);
	close(a.fd[HELPER_DONE]);
}

static void starts_a_keeper_with_its_descriptors(void **state)
{
	struct helper_request request = { .job = HELPER_START_KEEPER };
	int fds[1 + HANDOFF_FD_END - HANDOFF_FD_GROUP], pair[2], status;
	struct answers a;
	char text[64] = "";
	struct stat st;
	int file = open(probe, O_RDONLY | O_CLOEXEC);

	assert_int_equal(fstat(file, &st), 0);
	fds[0] = memfd_create("engine", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	for (off_t at = 0; at < st.st_size;) {
		char bytes[4096];
		ssize_t n = pread(file, bytes, sizeof(bytes), at);

		assert_true(n > 0 && write(fds[0], bytes, (size_t)n) == n);
		at += n;
	}
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0,
				    pair), 0);
	for (size_t i = 1; i < sizeof(fds) / sizeof(int); i++) {
		fds[i] = i == 1 + HANDOFF_FD_CONTROL - HANDOFF_FD_GROUP ?
			 pair[1] : open("/dev/null", O_RDWR | O_CLOEXEC);
	}
	ask(&request, fds, sizeof(fds) / sizeof(int), &a);
	assert_int_equal(a.error, 0);
	assert_true(a.pid > 0 && a.fd[HELPER_DONE] >= 0);
	close(pair[1]);
	assert_true(recv(pair[0], text, sizeof(text) - 1, 0) > 0);
	assert_string_equal(text, "keeper 3 11 1 0");
	assert_int_equal(kill(a.pid, SIGKILL), 0);
	assert_int_equal(waitpid(a.pid, &status, 0), a.pid);
	ask(&request, fds, 3, &a);
	assert_int_equal(a.error, EINVAL);
}

static void ends_a_job_at_its_limit_and_serves_on(void **state)
{
	struct helper_request request = { .job = HELPER_LOAD, .limit_ms = 1 };
	struct answers a;

	ask(&request, NULL, 0, &a);
	assert_int_equal(a.error, ETIMEDOUT);
	ask_job(HELPER_EXCEPTIONS, &a);
	assert_int_equal(a.error, 0);
	request.job = 77;
	ask(&request, NULL, 0, &a);
	assert_int_equal(a.error, EINVAL);
	request.job = HELPER_EXCEPTIONS;
	request.index = HANDOFF_PRODUCTS;
	ask(&request, NULL, 0, &a);
	assert_int_equal(a.error, EINVAL);
	for (int i = 0; i < 1000 && jail_own_count(&monitor) != 1; i++) {
		usleep(10000);
	}
	assert_int_equal(jail_own_count(&monitor), 1);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		T(compiles_good_rule_files_and_names_the_bad_one),
		T(keeps_exceptions_until_they_end),
		T(refuses_an_exception_that_is_no_rule),
		T(loses_no_line_that_it_does_not_understand),
		T(loads_all_and_complains_of_what_is_wrong),
		cmocka_unit_test_setup_teardown(
			refuses_files_that_others_may_write, setup_strict,
			teardown),
		T(reads_processes),
		T(starts_a_keeper_with_its_descriptors),
		T(ends_a_job_at_its_limit_and_serves_on),
#undef T
	};

	if (geteuid() != 0) {
		printf("SKIP: needs root\n");
		return 77;
	}
	alarm(110);
	probe = argv[1];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
