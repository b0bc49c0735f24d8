/* SPDX-License-Identifier: Apache-2.0 */
/* Do the programs of examples/ do what they say, as processes of their own?
 * Arguments: first, deny_by_hash, and the folder that holds deny.list. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/fake_broker.h"

#define FLAGS (WIRE_EVENT_QUESTION | WIRE_EVENT_FILE)

static char **programs;

/* Starts a product on the fake's session; it holds the only product's end. */
static pid_t start(struct fake *fake, char *program)
{
	char *argv[] = { program, NULL };
	pid_t pid = fork();

	if (pid == 0) {
		fcntl(WIRE_SESSION_FD, F_SETFD, 0);
		execv(program, argv);
		_exit(127);
	}
	assert_true(pid > 0);
	fake_await(fake, WIRE_REQUEST_READY, 1);
	return pid;
}

static void stop(struct fake *fake, pid_t pid)
{
	int status = -1;

	fake_end(fake);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	fake_stop(fake);
}

static int file_of(const char *contents, size_t size)
{
	int fd = memfd_create("file", MFD_CLOEXEC);

	assert_int_equal(write(fd, contents, strlen(contents)),
			 strlen(contents));
	assert_int_equal(ftruncate(fd, (off_t)size), 0);
	return fd;
}

/* Asks about a file; what the product decides, by type and verdict. */
static struct wire_answer ask(struct fake *fake, uint64_t id, const char *path,
			      int fd)
{
	struct wire_event *event = fake_event(fake, 0, id,
					      BAILEY_EVENT_FILE_OPEN, FLAGS);
	struct wire_answer answer = { 0 }, last;

	fake_string(event, BAILEY_FIELD_PATH, path);
	fake_number(event, BAILEY_FIELD_SIZE, lseek(fd, 0, SEEK_END));
	fake_send_file(fake, id, 0, fd);
	fake_publish(fake, 0);
	do {
		fake_wait(fake, &last);
		if (last.type == WIRE_ANSWER_VERDICT ||
		    last.type == WIRE_ANSWER_DEFER) {
			answer = last;
		}
	} while (last.type != WIRE_ANSWER_RELEASE);
	close(fd);
	return answer;
}

static void does_first_deny_by_name(void **state)
{
	struct fake *fake = fake_start(NULL);
	pid_t pid = start(fake, programs[1]);

	(void)state;
	assert_int_equal(ask(fake, 1, "/tmp/x.evil", file_of("", 0)).verdict,
			 BAILEY_VERDICT_DENY);
	assert_int_equal(ask(fake, 2, "/tmp/x.good", file_of("", 0)).verdict,
			 BAILEY_VERDICT_ALLOW);
	assert_int_equal(ask(fake, 3, "evil", file_of("", 0)).verdict,
			 BAILEY_VERDICT_ALLOW);
	stop(fake, pid);
}

static void does_deny_by_hash_judge_contents(void **state)
{
	struct fake_script script = {
		.directories = 1u << BAILEY_DIRECTORY_CONTENT,
		.directory = programs[3],
	};
	struct fake *fake = fake_start(&script);
	pid_t pid = start(fake, programs[2]);
	struct wire_answer answer;

	(void)state;
	answer = ask(fake, 1, "/tmp/hello.bad", file_of("hello\n", 6));
	assert_int_equal(answer.verdict, BAILEY_VERDICT_DENY);
	assert_string_equal(answer.finding.rule, "deny-by-hash");
	answer = ask(fake, 2, "/tmp/hello.bad", file_of("Hello\n", 6));
	assert_int_equal(answer.verdict, BAILEY_VERDICT_ALLOW);
	answer = ask(fake, 3, "/tmp/hello.txt", file_of("hello\n", 6));
	assert_int_equal(answer.verdict, BAILEY_VERDICT_ALLOW);
	answer = ask(fake, 4, "/tmp/hello.bad", file_of("hello\n", 7));
	assert_int_equal(answer.verdict, BAILEY_VERDICT_ALLOW);
	answer = ask(fake, 5, "/srv/disk.img", file_of("", 8u << 20));
	assert_int_equal(answer.type, WIRE_ANSWER_DEFER);
	stop(fake, pid);
}

static void does_a_product_without_a_list_not_become_ready(void **state)
{
	struct fake_script script = {
		.directories = 1u << BAILEY_DIRECTORY_CONTENT,
	};
	struct fake *fake = fake_start(&script);
	char *argv[] = { programs[2], NULL };
	int status = 0;
	pid_t pid = fork();

	(void)state;
	if (pid == 0) {
		fcntl(WIRE_SESSION_FD, F_SETFD, 0);
		execv(argv[0], argv);
		_exit(127);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(WEXITSTATUS(status), 1);
	assert_int_equal(fake_requests(fake, WIRE_REQUEST_READY), 0);
	fake_stop(fake);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(does_first_deny_by_name),
		cmocka_unit_test(does_deny_by_hash_judge_contents),
		cmocka_unit_test(
			does_a_product_without_a_list_not_become_ready),
	};

	if (argc != 4) {
		return 2;
	}
	programs = argv;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
