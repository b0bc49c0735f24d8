/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/state.h - the state directory, and why one is refused
 *
 * Whoever can write into the directory could put his own sockets there and
 * tell the caller anything. So one that is named by --state must belong to the
 * caller, have mode 0700, and be reached without a symbolic link. The default
 * one must belong to root and be writable by root alone; others may pass
 * through it (view.sock shows everyone what concerns him).
 */
#ifndef CLI_STATE_H
#define CLI_STATE_H

#define STATE_DEFAULT "/run/bailey"

/* path null: the default. Says why on standard error. *ret_fd is O_PATH, the
 * caller's to close. 0, or a negative errno: -ENOENT, -EPERM, -ELOOP... */
int state_open(const char *path, int *ret_fd)
	__attribute__((warn_unused_result));

#endif
