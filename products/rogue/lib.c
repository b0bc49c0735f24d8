/* SPDX-License-Identifier: Apache-2.0 */
/* What the modes share: a session, a loop, time. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "rogue.h"

#define SECOND 1000000000ull

static void must(const char *what, int result, int status)
{
	if (result < 0) {
		fprintf(stderr, "rogue: %s: %s\n", what,
			bailey_strerror(result));
		exit(status);
	}
}

struct bailey_client *rogue_connect(void)
{
	/* Never closed: a mode ends with its process. */
	static struct bailey_client *client;

	must("connect", bailey_client_connect(&client, BAILEY_API, "", 0),
	     EX_USAGE);
	return client;
}

void rogue_subscribe(struct bailey_client *client, uint32_t flags)
{
	struct bailey_subscription list[] = {
		{ .size = sizeof(*list), .kind = BAILEY_EVENT_FILE_OPEN,
		  .flags = flags },
		{ .size = sizeof(*list), .kind = BAILEY_EVENT_PROCESS_EXEC,
		  .flags = flags },
	};

	must("subscribe", bailey_subscribe(client, list, 2), EX_PROTOCOL);
}

struct bailey_client *rogue_serve(uint32_t flags)
{
	struct bailey_client *client = rogue_connect();

	rogue_subscribe(client, flags);
	must("ready", bailey_ready(client), EX_PROTOCOL);
	return client;
}

int rogue_loop(struct bailey_client *client, rogue_event_fn *each,
	       const char *argument)
{
	struct bailey_event *event;
	int result = 0;

	while (result == 0) {
		result = bailey_next(client, -1, &event);
		if (result == -EINTR) {
			result = 0;
			continue;
		}
		if (result < 0) {
			return EX_UNAVAILABLE;
		}
		if (result == 1) {
			result = 0;
			if (bailey_event_kind(event) == BAILEY_EVENT_STOP) {
				return EXIT_SUCCESS;
			}
			result = each(client, event, argument);
		}
	}
	return result;
}

struct bailey_event *rogue_first_question(struct bailey_client *client)
{
	struct bailey_event *event;

	for (;;) {
		int result = bailey_next(client, -1, &event);

		if (result < 0 && result != -EINTR) {
			exit(EX_UNAVAILABLE);
		}
		if (result == 1 && bailey_event_is_question(event)) {
			return event;
		}
		if (result == 1) {
			bailey_event_unref(event);
		}
	}
}

void rogue_allow(struct bailey_client *client, struct bailey_event *event)
{
	if (bailey_event_is_question(event)) {
		(void)bailey_answer(client, event, BAILEY_VERDICT_ALLOW,
				    BAILEY_SCOPE_ONCE, NULL);
	}
	bailey_event_unref(event);
}

int rogue_allow_and_go_on(struct bailey_client *client,
			  struct bailey_event *event, const char *argument)
{
	rogue_allow(client, event);
	return 0;
}

int rogue_is_named(const struct bailey_event *event, const char *name)
{
	size_t n = strlen(name);
	struct bailey_string path;
	const char *last;

	if (bailey_event_string(event, BAILEY_FIELD_PATH, &path) != 0 ||
	    path.length < n) {
		return 0;
	}
	last = path.bytes + path.length - n;
	return memcmp(last, name, n) == 0 &&
	       (last == path.bytes || last[-1] == '/');
}

int rogue_path_has(const struct bailey_event *event, const char *name)
{
	struct bailey_string path;

	return bailey_event_string(event, BAILEY_FIELD_PATH, &path) == 0 &&
	       memmem(path.bytes, path.length, name, strlen(name)) != NULL;
}

uint64_t rogue_number(const char *argument, uint64_t standard, uint64_t most)
{
	char *end;
	uint64_t value;

	if (*argument == '\0') {
		return standard;
	}
	errno = 0;
	value = strtoull(argument, &end, 10);
	if (errno != 0 || *end != '\0' || value == 0 || value > most) {
		fprintf(stderr, "rogue: '%s' is no number of 1 to %llu\n",
			argument, (unsigned long long)most);
		exit(EX_USAGE);
	}
	return value;
}

uint64_t rogue_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * SECOND + (uint64_t)t.tv_nsec;
}

void rogue_sleep_until(uint64_t ns)
{
	struct timespec t = { (time_t)(ns / SECOND), (long)(ns % SECOND) };

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) ==
	       EINTR) {
	}
}

/* When this process must be gone; fixed at the first look. */
static uint64_t end_of_life(void)
{
	static uint64_t end;

	if (end == 0) {
		end = rogue_now() + ROGUE_LIFE_S * SECOND;
	}
	return end;
}

int rogue_sleep_forever(void)
{
	rogue_sleep_until(end_of_life());
	return EXIT_FAILURE;
}

int rogue_may_live(void)
{
	return rogue_now() < end_of_life();
}

/* Process 1 whose parent is outside: whatever it makes dies with it. */
int rogue_is_confined(void)
{
	return getpid() == 1 && getppid() == 0 && geteuid() != 0;
}

_Noreturn void rogue_fault(void)
{
	volatile char *nothing = mmap(NULL, 4096, PROT_NONE,
				      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	/* A sanitizer would catch it and exit in good order. */
	signal(SIGSEGV, SIG_DFL);
	*nothing = 1;
	abort();
}

uint64_t rogue_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

void rogue_say(struct bailey_client *client, const char *name, long result)
{
	char text[128];

	if (result < 0) {
		snprintf(text, sizeof(text), "%s: refused (%s)", name,
			 strerror(errno));
	} else {
		snprintf(text, sizeof(text), "%s: NOT REFUSED", name);
	}
	(void)bailey_log(client, 5, text);
}
