/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/run_product.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

static const struct timespec one_ms = { .tv_nsec = 1000000 };

double run_now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

void run_start(struct run *ret_run, const char *const argv[],
	       const char *directory)
{
	static char *const nothing[] = { NULL };
	struct fake_script script = {
		.directories = directory ? 1u << BAILEY_DIRECTORY_CONTENT : 0,
		.directory = directory,
	};
	pid_t pid;

	fflush(NULL);
	memset(ret_run, 0, sizeof(*ret_run));
	ret_run->fake = fake_start(&script);
	ret_run->next_id = 1000;
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		fcntl(WIRE_SESSION_FD, F_SETFD, 0);
		execve(argv[0], (char *const *)(uintptr_t)argv, nothing);
		_exit(127);
	}
	ret_run->pid = pid;
}

double run_start_ready(struct run *ret_run, const char *const argv[],
		       const char *directory)
{
	double began = run_now_ms();

	run_start(ret_run, argv, directory);
	fake_await(ret_run->fake, WIRE_REQUEST_READY, 1);
	return run_now_ms() - began;
}

static void describe(struct wire_event *event, int fd)
{
	struct stat st = { .st_mode = S_IFREG | 0644, .st_ino = 1 };

	if (fd >= 0) {
		assert_int_equal(fstat(fd, &st), 0);
	}
	fake_number(event, BAILEY_FIELD_DEVICE, (int64_t)st.st_dev);
	fake_number(event, BAILEY_FIELD_INODE, (int64_t)st.st_ino);
	fake_number(event, BAILEY_FIELD_OBJECT_GENERATION, 1);
	fake_number(event, BAILEY_FIELD_SIZE, st.st_size);
	fake_number(event, BAILEY_FIELD_FILE_MODE, st.st_mode);
	fake_number(event, BAILEY_FIELD_OWNER, st.st_uid);
	fake_number(event, BAILEY_FIELD_CHANGED, st.st_ctim.tv_sec);
	fake_number(event, BAILEY_FIELD_UID, 1000);
}

uint64_t run_ask(struct run *run, uint32_t slot, const char *path, int fd,
		 unsigned ms)
{
	uint32_t flags = WIRE_EVENT_QUESTION | (fd >= 0 ? WIRE_EVENT_FILE : 0);
	uint64_t id = run->next_id++;
	struct wire_event *event = fake_event(run->fake, slot, id,
					      BAILEY_EVENT_FILE_OPEN, flags);
	int64_t now = (int64_t)(run_now_ms() * 1e6);

	describe(event, fd);
	fake_number(event, BAILEY_FIELD_TIME, now);
	fake_number(event, BAILEY_FIELD_DEADLINE, now + ms * 1000000ll);
	fake_string(event, BAILEY_FIELD_PATH, path);
	if (fd >= 0) {
		fake_send_file(run->fake, id, slot, fd);
	}
	fake_publish(run->fake, slot);
	return id;
}

static int hear(struct run *run, uint32_t type, double until,
		struct wire_answer *ret_answer)
{
	do {
		while (fake_take(run->fake, ret_answer)) {
			if (ret_answer->type == type) {
				return 1;
			}
		}
		nanosleep(&(struct timespec){ .tv_nsec = 20000 }, NULL);
	} while (run_now_ms() < until);
	return 0;
}

struct wire_answer run_answer(struct run *run, uint32_t type)
{
	struct wire_answer answer;

	if (!hear(run, type, run_now_ms() + 20000, &answer)) {
		fail_msg("no answer of type %u in 20 s to event %llu", type,
			 (unsigned long long)run->next_id - 1);
	}
	return answer;
}

int run_hears(struct run *run, uint32_t type, unsigned ms)
{
	struct wire_answer answer;

	return hear(run, type, run_now_ms() + ms, &answer);
}

int run_wait(struct run *run)
{
	int status = 0;

	for (int i = 0; i < 20000; i++) {
		if (waitpid(run->pid, &status, WNOHANG | WUNTRACED) ==
		    run->pid) {
			if (!WIFSTOPPED(status)) {
				run->pid = 0;
			}
			return status;
		}
		nanosleep(&one_ms, NULL);
	}
	fail_msg("still runs after 5 s");
	return -1;
}

void run_stop(struct run *run)
{
	if (run->pid > 0) {
		kill(run->pid, SIGKILL);
		waitpid(run->pid, NULL, 0);
	}
	fake_stop(run->fake);
}
