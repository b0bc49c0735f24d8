/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scan/fields.h - what rules may ask about an object beside its bytes
 *
 * Integer variables of each rule file, set for each scan. Their number is what
 * scan tells the broker as its content's field count: content that declares
 * another one is not for this program.
 */
#ifndef SCAN_FIELDS_H
#define SCAN_FIELDS_H

#include <stddef.h>
#include <stdint.h>

#include <bailey/event.h>

#define SCAN_SCHEMA "scan-rules/1"

/* X(SYMBOL, "variable", field of the event) */
#define SCAN_FIELD_TABLE(X)                                                   \
	X(SIZE, "object_size", BAILEY_FIELD_SIZE)                             \
	X(MODE, "object_mode", BAILEY_FIELD_FILE_MODE)                        \
	X(OWNER, "object_owner", BAILEY_FIELD_OWNER)

enum scan_field {
#define SCAN_FIELD(sym, name, field) SCAN_FIELD_##sym,
	SCAN_FIELD_TABLE(SCAN_FIELD)
#undef SCAN_FIELD
	SCAN_FIELDS
};

struct scan_field_row {
	const char *name;
	enum bailey_field field;
};

extern const struct scan_field_row scan_fields[];
extern const size_t scan_fields_count;

#endif
