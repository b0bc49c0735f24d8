/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base/hash.h - mixing for in-memory tables; not for anything secret
 *
 * hash_mix: the finalizer of SplitMix64 (Steele, Lea, Flood 2014).
 * hash_bytes: FNV-1a, 64 bit, then mixed. Tables that hold what users name
 * (paths) start from a random seed, so that nobody can aim at one bucket.
 */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

static inline uint64_t hash_mix(uint64_t x)
{
	x ^= x >> 30;
	x *= 0xbf58476d1ce4e5b9ull;
	x ^= x >> 27;
	x *= 0x94d049bb133111ebull;
	return x ^ x >> 31;
}

static inline uint64_t hash_pair(uint64_t a, uint64_t b)
{
	return hash_mix(hash_mix(a) ^ (b + 0x9e3779b97f4a7c15ull));
}

static inline uint64_t hash_bytes(uint64_t seed, const void *bytes, size_t n)
{
	const unsigned char *p = bytes;
	uint64_t h = 0xcbf29ce484222325ull ^ seed;

	for (size_t i = 0; i < n; i++) {
		h = (h ^ p[i]) * 0x100000001b3ull;
	}
	return hash_mix(h);
}

#endif
