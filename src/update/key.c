/* SPDX-License-Identifier: Apache-2.0 */
/* key.c - key objects, verification, signing; libcrypto's error queue is left
 * as it was found: empty */
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/rsa.h>
#include <openssl/sha.h>

#include "base/canon.h"
#include "update/key_internal.h"

#define ED25519_BYTES 32u

#define KEY_ROW(sym, num, keytype, scheme) [num] = { keytype, scheme },
static const struct {
	const char *keytype, *scheme;
} kinds[] = { KEY_KIND_TABLE(KEY_ROW) };

#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

static inline void context_freep(EVP_MD_CTX **context)
{
	EVP_MD_CTX_free(*context);
}
#define cleanup_context __attribute__((cleanup(context_freep)))

const char *key_kind_name(enum key_kind kind)
{
	return (size_t)kind < KINDS ? kinds[kind].keytype : "unknown";
}

int key_kind_find(const char *name, enum key_kind *ret_kind)
{
	for (size_t i = 0; i < KINDS; i++) {
		if (i != KEY_ECDSA_OLD && strcmp(kinds[i].keytype, name) == 0) {
			*ret_kind = (enum key_kind)i;
			return 0;
		}
	}
	return -ENOENT;
}

static void hex(const uint8_t *bytes, size_t length, char *ret_text)
{
	for (size_t i = 0; i < length; i++) {
		ret_text[2 * i] = "0123456789abcdef"[bytes[i] >> 4];
		ret_text[2 * i + 1] = "0123456789abcdef"[bytes[i] & 15];
	}
	ret_text[2 * length] = '\0';
}

int key_object_id(const json_t *object, char ret_id[KEY_ID])
{
	cleanup_free uint8_t *bytes = NULL;
	uint8_t digest[SHA256_DIGEST_LENGTH];
	size_t length;
	int r = canon_write(object, &bytes, &length);

	if (r < 0) {
		return r;
	}
	SHA256(bytes, length, digest);
	hex(digest, sizeof(digest), ret_id);
	return 0;
}

int key_classify(const EVP_PKEY *pkey, enum key_kind *ret_kind)
{
	int bits = EVP_PKEY_get_bits(pkey);
	char group[32] = "";

	switch (EVP_PKEY_get_base_id(pkey)) {
	case EVP_PKEY_ED25519:
		*ret_kind = KEY_ED25519;
		return 0;
	case EVP_PKEY_RSA:
		*ret_kind = KEY_RSA;
		return bits < KEY_RSA_LEAST || bits > KEY_RSA_MOST
			? KEY_UNSUPPORTED : 0;
	case EVP_PKEY_EC:
		if (!EVP_PKEY_get_group_name(pkey, group, sizeof(group),
					     NULL) ||
		    strcmp(group, "prime256v1") != 0) {
			return KEY_UNSUPPORTED;
		}
		*ret_kind = KEY_ECDSA;
		return 0;
	default:
		return KEY_UNSUPPORTED;
	}
}

static json_t *make_object(EVP_PKEY *pkey, enum key_kind kind)
{
	char text[2 * ED25519_BYTES + 1];
	cleanup_free char *pem = NULL;
	const char *public = text;

	if (kind == KEY_ED25519) {
		uint8_t raw[ED25519_BYTES];
		size_t n = sizeof(raw);

		if (!EVP_PKEY_get_raw_public_key(pkey, raw, &n)) {
			return NULL;
		}
		hex(raw, n, text);
	} else {
		pem = key_pem_write_public(pkey);
		public = pem;
	}
	return public ? json_pack("{s:s,s:s,s:{s:s}}", "keytype",
				  kinds[kind].keytype, "scheme",
				  kinds[kind].scheme, "keyval", "public",
				  public) : NULL;
}

int key_new(EVP_PKEY *pkey, enum key_kind kind, bool secret, json_t *object,
	    struct key **ret_key)
{
	cleanup_key struct key *key = calloc(1, sizeof(*key));
	int r;

	if (!key) {
		return -ENOMEM;
	}
	key->kind = kind;
	key->secret = secret;
	key->object = object ? json_incref(object) : make_object(pkey, kind);
	if (!key->object) {
		return -ENOMEM;
	}
	r = key_object_id(key->object, key->id);
	if (r < 0) {
		return r;
	}
	key->pkey = pkey;
	*ret_key = key;
	key = NULL;
	return 0;
}

struct key *key_free(struct key *key)
{
	if (key) {
		EVP_PKEY_free(key->pkey);       /* wipes */
		json_decref(key->object);
		free(key);
	}
	return NULL;
}

