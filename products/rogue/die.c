/* SPDX-License-Identifier: Apache-2.0 */
/* Modes that die, fall silent, or take more than their share. */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "rogue.h"

int mode_segfault(const char *argument)
{
	(void)rogue_first_question(rogue_serve(0));
	rogue_fault();
}

int mode_abort(const char *argument)
{
	(void)rogue_first_question(rogue_serve(0));
	abort();
}

int mode_exit0(const char *argument)
{
	(void)rogue_first_question(rogue_serve(0));
	return EXIT_SUCCESS;
}

int mode_exit_at_start(const char *argument)
{
	return EXIT_SUCCESS;
}

static int each_crash(struct bailey_client *client, struct bailey_event *event,
		      const char *argument)
{
	if (rogue_path_has(event, *argument ? argument : "evil")) {
		rogue_fault();
	}
	rogue_allow(client, event);
	return 0;
}

int mode_crash_on(const char *argument)
{
	return rogue_loop(rogue_serve(0), each_crash, argument);
}

int mode_never_ready(const char *argument)
{
	rogue_subscribe(rogue_connect(), 0);
	return rogue_sleep_forever();
}

int mode_hang(const char *argument)
{
	(void)rogue_first_question(rogue_serve(0));
	return rogue_sleep_forever();
}

static int each_hold(struct bailey_client *client, struct bailey_event *event,
		     const char *argument)
{
	return 0;
}

int mode_hold(const char *argument)
{
	return rogue_loop(rogue_serve(0), each_hold, argument);
}

/* Process 1 of a pid namespace ignores the signal when it comes from inside.
 * Then a child that shares the memory stops, and vfork() leaves the parent
 * asleep until it is killed: as stopped as it gets. */
int mode_stop(const char *argument)
{
	(void)rogue_first_question(rogue_serve(0));
	raise(SIGSTOP);
	if (getpid() == 1 && vfork() == 0) {
		raise(SIGSTOP);
		_exit(EXIT_SUCCESS);
	}
	return rogue_sleep_forever();
}

int mode_spin(const char *argument)
{
	uint64_t state = 1;

	(void)rogue_first_question(rogue_serve(0));
	while (rogue_may_live()) {
		for (unsigned i = 0; i < 10000000; i++) {
			(void)rogue_random(&state);
		}
	}
	return EXIT_FAILURE;
}

static int refuse(struct bailey_client *client, const char *mode)
{
	char text[80];

	snprintf(text, sizeof(text), "%s: not outside a jail", mode);
	(void)bailey_log(client, 4, text);
	return ROGUE_REFUSED;
}

int mode_alloc(const char *argument)
{
	const size_t step = 1u << 20;
	struct bailey_client *client = rogue_serve(0);

	if (!rogue_is_confined()) {
		return refuse(client, "alloc");
	}
	(void)rogue_first_question(client);
	for (uint64_t done = 0; done < ROGUE_ALLOC; done += step) {
		void *more = mmap(NULL, step, PROT_READ | PROT_WRITE,
				  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (more == MAP_FAILED) {
			rogue_say(client, "alloc", -1);
			break;
		}
		memset(more, 0x5a, step);
	}
	return rogue_sleep_forever();
}

/* Every process forks until none may; 2^12 leaves at most. */
static void multiply(void)
{
	for (unsigned n = 1; n < ROGUE_FORKS; n *= 2) {
		if (fork() < 0) {
			return;
		}
	}
}

int mode_fork_bomb(const char *argument)
{
	struct bailey_client *client = rogue_serve(0);

	if (!rogue_is_confined()) {
		return refuse(client, "fork-bomb");
	}
	(void)rogue_first_question(client);
	multiply();
	while (getpid() == 1 && rogue_may_live()) {
		usleep(1000);
		multiply();
	}
	return rogue_sleep_forever();
}

static void *idle(void *nothing)
{
	rogue_sleep_forever();
	return nothing;
}

int mode_threads(const char *argument)
{
	struct bailey_client *client = rogue_serve(0);
	pthread_t thread;

	if (!rogue_is_confined()) {
		return refuse(client, "threads");
	}
	for (unsigned i = 0; i < ROGUE_FORKS; i++) {
		if (pthread_create(&thread, NULL, idle, NULL) != 0) {
			break;
		}
	}
	return rogue_loop(client, rogue_allow_and_go_on, argument);
}
