/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/decision.h"

#include <errno.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mono.h"
#include "cli/names.h"
#include "cli/text.h"
#include "cli/when.h"

/* A user by name or number. */
static int decision_uid(const char *name, uint32_t *ret_uid)
{
	struct passwd *entry = getpwnam(name);
	unsigned long number;
	char *end;

	if (entry) {
		*ret_uid = entry->pw_uid;
		return 0;
	}
	errno = 0;
	number = strtoul(name, &end, 10);
	if (*name < '0' || *name > '9' || *end || errno ||
	    number >= UINT32_MAX) {
		cli_error("--user %s: no such user here; give a name from "
			  "`getent passwd`, or a number", name);
		return -EINVAL;
	}
	*ret_uid = (uint32_t)number;
	return 0;
}

int decision_filter_read(const struct cli_args *args,
			 struct decision_filter *ret_filter)
{
	struct decision_filter filter = { 0 };
	const char *since = cli_value(args, "since", 0);
	const char *user = cli_value(args, "user", 0);
	const char *type;

	filter.path = cli_value(args, "path", 0);
	filter.product = cli_value(args, "product", 0);
	if (since && when_parse(since, wall_now_ns(), &filter.since_ns) < 0) {
		return -EINVAL;
	}
	if (user && cli_has(args, "mine")) {
		cli_error("--mine and --user exclude each other; give one");
		return -EINVAL;
	}
	if (user && decision_uid(user, &filter.uid) < 0) {
		return -EINVAL;
	}
	if (cli_has(args, "mine")) {
		filter.uid = getuid();
	}
	filter.has_uid = user || cli_has(args, "mine");
	while ((type = cli_value(args, "type", filter.kinds))) {
		if (filter.kinds == DECISION_TYPES) {
			cli_error("more than %u --type; leave it out to see "
				  "all", DECISION_TYPES);
			return -EINVAL;
		}
		filter.kind[filter.kinds++] = names_event_number(type);
	}
	*ret_filter = filter;
	return 0;
}

static bool decision_path_matches(const char *wanted, const char *path)
{
	size_t length = strlen(wanted);

	if (length && wanted[length - 1] == '/') {
		return strncmp(wanted, path, length) == 0;
	}
	return strcmp(wanted, path) == 0;
}

bool decision_matches(const struct decision_filter *filter,
		      const struct view_decision *decision)
{
	uint32_t i;

	if (decision->time_ns < filter->since_ns ||
	    (filter->has_uid && decision->uid != filter->uid) ||
	    (filter->path &&
	     !decision_path_matches(filter->path, decision->path)) ||
	    (filter->product &&
	     strcmp(filter->product, decision->product) != 0)) {
		return false;
	}
	for (i = 0; i < filter->kinds; i++) {
		if (filter->kind[i] == decision->kind) {
			return true;
		}
	}
	return filter->kinds == 0;
}

bool decision_is_denial(const struct view_decision *decision)
{
	return decision->verdict == BAILEY_VERDICT_DENY;
}

bool decision_is_would(const struct view_decision *decision)
{
	return decision->verdict != BAILEY_VERDICT_DENY &&
	       decision->would == BAILEY_VERDICT_DENY;
}

static void decision_json_bits(struct json_doc *doc, json_t *object,
			       const char *key, uint32_t bits)
{
	json_t *list = json_put_array(doc, object, key);
	unsigned i;

	for (i = 0; i < 32; i++) {
		if (bits & 1u << i) {
			json_put_number(doc, list, NULL, i);
		}
	}
}

static void decision_json_finding(const struct bailey_finding *finding,
				  struct json_doc *doc, json_t *parent)
{
	json_t *object;

	if (finding->size == 0) {
		json_put_null(doc, parent, "finding");
		return;
	}
	object = json_put_object(doc, parent, "finding");
	json_put_text(doc, object, "rule", finding->rule);
	json_put_text(doc, object, "title", finding->title);
	json_put_number(doc, object, "severity", finding->severity);
	json_put_number(doc, object, "confidence", finding->confidence);
	json_put_filled(doc, object, "technique", finding->technique);
}

