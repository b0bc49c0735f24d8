/* SPDX-License-Identifier: Apache-2.0 */
/*
 * broker/mon.h - the monitor: the privileged process
 *
 * It opens the kernel's interfaces, places marks, has the helper start the
 * engine and the products, watches them, and owns the admin socket. It parses
 * nothing that a product or a network supplied. Once a mark stands it opens
 * and executes nothing (mon_confine.c): it would wait for itself.
 *
 * One thread, one loop (mon_main.c); every conversation is asynchronous. No
 * allocation after start.
 */
#ifndef BROKER_MON_H
#define BROKER_MON_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/mono.h"
#include "base/pass.h"
#include "base/result.h"
#include "broker/handoff.h"
#include "broker/helper.h"
#include "broker/process_record.h"
#include "broker/source_process.h"
#include "proto/view.h"

#define MON_SCOPES 64u          /* asked for, or found by `local` */
#define MON_DOCTOR 128u         /* rows of what could not be applied */
#define MON_COMPLAINTS 32u      /* malformed files: the first ones are kept */
#define MON_CLIENTS 8u          /* of the admin socket: then refused */
#define MON_EARLY 16u           /* ends of children before we knew them */
#define MON_TICK_MS 250
#define MON_ENGINE_UID 61000u   /* systemd leaves 60578-61183 unused */
#define MON_CONTENT_UID 61001u  /* the content agent, and its group */
#define MON_UPDATE_UID 61002u   /* the updater */
#define MON_PRODUCT_UID 61010u  /* plus the product's index */
#define MON_PREFLIGHT_UID (MON_PRODUCT_UID + 32u)       /* the same */

struct mon_options {
	const char *state, *etc;
	const char *scope[MON_SCOPES];  /* tree or filesystem, as given */
	bool is_tree[MON_SCOPES];
	uint32_t scopes;
	char products[HELPER_TEXT];     /* one a line: names and paths */
	bool enforce;
};

struct mon_scope {
	uint64_t superblock;    /* st_dev when first marked; 0: not yet */
	struct admin_scope view;
	bool bound;             /* we bind-mounted it onto itself */
	bool own;               /* asked for; not found by `local` */
	char device[16];        /* major:minor, of those found by `local` */
};

/* One process of a product. */
struct mon_instance {
	bool starting;          /* the helper works on it */
	bool ready, frozen;
	bool asked_once;        /* it was no mere standby */
	bool unwanted;          /* to be ended once it has started */
	pid_t pid;              /* 0: not running */
	uint32_t instance;      /* which start: a late fault is another's */
	uint32_t place;         /* of its session in the engine */
	uint32_t try;           /* 0: started by ourselves */
	uint32_t fault;         /* enum agent_fault, if we know it */
	mono_t started;
	int statm, freeze;      /* owned; -1 */
	struct handoff_expect expect;
	char why[VIEW_REASON];  /* we killed it */
};

struct mon_product {
	bool used, enabled;
	bool wanted;            /* restart it when it ends */
	struct manifest manifest;
	struct mon_instance asked;
	struct mon_instance beside;     /* standby, or kept */
	bool kept;              /* beside is the former one: a trial */
	uint32_t place;         /* in the engine, of the one that is asked */
	uint32_t second;        /* place for a second process, plus 1 */
	uint32_t instances;     /* counts starts */
	uint32_t restarts, quick_deaths;
	mono_t started;
	mono_t next_start;      /* {0}: none planned */
	mono_t stop_at;         /* told to stop: killed then; {0}: no */
	mono_t switched;        /* when a switch was asked for; {0}: none is */
	mono_t failed;          /* when the one on trial was seen to fail */
	bool live;              /* other content is on its way to it */
	struct handoff_expect live_expect;
	struct {                /* of the last one that ended */
		uint32_t try;
		uint8_t hash[AGENT_HASH];
	} ended;
	char last_exit[VIEW_REASON];
	char content_alarm[VIEW_REASON];        /* the agent's words */
	uint64_t content_alarm_wall;
	uint64_t alarm_wall;    /* it denied too much and observes; 0: no */
	uint8_t alarm_hash[AGENT_HASH];         /* its content then */
};

/* A preflight: a process whose session is the agent's. */
struct mon_try {
	uint32_t id;            /* 0: free */
	uint32_t index;         /* product */
	bool starting, unwanted;
	pid_t pid;
};

struct mon_agent {
	bool managed;           /* a product has managed content */
	bool starting;
	int socket;             /* -1 */
	int program, content, staging, policy, listen, view;
	pid_t pid;
	mono_t started, next_start;
	uint32_t quick_deaths, restarts;
	char why[VIEW_REASON];  /* it is not there */
	uint64_t since_wall;
};

struct mon_client {
	int fd;                 /* -1: free */
	uint32_t uid;
	uint32_t job;           /* enum helper_job it waits for; 0: none */
};

