/* SPDX-License-Identifier: Apache-2.0 */
/*
 * content/schema.h - does a version fit the code that would read it? (C1)
 *
 * The running code states the name of its schema and how many fields it has,
 * from the array that it indexes. A version states for what it was made. Both
 * must be equal; nothing is compatible by being smaller or larger, and a code
 * that states no schema fits nothing. Asked at preflight, at activation and at
 * each start.
 */
#ifndef CONTENT_SCHEMA_H
#define CONTENT_SCHEMA_H

#include <stddef.h>
#include <stdint.h>

#include "base/result.h"

enum schema_fit {
	SCHEMA_FITS,
	SCHEMA_UNSTATED,                /* the code states none */
	SCHEMA_OTHER,                   /* another name */
	SCHEMA_FIELDS                   /* another number of fields */
};

struct schema {
	const char *name;               /* borrowed; null or "": none */
	uint64_t fields;
};

/* SCHEMA_FITS, or a condition with ret_reason, one line. */
int schema_fit(const struct schema *code, const struct schema *version,
	       char *ret_reason, size_t size) must_use;

#endif
