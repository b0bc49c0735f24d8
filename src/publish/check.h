/* SPDX-License-Identifier: Apache-2.0 */
/* publish/check.h - for check.c and check_client.c only */
#ifndef PUBLISH_CHECK_H
#define PUBLISH_CHECK_H

#include "publish/publish.h"

struct check {
	struct publish *p;
	json_t *findings, *roles;       /* own */
	bool bad;
	uint64_t files;
};

/* level: bad (the repository is not good), warn, note. */
__attribute__((format(printf, 4, 5)))
void check_find(struct check *c, const char *level, const char *what,
		const char *format, ...);
/* The client of update/tuf.h, with nothing but the first root. */
void check_as_client(struct check *c);

#endif
