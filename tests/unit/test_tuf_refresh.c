/* SPDX-License-Identifier: Apache-2.0 */
/* Does a refresh ask for the right files in the right order, keep what it
 * verified as it came, refuse what is not signed, not of its kind or not listed
 * so, and go on from there the next time? */
#include <sys/stat.h>
#include <unistd.h>

#include "tuf_case.h"

static void test_requests_and_stored_bytes(void **state)
{
	static const char *const roles[] = { "root", "timestamp", "snapshot",
					     "targets" };

	assert_string_equal(s->log, "");
	sim_expect(&c, sim_refresh(&c), 0);
	assert_string_equal(s->log, "2.root.json timestamp.json "
				    "1.snapshot.json 1.targets.json");
	for (size_t i = 0; i < 4; i++) {
		sim_stored_is(&c, roles[i], sim_last(s, roles[i]));
	}
	assert_string_equal(sim_folder(&c),
			    "root 1 snapshot 1 targets 1 timestamp 1");
}

static void test_without_change_two_requests(void **state)
{
	sim_expect(&c, sim_refresh(&c), 0);
	sim_clear_log(s);
	sim_expect(&c, sim_refresh(&c), 0);
	assert_string_equal(s->log, "2.root.json timestamp.json");
}

static void test_a_new_timestamp_alone(void **state)
{
	sim_expect(&c, sim_refresh(&c), 0);
	sim_publish(s, "timestamp");
	sim_clear_log(s);
	sim_expect(&c, sim_refresh(&c), 0);
	assert_string_equal(s->log, "2.root.json timestamp.json");
	assert_string_equal(sim_folder(&c),
			    "root 1 snapshot 1 targets 1 timestamp 2");
}

static void test_white_space_is_kept(void **state)
{
	char text[9000];
	struct sim_bytes last = sim_last(s, "timestamp");

	memcpy(text, last.bytes, last.length);
	strcpy(text + last.length, " \n\t ");
	sim_replace_last(s, "timestamp", text, last.length + 4);
	sim_expect(&c, sim_refresh(&c), 0);
	sim_stored_is(&c, "timestamp", sim_last(s, "timestamp"));
}

static void test_without_consistent_snapshots(void **state)
{
	sim_put(s, "root", "consistent_snapshot", json_false());
	sim_delegate(s, "targets", "a/b", "*", false);
	sim_add_target(s, "a/b", "x", "text");
	sim_publish_all(s);
	sim_expect(&c, sim_download(&c, "x"), 0);
	assert_string_equal(s->log, "2.root.json 3.root.json timestamp.json "
				    "snapshot.json targets.json a%2Fb.json x");
	json_object_del(sim_body(s, "root"), "consistent_snapshot");
	sim_publish(s, "root snapshot timestamp");
	sim_clear_log(s);
	sim_expect(&c, sim_refresh(&c), 0);
	assert_string_equal(s->log, "3.root.json 4.root.json timestamp.json "
				    "snapshot.json");
}

/* A role that is not signed ends the refresh; those before it are kept. */
static void test_unsigned(void **state)
{
	static const struct {
		const char *role, *kept;
	} rows[] = {
		{ "root", "root 1" },
		{ "timestamp", "root 2" },
		{ "snapshot", "root 2 timestamp 2" },
		{ "targets", "root 2 snapshot 2 timestamp 2" },
	};

	for (size_t i = 0; i < 4; i++) {
		teardown(NULL);
		setup(NULL);
		sim_drop_signers(s, rows[i].role);
		sim_publish_all(s);
		sim_expect(&c, sim_refresh(&c), -EKEYREJECTED);
		assert_string_equal(sim_folder(&c), rows[i].kept);
	}
}

/* Published under one number, another one inside. */
static void test_number_inside_differs(void **state)
{
	static const struct {
		const char *role, *kept;
		int error;
	} rows[] = {
		{ "root", "root 1", -ESTALE },
		{ "snapshot", "root 2 timestamp 2", -ENODATA },
		{ "targets", "root 2 snapshot 2 timestamp 2", -ENODATA },
	};

	for (size_t i = 0; i < 3; i++) {
		teardown(NULL);
		setup(NULL);
		sim_set_version(s, rows[i].role, 2);
		sim_publish_all(s);
		sim_expect(&c, sim_refresh(&c), rows[i].error);
		assert_string_equal(sim_folder(&c), rows[i].kept);
	}
}

static void test_listed_with_another_number(void **state)
{
	sim_publish_all(s);
	json_object_set_new(json_object_get(json_object_get(
		sim_body(s, "snapshot"), "meta"), "targets.json"), "version",
		json_integer(1));
	sim_replace_last(s, "targets", sim_last(s, "targets").bytes,
			 sim_last(s, "targets").length);
	sim_serve(s, "1.targets.json", sim_last(s, "targets").bytes,
		  sim_last(s, "targets").length);
	sim_publish(s, "snapshot timestamp");
	sim_expect(&c, sim_refresh(&c), -EBADMSG);
	assert_string_equal(c.why,
			    "1.targets.json: version 2, listed with 1");
	assert_string_equal(sim_folder(&c), "root 2 snapshot 3 timestamp 3");
}

