/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/lib/jail_monitor.h - a fake monitor: asks the helper, reaps guests
 */
#ifndef JAIL_MONITOR_H
#define JAIL_MONITOR_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "broker/helper.h"

struct jail_monitor {
	char base[64];                  /* temporary directory */
	char etc[96], state[96];
	struct helper_start start;
	pid_t helper;
	int socket;
};

struct jail_started {
	int error;
	pid_t pid;
	int pidfd, session;
	int directory[4];               /* by enum bailey_directory; -1 */
	char text[512];
	unsigned doctor_rows, doctor_missing;
	unsigned long long took_us;
};

/* Directories, table, helper. Exits the test when that fails. */
void jail_monitor_init(struct jail_monitor *ret_monitor);
/* With this mode of the state directory: one that others may write makes the
 * helper strict about who owns files. */
void jail_monitor_init_mode(struct jail_monitor *ret_monitor, unsigned mode);
/* Closes the socket; true if the helper ended by itself within 2 s. */
bool jail_monitor_fini(struct jail_monitor *monitor);
void jail_request(struct jail_monitor *monitor,
		  const struct helper_request *request, const int *fds,
		  size_t count);
/* One reply; fds: 16 of them, owned. False at the end of the helper or after
 * 20 s. */
bool jail_reply(struct jail_monitor *monitor, struct helper_reply *ret_reply,
		int *ret_fds, size_t *ret_count);
/* A manifest for the probe, run in this mode of behaviour. */
void jail_manifest(struct manifest *ret_manifest, const char *program,
		   const char *name, const char *mode);
void jail_start(struct jail_monitor *monitor, const struct manifest *manifest,
		struct jail_started *ret_started);
/* Kills, reaps, closes. Returns the wait status. */
int jail_stop(struct jail_started *started);
/* A datagram of the product's session: its length, 0 end, -1 after 5 s. */
ssize_t jail_hear(const struct jail_started *started, char *text, size_t size);
void jail_hand(const struct jail_started *started, int fd);
/* Descriptors that a process has open. */
int jail_fd_count(pid_t pid);
/* Processes that the helper lists as the broker's own. */
int jail_own_count(const struct jail_monitor *monitor);
/* Until the helper has no process below it, no cgroup of this monitor is left,
 * and the helper has at most that many descriptors open; -1: any. False after
 * 10 s. */
bool jail_wait_idle(const struct jail_monitor *monitor, int fds);
/* Directories named bailey-* below the cgroup hierarchies. */
int jail_cgroup_count(pid_t monitor);
/* A temporary directory with all that is in it. */
void jail_remove(const char *path);
void jail_write(const char *directory, const char *name, const char *text,
		unsigned mode);

#endif
