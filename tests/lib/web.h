/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lib/web.h - a web server of plain files on loopback, which can misbehave
 *
 * A child process; GET with Range, one connection a request. What was asked
 * for, and how many bytes of bodies went out, is in memory that the test
 * shares; mischief for names that hold a text is set there too, at any time.
 */
#ifndef LIB_WEB_H
#define LIB_WEB_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum web_mischief {
	WEB_GOOD,
	WEB_ABSENT,             /* 404 */
	WEB_ENDLESS,            /* a body without length or end */
	WEB_SLOW,               /* a byte a second */
	WEB_CUT,                /* half of the body, then closed */
	WEB_ROUND,              /* redirected to itself */
	WEB_WRONG,              /* a body of the right length, all 'x' */
	WEB_WHOLE               /* no ranges: always from the start */
};

#define WEB_ASKED 4096u

struct web_seen {
	volatile unsigned count;        /* requests */
	volatile uint64_t bytes;        /* of bodies */
	char asked[WEB_ASKED][160];     /* names, the first ones */
	volatile int mischief;          /* enum web_mischief */
	char holds[64];                 /* ...for names that hold this */
};

struct web {
	char url[64];           /* "http://127.0.0.1:PORT" */
	pid_t pid;
	struct web_seen *seen;
};

/* Aborts the test program when the system refuses. */
struct web *web_new(const char *folder);
void web_mischief(struct web *web, enum web_mischief mischief,
		  const char *holds);
/* Requests for names that hold the text, since web_forget(). */
unsigned web_asked(const struct web *web, const char *holds);
void web_forget(struct web *web);
void web_free(struct web *web);         /* null-safe */

#endif
