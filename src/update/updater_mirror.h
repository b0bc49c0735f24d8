/* SPDX-License-Identifier: Apache-2.0 */
/*
 * update/updater_mirror.h - the generations of a product's mirror
 *
 * See updater.h. A generation is collected by names, published by one rename,
 * and then what neither it nor the one before lists is swept. Names are those
 * of the repository: metadata/3.root.json, targets/blob/<sha256>.
 */
#ifndef UPDATE_UPDATER_MIRROR_H
#define UPDATE_UPDATER_MIRROR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/result.h"

#define MIRROR_NAME 512u
#define MIRROR_LISTED "listed"
#define MIRROR_PART ".part"     /* behind the name of what is being fetched */

struct mirror_names {
	char **name;            /* owned; sorted when `sorted` */
	size_t count, room;
	bool sorted;
};

struct mirror {
	int folder;             /* staging/PRODUCT, borrowed */
	struct mirror_names now, before;
};

/* Reads what the generation before lists; none is no error. */
void mirror_init(struct mirror *ret_mirror, int folder);
void mirror_fini(struct mirror *mirror);
#define cleanup_mirror __attribute__((cleanup(mirror_fini)))

/* The generation has this name; the file is there or will come. -E2BIG. */
int mirror_list(struct mirror *mirror, const char *name) must_use;
/* The same, and puts the bytes there unless it has just these. */
int mirror_put(struct mirror *mirror, const char *name, const void *bytes,
	       size_t length) must_use;
/* Does this generation have it? */
bool mirror_lists(struct mirror *mirror, const char *name);
/* timestamp.json by rename, then `listed`, then sweeps. A failure to sweep
 * comes as 1: the generation stands. */
int mirror_publish(struct mirror *mirror, const void *timestamp,
		   size_t length) must_use;
/* Names of the current generation, for an export. */
int mirror_current(int folder, struct mirror_names *ret_names) must_use;
void mirror_names_fini(struct mirror_names *names);

#endif
