/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rule/key.h - hashes under which rules are found
 *
 * A path's hash is built component by component, so that one walk over the
 * path gives the hash of each directory on the way: key_path() over the whole
 * equals key_component() applied to each. Seeded per program: whoever writes
 * the rules or names the files cannot aim at one place of the table.
 */
#ifndef RULE_KEY_H
#define RULE_KEY_H

#include <string.h>

#include "base/hash.h"
#include "rule/block.h"

static inline uint64_t key_number(uint64_t seed, enum block_key_type type,
				  uint64_t a, uint64_t b)
{
	return hash_pair(seed + (uint64_t)type * 0x9e3779b97f4a7c15ull,
			 hash_pair(a, b));
}

/* Adds the bytes of one component, without its '/'. */
static inline uint64_t key_component(uint64_t h, const char *p, size_t n)
{
	uint64_t w = 0;

	h ^= n;
	for (; n >= 8; n -= 8, p += 8) {
		memcpy(&w, p, 8);
		h = (h ^ w) * 0xbf58476d1ce4e5b9ull;
		h ^= h >> 29;
	}
	w = 0;
	for (size_t i = 0; i < n; i++) {
		w |= (uint64_t)(unsigned char)p[i] << 8 * i;
	}
	h = (h ^ w) * 0x94d049bb133111ebull;
	return h ^ h >> 32;
}

static inline uint64_t key_finish(uint64_t seed, enum block_key_type type,
				  uint64_t h)
{
	return hash_mix(h ^ (seed + (uint64_t)type * 0x9e3779b97f4a7c15ull));
}

/* A path without '/' at its end. ret_depth: number of components. */
static inline uint64_t key_path(uint64_t seed, enum block_key_type type,
				const char *path, size_t length,
				unsigned *ret_depth)
{
	uint64_t h = seed;
	const char *end = path + length;
	unsigned depth = 0;

	while (path < end) {
		const char *slash = memchr(path + 1, '/',
					   (size_t)(end - path - 1));
		const char *stop = slash ? slash : end;

		h = key_component(h, path + 1, (size_t)(stop - path - 1));
		path = stop;
		depth++;
	}
	*ret_depth = depth;
	return key_finish(seed, type, h);
}

#endif