struct mon {
	struct mon_options options;
	struct handoff_table *table;
	int group, table_fd, mountinfo, proc, null, view_listen, admin_listen;
	int record_fd, engine_memfd, keep_fd, rules_fd, processes_fd;
	uint64_t keep_count, processes_count;
	uint64_t rules_until;   /* wall ns: an exception ends; 0: none does */
	int helper, control, signals, notify;
	pid_t helper_pid, keeper_pid;
	bool engine_ready, loading, stopping, marked, local;
	bool engine_dead;       /* its control socket has closed */
	bool keeper_stopped;    /* by a signal */
	bool engine_first;      /* it goes before other tasks */
	uint32_t keeper_restarts, quick_keepers;
	mono_t keeper_started, next_keeper, engine_lost;
	uint64_t since_wall, unprotected_ns, kernel_denied;
	mono_t off_until;       /* {0}: no end */
	struct process_source processes;
	struct mon_product product[HANDOFF_PRODUCTS];
	uint64_t page_bytes;
	struct mon_agent agent;
	struct mon_try try[AGENT_TRIES];
	struct mon_scope scope[MON_SCOPES];
	uint32_t scopes;
	uint64_t unmarked;
	bool overlays;          /* are marked themselves */
	struct mon_client client[MON_CLIENTS];
	struct { pid_t pid; int status; mono_t when; } early[MON_EARLY];
	uint32_t early_next;
	char complaint[MON_COMPLAINTS][VIEW_REASON];
	uint32_t complaints;
	struct admin_doctor doctor[MON_DOCTOR];
	uint32_t doctors;
	struct mon_alive *alive;        /* in the state directory */
	bool alive_counted;             /* mon_alive_again was here */
	/* tick */
	mono_t tick;
	mono_t watchdog;        /* the last word to the service manager */
	uint64_t tick_progress, tick_cpu;
	uint32_t tick_stalled;
};

/* Survives the monitor, so that the next one knows how long nobody was there.
 * Times are CLOCK_BOOTTIME: another boot starts at zero. */
struct mon_alive {
	uint64_t running;               /* 1: not stopped cleanly */
	uint64_t last_ns;
	uint64_t unprotected_ns;
	char boot_id[40];
};

/* mon_options.c */
void mon_options_parse(int argc, char **argv, struct mon_options *ret_options);
/* mon_config.c: bailey.conf; the command line stands above it. */
void mon_config(struct mon *m);
bool mon_is_system(const struct mon *m);
bool mon_config_enables(const char *product);
uint32_t mon_config_mode(void);
void mon_complain(struct mon *m, const char *text);
/* mon_setup.c: everything that must be opened before a mark stands. Ends the
 * process with a reason if something indispensable is missing. */
void mon_setup(struct mon *m);
int mon_setup_listen(const struct mon *m, const char *name, mode_t mode);
void mon_sockets_remove(const struct mon *m);
void mon_doctor_add(struct mon *m, bool ok, const char *product,
		    const char *what, const char *why, const char *cost);
/* The marks stand: ends the time without protection that a killed monitor
 * left behind. */
void mon_alive_again(struct mon *m);
void mon_alive_touch(struct mon *m);
void mon_alive_clean(struct mon *m);
/* mon_scope.c */
void mon_scopes_bind(struct mon *m);    /* before any mark stands */
void mon_scopes_mark(struct mon *m);
void mon_scopes_unmark(struct mon *m);  /* marks only: the off-switch */
void mon_scopes_undo(struct mon *m);    /* binds too: the end */
void mon_scopes_again(struct mon *m);   /* the mount table changed */
/* mon_overlay.c: may overlays be marked on this kernel? Tries it. */
bool mon_overlay_markable(const struct mon *m);
/* mon_confine.c */
void mon_confine(void);
/* mon_engine.c */
void mon_keeper_start(struct mon *m);
void mon_keeper_started(struct mon *m, const struct helper_reply *r, int *fds,
			size_t count);
void mon_control_read(struct mon *m);
void mon_engine_tell(struct mon *m, const struct handoff_message *message,
		     const int *fds, size_t count);
void mon_engine_rules(struct mon *m);
void mon_engine_knows(struct mon *m);   /* rules, keep list, processes */
void mon_engine_lost(struct mon *m);    /* answer in its place; start anew */
/* mon_product.c */
void mon_product_manifest(struct mon *m, const struct manifest *manifest);
void mon_product_start(struct mon *m, uint32_t index);
void mon_product_started(struct mon *m, const struct helper_reply *r, int *fds,
			 size_t count);
