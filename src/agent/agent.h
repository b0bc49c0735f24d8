/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent/agent.h - bailey-content: which version of its content a product uses
 *
 * One process without privilege and without a network, one poll loop; beside
 * it one thread that only copies files (agent_fill.c). It looks at what the
 * updater or a person brought, verifies it again by its own trusted metadata,
 * keeps slots and journal (content/store.h), lets the pure decision decide
 * (content/decide.h), tries versions (preflight.h), watches trials
 * (content/health.h), and answers on content.sock. Processes are the
 * monitor's: asked for by proto/agent.h.
 *
 * What a version is, stands in the journal. What the agent is doing about it
 * right now is a step of the product; a step that a crash cut short begins
 * again from the journal and from what the monitor says that runs.
 *
 *   IDLE ──decide: preflight──► BASELINE ──► CANDIDATE ──► IDLE
 *    │                             (the version in use, then the new one)
 *    ├──decide: activate, parallel──► STANDBY ──ready: journal──► SWITCHING
 *    ├──decide: activate, restart or live: journal──► RELOADING     │
 *    │◄──────────────── it is asked, with that hash ◄───────────────┘
 *    ├──a fault on trial──► REPLAY_NEW ──► REPLAY_OLD ──► IDLE
 *    └──journal says another than runs──► RETURNING ──► IDLE
 *
 * Files: agent_main (start), agent_confine, agent_loop, agent_monitor
 * (messages), agent_open, agent_product (steps), agent_decide, agent_listed
 * (metadata), agent_site (a site's bundles), agent_staging (what the updater
 * says), agent_fill (slots), agent_try (preflights), agent_fault, agent_trial,
 * agent_view, agent_host (policy, clock, identity), agent_socket,
 * agent_request, agent_rows.
 *
 * Bounds: AGENT_PRODUCTS products, one step each; AGENT_LISTED versions that
 * metadata list and no slot has; AGENT_CLIENTS connections, further ones wait;
 * AGENT_FAULTS_WAITING faults that wait for their replay, further ones are
 * counted at once.
 */
#ifndef AGENT_AGENT_H
#define AGENT_AGENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/preflight_slot.h"
#include "base/mono.h"
#include "content/clock.h"
#include "content/decide.h"
#include "content/health.h"
#include "content/store.h"
#include "proto/agent.h"
#include "proto/view.h"

#define AGENT_LISTED 6u
#define AGENT_CLIENTS 16u
#define AGENT_FAULTS_WAITING 4u
#define AGENT_SEEN 16u
#define AGENT_LEASED 8u
#define AGENT_PUT_OFF 8u
#define AGENT_WHY 256u
#define AGENT_ROOT_MOST (512u << 10)

/* X(SYMBOL, "name") */
#define AGENT_STEP_TABLE(X)                                                   \
	X(IDLE, "idle")                                                       \
	X(BASELINE, "preflight of the version in use")                        \
	X(CANDIDATE, "preflight")                                             \
	X(STANDBY, "loading beside the version in use")                       \
	X(SWITCHING, "switching")                                             \
	X(RELOADING, "loading")                                               \
	X(RETURNING, "going back")                                            \
	X(REPLAY_NEW, "replay of a fault")                                    \
	X(REPLAY_OLD, "replay of a fault with the version before")

enum agent_step {
#define AGENT_ENUM(sym, name) AGENT_STEP_##sym,
	AGENT_STEP_TABLE(AGENT_ENUM)
#undef AGENT_ENUM
};

/* A version that verified metadata list, or a site signed, without a slot. */
struct agent_listed {
	uint8_t hash[VERSION_HASH];
	struct version *version;        /* own */
	char *description;              /* own */
	size_t length;
	int blobs;                      /* own: folder of its files */
	bool site;                      /* by a site's key */
};

/* A process that was asked for. id 0: none. */
struct agent_try {
	uint32_t id;
	uint32_t purpose;               /* enum agent_purpose */
	uint8_t hash[VERSION_HASH];
	bool started, stopping;
	int pidfd;                      /* own */
	mono_t limit;                   /* for the next word about it */
	struct preflight_run *run;      /* own; PREFLIGHT */
	struct preflight_slot loaded, asked;
	int directory[PREFLIGHT_DIRECTORIES];   /* own */
	struct preflight_case replay[AGENT_HELD];
	size_t replays;
};

/* What the product held when it failed. */
struct agent_fault_seen {
	bool used;
	bool ended;                     /* PRODUCT_ENDED came */
	bool told;                      /* LAST_QUESTIONS came */
	uint32_t fault;                 /* enum agent_fault */
	uint32_t try;
	uint8_t hash[VERSION_HASH];
	char text[AGENT_TEXT];
	mono_t at;
	size_t held;
	int fd[AGENT_HELD];             /* own */
	uint32_t kind[AGENT_HELD];
	uint8_t object[JOURNAL_OBJECT]; /* of the first; 0 none */
};

