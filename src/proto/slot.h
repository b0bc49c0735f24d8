/* SPDX-License-Identifier: Apache-2.0 */
/*
 * proto/slot.h - what a slot says about itself to who may not parse it
 *
 * Each version of a product's content lies in a slot of its own, a directory
 * that is complete and never changes:
 *
 *   PRODUCT/slots/<hash>/version.json    the signed description, as received
 *                        expect          one struct slot_expect
 *                        files/          what the product reads
 *                        corpus/         what a preflight asks about
 *   PRODUCT/current -> slots/<hash>      what a start uses
 *
 * The helper opens `current` once and reads `expect` below it, so that both
 * are of the same slot. The engine compares it with what the running code
 * states at HELLO: another schema or another field count is refused.
 *
 * Depends on nothing but the C library's headers.
 */
#ifndef PROTO_SLOT_H
#define PROTO_SLOT_H

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define SLOT_SLOTS "slots"
#define SLOT_CURRENT "current"
#define SLOT_VERSION "version.json"
#define SLOT_EXPECT "expect"
#define SLOT_FILES "files"
#define SLOT_CORPUS "corpus"

#define SLOT_EVENTS "events"
#define SLOT_EXPECT_MAGIC 0x31747078656c6962ull
#define SLOT_SCHEMA 64                  /* with its NUL */

struct slot_expect {
	uint64_t magic;
	uint32_t size;                  /* of this struct */
	uint32_t fields;
	char schema[SLOT_SCHEMA];       /* not empty; 0 behind its end */
	uint8_t hash[32];               /* of the description; its name */
	uint64_t number;                /* of the version */
};

static_assert(sizeof(struct slot_expect) == 120, "slot_expect layout");

/* Whether bytes that were read from a file are one. */
static inline bool slot_expect_good(const struct slot_expect *expect)
{
	size_t length = strnlen(expect->schema, SLOT_SCHEMA);

	if (expect->magic != SLOT_EXPECT_MAGIC ||
	    expect->size != sizeof(*expect) || length == 0 ||
	    length == SLOT_SCHEMA) {
		return false;
	}
	for (size_t i = length; i < SLOT_SCHEMA; i++) {
		if (expect->schema[i] != '\0') {
			return false;
		}
	}
	return true;
}

#endif
