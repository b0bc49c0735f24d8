/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/status.h - what the monitor and the engine say, as one picture
 *
 * Either may be silent; then its part is missing and a degradation says so.
 * Fixed room: what does not fit is counted, and is a degradation too.
 */
#ifndef CLI_STATUS_H
#define CLI_STATUS_H

#include <stdbool.h>
#include <stdint.h>

#include "cli/cli.h"
#include "cli/json.h"
#include "proto/view.h"

#define STATUS_OFF 2u           /* admin_monitor.forced */
#define STATUS_SCOPES 64u
#define STATUS_DEGRADED 64u

enum status_verdict {
	STATUS_PROTECTED,       /* all is as configured, and denies */
	STATUS_OBSERVING,       /* all is as configured, nothing is denied */
	STATUS_DEGRADED_NOW,
	STATUS_UNKNOWN
};

struct status_product {
	char name[VIEW_NAME];
	bool has_monitor, has_engine;
	struct admin_product monitor;
	struct view_product engine;
};

struct status {
	bool has_monitor, has_engine;
	struct admin_monitor monitor;
	struct view_engine engine;
	struct status_product product[VIEW_PRODUCTS];
	struct admin_scope scope[STATUS_SCOPES];
	struct admin_degraded degraded[STATUS_DEGRADED];
	uint32_t products, scopes, degradations;
	uint32_t lost;          /* records without room */
};

/* Asks both. Owned by the caller (free). Null after saying why: no usable
 * state directory, or no memory, or Ctrl-C. */
struct status *status_new(const struct cli_args *args);
enum status_verdict status_verdict(const struct status *status);
const char *status_verdict_name(enum status_verdict verdict);
int status_exit(enum status_verdict verdict);

uint32_t status_product_state(const struct status_product *product);
uint32_t status_product_mode(const struct status_product *product);
uint64_t status_kernel_denied(const struct status *status);

/* The JSON of `bailey status --json`, and its products[] alone. */
void status_json(const struct status *status, struct json_doc *doc);
void status_json_products(const struct status *status, struct json_doc *doc,
			  json_t *parent);
/* The text of `bailey status`, and its products alone. */
void status_print(const struct status *status);
void status_print_products(const struct status *status, const char *indent);

#endif
