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
#define MON_PRODUCT_UID 61010u  /* plus the product's index */

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

struct mon_product {
	bool used, enabled;
	bool starting;          /* the helper works on it */
	bool wanted;            /* restart it when it ends */
	struct manifest manifest;
	pid_t pid;              /* 0: not running */
	uint32_t instance;      /* counts starts: a late fault is another's */
	uint32_t restarts, quick_deaths;
	mono_t started;
	mono_t next_start;      /* {0}: none planned */
	mono_t stop_at;         /* told to stop: killed then; {0}: no */
	char last_exit[VIEW_REASON];
	char why[VIEW_REASON];  /* we killed it */
	uint64_t alarm_wall;    /* it denied too much and observes; 0: no */
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
	uint32_t keeper_restarts, quick_keepers;
	mono_t keeper_started, next_keeper, engine_lost;
	uint64_t since_wall, unprotected_ns, kernel_denied;
	mono_t off_until;       /* {0}: no end */
	struct process_source processes;
	struct mon_product product[HANDOFF_PRODUCTS];
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
void mon_product_kill(struct mon *m, uint32_t index, const char *why);
void mon_products_kill(struct mon *m);
void mon_products_due(struct mon *m);
bool mon_products_busy(const struct mon *m);    /* no further start now */
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
