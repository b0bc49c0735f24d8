/* SPDX-License-Identifier: Apache-2.0 */
/* Which rule decides about an event, and what does it say? */
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "rule_lib.h"

static struct rule_facts facts_of_open(void)
{
	static uint8_t hash[32];
	struct rule_facts f = {
		.kind = BAILEY_EVENT_FILE_OPEN,
		.have = 0x1ff,
		.exe_path = "/usr/bin/cat", .exe_path_length = 12,
		.exe_device = makedev(8, 1), .exe_inode = 77,
		.device = makedev(8, 1), .inode = 131075,
		.cgroup = 42, .size = 5000, .uid = 1000, .owner = 33,
		.mode = S_IFREG | S_ISUID | 0755, .sha256 = hash
	};

	memset(hash, 0xbb, sizeof(hash));
	lib_path(&f, "/srv/data/evil.exe");
	return f;
}

static enum rule_action decide(const char *text, const struct rule_facts *f,
			       struct rule_match *ret_match)
{
	struct rule_program *program = lib_compile(text);
	enum rule_action action = rule_eval(program, f, &lib_sets, ret_match);

	free(program);
	return action;
}

static const struct {
	const char *filter;
	bool matches;
} predicates[] = {
	{ "path \"/srv/data/evil.exe\"", true },
	{ "path \"/srv/data/evil.ex\"", false },
	{ "path \"/srv/data/evil.exe2\"", false },
	{ "path \"/srv/data/*.exe\"", true },
	{ "path \"/srv/*.exe\"", false },
	{ "path \"/srv/**.exe\"", true },
	{ "path \"/srv/**/data/*.exe\"", true },
	{ "path \"/**/*.exe\"", true },
	{ "path \"/srv/data/evil.???\"", true },
	{ "path \"/srv/data/evil?exe\"", true },
	{ "path \"/srv/data?evil.exe\"", false },
	{ "path \"/srv/data/\\x65vil.exe\"", true },
	{ "path \"/srv/data/evil\\*exe\"", false },
	{ "path-prefix \"/srv\"", true },
	{ "path-prefix \"/srv/\"", true },
	{ "path-prefix \"/srv/data/evil.exe\"", true },
	{ "path-prefix \"/srv/da\"", false },
	{ "path-prefix \"/\"", true },
	{ "exe \"/usr/bin/cat\"", true },
	{ "exe \"/usr/bin/*\"", true },
	{ "exe \"/usr/*\"", false },
	{ "exe-prefix \"/usr\"", true },
	{ "exe-object 8:1 77", true },
	{ "exe-object 8:1 78", false },
	{ "object 8:1 131075", true },
	{ "object 8:2 131075", false },
	{ "uid 1000", true },
	{ "uid = 1001", false },
	{ "uid != 1001", true },
	{ "uid < 1001", true },
	{ "uid > 1000", false },
	{ "uid in collection staff", true },
	{ "owner in collection staff", false },
	{ "owner 33", true },
	{ "cgroup 42", true },
	{ "cgroup 43", false },
	{ "size >= 5000", true },
	{ "size < 4K", false },
	{ "size <= 1M", true },
	{ "mode setuid", true },
	{ "mode setgid", false },
	{ "mode file", true },
	{ "mode directory", false },
	{ "mode world-writable", false },
	{ "sha256 in collection bad", true },
	{ "sha256 bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbBBBBBBBBBBBBBBBBB"
	  "BBBBBBBBBBBBBBB", true },
	{ "sha256 bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbBBBBBBBBBBBBBBBBB"
	  "BBBBBBBBBBBBBBa", false },
	{ "not (uid 0 or uid 1)", true },
	{ "not (uid 1000 and not owner 33)", true },
	{ "not not uid 1000", true },
	{ "uid 0 and owner 0 or uid 1000", true },
	{ "uid 1000 or owner 0 and uid 0", true },
	{ "(uid 1000 or owner 0) and uid 0", false },
	{ "not (not (uid 1000))", true },
	{ "(((((((uid 1000)))))))", true },
};

