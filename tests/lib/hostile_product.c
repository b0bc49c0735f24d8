/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/lib/hostile_product.c - the product that local users attack in tests
 *
 * It judges by content: a file that begins with "EVIL" is denied, all else
 * allowed with scope object, so that every cache there is may keep the
 * verdict. What the last part of a path begins with makes it slow or weak, as
 * real products are for some files:
 *
 *   slow   it looks at once and answers SLOW_MS later, serving others meanwhile
 *   late   the same, LATE_MS later
 *   hang   it takes the question and never answers; it lets go of it after
 *          HANG_MS
 *   crash  its parser faults
 *
 * A script is judged by its second line, a program by what stands in it after
 * "PAYLOAD=" (hostile_payload.c).
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <bailey/client.h>

#define SLOW_MS 150u
#define LATE_MS 1200u
#define HANG_MS 3000u           /* above every deadline that tests choose */
#define HELD 1024u
#define LOOK (128u * 1024u)

static const struct bailey_finding found = {
	sizeof(found), 80, 100, "evil", "begins with EVIL", ""
};

struct held {
	struct bailey_event *event;
	enum bailey_verdict verdict;    /* NONE: never answered */
	int64_t due_ms;
};

/* First in, first out: all in one queue wait equally long. */
struct queue {
	struct held held[HELD];
	size_t first, next;
};

static struct queue slow, late, hung;

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static enum bailey_verdict look(struct bailey_event *event)
{
	static char text[LOOK];
	const char *at = text;
	int n = bailey_file_read(event, 0, text, sizeof(text) - 1);

	if (n < 4) {
		return BAILEY_VERDICT_ALLOW;
	}
	text[n] = '\0';
	if (memcmp(text, "\177ELF", 4) == 0) {
		at = memmem(text, (size_t)n, "PAYLOAD=", 8);
		at = at ? at + 8 : text;
	} else if (text[0] == '#') {
		at = strchr(text, '\n');
		at = at ? at + 1 : text;
	}
	return strncmp(at, "EVIL", 4) == 0 ? BAILEY_VERDICT_DENY
					   : BAILEY_VERDICT_ALLOW;
}

static int named(struct bailey_event *event, const char *how)
{
	struct bailey_string path = { "", 0 };
	const char *slash;

	(void)bailey_event_string(event, BAILEY_FIELD_PATH, &path);
	slash = strrchr(path.bytes, '/');
	return slash && strncmp(slash + 1, how, strlen(how)) == 0;
}

static void answer(struct bailey_client *client, struct bailey_event *event,
		   enum bailey_verdict verdict)
{
	(void)bailey_answer(client, event, verdict, BAILEY_SCOPE_OBJECT,
			    verdict == BAILEY_VERDICT_DENY ? &found : NULL);
	bailey_event_unref(event);
}

/* Answers what is due; returns how long there is nothing to do, or -1. */
static int queue_answer(struct bailey_client *client, struct queue *queue)
{
	while (queue->first != queue->next) {
		struct held *h = &queue->held[queue->first % HELD];
		int64_t left = h->due_ms - now_ms();

		if (left > 0) {
			return (int)left;
		}
		queue->first++;
		if (h->verdict != BAILEY_VERDICT_NONE) {
			answer(client, h->event, h->verdict);
		} else {
			bailey_event_unref(h->event);
		}
	}
	return -1;
}

static int answer_held(struct bailey_client *client)
{
	struct queue *const queue[] = { &slow, &late, &hung };
	int least = -1;

	for (size_t i = 0; i < sizeof(queue) / sizeof(*queue); i++) {
		int left = queue_answer(client, queue[i]);

		if (left >= 0 && (least < 0 || left < least)) {
			least = left;
		}
	}
	return least;
}

static void queue_add(struct queue *queue, struct bailey_event *event,
		      enum bailey_verdict verdict, int64_t ms)
{
	if (queue->next - queue->first == HELD) {
		abort();
	}
	queue->held[queue->next++ % HELD] = (struct held){ event, verdict,
							   now_ms() + ms };
}

static void judge(struct bailey_client *client, struct bailey_event *event)
{
	if (!bailey_event_is_question(event)) {
		bailey_event_unref(event);
	} else if (named(event, "crash")) {
		abort();
	} else if (named(event, "hang")) {
		(void)look(event);      /* it has taken the descriptor */
		queue_add(&hung, event, BAILEY_VERDICT_NONE, HANG_MS);
	} else if (named(event, "slow")) {
		queue_add(&slow, event, look(event), SLOW_MS);
	} else if (named(event, "late")) {
		queue_add(&late, event, look(event), LATE_MS);
	} else {
		answer(client, event, look(event));
	}
}

int main(void)
{
	const struct bailey_subscription want[] = {
		{ sizeof(*want), BAILEY_EVENT_FILE_OPEN, 0, BAILEY_WANT_FILE },
		{ sizeof(*want), BAILEY_EVENT_PROCESS_EXEC, 0,
		  BAILEY_WANT_FILE },
	};
	struct bailey_client *client;
	struct bailey_event *event;
	int r;

	if (bailey_client_connect(&client, BAILEY_API, "", 0) < 0 ||
	    bailey_subscribe(client, want, 2) < 0 ||
	    bailey_ready(client) < 0) {
		return EXIT_FAILURE;
	}
	while ((r = bailey_next(client, answer_held(client), &event)) >= 0) {
		if (r == 1) {
			judge(client, event);
		}
	}
	bailey_client_close(client);
	return EXIT_SUCCESS;
}
