/* SPDX-License-Identifier: Apache-2.0 */
#include "content/journal.h"

#include <string.h>

#include "base/sha256.h"

#define DIGESTED offsetof(struct journal_record, digest)

static int record_digest(const struct journal_record *record,
			 uint8_t ret_digest[JOURNAL_DIGEST])
{
	struct sha256 sha;

	sha256_begin(&sha);
	sha256_add(&sha, record, DIGESTED);
	return sha256_end(&sha, ret_digest);
}

static bool all_zero(const void *bytes, size_t size)
{
	const uint8_t *p = bytes;

	for (size_t i = 0; i < size; i++) {
		if (p[i] != 0) {
			return false;
		}
	}
	return true;
}

bool journal_record_good(const struct journal_record *record)
{
	uint8_t digest[JOURNAL_DIGEST];
	size_t reason = strnlen(record->reason, JOURNAL_REASON);

	if (record->magic != JOURNAL_MAGIC || record->sequence == 0 ||
	    record->payload_size > JOURNAL_PAYLOAD ||
	    reason == JOURNAL_REASON) {
		return false;
	}
	return all_zero(record->reason + reason, JOURNAL_REASON - reason) &&
		all_zero(record->payload + record->payload_size,
			 JOURNAL_PAYLOAD - record->payload_size) &&
		all_zero(record->reserved, sizeof(record->reserved)) &&
		record_digest(record, digest) == 0 &&
		memcmp(digest, record->digest, sizeof(digest)) == 0;
}

void journal_init(struct journal *journal, struct disk *disk, int dir)
{
	*journal = (struct journal){
		.disk = disk, .dir = dir, .file = -1, .fresh = -1,
	};
}

static void close_handle(struct journal *journal, int *handle)
{
	if (*handle >= 0) {
		journal->disk->body->close(journal->disk, fd_take(handle));
	}
}

void journal_fini(struct journal *journal)
{
	close_handle(journal, &journal->file);
	close_handle(journal, &journal->fresh);
}

/* Place i of the file. 1; 0 at its end; a part of a record is one that is not
 * good. */
static int read_place(const struct journal *journal, uint64_t place,
		      struct journal_record *ret_record)
{
	ssize_t n;

	memset(ret_record, 0, sizeof(*ret_record));
	n = journal->disk->body->read(journal->disk, journal->file,
				      place * JOURNAL_RECORD, ret_record,
				      sizeof(*ret_record));
	return n < 0 ? (int)n : n > 0;
}

/* ---- reading ---- */

/* Whether the record is what has to stand behind `missed` bad places. */
static bool follows(const struct journal *journal, uint64_t missed,
		    const struct journal_record *record)
{
	if (!journal_record_good(record)) {
		return false;
	}
	if (journal->sequence == 0) {
		return true;
	}
	return record->sequence == journal->sequence + missed + 1 &&
		(missed > 0 ||
		 memcmp(record->previous, journal->digest,
			JOURNAL_DIGEST) == 0);
}

static void accept(struct journal *journal, uint64_t place,
		   uint64_t *missed, const struct journal_record *record)
{
	if (*missed > 0) {
		journal->breaks += *missed;
		journal->clean_from = place;
		*missed = 0;
	}
	journal->sequence = record->sequence;
	memcpy(journal->digest, record->digest, JOURNAL_DIGEST);
	journal->count = place + 1;
}

static int read_all(struct journal *journal, journal_visit *visit,
		    void *context)
{
	struct journal_record record;
	uint64_t missed = 0;
	int r = 0;

	for (uint64_t place = 0; place < JOURNAL_MOST; place++) {
		r = read_place(journal, place, &record);
		if (r <= 0) {
			break;
		}
		if (!follows(journal, missed, &record)) {
			missed++;
			continue;
		}
		accept(journal, place, &missed, &record);
		r = visit != NULL ? visit(context, &record) : 0;
		if (r < 0) {
			break;
		}
	}
	journal->torn = missed > 0;
	return r < 0 ? r : 0;
}

/* A sync that failed under who wrote it may have dropped it from what is to be
 * written, though it can be read: so it is written once more. */
static int last_again(const struct journal *journal)
{
	struct journal_record record;
	uint64_t place = journal->count - 1;
	int r;

	if (journal->count == 0 || journal->sick) {
		return 0;
	}
	r = read_place(journal, place, &record);
	return r < 0 ? r :
		journal->disk->body->write(journal->disk, journal->file,
					   place * JOURNAL_RECORD, &record,
					   sizeof(record));
}

int journal_open(struct journal *journal, journal_visit *visit, void *context)
{
	struct disk *disk = journal->disk;
	int file = disk->body->open_write(disk, journal->dir, JOURNAL_NAME);
	bool read_only = file == -EROFS || file == -EACCES;
	int r;

	if (read_only) {
		file = disk->body->open_read(disk, journal->dir, JOURNAL_NAME);
	}
	if (file < 0) {
		return file;
	}
	journal_fini(journal);
	journal_init(journal, disk, journal->dir);
	journal->file = file;
	journal->sick = read_only;
	r = read_all(journal, visit, context);
	r = r < 0 ? r : last_again(journal);
	r = r < 0 ? r : disk->body->sync(disk, file);
	/* A name that a former rewrite gave may not be there for good yet. */
	return r < 0 ? r : disk->body->sync(disk, journal->dir);
}

