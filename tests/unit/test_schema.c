/* SPDX-License-Identifier: Apache-2.0 */
/* Does content run only with code that has exactly its fields? (C1) */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "content/schema.h"
#include "proto/slot.h"

#define S "scan-rules/1"

static void test_fit(void **state)
{
	static const struct {
		struct schema code, version;
		int wanted;
		const char *says;
	} row[] = {
		{ { S, 3 }, { S, 3 }, SCHEMA_FITS, NULL },
		{ { S, 65535 }, { S, 65535 }, SCHEMA_FITS, NULL },
		{ { S, 0 }, { S, 0 }, SCHEMA_FITS, NULL },
		/* one more, one less, none, all */
		{ { S, 4 }, { S, 3 }, SCHEMA_FIELDS, "has 4 fields" },
		{ { S, 2 }, { S, 3 }, SCHEMA_FIELDS, "has 2 fields" },
		{ { S, 0 }, { S, 3 }, SCHEMA_FIELDS, "has 0 fields" },
		{ { S, 65535 }, { S, 3 }, SCHEMA_FIELDS, "has 65535 fields" },
		{ { S, 3 }, { S, 4 }, SCHEMA_FIELDS, "made for 4" },
		{ { S, 3 }, { S, 2 }, SCHEMA_FIELDS, "made for 2" },
		{ { S, 3 }, { S, 0 }, SCHEMA_FIELDS, "made for 0" },
		{ { S, 3 }, { S, 65535 }, SCHEMA_FIELDS, "made for 65535" },
		/* equal in the low bits only */
		{ { S, (1ull << 32) + 3 }, { S, 3 }, SCHEMA_FIELDS, NULL },
		{ { S, 65536 + 3 }, { S, 3 }, SCHEMA_FIELDS, NULL },
		/* July 2024: 21 declared, 20 supplied */
		{ { "x", 20 }, { "x", 21 }, SCHEMA_FIELDS, "made for 21" },
		/* names */
		{ { "scan-rules/2", 3 }, { S, 3 }, SCHEMA_OTHER,
		  "scan-rules/2" },
		{ { "scan-rules/", 3 }, { S, 3 }, SCHEMA_OTHER, NULL },
		{ { "scan-rules/11", 3 }, { S, 3 }, SCHEMA_OTHER, NULL },
		{ { "SCAN-RULES/1", 3 }, { S, 3 }, SCHEMA_OTHER, NULL },
		{ { S, 3 }, { "", 3 }, SCHEMA_OTHER, NULL },
		{ { S, 3 }, { NULL, 3 }, SCHEMA_OTHER, NULL },
		{ { "", 3 }, { S, 3 }, SCHEMA_UNSTATED, S },
		{ { NULL, 3 }, { S, 3 }, SCHEMA_UNSTATED, NULL },
		{ { "", 0 }, { "", 0 }, SCHEMA_UNSTATED, NULL },
	};

	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		char reason[256] = "";

		assert_int_equal(schema_fit(&row[i].code, &row[i].version,
					    reason, sizeof(reason)),
				 row[i].wanted);
		assert_int_equal(reason[0] == '\0',
				 row[i].wanted == SCHEMA_FITS);
		if (row[i].says != NULL) {
			assert_non_null(strstr(reason, row[i].says));
		}
	}
}

/* A reason that does not fit is cut, not written past its end. */
static void test_short_reason(void **state)
{
	struct schema code = { S, 4 }, version = { S, 3 };
	char reason[8];

	assert_int_equal(schema_fit(&code, &version, reason, sizeof(reason)),
			 SCHEMA_FIELDS);
	assert_int_equal(strlen(reason), 7);
}

static struct slot_expect expect_good(void)
{
	struct slot_expect expect = {
		.magic = SLOT_EXPECT_MAGIC, .size = sizeof(expect),
		.fields = 3, .schema = S,
	};

	return expect;
}

static void test_expect(void **state)
{
	struct slot_expect expect = expect_good();

	assert_true(slot_expect_good(&expect));
	expect.magic ^= 1;
	assert_false(slot_expect_good(&expect));
	expect = expect_good();
	expect.size--;
	assert_false(slot_expect_good(&expect));
	expect = expect_good();
	expect.schema[0] = '\0';
	assert_false(slot_expect_good(&expect));
	expect = expect_good();
	expect.schema[SLOT_SCHEMA - 1] = 'x';
	assert_false(slot_expect_good(&expect));
	memset(expect.schema, 'x', SLOT_SCHEMA);
	assert_false(slot_expect_good(&expect));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fit),
		cmocka_unit_test(test_short_reason),
		cmocka_unit_test(test_expect),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
