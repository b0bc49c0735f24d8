/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lib/tuf_sim.h - a repository of signed metadata in memory, and a client of it
 *
 * The repository's roles are JSON that a test changes as it likes, then
 * publishes: each role's version goes up by one, it is signed by its signers,
 * and listed in snapshot or timestamp. What was published is served under its
 * number, by a fetcher or by a small HTTP server (tuf_http.h). All that is asked
 * for is written down.
 *
 * A sim_client keeps a folder of its own below a temporary one. It opens a new
 * handle for each call, as a new process would, unless sim_one_handle is set.
 * Any failure of the simulator itself ends the test.
 */
#ifndef TESTS_TUF_SIM_H
#define TESTS_TUF_SIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "update/fetch.h"
#include "update/key.h"
#include "update/tuf.h"

#define SIM_ROLES 128
#define SIM_KEYS 12             /* pooled ed25519 keys */
#define SIM_NOW 1900000000ll    /* when it begins */
#define SIM_DAY 86400ll

struct sim_bytes {
	uint8_t *bytes;
	size_t length;
};

struct sim_role {
	char *name;
	json_t *body;                   /* "signed" */
	struct key *signers[16];        /* borrowed from the pool, or sim->own */
	size_t signer_count;
	struct sim_bytes *published;    /* [0] is version 1 */
	size_t count;
};

struct sim_file {                       /* a target, or what is served instead */
	char *name;
	struct sim_bytes data;
};

struct sim {
	struct sim_role roles[SIM_ROLES];
	size_t role_count;
	struct sim_file targets[64];
	size_t target_count;
	struct sim_file instead[16];    /* served whatever is published */
	size_t instead_count;
	struct key *own[32];            /* owned, not from the pool */
	size_t own_count, pool_next;
	int64_t now;
	bool hashes;                    /* list length and hash of metadata */
	bool sha512;                    /* in listings: sha512 */
	char log[8192];                 /* "2.root.json timestamp.json ..." */
	/* what the fetcher does wrong */
	const char *fail_name;          /* this name (null: none) fails so: */
	int fail;
	uint64_t cut;                   /* after so many bytes; 0: at once */
	bool no_range;                  /* answers a range with the whole */
};

struct sim *sim_new(void);
void sim_free(struct sim *s);

json_t *sim_body(struct sim *s, const char *role);      /* borrowed */
void sim_put(struct sim *s, const char *role, const char *key, json_t *value);
void sim_expires(struct sim *s, const char *role, int64_t seconds);
int64_t sim_version(struct sim *s, const char *role);
void sim_set_version(struct sim *s, const char *role, int64_t version);

/* Keys: the next one of the pool; a new one of another kind. */
struct key *sim_next_key(struct sim *s);
struct key *sim_pool(size_t i);
struct key *sim_new_key(struct sim *s, enum key_kind kind);
void sim_add_signer(struct sim *s, const char *role, struct key *key);
void sim_drop_signers(struct sim *s, const char *role);
/* In the delegator's keys, and among those of role. */
void sim_trust(struct sim *s, const char *delegator, const char *role,
	       struct key *key);
void sim_trust_none(struct sim *s, const char *delegator, const char *role);
void sim_threshold(struct sim *s, const char *delegator, const char *role,
		   int n);
json_t *sim_trusted(struct sim *s, const char *delegator, const char *role);
/* A new key for a role: trusted, and signing. */
void sim_add_key(struct sim *s, const char *delegator, const char *role);
/* Other keys, as many as before, in place of all. */
void sim_rotate(struct sim *s, const char *role);

/* paths: separated by blanks; null: none. The role is made if it is new, with a
 * key of its own. Returns the delegation. */
json_t *sim_delegate(struct sim *s, const char *delegator, const char *role,
		     const char *paths, bool terminating);
void sim_add_target(struct sim *s, const char *role, const char *path,
		    const char *text);

/* "targets snapshot timestamp": each signed anew, in this order. */
void sim_publish(struct sim *s, const char *roles);
/* Every role, so that what a test changed is out. */
void sim_publish_all(struct sim *s);
struct sim_bytes sim_last(struct sim *s, const char *role);
/* The last publication of role becomes this. */
void sim_replace_last(struct sim *s, const char *role, const void *bytes,
		      size_t length);
/* Under this name these bytes are served, whatever is published. */
void sim_serve(struct sim *s, const char *name, const void *bytes, size_t n);
/* What a request for "metadata/NAME" or "targets/NAME" (below a base) gets;
 * writes it down. False: there is no such file. */
bool sim_answer(struct sim *s, bool metadata, const char *name,
		struct sim_bytes *ret_bytes);

struct fetch *sim_fetch(struct sim *s, bool metadata);

extern bool sim_one_handle;

struct sim_client {
	struct sim *sim;
	char folder[64];                /* metadata and targets are below */
	char metadata[80], targets[80];
	struct tuf *tuf;
	char why[512];                  /* of the last call */
};

/* With the first published root. */
void sim_client_init(struct sim_client *c, struct sim *s);
void sim_client_fini(struct sim_client *c);
int sim_refresh(struct sim_client *c);
/* Refresh, find, and the file below targets/. */
int sim_download(struct sim_client *c, const char *path);
/* A handle that was refreshed, the caller's to use until the next call. */
struct tuf *sim_handle(struct sim_client *c);
/* The version that the folder has; 0: none. */
int64_t sim_trusts(struct sim_client *c, const char *role);
/* "root 1 snapshot 2": the folder, sorted. */
const char *sim_folder(struct sim_client *c);
void sim_stored_is(struct sim_client *c, const char *role,
		   struct sim_bytes bytes);
/* The downloaded text, or null. */
const char *sim_downloaded(struct sim_client *c, const char *name);
/* How many files, hidden ones too, are below targets/. */
unsigned sim_target_files(struct sim_client *c);
/* An empty log, and what was written into it until now. */
void sim_clear_log(struct sim *s);

/* Fails with the reason that the client gave. */
#define sim_expect(client, call, want) \
	do { \
		int sim_got = (call); \
		if (sim_got != (want)) { \
			fail_msg("%s: %d (%s), not %d", #call, sim_got, \
				 (client)->why, (want)); \
		} \
	} while (0)

#endif
