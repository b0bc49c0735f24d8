/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent/agent_socket.h - one connection of content.sock
 *
 * Nobody is waited for: what does not go out at once is kept, at most
 * CLIENT_OUT bytes, and who does not read is closed; so is who does not ask
 * within CLIENT_ASK_S. Further connections than AGENT_CLIENTS wait in the
 * listening socket.
 */
#ifndef AGENT_AGENT_SOCKET_H
#define AGENT_AGENT_SOCKET_H

#include <jansson.h>

#include "agent/agent.h"
#include "proto/content.h"

#define CLIENT_OUT (1u << 20)
#define CLIENT_ASK_S 10u
#define CLIENT_WAIT_S 3600u             /* submit: until the result */

struct client_datagram {
	struct client_datagram *next;
	size_t length;
	char bytes[];
};

struct agent_client {
	int fd;
	bool root;
	bool asked, ended, broken;
	mono_t limit;
	struct client_datagram *first, **last;
	size_t out;                     /* bytes that are kept */
	uint32_t checks;                /* bit per product: it waits for the
					 * updater's word */
	int check_error;
	/* submit */
	struct agent_product_state *waits;      /* null: for nothing */
	uint8_t hash[VERSION_HASH];     /* 0: of any version */
};

/* Takes the object. */
void client_say(struct agent_client *client, json_t *object);
/* The last datagram: error 0 or a positive errno. */
__attribute__((format(printf, 3, 4)))
void client_end(struct agent_client *client, int error, const char *format,
		...);

/* agent_request.c: text has a NUL behind length bytes; fd: -1, or owned by the
 * caller. */
void client_request(struct agent *agent, struct agent_client *client,
		    const char *text, size_t length, int fd);

/* agent_rows.c */
json_t *row_product(struct agent_product_state *p);
json_t *row_progress(const struct agent_product_state *p, const uint8_t *hash,
		     const char *step, const char *reason);
/* Version records of the product. */
void rows_versions(struct agent_client *client, struct agent_product_state *p);
/* Reason records; version: null for all. */
void rows_why(struct agent_client *client, struct agent_product_state *p,
	      const uint8_t *version);
/* The version that a person means: 0; 1: none. */
int version_meant(struct agent_product_state *p, const char *text,
		  uint8_t ret_hash[VERSION_HASH]);

#endif
