/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/bench/product.c - the product that the bench asks
 *
 * An ordinary jailed product, as small as one can be: it allows at once. A few
 * names stand for behaviour, so that one running product can be driven from
 * outside by opening files:
 *   once_evil*    denied, this once
 *   object_evil*  denied, as long as it is the same object
 *   hold*         kept for ever, never answered
 *   spin*         it never comes back: spins on the processor
 *
 * Arguments: the scope of its verdicts (once, object, object-exe); then any of
 *   deny=FILE    publishes a rule that denies this path
 *   hashes=N     fills a collection with N made-up hashes and has a rule use it
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bailey/client.h>

static enum bailey_scope scope = BAILEY_SCOPE_ONCE;

static int failed(struct bailey_client *client, const char *what, int r)
{
	char text[128];

	snprintf(text, sizeof text, "%s: %s", what, bailey_strerror(r));
	fprintf(stderr, "%s\n", text);
	(void)bailey_log(client, 3, text);
	return 1;
}

static int publish_rules(struct bailey_client *client, const char *text)
{
	int line = 0;

	return bailey_rules_replace(client, text, strlen(text), &line);
}

static int deny(struct bailey_client *client, const char *path)
{
	char text[512];

	snprintf(text, sizeof text, "deny file.open path \"%s\"\n", path);
	return publish_rules(client, text);
}

#define BATCH 1024u

static int fill_hashes(struct bailey_client *client, unsigned long count)
{
	static unsigned char member[BATCH][32];
	uint64_t word = 0x9e3779b97f4a7c15u;
	int r = bailey_collection_begin(client, "hashes",
					BAILEY_COLLECTION_SHA256);

	for (unsigned long i = 0; r == 0 && i < count; i += BATCH) {
		for (size_t j = 0; j < sizeof member; j += sizeof word) {
			word ^= word << 13;
			word ^= word >> 7;
			word ^= word << 17;
			memcpy((unsigned char *)member + j, &word,
			       sizeof word);
		}
		r = bailey_collection_add(client, member,
					  count - i < BATCH ? count - i :
							      BATCH);
	}
	r = r == 0 ? bailey_collection_commit(client) : r;
	return r != 0 ? r : publish_rules(client,
		"ask file.open,process.exec size < 1 and "
		"sha256 in collection hashes\n");
}

static int set_up(struct bailey_client *client, int argc, char **argv)
{
	int r = 0;

	for (int i = 1; r == 0 && i < argc; i++) {
		if (strcmp(argv[i], "object") == 0) {
			scope = BAILEY_SCOPE_OBJECT;
		} else if (strcmp(argv[i], "object-exe") == 0) {
			scope = BAILEY_SCOPE_OBJECT_EXE;
		} else if (strncmp(argv[i], "deny=", 5) == 0) {
			r = deny(client, argv[i] + 5);
		} else if (strncmp(argv[i], "hashes=", 7) == 0) {
			r = fill_hashes(client, strtoul(argv[i] + 7, NULL, 10));
		}
	}
	return r;
}

/* Whether the last part of the path begins with name. */
static int is_named(const struct bailey_string *path, const char *name)
{
	size_t start = path->length, length = strlen(name);

	while (start > 0 && path->bytes[start - 1] != '/') {
		start--;
	}
	return path->length - start >= length &&
	       memcmp(path->bytes + start, name, length) == 0;
}

static void decide(struct bailey_client *client, struct bailey_event *event)
{
	enum bailey_verdict verdict = BAILEY_VERDICT_ALLOW;
	enum bailey_scope wide = scope;
	struct bailey_string path;

	if (bailey_event_string(event, BAILEY_FIELD_PATH, &path) == 0) {
		if (is_named(&path, "hold")) {
			(void)bailey_event_ref(event);
			return;
		}
		while (is_named(&path, "spin")) {
			/* until somebody ends us */
		}
		if (is_named(&path, "once_evil")) {
			verdict = BAILEY_VERDICT_DENY;
			wide = BAILEY_SCOPE_ONCE;
		} else if (is_named(&path, "object_evil")) {
			verdict = BAILEY_VERDICT_DENY;
			wide = BAILEY_SCOPE_OBJECT;
		}
	}
	(void)bailey_answer(client, event, verdict, wide, NULL);
}

int main(int argc, char **argv)
{
	static const struct bailey_subscription wants[] = {
		{ .size = sizeof wants[0], .kind = BAILEY_EVENT_FILE_OPEN },
		{ .size = sizeof wants[0], .kind = BAILEY_EVENT_PROCESS_EXEC },
	};
	struct bailey_client *client;
	struct bailey_event *event;
	int r = bailey_client_connect(&client, BAILEY_API, "", 0);

	if (r != 0) {
		fprintf(stderr, "connect: %s\n", bailey_strerror(r));
		return 1;
	}
	r = bailey_subscribe(client, wants, 2);
	if (r != 0) {
		return failed(client, "subscribe", r);
	}
	r = set_up(client, argc, argv);
	if (r != 0) {
		return failed(client, "rules", r);
	}
	r = bailey_ready(client);
	if (r != 0) {
		return failed(client, "ready", r);
	}
	for (;;) {
		r = bailey_next(client, -1, &event);
		if (r == 1) {
			if (bailey_event_is_question(event)) {
				decide(client, event);
			} else if (bailey_event_kind(event) ==
				   BAILEY_EVENT_STOP) {
				break;
			}
			bailey_event_unref(event);
		} else if (r != 0 && r != -EINTR) {
			break;
		}
	}
	bailey_client_close(client);
	return 0;
}
