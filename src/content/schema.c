/* SPDX-License-Identifier: Apache-2.0 */
#include "content/schema.h"

#include <string.h>

#include "base/text.h"

int schema_fit(const struct schema *code, const struct schema *version,
	       char *ret_reason, size_t size)
{
	const char *reads = code->name != NULL ? code->name : "";
	const char *made = version->name != NULL ? version->name : "";
	unsigned long long has = code->fields, wants = version->fields;

	if (reads[0] == '\0') {
		text_format(ret_reason, size, "the running code states no "
			    "schema; the version is made for %llu fields of "
			    "\"%s\"", wants, made);
		return SCHEMA_UNSTATED;
	}
	if (strcmp(reads, made) != 0) {
		text_format(ret_reason, size, "the running code reads \"%s\", "
			    "the version is made for \"%s\"", reads, made);
		return SCHEMA_OTHER;
	}
	if (has != wants) {
		text_format(ret_reason, size, "the running code has %llu "
			    "fields of \"%s\", the version is made for %llu",
			    has, reads, wants);
		return SCHEMA_FIELDS;
	}
	return SCHEMA_FITS;
}
