/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lib/made_version.h - versions of content for tests, and their bytes
 *
 * Version n of product `scan` has the files
 *   rules.yar         another in each version
 *   set/common.yar    another in every third
 *   set/deep/big.bin  always the same, 1500 bytes
 * and a corpus of two cases that share a file. Every fourth has recorded
 * events. What a file holds follows from its path and its generation.
 */
#ifndef LIB_MADE_VERSION_H
#define LIB_MADE_VERSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "content/slot.h"
#include "content/state.h"

#define MADE_PRODUCT "scan"
#define MADE_SCHEMA "scan-rules/1"
#define MADE_FIELDS 3u
#define MADE_BLOBS 64u
#define MADE_BLOB 2048u

struct made_version {
	uint64_t number;
	char text[4096];
	size_t length;
	uint8_t hash[VERSION_HASH];
};

enum made_fault {
	MADE_NONE,
	MADE_MISSING,
	MADE_SHORT,
	MADE_LONG,
	MADE_CHANGED,
	MADE_UNREADABLE
};

/* A slot_source with the bytes of all versions that were made with it. */
struct made_source {
	struct slot_source source;
	size_t blobs;
	struct {
		uint8_t hash[VERSION_HASH];
		uint8_t bytes[MADE_BLOB];
		size_t length;
	} blob[MADE_BLOBS];
	size_t offset;
	enum made_fault fault;          /* of the file opened next but `in` */
	unsigned in;
	unsigned opened;                /* how many files were asked for */
};

void made_source_init(struct made_source *source);
/* floor as given, the rest as the page says. */
void made_version(struct made_source *source, uint64_t number, uint64_t floor,
		  struct made_version *ret_version);
/* What file i of version number holds, 0 to 2. Returns its length. */
size_t made_bytes(uint64_t number, unsigned i, uint8_t ret_bytes[MADE_BLOB]);
extern const char *const made_path[3];

#endif
