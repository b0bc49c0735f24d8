/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Foreign blocks: what the check lets pass evaluates without leaving it. Input
 * is a block if it begins with the magic; else patches of four bytes (offset,
 * value, how) over a block that is good.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "rule/block.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char text[] =
	"deny any path \"/srv/**/x?z*.exe\" and not uid 0\n"
	"deny any object 8:1 5 or uid 7 or exe \"/bin/sh\"\n"
	"allow any path-prefix \"/usr\" priority 3\n"
	"ask any size > 5 and mode setuid\n"
	"deny any path \"/a/*b/**/c?d/*\" and (cgroup 1 or owner 2)\n"
	"deny any sha256 bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
	"bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\n"
	"quiet any path \"/a/b\" and cgroup 9\n";

static struct rule_program *good_block(void)
{
	static struct rule_program *program;
	struct rule_error error;

	if (!program && rule_compile(text, sizeof(text) - 1, NULL, &program,
				     &error)) {
		abort();
	}
	return program;
}

static void patch(uint8_t *block, size_t size, const uint8_t *data,
		  size_t length)
{
	for (; length >= 4; data += 4, length -= 4) {
		uint8_t *at = &block[(data[0] | data[1] << 8) % size];

		switch (data[3] % 3) {
		case 0:
			*at = data[2];
			break;
		case 1:
			*at ^= data[2];
			break;
		default:
			*at = (uint8_t)(*at + data[2]);
			break;
		}
	}
}

static void eval_all(const void *block)
{
	static const char *const paths[] = {
		"/srv/a/xyzzy.exe", "/usr/bin/x", "/a/xb/q/r/cxd/z", "/a/b"
	};
	static const uint8_t hash[32] = { 0xbb };
	struct rule_match match;

	for (unsigned i = 0; i < 16; i++) {
		const char *path = paths[i % 4];
		struct rule_facts f = {
			.kind = i & 4 ? BAILEY_EVENT_FILE_OPEN
				      : BAILEY_EVENT_PROCESS_EXEC,
			.have = i & 8 ? 0x1ff : 0, .path = path,
			.path_length = strlen(path), .exe_path = "/bin/sh",
			.exe_path_length = 7, .sha256 = hash, .size = 9,
			.uid = i
		};

		(void)rule_eval(block, &f, NULL, &match);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint32_t magic = BLOCK_MAGIC;
	size_t length = size;
	uint8_t *block;

	if (size >= 4 && !memcmp(data, &magic, 4)) {
		block = malloc(length);
		if (block) {
			memcpy(block, data, length);
		}
	} else {
		length = rule_program_size(good_block());
		block = malloc(length);
		if (block) {
			memcpy(block, good_block(), length);
			patch(block, length, data, size);
		}
	}
	if (block && !rule_program_check(block, length)) {
		eval_all(block);
	}
	free(block);
	return 0;
}
