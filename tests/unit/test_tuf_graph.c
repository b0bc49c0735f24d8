/* SPDX-License-Identifier: Apache-2.0 */
/* Are delegations searched in the order of the specification, each role once;
 * is a role believed only under the keys through which it was reached; and are
 * odd names of roles harmless? */
#include <openssl/sha.h>

#include "tuf_case.h"

/* "DELEGATOR ROLE", '!' in front: terminating; "=PATTERN" behind: not "*". T
 * is the top-level targets. */
static const struct graph {
	const char *name, *edges[6], *visited;
} graphs[] = {
	{ "one", { "T A" }, "A" },
	{ "two", { "T A", "T B" }, "A B" },
	{ "two levels", { "T A", "T B", "B C" }, "A B C" },
	{ "depth first", { "T A", "T B", "A C", "A D" }, "A C D B" },
	{ "three levels", { "T A", "T B", "A C", "C D" }, "A C D B" },
	{ "terminating ends all", { "T A", "T B", "!A C", "A D" }, "A C" },
	{ "but what is below it", { "T A", "T B", "!A C", "C D" }, "A C D" },
	{ "not matching", { "T A=*.py", "T B", "A C" }, "B" },
	{ "not matching below", { "T A", "T B", "A C=*.py", "C D" }, "A B" },
	{ "terminating that does not match ends nothing",
	  { "!T A=*.py", "T B" }, "B" },
	{ "cycle", { "T A", "T B", "B C", "C D", "D B" }, "A B C D" },
	{ "to itself", { "T A", "A A", "T B" }, "A B" },
	{ "diamond", { "T A", "T B", "B C", "A C" }, "A C B" },
	{ "diamond, one way only",
	  { "T A", "T B", "B C", "A C=*.py" }, "A B C" },
};

static void build(const char *edge)
{
	bool terminating = *edge == '!';
	char text[64], *from, *to, *pattern;

	strcpy(text, edge + terminating);
	from = strtok(text, " ");
	to = strtok(NULL, "=");
	pattern = strtok(NULL, "");
	sim_delegate(s, strcmp(from, "T") ? from : "targets", to,
		     pattern ? pattern : "*", terminating);
}

/* The delegated roles that were asked for, in order. */
static const char *visited(void)
{
	static char text[4096];
	char log[sizeof(s->log)], *rest = log, *word;

	text[0] = '\0';
	strcpy(log, s->log);
	while ((word = strsep(&rest, " "))) {
		char *dot = strchr(word, '.');
		char *end = strstr(word, ".json");

		if (dot && end && dot != end && !strstr(word, ".root.") &&
		    !strstr(word, ".snapshot.") &&
		    !strstr(word, ".targets.")) {
			sprintf(text + strlen(text), "%s%.*s", *text ? " " : "",
				(int)(end - dot - 1), dot + 1);
		}
	}
	return text;
}

static void test_order(void **state)
{
	for (size_t i = 0; i < sizeof(graphs) / sizeof(graphs[0]); i++) {
		const struct graph *g = &graphs[i];

		teardown(NULL);
		setup(NULL);
		for (size_t j = 0; j < 6 && g->edges[j]; j++) {
			build(g->edges[j]);
		}
		sim_publish_all(s);
		sim_expect(&c, sim_download(&c, "missing"), TUF_NO_TARGET);
		if (strcmp(visited(), g->visited) != 0) {
			fail_msg("%s: %s, not %s", g->name, visited(),
				 g->visited);
		}
	}
}

static void found(const char *path, const char *want, int result)
{
	sim_clear_log(s);
	sim_expect(&c, sim_download(&c, path), result);
	if (strcmp(visited(), want) != 0) {
		fail_msg("%s: %s, not %s", path, visited(), want);
	}
}

static void make_tree(void)
{
	sim_delegate(s, "targets", "A", "*.doc *.md", false);
	sim_delegate(s, "targets", "B", "releases/*/*", false);
	sim_delegate(s, "B", "C", "releases/x/*", false);
	sim_delegate(s, "B", "D", "releases/y/*.zip", false);
	sim_add_target(s, "targets", "file", "by targets");
	sim_add_target(s, "A", "README.md", "by A");
	sim_add_target(s, "C", "releases/x/x_v1", "by C");
	sim_add_target(s, "D", "releases/y/y_v1.zip", "by D");
	sim_add_target(s, "D", "releases/z/z_v1.zip", "also by D");
	sim_publish_all(s);
}

