/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as the file `expect`, and any name and number as what running code
 * states: they fit only where name and number are the very same.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "content/schema.h"
#include "proto/slot.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void compare(const struct slot_expect *expect,
		    const struct schema *code)
{
	struct schema version = { expect->schema, expect->fields };
	char reason[64] = "";
	int fit = schema_fit(code, &version, reason, sizeof(reason));
	int same = code->name[0] != '\0' &&
		strcmp(code->name, expect->schema) == 0 &&
		code->fields == expect->fields;

	if ((fit == SCHEMA_FITS) != same || (reason[0] == '\0') != same) {
		abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slot_expect expect;
	char name[SLOT_SCHEMA + 1] = "";
	struct schema code = { name, 0 };

	if (size < sizeof(expect)) {
		return 0;
	}
	memcpy(&expect, data, sizeof(expect));
	data += sizeof(expect);
	size -= sizeof(expect);
	if (!slot_expect_good(&expect)) {
		return 0;
	}
	memcpy(name, data, size < SLOT_SCHEMA ? size : SLOT_SCHEMA);
	code.fields = size;
	compare(&expect, &code);
	code.fields = expect.fields;
	compare(&expect, &code);
	code.name = expect.schema;
	compare(&expect, &code);
	return 0;
}