static uint64_t first_of(const struct journal *journal, uint64_t most)
{
	uint64_t first = journal->count > most ? journal->count - most : 0;

	return first > journal->clean_from ? first : journal->clean_from;
}

int journal_read(const struct journal *journal, uint64_t most,
		 journal_visit *visit, void *context)
{
	struct journal_record record;
	uint64_t place = first_of(journal, most);
	int r = 1;

	for (; r > 0 && place < journal->count; place++) {
		r = read_place(journal, place, &record);
		if (r > 0) {
			r = journal_record_good(&record) ?
				visit(context, &record) : -EBADMSG;
			r = r < 0 ? r : 1;
		}
	}
	return r < 0 ? r : 0;
}

/* ---- appending ---- */

static int seal(struct journal_record *record, uint64_t sequence,
		const uint8_t previous[JOURNAL_DIGEST])
{
	record->magic = JOURNAL_MAGIC;
	record->sequence = sequence;
	memcpy(record->previous, previous, JOURNAL_DIGEST);
	return record_digest(record, record->digest);
}

int journal_append(struct journal *journal, struct journal_record *record)
{
	struct disk *disk = journal->disk;
	int r;

	if (journal->sick || journal->file < 0) {
		return -ESTALE;
	}
	r = seal(record, journal->sequence + 1, journal->digest);
	if (r == 0) {
		r = disk->body->write(disk, journal->file,
				      journal->count * JOURNAL_RECORD, record,
				      sizeof(*record));
	}
	if (r < 0) {
		return r;
	}
	r = disk->body->sync(disk, journal->file);
	if (r < 0) {
		journal->sick = true;
		return r;
	}
	journal->sequence++;
	memcpy(journal->digest, record->digest, JOURNAL_DIGEST);
	journal->count++;
	return 0;
}

/* ---- rewriting ---- */

static int fresh_write(struct journal *journal,
		       const struct journal_record *record)
{
	struct disk *disk = journal->disk;
	int r = disk->body->write(disk, journal->fresh,
				  journal->fresh_count * JOURNAL_RECORD,
				  record, sizeof(*record));

	if (r == 0) {
		journal->fresh_count++;
	}
	return r;
}

static int fresh_copy(void *context, const struct journal_record *record)
{
	return fresh_write(context, record);
}

int journal_fresh_begin(struct journal *journal, uint64_t most)
{
	struct disk *disk = journal->disk;
	int r = disk->body->unlink(disk, journal->dir, JOURNAL_NEW);

	if (r < 0 && r != -ENOENT) {
		return r;
	}
	journal->fresh = disk->body->create(disk, journal->dir, JOURNAL_NEW);
	if (journal->fresh < 0) {
		r = journal->fresh;
		journal->fresh = -1;
		return r;
	}
	journal->fresh_count = 0;
	journal->fresh_sequence = journal->sequence;
	memcpy(journal->fresh_digest, journal->digest, JOURNAL_DIGEST);
	if (journal->file < 0) {
		return 0;
	}
	return journal_read(journal, most, fresh_copy, journal);
}

int journal_fresh_put(struct journal *journal, struct journal_record *record)
{
	int r = seal(record, journal->fresh_sequence + 1,
		     journal->fresh_digest);

	if (r == 0) {
		r = fresh_write(journal, record);
	}
	if (r == 0) {
		journal->fresh_sequence++;
		memcpy(journal->fresh_digest, record->digest, JOURNAL_DIGEST);
	}
	return r;
}

static int fresh_in_place(struct journal *journal)
{
	struct disk *disk = journal->disk;
	int r = disk->body->sync(disk, journal->fresh);

	if (r == 0) {
		r = disk->body->rename(disk, journal->dir, JOURNAL_NEW,
				       JOURNAL_NAME);
	}
	if (r < 0) {
		return r;
	}
	r = disk->body->sync(disk, journal->dir);
	/* Which of the two has the name after a cut is open: trust neither. */
	journal->sick = r < 0;
	return r;
}

int journal_fresh_end(struct journal *journal)
{
	int r = fresh_in_place(journal);

	if (r < 0) {
		return r;
	}
	close_handle(journal, &journal->file);
	journal->file = fd_take(&journal->fresh);
	journal->sequence = journal->fresh_sequence;
	memcpy(journal->digest, journal->fresh_digest, JOURNAL_DIGEST);
	journal->count = journal->fresh_count;
	journal->clean_from = 0;
	journal->breaks = 0;
	journal->torn = false;
	return 0;
}

void journal_fresh_drop(struct journal *journal)
{
	close_handle(journal, &journal->fresh);
}
