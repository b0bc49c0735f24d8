/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/exception.h - the rule line of an exception (bailey.rules(5))
 *
 * By identity where the object is there now: a name may be put on anything
 * later, an identity may not. By path where it is not.
 */
#ifndef CLI_EXCEPTION_H
#define CLI_EXCEPTION_H

#include <stddef.h>
#include <stdint.h>

#define EXCEPTION_TEXT 512      /* room in struct admin_request */

int exception_by_object(uint64_t device, uint64_t inode,
			char ret_text[EXCEPTION_TEXT])
	__attribute__((warn_unused_result));
/* -EINVAL: not absolute or not plain (., .., //); -ENAMETOOLONG. */
int exception_by_path(const char *path, char ret_text[EXCEPTION_TEXT])
	__attribute__((warn_unused_result));
/* hash: 64 hexadecimal digits, else -EINVAL. */
int exception_by_sha256(const char *hash, char ret_text[EXCEPTION_TEXT])
	__attribute__((warn_unused_result));

#endif
