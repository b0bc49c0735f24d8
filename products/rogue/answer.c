/* SPDX-License-Identifier: Apache-2.0 */
/* Modes that answer: well, badly, late, or by rules. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rogue.h"

#define MS 1000000ull

static const struct bailey_finding finding = {
	.size = sizeof(finding),
	.severity = 90,
	.confidence = 100,
	.rule = "rogue",
	.title = "Denied by the test product",
};

/* The benchmark's product: nothing here but the loop that the API asks for. */
static int answer_loop(struct bailey_client *client, enum bailey_scope scope)
{
	struct bailey_event *event;

	while (bailey_next(client, -1, &event) == 1) {
		(void)bailey_answer(client, event, BAILEY_VERDICT_ALLOW, scope,
				    NULL);
		bailey_event_unref(event);
	}
	return EXIT_SUCCESS;
}

int mode_allow(const char *argument)
{
	return answer_loop(rogue_serve(0), BAILEY_SCOPE_ONCE);
}

int mode_allow_file(const char *argument)
{
	return answer_loop(rogue_serve(BAILEY_WANT_FILE), BAILEY_SCOPE_ONCE);
}

int mode_allow_object(const char *argument)
{
	return answer_loop(rogue_serve(0), BAILEY_SCOPE_OBJECT);
}

static void deny(struct bailey_client *client, struct bailey_event *event)
{
	if (bailey_event_is_question(event)) {
		(void)bailey_answer(client, event, BAILEY_VERDICT_DENY,
				    BAILEY_SCOPE_ONCE, &finding);
	}
	bailey_event_unref(event);
}

static int each_observe(struct bailey_client *client,
			struct bailey_event *event, const char *argument)
{
	const char *kind = bailey_event_kind_name(bailey_event_kind(event));
	struct bailey_string path = { "", 0 };
	char text[400];

	(void)bailey_event_string(event, BAILEY_FIELD_PATH, &path);
	snprintf(text, sizeof(text), "%s %.*s", kind != NULL ? kind : "?",
		 (int)(path.length < 300 ? path.length : 300), path.bytes);
	(void)bailey_log(client, 6, text);
	rogue_allow(client, event);
	return 0;
}

int mode_observe(const char *argument)
{
	return rogue_loop(rogue_serve(0), each_observe, argument);
}

static int each_delay(struct bailey_client *client, struct bailey_event *event,
		      const char *argument)
{
	rogue_sleep_until(rogue_now() +
			  rogue_number(argument, 20, 60000) * MS);
	rogue_allow(client, event);
	return 0;
}

int mode_delay(const char *argument)
{
	(void)rogue_number(argument, 20, 60000);
	return rogue_loop(rogue_serve(0), each_delay, argument);
}

static int each_deny_name(struct bailey_client *client,
			  struct bailey_event *event, const char *argument)
{
	if (rogue_is_named(event, *argument ? argument : "evil")) {
		deny(client, event);
	} else {
		rogue_allow(client, event);
	}
	return 0;
}

int mode_deny_name(const char *argument)
{
	return rogue_loop(rogue_serve(0), each_deny_name, argument);
}

int mode_slow_load(const char *argument)
{
	uint64_t seconds = rogue_number(argument, 60, ROGUE_LIFE_S);
	struct bailey_client *client = rogue_connect();

	rogue_subscribe(client, 0);
	rogue_sleep_until(rogue_now() + seconds * 1000 * MS);
	if (bailey_ready(client) < 0) {
		return EXIT_FAILURE;
	}
	return rogue_loop(client, rogue_allow_and_go_on, argument);
}

static int each_deny(struct bailey_client *client, struct bailey_event *event,
		     const char *argument)
{
	deny(client, event);
	return 0;
}

int mode_deny_all(const char *argument)
{
	return rogue_loop(rogue_serve(0), each_deny, argument);
}

static int each_late(struct bailey_client *client, struct bailey_event *event,
		     const char *argument)
{
	int64_t deadline;

	if (bailey_event_number(event, BAILEY_FIELD_DEADLINE, &deadline) == 0) {
		rogue_sleep_until((uint64_t)deadline + 50 * MS);
	}
	deny(client, event);
	return 0;
}

int mode_late(const char *argument)
{
	return rogue_loop(rogue_serve(0), each_late, argument);
}

static int each_defer(struct bailey_client *client, struct bailey_event *event,
		      const char *argument)
{
	if (bailey_event_is_question(event)) {
		(void)bailey_defer(client, event);
		return 0;       /* held for good: that is the mischief */
	}
	bailey_event_unref(event);
	return 0;
}

int mode_defer_all(const char *argument)
{
	return rogue_loop(rogue_serve(0), each_defer, argument);
}

static int each_revise(struct bailey_client *client, struct bailey_event *event,
		       const char *argument)
{
	struct bailey_object object;

	if (bailey_event_object(event, &object) == 0) {
		(void)bailey_answer(client, event, BAILEY_VERDICT_ALLOW,
				    BAILEY_SCOPE_ONCE, NULL);
		(void)bailey_revise(client, &object, BAILEY_VERDICT_DENY,
				    &finding);
	}
	bailey_event_unref(event);
	return 0;
}

int mode_revise_all(const char *argument)
{
	return rogue_loop(rogue_serve(0), each_revise, argument);
}

static void publish(struct bailey_client *client, const char *mode,
		    const char *rule)
{
	int line = 0;
	int result = bailey_rules_replace(client, rule, strlen(rule), &line);
	char text[160];

	snprintf(text, sizeof(text), "%s: %s", mode,
		 result == 0 ? "accepted" : bailey_strerror(result));
	(void)bailey_log(client, 5, text);
}

int mode_rule_deny(const char *argument)
{
	struct bailey_client *client = rogue_serve(0);
	char rule[400];

	snprintf(rule, sizeof(rule), "deny any path-prefix \"%.300s\"\n",
		 argument);
	publish(client, "rule-deny", rule);
	return rogue_loop(client, rogue_allow_and_go_on, argument);
}

int mode_rule_deny_root(const char *argument)
{
	static const char *const rules[] = {
		"deny any path-prefix \"/\"\n",
		"deny any\n",
	};
	struct bailey_client *client = rogue_serve(0);

	for (size_t i = 0; i < sizeof(rules) / sizeof(*rules); i++) {
		publish(client, "rule-deny-root", rules[i]);
	}
	rogue_fault();
}
