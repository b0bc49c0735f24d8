/* SPDX-License-Identifier: Apache-2.0 */
/*
 * status_json.c - the schema of `bailey status --json` (bailey-status(1))
 *
 * Keys are only ever added. A part that did not answer is null in whole; a
 * product's counters are null where the engine does not know the product.
 */
#include "cli/names.h"
#include "cli/status.h"

static void status_json_monitor(const struct status *status,
				struct json_doc *doc)
{
	static const char *const forced[] = { "none", "observe", "off" };
	const struct admin_monitor *m = &status->monitor;
	json_t *object;

	if (!status->has_monitor) {
		json_put_null(doc, doc->root, "monitor");
		return;
	}
	object = json_put_object(doc, doc->root, "monitor");
	json_put_number(doc, object, "pid", (uint64_t)m->monitor_pid);
	json_put_number(doc, object, "helper_pid", (uint64_t)m->helper_pid);
	json_put_time(doc, object, "since", m->since_ns);
	json_put_text(doc, object, "forced",
		      m->forced < 3 ? forced[m->forced] : "unknown");
	json_put_time(doc, object, "off_until", m->off_until_ns);
	json_put_number(doc, object, "unmarked", m->unmarked);
	json_put_number(doc, object, "kernel_denied", m->kernel_denied);
}

static void status_json_pid(struct json_doc *doc, json_t *object, int32_t pid)
{
	if (pid > 0) {
		json_put_number(doc, object, "pid", (uint64_t)pid);
	} else {
		json_put_null(doc, object, "pid");
	}
}

static void status_json_keeper(const struct status *status,
			       struct json_doc *doc)
{
	json_t *object = json_put_object(doc, doc->root, "keeper");

	status_json_pid(doc, object, status->has_engine ?
			status->engine.keeper_pid :
			status->monitor.keeper_pid);
	if (status->has_monitor) {
		json_put_number(doc, object, "restarts",
				status->monitor.keeper_restarts);
	} else {
		json_put_null(doc, object, "restarts");
	}
}

static void status_json_worker(const struct status *status,
			       struct json_doc *doc)
{
	json_t *object = json_put_object(doc, doc->root, "worker");

	status_json_pid(doc, object, status->engine.worker_pid);
	if (status->has_engine) {
		json_put_number(doc, object, "restarts",
				status->engine.worker_restarts);
		json_put_time(doc, object, "since", status->engine.since_ns);
	} else if (status->has_monitor) {
		json_put_number(doc, object, "restarts",
				status->monitor.worker_restarts);
		json_put_null(doc, object, "since");
	} else {
		json_put_null(doc, object, "restarts");
		json_put_null(doc, object, "since");
	}
}

static void status_json_engine(const struct status *status,
			       struct json_doc *doc)
{
	const struct view_engine *e = &status->engine;
	json_t *object;

	if (!status->has_engine) {
		json_put_null(doc, doc->root, "engine");
		return;
	}
	object = json_put_object(doc, doc->root, "engine");
	json_put_number(doc, object, "open_questions", e->open_questions);
	json_put_number(doc, object, "cached_objects", e->cached_objects);
	json_put_number(doc, object, "processes", e->processes);
#define STATUS_COUNTER(field, help)                                           \
	json_put_number(doc, object, #field, e->field);
	VIEW_ENGINE_COUNTER_TABLE(STATUS_COUNTER)
#undef STATUS_COUNTER
}

static void status_json_counters(const struct status_product *product,
				 struct json_doc *doc, json_t *object)
{
#define STATUS_COUNTER(field, help)                                           \
	if (product->has_engine) {                                            \
		json_put_number(doc, object, #field, product->engine.field);  \
	} else {                                                              \
		json_put_null(doc, object, #field);                           \
	}
	VIEW_PRODUCT_COUNTER_TABLE(STATUS_COUNTER)
#undef STATUS_COUNTER
}

static void status_json_product(const struct status_product *product,
				struct json_doc *doc, json_t *parent)
{
	json_t *object = json_put_object(doc, parent, NULL);
	const struct admin_product *m = &product->monitor;

	json_put_text(doc, object, "name", product->name);
	json_put_number(doc, object, "index", product->has_monitor ? m->index :
			product->engine.index);
	status_json_pid(doc, object, m->pid);
	json_put_text(doc, object, "state",
		      names_state(status_product_state(product)));
	json_put_text(doc, object, "mode",
		      names_mode(status_product_mode(product)));
	json_put_time(doc, object, "since", product->engine.since_ns);
	status_json_counters(product, doc, object);
	json_put_text(doc, object, "beside",
		      names_beside(product->engine.beside));
	if (product->has_monitor) {
		json_put_number(doc, object, "restarts", m->restarts);
		json_put_bool(doc, object, "enabled", m->enabled);
		json_put_number(doc, object, "uid", m->uid);
	} else {
		json_put_null(doc, object, "restarts");
		json_put_null(doc, object, "enabled");
		json_put_null(doc, object, "uid");
	}
	json_put_time(doc, object, "next_start", m->next_start_ns);
	json_put_filled(doc, object, "last_fault", product->engine.last_fault);
	json_put_filled(doc, object, "last_exit", m->last_exit);
	json_put_filled(doc, object, "content", m->content);
}

void status_json_products(const struct status *status, struct json_doc *doc,
			  json_t *parent)
{
	json_t *list = json_put_array(doc, parent, "products");
	uint32_t i;

	for (i = 0; i < status->products; i++) {
		status_json_product(&status->product[i], doc, list);
	}
}

static void status_json_scopes(const struct status *status,
			       struct json_doc *doc)
{
	json_t *list = json_put_array(doc, doc->root, "scopes");
	uint32_t i;

	for (i = 0; i < status->scopes; i++) {
		const struct admin_scope *scope = &status->scope[i];
		json_t *object = json_put_object(doc, list, NULL);

		json_put_text(doc, object, "kind", scope->kind);
		json_put_text(doc, object, "path", scope->path);
		json_put_filled(doc, object, "fstype", scope->fstype);
		json_put_bool(doc, object, "marked", scope->marked);
		json_put_filled(doc, object, "reason", scope->reason);
	}
}

static void status_json_degraded(const struct status *status,
				 struct json_doc *doc)
{
	json_t *list = json_put_array(doc, doc->root, "degraded");
	uint32_t i;

	for (i = 0; i < status->degradations; i++) {
		const struct admin_degraded *row = &status->degraded[i];
		json_t *object = json_put_object(doc, list, NULL);

		json_put_text(doc, object, "what", row->what);
		json_put_text(doc, object, "why", row->why);
		json_put_time(doc, object, "since", row->since_ns);
	}
}

void status_json(const struct status *status, struct json_doc *doc)
{
	json_put_text(doc, doc->root, "state",
		      status_verdict_name(status_verdict(status)));
	status_json_monitor(status, doc);
	status_json_keeper(status, doc);
	status_json_worker(status, doc);
	if (status->has_monitor) {
		json_put_number(doc, doc->root, "unprotected_ms",
				status->monitor.unprotected_ms);
	} else {
		json_put_null(doc, doc->root, "unprotected_ms");
	}
	json_put_number(doc, doc->root, "kernel_denied",
			status_kernel_denied(status));
	status_json_engine(status, doc);
	status_json_scopes(status, doc);
	status_json_degraded(status, doc);
	status_json_products(status, doc, doc->root);
}
