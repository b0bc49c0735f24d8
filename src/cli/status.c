/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/status.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mono.h"
#include "base/result.h"
#include "cli/names.h"
#include "cli/peer.h"
#include "cli/state.h"

static struct status_product *status_product(struct status *status,
					     const char *name)
{
	uint32_t i;

	for (i = 0; i < status->products; i++) {
		if (strcmp(status->product[i].name, name) == 0) {
			return &status->product[i];
		}
	}
	if (status->products == VIEW_PRODUCTS) {
		status->lost++;
		return NULL;
	}
	memcpy(status->product[status->products].name, name, VIEW_NAME);
	return &status->product[status->products++];
}

__attribute__((format(printf, 4, 5)))
static void status_degrade(struct status *status, const char *what,
			   uint64_t since_ns, const char *format, ...)
{
	struct admin_degraded *row;
	va_list list;
	uint32_t i;

	for (i = 0; i < status->degradations; i++) {
		if (strcmp(status->degraded[i].what, what) == 0) {
			return;         /* the monitor said so itself */
		}
	}
	if (status->degradations == STATUS_DEGRADED) {
		status->lost++;
		return;
	}
	row = &status->degraded[status->degradations++];
	row->since_ns = since_ns;
	snprintf(row->what, sizeof(row->what), "%s", what);
	va_start(list, format);
	vsnprintf(row->why, sizeof(row->why), format, list);
	va_end(list);
}

static void status_take(struct status *status, const union peer_record *record)
{
	struct status_product *product;

	switch (record->head.type) {
	case VIEW_ENGINE:
		status->engine = record->engine;
		status->has_engine = true;
		break;
	case ADMIN_MONITOR:
		status->monitor = record->monitor;
		status->has_monitor = true;
		break;
	case VIEW_PRODUCT:
		product = status_product(status, record->product.name);
		if (product) {
			product->engine = record->product;
			product->has_engine = true;
		}
		break;
	case ADMIN_PRODUCT:
		product = status_product(status, record->admin_product.name);
		if (product) {
			product->monitor = record->admin_product;
			product->has_monitor = true;
		}
		break;
	case ADMIN_SCOPE:
		if (status->scopes < STATUS_SCOPES) {
			status->scope[status->scopes++] = record->scope;
		} else {
			status->lost++;
		}
		break;
	case ADMIN_DEGRADED:
		if (status->degradations < STATUS_DEGRADED) {
			status->degraded[status->degradations++] =
				record->degraded;
		} else {
			status->lost++;
		}
		break;
	default:
		break;
	}
}

/* A broken answer counts as none, and is a degradation. -EINTR is passed on. */
static int status_ask(struct status *status, int state, enum peer_which which,
		      int timeout_ms)
{
	struct view_request view = { .type = VIEW_STATUS };
	struct admin_request admin = { .type = ADMIN_STATUS };
	cleanup_peer struct peer peer = PEER_INIT;
	union peer_record record;
	uint32_t most = 4096;
	bool *has = which == PEER_ENGINE ? &status->has_engine :
					   &status->has_monitor;
	int r = peer_open(&peer, state, which, timeout_ms);

	if (r == 0) {
		r = which == PEER_ENGINE ? peer_ask_view(&peer, &view) :
					   peer_ask_admin(&peer, &admin);
	}
	while (r == 0) {
		r = peer_next(&peer, &record);
		if (r <= 0) {
			break;
		}
		status_take(status, &record);
		r = --most == 0 ? -EBADMSG : 0;
	}
	if (r == -EINTR) {
		return r;
	}
	if (r == 0 && !*has) {
		r = -EBADMSG;           /* an end without its main record */
	}
	if (r < 0) {
		*has = false;
		status_degrade(status, which == PEER_ENGINE ? "engine" :
			       "monitor", wall_now_ns(), "%s",
			       peer_reason(&peer, r));
	}
	return 0;
}