/* What must outlive the agent, in the journal by store_remember. */
struct agent_memory {
	uint32_t magic;
	uint32_t leases;                /* in use of leased */
	struct clock_floor floor;
	struct lease_prior prior;       /* the lease last accepted */
	struct clock_reading prior_at;
	int64_t prior_at_s;
	int64_t data_at_s;              /* data was activated; 0 never */
	struct {
		uint8_t hash[8];        /* first bytes */
		int64_t at_s;           /* first seen */
	} seen[AGENT_SEEN];
	/* First bytes of releases that once admitted this host, oldest first;
	 * when full, one without a slot falls out. */
	uint8_t leased[AGENT_LEASED][12];
};

static_assert(sizeof(struct agent_memory) <= STATE_MEMORY,
	      "what is remembered fits a record");

struct agent;

struct agent_product_state {
	bool present;                   /* the monitor told of it */
	struct agent *agent;
	uint32_t index;
	struct agent_product told;
	struct manifest manifest;       /* as far as a preflight needs it */
	int dir;                        /* content/P */
	int staging;                    /* staging/P; -1 not there yet */
	int watch;                      /* of inotify; -1 none */
	struct store *store;
	struct agent_memory memory;
	mono_t memory_kept;             /* by store_remember, as it is */
	char trouble[AGENT_WHY];        /* shown; "" none */

	/* what runs, as the monitor says */
	bool serving, wanted, frozen, runs_known;
	uint8_t runs[VERSION_HASH];     /* 0: unmanaged or nothing */
	uint8_t frozen_hash[VERSION_HASH];
	uint32_t runs_try;

	/* it denied too much on trial: the product observes until another
	 * version is asked */
	bool denied;
	uint8_t denied_hash[VERSION_HASH];

	/* what the running code stated, once it was tried */
	bool code_known;
	char code_schema[SLOT_SCHEMA];
	uint32_t code_fields;

	/* signed metadata */
	struct agent_listed listed[AGENT_LISTED];
	size_t listed_count;
	bool lease_given, refresh;
	uint8_t lease_digest[32];       /* of its bytes, as they were given */
	struct lease lease;
	struct clock_reading lease_at;
	int64_t lease_at_s;
	struct decide_limits limits;
	char limits_schema[DECIDE_SCHEMAS][VERSION_TEXT];
	uint32_t limits_schemas;
	struct {
		uint32_t count;
		uint8_t hash[64][VERSION_HASH];
	} revoked, lifted;
	int64_t checked_s, reached_s;
	int64_t site_until_s;           /* the site's lease stands until then */
	int look_error;                 /* of the last look; 0: good */
	char trouble_said[AGENT_WHY];   /* in the log already */
	bool told_ready;                /* the updater's word came */
	mono_t check_until;             /* who asked for a check waits */

	/* what is being done */
	enum agent_step step;
	uint8_t target[VERSION_HASH];   /* of the step */
	struct agent_try try;
	bool filling;                   /* a slot is to be filled, or is */
	struct preflight_outcome baseline, candidate;
	bool baseline_known;
	mono_t due;                     /* think again */
	mono_t limit;                   /* of the step; 0 none */
	struct {
		uint8_t hash[VERSION_HASH];
		mono_t until;
		uint32_t times;
	} put_off[AGENT_PUT_OFF];
	struct decision decision;
	uint8_t decided[VERSION_HASH];
	bool decided_known;
	char waits_for[AGENT_WHY];
	bool untidy;                    /* a trial ended: slots may go */
	bool alarm_known;               /* the monitor was told of it */
	const char *alarm;              /* borrowed, for ever */

	/* trial */
	bool trial;                     /* health counts for trial_hash */
	uint8_t trial_hash[VERSION_HASH];
	mono_t trial_since;
	struct health health;
	struct view_product counted;
	bool counted_known;
	mono_t counted_at;
	struct agent_fault_seen fault[AGENT_FAULTS_WAITING];
};

struct agent_client;

struct agent {
	int monitor, content, staging, policy, listen, view_path;
	int inotify;
	int staging_watch;              /* where products' folders come */
	int fill_ask, fill_done;
	bool begun, over;
	uint32_t next_try;
	struct agent_product_state product[AGENT_PRODUCTS];
	struct policy_set policies;
	char host[LEASE_HOST];
	size_t host_length;
	char stratum[LEASE_STRATUM];
	int view;                       /* connection; -1 */
	mono_t view_next, view_limit;
	struct agent_client *client[AGENT_CLIENTS];
};

/* ---- agent_monitor.c ---- */

