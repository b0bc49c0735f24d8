/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes in a product's answer region. The input: how many questions are
 * open, then records of a head (what is said of which question, how far the
 * count moves) and the bytes of an answer.
 */
#include "fuzz_eng.h"

#define HEAD 4u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void say_bytes(const uint8_t *head, const uint8_t *bytes, size_t size,
		      const struct wire_event *const *w)
{
	struct wire_answer a = { .type = head[0] };
	const struct wire_event *about = w[head[1] % FUZZ_QUESTIONS];

	memcpy((char *)&a + 4, bytes, size < sizeof(a) - 4 ? size
							     : sizeof(a) - 4);
	if (about && head[1] < 128) {   /* mostly of a question that it holds */
		a.slot = replay_slot(&hostile, about);
		a.id = about->id;
	}
	if (about && head[2] & 1) {
		a.object.device = (uint64_t)about->number[BAILEY_FIELD_DEVICE];
		a.object.inode = (uint64_t)about->number[BAILEY_FIELD_INODE];
		a.object.generation = (uint64_t)
			about->number[BAILEY_FIELD_OBJECT_GENERATION];
	}
	replay_say(&hostile, &a);
	if (head[2] & 0x80) {
		hostile.answer_head += head[3] * 64u;
		atomic_store(&hostile.answers->head, hostile.answer_head);
	}
	if (head[2] & 0x40) {
		replay_turn(r);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct wire_event *w[FUZZ_QUESTIONS] = { NULL };
	size_t at = 1;

	fuzz_begin();
	must(replay_hello(&hostile) == 0 && replay_subscribe(&hostile, 1) == 0);
	must(replay_request(&hostile, WIRE_REQUEST_READY, 0, NULL, 0) == 0);
	for (int i = 0; size && i < data[0] % (FUZZ_QUESTIONS + 1); i++) {
		replay_open(r, files[i], REPLAY_PID + i);
		replay_turn(r);
		w[i] = replay_take(&hostile);
	}
	while (at + HEAD <= size) {
		size_t n = size - at - HEAD < 24 ? size - at - HEAD : 24;

		say_bytes(data + at, data + at + HEAD, n, w);
		at += HEAD + n;
	}
	fuzz_end();
	return 0;
}
