/* SPDX-License-Identifier: Apache-2.0 */
/*
 * brittle - a product for the demo and the tests of safe content (content.h)
 *
 * One thread. New content of a running process is loaded beside the old.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

#include <bailey/client.h>

#include "content.h"

#define BRITTLE_SCHEMA "brittle/1"

static int load(struct bailey_client *client, struct brittle_content *content)
{
	int directory = bailey_directory(client, BAILEY_DIRECTORY_CONTENT);
	unsigned line = 0;
	char text[96];
	int result = directory < 0 ? directory
				   : brittle_load(directory, content, &line);

	if (result < 0) {
		snprintf(text, sizeof(text), "rules:%u: %s", line,
			 bailey_strerror(result));
		(void)bailey_log(client, 3, text);
	}
	return result;
}

static int subscribe(struct bailey_client *client)
{
	const struct bailey_subscription list[] = {
		{ sizeof(*list), BAILEY_EVENT_FILE_OPEN, 0, BAILEY_WANT_FILE },
		{ sizeof(*list), BAILEY_EVENT_PROCESS_EXEC, 0, 0 },
	};

	return bailey_subscribe(client, list, 2);
}

/* 1: it is to end. */
static int take(struct bailey_client *client, struct bailey_event *event,
		struct brittle_content *content)
{
	static unsigned number;

	if (bailey_event_kind(event) == BAILEY_EVENT_STOP) {
		return 1;
	}
	if (bailey_event_kind(event) == BAILEY_EVENT_CONTENT &&
	    bailey_content_done(client, event, load(client, content)) < 0) {
		return 1;
	}
	if (bailey_event_is_question(event)) {
		number++;
		(void)bailey_answer(client, event,
				    brittle_judge(content, event, number),
				    BAILEY_SCOPE_ONCE, NULL);
	}
	return 0;
}

static int serve(struct bailey_client *client, struct brittle_content *content)
{
	struct bailey_event *event;
	int result, end = 0;

	while (!end) {
		result = bailey_next(client, -1, &event);
		if (result < 0 && result != -EINTR) {
			return EX_UNAVAILABLE;
		}
		if (result == 1) {
			end = take(client, event, content);
			bailey_event_unref(event);
		}
	}
	return EXIT_SUCCESS;
}

int main(void)
{
	struct brittle_content content;
	struct bailey_client *client;
	int result = bailey_client_connect(&client, BAILEY_API, BRITTLE_SCHEMA,
					   brittle_fields_count);

	if (result < 0) {
		fprintf(stderr, "brittle: %s\n", bailey_strerror(result));
		return EX_USAGE;
	}
	if (brittle_supply_init() < 0 || load(client, &content) < 0) {
		return EX_CONFIG;
	}
	if (subscribe(client) < 0 || bailey_ready(client) < 0) {
		return EX_PROTOCOL;
	}
	return serve(client, &content);
}
