/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/lib/hostile_host.h - a small host under `bailey run`, to be attacked
 *
 * One environment (ns_env.h) whose whole tmpfs is watched, with the product of
 * hostile_product.c deciding in enforce mode. Actors are processes in it, of
 * any uid, under a limit: one that hangs is a failure, never a hang of the
 * test. hostile_stop() looks whether anything of Bailey is left (P8).
 *
 * Threads: one. Everything that was started ends with the test's process.
 */
#ifndef HOSTILE_HOST_H
#define HOSTILE_HOST_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/ns_env.h"

#define HOSTILE_PIDS 64
#define HOSTILE_USER 60001u             /* who attacks */
#define HOSTILE_OTHER 60002u            /* who wants to work meanwhile */

struct hostile {
	struct ns_env env;
	char build[256];
	pid_t child;                    /* bailey run */
	pid_t pid[HOSTILE_PIDS];        /* it and its descendants */
	int pids;
	char mounts[1 << 16];           /* mount table before */
};

/* What differs from the standard host; zero is the standard. */
struct hostile_wish {
	const char *open_ms;            /* deadline of file.open, "100" */
	const char *policy;             /* further lines of [policy] */
	const char *rules;              /* the administrator's rule text */
	const char *scope[4];           /* further --filesystem */
	const char *tree;               /* instead of the file system */
	const char *binaries;           /* folder that replaces the build's */
	const char *state;              /* instead of the environment's */
	bool no_stderr;                 /* closed */
};

/* Exits with 77 and a reason if this cannot run here. */
void hostile_require_root(void);

/* hostile_place() makes the environment, hostile_run() starts in it and waits
 * until the product serves. 0 or a negated errno, with the log shown. */
int hostile_place(struct hostile *h, const char *build)
	__attribute__((warn_unused_result));
int hostile_run(struct hostile *h, const struct hostile_wish *wish)
	__attribute__((warn_unused_result));
/* Ends it as Ctrl-C would. 0 if nothing is left of it: no process, mount,
 * socket; else it says what is left. The place stays. */
int hostile_end(struct hostile *h) __attribute__((warn_unused_result));
/* hostile_end(), then the place is removed. */
int hostile_stop(struct hostile *h) __attribute__((warn_unused_result));
/* The test itself changed mounts: this is the host as it was. */
void hostile_mounts(struct hostile *h);
void hostile_log(const struct hostile *h);

/* An actor: act(argument) in a child of that uid, standing in the tree. Its
 * result is the exit code, 0..125. */
typedef int hostile_act(void *argument);
pid_t hostile_start(const struct hostile *h, uid_t uid, hostile_act *act,
		    void *argument);
/* The same and waited for: the code; -ETIMEDOUT, or -EINTR if killed by a
 * signal. */
int hostile_do(const struct hostile *h, uid_t uid, hostile_act *act,
	       void *argument, int limit_ms);
int hostile_wait(pid_t pid, int limit_ms);

/* Opens for reading as uid: 0 or an errno; ret_us may be null. ETIMEDOUT if
 * it took longer than 5 s. */
int hostile_open(const struct hostile *h, uid_t uid, const char *name,
		 uint64_t *ret_us);
/* Runs name as uid: its exit code, or 200 + errno of execve. */
int hostile_exec(const struct hostile *h, uid_t uid, const char *name);
/* A file with this text. */
void hostile_file(const struct hostile *h, const char *name, const char *text,
		  unsigned mode, uid_t owner);

/* A number of `bailey status --json`: "engine.overload", "worker.pid",
 * "products.0.restarts"; -1 if it is not there. */
double hostile_status(const struct hostile *h, const char *key);
/* Waits until it is at least (at most) that; false after limit_ms. */
bool hostile_reaches(const struct hostile *h, const char *key, double least,
		     int limit_ms);
bool hostile_falls(const struct hostile *h, const char *key, double most,
		   int limit_ms);
/* A product judges: an evil file is denied again. */
bool hostile_protects(const struct hostile *h, int limit_ms);
/* What `bailey ARGUMENT...` prints, NUL-terminated; returns its exit code or
 * a negated errno. The list ends with a null. */
int hostile_command(const struct hostile *h, const char *const *arguments,
		    char *ret_text, size_t size);
/* Sends a signal to one of bailey's processes only. */
int hostile_signal(const struct hostile *h, pid_t pid, int number);

/* Zeroed memory that actors share with the test. */
void *hostile_shared(size_t size);

#endif
