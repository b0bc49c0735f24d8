/* SPDX-License-Identifier: Apache-2.0 */
/*
 * content/class.h - the two classes of content
 *
 * Code is signed offline by a quorum. Data is signed by an online key that
 * the quorum delegates, within the limits of policy.json. Both go through the
 * same states, lease and trial, and share one row of numbers per product.
 */
#ifndef CONTENT_CLASS_H
#define CONTENT_CLASS_H

#include <stdint.h>

#define CONTENT_HASH 32         /* SHA-256 of a version's description */
#define CONTENT_SCHEMA 64

/* X(SYMBOL, number, "name") */
#define CONTENT_CLASS_TABLE(X)                                                \
	X(CODE, 0, "code")                                                    \
	X(DATA, 1, "data")

enum content_class {
#define CONTENT_ENUM(sym, num, name) CONTENT_##sym = num,
	CONTENT_CLASS_TABLE(CONTENT_ENUM)
#undef CONTENT_ENUM
	CONTENT_CLASSES
};

/* Rings, in the order in which a version reaches them. */
#define CONTENT_RING_TABLE(X)                                                 \
	X(EARLY, 0, "early")                                                  \
	X(GENERAL, 1, "general")                                              \
	X(LATE, 2, "late")

enum content_ring {
#define CONTENT_ENUM(sym, num, name) CONTENT_##sym = num,
	CONTENT_RING_TABLE(CONTENT_ENUM)
#undef CONTENT_ENUM
	CONTENT_RINGS
};

#endif
