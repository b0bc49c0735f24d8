/* SPDX-License-Identifier: Apache-2.0 */
/* update/key_internal.h - for key.c and key_pem.c only */
#ifndef UPDATE_KEY_INTERNAL_H
#define UPDATE_KEY_INTERNAL_H

#include <openssl/evp.h>

#include "update/key.h"

struct key {
	enum key_kind kind;
	bool secret;            /* the private part is there */
	EVP_PKEY *pkey;
	json_t *object;
	char id[KEY_ID];
};

/* Which kind of ours it is. 0, KEY_UNSUPPORTED. */
int key_classify(const EVP_PKEY *pkey, enum key_kind *ret_kind) must_use;
/* A key around pkey, which it owns on success; object: its own reference, or
 * null: made from pkey. */
int key_new(EVP_PKEY *pkey, enum key_kind kind, bool secret, json_t *object,
	    struct key **ret_key) must_use;
/* SubjectPublicKeyInfo in PEM and nothing else; null if it is not that. */
EVP_PKEY *key_pem_public(const char *pem, size_t length);
/* The other way; the caller's. */
char *key_pem_write_public(EVP_PKEY *pkey);

static inline void key_pkey_freep(EVP_PKEY **pkey)
{
	EVP_PKEY_free(*pkey);
}
#define cleanup_pkey __attribute__((cleanup(key_pkey_freep)))

#endif
