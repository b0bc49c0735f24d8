/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of rules share. */
#ifndef TESTS_RULE_LIB_H
#define TESTS_RULE_LIB_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "rule/rule.h"

/* Collections of the tests: "bad" is 0, "staff" is 1. */
static inline int lib_set_index(const void *context, const char *name)
{
	return !strcmp(name, "bad") ? 0 : !strcmp(name, "staff") ? 1 : -1;
}

/* Set 0 holds the hash of 32 bytes 0xbb; set 1 the numbers 1000 to 1009. */
static inline bool lib_contains(const void *context, uint32_t index,
				const void *member, size_t size)
{
	uint8_t bad[32];
	uint64_t number;

	memset(bad, 0xbb, sizeof(bad));
	if (index == 0) {
		return size == 32 && !memcmp(member, bad, 32);
	}
	memcpy(&number, member, sizeof(number));
	return size == 8 && number >= 1000 && number <= 1009;
}

static const struct rule_sets lib_sets = { lib_contains, NULL };
static const struct rule_limits lib_admin = { .set_index = lib_set_index };

static inline void lib_path(struct rule_facts *f, const char *path)
{
	f->path = path;
	f->path_length = strlen(path);
	f->have |= RULE_FACT_PATH;
}

static inline struct rule_program *lib_compile(const char *text)
{
	struct rule_program *program = NULL;
	struct rule_error error = { 0 };
	int r = rule_compile(text, strlen(text), &lib_admin, &program, &error);

	if (r) {
		print_error("line %d: %s\n%s\n", error.line, error.text, text);
	}
	assert_int_equal(r, 0);
	assert_int_equal(rule_program_check(program,
					    rule_program_size(program)), 0);
	return program;
}

/* xorshift: the same numbers in each run. */
static inline uint32_t lib_random(uint32_t *state, uint32_t below)
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	return *state % below;
}

#endif
