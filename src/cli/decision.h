/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/decision.h - one decision of the engine: filtered, as JSON, as text
 */
#ifndef CLI_DECISION_H
#define CLI_DECISION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cli/cli.h"
#include "cli/json.h"
#include "cli/out.h"
#include "proto/view.h"

#define DECISION_TYPES 16u

/* What to show; zeroed: everything. Borrowed texts. */
struct decision_filter {
	uint64_t since_ns;
	const char *path;       /* exactly; with a / at the end: below it */
	const char *product;    /* that decided */
	bool has_uid;
	uint32_t uid;
	uint32_t kind[DECISION_TYPES];
	uint32_t kinds;
};

/* Reads --since, --path, --user, --mine, --type, --product where the command
 * has them. 0, or -EINVAL after saying why. */
int decision_filter_read(const struct cli_args *args,
			 struct decision_filter *ret_filter)
	__attribute__((warn_unused_result));
bool decision_matches(const struct decision_filter *filter,
		      const struct view_decision *decision);

/* Denied, or would be in enforce mode. */
bool decision_is_denial(const struct view_decision *decision);
bool decision_is_would(const struct view_decision *decision);

/* Adds the decision to an object or array (then key is null). */
void decision_json(const struct view_decision *decision, struct json_doc *doc,
		   json_t *parent, const char *key);
/* Puts its fields into an object that is there. */
void decision_json_fields(const struct view_decision *decision,
			  struct json_doc *doc, json_t *object);
/* One line for people, without its end and without colours. */
#define DECISION_TEXT 8192u
void decision_text(const struct view_decision *decision, char *ret_text,
		   size_t room);
/* "DENY", "would deny", "allow", with its colour. */
const char *decision_word(const struct view_decision *decision,
			  enum out_color *ret_color);
/* "product scan", "rule 3 of scan", "cache" into buffer of VIEW_REASON. */
const char *decision_by(const struct view_decision *decision, char *buffer);

#endif
