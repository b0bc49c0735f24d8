/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/explain.h - event ids, as people give them
 */
#ifndef CLI_EXPLAIN_H
#define CLI_EXPLAIN_H

#include <stdint.h>

/* A decimal number and nothing else. 0, -EINVAL, -ERANGE. */
int explain_id(const char *text, uint64_t *ret_id)
	__attribute__((warn_unused_result));

#endif