/* Reads all that is there. -EPIPE: the monitor is gone. */
int agent_monitor_read(struct agent *agent) must_use;
void agent_tell(struct agent_product_state *p, enum agent_message_type type,
		const struct agent_message *with);
void agent_alarm(struct agent_product_state *p, const char *text);
/* Says or takes back that there is no good version to go back to. */
void agent_alarm_update(struct agent_product_state *p);

/* ---- agent_open.c ---- */

void agent_product_add(struct agent *agent, const struct agent_message *m);
void agent_product_close(struct agent_product_state *p);
/* If the updater has made it by now. */
void agent_open_staging(struct agent_product_state *p);
void agent_step(struct agent_product_state *p, enum agent_step step,
		uint32_t limit_s);
const char *agent_step_name(enum agent_step step);
/* Not before a while, longer each time. */
void agent_put_off(struct agent_product_state *p,
		   const uint8_t hash[VERSION_HASH]);
void agent_put_off_end(struct agent_product_state *p,
		       const uint8_t hash[VERSION_HASH]);
uint32_t agent_put_off_times(const struct agent_product_state *p,
			     const uint8_t hash[VERSION_HASH]);

/* ---- agent_product.c ---- */

/* Decides and does what can be done now. */
void agent_think(struct agent_product_state *p);
/* The step's limit, or `due`, is over. */
void agent_product_tick(struct agent_product_state *p);
/* What runs becomes what the journal says; true if something was begun. */
bool agent_align(struct agent_product_state *p);
/* Leaves the version in use; to null: where the store says. */
void agent_revert(struct agent_product_state *p, const uint8_t *to,
		  uint32_t by, const char *reason);
/* The store's result after a change: `current` may be another. */
void agent_changed(struct agent_product_state *p, int result);

void agent_on_ready(struct agent_product_state *p,
		    const struct agent_message *m);
void agent_on_switched(struct agent_product_state *p,
		       const struct agent_message *m);
void agent_on_switched_back(struct agent_product_state *p,
			    const struct agent_message *m);
void agent_on_content_done(struct agent_product_state *p,
			   const struct agent_message *m);
void agent_on_refused(struct agent_product_state *p,
		      const struct agent_message *m);
/* The step's standby or preflight ended without a result. */
void agent_on_try_over(struct agent_product_state *p, const char *why,
		       bool charged);

/* ---- agent_decide.c ---- */

struct agent_inputs {
	struct decide_inputs in;
	uint8_t hash[DECIDE_VERSIONS][VERSION_HASH];
	char name[DECIDE_VERSIONS][VERSION_TEXT];
};

void agent_inputs(struct agent_product_state *p,
		  struct agent_inputs *ret_inputs);
/* Whose word a decision is: enum state_by. */
uint32_t agent_by(uint32_t reason);
struct decision agent_decide(struct agent_product_state *p,
			     struct agent_inputs *ret_inputs);

/* ---- agent_listed.c, agent_site.c ---- */

/* Looks at a repository: metadata/ and targets/ below dir (borrowed). 0, or
 * an errno with p->trouble. */
int agent_refresh(struct agent_product_state *p, int dir) must_use;
/* A bundle by a site's key. ret_why: on failure. */
int agent_site_read(struct agent_product_state *p, int dir,
		    char ret_why[AGENT_WHY]) must_use;
/* Takes the description, parsed before; the caller's blobs folder is opened
 * again. 0, or an errno. */
int agent_listed_add(struct agent_product_state *p, char *description,
		     size_t length, int blobs, bool site,
		     char ret_why[AGENT_WHY]) must_use;
struct agent_listed *agent_listed_find(struct agent_product_state *p,
				       const uint8_t hash[VERSION_HASH]);
void agent_listed_clear(struct agent_product_state *p, bool site);
/* It is the newest one, of those bytes. 0, or an errno. */
int agent_lease_take(struct agent_product_state *p, const struct lease *lease,
		     const void *bytes, size_t length) must_use;
bool agent_is_revoked(const struct agent_product_state *p,
		      const uint8_t hash[VERSION_HASH]);
/* Below dir, without leaving it. */
int agent_open_below(int dir, const char *path, int flags) must_use;
/* A whole file; the caller's bytes, with a NUL behind. */
int agent_file_read(int dir, const char *path, size_t most, char **ret_bytes,
		    size_t *ret_length) must_use;

/* ---- agent_staging.c ---- */

void agent_staging_news(struct agent *agent);
/* Looks at what is there. */
void agent_staging_look(struct agent_product_state *p);
/* The client waits for the updater's word on this product. */
void agent_check_begin(struct agent_product_state *p,
		       struct agent_client *client);
/* Answers those who wait, if the word came or does not come. */
void agent_check_turn(struct agent_product_state *p);

/* ---- agent_fill.c ---- */

