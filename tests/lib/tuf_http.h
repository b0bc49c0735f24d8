/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lib/tuf_http.h - a small HTTP server on the loopback, for a simulated
 * repository, that misbehaves on request
 *
 * Each connection has a thread; between two requests of the client the test may
 * change the repository. Paths: /metadata/NAME, /targets/NAME. With tls it
 * speaks HTTPS to whoever connects from then on; base says so then.
 */
#ifndef TESTS_TUF_HTTP_H
#define TESTS_TUF_HTTP_H

#include <pthread.h>
#include <stdatomic.h>

#include <openssl/ssl.h>

#include "lib/tuf_sim.h"

enum http_odd {                         /* what is done in place of an answer */
	HTTP_GOOD,
	HTTP_SLOW,                      /* a byte each 100 ms */
	HTTP_SILENT,                    /* nothing, for ever */
	HTTP_ENDLESS,                   /* blanks, without a length */
	HTTP_ENDLESS_ABSENT,            /* 404, with the same */
	HTTP_LONG,                      /* says a length of 1 GB */
	HTTP_BREAKS,                    /* half of it, then closes */
	HTTP_CIRCLE,                    /* redirects to itself */
	HTTP_MOVED,                     /* once, to /metadata/moved/NAME */
	HTTP_ELSEWHERE,                 /* redirects to elsewhere, and NAME */
	HTTP_TO_FILE,                   /* redirects to file:///etc/passwd */
	HTTP_NOWHERE,                   /* a redirect without a place, a body */
	HTTP_ERROR,                     /* 500, with a body */
	HTTP_EMPTY,                     /* 204 */
	HTTP_WRONG_RANGE,               /* 206 of another place */
	HTTP_GARBAGE                    /* what is no HTTP */
};

struct sim_http {
	struct sim *sim;
	int listener;                   /* owned */
	unsigned port;
	pthread_t thread;
	atomic_int stop;
	atomic_uint connections;        /* so far */
	_Atomic enum http_odd odd;      /* for odd_name, or all if it is null */
	const char *odd_name;
	atomic_bool plain;              /* a file server: decodes a path once,
					 * and looks for a file of that name */
	const char *elsewhere;
	SSL_CTX *_Atomic tls;           /* borrowed; null: plain HTTP */
	bool ipv6;
	char base[64];                  /* http://127.0.0.1:PORT/ */
};

void sim_http_start(struct sim_http *h, struct sim *s, bool ipv6);
/* From the next connection on; null: plain HTTP again. */
void sim_http_tls(struct sim_http *h, SSL_CTX *tls);
void sim_http_stop(struct sim_http *h);

#endif
