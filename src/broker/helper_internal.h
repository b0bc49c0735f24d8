/* SPDX-License-Identifier: Apache-2.0 */
/*
 * broker/helper_internal.h - the helper's own parts (helper.h is the seam)
 *
 * One thread, one poll loop (helper_main.c). Three kinds of children:
 *
 *   jobs    fork of the helper, ours to reap: read configuration, prepare a
 *           jail. Registered in handoff_table.own before they pass their gate;
 *           they talk to the loop by a SEQPACKET channel; killed at the limit.
 *   guests  clone with CLONE_PARENT: products and keepers, the monitor's to
 *           reap. We hold a pidfd to know when to remove their cgroups, and the
 *           read end of a product's standard error.
 *   listers children of a job (`ld.so --list`), registered like jobs.
 *
 * Bounds: HELPER_JOBS jobs at a time (EAGAIN beyond), HELPER_GUESTS guests.
 * A job touches files; the loop never does, so it cannot be held by a mark.
 */
#ifndef BROKER_HELPER_INTERNAL_H
#define BROKER_HELPER_INTERNAL_H

#include <stdbool.h>

#include "base/pass.h"
#include "base/mono.h"
#include "broker/helper.h"
#include "broker/jail.h"

#define HELPER_JOBS 8u
#define HELPER_GUESTS (HANDOFF_PRODUCTS * 3u + AGENT_TRIES + 4u)
#define HELPER_LIMIT_MS 30000u  /* of a job whose request names none */

/* What a prepare job hands to the loop. Descriptors beside it: the bits of
 * `have` in rising order. */
enum {
	PREPARED_ROOT,
	PREPARED_PROCS,
	PREPARED_DIRECTORIES = PREPARED_PROCS + JAIL_CGROUPS,
	PREPARED_FREEZE = PREPARED_DIRECTORIES + JAIL_DIRECTORIES,
	PREPARED_END
};

struct helper_prepared {
	uint32_t have;
	int32_t error[JAIL_MEASURES];   /* of measures that preparation does */
	struct handoff_expect expect;
	struct jail_files files;
};

struct helper_message {                 /* on a job's channel */
	uint32_t prepared;              /* 1: the second member counts */
	struct helper_reply reply;
	struct helper_prepared product;
};

enum job_state {
	JOB_FREE,
	JOB_RUNNING,                    /* a child of ours works */
	JOB_ENDING,                     /* answered; its child is going */
	JOB_ENTERING                    /* a product is on its way to exec */
};

struct job {
	enum job_state state;
	pid_t pid;                      /* job child; entering: the product */
	int pidfd;
	int channel;                    /* job's channel or status pipe */
	bool answered;                  /* a reply with more = 0 was sent */
	bool timed_out;
	mono_t limit;
	struct helper_request request;
	char cgroup[JAIL_CGROUP_NAME];  /* of the product that it prepares */
	/* entering only */
	int session;                    /* the engine's end */
	int directory[JAIL_DIRECTORIES];
	int statm, freeze;
	struct handoff_expect expect;
	int32_t error[JAIL_MEASURES];
	uint64_t noted;                 /* bit per measure */
};

/* Standard error of one product: lines, at a bounded rate. */
struct guest_text {
	int fd;                         /* read end, non-blocking; -1 */
	mono_t again;                   /* not read before */
	uint32_t budget;                /* lines left in this window */
	uint32_t dropped;
	mono_t window;
	uint32_t length;
	char line[256];
};

struct guest {
	pid_t pid;                      /* 0: free */
	int pidfd;                      /* -1: gone, its cgroups not yet */
	char name[MANIFEST_NAME];       /* "" for a keeper */
	char cgroup[JAIL_CGROUP_NAME];
	uint32_t tries;                 /* to remove them */
	mono_t again;                   /* next one */
	struct guest_text text;
};

struct root_cache {
	int root;                       /* detached mount, -1 */
	struct jail_files files;
};

struct helper {
	const struct helper_start *start;
	int socket;
	int monitor;                    /* pidfd */
	int null;
	bool strict;                    /* files must be root's alone */
	uint64_t serial;                /* counts jobs: names of cgroups */
	struct jail_cgroups cgroups;
	struct job job[HELPER_JOBS];
	struct guest guest[HELPER_GUESTS];
	struct root_cache cache[HANDOFF_PRODUCTS];
};

/* ---- helper_own.c: the table of our own processes ---- */

void own_init(struct handoff_table *table);
must_use int own_add(pid_t pid);
void own_remove(pid_t pid);
/* Frees slots of processes that are gone. */
void own_sweep(void);
/* fork(); the child returns only after it was registered. */
pid_t own_fork(void);