static void test_found_where_it_may_be(void **state)
{
	make_tree();
	found("file", "", 0);
	found("README.md", "A", 0);
	assert_string_equal(sim_downloaded(&c, "README.md"), "by A");
	found("releases/x/x_v1", "B C", 0);
	found("releases/y/y_v1.zip", "D", 0);
	/* listed by D, but not D's to give */
	found("releases/z/z_v1.zip", "", TUF_NO_TARGET);
}

/* The first in the order of delegations has the say. */
static void test_first_delegation_wins(void **state)
{
	sim_delegate(s, "targets", "A", "*", false);
	sim_delegate(s, "targets", "B", "*", false);
	sim_add_target(s, "B", "x", "by B");
	sim_add_target(s, "A", "x", "by A");
	sim_publish_all(s);
	sim_expect(&c, sim_download(&c, "x"), 0);
	assert_string_equal(sim_downloaded(&c, "x"), "by A");
}

/* A role that cannot be had: nobody else may answer in its place. */
static void test_a_missing_role_ends_the_search(void **state)
{
	sim_delegate(s, "targets", "A", "*", false);
	sim_delegate(s, "targets", "B", "*", false);
	sim_add_target(s, "B", "x", "by B");
	sim_publish_all(s);
	s->fail_name = "1.A.json";
	s->fail = FETCH_ABSENT;
	sim_expect(&c, sim_download(&c, "x"), -ENODATA);
	sim_drop_signers(s, "A");
	s->fail_name = NULL;
	sim_publish(s, "A snapshot timestamp");
	sim_expect(&c, sim_download(&c, "x"), -EKEYREJECTED);
	json_object_del(json_object_get(sim_body(s, "snapshot"), "meta"),
			"A.json");
	sim_rotate(s, "snapshot");
	sim_publish(s, "root snapshot timestamp");
	sim_expect(&c, sim_download(&c, "x"), -EBADMSG);
	assert_string_equal(c.why, "snapshot: signed.meta.A.json: missing");
}

/* Two roles delegate to one name under different keys. What A's keys vouch for
 * is not what B's do, in memory or in the folder, whoever came first. */
static void shared_role(const char *first, const char *second, bool valid)
{
	struct sim_role *role;
	struct tuf_target target;
	cleanup_fetch struct fetch *fetch = NULL;
	struct tuf *tuf;

	teardown(NULL);
	setup(NULL);
	fetch = sim_fetch(s, true);
	sim_delegate(s, "targets", "A", "a/*", false);
	sim_delegate(s, "targets", "B", "b/*", false);
	sim_delegate(s, "A", "C", "*/*", false);
	sim_delegate(s, "B", "C", "*/*", false);
	sim_add_target(s, "C", "a/x", "text a");
	sim_add_target(s, "C", "b/x", "text b");
	role = &s->roles[s->role_count - 1];
	assert_string_equal(role->name, "C");
	assert_int_equal(role->signer_count, 2);
	/* [0] is the key that A names, [1] the one that B names */
	if (!valid) {
		if (first[0] == 'b') {
			role->signers[0] = role->signers[1];
		}
		role->signer_count = 1;
	}
	sim_publish_all(s);
	sim_expect(&c, sim_download(&c, first), 0);
	assert_int_equal(sim_trusts(&c, "C"), 1);
	sim_expect(&c, sim_download(&c, second), valid ? 0 : -EKEYREJECTED);
	assert_int_equal(sim_target_files(&c), valid ? 2 : 1);
	assert_int_equal(sim_trusts(&c, "C"), 1);
	/* and the first one is as good as before */
	sim_expect(&c, sim_download(&c, first), 0);
	/* the same within one refresh */
	tuf = sim_handle(&c);
	assert_int_equal(tuf_find(tuf, fetch, first, &target), 0);
	assert_int_equal(tuf_find(tuf, fetch, second, &target),
			 valid ? 0 : -EKEYREJECTED);
	assert_int_equal(tuf_find(tuf, NULL, first, &target), 0);
	assert_int_equal(tuf_find(tuf, NULL, second, &target),
			 valid ? 0 : -ENODATA);
}

static void test_one_name_two_delegators(void **state)
{
	shared_role("a/x", "b/x", false);
	shared_role("b/x", "a/x", false);
	shared_role("a/x", "b/x", true);
}

/* The delegator's keys for a role change; the role's own file does not. */
static void test_delegated_keys_change(void **state)
{
	sim_delegate(s, "targets", "A", "*", false);
	sim_add_target(s, "A", "x", "by A");
	sim_publish_all(s);
	sim_expect(&c, sim_download(&c, "x"), 0);
	json_array_clear(json_object_get(sim_trusted(s, "targets", "A"),
					 "keyids"));
	sim_trust(s, "targets", "A", sim_new_key(s, KEY_ED25519));
	sim_publish(s, "targets snapshot timestamp");
	sim_expect(&c, sim_download(&c, "x"), -EKEYREJECTED);
	sim_add_signer(s, "A", s->own[0]);
	sim_publish(s, "A snapshot timestamp");
	sim_expect(&c, sim_download(&c, "x"), 0);
}

