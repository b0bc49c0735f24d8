/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/peer.h - one question to the engine or the monitor, and its records
 *
 * One connection a request. Each record is checked: a datagram of exactly the
 * size that its type has; every text in it is ended; an unknown type is an
 * error. The peer may stall: peer_next() waits at most the time-out for each
 * record. The peer may send without end: no memory is kept here, and the
 * caller bounds what it keeps.
 */
#ifndef CLI_PEER_H
#define CLI_PEER_H

#include <stdint.h>

#include "cli/cli.h"
#include "proto/view.h"

enum peer_which { PEER_ENGINE, PEER_MONITOR };

#define PEER_TIMEOUT_NS 5000000000ull
#define PEER_FOREVER (-1)

struct peer {
	int fd;                 /* owned */
	enum peer_which which;
	int timeout_ms;         /* for each record; PEER_FOREVER */
	int remote;             /* errno in the end record */
};

#define PEER_INIT { .fd = -1 }

union peer_record {
	struct view_head head;
	struct view_end end;
	struct view_engine engine;
	struct view_product product;
	struct view_decision decision;
	struct view_known known;
	struct view_rules rules;
	struct admin_monitor monitor;
	struct admin_product admin_product;
	struct admin_scope scope;
	struct admin_degraded degraded;
	struct admin_exception exception;
	struct admin_doctor doctor;
};

/* state_fd: of state_open(), borrowed. */
int peer_open(struct peer *ret_peer, int state_fd, enum peer_which which,
	      int timeout_ms) __attribute__((warn_unused_result));
void peer_closep(struct peer *peer);
#define cleanup_peer __attribute__((cleanup(peer_closep)))

/* Sends a request; `version` is set here. */
int peer_ask_view(struct peer *peer, struct view_request *request)
	__attribute__((warn_unused_result));
int peer_ask_admin(struct peer *peer, struct admin_request *request)
	__attribute__((warn_unused_result));

/*
 * 1 with a record, 0 at the end of a good answer. -EREMOTEIO: the peer ended
 * with the error in peer->remote. -ETIMEDOUT, -EPIPE (it went away in the
 * middle), -EBADMSG (no record of this version), -EINTR (Ctrl-C).
 */
int peer_next(struct peer *peer, union peer_record *ret_record)
	__attribute__((warn_unused_result));

/* Says on standard error what an error of these calls means and what to do. */
void peer_say(const struct peer *peer, int error);
/* The short form, for status: "does not answer (timed out)". */
const char *peer_reason(const struct peer *peer, int error);

/* ---- whole exchanges, with all that is to be said ---- */

/* Opens the state directory and asks. Negative after saying why. */
int peer_begin_view(const struct cli_args *args, struct view_request *request,
		    struct peer *ret_peer) __attribute__((warn_unused_result));
int peer_begin_admin(const struct cli_args *args,
		     struct admin_request *request, struct peer *ret_peer)
	__attribute__((warn_unused_result));
/* An admin request whose answer is only its end: an exit code. */
int peer_do(const struct cli_args *args, struct admin_request *request);
int peer_timeout_ms(const struct cli_args *args);
/* The exit code for an error of peer_next(): refusals are "no". */
int peer_exit(const struct peer *peer, int error);

#endif
