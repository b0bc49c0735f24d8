/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base/sha256.h - SHA-256 of bytes that come in pieces, by libcrypto
 *
 * A failure of libcrypto (memory) is kept and comes out at the end.
 */
#ifndef BASE_SHA256_H
#define BASE_SHA256_H

#include <stddef.h>
#include <stdint.h>

#include "base/result.h"

#define SHA256_SIZE 32u

struct sha256 {
	void *context;                  /* own; null: failed */
};

/* Every begin needs one end. */
void sha256_begin(struct sha256 *sha);
void sha256_add(struct sha256 *sha, const void *bytes, size_t size);
int sha256_end(struct sha256 *sha, uint8_t ret_digest[SHA256_SIZE]) must_use;

#endif
