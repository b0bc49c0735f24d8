/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Canonical JSON: what the strict reader takes has a canonical form; the order
 * and the white space of the text do not change it; and where that form is JSON
 * (it is not when a text has control characters) it reads as the same tree, and
 * is its own canonical form.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/canon.h"
#include "base/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MOST (1u << 20)

static void require(int condition)
{
	if (!condition) {
		abort();
	}
}

static void same(const json_t *tree, const uint8_t *want, size_t length)
{
	cleanup_free uint8_t *bytes = NULL;
	size_t n = 0;

	require(canon_write(tree, &bytes, &n) == 0 && n == length &&
		memcmp(bytes, want, n) == 0);
}

static void written_otherwise(const json_t *tree, const uint8_t *canonical,
			      size_t length)
{
	cleanup_json_tree json_t *again = NULL;
	cleanup_free char *text = json_dumps(tree, JSON_INDENT(3) |
						   JSON_ENSURE_ASCII |
						   JSON_SORT_KEYS);
	struct json_fault fault;
	struct json_at top;

	require(text && json_read(text, strlen(text), 16 * MOST, &again, &top,
				  &fault) == 0);
	require(json_equal(tree, again));
	same(again, canonical, length);
}

static void read_back(const json_t *tree, const uint8_t *canonical,
		      size_t length)
{
	cleanup_json_tree json_t *again = NULL;
	struct json_fault fault;
	struct json_at top;

	for (size_t i = 0; i < length; i++) {
		if (canonical[i] < 0x20) {
			return;
		}
	}
	require(json_read(canonical, length, 2 * MOST, &again, &top,
			  &fault) == 0);
	require(json_equal(tree, again));
	same(again, canonical, length);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cleanup_json_tree json_t *tree = NULL;
	cleanup_free uint8_t *bytes = NULL;
	struct json_fault fault = { "" };
	struct json_at top;
	size_t length = 0;
	int r = json_read(data, size, MOST, &tree, &top, &fault);

	if (r < 0) {
		require(!tree && fault.text[0]);
		require(r == -EBADMSG || (r == -EFBIG && size > MOST));
		return 0;
	}
	require(canon_write(tree, &bytes, &length) == 0);
	written_otherwise(tree, bytes, length);
	read_back(tree, bytes, length);
	return 0;
}
