/* SPDX-License-Identifier: Apache-2.0 */
/*
 * client/slot.h - total accessors on the bytes of one slot
 *
 * A slot is WIRE_SLOT_SIZE bytes that begin with a struct wire_event. Though
 * the engine wrote it, nothing in it is believed: each length and offset is
 * read once, checked, then used. What does not fit is absent (-ENODATA).
 */
#ifndef CLIENT_SLOT_H
#define CLIENT_SLOT_H

#include "base/result.h"
#include "proto/wire.h"

int slot_number(const struct wire_event *slot, unsigned field,
		int64_t *ret_value) must_use;
int slot_string(const struct wire_event *slot, unsigned field,
		struct bailey_string *ret_value) must_use;

#endif
