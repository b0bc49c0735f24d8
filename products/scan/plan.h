/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scan/plan.h - which parts of a file are read
 *
 *   whole     up to SCAN_BUFFER: one span
 *   edges     larger, while somebody waits: the first and the last SCAN_EDGE
 *             bytes. Padding in front of or behind a sample, the cheap way
 *             past a size limit, does not hide it
 *   thorough  larger, nobody waits: all of it in windows of SCAN_BUFFER that
 *             overlap by SCAN_OVERLAP
 */
#ifndef SCAN_PLAN_H
#define SCAN_PLAN_H

#include <stddef.h>
#include <stdint.h>

enum plan_kind {
	PLAN_QUICK,             /* whole or edges, by size */
	PLAN_THOROUGH
};

struct plan_span {
	uint64_t offset;
	size_t length;          /* 1 .. SCAN_BUFFER */
};

#define PLAN_END 1

/* Span number index of a file of this size: 0, or PLAN_END after the last. */
int plan_span(enum plan_kind kind, uint64_t size, uint64_t index,
	      struct plan_span *ret_span) __attribute__((warn_unused_result));

/* 1 if the quick plan does not cover the file. */
int plan_is_partial(uint64_t size);

#endif
