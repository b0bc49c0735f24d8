/* SPDX-License-Identifier: Apache-2.0 */
/*
 * client/client.h - inside libbailey: one session, its events, its locks
 *
 * A client is a session over the wire of proto/wire.h, or a recorded file
 * that stands in for one. It owns the two mapped regions, the descriptors of
 * HELLO and a fixed pool of event handles, one per slot: nothing is allocated
 * per event.
 *
 * Lifetime: the client is counted: one reference for its owner, one for each
 * event that is held. bailey_client_close() ends the session; the last unref
 * frees the memory. An event's refs go to 0 before its RELEASE is written, so
 * a handle is free before the engine can use the slot again.
 *
 * Threads: `lock` guards queues, answer ring, files and the waiting state; it
 * is never held across a call that can wait. `session_lock` guards control
 * requests, which wait for their reply. Order: session_lock before lock.
 * Accessors take no lock.
 *
 * Fork: `alive` is on a page that the kernel wipes in a child. There every
 * call but accessors, ref and unref says -EPIPE, and nothing takes a lock.
 *
 * Bounds: WIRE_SLOTS events held. Answer ring: a decision and a release for
 * each held event always fit; what else is said gets -BAILEY_E_FULL first.
 */
#ifndef CLIENT_CLIENT_H
#define CLIENT_CLIENT_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/types.h>

#include <bailey/client.h>

#include "base/mono.h"
#include "base/result.h"
#include "proto/record.h"
#include "proto/wire.h"

struct bailey_event {
	struct bailey_client *client;   /* one of its refs while refs > 0 */
	const struct wire_event *wire;  /* in the events region */
	uint64_t id;                    /* these five: read once, at receipt */
	uint64_t deadline;              /* ns, 0: none; extend moves it */
	uint32_t slot;
	uint32_t kind;
	uint32_t flags;
	_Atomic uint32_t refs;
	_Atomic int file;               /* owned; -1: not received */
	bool decided;                   /* answered or deferred (lock) */
	struct record_content content;  /* recorded events only */
};

/* A descriptor that came for a slot, perhaps before its event was taken. */
struct client_file {
	uint64_t id;
	int fd;                         /* owned; -1: none */
};

struct client_record {
	struct record_reader reader;
	int fd;                         /* owned */
	uint64_t answers;               /* counted, compared with nothing */
	uint32_t kinds[WIRE_SUBSCRIPTIONS];
	size_t kind_count;              /* 0: everything */
};

struct bailey_client {
	_Atomic uint32_t refs;
	uint32_t *alive;                /* its page reads 0 in a child */
	pid_t pid;                      /* asked where pages cannot be wiped */

	pthread_mutex_t lock;
	pthread_cond_t turn;            /* a follower may lead or take */
	const struct wire_events *events;
	const unsigned char *slot_base;
	struct wire_answers *answers;
	uint32_t slots;
	uint32_t question_tail;
	uint32_t news_tail;
	uint32_t answer_head;
	uint32_t drains;                /* times the wake pipe was emptied */
	unsigned followers;             /* threads that wait for their turn */
	bool leading;                   /* one thread spins or polls */
	bool armed;                     /* product_sleeping stands at 1 */
	bool asleep;                    /* the leader is in poll() */
	bool over;                      /* hung up, or broke a rule */
	bool closed;
	bool can_spin;
	mono_t before, latest;          /* the last two events were taken */
	int wake_product;               /* owned, as the next three */
	int wake_engine;
	int files;
	_Atomic int directory[BAILEY_DIRECTORY_STATE + 1];
	struct client_file file[WIRE_SLOTS];
	struct bailey_event event[WIRE_SLOTS];

	pthread_mutex_t session_lock;
	int session;                    /* owned */
	bool session_lost;              /* out of step: no more requests */
	size_t member_size;             /* of the open collection; 0: none */
	struct bailey_mute mute[WIRE_MUTES];
	size_t mute_count;
	_Atomic uint32_t log_dropped;
	uint8_t known[WIRE_KNOWN_ROWS][64];
	struct client_record *record;   /* owned; null: a live session */
};

/* connect.c */
int client_new(struct bailey_client **ret_client) must_use;
void client_ref(struct bailey_client *client);
void client_unref(struct bailey_client *client);
bool client_is_child(const struct bailey_client *client);

/* session.c: one request, one reply; session_lock held.
 * ret_detail may be null. */
int client_request(struct bailey_client *client, uint32_t type,
		   const void *payload, size_t size, uint32_t count,
		   uint32_t *ret_detail) must_use;
/* Receives one reply, with at most *fd_count descriptors; the caller owns
 * those that came. */
int client_reply(struct bailey_client *client, uint32_t type,
		 struct wire_reply *ret_reply, int *ret_fds,
		 size_t *fd_count) must_use;

/* answer.c; lock held */
void client_release(struct bailey_client *client, struct bailey_event *event);

/* file.c; lock held but for _close_all */
void client_files_receive(struct bailey_client *client);
/* A control.content event: its directory is the content from now on; the one
 * before goes with the event. */
void client_content_take(struct bailey_client *client,
			 struct bailey_event *event);
void client_file_drop(struct bailey_client *client,
		      struct bailey_event *event);

/* from_record.c */
int client_record_next(struct bailey_client *client,
		       struct bailey_event **ret_event) must_use;
int client_record_file_read(struct bailey_event *event, uint64_t offset,
			    void *buffer, size_t size) must_use;
int client_record_file(struct bailey_event *event) must_use;
int client_record_subscribe(struct bailey_client *client,
			    const struct bailey_subscription *list,
			    size_t count) must_use;
void client_record_free(struct client_record *record);

/* event.c: makes the handle of a slot ready; lock held. */
struct bailey_event *client_event_take(struct bailey_client *client,
				       uint32_t slot);

/* names.c: row of an event type in BAILEY_EVENT_TABLE, or -1. */
int client_event_row(unsigned kind);

#endif
