/* SPDX-License-Identifier: Apache-2.0 */
/* Is nothing accepted that is older than what is trusted, and does a repository
 * that was driven forward by an attacker recover when it rotates its keys? */
#include <unistd.h>

#include "tuf_case.h"

/* The file under this name is what was once published as that version. */
static void serve_old(const char *name, const char *role, size_t version)
{
	for (size_t i = 0; i < s->role_count; i++) {
		struct sim_role *r = &s->roles[i];

		if (strcmp(r->name, role) == 0) {
			sim_serve(s, name, r->published[version - 1].bytes,
				  r->published[version - 1].length);
			return;
		}
	}
	fail();
}

static void test_old_timestamp(void **state)
{
	sim_publish(s, "timestamp");
	sim_expect(&c, sim_refresh(&c), 0);
	serve_old("timestamp.json", "timestamp", 1);
	sim_expect(&c, sim_refresh(&c), -ESTALE);
	assert_string_equal(c.why, "timestamp: version 1 after 2");
	assert_int_equal(sim_trusts(&c, "timestamp"), 2);
}

static void snapshot_goes_back(bool hashes)
{
	s->hashes = hashes;
	sim_publish(s, "snapshot timestamp");
	sim_expect(&c, sim_refresh(&c), 0);
	sim_set_version(s, "snapshot", 0);
	sim_publish(s, "snapshot timestamp");
	sim_clear_log(s);
	sim_expect(&c, sim_refresh(&c), -ESTALE);
	assert_string_equal(s->log, "2.root.json timestamp.json");
	assert_string_equal(sim_folder(&c),
			    "root 1 snapshot 2 targets 1 timestamp 2");
}

static void test_snapshot_listed_older(void **state)
{
	snapshot_goes_back(false);
	teardown(NULL);
	setup(NULL);
	snapshot_goes_back(true);
}

static void targets_go_back(bool hashes)
{
	s->hashes = hashes;
	sim_publish(s, "targets targets snapshot timestamp");
	sim_expect(&c, sim_refresh(&c), 0);
	sim_set_version(s, "targets", 1);
	sim_publish(s, "targets snapshot timestamp");
	sim_expect(&c, sim_refresh(&c), -ESTALE);
	assert_string_equal(c.why, "snapshot: targets.json is older");
	assert_string_equal(sim_folder(&c),
			    "root 1 snapshot 2 targets 3 timestamp 3");
}

static void test_targets_listed_older(void **state)
{
	targets_go_back(false);
	teardown(NULL);
	setup(NULL);
	targets_go_back(true);
}

static void test_delegated_listed_older_or_not_at_all(void **state)
{
	sim_delegate(s, "targets", "role", "*", false);
	sim_publish(s, "targets role role snapshot timestamp");
	sim_expect(&c, sim_refresh(&c), 0);
	sim_set_version(s, "role", 0);
	sim_publish(s, "role snapshot timestamp");
	sim_expect(&c, sim_refresh(&c), -ESTALE);
	assert_string_equal(c.why, "snapshot: role.json is older");
	json_object_del(json_object_get(sim_body(s, "snapshot"), "meta"),
			"role.json");
	sim_publish(s, "snapshot timestamp");
	sim_expect(&c, sim_refresh(&c), -ESTALE);
	assert_string_equal(c.why, "snapshot: role.json is not listed any "
				   "more");
	assert_int_equal(sim_trusts(&c, "snapshot"), 2);
	sim_set_version(s, "role", 7);
	sim_publish(s, "role");
	sim_publish(s, "snapshot timestamp");
	sim_expect(&c, sim_refresh(&c), 0);
}