static void test_visits_are_limited(void **state)
{
	char name[16];

	for (unsigned i = 0; i < TUF_VISITS_MAX + 5; i++) {
		snprintf(name, sizeof(name), "r%u", i);
		sim_delegate(s, "targets", name, "*", false);
	}
	sim_add_target(s, name, "x", "too far");
	sim_add_target(s, "r30", "y", "near enough");
	sim_publish_all(s);
	sim_expect(&c, sim_download(&c, "y"), 0);
	sim_expect(&c, sim_download(&c, "x"), TUF_NO_TARGET);
	assert_null(strstr(s->log, "1.r31.json"));
}

/* As deep as can be: each role delegates to the next. */
static void test_depth_is_limited(void **state)
{
	char name[16], before[16] = "targets";

	for (unsigned i = 0; i < TUF_VISITS_MAX + 5; i++) {
		snprintf(name, sizeof(name), "r%u", i);
		sim_delegate(s, before, name, "*", false);
		strcpy(before, name);
	}
	sim_add_target(s, "r30", "y", "near enough");
	sim_add_target(s, "r31", "x", "too far");
	sim_publish_all(s);
	sim_expect(&c, sim_download(&c, "y"), 0);
	sim_expect(&c, sim_download(&c, "x"), TUF_NO_TARGET);
}

