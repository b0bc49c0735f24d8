/* SPDX-License-Identifier: Apache-2.0 */
/* Exceptions: what is read is written such that it reads the same. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "config/exception.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct exception first, again;
	struct rule_error error = { 0 };
	char line[EXCEPTION_LINE];
	int n;

	n = exception_parse((const char *)data, size, 1, &first, &error);
	if (n) {
		if (n < 0 && !error.text[0]) {
			abort();
		}
		return 0;
	}
	n = exception_format(&first, line);
	if (n <= 0 || exception_parse(line, (size_t)n - 1, 1, &again,
				      &error) ||
	    memcmp(&first, &again, sizeof(first)) != 0) {
		abort();
	}
	return 0;
}
