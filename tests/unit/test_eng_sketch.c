/* SPDX-License-Identifier: Apache-2.0 */
/* How many distinct objects and users, in a few hundred bytes? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/hash.h"
#include "lib/replay_engine.h"

static void does_the_sketch_count_distinct_ones(void **state)
{
	struct eng_sketch sketch = { 0 };
	uint64_t seen = 0;

	(void)state;
	for (uint64_t i = 1; i <= 3000; i++) {
		for (int twice = 0; twice < 2; twice++) {
			seen = eng_sketch_add(&sketch, hash_pair(i, 1));
		}
		if (i == 1) {
			assert_int_equal(seen, 1);
		}
	}
	assert_in_range(seen, 2700, 3300);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(does_the_sketch_count_distinct_ones),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
