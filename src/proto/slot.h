/* SPDX-License-Identifier: Apache-2.0 */
/*
 * proto/slot.h - what a content slot says beside its files
 *
 * `expect` in a slot is this struct, written once when the slot is filled. A
 * helper that parses no JSON reads it; the engine compares it with what the
 * running code states in HELLO.
 */
#ifndef PROTO_SLOT_H
#define PROTO_SLOT_H

#include <assert.h>
#include <stdint.h>

#define SLOT_EXPECT_MAGIC 0x62736c31u
#define SLOT_SCHEMA 64u

struct slot_expect {
	uint32_t magic;
	char schema[SLOT_SCHEMA];       /* ends with a NUL */
	uint32_t fields;
};

static_assert(sizeof(struct slot_expect) == 72, "slot_expect layout");

#endif
