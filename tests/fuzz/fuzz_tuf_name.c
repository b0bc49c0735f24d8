/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Role names and target paths, where they meet a URL or a file system: one
 * component of plain characters, and no two names become one.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "update/tuf_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int condition)
{
	if (!condition) {
		abort();
	}
}

static void back_again(const char *name, const char *quoted, int keep_slash)
{
	size_t n = 0;

	for (const char *p = quoted; *p; p++) {
		unsigned byte = (uint8_t)*p;

		require(strchr("-_.~%", *p) || (*p >= '0' && *p <= '9') ||
			(*p >= 'A' && *p <= 'Z') ||
			(*p >= 'a' && *p <= 'z') || (keep_slash && *p == '/'));
		if (*p == '%') {
			require(sscanf(p + 1, "%2X", &byte) == 1);
			p += 2;
		}
		require(byte == (uint8_t)name[n++]);
	}
	require(name[n] == '\0');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char name[2048], quoted[2048], stored[TUF_FILE];

	if (size >= sizeof(name) || memchr(data, '\0', size)) {
		return 0;
	}
	memcpy(name, data, size);
	name[size] = '\0';
	for (int keep = 0; keep < 2; keep++) {
		if (fetch_quote(name, keep, quoted, sizeof(quoted)) == 0) {
			back_again(name, quoted, keep);
		} else {
			require(3 * size >= sizeof(quoted));
		}
	}
	if (tuf_store_name(name, stored) == 0) {
		size_t n = strlen(stored);

		require(n >= 5 && n < TUF_FILE &&
			strcmp(stored + n - 5, ".json") == 0);
		stored[n - 5] = '\0';
		back_again(name, stored, 0);
	} else {
		require(3 * size + 6 >= TUF_FILE);
	}
	return 0;
}
