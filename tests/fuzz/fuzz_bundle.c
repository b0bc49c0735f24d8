/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bundles: a list that is taken has only names that stay in their folder, in
 * order, within all bounds. The digest is put right, or nothing would get
 * past it.
 */
#include <openssl/evp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "update/bundle.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_entry(const struct bundle *bundle, size_t i)
{
	const char *name = bundle->entry[i].name;

	if (strnlen(name, BUNDLE_NAME) == BUNDLE_NAME || *name == '/' ||
	    strstr(name, "..") == name || strstr(name, "/.") ||
	    strchr(name, '\n') || bundle->entry[i].length >
	    BUNDLE_BLOB_BYTES) {
		abort();
	}
	if (i && strcmp(bundle->entry[i - 1].name, name) >= 0) {
		abort();
	}
}

static void check(const uint8_t *data, size_t size)
{
	struct bundle bundle;
	int r = bundle_parse(data, size, &bundle);
	size_t i;

	if (r < 0 && !bundle.why[0]) {
		abort();
	}
	for (i = 0; r == 0 && i < bundle.count; i++) {
		check_entry(&bundle, i);
	}
	bundle_fini(&bundle);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *copy;

	check(data, size);
	if (size < BUNDLE_DIGEST) {
		return 0;
	}
	copy = malloc(size);
	if (!copy) {
		return 0;
	}
	memcpy(copy, data, size);
	EVP_Digest(copy, size - BUNDLE_DIGEST, copy + size - BUNDLE_DIGEST,
		   NULL, EVP_sha256(), NULL);
	check(copy, size);
	free(copy);
	return 0;
}