/* Does each predicate match what it should, and its negation the rest? */
static void test_predicates(void **state)
{
	struct rule_facts f = facts_of_open();
	struct rule_match match;
	char text[512];
	size_t count = sizeof(predicates) / sizeof(predicates[0]);

	for (size_t i = 0; i < count; i++) {
		enum rule_action want = predicates[i].matches ? RULE_DENY
							 : RULE_NONE;
		enum rule_action other = predicates[i].matches ? RULE_NONE
							  : RULE_DENY;

		snprintf(text, sizeof(text), "deny file.open %s",
			 predicates[i].filter);
		if (decide(text, &f, &match) != want) {
			fail_msg("%s", text);
		}
		snprintf(text, sizeof(text), "deny file.open not (%s)",
			 predicates[i].filter);
		if (decide(text, &f, &match) != other) {
			fail_msg("%s", text);
		}
	}
}

/* Priority first, then deny before ask before allow, then the first line. */
static void test_order(void **state)
{
	static const struct {
		const char *text;
		enum rule_action action;
		int line, priority;
	} table[] = {
		{ "allow any\ndeny any\n", RULE_DENY, 2, 0 },
		{ "allow any\nask any\n", RULE_ASK, 2, 0 },
		{ "quiet any\nnotify any\nallow any", RULE_ALLOW, 3, 0 },
		{ "quiet any\nnotify any", RULE_NOTIFY, 2, 0 },
		{ "allow any priority 1\ndeny any\n", RULE_ALLOW, 1, 1 },
		{ "deny any priority -1\nallow any\n", RULE_ALLOW, 2, 0 },
		{ "deny any\ndeny any uid 1000\n", RULE_DENY, 1, 0 },
		{ "# nothing\n\n  \t\nask any # but\n", RULE_ASK, 4, 0 },
		{ "deny process.exec\n", RULE_NONE, 0, 0 },
		{ "deny process.exec,file.open\n", RULE_DENY, 1, 0 },
		{ "", RULE_NONE, 0, 0 },
		{ "deny any path \"/srv/data/evil.exe\"\n"
		  "allow any path-prefix \"/srv\" priority 5\n"
		  "deny any object 8:1 131075 priority 4\n",
		  RULE_ALLOW, 2, 5 },
		{ "allow any uid 1000 priority 5\n"
		  "deny any path \"/srv/**\" priority 5\n",
		  RULE_DENY, 2, 5 },
	};
	struct rule_facts f = facts_of_open();
	struct rule_match match;

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		enum rule_action action = decide(table[i].text, &f, &match);

		if (action != table[i].action || match.line != table[i].line ||
		    match.priority != table[i].priority || match.missing) {
			fail_msg("%s: %s by line %d", table[i].text,
				 rule_action_name(action), match.line);
		}
	}
	assert_int_equal(rule_eval(NULL, &f, NULL, &match), RULE_NONE);
	f.kind = 7;
	assert_int_equal(decide("deny any", &f, &match), RULE_NONE);
}

/* A fact that is not there asks, but only where the result hangs on it. */
static void test_missing(void **state)
{
	static const struct {
		const char *text;
		uint32_t without;
		enum rule_action action;
		uint32_t missing;
	} table[] = {
		{ "deny any sha256 in collection bad", RULE_FACT_SHA256,
		  RULE_ASK, RULE_FACT_SHA256 },
		{ "deny any not sha256 in collection bad", RULE_FACT_SHA256,
		  RULE_ASK, RULE_FACT_SHA256 },
		{ "deny any uid 0 and sha256 in collection bad",
		  RULE_FACT_SHA256, RULE_NONE, 0 },
		{ "deny any uid 1000 or sha256 in collection bad",
		  RULE_FACT_SHA256, RULE_DENY, 0 },
		{ "deny any path \"/a\"", RULE_FACT_PATH, RULE_ASK,
		  RULE_FACT_PATH },
		{ "deny any exe \"/a\"", RULE_FACT_EXE, RULE_ASK,
		  RULE_FACT_EXE },
		{ "deny any object 8:1 1", RULE_FACT_OBJECT, RULE_ASK,
		  RULE_FACT_OBJECT },
		{ "deny any uid 7 or size 1", RULE_FACT_UID | RULE_FACT_SIZE,
		  RULE_ASK, RULE_FACT_UID | RULE_FACT_SIZE },
		{ "deny any priority 1\nallow any mode setuid",
		  RULE_FACT_MODE, RULE_DENY, 0 },
		{ "deny any priority 1\nallow any mode setuid priority 2",
		  RULE_FACT_MODE, RULE_ASK, RULE_FACT_MODE },
	};
	struct rule_match match;

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct rule_facts f = facts_of_open();

		f.have &= ~table[i].without;
		if (decide(table[i].text, &f, &match) != table[i].action ||
		    match.missing != table[i].missing) {
			fail_msg("%s: missing 0x%x", table[i].text,
				 match.missing);
		}
	}
}

