/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lib/tls_ca.h - an authority made at test time, and servers that it vouches
 * for
 *
 * Keys are new in each run and are never written. Any failure of the library
 * ends the test.
 */
#ifndef TESTS_TLS_CA_H
#define TESTS_TLS_CA_H

#include <openssl/ssl.h>

struct tls_ca;

struct tls_ca *tls_ca_new(const char *name);
void tls_ca_free(struct tls_ca *ca);    /* null-safe */
/* Its certificate in PEM becomes the whole of this file. */
void tls_ca_write(const struct tls_ca *ca, const char *path);
/* A server's side: names as in "IP:127.0.0.1,DNS:localhost", good from and
 * until so many seconds from now. The caller's, SSL_CTX_free(). */
SSL_CTX *tls_ca_server(struct tls_ca *ca, const char *names, long from,
		       long until);

#endif
