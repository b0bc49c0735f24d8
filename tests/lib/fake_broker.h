/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lib/fake_broker.h - the engine's side of one session, for tests of a client
 *
 * Speaks proto/wire.h. A thread answers control requests by script; the test
 * itself publishes events and reads answers. The product's end stands on
 * descriptor 3 while the fake runs. Everything fails by cmocka's assertions.
 */
#ifndef LIB_FAKE_BROKER_H
#define LIB_FAKE_BROKER_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <bailey/client.h>

#include "proto/wire.h"

#define FAKE_REQUESTS 16

/* How HELLO is answered; all 0: rightly. */
struct fake_script {
	uint32_t version;               /* in the region, 0: WIRE_VERSION */
	uint32_t slots;                 /* 0: WIRE_SLOTS */
	size_t events_bytes;            /* 0: as the layout says */
	int hello_error;                /* positive */
	size_t leave_out;               /* descriptors not sent */
	size_t reply_bytes;             /* 0: a whole reply */
	bool hang_up;                   /* instead of a reply to HELLO */
	uint32_t directories;           /* bits; all of them are: */
	const char *directory;          /* null: "/" */
	int session;                    /* the engine's end, taken over; 0: a
					 * new pair, its other end on 3 */
};

struct fake {
	struct fake_script script;
	bool preempted;                 /* between publishing and waking */
	int saved;                      /* what stood on descriptor 3, or -1 */
	int session;
	int files;
	int wake_product;               /* write end */
	int wake_engine;                /* read end, O_NONBLOCK */
	int given[WIRE_FD_DIRECTORIES]; /* the product's ends */
	int events_fd;
	int answers_fd;
	struct wire_events *events;
	unsigned char *slot_base;
	struct wire_answers *answers;
	uint32_t question_head, news_head, taken;
	pthread_t thread;

	pthread_mutex_t lock;           /* guards what follows */
	struct wire_hello hello;
	int error[FAKE_REQUESTS];       /* by request type, positive */
	uint32_t detail[FAKE_REQUESTS];
	uint32_t wrong_type;            /* not 0: put into replies */
	unsigned requests[FAKE_REQUESTS];
	uint32_t last_count[FAKE_REQUESTS];
	size_t last_size[FAKE_REQUESTS];
	unsigned char last[FAKE_REQUESTS][512];
	size_t text_bytes;              /* by TEXT_ADD in all */
	char logged[4096];              /* LOG lines, '\n' after each */
};

struct fake *fake_start(const struct fake_script *script);
/* Ends the fake as an engine's death does: every end is closed. Null-safe. */
void fake_stop(struct fake *fake);
/* Closes the session's sockets and pipes only; the regions stay. */
void fake_hang_up(struct fake *fake);

/* The next request of that type gets this error. */
void fake_refuse(struct fake *fake, uint32_t type, int error, uint32_t detail);
/* What it noted of all requests that were replied to; waits until the thread
 * is done with the last one. */
const struct fake *fake_seen(struct fake *fake);
/* Replies carry this request type from now on; 0: the right one. */
void fake_confuse(struct fake *fake, uint32_t type);
unsigned fake_requests(struct fake *fake, uint32_t type);
/* Waits until that many requests of the type have come. */
void fake_await(struct fake *fake, uint32_t type, unsigned count);

/* An empty event in a slot, with the id given; not published yet. */
struct wire_event *fake_event(struct fake *fake, uint32_t slot, uint64_t id,
			      uint32_t kind, uint32_t flags);
void fake_number(struct wire_event *event, unsigned field, int64_t value);
void fake_string(struct wire_event *event, unsigned field, const char *text);
void fake_publish(struct fake *fake, uint32_t slot);    /* by its flags */
void fake_publish_slot(struct fake *fake, bool question, uint32_t slot);
/* Sends a descriptor for an event; fd stays the caller's. */
void fake_send_file(struct fake *fake, uint64_t id, uint32_t slot, int fd);
void fake_end(struct fake *fake);       /* the polite end: flag and wake */

/* Takes one answer: false if none is there. _wait gives it 5 s. */
bool fake_take(struct fake *fake, struct wire_answer *ret_answer);
void fake_wait(struct fake *fake, struct wire_answer *ret_answer);

#endif
