/* SPDX-License-Identifier: Apache-2.0 */
/* Descriptions: what is read leads nowhere else, and is written such that it
 * reads the same. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "content/version.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int good)
{
	if (!good) {
		abort();
	}
}

static void check_path(const char *path)
{
	require(path[0] && path[0] != '/' && strlen(path) < VERSION_PATH);
	require(strcmp(path, "..") != 0 && strncmp(path, "../", 3) != 0);
	require(!strstr(path, "/../") && !strchr(path, '\n'));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cleanup_version struct version *v = NULL, *again = NULL;
	cleanup_free char *text = NULL;
	struct json_fault fault = { "" };
	size_t length;
	int r = version_parse(data, size, &v, &fault);

	if (r) {
		require(r == -EBADMSG || r == -EFBIG);
		require(fault.text[0] && !v);
		return 0;
	}
	for (size_t i = 0; i < v->files; i++) {
		check_path(v->file[i].path);
	}
	for (size_t i = 0; i < v->cases; i++) {
		check_path(v->corpus[i].file.path);
	}
	r = version_write(v, &text, &length, &fault);
	/* one with few blanks may be longer when written: repeat is added */
	require(r == 0 || (r == -EBADMSG && size > VERSION_BYTES / 2));
	if (r == 0) {
		require(version_parse(text, length, &again, &fault) == 0);
		require(again->files == v->files && again->cases == v->cases);
		require(!memcmp(v->file, again->file,
				v->files * sizeof(*v->file)));
		require(!v->cases || !memcmp(v->corpus, again->corpus,
				v->cases * sizeof(*v->corpus)));
	}
	return 0;
}
