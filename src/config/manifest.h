/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config/manifest.h - a product's manifest, and the administrator's drop-ins
 *
 * One struct without pointers: the helper parses the file and passes the
 * struct through a pipe to the monitor, which passes it to the engine. Every
 * key stands once, in MANIFEST_TABLE (manifest.c); unknown keys and sections
 * and bad units are refused with file, line and reason.
 */
#ifndef CONFIG_MANIFEST_H
#define CONFIG_MANIFEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <bailey/event.h>

#define MANIFEST_NAME 32
#define MANIFEST_PATH 256
#define MANIFEST_EVENTS 8
#define MANIFEST_DENY_PREFIXES 8

enum manifest_answer {                  /* on_miss, while_loading, on_poison */
	MANIFEST_RULES = 0,             /* what rules say; no match: allow */
	MANIFEST_ALLOW = 1,
	MANIFEST_DENY = 2
};

enum manifest_profile {                 /* system-call sets */
	MANIFEST_PROFILE_C = 0, MANIFEST_PROFILE_GO, MANIFEST_PROFILE_RUST,
	MANIFEST_PROFILE_PYTHON, MANIFEST_PROFILE_JVM
};

enum manifest_reload {
	MANIFEST_RELOAD_PARALLEL = 0, MANIFEST_RELOAD_LIVE,
	MANIFEST_RELOAD_RESTART
};

struct manifest_event {
	uint32_t kind;                  /* enum bailey_event_kind, 0 ends */
	uint32_t optional;              /* from "ask?" */
	uint32_t deadline_ms;           /* default of that type if not given */
};

struct manifest {
	/* [product] */
	char name[MANIFEST_NAME];       /* a-z 0-9 - _ */
	char title[64];
	char vendor[64];
	char exec[MANIFEST_PATH];       /* absolute */
	char argument[4][64];           /* "args = a b c": test products */
	/* [events] */
	struct manifest_event ask[MANIFEST_EVENTS];
	struct manifest_event notify[MANIFEST_EVENTS];
	/* [policy] */
	uint32_t mode;                  /* enum bailey_mode */
	uint32_t deadline_max_ms;
	/* enum manifest_answer */
	uint32_t on_miss, while_loading, on_poison;
	uint32_t start_s;
	uint32_t may_deny_asked;        /* 1: only objects it was asked about */
	char may_deny[MANIFEST_DENY_PREFIXES][MANIFEST_PATH];
	uint32_t max_denials, max_denials_window_s;
	uint32_t rules_ttl_s;
	uint32_t hold;                  /* events it may hold, <= WIRE_SLOTS */
	/* [see] */
	uint32_t see_files, see_arguments, see_environment;
	/* [jail] */
	uint32_t profile;               /* enum manifest_profile */
	uint64_t memory_bytes;
	uint32_t tasks, files, cpu_percent;
	/* [storage] */
	uint64_t state_bytes;           /* 0: no state directory */
	/* [content] */
	char content[MANIFEST_PATH];    /* "path = DIR": folder handed over
					 * read-only; "" none */
	char url[MANIFEST_PATH];        /* of a repository of content versions;
					 * "": none. http, https, file */
	char root[MANIFEST_PATH];       /* its first root.json, absolute */
	uint32_t reload;                /* enum manifest_reload */
	/* not from the text: its path was given on the command line */
	uint32_t from_command_line;
};

#define MANIFEST_ERROR_TEXT 256

/* "file:line: reason" */
struct manifest_error {
	char text[MANIFEST_ERROR_TEXT];
};

void manifest_defaults(struct manifest *ret_manifest);
/* Parses INI text over what *manifest already holds (call with defaults first,
 * then the drop-in). file is used in errors only. 0, -EBADMSG, -E2BIG. */
int manifest_parse(const char *text, size_t length, const char *file,
		   struct manifest *manifest, struct manifest_error *ret_error)
	__attribute__((warn_unused_result));
/* Whole and consistent (name, exec and at least one event are there). */
int manifest_check(const struct manifest *manifest, const char *file,
		   struct manifest_error *ret_error)
	__attribute__((warn_unused_result));

#endif
