/* SPDX-License-Identifier: Apache-2.0 */
/*
 * update/key.h - public keys that verify, private keys that sign
 *
 * The key objects of The Update Framework: ed25519, ECDSA on P-256 (keytype
 * `ecdsa' or `ecdsa-sha2-nistp256'), RSA-PSS with SHA-256. All cryptography is
 * libcrypto's. A key of another kind is no fault of the document that holds
 * it: it is KEY_UNSUPPORTED, and verifies nothing.
 *
 * A key's id is the SHA-256 of the canonical form of its object, unknown
 * members included. Whether a document may use another id is its reader's
 * decision; key_id() only computes.
 *
 * Private keys rest as PKCS#8 in PEM, encrypted by AES-256-CBC under a key
 * that scrypt makes of the passphrase. What held a secret is wiped.
 *
 * A key does not change once made: any thread may verify with it.
 */
#ifndef UPDATE_KEY_H
#define UPDATE_KEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "base/json.h"
#include "base/result.h"

#define KEY_ID 65u              /* hexadecimal, with its NUL */
#define KEY_PEM (32u << 10)     /* bytes of one file */
#define KEY_PUBLIC (16u << 10)  /* characters of "public" */
#define KEY_SIGNATURE 1024u     /* bytes: RSA of 8192 bits */
#define KEY_PASSPHRASE 512u     /* bytes */
#define KEY_RSA_LEAST 2048
#define KEY_RSA_MOST 8192
#define KEY_RSA_NEW 3072        /* bits of one that is generated */

/* X(SYMBOL, number, "keytype", "scheme") */
#define KEY_KIND_TABLE(X)                                                     \
	X(ED25519, 0, "ed25519", "ed25519")                                   \
	X(ECDSA, 1, "ecdsa", "ecdsa-sha2-nistp256")                           \
	X(ECDSA_OLD, 2, "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp256")         \
	X(RSA, 3, "rsa", "rsassa-pss-sha256")

enum key_kind {
#define KEY_ENUM(sym, num, keytype, scheme) KEY_##sym = num,
	KEY_KIND_TABLE(KEY_ENUM)
#undef KEY_ENUM
};

enum key_condition {
	KEY_UNSUPPORTED = 1,    /* another keytype or scheme */
	KEY_BAD_SIGNATURE = 2,
	KEY_ENCRYPTED = 3,      /* a passphrase is needed */
	KEY_WRONG_PASSPHRASE = 4
};

struct key;

/* A TUF key object. 0; KEY_UNSUPPORTED (nothing is made); -EBADMSG with the
 * fault filled (the object is malformed, or its public part is no key of its
 * kind); -ENOMEM. */
int key_parse(const struct json_at *object, struct key **ret_key) must_use;
/* Null-safe; returns null; wipes. */
struct key *key_free(struct key *key);
/* The id of a key object. 0, -ENOMEM, -EINVAL (see canon_write). */
int key_object_id(const json_t *object, char ret_id[KEY_ID]) must_use;

enum key_kind key_kind(const struct key *key);
const char *key_kind_name(enum key_kind kind);  /* its keytype */
/* "ed25519", "ecdsa", "rsa"; 0 or -ENOENT. */
int key_kind_find(const char *name, enum key_kind *ret_kind) must_use;
const char *key_id(const struct key *key);      /* borrowed */
const json_t *key_object(const struct key *key); /* borrowed */
bool key_is_private(const struct key *key);
/* Is it the same public key, however its object is written? */
bool key_same(const struct key *a, const struct key *b);

/* 0, KEY_BAD_SIGNATURE, -ENOMEM. Any bytes may be given as a signature. */
int key_verify(const struct key *key, const void *bytes, size_t length,
	       const void *signature, size_t signature_length) must_use;
/* 0; -EPERM: only its public part is here; or an errno. */
int key_sign(const struct key *key, const void *bytes, size_t length,
	     uint8_t ret_signature[KEY_SIGNATURE], size_t *ret_length)
	must_use;

/* A new private key. */
int key_generate(enum key_kind kind, struct key **ret_key) must_use;
/* A private key from PEM: PKCS#8, encrypted or not, or the older forms of
 * OpenSSL. passphrase may be null. 0, KEY_ENCRYPTED, KEY_WRONG_PASSPHRASE,
 * KEY_UNSUPPORTED, -EBADMSG, -ENOMEM. */
int key_read_private(const char *pem, size_t length, const char *passphrase,
		     size_t passphrase_length, struct key **ret_key) must_use;
/* A public key from PEM (SubjectPublicKeyInfo). */
int key_read_public(const char *pem, size_t length, struct key **ret_key)
	must_use;
/* Encrypted PEM, the caller's; wipe and free it by key_pem_free(). -EINVAL: no
 * passphrase, or too long; -EPERM: only its public part is here. */
int key_write_private(const struct key *key, const char *passphrase,
		      size_t passphrase_length, char **ret_pem,
		      size_t *ret_length) must_use;
void key_pem_free(char *pem, size_t length);

static inline void key_freep(struct key **key)
{
	key_free(*key);
}
#define cleanup_key __attribute__((cleanup(key_freep)))

#endif
