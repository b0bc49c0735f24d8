/* SPDX-License-Identifier: Apache-2.0 */
/* Modes that write what they should not into shared memory. */
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sysexits.h>
#include <unistd.h>

#include "rogue.h"
#include "wire_raw.h"

int mode_twice(const char *argument)
{
	struct wire_answer question, answer;
	struct raw raw;

	raw_serve(&raw, 0);
	while (raw_next(&raw, &question) == 0) {
		answer = question;
		answer.type = WIRE_ANSWER_VERDICT;
		answer.verdict = BAILEY_VERDICT_ALLOW;
		raw_put(&raw, &answer);
		answer.verdict = BAILEY_VERDICT_DENY;
		raw_put(&raw, &answer);
		raw_release(&raw, &question);
	}
	return EX_UNAVAILABLE;
}

/* Neighbouring ids, all slots, slots that do not exist: deny each, release
 * each, revise objects it was never asked about. */
int mode_others(const char *argument)
{
	static const uint32_t types[] = {
		WIRE_ANSWER_VERDICT, WIRE_ANSWER_RELEASE, WIRE_ANSWER_EXTEND,
		WIRE_ANSWER_REVISE
	};
	struct wire_answer question, answer;
	struct raw raw;

	raw_serve(&raw, 0);
	while (raw_next(&raw, &question) == 0) {
		for (uint32_t i = 0; i < WIRE_SLOTS + 8; i++) {
			answer = question;
			answer.type = types[i % 4];
			answer.slot = i != question.slot ? i : UINT32_MAX;
			answer.id += i % 5;
			answer.verdict = BAILEY_VERDICT_DENY;
			answer.ms = 60000;
			answer.object.inode = i;
			raw_put(&raw, &answer);
		}
		raw_allow(&raw, &question);
	}
	return EX_UNAVAILABLE;
}

static void fill(void *memory, size_t size, uint64_t *state)
{
	uint64_t *word = memory;

	for (size_t i = 0; i < size / sizeof(*word); i++) {
		word[i] = rogue_random(state);
	}
}

int mode_scribble(const char *argument)
{
	struct wire_answer question;
	uint64_t state = rogue_now() | 1;
	struct raw raw;

	raw_serve(&raw, 0);
	(void)raw_next(&raw, &question);
	while (rogue_may_live()) {
		fill(raw.answers, WIRE_ANSWERS_BYTES, &state);
		(void)!write(raw.fd[WIRE_FD_WAKE_ENGINE], "", 1);
	}
	return EXIT_FAILURE;
}

/* Valid answers, and a head that is far beyond them. */
int mode_overrun(const char *argument)
{
	struct wire_answer question;
	struct raw raw;

	raw_serve(&raw, 0);
	(void)raw_next(&raw, &question);
	atomic_store(&raw.answers->head, raw.answer + WIRE_ANSWERS + 1);
	(void)!write(raw.fd[WIRE_FD_WAKE_ENGINE], "", 1);
	return rogue_sleep_forever();
}

int mode_resize(const char *argument)
{
	struct wire_answer question;
	struct raw raw;

	raw_serve(&raw, 0);
	(void)raw_next(&raw, &question);
	for (int i = WIRE_FD_EVENTS; i <= WIRE_FD_ANSWERS; i++) {
		raw_say("shrink", ftruncate(raw.fd[i], 0));
		raw_say("grow", ftruncate(raw.fd[i], 1 << 30));
		raw_say("unseal", fcntl(raw.fd[i], F_ADD_SEALS, F_SEAL_WRITE));
	}
	raw_allow(&raw, &question);
	return raw_loop(&raw);
}

/* Holes read as zeroes and cost the engine page faults. The count of answers
 * is zeroed, too: less than what the engine took, so impossible, and it ends
 * the session. madvise() does the same where fallocate() is filtered. */
int mode_punch(const char *argument)
{
	struct wire_answer question;
	struct raw raw;

	raw_serve(&raw, 0);
	(void)raw_next(&raw, &question);
	raw_say("hole in events", fallocate(raw.fd[WIRE_FD_EVENTS],
		FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
		WIRE_EVENTS_BYTES));
	while (raw_next(&raw, &question) == 0) {
		uint64_t end = rogue_now() + 10000000;

		while (rogue_now() < end) {
			(void)madvise(raw.answers, WIRE_ANSWERS_BYTES,
				      MADV_REMOVE);
			(void)fallocate(raw.fd[WIRE_FD_ANSWERS],
					FALLOC_FL_PUNCH_HOLE |
					FALLOC_FL_KEEP_SIZE, 0,
					WIRE_ANSWERS_BYTES);
		}
		raw_allow(&raw, &question);
	}
	return EX_UNAVAILABLE;
}

static long map_writable(int fd)
{
	void *base = mmap(NULL, WIRE_EVENTS_BYTES, PROT_READ | PROT_WRITE,
			  MAP_SHARED, fd, 0);

	if (base == MAP_FAILED) {
		return -1;
	}
	memset(base, 0xff, WIRE_EVENTS_BYTES);
	return 0;
}

int mode_remap(const char *argument)
{
	struct wire_answer question;
	struct raw raw;

	raw_serve(&raw, 0);
	(void)raw_next(&raw, &question);
	raw_say("map events writable", map_writable(raw.fd[WIRE_FD_EVENTS]));
	raw_say("make events writable",
		mprotect((void *)(uintptr_t)raw.events, WIRE_EVENTS_BYTES,
			 PROT_READ | PROT_WRITE));
	raw_allow(&raw, &question);
	return raw_loop(&raw);
}
