/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lib/site.h - a version that a site signs for its own hosts, as a folder:
 * site.json, version.json, targets/blob (src/agent/agent_site.c)
 *
 * Everything fails by cmocka's assertions.
 */
#ifndef LIB_SITE_H
#define LIB_SITE_H

#include <stdbool.h>
#include <stdint.h>

#include "update/key.h"

#define SITE_CASES 4

struct site_case {
	const char *name, *text;        /* file of the corpus, what it holds */
	bool deny;                      /* expected */
};

struct site_version {
	const char *product, *schema, *name;
	const char *rules;              /* its one file, called rules */
	unsigned number, fields, bake_s, min_events;
	struct site_case corpus[SITE_CASES];    /* name null: no more */
	const char *until;              /* null: 2099-01-01T00:00:00Z */
	unsigned lease_s;               /* 0: without; else it admits all */
};

/* Whatever was in the folder of these names is replaced. */
void site_write(const char *folder, const struct site_version *version,
		const struct key *key, uint8_t ret_hash[32]);
/* A file of site-keys.d. */
void site_write_key(const char *path, const struct key *key);

#endif
