/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_look.h - is what a store has on its disk right?
 *
 * By what the versions were made of, not by what the store would say. All
 * return null, or what is wrong (a static text).
 */
#ifndef STORE_LOOK_H
#define STORE_LOOK_H

#include "content/store_internal.h"
#include "lib/made_version.h"

/* Null if none of them has this hash. */
const struct made_version *
store_look_made(const struct made_version *made, size_t count,
		const uint8_t hash[VERSION_HASH]);
/* Each byte of one slot. version may be null: that is wrong. */
const char *store_look_slot(const struct store *store,
			    const struct made_version *version);
/* `current` leads to what is in use, each kept slot is whole, nothing else is
 * there. */
const char *store_look_disk(struct store *store,
			    const struct made_version *made, size_t count);
/* All but the times. */
const char *store_look_same(const struct state *a, const struct state *b);

#endif
