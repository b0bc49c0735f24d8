/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lib/fake_content.h - a stand-in for the content agent on content.sock
 *
 * A child process that listens in a temporary state directory, answers each
 * "do" with scripted datagrams, and can misbehave in place of ending. What was
 * asked last is in memory that the test shares.
 */
#ifndef LIB_FAKE_CONTENT_H
#define LIB_FAKE_CONTENT_H

#include <stddef.h>
#include <sys/types.h>

enum fake_content_end {
	FAKE_CONTENT_GOOD,      /* {"end":true,"error":0,...} */
	FAKE_CONTENT_STALL,     /* its datagrams, then nothing */
	FAKE_CONTENT_HANG_UP,   /* its datagrams, then close */
	FAKE_CONTENT_CUT,       /* the end without its last byte */
	FAKE_CONTENT_GARBAGE,   /* 64 bytes of 0xa5 */
	FAKE_CONTENT_OVERSIZE,  /* a datagram of 80 KiB */
	FAKE_CONTENT_EMPTY,     /* a datagram of no bytes */
	FAKE_CONTENT_ENDLESS    /* its datagrams again and again */
};

#define FAKE_CONTENT_RECORDS 32u

struct fake_content_seen {
	unsigned count;         /* connections with a request */
	char request[8192];     /* the last one, NUL at the end */
	int passed;             /* a descriptor of a directory came with it */
};

struct fake_content {
	char dir[64];           /* state directory, mode 0700 */
	pid_t pid;
	int listener;
	struct fake_content_seen *seen;         /* shared with the child */
	char *record[FAKE_CONTENT_RECORDS];
	size_t records;
	enum fake_content_end end;
	char end_text[2048];
};

/* All of these abort the test program when the system refuses. */
struct fake_content *fake_content_new(void);
/* Appends a datagram to what every request is answered with. */
void fake_content_record(struct fake_content *fake, const char *json);
/* text: the end's, JSON; null: error 0 and no text. */
void fake_content_end(struct fake_content *fake, enum fake_content_end end,
		      const char *text);
void fake_content_start(struct fake_content *fake);
/* Ends the child, removes the directory. Null-safe. */
void fake_content_free(struct fake_content *fake);

#endif
