/* SPDX-License-Identifier: Apache-2.0 */
/*
 * content/clock.h - what time it is at least
 *
 * Problem: signatures expire by the wall clock, and a wall clock may be wrong
 * by years, ahead or behind, or be set by whoever answers NTP. A wrong one
 * may neither install what is expired nor lock the host out for good.
 *
 * The *floor* is a time that has certainly passed: when the program was
 * built, then the latest time that a verified signature vouches for. From
 * there CLOCK_BOOTTIME goes on, in suspend too. The wall clock is believed
 * only between the floor and CLOCK_PLAUSIBLE_S after it:
 *
 *	before the floor	it is behind; the floor is the time
 *	plausible		it is the time
 *	further ahead		it is ahead; the floor is the time
 *
 * The wall clock never moves the floor: put right, it is believed at once. A
 * verified signature moves it, but not past a plausible wall clock: an online
 * key that was stolen could otherwise push a fleet's time into a future where
 * everything is expired.
 *
 * Costs: a host that saw no signature for CLOCK_PLAUSIBLE_S and then gets a
 * right clock takes its floor for the time, until the first new signature.
 *
 * Pure: readings are values; the caller persists the floor.
 */
#ifndef CONTENT_CLOCK_H
#define CONTENT_CLOCK_H

#include <stdint.h>

#define CLOCK_PLAUSIBLE_S (5ll * 365 * 86400)
#define CLOCK_SKEW_S 86400ll    /* a wall clock may be behind a signer's */
#define CLOCK_BOOT 16

/* Taken by the caller at one moment. */
struct clock_reading {
	int64_t wall_s;                 /* CLOCK_REALTIME, since 1970 */
	uint64_t boot_ms;               /* CLOCK_BOOTTIME */
	uint8_t boot[CLOCK_BOOT];       /* this boot's id */
};

/* Persisted. Begins as clock_floor_init makes it. */
struct clock_floor {
	int64_t at_s;                   /* this time had passed... */
	uint64_t boot_ms;               /* ...at this reading */
	uint8_t boot[CLOCK_BOOT];       /* of this boot */
};

#define CLOCK_TRUST_TABLE(X)                                                  \
	X(WALL, 0, "wall", "the wall clock is plausible")                     \
	X(BEHIND, 1, "behind", "the wall clock is behind a signed time")      \
	X(AHEAD, 2, "ahead", "the wall clock is years ahead of what is signed")

enum clock_trust {
#define CLOCK_ENUM(sym, num, name, help) CLOCK_##sym = num,
	CLOCK_TRUST_TABLE(CLOCK_ENUM)
#undef CLOCK_ENUM
};

struct clock_now {
	int64_t now_s;                  /* the time to judge expiry by */
	enum clock_trust trust;
	int64_t wrong_s;                /* wall minus now_s */
};

void clock_floor_init(struct clock_floor *ret_floor, int64_t built_s,
		      const struct clock_reading *reading);
/* Moves the floor to this reading, by the time that passed in this boot: at
 * each start, or nothing is added in that boot; and now and then, so that a
 * boot's time is not lost with it. Persist it. */
void clock_floor_keep(struct clock_floor *floor,
		      const struct clock_reading *reading);
/* The floor as of this reading; in another boot: where it was. */
int64_t clock_floor_now(const struct clock_floor *floor,
			const struct clock_reading *reading);
struct clock_now clock_now(const struct clock_floor *floor,
			   const struct clock_reading *reading);

/*
 * signed_s: a verified signature proves that this time has passed. 1 if the
 * floor was raised (persist it), 0 if it was there already, or the signed
 * time is further in the future than a plausible wall clock (or, without
 * one, CLOCK_PLAUSIBLE_S) allows: then it says nothing.
 */
int clock_floor_raise(struct clock_floor *floor, int64_t signed_s,
		      const struct clock_reading *reading);

/* Seconds between two readings; in another boot by the times now. Never
 * negative. */
uint64_t clock_between_s(const struct clock_reading *from, int64_t from_s,
			 const struct clock_reading *to, int64_t to_s);

#endif
