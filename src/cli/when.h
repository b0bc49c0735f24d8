/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/when.h - lengths of time and points in time, as people write them
 *
 * A length is a number with a unit, or several: 500ms 30s 5m 2h 1d, 1h30m.
 * A point is a length (that long ago) or a local date: 2026-01-31,
 * 2026-01-31T14:00, 2026-01-31 14:00:05, with Z at the end for UTC.
 * At most 100 years. All numbers are nanoseconds; points are CLOCK_REALTIME.
 */
#ifndef CLI_WHEN_H
#define CLI_WHEN_H

#include <stddef.h>
#include <stdint.h>

#define WHEN_TEXT 40

int when_duration(const char *text, uint64_t *ret_ns)
	__attribute__((warn_unused_result));
int when_parse(const char *text, uint64_t now_ns, uint64_t *ret_ns)
	__attribute__((warn_unused_result));

/* "2h 5m", "340ms"; the two largest units. Returns buffer. */
const char *when_length_text(uint64_t ns, char buffer[WHEN_TEXT]);
/* Local time for people: "2026-01-31 14:00:05"; "-" for 0. */
const char *when_local_text(uint64_t ns, char buffer[WHEN_TEXT]);
/* UTC for programs, RFC 3339: "2026-01-31T14:00:05.123456Z". */
const char *when_utc_text(uint64_t ns, char buffer[WHEN_TEXT]);

#endif
