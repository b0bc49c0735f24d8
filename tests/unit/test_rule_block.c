/* SPDX-License-Identifier: Apache-2.0 */
/* Is a broken block refused, and is one that passes always safe to use? */
#include <errno.h>
#include <stddef.h>

#include "rule/block.h"
#include "rule_lib.h"

static const char rules[] =
	"deny any path \"/srv/**/x?z*.exe\" and not uid 0\n"
	"deny any object 8:1 5 or uid 7 or exe \"/bin/sh\"\n"
	"allow any path-prefix \"/usr\" priority 3\n"
	"ask any size > 5 and mode setuid\n"
	"deny any sha256 in collection bad\n"
	"deny any sha256 bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
	"bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\n"
	"quiet any path \"/a/b\" and cgroup 9\n";

/* A copy in a block of its own, so that ASan sees each step outside. */
static void *copy_of(const struct rule_program *program, size_t size)
{
	void *copy = malloc(size);

	assert_non_null(copy);
	memcpy(copy, program, size);
	return copy;
}

static void eval_some(const void *block)
{
	static const uint8_t hash[32] = { 0xbb };
	static const char *const paths[] = {
		"/srv/a/xyzzy.exe", "/usr/bin/x", "/a/b", "/"
	};
	struct rule_match match;

	for (unsigned i = 0; i < 8; i++) {
		struct rule_facts f = {
			.kind = i & 1 ? BAILEY_EVENT_FILE_OPEN
				      : BAILEY_EVENT_PROCESS_EXEC,
			.have = i & 4 ? 0x1ff : 0, .exe_path = "/bin/sh",
			.exe_path_length = 7, .sha256 = hash, .size = 9,
			.uid = i
		};

		lib_path(&f, paths[i / 2]);
		(void)rule_eval(block, &f, &lib_sets, &match);
	}
}

#define BREAK(what) do {                                                      \
	struct block_head *h = copy_of(program, size);                        \
	struct block_view v = block_view(h);                                  \
	struct block_rule *rule = (void *)(uintptr_t)v.rule;                  \
	struct block_leaf *leaf = (void *)(uintptr_t)v.leaf;                  \
	struct block_key *key = (void *)(uintptr_t)v.key;                     \
	uint32_t *rank = (void *)(uintptr_t)v.rank;                           \
	uint8_t *code = (void *)(uintptr_t)v.code;                            \
	(void)rule, (void)leaf, (void)key, (void)rank, (void)code;            \
	what;                                                                 \
	if (rule_program_check(h, size) != -EBADMSG) {                        \
		fail_msg("accepted: %s", #what);                              \
	}                                                                     \
	free(h);                                                              \
} while (0)

static uint32_t used_key(const struct block_key *key)
{
	uint32_t i = 0;

	while (!key[i].list.count) {
		i++;
	}
	return i;
}

/* One field of the head broken at a time. */
static void test_head_is_checked(void **state)
{
	struct rule_program *program = lib_compile(rules);
	size_t size = rule_program_size(program);

	BREAK(h->magic++);
	BREAK(h->size++);
	BREAK(h->rules++);
	BREAK(h->rules = 0);
	BREAK(h->leaves--);
	BREAK(h->keys *= 2);
	BREAK(h->keys--);
	BREAK(h->ranks++);
	BREAK(h->code++);
	BREAK(h->text--);
	BREAK(h->text = UINT32_MAX);
	BREAK(h->probes = h->keys + 1);
	BREAK(h->kind[0].linear.first = UINT32_MAX);
	BREAK(h->kind[15].linear.count = h->ranks + 1);
	BREAK(h->kind[0].key_types |= 1u << 31);
	BREAK(h->by_type[0].count = h->ranks + 1);
	BREAK(h->reserved = 1);
	for (size_t n = 0; n < size; n++) {
		void *part = copy_of(program, n);

		assert_int_equal(rule_program_check(part, n), -EBADMSG);
		free(part);
	}
	assert_int_equal(rule_program_check(NULL, 0), -EBADMSG);
	free(program);
}

/* One field of a row broken at a time. */
static void test_rows_are_checked(void **state)
{
	struct rule_program *program = lib_compile(rules);
	size_t size = rule_program_size(program);

	BREAK(rule[0].action = 0);
	BREAK(rule[0].action = 6);
	BREAK(rule[0].line = 0);
	BREAK(rule[0].kinds = 0);
	BREAK(rule[0].kinds = 1u << 16);
	BREAK(rule[0].leaf = UINT32_MAX);
	BREAK(rule[0].code = h->code);
	BREAK(rule[0].leaves = 33);
	BREAK(rule[0].codes = 65);
	BREAK(code[0] = 33);
	BREAK(code[0] = BLOCK_AND);
	BREAK(code[1] = 0x82);
	BREAK(code[h->code - 1] = 0);
	BREAK(leaf[0].op = 0);
	BREAK(leaf[0].op = 9);
	BREAK(leaf[0].fact = 0);
	BREAK(leaf[0].fact = RULE_FACT_SHA256);
	BREAK(leaf[0].flags = 8);
	BREAK(leaf[0].a = UINT64_MAX);
	BREAK(leaf[0].prefix = UINT16_MAX);
	BREAK(leaf[0].mid = 121);
	BREAK(leaf[0].suffix = UINT16_MAX);
	BREAK(leaf[0].compare = 5);
	BREAK(rank[0] = h->rules);
	BREAK(key[used_key(key)].list.first = h->ranks);
	BREAK(key[used_key(key)].list.count = h->ranks);
	free(program);
}

/* Whatever bytes change: refused, or at least safe. */
static void test_random_damage(void **state)
{
	struct rule_program *program = lib_compile(rules);
	size_t size = rule_program_size(program);
	unsigned refused = 0, accepted = 0;
	uint32_t seed = 17;

	for (unsigned i = 0; i < 60000; i++) {
		uint8_t *block = copy_of(program, size);

		for (unsigned k = 0; k <= i % 4; k++) {
			block[lib_random(&seed, (uint32_t)size)] ^=
				(uint8_t)(1u << lib_random(&seed, 8));
		}
		if (rule_program_check(block, size)) {
			refused++;
		} else {
			accepted++;
			eval_some(block);
		}
		free(block);
	}
	assert_true(refused > 1000);
	assert_true(accepted > 1000);
	free(program);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_head_is_checked),
		cmocka_unit_test(test_rows_are_checked),
		cmocka_unit_test(test_random_damage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
