/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/content_show.h - the agent's records, for people and for scripts
 *
 * A view takes records as they come. Lists are kept until the end, at most
 * CONTENT_ROWS of them: more are counted and said. Reasons and progress are
 * printed as they come. With --json: one document {"products":[...],
 * "versions":[...], "reasons":[...]}, of which those stand there that the verb
 * lists, and in it every member of proto/content.h; progress is one document a
 * line, with the end as the last one.
 */
#ifndef CLI_CONTENT_SHOW_H
#define CLI_CONTENT_SHOW_H

#include "cli/content_talk.h"
#include "cli/json.h"
#include "cli/out.h"

#define CONTENT_ROWS 10000u

struct content_view {
	bool json, details;             /* details: products in full */
	struct json_doc doc;
	json_t *list[CONTENT_RECORDS];  /* of the document; null: not listed */
	struct out_table *products, *versions;
	uint64_t shown, beyond;
	bool step_open;                 /* a line of progress has no end yet */
	char step[160];                 /* what it said last */
};

/* types: bit per enum content_record that the verb lists. */
int content_view_init(struct content_view *ret_view, bool json, bool details,
		      unsigned types) must_use;
void content_view_fini(struct content_view *view);
#define cleanup_view __attribute__((cleanup(content_view_fini)))

/* 0, or a negative errno: it cannot be kept or printed. */
int content_view_take(struct content_view *view, const struct content_row *row)
	must_use;
/* Prints what was kept; 0 or negative. */
int content_view_end(struct content_view *view) must_use;
/* Ends a line of progress; with --json prints the end as a line. */
void content_view_ended(struct content_view *view, int error,
			const char *text);

#endif
