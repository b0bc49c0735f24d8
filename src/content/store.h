/* SPDX-License-Identifier: Apache-2.0 */
/*
 * content/store.h - the versions of one product on this host
 *
 * One directory: journal, slots, `current`. The store keeps three things in
 * step: what the journal says (content/state.h), what the disk has
 * (content/slot.h) and what `current` leads to. The journal decides: a record
 * is written and synced first, then the disk is made to agree. Whatever cut it
 * short, store_recover() reads the journal and makes the disk agree, with no
 * network and no person:
 *
 *   found                               made of it
 *   half a slot, or one nobody knows    removed
 *   activating, but not yet on trial    abandoned: `current` as before
 *   reverted or quarantined, `current`  `current` to where the journal says
 *     not yet there
 *   removing, but still there           removed
 *   on trial, other boot, no stop       interrupted (see content/state.h)
 *   what is in use has no whole slot    back to the last good one
 *   no journal, but a whole `current`   adopted as good, a new journal
 *
 * So a change is a call that either returns 0, and holds over a power cut, or
 * an errno, with store_reason(), and then what is in use did not change. After
 * an errno the next call first does what recovery does: a full disk, a
 * read-only one, are left behind without a restart. (Only if the disk fails
 * between the switch of `current` and the record of the trial, and switching
 * back fails too, `current` leads to the preflighted version until then.) If
 * going back itself cannot be written, it still is right to go back in memory
 * (the former instance serves); ask again until it can.
 *
 * A store is one thread's; two processes exclude each other by a lock.
 * Reading (store_state, store_open_slot, ...) writes nothing.
 */
#ifndef CONTENT_STORE_H
#define CONTENT_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/result.h"
#include "content/disk.h"
#include "content/journal.h"
#include "content/slot.h"
#include "content/state.h"

struct store;

/* For a record: who, why, and what for people is kept with it. */
struct store_words {
	uint32_t by;                    /* enum state_by */
	const char *reason;             /* cut at JOURNAL_REASON; one line */
	const void *payload;            /* null: none */
	size_t payload_size;            /* at most JOURNAL_PAYLOAD */
};

/* Conditions. */
enum store_condition {
	STORE_DONE,
	STORE_SAME = 1,                 /* it is so already: nothing written */
	STORE_NOT_NOW,                  /* its state does not permit it */
	STORE_UNKNOWN,                  /* no such version, or it has no slot */
	STORE_BANNED,                   /* it is quarantined */
	STORE_FULL,                     /* too many versions in quarantine */
	STORE_BACK                      /* done, and `current` changed by it */
};

struct store_setup {
	struct disk *disk;              /* null: disk_real() */
	int dir;                        /* the product's; borrowed */
	const char *product;            /* descriptions must name it */
	void (*now)(struct journal_time *ret_time); /* null: the host's */
	uint64_t longest;               /* records; 0: JOURNAL_LONG */
	uint64_t history;               /* 0: JOURNAL_HISTORY */
};

/* Takes the lock. -EWOULDBLOCK: another one has it. Nothing is changed. */
int store_open(const struct store_setup *setup, struct store **ret_store)
	must_use;
/* Null-safe; returns null. */
struct store *store_close(struct store *store);

/* See the page above. To be called first, and also by whoever wants to try
 * again. STORE_BACK: `current` is another than it was. An errno: reading works
 * as far as the journal could be read. */
int store_recover(struct store *store) must_use;
/* Why the last call was refused or failed; one line; "" after a success. */
const char *store_reason(const struct store *store);

/* ---- reading ---- */

/* Borrowed, until the next call that changes something. */
const struct state *store_state(const struct store *store);
/* Hash of what is in use. STORE_UNKNOWN: nothing. */
int store_current(const struct store *store,
		  uint8_t ret_hash[JOURNAL_HASH]) must_use;
/* The last `most` records, oldest first. */
int store_history(const struct store *store, uint64_t most,
		  journal_visit *visit, void *context) must_use;
/* Directory handle: SLOT_FILES, SLOT_CORPUS, "." ; the caller's. */
int store_open_slot(const struct store *store,
		    const uint8_t hash[JOURNAL_HASH], const char *what)
	must_use;
/* The description, parsed; the caller's. */
int store_version(const struct store *store,
		  const uint8_t hash[JOURNAL_HASH],
		  struct version **ret_version) must_use;
/* Whether all its files have their hashes. -EBADMSG: the slot was damaged; it
 * is recorded so, and if it was in use, STORE_BACK is returned instead. */
int store_check(struct store *store,
		const uint8_t hash[JOURNAL_HASH]) must_use;

/* ---- the life of a version ---- */

/* Makes its slot: fetched, then verified. The caller has verified signatures
 * and that its hash is not revoked. 0; STORE_SAME: it has a slot;
 * STORE_BANNED; STORE_FULL; an errno as slot_make. */