void decision_json_fields(const struct view_decision *d, struct json_doc *doc,
			  json_t *object)
{
	json_put_number(doc, object, "id", d->id);
	json_put_time(doc, object, "time", d->time_ns);
	json_put_text(doc, object, "type", names_event(d->kind));
	json_put_text(doc, object, "verdict", names_verdict(d->verdict));
	json_put_text(doc, object, "would", names_verdict(d->would));
	json_put_text(doc, object, "by", names_by(d->by));
	json_put_filled(doc, object, "product", d->product);
	json_put_number(doc, object, "rule_line",
			d->rule_line > 0 ? (uint64_t)d->rule_line : 0);
	json_put_text(doc, object, "path", d->path);
	json_put_bool(doc, object, "path_foreign", d->path_foreign);
	json_put_number(doc, object, "device", d->device);
	json_put_number(doc, object, "inode", d->inode);
	json_put_number(doc, object, "generation", d->generation);
	json_put_number(doc, object, "pid", (uint32_t)d->pid);
	json_put_number(doc, object, "ppid", (uint32_t)d->ppid);
	json_put_number(doc, object, "uid", d->uid);
	json_put_number(doc, object, "gid", d->gid);
	json_put_filled(doc, object, "exe", d->exe);
	json_put_number(doc, object, "took_ns", d->took_ns);
	decision_json_bits(doc, object, "deciders", d->deciders);
	decision_json_bits(doc, object, "missed", d->missed);
	decision_json_finding(&d->finding, doc, object);
}

void decision_json(const struct view_decision *decision, struct json_doc *doc,
		   json_t *parent, const char *key)
{
	decision_json_fields(decision, doc,
			     json_put_object(doc, parent, key));
}

const char *decision_word(const struct view_decision *decision,
			  enum out_color *ret_color)
{
	if (decision_is_denial(decision)) {
		*ret_color = OUT_RED;
		return "deny";
	}
	if (decision_is_would(decision)) {
		*ret_color = OUT_YELLOW;
		return "would deny";
	}
	*ret_color = OUT_PLAIN;
	return names_verdict(decision->verdict);
}

const char *decision_by(const struct view_decision *decision, char *buffer)
{
	const char *by = names_by(decision->by);

	if (decision->rule_line > 0 && *decision->product) {
		snprintf(buffer, VIEW_REASON, "%s %s:%d", by,
			 decision->product, decision->rule_line);
	} else if (decision->rule_line > 0) {
		snprintf(buffer, VIEW_REASON, "%s:%d", by,
			 decision->rule_line);
	} else {
		snprintf(buffer, VIEW_REASON, "%s%s%s", by,
			 *decision->product ? " " : "", decision->product);
	}
	return buffer;
}

void decision_text(const struct view_decision *decision, char *ret_text,
		   size_t room)
{
	char time[WHEN_TEXT], by[VIEW_REASON];
	char path[TEXT_ESCAPED(VIEW_PATH)];
	char exe[TEXT_ESCAPED(sizeof(decision->exe))];
	char who[TEXT_ESCAPED(VIEW_REASON)];
	char rule[TEXT_ESCAPED(sizeof(decision->finding.rule))] = "";
	enum out_color color;

	decision_by(decision, by);
	text_escape(TEXT_HUMAN, by, strlen(by), who);
	text_escape(TEXT_HUMAN, decision->path, strlen(decision->path), path);
	text_escape(TEXT_HUMAN, decision->exe, strlen(decision->exe), exe);
	if (decision->finding.size) {
		text_escape(TEXT_HUMAN, decision->finding.rule,
			    strlen(decision->finding.rule), rule);
	} else if (decision->missed) {
		snprintf(rule, sizeof(rule), "no answer");
	}
	snprintf(ret_text, room,
		 "%s  %-10s  %-12s %s  pid %d uid %u %s  by %s%s%s%s  id %"
		 PRIu64, when_local_text(decision->time_ns, time),
		 decision_word(decision, &color), names_event(decision->kind),
		 path, decision->pid, decision->uid, exe, who,
		 *rule ? " (" : "", rule, *rule ? ")" : "", decision->id);
}