void mon_product_ended(struct mon *m, uint32_t index, int status);
void mon_product_plan(struct mon_product *p);   /* its next start */
void mon_products_kill(struct mon *m);
void mon_products_due(struct mon *m);
/* As a person chose, or by an alarm, or after one that is over. */
void mon_product_mode(struct mon *m, uint32_t index, uint32_t mode);
bool mon_products_busy(const struct mon *m);    /* no further start now */
bool mon_product_managed(const struct mon_product *p);
/* mon_instance.c: processes of products, whichever it is */
void mon_instance_init(struct mon_instance *instance);
/* A product's process by its place in the engine, or by its pid; null. */
struct mon_instance *mon_instance_at(struct mon *m, uint32_t place,
				     uint32_t *ret_index);
struct mon_instance *mon_instance_pid(struct mon *m, pid_t pid,
				      uint32_t *ret_index);
/* It runs: takes what the helper handed over, tells the engine. */
void mon_instance_started(struct mon *m, uint32_t index,
			  struct mon_instance *instance,
			  const struct helper_reply *r, int *fds,
			  size_t count);
/* It is dead: tells the engine and the agent; forgets it. */
void mon_instance_ended(struct mon *m, uint32_t index,
			struct mon_instance *instance, int status,
			char ret_text[VIEW_REASON]);
void mon_instance_kill(struct mon_instance *instance, uint32_t fault,
		       const char *why);
void mon_instance_freeze(struct mon_instance *instance);
void mon_instance_thaw(struct mon_instance *instance);
void mon_instance_measure(struct mon *m, uint32_t index);
/* mon_trial.c: the second process of a product */
bool mon_place_taken(const struct mon *m, uint32_t place);
int mon_trial_start(struct mon *m, const struct agent_message *request);
int mon_trial_switch(struct mon *m, const struct agent_message *request);
int mon_trial_back(struct mon *m, const struct agent_message *request);
int mon_trial_end(struct mon *m, const struct agent_message *request);
void mon_trial_started(struct mon *m, const struct helper_reply *r, int *fds,
		       size_t count);
void mon_trial_ready(struct mon *m, uint32_t index);
void mon_trial_ended(struct mon *m, uint32_t index, int status);
/* The process that is asked is gone or to go: the reflex. */
void mon_trial_failed(struct mon *m, uint32_t index);
void mon_trial_switched(struct mon *m, const struct handoff_message *message);
void mon_trial_idle(struct mon *m, const struct handoff_message *message);
void mon_trial_stop(struct mon *m, uint32_t index);
void mon_trial_due(struct mon *m, uint32_t index);
bool mon_trials_switching(const struct mon *m); /* one is under way */
void mon_trials_reset(struct mon *m);   /* the engine is another one */
void mon_trials_abandon(struct mon *m); /* the agent is gone */
/* mon_preflight.c */
int mon_preflight_start(struct mon *m, const struct agent_message *request);
int mon_preflight_stop(struct mon *m, uint32_t id);
void mon_preflight_started(struct mon *m, const struct helper_reply *r,
			   int *fds, size_t count);
bool mon_preflight_ended(struct mon *m, pid_t pid, int status);
bool mon_preflight_is(const struct mon *m, pid_t pid);
void mon_preflights_end(struct mon *m);
/* mon_agent.c: the content agent and what it asks */
void mon_agent_open(struct mon *m);     /* before a mark stands */
void mon_agent_due(struct mon *m);
void mon_agent_started(struct mon *m, const struct helper_reply *r);
void mon_agent_ended(struct mon *m, int status);
void mon_agent_read(struct mon *m);
void mon_agent_tell(struct mon *m, const struct agent_message *message,
		    const int *fds, size_t count);
void mon_agent_product(struct mon *m, uint32_t index);
void mon_agent_ready(struct mon *m, uint32_t index);
/* It denied too much and observes, if that stands. */
void mon_agent_alarm(struct mon *m, uint32_t index);
void mon_agent_content(struct mon *m, const struct helper_reply *r,
		       const int *fds, size_t count);
void mon_agent_content_done(struct mon *m,
			    const struct handoff_message *message);
void mon_agent_last(struct mon *m, const struct handoff_message *message,
		    const int *fds, size_t count);
void mon_agent_remove(const struct mon *m);
/* mon_main.c */
void mon_child_early(struct mon *m);
/* mon_helper.c */
int mon_helper_ask(struct mon *m, const struct helper_request *request,
		   const int *fds, size_t count) must_use;
void mon_helper_read(struct mon *m);
/* Rules and exceptions are read again; the engine gets them when they come. */
void mon_helper_rules(struct mon *m);
/* mon_admin.c */
void mon_admin_accept(struct mon *m);
void mon_admin_read(struct mon *m, struct mon_client *client);
void mon_admin_helper(struct mon *m, const struct helper_reply *reply);
/* mon_tick.c */
void mon_tick(struct mon *m);
/* mon_notify.c */
void mon_notify_open(struct mon *m);
void mon_notify(const struct mon *m, const char *text);

#endif
