/* SPDX-License-Identifier: Apache-2.0 */
/* Leases and policy.json: refused with a reason, or within all bounds. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "content/decide.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void use(const struct lease *lease)
{
	static const char *const strata[] = { "*", "el9", "" };
	uint8_t hash[DECIDE_VERSIONS][VERSION_HASH];
	struct decide_inputs in;
	struct lease_prior prior;
	uint64_t bucket = 0;

	memset(hash, 0, sizeof(hash));
	memcpy(hash[1], lease->hash, VERSION_HASH);
	memcpy(hash[2], lease->roll_back_to, VERSION_HASH);
	for (size_t i = 0; i < sizeof(strata) / sizeof(strata[0]); i++) {
		decide_begin(&in);
		in.versions = DECIDE_VERSIONS;
		lease_remember(lease, strata[i], &prior);
		decide_lease(&in, lease, strata[i], &prior, hash);
		if (lease_bucket(lease, "host", 4, &in.bucket) ||
		    !decide_sound(&in)) {
			abort();
		}
		bucket |= in.bucket;
		(void)decide(&in);
	}
	if (bucket >= LEASE_BUCKETS) {
		abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char schema[DECIDE_SCHEMAS][VERSION_TEXT];
	struct decide_limits limits;
	struct lease_error error = { .text = "" };
	struct lease lease;
	uint32_t schemas = 0;

	if (!lease_parse(data, size, "scan", &lease, &error)) {
		use(&lease);
	} else if (!error.text[0]) {
		abort();
	}
	error.text[0] = '\0';
	if (decide_limits_parse(data, size, &limits, schema, &schemas,
				&error)) {
		if (!error.text[0]) {
			abort();
		}
	} else if (schemas > DECIDE_SCHEMAS || limits.given != 1) {
		abort();
	}
	return 0;
}
