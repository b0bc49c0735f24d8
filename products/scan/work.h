/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scan/work.h - what the scanner says to one question
 *
 *   the object is...            answer
 *   not a regular file          allow: there is no content to judge
 *   empty                       allow, scope object
 *   up to SCAN_BUFFER bytes     all of it is scanned: allow or deny, scope
 *                               object, for the verdict depends on content only
 *   larger                      its edges are scanned: evil is denied at once;
 *                               otherwise the question is deferred (policy
 *                               answers, nobody waits for gigabytes), and a
 *                               thorough scan follows: if that finds something
 *                               the object is revised to deny
 *   not readable                deferred: policy knows better than we do
 *
 * A scan that does not fit into the deadline is deferred in the same way. What
 * a thorough scan found is remembered (seen.h).
 *
 * New content (control.content) is loaded by the thread that takes the event;
 * each thread changes over before its next object (content.h).
 *
 * Threads: SCAN_WORKERS run work_decide(), one runs work_thorough(), each with
 * an engine of its own; the rest is shared and locked inside.
 */
#ifndef SCAN_WORK_H
#define SCAN_WORK_H

#include <bailey/client.h>

#include "content.h"
#include "engine.h"
#include "queue.h"
#include "seen.h"

struct work {
	struct bailey_client *client;   /* borrowed */
	struct content *content;        /* borrowed; null: never changes */
	struct seen seen;
	struct queue queue;
};

void work_init(struct work *ret_work, struct bailey_client *client,
	       struct content *content);

/* Answers or defers the question and takes over the caller's reference. What
 * is no question is let go. */
void work_decide(struct work *work, struct engine *engine,
		 struct bailey_event *event);

/* Waits for one deferred event and scans all of it. */
void work_thorough(struct work *work, struct engine *engine);

#endif
