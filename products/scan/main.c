/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scan - a product that looks for known signatures with libyara
 *
 * Threads: the main one and SCAN_WORKERS - 1 more answer questions; one reads
 * large files to their end after the fact. Idle: all sleep, no time-outs.
 *
 * Rules come from the content directory and are compiled before bailey_ready():
 * a folder without one usable rule is a start failure, not an idle guard.
 *
 * In the jail there is no /etc, no locale and no /proc: OpenSSL, which libyara
 * links for its hash functions, is told not to look for its configuration.
 *
 * Exit status: 0 stopped by the broker, 64 not started by it, 69 session
 * ended, 71 out of memory or threads, 76 broker refused something, 78 no rules.
 */
#include <errno.h>
#include <openssl/crypto.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include <bailey/client.h>

#include "budget.h"
#include "ruleset.h"
#include "work.h"

#define STOP_GRACE_MS 200u

static struct work work;
static struct content content;
static struct engine engines[SCAN_WORKERS + 1];
static _Atomic unsigned busy;

static int fail(struct bailey_client *client, int status, const char *what,
		int result)
{
	char text[256];

	snprintf(text, sizeof(text), "%s: %s", what, bailey_strerror(result));
	if (client == NULL || bailey_log(client, 3, text) != 0) {
		fprintf(stderr, "scan: %s\n", text);
	}
	return status;
}

/* Lets the other threads finish the answer they are at, then ends. */
static _Noreturn void stop(void)
{
	struct timespec pause = { 0, 1000000 };

	for (unsigned ms = 0; ms < STOP_GRACE_MS &&
	     atomic_load(&busy) > 0; ms++) {
		nanosleep(&pause, NULL);
	}
	_exit(EXIT_SUCCESS);
}

static int serve(struct engine *engine)
{
	struct bailey_event *event;
	int result;

	for (;;) {
		result = bailey_next(work.client, -1, &event);
		if (result == 0 || result == -EINTR) {
			continue;
		}
		if (result < 0) {
			return result;
		}
		if (bailey_event_kind(event) == BAILEY_EVENT_STOP) {
			stop();
		}
		atomic_fetch_add(&busy, 1);
		work_decide(&work, engine, event);
		atomic_fetch_sub(&busy, 1);
	}
}

/* The session is over: there is nobody left to answer. */
static void *worker(void *engine)
{
	serve(engine);
	_exit(EX_UNAVAILABLE);
}

static void *reader(void *engine)
{
	for (;;) {
		work_thorough(&work, engine);
	}
	return NULL;
}

static int start_thread(void *(*body)(void *), struct engine *engine)
{
	pthread_t thread;
	int error = pthread_create(&thread, NULL, body, engine);

	if (error == 0) {
		pthread_detach(thread);
	}
	return -error;
}

/* Threads 1 .. n; the main one is worker 0. */
static int start_threads(void)
{
	int result = start_thread(reader, &engines[SCAN_WORKERS]);

	for (unsigned i = 1; i < SCAN_WORKERS && result == 0; i++) {
		result = start_thread(worker, &engines[i]);
	}
	return result;
}

static int subscribe(struct bailey_client *client)
{
	static const unsigned kinds[] = {
		BAILEY_EVENT_FILE_OPEN, BAILEY_EVENT_PROCESS_EXEC
	};
	struct bailey_subscription list[2];

	memset(list, 0, sizeof(list));
	for (unsigned i = 0; i < 2; i++) {
		list[i].size = sizeof(list[i]);
		list[i].kind = kinds[i];
		list[i].flags = BAILEY_WANT_FILE;
	}
	return bailey_subscribe(client, list, 2);
}

static int make_engines(void)
{
	int result = 0;

	for (unsigned i = 0; i <= SCAN_WORKERS && result == 0; i++) {
		result = content_engine(&content, &engines[i]);
	}
	return result;
}

static void say_ready(struct bailey_client *client, const struct ruleset *set,
		      uint64_t since)
{
	char text[160];

	snprintf(text, sizeof(text), "%u rules from %u files, %u files left "
		 "out, ready after %u ms", set->count, set->files, set->broken,
		 (unsigned)((budget_now() - since) / BUDGET_MS));
	(void)bailey_log(client, set->broken > 0 ? 4 : 6, text);
}

/* Everything that is needed to serve; 0 or an exit status. */
static int prepare(struct bailey_client *client)
{
	int result;

	OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL);
	if (yr_initialize() != ERROR_SUCCESS) {
		return fail(client, EX_OSERR, "libyara", -ENOMEM);
	}
	result = content_init(&content, client);
	if (result < 0) {
		return fail(client, EX_CONFIG, "no usable rule in the content "
			    "directory", result);
	}
	result = make_engines();
	if (result < 0) {
		return fail(client, EX_OSERR, "engines", result);
	}
	result = subscribe(client);
	if (result < 0) {
		return fail(client, EX_PROTOCOL, "subscribe", result);
	}
	return 0;
}

/* From the first thread on the session is shared: it ends with the process,
 * and is not closed under the others. */
static _Noreturn void run(struct bailey_client *client, uint64_t since)
{
	int result;

	work_init(&work, client, &content);
	result = start_threads();
	if (result < 0) {
		_exit(fail(client, EX_OSERR, "threads", result));
	}
	say_ready(client, content_rules(&content), since);
	result = bailey_ready(client);
	if (result < 0) {
		_exit(fail(client, EX_PROTOCOL, "ready", result));
	}
	(void)serve(&engines[0]);
	_exit(EX_UNAVAILABLE);
}

int main(void)
{
	uint64_t since = budget_now();
	struct bailey_client *client;
	/* The number of variables that it sets for rules. */
	int result = bailey_client_connect(&client, BAILEY_API, SCAN_SCHEMA,
					   scan_fields_count);

	if (result < 0) {
		return fail(NULL, EX_USAGE, "connect", result);
	}
	result = prepare(client);
	if (result != 0) {
		bailey_client_close(client);
		return result;
	}
	run(client, since);
}
