/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/file.h - a whole text file in memory
 */
#ifndef CLI_FILE_H
#define CLI_FILE_H

#include <stddef.h>

#define FILE_MOST (4u * 1024 * 1024)

/* "-" is standard input. *ret_text is malloc'd and ends in a NUL that does not
 * count. Negative after saying why: an errno, -EFBIG. */
int file_read(const char *path, char **ret_text, size_t *ret_length)
	__attribute__((warn_unused_result));

#endif