static void test_absent(void **state)
{
	sim_expect(&c, sim_refresh(&c), 0);
	s->fail = FETCH_ABSENT;
	s->fail_name = "timestamp.json";
	sim_expect(&c, sim_refresh(&c), -ENODATA);
	sim_publish_all(s);
	s->fail_name = "2.snapshot.json";
	sim_expect(&c, sim_refresh(&c), -ENODATA);
	assert_string_equal(sim_folder(&c),
			    "root 2 snapshot 1 targets 1 timestamp 2");
	s->fail_name = "2.targets.json";
	sim_expect(&c, sim_refresh(&c), -ENODATA);
	assert_string_equal(sim_folder(&c),
			    "root 2 snapshot 2 targets 1 timestamp 2");
	/* the timestamp is the same: it goes on where it stopped */
	s->fail_name = NULL;
	sim_clear_log(s);
	sim_expect(&c, sim_refresh(&c), 0);
	assert_string_equal(s->log,
			    "3.root.json timestamp.json 2.targets.json");
}

static void test_an_error_for_a_root_is_not_its_absence(void **state)
{
	s->fail_name = "2.root.json";
	s->fail = -ETIMEDOUT;
	sim_publish(s, "root");
	sim_expect(&c, sim_refresh(&c), -ETIMEDOUT);
	assert_string_equal(sim_folder(&c), "root 1");
	s->fail_name = NULL;
	sim_expect(&c, sim_refresh(&c), 0);
}

static void test_timestamp_changes_without_a_number(void **state)
{
	struct sim_bytes first;
	char text[9000];

	sim_expect(&c, sim_refresh(&c), 0);
	first = sim_last(s, "timestamp");
	memcpy(text, first.bytes, first.length);
	sim_set_version(s, "timestamp", 0);
	json_object_set_new(json_object_get(json_object_get(
		sim_body(s, "timestamp"), "meta"), "snapshot.json"), "version",
		json_integer(100));
	sim_publish(s, "timestamp");
	assert_int_equal(sim_version(s, "timestamp"), 1);
	sim_clear_log(s);
	sim_expect(&c, sim_refresh(&c), 0);
	assert_string_equal(s->log, "2.root.json timestamp.json");
	sim_stored_is(&c, "timestamp", (struct sim_bytes){ (uint8_t *)text,
							    first.length });
}

static void hashes_are_checked(bool sha512)
{
	json_t *hashes;

	s->hashes = true;
	s->sha512 = sha512;
	sim_publish_all(s);
	sim_expect(&c, sim_refresh(&c), 0);
	sim_publish(s, "targets");
	hashes = json_object_get(json_object_get(json_object_get(
		sim_body(s, "snapshot"), "meta"), "targets.json"), "hashes");
	json_object_update(hashes, json_object_get(json_object_get(
		json_object_get(sim_body(s, "timestamp"), "meta"),
		"snapshot.json"), "hashes"));
	sim_publish(s, "snapshot timestamp");
	sim_expect(&c, sim_refresh(&c), -EBADMSG);
	assert_string_equal(sim_folder(&c),
			    "root 2 snapshot 3 targets 2 timestamp 3");
	/* one white space more: length, then hash */
	sim_publish(s, "targets snapshot timestamp");
	sim_serve(s, "4.targets.json", "{ }", 3);
	sim_expect(&c, sim_refresh(&c), -EBADMSG);
	sim_serve_none(s);
	sim_expect(&c, sim_refresh(&c), 0);
	assert_string_equal(sim_folder(&c),
			    "root 2 snapshot 4 targets 4 timestamp 4");
}

static void test_hashes_of_metadata(void **state)
{
	hashes_are_checked(false);
	teardown(NULL);
	setup(NULL);
	hashes_are_checked(true);
}

static void test_longer_than_listed(void **state)
{
	struct sim_bytes last;
	char text[9000];

	s->hashes = true;
	sim_publish_all(s);
	last = sim_last(s, "snapshot");
	memcpy(text, last.bytes, last.length);
	text[last.length] = ' ';
	sim_serve(s, "2.snapshot.json", text, last.length + 1);
	sim_expect(&c, sim_refresh(&c), -EFBIG);
	assert_string_equal(sim_folder(&c), "root 2 timestamp 2");
}

/* A snapshot that is signed by the timestamp's key, served as timestamp. */
static void test_valid_but_of_another_role(void **state)
{
	json_t *meta = json_object_get(sim_body(s, "snapshot"), "meta");
	struct sim_bytes bytes;

	sim_trust(s, "root", "snapshot", sim_pool(1));
	sim_add_signer(s, "snapshot", sim_pool(1));
	json_object_set_new(meta, "snapshot.json",
			    json_pack("{s:i}", "version", 1));
	sim_publish(s, "root snapshot");
	bytes = sim_last(s, "snapshot");
	sim_serve(s, "timestamp.json", bytes.bytes, bytes.length);
	sim_expect(&c, sim_refresh(&c), -EBADMSG);
	assert_string_equal(c.why, "timestamp.json: signed._type: snapshot, "
				   "not timestamp");
	assert_string_equal(sim_folder(&c), "root 2");
}

