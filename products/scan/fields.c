/* SPDX-License-Identifier: Apache-2.0 */
#include "fields.h"

const struct scan_field_row scan_fields[] = {
#define SCAN_FIELD(sym, name, field) { name, field },
	SCAN_FIELD_TABLE(SCAN_FIELD)
#undef SCAN_FIELD
};

const size_t scan_fields_count = sizeof(scan_fields) / sizeof(scan_fields[0]);
