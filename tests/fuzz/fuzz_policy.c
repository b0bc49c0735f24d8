/* SPDX-License-Identifier: Apache-2.0 */
/* The customer's policy: whatever the file holds, what comes out is sound, and
 * a mistake that was told of holds somebody. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "content/policy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void say(void *context, const struct manifest_error *error)
{
	int *count = context;

	if (!error->text[0] || strchr(error->text, '\n')) {
		abort();
	}
	++*count;
}

static bool held(const struct policy_set *set)
{
	for (uint32_t i = 0; i < set->count; i++) {
		if (set->section[i].value.broken) {
			return true;
		}
	}
	return set->broken;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct policy_set set;
	int count = 0, n;

	memset(&set, 0, sizeof(set));
	n = policy_read((const char *)data, size, "fuzz", &set, say, &count);
	if (n != count || (n > 0) != held(&set) ||
	    set.count > POLICY_SECTIONS) {
		abort();
	}
	for (uint32_t i = 0; i < set.count; i++) {
		char version[POLICY_PIN];
		struct policy policy, effective;
		uint32_t wait;

		policy_resolve(&set, set.section[i].product, VERSION_DATA,
			       NULL, &policy, version);
		policy_effective(&policy, &effective);
		if (!policy_sound(&policy) || !policy_sound(&effective) ||
		    strlen(version) >= sizeof(version)) {
			abort();
		}
		(void)policy_window_open(&policy.window, 6, 1439, &wait);
	}
	return 0;
}