/* ---- helper_reply.c ---- */

/* In a job: one reply through the loop. Ends the job if the loop is gone. */
void job_reply(int channel, const struct helper_request *request,
	       struct helper_reply *reply, const int *fds, size_t count);
void job_done(int channel, const struct helper_request *request, int error,
	      const char *text);
void job_complain(int channel, const struct helper_request *request,
		  const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* In the loop: straight to the monitor. */
void loop_reply(const struct helper *helper,
		const struct helper_request *request,
		struct helper_reply *reply, const int *fds, size_t count);

/* ---- bodies of jobs; run in a child, channel is to the loop ---- */

void task_load(const struct helper *helper, const struct helper_request *,
	       int channel);
void task_rules(const struct helper *helper, const struct helper_request *,
		int channel);
void task_exception_add(const struct helper *helper,
			const struct helper_request *, int channel);
void task_exception_remove(const struct helper *helper,
			   const struct helper_request *, int channel);
void task_exceptions(const struct helper *helper,
		     const struct helper_request *, int channel);
void task_processes(const struct helper *helper,
		    const struct helper_request *, int channel);
void task_prepare(const struct helper *helper, const struct helper_request *,
		  int channel);
void task_content(const struct helper *helper, const struct helper_request *,
		  int channel);

/* ---- helper_content.c: content that the agent manages ---- */

/* The directory to hand over, of that slot or of `current` (null), on a mount
 * of its own, and what it declares. -ENOENT: there is no version yet. */
must_use int content_open(const struct helper *helper, const char *product,
			  const uint8_t *hash, int *ret_fd,
			  struct handoff_expect *ret_expect);
/* Hexadecimal, lower case, 64 digits. */
must_use int content_hash(const char *text, uint8_t ret_hash[AGENT_HASH]);

/* Open directory on a detached mount of its own, with MOUNT_ATTR_*. */
must_use int prepare_detach(int directory, uint64_t flags, int *ret_fd);

/* Parts of task_load that other tasks share. */
must_use int rules_send(const struct helper *helper,
			const struct helper_request *request, int channel);
must_use int keep_send(const struct helper *helper,
		       const struct helper_request *request, int channel);
void manifests_send(const struct helper *helper,
		    const struct helper_request *request, int channel);

/* ---- guests (helper_guest.c, helper_launch.c) ---- */

/* After a prepare job: clones the product. The job becomes ENTERING. Takes
 * the descriptors. */
void launch_product(struct helper *helper, struct job *job,
		    struct helper_prepared *prepared, int *fds, size_t count);
/* The status pipe is readable. */
void launch_status(struct helper *helper, struct job *job);
void launch_give_up(struct helper *helper, struct job *job, int error,
		    const char *text);
/* fork() for the monitor. The child returns registered, or not at all.
 * ret_pidfd only in the parent. */
pid_t launch_clone(unsigned long namespaces, int *ret_pidfd);

/* helper_exec.c */
void launch_keeper(struct helper *helper, const struct helper_request *request,
		   const int *fds, size_t count);
void launch_agent(struct helper *helper, const struct helper_request *request,
		  const int *fds, size_t count);

void guest_text_init(struct guest_text *text, int fd);
/* Takes what is there, within the rate; `emit` gets whole, cleaned lines. */
void guest_text_read(struct guest_text *text, mono_t now,
		     void (*emit)(void *context, const char *line),
		     void *context);
/* Registers a process that the monitor will reap. Null: table is full. */
struct guest *guest_add(struct helper *helper, pid_t pid, int pidfd,
			const char *name, int text);
/* It died: unregisters it, reads its last words. */
void guest_end(struct helper *helper, struct guest *guest);
/* Removes its cgroups; the entry is free when that is done or given up. */
void guest_leave(struct helper *helper, struct guest *guest, mono_t now);
void guest_read(struct guest *guest, mono_t now);

/* ---- helper_file.c: files that root wrote ---- */

#define FILE_BYTES (1u << 20)

/* Whole file, NUL-terminated, malloc'd. strict: root's alone. -EPERM,
 * -EFBIG, errno. */
must_use int file_read(int dir, const char *name, bool strict,
		       char **ret_text, size_t *ret_length);
/* Replaces or creates it as one step that survives a power cut. */
must_use int file_write(int dir, const char *name, const char *text,
			size_t length);
/* Names in a directory that end in suffix, sorted; free each and the list. */
must_use int file_list(int dir, const char *suffix, char ***ret_names,
		       size_t *ret_count);
void file_list_free(char **names, size_t count);
/* Sealed, read-only in effect: a memfd with these bytes. */
must_use int file_sealed(const char *name, const void *bytes, size_t size,
			 int *ret_fd);

#endif