/* The public part of an object of this kind; null if it is none. */
static int take_public(const struct json_at *object, enum key_kind kind,
		       EVP_PKEY **ret_pkey)
{
	cleanup_pkey EVP_PKEY *pkey = NULL;
	enum key_kind found = KEY_ED25519;
	struct json_at keyval;
	uint8_t raw[ED25519_BYTES];
	const char *text;
	int r = json_member(object, "keyval", &keyval);

	r = r ? r : json_text(&keyval, "public", KEY_PUBLIC, &text);
	if (r == 0 && kind == KEY_ED25519) {
		r = json_hex(&keyval, "public", raw, sizeof(raw));
	}
	if (r < 0) {
		return r;
	}
	pkey = kind == KEY_ED25519
		? EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, raw,
					      sizeof(raw))
		: key_pem_public(text, strlen(text));
	if (!pkey || key_classify(pkey, &found) ||
	    (found != kind &&
	     !(found == KEY_ECDSA && kind == KEY_ECDSA_OLD))) {
		ERR_clear_error();
		return json_refuse(&keyval, "public", "no %s key",
				   kinds[kind].keytype);
	}
	*ret_pkey = pkey;
	pkey = NULL;
	return 0;
}

int key_parse(const struct json_at *object, struct key **ret_key)
{
	cleanup_pkey EVP_PKEY *pkey = NULL;
	struct json_at keyval;
	const char *keytype, *scheme;
	size_t kind = 0;
	int r = json_text(object, "keytype", 64, &keytype);

	r = r ? r : json_text(object, "scheme", 64, &scheme);
	r = r ? r : json_member(object, "keyval", &keyval);
	if (r < 0) {
		return r;
	}
	while (kind < KINDS && (strcmp(kinds[kind].keytype, keytype) != 0 ||
				strcmp(kinds[kind].scheme, scheme) != 0)) {
		kind++;
	}
	if (kind == KINDS) {
		return KEY_UNSUPPORTED;
	}
	r = take_public(object, (enum key_kind)kind, &pkey);
	/* counts references only: the tree itself stays as it is */
	r = r ? r : key_new(pkey, (enum key_kind)kind, false,
			    (json_t *)(uintptr_t)object->value, ret_key);
	if (r == 0) {
		pkey = NULL;
	}
	return r;
}

enum key_kind key_kind(const struct key *key)
{
	return key->kind;
}

const char *key_id(const struct key *key)
{
	return key->id;
}

const json_t *key_object(const struct key *key)
{
	return key->object;
}

bool key_is_private(const struct key *key)
{
	return key->secret;
}

bool key_same(const struct key *a, const struct key *b)
{
	bool same = EVP_PKEY_eq(a->pkey, b->pkey) == 1;

	ERR_clear_error();
	return same;
}

/* SHA-256, and PSS for RSA; Ed25519 hashes by itself. */
static const EVP_MD *digest_of(const struct key *key)
{
	return key->kind == KEY_ED25519 ? NULL : EVP_sha256();
}

static bool set_padding(const struct key *key, EVP_PKEY_CTX *parameters,
			int salt)
{
	return key->kind != KEY_RSA ||
	       (EVP_PKEY_CTX_set_rsa_padding(parameters,
					     RSA_PKCS1_PSS_PADDING) > 0 &&
		EVP_PKEY_CTX_set_rsa_pss_saltlen(parameters, salt) > 0);
}

int key_verify(const struct key *key, const void *bytes, size_t length,
	       const void *signature, size_t signature_length)
{
	cleanup_context EVP_MD_CTX *context = EVP_MD_CTX_new();
	EVP_PKEY_CTX *parameters = NULL;
	int r;

	if (!context ||
	    EVP_DigestVerifyInit(context, &parameters, digest_of(key), NULL,
				 key->pkey) <= 0 ||
	    !set_padding(key, parameters, RSA_PSS_SALTLEN_AUTO)) {
		ERR_clear_error();
		return -ENOMEM;
	}
	r = EVP_DigestVerify(context, signature, signature_length, bytes,
			     length) == 1 ? 0 : KEY_BAD_SIGNATURE;
	ERR_clear_error();
	return r;
}

int key_sign(const struct key *key, const void *bytes, size_t length,
	     uint8_t ret_signature[KEY_SIGNATURE], size_t *ret_length)
{
	cleanup_context EVP_MD_CTX *context = EVP_MD_CTX_new();
	EVP_PKEY_CTX *parameters = NULL;
	size_t n = KEY_SIGNATURE;

	if (!key->secret) {
		return -EPERM;
	}
	if (!context ||
	    EVP_DigestSignInit(context, &parameters, digest_of(key), NULL,
			       key->pkey) <= 0 ||
	    !set_padding(key, parameters, RSA_PSS_SALTLEN_DIGEST) ||
	    EVP_DigestSign(context, ret_signature, &n, bytes, length) <= 0) {
		ERR_clear_error();
		return -EIO;
	}
	*ret_length = n;
	return 0;
}

int key_generate(enum key_kind kind, struct key **ret_key)
{
	cleanup_pkey EVP_PKEY *pkey = NULL;
	int r;

	if (kind == KEY_ED25519) {
		pkey = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	} else if (kind == KEY_RSA) {
		pkey = EVP_PKEY_Q_keygen(NULL, NULL, "RSA",
					 (size_t)KEY_RSA_NEW);
	} else {
		pkey = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
	}
	ERR_clear_error();
	r = pkey ? key_new(pkey, kind, true, NULL, ret_key) : -ENOMEM;
	if (r == 0) {
		pkey = NULL;
	}
	return r;
}
