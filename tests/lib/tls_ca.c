/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/tls_ca.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <cmocka.h>

#define DAY 86400l

struct tls_ca {
	EVP_PKEY *key;                  /* own */
	X509 *certificate;              /* own */
	long serial;
};

static void extend(X509 *certificate, X509 *issuer, int what, const char *text)
{
	X509V3_CTX context;
	X509_EXTENSION *extension;

	X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
	extension = X509V3_EXT_conf_nid(NULL, &context, what, text);
	assert_non_null(extension);
	assert_true(X509_add_ext(certificate, extension, -1));
	X509_EXTENSION_free(extension);
}

/* All but extensions and signature; issuer null: itself. */
static X509 *certificate_new(const char *name, EVP_PKEY *key, long serial,
			     const X509 *issuer, long from, long until)
{
	X509 *x = X509_new();
	X509_NAME *subject = x ? X509_get_subject_name(x) : NULL;

	assert_non_null(subject);
	assert_true(X509_set_version(x, X509_VERSION_3));
	assert_true(ASN1_INTEGER_set(X509_get_serialNumber(x), serial));
	assert_non_null(X509_gmtime_adj(X509_getm_notBefore(x), from));
	assert_non_null(X509_gmtime_adj(X509_getm_notAfter(x), until));
	assert_true(X509_NAME_add_entry_by_txt(
		subject, "CN", MBSTRING_ASC, (const unsigned char *)name, -1,
		-1, 0));
	assert_true(X509_set_issuer_name(
		x, issuer ? X509_get_subject_name(issuer) : subject));
	assert_true(X509_set_pubkey(x, key));
	return x;
}

struct tls_ca *tls_ca_new(const char *name)
{
	struct tls_ca *ca = calloc(1, sizeof(*ca));

	assert_non_null(ca);
	ca->key = EVP_EC_gen("P-256");
	assert_non_null(ca->key);
	ca->certificate = certificate_new(name, ca->key, ++ca->serial, NULL,
					  -DAY, DAY);
	extend(ca->certificate, ca->certificate, NID_basic_constraints,
	       "critical,CA:TRUE");
	extend(ca->certificate, ca->certificate, NID_key_usage,
	       "critical,keyCertSign");
	extend(ca->certificate, ca->certificate, NID_subject_key_identifier,
	       "hash");
	assert_true(X509_sign(ca->certificate, ca->key, EVP_sha256()));
	return ca;
}

void tls_ca_free(struct tls_ca *ca)
{
	if (ca) {
		X509_free(ca->certificate);
		EVP_PKEY_free(ca->key);
		free(ca);
	}
}

void tls_ca_write(const struct tls_ca *ca, const char *path)
{
	FILE *file = fopen(path, "we");

	assert_non_null(file);
	assert_true(PEM_write_X509(file, ca->certificate));
	assert_int_equal(fclose(file), 0);
}

SSL_CTX *tls_ca_server(struct tls_ca *ca, const char *names, long from,
		       long until)
{
	SSL_CTX *server = SSL_CTX_new(TLS_server_method());
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *x;

	assert_non_null(server);
	assert_non_null(key);
	x = certificate_new("server", key, ++ca->serial, ca->certificate, from,
			    until);
	extend(x, ca->certificate, NID_subject_alt_name, names);
	extend(x, ca->certificate, NID_ext_key_usage, "serverAuth");
	assert_true(X509_sign(x, ca->key, EVP_sha256()));
	assert_int_equal(SSL_CTX_use_certificate(server, x), 1);
	assert_int_equal(SSL_CTX_use_PrivateKey(server, key), 1);
	X509_free(x);
	EVP_PKEY_free(key);
	return server;
}
