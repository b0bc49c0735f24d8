/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config/config.h - bailey.conf: the administrator's words about the broker
 *
 * One struct without pointers. Files are read one over the other (bailey.conf,
 * then drop-ins in the order of their names): a single value is replaced, a
 * list grows. Each value knows the file and line that set it, for
 * `bailey config show --effective --origin`.
 */
#ifndef CONFIG_CONFIG_H
#define CONFIG_CONFIG_H

#include "config/manifest.h"

#define CONFIG_LIST 32u         /* entries of one list */
#define CONFIG_FILES 32u        /* files that can be told apart */

enum config_overload { CONFIG_OVERLOAD_ALLOW, CONFIG_OVERLOAD_DENY };

/* Where a value comes from. line 0: nobody set it, it is the default. */
struct config_origin {
	uint16_t file;                  /* index in config.file[] */
	uint16_t line;
};

struct config_list {
	uint32_t count;
	char entry[CONFIG_LIST][MANIFEST_PATH];
	struct config_origin origin[CONFIG_LIST];
};

struct config {
	/* [broker] */
	uint32_t mode;                  /* enum bailey_mode: the highest that
					 * any product gets */
	uint32_t overload;              /* enum config_overload */
	uint32_t open_per_uid, open_total;
	struct config_list keep;        /* more files that nobody may deny */
	/* [scopes] */
	struct config_list tree;        /* directories */
	struct config_list filesystem;  /* "local", or a path on it */
	/* [products] */
	struct config_list enable;      /* names */

	struct config_origin mode_origin, overload_origin;
	struct config_origin open_per_uid_origin, open_total_origin;
	uint32_t files;
	char file[CONFIG_FILES][MANIFEST_PATH];
};

void config_defaults(struct config *ret_config);
/* Parses text over what *config holds; untouched on failure. file is kept as
 * the origin. 0, -EBADMSG, -E2BIG. */
int config_parse(const char *text, size_t length, const char *file,
		 struct config *config, struct manifest_error *ret_error)
	__attribute__((warn_unused_result));

/* One effective value. file: null for a default. Borrowed for the call. */
struct config_value {
	const char *section, *name, *value;
	const char *file;
	unsigned line;
};

/* Calls tell for every value, in the order of bailey.conf(5); a list once per
 * entry, an empty one not at all. */
void config_each(const struct config *config,
		 void (*tell)(void *context, const struct config_value *value),
		 void *context);

#endif
