/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_life_host.h - `bailey run` on a tmpfs of its own, and its users
 *
 * For tests of the whole: real monitor, engine, jails and products, started as
 * an administrator would, on the place of lib/ns_env.h. What is known of them
 * is what the command says. Everything that waits has a limit and ends the
 * test with a line when it is over (cmocka assertions).
 *
 * One host at a time. Users are processes in the namespace, uid HOST_USER; one
 * of them may open files all the time (struct host_load).
 */
#ifndef TEST_LIFE_HOST_H
#define TEST_LIFE_HOST_H

#include <jansson.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/ns_env.h"

#define HOST_USER 60001u
#define HOST_FILES 64           /* good0... : innocent */
#define HOST_STALL_MS 60
#define HOST_EICAR "eicar"      /* what `scan` denies; written at run time */

struct host_load {
	_Atomic uint32_t opens, refused;
	_Atomic uint64_t longest_ns;
	_Atomic uint64_t stalled_ns;    /* sum of those over HOST_STALL_MS */
	_Atomic uint32_t evil_allowed, evil_refused;    /* eicar, by turns */
	_Atomic uint64_t evil_from_ns, evil_to_ns;      /* first and last time
							 * that it opened */
	_Atomic uint32_t stop;
};

struct host {
	struct ns_env env;
	const char *build, *source;
	char etc[96];           /* for --etc */
	pid_t run;              /* `bailey run`; 0: not running */
	pid_t opener;
	struct host_load *load; /* shared with the opener */
	bool observe;           /* without --enforce */
	const char *content;    /* of scan; null: its own */
	const char *arguments[48];
	size_t count;
};

/* A place with innocent files and eicar; nobody is asked yet. */
void host_make(struct host *ret_host, const char *build, const char *source);
/* Ends all that still runs, takes the place away. */
void host_end(struct host *host);

/* Writes base/NAME.ini and gives it to the next host_run(). program: "scan" or
 * "rogue"; policy: further lines of [policy] or null. */
void host_product(struct host *host, const char *name, const char *program,
		  const char *arguments, const char *policy);
/* One more word of the command line of the next host_run(). */
void host_argument(struct host *host, const char *word);
/* `bailey run --enforce`, until it says that it is ready. */
void host_run(struct host *host);
/* SIGINT; the place must be as it was before: nothing asks, nothing is bound,
 * no process is left. */
void host_stop(struct host *host);

/* Runs the command with --state; ret_text null: not wanted. Its exit code. */
int host_cli(const struct host *host, char *ret_text, size_t size,
	     const char *const *arguments);
#define HOST_CLI(host, ...)                                                   \
	host_cli(host, NULL, 0, (const char *const []){ __VA_ARGS__, NULL })

/* `bailey status --json`, owned by the caller; null while it cannot tell. */
json_t *host_status(const struct host *host);
/* "a.b" below root; 0 and "" if absent. */
double host_number(const json_t *root, const char *path);
const char *host_text(const json_t *root, const char *path);
/* The product's part of a status (borrowed), or null. */
json_t *host_find(const json_t *status, const char *name);
/* Polls until the product's key is text, at most limit_ms; fails the test with
 * what it is instead. */
void host_wait_text(const struct host *host, const char *name,
		    const char *key, const char *text, int limit_ms);
/* ... until a number of a product (name null: of the whole) is at least. */
void host_wait_number(const struct host *host, const char *name,
		      const char *path, double least, int limit_ms);

/* open(2) by HOST_USER; 0 or errno. path: relative to the tree. */
int host_open(const struct host *host, const char *path, double *ret_ms);
/* Polls host_open() until it gives this; ms it took, fails the test after
 * limit_ms. */
double host_wait_open(const struct host *host, const char *path, int error,
		      int limit_ms);
/* A file of HOST_USER in the tree. */
void host_write(const struct host *host, const char *name, const void *bytes,
		size_t length);

/* One process that opens good0... by turns, and eicar now and then. */
void host_load_start(struct host *host);
void host_load_reset(struct host *host);
void host_load_stop(struct host *host);

/* What `bailey run` wrote so far to standard error; free() it. */
char *host_log(const struct host *host);
void host_show_log(const struct host *host);

#endif
