/* SPDX-License-Identifier: Apache-2.0 */
/*
 * content/journal.h - what happened to a product's content, and will
 *
 * One append-only file a product. A record is written and synced *before* what
 * it announces is done: whatever the crash, the next start reads how far it
 * came. Records have one size, a number in sequence, the digest of the record
 * before, and their own digest: what is lost, doubled, moved or changed shows.
 *
 * Torn tail. A cut while a record is written leaves at most one place at the
 * end that is not a record, or not one that follows. It is passed over and the
 * next record takes its place: it never was synced, so nothing was done on it.
 * A bad place before the end is damage: the records behind it are still read
 * (a quarantine is not forgotten because a sector is) and counted as breaks.
 *
 * Bounds. When JOURNAL_LONG records stand in it, its owner rewrites it: the
 * last JOURNAL_HISTORY records for people, a record that says that the state
 * starts anew, then the state (content/state.h). The new file is synced, then
 * renamed over the old one. A sync that failed is followed by a rewrite too:
 * only a new file can be trusted again.
 *
 * In the host's byte order: it never leaves the host. One thread.
 */
#ifndef CONTENT_JOURNAL_H
#define CONTENT_JOURNAL_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/result.h"
#include "content/disk.h"

#define JOURNAL_NAME "journal"
#define JOURNAL_NEW "journal.new"
#define JOURNAL_MAGIC 0x314a4c42u       /* "BLJ1", little endian */
#define JOURNAL_RECORD 1024u
#define JOURNAL_REASON 256u             /* with its NUL */
#define JOURNAL_PAYLOAD 512u
#define JOURNAL_DIGEST 32u
#define JOURNAL_HASH 32u
#define JOURNAL_OBJECT 16u
#define JOURNAL_LONG 1024u
#define JOURNAL_HISTORY 256u
#define JOURNAL_MOST 8192u              /* records that are read at all */

/* When. boot_ns counts suspend, and only within one boot. */
struct journal_time {
	uint64_t wall_ns;               /* since 1970, as the host believed */
	uint64_t boot_ns;
	uint8_t boot_id[16];
};

struct journal_record {
	uint32_t magic;
	uint32_t type;                  /* enum state_event */
	uint64_t sequence;              /* 1 or more */
	struct journal_time time;
	uint8_t hash[JOURNAL_HASH];     /* version; 0: the product */
	uint64_t number;                /* the type's own */
	uint8_t object[JOURNAL_OBJECT]; /* of a fault */
	uint32_t by;                    /* enum state_by */
	uint32_t payload_size;
	char reason[JOURNAL_REASON];    /* one line, 0 behind its end */
	uint8_t payload[JOURNAL_PAYLOAD]; /* 0 behind payload_size */
	uint8_t reserved[80];
	uint8_t previous[JOURNAL_DIGEST]; /* digest of the record before */
	uint8_t digest[JOURNAL_DIGEST]; /* SHA-256 of all before this */
};

static_assert(sizeof(struct journal_record) == JOURNAL_RECORD,
	      "journal_record layout");

struct journal {
	struct disk *disk;              /* borrowed */
	int dir;                        /* borrowed */
	int file;                       /* own; -1: none yet */
	int fresh;                      /* own: a rewrite under way; -1 */
	uint64_t sequence;              /* of the last record */
	uint8_t digest[JOURNAL_DIGEST]; /* of the last record */
	uint64_t count;                 /* records in the file */
	uint64_t clean_from;            /* place behind the last damage */
	uint64_t fresh_count, fresh_sequence;
	uint8_t fresh_digest[JOURNAL_DIGEST];
	uint64_t breaks;                /* damage that was passed over */
	bool torn;                      /* a torn tail was passed over */
	bool sick;                      /* only a rewrite makes it writable:
					 * a sync failed, or it was read-only */
};

/* Called with each record, oldest first. A negative result ends the reading
 * and is returned. */
typedef int journal_visit(void *context, const struct journal_record *record);

void journal_init(struct journal *journal, struct disk *disk, int dir);
void journal_fini(struct journal *journal);

/* Opens the file, visits its records, syncs it: what was read holds from now
 * on. -ENOENT if there is none; visit may be null. */
int journal_open(struct journal *journal, journal_visit *visit,
		 void *context) must_use;
/* Visits the last `most` records of the open file. */
int journal_read(const struct journal *journal, uint64_t most,
		 journal_visit *visit, void *context) must_use;
/* Fills magic, sequence, previous and digest, appends and syncs. On an error
 * the record was not appended, though it may be found after a crash. -ESTALE:
 * the file is sick. */
int journal_append(struct journal *journal,
		   struct journal_record *record) must_use;

/*
 * Rewriting: begin, keep the last `most` records of the old file (if there is
 * one), put records as append does but without a sync, end. The old file
 * stands until the end was good. After an error call drop.
 */
int journal_fresh_begin(struct journal *journal, uint64_t most) must_use;
int journal_fresh_put(struct journal *journal,
		      struct journal_record *record) must_use;
int journal_fresh_end(struct journal *journal) must_use;
void journal_fresh_drop(struct journal *journal);

/* Whether these bytes are a record that is whole in itself. */
bool journal_record_good(const struct journal_record *record) must_use;

#endif
