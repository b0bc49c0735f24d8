/* SPDX-License-Identifier: Apache-2.0 */
/* Do the indexes ever change what trying every rule would have said? */
#include "rule_random.h"

/* Counts what was said in seen[]. */
static void compare(unsigned rules, unsigned events, uint32_t seed,
		    unsigned seen[6])
{
	struct random_rule *rule = calloc(rules, sizeof(*rule));
	char *text = malloc(rules * 1024u);
	struct rule_program *program;
	size_t n = 0;

	assert_non_null(rule);
	assert_non_null(text);
	for (unsigned i = 0; i < rules; i++) {
		n += random_rule(&seed, &rule[i], text + n);
	}
	text[n] = '\0';
	program = lib_compile(text);
	assert_int_equal(rule_program_count(program), rules);
	for (unsigned i = 0; i < events; i++) {
		char storage[2][64];
		uint8_t hash[32];
		struct rule_facts facts;
		struct rule_match match;
		enum rule_action want, got;
		int line;

		random_facts(&seed, storage, hash, &facts);
		want = random_eval(rule, (int)rules, &facts, &line);
		got = rule_eval(program, &facts, &lib_sets, &match);
		if (got != want || match.line != line ||
		    (match.missing && got != RULE_ASK) ||
		    match.missing & facts.have) {
			fail_msg("event %u: %s by line %d, not %s by line %d",
				 i, rule_action_name(got), match.line,
				 rule_action_name(want), line);
		}
		seen[got]++;
	}
	free(program);
	free(text);
	free(rule);
}

/* A comparison in which nothing ever matched would show nothing. */
static void all_were_seen(const unsigned seen[6])
{
	for (unsigned i = 0; i < 6; i++) {
		assert_true(seen[i] > 0);
	}
}

static void test_small_programs(void **state)
{
	unsigned seen[6] = { 0 };

	for (uint32_t seed = 1; seed <= 300; seed++) {
		compare(1 + seed % 30, 400 + seed % 30 * 20, seed * 7919,
			seen);
	}
	all_were_seen(seen);
}

static void test_ten_thousand_rules(void **state)
{
	unsigned seen[6] = { 0 };

	compare(10000, 3000, 99, seen);
	assert_true(seen[RULE_ASK] > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_small_programs),
		cmocka_unit_test(test_ten_thousand_rules),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
