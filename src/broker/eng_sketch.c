/* SPDX-License-Identifier: Apache-2.0 */
/*
 * eng_sketch.c - how many distinct ones, about, in a fixed amount of memory
 *
 * A bit per hash. A new bit is the rarer the more are set, so each counts for
 * as many as it took on average to hit one that was free: bits / free bits.
 * Within some 5 % up to five times as many as there are bits; a full one counts
 * no further.
 */
#include "broker/eng.h"

#define SKETCH_BITS (ENG_SKETCH * 64u)
#define SKETCH_ONE 256u         /* fixed point of the estimate */

uint64_t eng_sketch_add(struct eng_sketch *sketch, uint64_t hash)
{
	uint64_t place = hash % SKETCH_BITS;
	uint64_t bit = 1ull << (place % 64);

	if (!(sketch->bit[place / 64] & bit)) {
		sketch->estimate += SKETCH_BITS * SKETCH_ONE /
				    (SKETCH_BITS - sketch->set);
		sketch->bit[place / 64] |= bit;
		sketch->set++;
	}
	return sketch->estimate / SKETCH_ONE;
}
