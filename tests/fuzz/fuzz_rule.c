/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rule text: whatever compiles is a block that passes the check and evaluates
 * safely; under a product's limits, what it denies lies below may_deny.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "rule/rule.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int set_index(const void *context, const char *name)
{
	return name[0] == 'b' ? 0 : -1;
}

static bool contains(const void *context, uint32_t index, const void *member,
		     size_t size)
{
	return *(const uint8_t *)member & 1;
}

static const char *const paths[] = {
	"/", "/srv", "/srv/a", "/srvx", "/srv/data/evil.exe", "/usr/bin/dpkg",
	"/home/u/a/b/c/d/e/f", "/etc/passwd"
};

static void eval_all(const struct rule_program *program, bool product)
{
	static const uint8_t hash[32] = { 1 };
	const struct rule_sets sets = { contains, NULL };
	struct rule_match match;

	for (unsigned i = 0; i < 64; i++) {
		const char *path = paths[i % 8];
		struct rule_facts f = {
			.kind = i & 8 ? BAILEY_EVENT_FILE_OPEN
				      : BAILEY_EVENT_PROCESS_EXEC,
			.have = i & 16 ? 0x1ff : 0x1ff & ~(1u << i % 9),
			.path = path, .path_length = strlen(path),
			.path_foreign = i & 32, .exe_path = paths[5],
			.exe_path_length = strlen(paths[5]), .device = 2049,
			.inode = 131075, .uid = i % 3, .sha256 = hash
		};
		bool below = !strcmp(path, "/srv") ||
			     !strncmp(path, "/srv/", 5);
		enum rule_action action = rule_eval(program, &f, &sets,
						    &match);

		if ((product && action == RULE_DENY &&
		     (!below || f.path_foreign)) ||
		    (action == RULE_NONE) != (match.line == 0) ||
		    match.missing & f.have) {
			abort();
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rule_limits limits = {
		.may_deny = { "/srv/" }, .set_index = set_index
	};

	for (int product = 0; product < 2; product++) {
		struct rule_program *program = NULL;
		struct rule_error error = { 0 };
		int r;

		limits.product = product;
		r = rule_compile((const char *)data, size, &limits, &program,
				 &error);
		if (r) {
			if (r == -EBADMSG &&
			    (error.line < 1 || !error.text[0])) {
				abort();
			}
			continue;
		}
		if (rule_program_check(program,
				       rule_program_size(program))) {
			abort();
		}
		eval_all(program, product);
		free(program);
	}
	return 0;
}
