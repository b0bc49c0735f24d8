/* SPDX-License-Identifier: Apache-2.0 */
/* key_pem.c - keys as text: public ones in metadata, private ones at rest */
#include <ctype.h>
#include <string.h>

#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/rand.h>
#include <openssl/x509.h>

#include "update/key_internal.h"

/* scrypt: 16 MiB, a quarter of a second of a processor of today. */
#define SCRYPT_N (1u << 14)
#define SCRYPT_R 8u
#define SCRYPT_P 5u
#define SALT_BYTES 16

static inline void bio_freep(BIO **bio)
{
	BIO_free(*bio);
}
#define cleanup_bio __attribute__((cleanup(bio_freep)))

/* What was asked for while a text was decoded. */
struct asked {
	const char *passphrase;
	size_t length;
	bool was;
};

static int give_passphrase(char *buffer, int size, int write, void *context)
{
	struct asked *asked = context;

	asked->was = true;
	if (!asked->passphrase || size < 0 ||
	    asked->length > (size_t)size) {
		return -1;
	}
	memcpy(buffer, asked->passphrase, asked->length);
	return (int)asked->length;
}

static bool only_blanks_left(BIO *bio)
{
	char c;

	while (BIO_read(bio, &c, 1) == 1) {
		if (!isspace((unsigned char)c)) {
			return false;
		}
	}
	return true;
}

EVP_PKEY *key_pem_public(const char *pem, size_t length)
{
	cleanup_bio BIO *bio = NULL;
	struct asked none = { 0 };
	EVP_PKEY *pkey;

	if (length > KEY_PUBLIC) {
		return NULL;
	}
	bio = BIO_new_mem_buf(pem, (int)length);
	pkey = bio ? PEM_read_bio_PUBKEY(bio, NULL, give_passphrase, &none)
		   : NULL;
	if (pkey && !only_blanks_left(bio)) {
		EVP_PKEY_free(pkey);
		pkey = NULL;
	}
	ERR_clear_error();
	return pkey;
}

/* Takes the bytes of a memory BIO over, with a NUL behind them. */
static char *bio_text(BIO *bio, size_t *ret_length)
{
	char *bytes;
	long n = BIO_get_mem_data(bio, &bytes);
	char *text = n > 0 ? malloc((size_t)n + 1) : NULL;

	if (text) {
		memcpy(text, bytes, (size_t)n);
		text[n] = '\0';
		*ret_length = (size_t)n;
	}
	return text;
}

char *key_pem_write_public(EVP_PKEY *pkey)
{
	cleanup_bio BIO *bio = BIO_new(BIO_s_mem());
	size_t length;

	if (!bio || !PEM_write_bio_PUBKEY(bio, pkey)) {
		ERR_clear_error();
		return NULL;
	}
	return bio_text(bio, &length);
}

int key_read_public(const char *pem, size_t length, struct key **ret_key)
{
	cleanup_pkey EVP_PKEY *pkey = key_pem_public(pem, length);
	enum key_kind kind;
	int r = pkey ? key_classify(pkey, &kind) : -EBADMSG;

	r = r ? r : key_new(pkey, kind, false, NULL, ret_key);
	if (r == 0) {
		pkey = NULL;
	}
	return r;
}

int key_read_private(const char *pem, size_t length, const char *passphrase,
		     size_t passphrase_length, struct key **ret_key)
{
	struct asked asked = { passphrase, passphrase_length, false };
	cleanup_pkey EVP_PKEY *pkey = NULL;
	cleanup_bio BIO *bio = NULL;
	enum key_kind kind;
	int r;

	if (length > KEY_PEM || passphrase_length > KEY_PASSPHRASE) {
		return -EBADMSG;
	}
	bio = BIO_new_mem_buf(pem, (int)length);
	if (!bio) {
		return -ENOMEM;
	}
	pkey = PEM_read_bio_PrivateKey(bio, NULL, give_passphrase, &asked);
	ERR_clear_error();
	if (!pkey && asked.was) {
		return passphrase ? KEY_WRONG_PASSPHRASE : KEY_ENCRYPTED;
	}
	r = pkey ? key_classify(pkey, &kind) : -EBADMSG;
	r = r ? r : key_new(pkey, kind, true, NULL, ret_key);
	if (r == 0) {
		pkey = NULL;
	}
	return r;
}

/* The scrypt parameters with a salt of their own; owned by the result below. */
static X509_ALGOR *scrypt_parameters(void)
{
	uint8_t salt[SALT_BYTES];

	if (RAND_bytes(salt, sizeof(salt)) <= 0) {
		return NULL;
	}
	return PKCS5_pbe2_set_scrypt(EVP_aes_256_cbc(), salt, sizeof(salt),
				     NULL, SCRYPT_N, SCRYPT_R, SCRYPT_P);
}

static X509_SIG *encrypt(const EVP_PKEY *pkey, const char *passphrase,
			 size_t length)
{
	PKCS8_PRIV_KEY_INFO *plain = EVP_PKEY2PKCS8(pkey);
	X509_ALGOR *parameters = plain ? scrypt_parameters() : NULL;
	X509_SIG *sealed = NULL;

	if (parameters) {
		sealed = PKCS8_set0_pbe(passphrase, (int)length, plain,
					parameters);
		if (!sealed) {
			X509_ALGOR_free(parameters);
		}
	}
	PKCS8_PRIV_KEY_INFO_free(plain);        /* wipes */
	return sealed;
}

int key_write_private(const struct key *key, const char *passphrase,
		      size_t passphrase_length, char **ret_pem,
		      size_t *ret_length)
{
	cleanup_bio BIO *bio = BIO_new(BIO_s_mem());
	X509_SIG *sealed;
	char *text = NULL;

	if (!key->secret) {
		return -EPERM;
	}
	if (!passphrase_length || passphrase_length > KEY_PASSPHRASE) {
		return -EINVAL;
	}
	sealed = bio ? encrypt(key->pkey, passphrase, passphrase_length)
		     : NULL;
	if (sealed && PEM_write_bio_PKCS8(bio, sealed)) {
		text = bio_text(bio, ret_length);
	}
	X509_SIG_free(sealed);
	ERR_clear_error();
	if (!text) {
		return -ENOMEM;
	}
	*ret_pem = text;
	return 0;
}

void key_pem_free(char *pem, size_t length)
{
	if (pem) {
		OPENSSL_cleanse(pem, length);
		free(pem);
	}
}
