/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base/canon.h - canonical JSON: the bytes that signatures are made over
 *
 * OLPC canonical JSON: no white space, keys sorted by code point, in texts only
 * the quotation mark and the backslash escaped, integers in decimal, no other
 * numbers. Computed from the tree, so that members which we do not know are
 * signed for all the same.
 */
#ifndef BASE_CANON_H
#define BASE_CANON_H

#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "base/result.h"

/* ret_bytes: the caller's, free(); not terminated. 0, -ENOMEM, -EINVAL (a
 * number with a fraction, or nested beyond JSON_DEPTH). */
int canon_write(const json_t *value, uint8_t **ret_bytes, size_t *ret_length)
	must_use;

#endif
