/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lib/agent_host.h - the real bailey-content on a folder of its own, with a
 * stand-in for the monitor and for the engine's view
 *
 * The stand-in starts preflights for real (lib/content_product.c); what runs
 * is only said: a standby becomes ready, a restart comes back with `current`.
 * Bundles are signed by a site's key, the policy is `channel = local`.
 * Everything fails by cmocka's assertions.
 */
#ifndef LIB_AGENT_HOST_H
#define LIB_AGENT_HOST_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "content/version.h"
#include "lib/site.h"
#include "proto/agent.h"
#include "proto/view.h"

#define HOST_TRIES 8

struct host_version {
	unsigned number;
	const char *rules;              /* of lib/content_product.c */
	unsigned fields, bake_s, min_events;
	struct site_case corpus[SITE_CASES];    /* name null: no more */
};

/* Null members: product "tester" of schema test/1 with 20 fields, and the
 * policy `channel = local` for all. */
struct host_options {
	const char *name, *schema, *fields, *policy;
	const void *root;               /* first trusted root metadata */
	size_t root_length;
	bool no_url;                    /* content comes by import only */
};

struct host {
	struct host_options options;
	const char *agent_program, *product_program;
	char dir[64];
	pid_t agent;
	int socket;                     /* the monitor's end */
	int view, view_client;
	uint32_t reload;                /* enum manifest_reload */
	struct key *key;

	/* what runs */
	bool serving, frozen;
	uint8_t runs[32], former[32];
	uint32_t runs_try;
	struct view_product counters;
	uint32_t deadline_ms;           /* longest that it has */
	bool observes;                  /* after an alarm */
	uint8_t denied[32];             /* what raised it */
	bool counting;                  /* a thousand answers a look */
	bool denying;                   /* with which all are denials */
	bool standby_fails;

	struct {
		uint32_t id;
		pid_t pid;
		uint8_t hash[32];
		uint32_t purpose;
	} try[HOST_TRIES];
	unsigned seen[128];             /* messages of the agent, by type */
	uint64_t kill_at;               /* records of the journal; 0 never */
	unsigned kills;
	int journal;                    /* inotify; -1 */
	char alarm[AGENT_TEXT];
};

void host_start(struct host *ret_host, const char *agent_program,
		const char *product_program, uint32_t reload);
void host_start_as(struct host *ret_host, const char *agent_program,
		   const char *product_program, uint32_t reload,
		   const struct host_options *options);
void host_stop(struct host *host);
/* The agent alone: again; by SIGKILL; in good order. */
void host_agent_start(struct host *host);
void host_agent_kill(struct host *host);
void host_agent_end(struct host *host);
/* Serves the agent once, waiting at most so long; for so long. */
void host_turn(struct host *host, int ms);
void host_serve(struct host *host, unsigned ms);

/* Makes a bundle below the host's folder; its path, and the version's hash. */
void host_bundle(struct host *host, const struct host_version *version,
		 char ret_path[128], uint8_t ret_hash[32]);
/* A file below dir; a folder below dir. */
void host_file(const char *dir, const char *name, const void *bytes,
	       size_t length);
void host_dir(const char *dir, const char *name);
/* The site's key, and its public part in etc/site-keys.d. */
void host_key(struct host *host);
/* Asks on content.sock while it serves; the records, one a line. fd: -1 none.
 * Returns the end's error. */
int host_ask(struct host *host, const char *request, int fd,
	     char *ret_records, size_t size);
int host_show(struct host *host, char *ret_records, size_t size);
/* Brings the version; the end's error. */
int host_submit(struct host *host, const struct host_version *version,
		uint8_t ret_hash[32]);
/* The same without waiting for what comes of it. */
void host_bring(struct host *host, const struct host_version *version,
		uint8_t ret_hash[32]);
/* Records in the journal now. */
uint64_t host_records(const struct host *host);
/* From now on the agent is killed, and started again, when the journal has
 * that many records. */
void host_kill_at(struct host *host, uint64_t records);
/* Serves until the version is in that state, at most 20 s. */
void host_await(struct host *host, const uint8_t hash[32], const char *state);
/* The version record of that hash, as text. */
void host_version(struct host *host, const uint8_t hash[32], char *ret_text,
		  size_t size);
bool host_is_current(const struct host *host, const uint8_t hash[32]);

/* What is asked denies too much: the product observes, until the agent says
 * that it is to be believed. */
void host_denies(struct host *host);
/* The instance that is asked dies over a file that holds text; where there is
 * a former one that is asked, else it comes back with `current`. */
void host_crash(struct host *host, const char *text);

#endif