uint32_t status_product_state(const struct status_product *product)
{
	if (product->has_engine) {
		return product->engine.state;
	}
	if (product->has_monitor && product->monitor.pid > 0) {
		return VIEW_STATE_LOADING;
	}
	if (product->has_monitor && product->monitor.next_start_ns) {
		return VIEW_STATE_RESTARTING;
	}
	return VIEW_STATE_STOPPED;
}

uint32_t status_product_mode(const struct status_product *product)
{
	return product->has_engine ? product->engine.mode :
				     product->monitor.mode;
}

uint64_t status_kernel_denied(const struct status *status)
{
	return (status->has_engine ? status->engine.kernel_denied : 0) +
	       (status->has_monitor ? status->monitor.kernel_denied : 0);
}

static void status_judge_product(struct status *status,
				 const struct status_product *product)
{
	uint32_t state = status_product_state(product);
	const char *why = product->engine.last_fault;
	char what[64];

	if (state == VIEW_STATE_SERVING ||
	    (product->has_monitor && !product->monitor.enabled)) {
		return;
	}
	if (!*why && product->has_monitor) {
		why = product->monitor.last_exit;
	}
	snprintf(what, sizeof(what), "product %s", product->name);
	status_degrade(status, what, product->has_engine ?
		       product->engine.since_ns : status->monitor.since_ns,
		       "%s%s%.100s", names_state(state), *why ? ": " : "", why);
}

/* What follows from the records, where the monitor did not say it. */
static void status_judge(struct status *status)
{
	bool off = status->monitor.forced == STATUS_OFF;
	uint32_t i;

	if (status->has_monitor && status->monitor.forced) {
		status_degrade(status, off ? "off" : "observe", 0, off ?
			       "switched off by `bailey off` or the kernel's "
			       "command line: nothing is asked or denied" :
			       "nothing is denied: the kernel's command line");
	}
	for (i = 0; i < status->products; i++) {
		status_judge_product(status, &status->product[i]);
	}
	for (i = 0; i < status->scopes; i++) {
		const struct admin_scope *scope = &status->scope[i];

		if (!scope->marked && !off) {
			char what[64];

			snprintf(what, sizeof(what), "scope %.56s",
				 scope->path);
			status_degrade(status, what, 0, "not watched: %.100s",
				       scope->reason);
		}
	}
	if (status->has_monitor && status->scopes == 0) {
		status_degrade(status, "scopes", status->monitor.since_ns,
			       "no tree or file system is watched");
	}
	if (status->lost) {
		status_degrade(status, "status", 0,
			       "%u records had no room here", status->lost);
	}
}

struct status *status_new(const struct cli_args *args)
{
	cleanup_free struct status *status = calloc(1, sizeof(*status));
	cleanup_fd int state = -1;
	struct status *taken;
	int ms = peer_timeout_ms(args);

	if (!status) {
		cli_error("out of memory; try again");
		return NULL;
	}
	if (state_open(cli_value(args, "state", 0), &state) < 0 ||
	    status_ask(status, state, PEER_MONITOR, ms) < 0 ||
	    status_ask(status, state, PEER_ENGINE, ms) < 0) {
		return NULL;
	}
	status_judge(status);
	taken = status;
	status = NULL;
	return taken;
}

enum status_verdict status_verdict(const struct status *status)
{
	uint32_t i;

	if (!status->has_monitor && !status->has_engine) {
		return STATUS_UNKNOWN;
	}
	if (status->degradations) {
		return STATUS_DEGRADED_NOW;
	}
	for (i = 0; i < status->products; i++) {
		const struct status_product *product = &status->product[i];

		if (status_product_state(product) == VIEW_STATE_SERVING &&
		    status_product_mode(product) == BAILEY_MODE_ENFORCE) {
			return STATUS_PROTECTED;
		}
	}
	return STATUS_OBSERVING;
}

const char *status_verdict_name(enum status_verdict verdict)
{
	static const char *const names[] = {
		"protected", "observing", "degraded", "unknown"
	};

	return names[verdict];
}

int status_exit(enum status_verdict verdict)
{
	static const int codes[] = { CLI_YES, CLI_YES, CLI_NO, CLI_UNKNOWN };

	return codes[verdict];
}
