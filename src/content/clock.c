/* SPDX-License-Identifier: Apache-2.0 */
#include "content/clock.h"

#include <string.h>

/* No year that people write down is further away; sums stay in range. */
#define SECONDS_MOST (1ll << 50)

static int64_t clamp(int64_t seconds)
{
	if (seconds < -SECONDS_MOST) {
		return -SECONDS_MOST;
	}
	return seconds > SECONDS_MOST ? SECONDS_MOST : seconds;
}

static int same_boot(const uint8_t a[CLOCK_BOOT], const uint8_t b[CLOCK_BOOT])
{
	return !memcmp(a, b, CLOCK_BOOT);
}

static void floor_set(struct clock_floor *floor, int64_t at_s,
		      const struct clock_reading *reading)
{
	floor->at_s = at_s;
	floor->boot_ms = reading->boot_ms;
	memcpy(floor->boot, reading->boot, CLOCK_BOOT);
}

void clock_floor_init(struct clock_floor *ret_floor, int64_t built_s,
		      const struct clock_reading *reading)
{
	floor_set(ret_floor, clamp(built_s), reading);
}

int64_t clock_floor_now(const struct clock_floor *floor,
			const struct clock_reading *reading)
{
	int64_t at_s = clamp(floor->at_s);

	if (!same_boot(floor->boot, reading->boot) ||
	    reading->boot_ms < floor->boot_ms) {
		return at_s;
	}
	return clamp(at_s +
		     clamp((int64_t)((reading->boot_ms - floor->boot_ms) /
				     1000)));
}

void clock_floor_keep(struct clock_floor *floor,
		      const struct clock_reading *reading)
{
	floor_set(floor, clock_floor_now(floor, reading), reading);
}

struct clock_now clock_now(const struct clock_floor *floor,
			   const struct clock_reading *reading)
{
	int64_t least = clock_floor_now(floor, reading);
	int64_t wall = clamp(reading->wall_s);
	struct clock_now now = { .now_s = wall, .trust = CLOCK_WALL };

	if (wall < least) {
		now.trust = CLOCK_BEHIND;
	} else if (wall - least > CLOCK_PLAUSIBLE_S) {
		now.trust = CLOCK_AHEAD;
	}
	if (now.trust != CLOCK_WALL) {
		now.now_s = least;
	}
	now.wrong_s = wall - now.now_s;
	return now;
}

int clock_floor_raise(struct clock_floor *floor, int64_t signed_s,
		      const struct clock_reading *reading)
{
	struct clock_now now = clock_now(floor, reading);
	int64_t most = now.now_s + (now.trust == CLOCK_WALL
				    ? CLOCK_SKEW_S : CLOCK_PLAUSIBLE_S);

	signed_s = clamp(signed_s);
	if (signed_s > most || signed_s <= clock_floor_now(floor, reading)) {
		return 0;
	}
	floor_set(floor, signed_s, reading);
	return 1;
}

uint64_t clock_between_s(const struct clock_reading *from, int64_t from_s,
			 const struct clock_reading *to, int64_t to_s)
{
	if (same_boot(from->boot, to->boot)) {
		return to->boot_ms > from->boot_ms
			? (to->boot_ms - from->boot_ms) / 1000 : 0;
	}
	from_s = clamp(from_s);
	to_s = clamp(to_s);
	return to_s > from_s ? (uint64_t)(to_s - from_s) : 0;
}
