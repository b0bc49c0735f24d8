/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lib/updater_host.h - a host with one product, for tests of bailey-updater
 *
 * A configuration and a state folder of its own; the program is $BAILEY.
 */
#ifndef LIB_UPDATER_HOST_H
#define LIB_UPDATER_HOST_H

#include <jansson.h>

#include "lib/content_repo.h"
#include "lib/run_cli.h"

struct updater_host {
	char dir[64];           /* etc/ and staging/ */
	char etc[96];
	char scan[96];          /* staging/scan */
};

/* url null: none. The root is the repository's first one. */
struct updater_host *updater_host_new(const struct content_repo *repo,
				      const char *url);
void updater_host_free(struct updater_host *host);      /* null-safe */
/* A file below dir: written, whatever was there. */
void updater_host_file(const struct updater_host *host, const char *name,
		       const char *text);
/* bailey-updater --state --etc --once. */
struct run_cli *updater_host_once(const struct updater_host *host);
/* status.json, the caller's; fails the test if it is none. */
json_t *updater_host_status(const struct updater_host *host);
/* As the agent would read the mirror: a TUF client of its own, from the first
 * root. Which version of timestamp it leads to; 0: no mirror yet, -1: one
 * that cannot be verified (why is printed). *ret_whole counts the versions of
 * which description and all blobs are there and right. */
long updater_host_verify(const struct updater_host *host, unsigned *ret_whole);

#endif