static void test_odd_names(void **state)
{
	static const struct {
		const char *role, *asked, *stored;
	} rows[] = {
		{ "?", "1.%3F.json", "%3F" },
		{ "#", "1.%23.json", "%23" },
		{ "/role", "1.%2Frole.json", "%2Frole" },
		{ "../role", "1...%2Frole.json", "..%2Frole" },
		{ "..", "1....json", ".." },
		{ "a b%", "1.a%20b%25.json", "a%20b%25" },
		{ "\xc3\xa4\n", "1.%C3%A4%0A.json", "%C3%A4%0A" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char want[64];

		teardown(NULL);
		setup(NULL);
		sim_delegate(s, "targets", rows[i].role, "*", false);
		sim_publish(s, "targets");
		sim_unpublish(s, rows[i].role);
		sim_publish_all(s);
		sim_expect(&c, sim_download(&c, "missing"), TUF_NO_TARGET);
		snprintf(want, sizeof(want), " %s", rows[i].asked);
		assert_non_null(strstr(s->log, want));
		assert_int_equal(sim_trusts(&c, rows[i].stored), 1);
	}
}

static void delegation_refused(const char *role, const char *why)
{
	teardown(NULL);
	setup(NULL);
	json_object_set_new(sim_delegate(s, "targets", "A", "*", false),
			    "name", json_string(role));
	sim_publish(s, "targets snapshot timestamp");
	sim_expect(&c, sim_refresh(&c), -EBADMSG);
	assert_non_null(strstr(c.why, why));
}

static void test_names_that_are_refused(void **state)
{
	char name[TUF_ROLE_MAX + 1];

	delegation_refused("root", "a top-level role");
	delegation_refused("targets", "a top-level role");
	delegation_refused("timestamp", "a top-level role");
	delegation_refused("snapshot", "a top-level role");
	delegation_refused("", "0 bytes");
	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	delegation_refused(name, "256 bytes");
	teardown(NULL);
	setup(NULL);
	sim_delegate(s, "targets", "A", "*", false);
	sim_delegate(s, "targets", "A", "x", false);
	sim_publish_all(s);
	sim_expect(&c, sim_refresh(&c), -EBADMSG);
	assert_non_null(strstr(c.why, "stands there twice"));
}

/* A name that fits, but not as a file's. */
static void test_a_name_too_long_to_store(void **state)
{
	char name[120];

	memset(name, '?', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	sim_delegate(s, "targets", name, "*", false);
	sim_publish_all(s);
	sim_expect(&c, sim_refresh(&c), 0);
	sim_expect(&c, sim_download(&c, "x"), -ENAMETOOLONG);
}

static void test_hash_prefixes(void **state)
{
	json_t *one = sim_delegate(s, "targets", "A", NULL, false);
	json_t *two = sim_delegate(s, "targets", "B", NULL, false);
	uint8_t digest[32];
	char prefix[8];

	SHA256((const uint8_t *)"some/path", 9, digest);
	snprintf(prefix, sizeof(prefix), "%02x%x", digest[0], digest[1] >> 4);
	json_object_set_new(two, "path_hash_prefixes",
			    json_pack("[s,s]", "zz", prefix));
	snprintf(prefix, sizeof(prefix), "%02x%x", digest[0],
		 (digest[1] >> 4) ^ 1);
	json_object_set_new(one, "path_hash_prefixes",
			    json_pack("[s]", prefix));
	sim_add_target(s, "A", "some/path", "by A");
	sim_add_target(s, "B", "some/path", "by B");
	sim_publish_all(s);
	sim_expect(&c, sim_download(&c, "some/path"), 0);
	assert_string_equal(sim_downloaded(&c, "some%2Fpath"), "by B");
	json_object_set_new(two, "paths", json_pack("[s]", "*"));
	sim_publish_all(s);
	sim_expect(&c, sim_refresh(&c), -EBADMSG);
}

/* Neither patterns nor prefixes: trusted for nothing. */
static void test_no_paths(void **state)
{
	sim_delegate(s, "targets", "A", NULL, true);
	sim_delegate(s, "targets", "B", "*", false);
	sim_add_target(s, "A", "x", "by A");
	sim_add_target(s, "B", "x", "by B");
	sim_publish_all(s);
	sim_expect(&c, sim_download(&c, "x"), 0);
	assert_string_equal(sim_downloaded(&c, "x"), "by B");
}

static int collect(void *context, const struct tuf_target *target)
{
	char *text = context;

	sprintf(text + strlen(text), "%s:%s ", target->role, target->path);
	return strcmp(target->path, "c/p/code/stop") == 0 ? 77 : 0;
}

static void test_each(void **state)
{
	static const char *const chain[] = { "content/p", "data/p" };
	static const char *const nobody[] = { "content/q" };
	cleanup_fetch struct fetch *fetch = sim_fetch(s, true);
	char text[512] = "";
	struct tuf *tuf;

	sim_delegate(s, "targets", "content/p", "c/p/code/* c/p/data/*", false);
	sim_delegate(s, "content/p", "data/p", "c/p/data/*", false);
	sim_add_target(s, "content/p", "c/p/code/1", "1");
	sim_add_target(s, "content/p", "c/p/code/2", "2");
	sim_add_target(s, "content/p", "c/p/other", "not its own");
	sim_add_target(s, "data/p", "c/p/data/7", "7");
	sim_add_target(s, "data/p", "c/p/code/3", "not its own");
	sim_add_target(s, "targets", "c/p/code/0", "0");
	sim_publish_all(s);
	tuf = sim_handle(&c);
	assert_int_equal(tuf_each(tuf, fetch, chain, 1, "c/p/", collect, text),
			 0);
	assert_non_null(strstr(text, "content/p:c/p/code/1 "));
	assert_non_null(strstr(text, "content/p:c/p/code/2 "));
	assert_int_equal(strlen(text), 2 * strlen("content/p:c/p/code/1 "));
	text[0] = '\0';
	assert_int_equal(tuf_each(tuf, fetch, chain, 2, "", collect, text), 0);
	assert_string_equal(text, "data/p:c/p/data/7 ");
	text[0] = '\0';
	assert_int_equal(tuf_each(tuf, fetch, NULL, 0, "c", collect, text), 0);
	assert_string_equal(text, "targets:c/p/code/0 ");
	assert_int_equal(tuf_each(tuf, fetch, nobody, 1, "", collect, text),
			 TUF_NO_TARGET);
	sim_add_target(s, "content/p", "c/p/code/stop", "");
	sim_publish(s, "content/p snapshot timestamp");
	tuf = sim_handle(&c);
	assert_int_equal(tuf_each(tuf, fetch, chain, 1, "c/p/code/stop",
				  collect, text), 77);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		EACH(test_order),
		EACH(test_found_where_it_may_be),
		EACH(test_first_delegation_wins),
		EACH(test_a_missing_role_ends_the_search),
		EACH(test_one_name_two_delegators),
		EACH(test_delegated_keys_change),
		EACH(test_visits_are_limited),
		EACH(test_depth_is_limited),
		EACH(test_odd_names),
		EACH(test_names_that_are_refused),
		EACH(test_a_name_too_long_to_store),
		EACH(test_hash_prefixes),
		EACH(test_no_paths),
		EACH(test_each),
	};
	int failed = cmocka_run_group_tests_name("a handle each", tests, NULL,
						 NULL);

	sim_one_handle = true;
	return failed + cmocka_run_group_tests_name("one handle", tests, NULL,
						    NULL);
}