/* What the repository puts under the number that is listed is not it. */
static void test_old_file_under_a_new_number(void **state)
{
	sim_expect(&c, sim_refresh(&c), 0);
	sim_publish(s, "targets snapshot timestamp");
	serve_old("2.snapshot.json", "snapshot", 1);
	sim_expect(&c, sim_refresh(&c), -EBADMSG);
	sim_serve_none(s);
	serve_old("2.targets.json", "targets", 1);
	sim_expect(&c, sim_refresh(&c), -EBADMSG);
	serve_old("2.root.json", "root", 1);
	sim_expect(&c, sim_refresh(&c), -ESTALE);
	sim_serve_none(s);
	sim_expect(&c, sim_refresh(&c), 0);
}

static void test_root_skips_or_repeats_a_number(void **state)
{
	sim_publish(s, "root root");
	serve_old("2.root.json", "root", 3);
	sim_expect(&c, sim_refresh(&c), -ESTALE);
	assert_int_equal(sim_trusts(&c, "root"), 1);
	sim_serve_none(s);
	sim_expect(&c, sim_refresh(&c), 0);
	assert_int_equal(sim_trusts(&c, "root"), 3);
}

static void test_timestamp_recovers(void **state)
{
	sim_set_version(s, "timestamp", 99);
	sim_publish(s, "timestamp");
	sim_expect(&c, sim_refresh(&c), 0);
	assert_int_equal(sim_trusts(&c, "timestamp"), 100);
	sim_set_version(s, "timestamp", 1);
	sim_publish(s, "timestamp");
	sim_expect(&c, sim_refresh(&c), -ESTALE);
	sim_rotate(s, "timestamp");
	sim_set_version(s, "timestamp", 0);
	sim_publish(s, "root timestamp");
	sim_expect(&c, sim_refresh(&c), 0);
	assert_string_equal(sim_folder(&c),
			    "root 2 snapshot 1 targets 1 timestamp 1");
}

static void test_snapshot_recovers(void **state)
{
	sim_set_version(s, "snapshot", 99998);
	sim_publish(s, "snapshot timestamp");
	sim_serve(s, "99999.snapshot.json", sim_last(s, "snapshot").bytes,
		  sim_last(s, "snapshot").length);
	sim_expect(&c, sim_refresh(&c), 0);
	assert_int_equal(sim_trusts(&c, "snapshot"), 99999);
	sim_rotate(s, "snapshot");
	sim_rotate(s, "timestamp");
	sim_set_version(s, "snapshot", 2);
	sim_publish(s, "root snapshot timestamp");
	sim_expect(&c, sim_refresh(&c), 0);
	assert_string_equal(sim_folder(&c),
			    "root 2 snapshot 3 targets 1 timestamp 3");
}

/* Rotating the snapshot key alone makes the timestamp void as well. */
static void test_targets_recover(void **state)
{
	sim_set_version(s, "targets", 99);
	sim_publish(s, "targets");
	sim_serve(s, "100.targets.json", sim_last(s, "targets").bytes,
		  sim_last(s, "targets").length);
	sim_publish(s, "snapshot timestamp");
	sim_expect(&c, sim_refresh(&c), 0);
	assert_int_equal(sim_trusts(&c, "targets"), 100);
	sim_rotate(s, "snapshot");
	sim_set_version(s, "targets", 2);
	sim_publish(s, "root targets snapshot timestamp");
	sim_expect(&c, sim_refresh(&c), 0);
	assert_int_equal(sim_trusts(&c, "targets"), 3);
}

/* And so does a snapshot whose number went too far: the timestamp that names
 * it is forgotten although its own key stays. */
static void test_snapshot_recovers_alone(void **state)
{
	sim_set_version(s, "snapshot", 99998);
	sim_publish(s, "snapshot timestamp");
	sim_serve(s, "99999.snapshot.json", sim_last(s, "snapshot").bytes,
		  sim_last(s, "snapshot").length);
	sim_expect(&c, sim_refresh(&c), 0);
	sim_rotate(s, "snapshot");
	sim_set_version(s, "snapshot", 2);
	sim_publish(s, "root snapshot timestamp");
	sim_expect(&c, sim_refresh(&c), 0);
	assert_string_equal(sim_folder(&c),
			    "root 2 snapshot 3 targets 1 timestamp 3");
}