int store_admit(struct store *store, const void *description, size_t length,
		struct slot_source *source, const struct store_words *words,
		uint8_t ret_hash[JOURNAL_HASH]) must_use;
/*
 * The same in three parts, for one version of a store at a time, so that the
 * copy can be made by another thread while the store serves: begin writes the
 * first record; copy touches only the half slot; end, on the store's thread,
 * writes the second. Between them half a slot is not swept. Whatever cuts it
 * short, half a slot is what is found. source outlives it all.
 */
struct store_filling {
	struct slot_making making;
	struct version *version;        /* own */
	char *description;              /* own */
	uint8_t hash[JOURNAL_HASH], last[JOURNAL_HASH];
	int result;                     /* of the copy */
	char reason[SLOT_REASON];
};

/* As store_admit. Only after 0: copy, then end. STORE_NOT_NOW: another
 * one is being filled. */
int store_fill_begin(struct store *store, const void *description,
		     size_t length, struct slot_source *source,
		     const struct store_words *words,
		     struct store_filling *ret_filling) must_use;
void store_fill_copy(struct store_filling *filling);
int store_fill_end(struct store *store, struct store_filling *filling,
		   const struct store_words *words) must_use;
/* A record of the table's note column: results of preflights, decisions.
 * object may be null. */
int store_note(struct store *store, enum state_event event,
	       const uint8_t hash[JOURNAL_HASH], const uint8_t *object,
	       const struct store_words *words) must_use;
/* `current` leads to it and its trial has begun. */
int store_activate(struct store *store, const uint8_t hash[JOURNAL_HASH],
		   const struct store_words *words) must_use;
/* The trial of what is in use ended well. */
int store_trial_end(struct store *store, const uint8_t hash[JOURNAL_HASH],
		    const struct store_words *words) must_use;
/* Whether it became good less than ns ago, in this boot. */
bool store_just_good(const struct store *store,
		     const uint8_t hash[JOURNAL_HASH], uint64_t ns);
/* A fault of its trial was told after the trial's end: it goes on. Of what is
 * in use and good. */
int store_reopen(struct store *store, const uint8_t hash[JOURNAL_HASH],
		 const struct store_words *words) must_use;
/* The product failed with this version. object: key of what it was asked
 * about, the agent's choice, the same for the same content; null: none.
 * STORE_BACK: that put it into quarantine and `current` went back; 0: it
 * stands; whether to go back is the caller's. */
int store_fault(struct store *store, const uint8_t hash[JOURNAL_HASH],
		const uint8_t *object, const struct store_words *words)
	must_use;
/* The jail reproduced its fault, and not with the version before: quarantined.
 * STORE_BACK: it was in use. */
int store_reproduced(struct store *store, const uint8_t hash[JOURNAL_HASH],
		     const uint8_t *object, const struct store_words *words)
	must_use;
/* Leaves what is in use for `to`, a good one; null: where state_back() says.
 * 0 with the hash that is current now (all 0: none, there is no good one). */
int store_revert(struct store *store, const uint8_t *to,
		 const struct store_words *words,
		 uint8_t ret_hash[JOURNAL_HASH]) must_use;
/* By a person, a publisher (revoked), a lease, a preflight. For one that is
 * known; signed lists are looked at where versions come in. STORE_BACK. */
int store_quarantine(struct store *store, const uint8_t hash[JOURNAL_HASH],
		     const struct store_words *words) must_use;
/* By a person, or by a publisher's signed statement, which counts once for a
 * hash: STORE_NOT_NOW if it was used before. */
int store_lift(struct store *store, const uint8_t hash[JOURNAL_HASH],
	       const struct store_words *words) must_use;

/* ---- the customer's, and the rest ---- */

/* Null: unpin. */
int store_pin(struct store *store, const uint8_t *hash,
	      const struct store_words *words) must_use;
/* until_s 0: until store_resume. */
int store_pause(struct store *store, uint64_t until_s,
		const struct store_words *words) must_use;
int store_resume(struct store *store, const struct store_words *words) must_use;
/* Bytes that the caller finds again in store_state()->memory. */
int store_remember(struct store *store, const void *bytes,
		   size_t size) must_use;
/* An orderly end: a trial that goes on at the next boot was not interrupted. */
int store_stop(struct store *store) must_use;
/* Removes slots that nobody needs. in_use: hashes of slots that a process still
 * has open. */
int store_tidy(struct store *store, const uint8_t (*in_use)[JOURNAL_HASH],
	       size_t count) must_use;

static inline void store_closep(struct store **store)
{
	store_close(*store);
}
#define cleanup_store __attribute__((cleanup(store_closep)))

#endif
