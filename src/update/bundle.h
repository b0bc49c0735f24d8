/* SPDX-License-Identifier: Apache-2.0 */
/*
 * update/bundle.h - a repository's files for one product as a single file
 *
 * Problem: content must cross an air gap, on a medium that anybody may have
 * had in hand. Signatures are in the metadata that it carries and are checked
 * later, as always; this format must only be unable to do harm: it holds
 * regular files and nothing else, at names that cannot leave their folder, and
 * says first how much there is.
 *
 *	magic		16 bytes, "bailey bundle 1\n"
 *	product		32 bytes, ends with NUL, NUL to the end
 *	count, zero	2 x 32 bits
 *	total		64 bits: sum of the lengths
 *	entries		count x { name 256 bytes, length 64 bits, SHA-256 }
 *	digest		SHA-256 of all above
 *	bytes		of each entry, in their order; then the end
 *
 * Numbers are little-endian. Names are site.json, version.json, metadata/NAME
 * and targets/NAME[/NAME]..., each NAME of A-Z a-z 0-9 . _ - % and without a
 * dot in front, in strictly ascending order of their bytes. Read from front to
 * end, so that a pipe will do; no more memory than the list.
 */
#ifndef UPDATE_BUNDLE_H
#define UPDATE_BUNDLE_H

#include <stddef.h>
#include <stdint.h>

#include "base/result.h"

#define BUNDLE_MAGIC "bailey bundle 1\n"
#define BUNDLE_PRODUCT 32u
#define BUNDLE_NAME 256u
#define BUNDLE_FILES 20000u
#define BUNDLE_HEAD 64u                 /* bytes before the entries */
#define BUNDLE_ENTRY 296u               /* bytes of one */
#define BUNDLE_DIGEST 32u
#define BUNDLE_META_BYTES (8ull << 20)  /* of a file below metadata */
#define BUNDLE_TARGET_BYTES (1ull << 20) /* of a target */
#define BUNDLE_BLOB_BYTES (1ull << 30)  /* of a file below targets/blob */
#define BUNDLE_TOTAL_BYTES (16ull << 30)
#define BUNDLE_WHY 320u

struct bundle_entry {
	char name[BUNDLE_NAME];
	uint64_t length;
	uint8_t sha256[32];
};

struct bundle {
	char product[BUNDLE_PRODUCT];
	uint64_t total;
	size_t count;
	struct bundle_entry *entry;     /* owned */
	char why[BUNDLE_WHY];           /* of the last failure, one line */
};

/* The head alone, BUNDLE_HEAD bytes: product, count and total. 0, -EBADMSG
 * with why. */
int bundle_head(const uint8_t *bytes, struct bundle *ret_bundle) must_use;
/* Head, entries and digest, exactly. 0, -EBADMSG with why, -ENOMEM. */
int bundle_parse(const uint8_t *bytes, size_t length,
		 struct bundle *ret_bundle) must_use;
void bundle_fini(struct bundle *bundle);
#define cleanup_bundle __attribute__((cleanup(bundle_fini)))

/* From the beginning of fd to before the first file's bytes. */
int bundle_open(int fd, struct bundle *ret_bundle) must_use;
/* The files, into the folder; each is hashed, and the end must be the end.
 * What was written before a failure stays. */
int bundle_extract(int fd, struct bundle *bundle, int folder) must_use;

/* Adds a file of the folder: name, length, hash. -ENOENT and others. */
int bundle_add(struct bundle *bundle, int folder, const char *name) must_use;
/* Sorts the list and writes all; -EBADMSG if a file changed meanwhile. */
int bundle_write(int fd, struct bundle *bundle, int folder) must_use;

#endif
