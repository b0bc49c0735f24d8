/* SPDX-License-Identifier: Apache-2.0 */
#include "base/sha256.h"

#include <openssl/evp.h>

static void sha256_fail(struct sha256 *sha)
{
	EVP_MD_CTX_free(sha->context);
	sha->context = NULL;
}

void sha256_begin(struct sha256 *sha)
{
	sha->context = EVP_MD_CTX_new();
	if (sha->context != NULL &&
	    EVP_DigestInit_ex(sha->context, EVP_sha256(), NULL) != 1) {
		sha256_fail(sha);
	}
}

void sha256_add(struct sha256 *sha, const void *bytes, size_t size)
{
	if (sha->context != NULL &&
	    EVP_DigestUpdate(sha->context, bytes, size) != 1) {
		sha256_fail(sha);
	}
}

int sha256_end(struct sha256 *sha, uint8_t ret_digest[SHA256_SIZE])
{
	int r = -ENOMEM;

	if (sha->context != NULL &&
	    EVP_DigestFinal_ex(sha->context, ret_digest, NULL) == 1) {
		r = 0;
	}
	sha256_fail(sha);
	return r;
}
