/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/content_talk.h - one request to the content agent, and its records
 *
 * One connection a request, as in peer.h, but in JSON (proto/content.h). Each
 * datagram is read strictly; a member of a row that is not of its kind, a text
 * that is too long, an unknown type are errors, so that what prints rows needs
 * no checks. Members that the row lacks are null: an older agent.
 * The agent may stall, or send without end: a record is waited for with the
 * caller's time-out, none is kept here, and the caller bounds what it keeps.
 */
#ifndef CLI_CONTENT_TALK_H
#define CLI_CONTENT_TALK_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "base/result.h"
#include "cli/cli.h"
#include "proto/content.h"

struct content_call {
	int fd;                 /* owned */
	int timeout_ms;         /* for each record; PEER_FOREVER */
	int remote;             /* errno of the end */
	char text[CONTENT_TEXT_MOST + 1];       /* text of the end */
};

#define CONTENT_CALL_INIT { .fd = -1 }

/* A record; owns its tree. */
struct content_row {
	enum content_record type;
	json_t *tree;
};

struct content_member {
	const char *name;
	enum content_kind kind;
	const char *help;
};

/* Members of a type, in their order; name null ends. */
const struct content_member *content_members(enum content_record type);
/* "product", "version"... */
const char *content_type_name(enum content_record type);

/* Opens the state directory, connects and sends the request (borrowed) with
 * the descriptor, or -1. Negative after saying why. */
int content_begin(const struct cli_args *args, const json_t *request,
		  int passed, int timeout_ms, struct content_call *ret_call)
	must_use;
/* 1 with a record; 0 at the end of a good answer; -EREMOTEIO: ended with
 * call->remote and call->text; -ETIMEDOUT, -EPIPE, -EBADMSG, -EINTR. */
int content_next(struct content_call *call, struct content_row *ret_row)
	must_use;
/* Says what such an error means and what to do; returns the exit code. */
int content_say(const struct content_call *call, int error);

void content_call_fini(struct content_call *call);
void content_row_fini(struct content_row *row);
#define cleanup_call __attribute__((cleanup(content_call_fini)))
#define cleanup_row __attribute__((cleanup(content_row_fini)))

/* A member of a row that content_next() gave: null or false if it is null. */
const char *content_text(const struct content_row *row, const char *name);
bool content_number(const struct content_row *row, const char *name,
		    uint64_t *ret_number);
bool content_truth(const struct content_row *row, const char *name);

#endif