/* Can a user's own mount namespace make a path rule match, or miss? */
static void test_foreign(void **state)
{
	static const struct {
		const char *text;
		enum rule_action action;
	} table[] = {
		{ "allow any path \"/srv/data/evil.exe\"", RULE_NONE },
		{ "allow any path-prefix \"/srv\"", RULE_NONE },
		{ "allow any path \"/srv/**\"", RULE_NONE },
		{ "allow any not path-prefix \"/home\"", RULE_NONE },
		{ "deny any path \"/srv/**\"", RULE_NONE },
		{ "deny any path \"/srv/**\" any-namespace", RULE_DENY },
		{ "deny any path-prefix \"/srv\" any-namespace", RULE_DENY },
		{ "ask any path \"/srv/data/evil.exe\" any-namespace",
		  RULE_ASK },
		{ "allow any path-prefix \"/srv\" or uid 1000", RULE_ALLOW },
		{ "allow any not (path-prefix \"/srv\" and uid 0)",
		  RULE_ALLOW },
		{ "allow any exe \"/usr/bin/cat\"", RULE_ALLOW },
	};
	struct rule_facts f = facts_of_open();
	struct rule_match match;

	f.path_foreign = true;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		if (decide(table[i].text, &f, &match) != table[i].action) {
			fail_msg("%s", table[i].text);
		}
	}
	f.path_foreign = false;
	f.exe_path_foreign = true;
	assert_int_equal(decide("allow any exe \"/usr/bin/cat\"", &f, &match),
			 RULE_NONE);
	assert_int_equal(decide("allow any exe-object 8:1 77", &f, &match),
			 RULE_ALLOW);
}

/* Which facts must be gathered, and how much is examined? */
static void test_needs_and_cost(void **state)
{
	struct rule_program *p = lib_compile(
		"deny file.open path \"/a/b\" and not uid 0\n"
		"deny file.open object 8:1 1\n"
		"allow process.exec exe \"/usr/bin/dpkg\"\n"
		"quiet process.exit size > 3\n"
		"deny file.open mode setuid\n"
		"deny file.open path \"/a/*\"\n"
		"deny file.open path \"/a/?\"\n");

	assert_int_equal(rule_program_count(p), 7);
	assert_int_equal(rule_program_needs(p, BAILEY_EVENT_FILE_OPEN),
			 RULE_FACT_PATH | RULE_FACT_UID | RULE_FACT_OBJECT |
			 RULE_FACT_MODE);
	assert_int_equal(rule_program_needs(p, BAILEY_EVENT_PROCESS_EXEC),
			 RULE_FACT_EXE);
	assert_int_equal(rule_program_needs(p, BAILEY_EVENT_PROCESS_EXIT),
			 RULE_FACT_SIZE);
	assert_int_equal(rule_program_needs(p, BAILEY_EVENT_PROCESS_FORK), 0);
	assert_int_equal(rule_program_needs(NULL, BAILEY_EVENT_FILE_OPEN), 0);
	assert_int_equal(rule_program_cost(p, BAILEY_EVENT_FILE_OPEN), 5);
	assert_int_equal(rule_program_cost(p, BAILEY_EVENT_PROCESS_EXEC), 1);
	assert_int_equal(rule_program_cost(p, BAILEY_EVENT_PROCESS_FORK), 0);
	free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_predicates),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_missing),
		cmocka_unit_test(test_foreign),
		cmocka_unit_test(test_needs_and_cost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