static void test_unknown_members_are_signed_for(void **state)
{
	json_t *role = sim_trusted(s, "root", "root");

	sim_put(s, "root", "custom", json_pack("{s:[i,n,b],s:s}", "a", 1, 1,
					       "\"\\", "\x7f\n"));
	json_object_set_new(role, "another", json_string("value"));
	sim_put(s, "timestamp", "custom", json_string("x"));
	sim_publish_all(s);
	sim_expect(&c, sim_refresh(&c), 0);
	assert_int_equal(sim_trusts(&c, "root"), 2);
}

static void init_refused(const char *drop, int error)
{
	char *text;
	json_t *tree = json_loadb((char *)sim_last(s, "root").bytes,
				  sim_last(s, "root").length, 0, NULL);
	struct tuf *tuf;

	if (drop) {
		json_object_del(json_object_get(tree, "signed"), drop);
	} else {
		json_object_set_new(json_array_get(json_object_get(
			tree, "signatures"), 0), "sig", json_string("00ff"));
	}
	text = json_dumps(tree, 0);
	json_decref(tree);
	assert_int_equal(tuf_open(c.metadata, &tuf), 0);
	assert_int_equal(tuf_init(tuf, text, strlen(text), true), error);
	tuf_close(tuf);
	free(text);
}

static void test_first_root(void **state)
{
	struct sim_bytes root = sim_last(s, "root");
	struct tuf *tuf;
	char path[200];

	init_refused("version", -EBADMSG);
	init_refused("expires", -EBADMSG);
	init_refused(NULL, -EKEYREJECTED);
	sim_expect(&c, sim_refresh(&c), 0);
	sim_publish(s, "root");
	assert_int_equal(tuf_open(c.metadata, &tuf), 0);
	/* the same again is no change */
	assert_int_equal(tuf_init(tuf, root.bytes, root.length, false), 0);
	assert_int_equal(sim_trusts(&c, "timestamp"), 1);
	root = sim_last(s, "root");
	assert_int_equal(tuf_init(tuf, root.bytes, root.length, false),
			 -EEXIST);
	assert_int_equal(tuf_init(tuf, root.bytes, root.length, true), 0);
	assert_string_equal(sim_folder(&c), "root 2");
	tuf_close(tuf);
	/* without one, nothing is asked for */
	snprintf(path, sizeof(path), "%s/root.json", c.metadata);
	assert_int_equal(unlink(path), 0);
	sim_clear_log(s);
	sim_expect(&c, sim_refresh(&c), -ENOENT);
	assert_string_equal(s->log, "");
}

static void test_facts(void **state)
{
	struct tuf_fact facts[6];
	struct tuf *tuf;
	struct tuf_target target;
	cleanup_fetch struct fetch *fetch = sim_fetch(s, true);

	sim_delegate(s, "targets", "a", "*", false);
	sim_publish_all(s);
	tuf = sim_handle(&c);
	assert_int_equal(tuf_find(tuf, fetch, "x", &target), TUF_NO_TARGET);
	assert_int_equal(tuf_facts(tuf, facts, 6), 5);
	assert_string_equal(facts[0].role, "root");
	assert_int_equal(facts[0].version, 2);
	assert_int_equal(facts[0].expires, SIM_NOW + 30 * SIM_DAY);
	assert_string_equal(facts[1].role, "timestamp");
	assert_string_equal(facts[2].role, "snapshot");
	assert_string_equal(facts[3].role, "targets");
	assert_string_equal(facts[4].role, "a");
	assert_int_equal(facts[4].version, 1);
	assert_int_equal(tuf_facts(tuf, facts, 1), 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		EACH(test_requests_and_stored_bytes),
		EACH(test_without_change_two_requests),
		EACH(test_a_new_timestamp_alone),
		EACH(test_white_space_is_kept),
		EACH(test_without_consistent_snapshots),
		EACH(test_unsigned),
		EACH(test_number_inside_differs),
		EACH(test_listed_with_another_number),
		EACH(test_absent),
		EACH(test_an_error_for_a_root_is_not_its_absence),
		EACH(test_timestamp_changes_without_a_number),
		EACH(test_hashes_of_metadata),
		EACH(test_longer_than_listed),
		EACH(test_valid_but_of_another_role),
		EACH(test_unknown_members_are_signed_for),
		EACH(test_first_root),
		EACH(test_facts),
	};
	int failed = cmocka_run_group_tests_name("a handle each", tests, NULL,
						 NULL);

	sim_one_handle = true;
	return failed + cmocka_run_group_tests_name("one handle", tests, NULL,
						    NULL);
}
