/* SPDX-License-Identifier: Apache-2.0 */
/* Is nothing believed that has expired, is what expired here still good for
 * knowing what is older, and does time stand still during an update? */
#include "tuf_case.h"

/* An expired root is kept: what follows it may not be expired. */
static void test_root(void **state)
{
	sim_expect(&c, sim_refresh(&c), 0);
	sim_expires(s, "root", s->now - SIM_DAY);
	sim_publish(s, "root targets snapshot timestamp");
	sim_expect(&c, sim_refresh(&c), -EKEYEXPIRED);
	assert_string_equal(c.why, "root: expired 2030-03-16T17:46:40Z");
	assert_string_equal(sim_folder(&c),
			    "root 2 snapshot 1 targets 1 timestamp 1");
	sim_expires(s, "root", s->now + SIM_DAY);
	sim_publish(s, "root");
	sim_expect(&c, sim_refresh(&c), 0);
	assert_string_equal(sim_folder(&c),
			    "root 3 snapshot 2 targets 2 timestamp 2");
}

static void test_an_expired_root_on_the_way_does_not_matter(void **state)
{
	sim_expires(s, "root", s->now - SIM_DAY);
	sim_publish(s, "root root");
	sim_expires(s, "root", s->now + SIM_DAY);
	sim_publish(s, "root");
	sim_expect(&c, sim_refresh(&c), 0);
	assert_int_equal(sim_trusts(&c, "root"), 4);
}

static void expired_is_refused(const char *role, const char *kept)
{
	sim_expect(&c, sim_refresh(&c), 0);
	sim_expires(s, role, s->now - 5 * SIM_DAY);
	sim_publish(s, "targets snapshot timestamp");
	sim_expect(&c, sim_refresh(&c), -EKEYEXPIRED);
	assert_string_equal(sim_folder(&c), kept);
	sim_expires(s, role, s->now + 1);
	sim_publish(s, "targets snapshot timestamp");
	sim_expect(&c, sim_refresh(&c), 0);
	assert_string_equal(sim_folder(&c),
			    "root 1 snapshot 3 targets 3 timestamp 3");
}

static void test_timestamp(void **state)
{
	expired_is_refused("timestamp",
			   "root 1 snapshot 1 targets 1 timestamp 1");
}

static void test_snapshot(void **state)
{
	expired_is_refused("snapshot",
			   "root 1 snapshot 1 targets 1 timestamp 2");
}

static void test_targets(void **state)
{
	expired_is_refused("targets",
			   "root 1 snapshot 2 targets 1 timestamp 2");
}

/* At the very second it is over. */
static void test_to_the_second(void **state)
{
	sim_expires(s, "timestamp", s->now);
	sim_publish(s, "timestamp");
	sim_expect(&c, sim_refresh(&c), -EKEYEXPIRED);
	s->now--;
	sim_expect(&c, sim_refresh(&c), 0);
}

static void local_expired_is_refused(const char *role)
{
	sim_expires(s, role, s->now + 7 * SIM_DAY);
	sim_publish(s, "targets snapshot timestamp");
	sim_expect(&c, sim_refresh(&c), 0);
	s->now += 8 * SIM_DAY;
	sim_expect(&c, sim_refresh(&c), -EKEYEXPIRED);
	s->now -= 2 * SIM_DAY;
	sim_expect(&c, sim_refresh(&c), 0);
}

static void test_local_copies(void **state)
{
	static const char *const roles[] = { "timestamp", "snapshot",
					     "targets" };

	for (size_t i = 0; i < 3; i++) {
		teardown(NULL);
		setup(NULL);
		local_expired_is_refused(roles[i]);
	}
}

/* Local copies expired; the repository's did not. */
static void test_goes_on_from_expired_copies(void **state)
{
	static const char *const roles[] = { "timestamp", "snapshot",
					     "targets" };

	for (size_t i = 0; i < 3; i++) {
		sim_expires(s, roles[i], s->now + 7 * SIM_DAY);
	}
	sim_publish(s, "targets snapshot timestamp");
	sim_expect(&c, sim_refresh(&c), 0);
	for (size_t i = 0; i < 3; i++) {
		sim_expires(s, roles[i], s->now + 21 * SIM_DAY);
	}
	sim_publish(s, "targets snapshot timestamp");
	s->now += 18 * SIM_DAY;
	sim_expect(&c, sim_refresh(&c), 0);
	assert_string_equal(sim_folder(&c),
			    "root 1 snapshot 3 targets 3 timestamp 3");
}

