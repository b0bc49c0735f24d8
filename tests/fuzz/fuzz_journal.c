/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A file of any bytes as a journal: it is read, folded, and can be gone on
 * with. The state that comes out can be saved and is the same again; what is in
 * use is on trial or good; one more record is found again.
 *
 * Digests would stop every input at its first record; so where an input starts
 * with 'F', the rest is taken as records of 1024 bytes whose magic, chain and
 * digest are made right first.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/sha256.h"
#include "content/journal.h"
#include "content/state.h"
#include "lib/cut_disk.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ROOM (128u * JOURNAL_RECORD)

static void check(int good)
{
	if (!good) {
		abort();
	}
}

/* What cannot be guessed: everything else is the input's. */
static void repair(uint8_t *data, size_t size)
{
	uint8_t previous[JOURNAL_DIGEST] = { 0 };
	struct journal_record record;
	uint64_t sequence = 0;

	for (size_t at = 0; at + sizeof(record) <= size;
	     at += sizeof(record)) {
		struct sha256 sha;

		memcpy(&record, data + at, sizeof(record));
		record.magic = JOURNAL_MAGIC;
		record.sequence = ++sequence;
		record.type %= STATE_EVENTS;
		record.by %= STATE_BYS + 1u;
		record.payload_size %= JOURNAL_PAYLOAD + 1u;
		memset(record.payload + record.payload_size, 0,
		       JOURNAL_PAYLOAD - record.payload_size);
		memset(record.reason, 0, sizeof(record.reason));
		memset(record.reserved, 0, sizeof(record.reserved));
		memcpy(record.previous, previous, sizeof(previous));
		sha256_begin(&sha);
		sha256_add(&sha, &record,
			   offsetof(struct journal_record, digest));
		check(sha256_end(&sha, record.digest) == 0);
		memcpy(previous, record.digest, sizeof(previous));
		memcpy(data + at, &record, sizeof(record));
	}
}

static int fold(void *context, const struct journal_record *record)
{
	struct state *state = context;
	int may = state_may(state, record);

	check(state_apply(state, record) == may);
	return 0;
}

static void look_at(const struct state *state)
{
	const struct state_version *active = state_active(state);
	const struct state_version *newest[STATE_KEPT];
	static struct state again;
	struct journal_record record;

	check(state->count <= STATE_VERSIONS);
	check(state_newest(state, newest) <= STATE_KEPT);
	if (active != NULL) {
		(void)state_reason(state, active);
	}
	check(state_back(state) == NULL || state_back(state) != active);
	for (size_t i = 0; i < state->count; i++) {
		(void)state_needs(state, &state->version[i]);
		(void)state_name(state->version[i].state);
	}
	state_init(&again);
	for (size_t i = 0; state_save(state, i, &record) == 0; i++) {
		(void)state_apply(&again, &record);
	}
	check(again.refused == 0);
	again.refused = state->refused;
	check(memcmp(&again, state, sizeof(again)) == 0);
}

static void go_on(struct journal *journal, struct state *state)
{
	struct journal_record record = { .type = STATE_EVENT_NOTE };
	uint64_t sequence = journal->sequence;

	if (sequence == UINT64_MAX) {
		return;
	}
	check(journal_append(journal, &record) == 0);
	check(state_apply(state, &record) == STATE_MAY);
	state_init(state);
	check(journal_open(journal, fold, state) == 0);
	check(journal->sequence == sequence + 1);
}

static void read_as_journal(const uint8_t *data, size_t size)
{
	struct cut_disk *cut = cut_disk_new();
	struct disk *disk = cut_disk_disk(cut);
	static struct state state;
	struct journal journal;
	int top = cut_disk_top(cut);
	int file = disk->body->create(disk, top, JOURNAL_NAME);

	check(disk->body->write(disk, file, 0, data, size) == 0);
	disk->body->close(disk, file);
	journal_init(&journal, disk, top);
	state_init(&state);
	check(journal_open(&journal, fold, &state) == 0);
	look_at(&state);
	go_on(&journal, &state);
	journal_fini(&journal);
	cut_disk_free(cut);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t bytes[ROOM];
	int records = size > 0 && data[0] == 'F';

	if (size > ROOM) {
		return 0;
	}
	if (size > 0) {
		memcpy(bytes, data + records, size - (size_t)records);
	}
	if (records) {
		repair(bytes, size - 1);
	}
	read_as_journal(bytes, size - (size_t)records);
	return 0;
}
