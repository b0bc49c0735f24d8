/* SPDX-License-Identifier: Apache-2.0 */
#include "limits.h"
#include "plan.h"

#define STEP ((uint64_t)(SCAN_BUFFER - SCAN_OVERLAP))

int plan_is_partial(uint64_t size)
{
	return size > SCAN_BUFFER;
}

static int edge(uint64_t size, uint64_t index, struct plan_span *ret_span)
{
	if (index > 1) {
		return PLAN_END;
	}
	ret_span->offset = index == 0 ? 0 : size - SCAN_EDGE;
	ret_span->length = SCAN_EDGE;
	return 0;
}

/* Windows 0 .. n-1, each starting a step further; the last ends the file. */
static int window(uint64_t size, uint64_t index, struct plan_span *ret_span)
{
	uint64_t offset, left;

	if (index > 0 && index > (size - SCAN_OVERLAP - 1) / STEP) {
		return PLAN_END;
	}
	offset = index * STEP;
	left = size - offset;
	ret_span->offset = offset;
	ret_span->length = left < SCAN_BUFFER ? (size_t)left : SCAN_BUFFER;
	return 0;
}

int plan_span(enum plan_kind kind, uint64_t size, uint64_t index,
	      struct plan_span *ret_span)
{
	if (size == 0) {
		return PLAN_END;
	}
	if (!plan_is_partial(size)) {
		if (index > 0) {
			return PLAN_END;
		}
		ret_span->offset = 0;
		ret_span->length = (size_t)size;
		return 0;
	}
	return kind == PLAN_QUICK ? edge(size, index, ret_span) :
				    window(size, index, ret_span);
}
