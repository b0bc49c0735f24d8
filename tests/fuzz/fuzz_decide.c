/* SPDX-License-Identifier: Apache-2.0 */
/* Journalled inputs: what decodes encodes to the same bytes, and decides. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "content/decide.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t bytes[DECIDE_BYTES];
	struct decide_inputs in;
	struct decision d;

	if (decide_decode(data, size, &in)) {
		return 0;
	}
	if (decide_encode(&in, bytes, sizeof(bytes)) != (int)size ||
	    memcmp(bytes, data, size) != 0) {
		abort();
	}
	d = decide(&in);
	if (d.reason == DECIDE_BECAUSE_INPUT || d.action >= DECIDE_ACTIONS ||
	    (d.target != DECIDE_NONE && d.target >= in.versions)) {
		abort();
	}
	return 0;
}
