/* SPDX-License-Identifier: Apache-2.0 */
/*
 * update/updater_file.h - files in staging: whole or not there, never a link
 *
 * Names are relative to an open folder, components joined by '/'. A file is
 * written as .new beside its place, synced, renamed, and its folder synced.
 */
#ifndef UPDATE_UPDATER_FILE_H
#define UPDATE_UPDATER_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/result.h"

#define FILE_DEEPEST 8u

/* Opens the folder of a name, made where it is missing; *ret_last is the last
 * component, borrowed. -ELOOP, -ENOTDIR: something else is in the way. */
int file_folder(int folder, const char *name, int *ret_folder,
		const char **ret_last) must_use;
int file_write(int folder, const char *name, const void *bytes, size_t length)
	must_use;
/* The caller's, with a NUL behind. -ENOENT, -EFBIG over maximum, -EINVAL no
 * regular file. */
int file_read(int folder, const char *name, size_t maximum,
	      uint8_t **ret_bytes, size_t *ret_length) must_use;
/* Is it there as a regular file of this length with this SHA-256? sha256 may
 * be null: the length is enough. */
bool file_is(int folder, const char *name, uint64_t length,
	     const uint8_t *sha256);
/* A regular file, and not a link. */
bool file_exists(int folder, const char *name);
/* Its modification time becomes now; made with this mode if missing. */
int file_touch(int folder, const char *name, unsigned mode) must_use;
/* All below the folder whose name, with prefix in front, wanted() does not
 * know goes, and folders that are empty then. Negative: something stayed. */
int file_sweep(int folder, const char *prefix,
	       bool (*wanted)(void *context, const char *name), void *context)
	must_use;
/* SHA-256 of what is left to read of fd. */
int file_hash(int fd, uint8_t ret_sha256[32]) must_use;

#endif