/* The copying thread. 0, or an errno. */
int agent_fill_open(struct agent *agent) must_use;
/* The version gets a slot. True: it did not begin, decide again; else
 * agent_fill_turn thinks of the product. */
bool agent_fill_begin(struct agent_product_state *p,
		      const uint8_t hash[VERSION_HASH]);
/* fill_done can be read. */
void agent_fill_turn(struct agent *agent);
/* The thread is at it: the stores stay open until the process ends. */
bool agent_fill_works(void);

/* ---- agent_try.c ---- */

/* asked: whose corpus; null: the faults' objects. 0, or an errno. */
int agent_try_preflight(struct agent_product_state *p,
			const uint8_t loaded[VERSION_HASH],
			const uint8_t *asked,
			const struct agent_fault_seen *fault) must_use;
void agent_try_parallel(struct agent_product_state *p,
			const uint8_t hash[VERSION_HASH]);
void agent_try_started(struct agent_product_state *p,
		       const struct agent_message *m, int *fds, size_t count);
void agent_try_ended(struct agent_product_state *p,
		     const struct agent_message *m);
/* The run can go on. */
void agent_try_turn(struct agent_product_state *p);
void agent_try_stop(struct agent_product_state *p);
void agent_try_drop(struct agent_product_state *p);
/* The run of the step has its outcome: agent_product.c and agent_fault.c. */
void agent_preflight_over(struct agent_product_state *p,
			  const struct preflight_outcome *outcome);
void agent_replay_over(struct agent_product_state *p,
		       const struct preflight_outcome *outcome);

/* ---- agent_fault.c ---- */

void agent_on_ended(struct agent_product_state *p,
		    const struct agent_message *m);
void agent_on_questions(struct agent_product_state *p,
			const struct agent_message *m, int *fds, size_t count);
void agent_on_alarm(struct agent_product_state *p,
		    const struct agent_message *m);
/* Other content is asked than what an alarm was about: its time is over. */
void agent_believe(struct agent_product_state *p);
/* What a former agent was told of and could not judge counts. */
void agent_faults_lost(struct agent_product_state *p);
/* Begins the replay of a fault that waits, or counts it. True: begun. */
bool agent_faults(struct agent_product_state *p);
void agent_fault_drop(struct agent_fault_seen *f);

/* ---- agent_trial.c, agent_view.c ---- */

void agent_trial_begin(struct agent_product_state *p);
bool agent_on_trial(const struct agent_product_state *p);
void agent_trial_counted(struct agent_product_state *p,
			 const struct view_product *now);
uint64_t agent_trial_s(const struct agent_product_state *p);
void agent_view_tick(struct agent *agent);
void agent_view_read(struct agent *agent);

/* ---- agent_host.c ---- */

void agent_host_read(struct agent *agent);
void agent_policies_read(struct agent *agent);
struct clock_reading agent_reading(void);
int64_t agent_now_s(const struct agent_product_state *p);
void agent_memory_load(struct agent_product_state *p);
void agent_memory_save(struct agent_product_state *p);
/* Now and then: the clock's floor, and when a lease was last accepted. */
void agent_memory_keep(struct agent_product_state *p);
/* An accepted lease admitted this host to it: remembered for as many as are
 * kept. */
void agent_leased_add(struct agent_product_state *p,
		      const uint8_t hash[VERSION_HASH]);
bool agent_is_leased(const struct agent_product_state *p,
		     const uint8_t hash[VERSION_HASH]);
/* Since when this host knows of it; it is remembered. */
int64_t agent_seen_s(struct agent_product_state *p,
		     const uint8_t hash[VERSION_HASH]);

/* ---- agent_socket.c ---- */

void agent_accept(struct agent *agent);
void agent_client_turn(struct agent *agent, struct agent_client *client);
int agent_client_fd(const struct agent_client *client, short *ret_events);
void agent_clients_close(struct agent *agent);
/* A step for those who wait for this version (check, submit). last: it is
 * over, with that error. */
void agent_progress(struct agent_product_state *p,
		    const uint8_t hash[VERSION_HASH], const char *step,
		    const char *reason, bool last, int error);

/* ---- agent_loop.c, agent_confine.c ---- */

void agent_loop(struct agent *agent);
void agent_confine(void);

static inline bool agent_hash_none(const uint8_t hash[VERSION_HASH])
{
	uint8_t all = 0;

	for (size_t i = 0; i < VERSION_HASH; i++) {
		all |= hash[i];
	}
	return all == 0;
}

static inline bool agent_hash_same(const uint8_t a[VERSION_HASH],
				   const uint8_t b[VERSION_HASH])
{
	return __builtin_memcmp(a, b, VERSION_HASH) == 0;
}

/* "no version" or the first digits of its hash, for log lines. */
struct agent_short {
	char text[16];
};
struct agent_short agent_short(const uint8_t hash[VERSION_HASH]);

#endif
