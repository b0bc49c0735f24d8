/* SPDX-License-Identifier: Apache-2.0 */
/*
 * update/fetch.h - files below one base, from wherever they are
 *
 * A fetcher has one base (a URL, a folder) and gets names below it: relative,
 * components joined by '/', each already percent-encoded as it stands in a URL
 * and in a file name (fetch_quote). What it brings is not trusted; the caller
 * says how much it takes before the first byte is asked for. One request at a
 * time; a fetcher belongs to one thread.
 *
 * Bodies: http and https through libcurl (system roots, IPv6, proxies from the
 * environment, redirects up to FETCH_REDIRECTS and never to file: nor, when
 * the base is https, to http); a folder, which also is what file:// becomes
 * (nothing outside it, no link is followed, regular files only). Tests have
 * their own.
 */
#ifndef UPDATE_FETCH_H
#define UPDATE_FETCH_H

#include <stddef.h>
#include <stdint.h>

#include "base/result.h"

#define FETCH_WHY 256u
#define FETCH_REDIRECTS 8
#define FETCH_NAME 1024u                /* longest name, with its NUL */

enum fetch_result {
	FETCH_ABSENT = 1                /* there is no such file (404, 403) */
};

/* Takes n bytes which stand at offset of the file. Offsets go up without a
 * gap; the first is `from`, or 0 when the source cannot start elsewhere. A
 * negative result ends the transfer and is passed on. */
typedef int (*fetch_sink)(void *context, uint64_t offset, const void *bytes,
			  size_t n);

struct fetch {
	/* 0, FETCH_ABSENT, or an errno: -EFBIG more than maximum bytes in all
	 * (counted from the file's start), -ERANGE it ends before `from`,
	 * -ETIMEDOUT, -ELOOP redirects, -ECONNREFUSED, -ECONNRESET it broke
	 * off, -EHOSTUNREACH, -EKEYREJECTED TLS, -EPROTO another status or
	 * none, or the sink's. */
	int (*get)(struct fetch *f, const char *name, uint64_t from,
		   uint64_t maximum, fetch_sink sink, void *context);
	void (*free)(struct fetch *f);
	char why[FETCH_WHY];            /* of the last result that was not 0 */
};

struct fetch_options {
	uint32_t connect_s;     /* 0: 10 s to connect */
	uint32_t slow_s;        /* 0: 10 s below slow_bytes a second: ended */
	uint32_t slow_bytes;    /* 0: 1024 */
	uint32_t total_s;       /* 0: 60 s, and one more for each 64 KiB that
				 * the maximum allows */
	const char *agent;      /* User-Agent; null: bailey-tuf */
};

/* base: http://, https:// or file:// URL, with or without a slash at its end.
 * -EINVAL: another kind. options may be null. */
int fetch_url(const char *base, const struct fetch_options *options,
	      struct fetch **ret_fetch) must_use;
/* folder is borrowed for the call (it is opened again). */
int fetch_folder(int folder, struct fetch **ret_fetch) must_use;
void fetch_free(struct fetch *f);       /* null-safe */

static inline void fetch_freep(struct fetch **f)
{
	fetch_free(*f);
}
#define cleanup_fetch __attribute__((cleanup(fetch_freep)))

/* The whole file into memory, at most maximum bytes; ret_bytes is the
 * caller's, with a NUL behind. Results as get. */
int fetch_bytes(struct fetch *f, const char *name, size_t maximum,
		uint8_t **ret_bytes, size_t *ret_length) must_use;

/* Percent-encodes all but A-Z a-z 0-9 - _ . ~; '/' too unless keep_slash.
 * -ENAMETOOLONG beyond size. */
int fetch_quote(const char *text, int keep_slash, char *ret_quoted,
		size_t size) must_use;

#endif