/* The folder lost its timestamp; its snapshot still knows what is old. */
static void test_snapshot_without_its_timestamp(void **state)
{
	char path[200];

	sim_publish(s, "snapshot timestamp");
	sim_expect(&c, sim_refresh(&c), 0);
	snprintf(path, sizeof(path), "%s/timestamp.json", c.metadata);
	assert_int_equal(unlink(path), 0);
	serve_old("timestamp.json", "timestamp", 1);
	sim_expect(&c, sim_refresh(&c), -ESTALE);
	assert_string_equal(c.why, "snapshot: version 1 after 2");
	assert_int_equal(sim_trusts(&c, "snapshot"), 2);
	sim_serve_none(s);
	sim_expect(&c, sim_refresh(&c), 0);
}

/* One of three keys goes; what two of them signed would still be believed. */
static void test_one_key_of_several_goes(void **state)
{
	sim_add_key(s, "root", "timestamp");
	sim_add_key(s, "root", "timestamp");
	sim_threshold(s, "root", "timestamp", 2);
	sim_set_version(s, "timestamp", 99);
	sim_publish(s, "root timestamp");
	sim_expect(&c, sim_refresh(&c), 0);
	assert_int_equal(sim_trusts(&c, "timestamp"), 100);
	json_array_remove(json_object_get(sim_trusted(s, "root", "timestamp"),
					  "keyids"), 2);
	sim_set_version(s, "timestamp", 3);
	sim_publish(s, "root timestamp");
	sim_expect(&c, sim_refresh(&c), 0);
	assert_int_equal(sim_trusts(&c, "timestamp"), 4);
}

/* A key more is no rotation: what is trusted stays. */
static void test_a_key_more_forgets_nothing(void **state)
{
	sim_publish(s, "timestamp timestamp");
	sim_expect(&c, sim_refresh(&c), 0);
	sim_add_key(s, "root", "timestamp");
	sim_add_key(s, "root", "snapshot");
	sim_set_version(s, "timestamp", 1);
	sim_publish(s, "root timestamp");
	sim_expect(&c, sim_refresh(&c), -ESTALE);
	assert_string_equal(sim_folder(&c),
			    "root 2 snapshot 1 targets 1 timestamp 3");
}

/* Rotated and back again between two refreshes is rotated. */
static void test_there_and_back(void **state)
{
	json_t *before = json_deep_copy(sim_trusted(s, "root", "timestamp"));

	sim_set_version(s, "timestamp", 99);
	sim_publish(s, "timestamp");
	sim_expect(&c, sim_refresh(&c), 0);
	sim_rotate(s, "timestamp");
	sim_publish(s, "root");
	json_object_update(sim_trusted(s, "root", "timestamp"), before);
	sim_drop_signers(s, "timestamp");
	sim_add_signer(s, "timestamp", sim_pool(1));
	sim_set_version(s, "timestamp", 1);
	sim_publish(s, "root timestamp");
	sim_expect(&c, sim_refresh(&c), 0);
	assert_int_equal(sim_trusts(&c, "timestamp"), 2);
	json_decref(before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		EACH(test_old_timestamp),
		EACH(test_snapshot_listed_older),
		EACH(test_targets_listed_older),
		EACH(test_delegated_listed_older_or_not_at_all),
		EACH(test_old_file_under_a_new_number),
		EACH(test_root_skips_or_repeats_a_number),
		EACH(test_timestamp_recovers),
		EACH(test_snapshot_recovers),
		EACH(test_targets_recover),
		EACH(test_snapshot_recovers_alone),
		EACH(test_snapshot_without_its_timestamp),
		EACH(test_one_key_of_several_goes),
		EACH(test_a_key_more_forgets_nothing),
		EACH(test_there_and_back),
	};
	int failed = cmocka_run_group_tests_name("a handle each", tests, NULL,
						 NULL);

	sim_one_handle = true;
	return failed + cmocka_run_group_tests_name("one handle", tests, NULL,
						    NULL);
}