/* An expired timestamp still says what is older than it. */
static void test_rollback_against_an_expired_copy(void **state)
{
	sim_expires(s, "timestamp", s->now + SIM_DAY);
	sim_publish(s, "timestamp timestamp");
	sim_expect(&c, sim_refresh(&c), 0);
	s->now += 2 * SIM_DAY;
	sim_expires(s, "timestamp", s->now + SIM_DAY);
	sim_set_version(s, "timestamp", 1);
	sim_publish(s, "timestamp");
	sim_expect(&c, sim_refresh(&c), -ESTALE);
	assert_int_equal(sim_trusts(&c, "timestamp"), 3);
}

static void test_delegated(void **state)
{
	sim_delegate(s, "targets", "role", "dir/*", false);
	sim_add_target(s, "role", "dir/first", "first");
	sim_add_target(s, "role", "dir/second", "second");
	sim_expires(s, "role", s->now + 7 * SIM_DAY);
	sim_publish_all(s);
	sim_expect(&c, sim_download(&c, "dir/first"), 0);
	s->now += 18 * SIM_DAY;
	sim_expect(&c, sim_download(&c, "dir/second"), -EKEYEXPIRED);
	assert_int_equal(sim_target_files(&c), 1);
	sim_expires(s, "role", s->now + 7 * SIM_DAY);
	sim_publish(s, "role snapshot timestamp");
	sim_expect(&c, sim_download(&c, "dir/second"), 0);
	assert_string_equal(sim_downloaded(&c, "dir%2Fsecond"), "second");
}

static void test_delegated_expired_from_the_start(void **state)
{
	sim_delegate(s, "targets", "role", "dir/*", false);
	sim_add_target(s, "role", "dir/first", "first");
	sim_expires(s, "role", s->now - SIM_DAY);
	sim_publish_all(s);
	sim_expect(&c, sim_refresh(&c), 0);
	sim_expect(&c, sim_download(&c, "dir/first"), -EKEYEXPIRED);
	assert_int_equal(sim_target_files(&c), 0);
	assert_string_equal(sim_folder(&c),
			    "root 2 snapshot 2 targets 2 timestamp 2");
}

static int64_t running_clock(void *context)
{
	int64_t *now = context;

	*now += SIM_DAY;
	return *now;
}

/* A clock that runs a day each time that it is asked. */
static void test_time_stands_still_during_an_update(void **state)
{
	cleanup_fetch struct fetch *fetch = sim_fetch(s, true);
	struct tuf_target target;
	struct tuf *tuf;
	int64_t now = s->now;

	sim_delegate(s, "targets", "role", "*", false);
	sim_add_target(s, "role", "x", "x");
	sim_expires(s, "root", s->now + SIM_DAY + 1);
	sim_expires(s, "timestamp", s->now + SIM_DAY + 1);
	sim_expires(s, "snapshot", s->now + SIM_DAY + 1);
	sim_expires(s, "targets", s->now + SIM_DAY + 1);
	sim_expires(s, "role", s->now + SIM_DAY + 1);
	sim_publish_all(s);
	assert_int_equal(tuf_open(c.metadata, &tuf), 0);
	tuf_clock(tuf, running_clock, &now);
	assert_int_equal(tuf_refresh(tuf, fetch), 0);
	assert_int_equal(tuf_find(tuf, fetch, "x", &target), 0);
	assert_int_equal(tuf_refresh(tuf, fetch), -EKEYEXPIRED);
	/* and after a refresh that failed nothing is found */
	assert_int_equal(tuf_find(tuf, fetch, "x", &target), -EINVAL);
	tuf_close(tuf);
}

/* A clock that is ten years off: refused or believed, never broken. */
static void test_wrong_clocks(void **state)
{
	int64_t right = s->now;

	s->now = right + 3650 * SIM_DAY;
	sim_expect(&c, sim_refresh(&c), -EKEYEXPIRED);
	s->now = right - 3650 * SIM_DAY;
	sim_expect(&c, sim_refresh(&c), 0);
	s->now = -1;
	sim_expect(&c, sim_refresh(&c), 0);
	s->now = INT64_MAX;
	sim_expect(&c, sim_refresh(&c), -EKEYEXPIRED);
	s->now = right;
	sim_expect(&c, sim_refresh(&c), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		EACH(test_root),
		EACH(test_an_expired_root_on_the_way_does_not_matter),
		EACH(test_timestamp),
		EACH(test_snapshot),
		EACH(test_targets),
		EACH(test_to_the_second),
		EACH(test_local_copies),
		EACH(test_goes_on_from_expired_copies),
		EACH(test_rollback_against_an_expired_copy),
		EACH(test_delegated),
		EACH(test_delegated_expired_from_the_start),
		EACH(test_time_stands_still_during_an_update),
		EACH(test_wrong_clocks),
	};
	int failed = cmocka_run_group_tests_name("a handle each", tests, NULL,
						 NULL);

	sim_one_handle = true;
	return failed + cmocka_run_group_tests_name("one handle", tests, NULL,
						    NULL);
}
