/* SPDX-License-Identifier: Apache-2.0 */
/* Does the root change its keys only when a threshold of the old and one of the
 * new agree, and do the other roles follow what the root says? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/tuf_sim.h"

#define VERSIONS 4

/* One root: its keys, threshold, and who signed it; digits name pooled keys. */
struct version {
	const char *keys;               /* null: no more versions */
	int threshold;
	const char *signers;
};

static const struct row {
	const char *name;
	struct version versions[VERSIONS];
	bool good;                      /* the last one is accepted */
} rows[] = {
	{ "1 of 1, rotated",
	  { { "1", 1, "1" }, { "2", 1, "21" }, { "2", 1, "2" } }, true },
	{ "1 of 1, rotated, signatures of strangers beside",
	  { { "1", 1, "314" }, { "2", 1, "3214" }, { "2", 1, "324" } }, true },
	{ "3 of 5, others each time",
	  { { "01234", 3, "024" }, { "01234", 3, "041" },
	    { "01234", 3, "013" }, { "01234", 3, "013" } }, true },
	{ "3 of 5, one rotated",
	  { { "01234", 3, "024" }, { "01345", 3, "041" } }, true },
	{ "3 of 5, one rotated in two steps",
	  { { "01234", 3, "024" }, { "01345", 3, "0245" },
	    { "01345", 3, "045" } }, true },
	{ "3 of 5, all rotated",
	  { { "01234", 3, "024" }, { "56789", 3, "024567" },
	    { "56789", 3, "567" } }, true },
	{ "1 of 3 to 2 of 3",
	  { { "123", 1, "1" }, { "123", 2, "12" } }, true },
	{ "2 of 3 to 1 of 3",
	  { { "123", 2, "12" }, { "123", 1, "12" }, { "123", 1, "1" } },
	  true },
	{ "1 of 1 to 2 of 2",
	  { { "1", 1, "1" }, { "12", 2, "12" } }, true },
	{ "1 of 1, not signed by the old",
	  { { "1", 1, "1" }, { "2", 1, "234" } }, false },
	{ "1 of 1, not signed by the new",
	  { { "1", 1, "1" }, { "2", 1, "134" } }, false },
	{ "3 of 5, one rotated, two of the new",
	  { { "01234", 3, "024" }, { "01345", 3, "024" } }, false },
	{ "3 of 5, one rotated, two of the old",
	  { { "01234", 3, "024" }, { "01345", 3, "045" } }, false },
	{ "1 of 3 to 2 of 3, one signs",
	  { { "123", 1, "1" }, { "123", 2, "2" } }, false },
	{ "2 of 3 to 1 of 3, one signs",
	  { { "123", 2, "12" }, { "123", 1, "1" } }, false },
};

static const struct non_root {
	struct version version;
	bool good;
} others[] = {
	{ { "2", 1, "2" }, true },
	{ { "1", 1, "314" }, true },
	{ { "2", 1, "134" }, false },
	{ { "01345", 3, "024" }, false },
	{ { "01345", 3, "04" }, false },
	{ { "01234", 3, "024" }, true },
	{ { "01234", 3, "041" }, true },
	{ { "01234", 3, "013" }, true },
	{ { "01234", 3, "123" }, true },
	{ { "01234", 3, "234" }, true },
};

static void become(struct sim *s, const char *role, const struct version *v)
{
	sim_trust_none(s, "root", role);
	sim_drop_signers(s, role);
	sim_threshold(s, "root", role, v->threshold);
	for (const char *key = v->keys; *key; key++) {
		sim_trust(s, "root", role, sim_pool((size_t)(*key - '0')));
	}
	for (const char *key = v->signers; *key; key++) {
		sim_add_signer(s, role, sim_pool((size_t)(*key - '0')));
	}
}

static void root_case(const struct row *row)
{
	struct sim *s = sim_new();
	struct sim_client c;
	size_t n = 0;
	int64_t want;

	/* the chain is to begin with version 1: forget the one that is there */
	sim_unpublish(s, "root");
	for (; n < VERSIONS && row->versions[n].keys; n++) {
		become(s, "root", &row->versions[n]);
		sim_publish(s, "root");
	}
	sim_client_init(&c, s);
	want = (int64_t)(row->good ? n : n - 1);
	if (sim_refresh(&c) != (row->good ? 0 : -EKEYREJECTED) ||
	    sim_trusts(&c, "root") != want) {
		fail_msg("%s: root %lld, not %lld: %s", row->name,
			 (long long)sim_trusts(&c, "root"), (long long)want,
			 c.why);
	}
	sim_client_fini(&c);
	sim_free(s);
}

static void test_root(void **state)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		root_case(&rows[i]);
	}
}

static void other_case(const struct non_root *row, const char *role)
{
	struct sim *s = sim_new();
	struct sim_client c;
	int r;

	sim_client_init(&c, s);
	sim_expect(&c, sim_refresh(&c), 0);
	become(s, role, &row->version);
	sim_publish_all(s);
	r = sim_refresh(&c);
	if (r != (row->good ? 0 : -EKEYREJECTED)) {
		fail_msg("%s by %s of %s: %d, %s", role, row->version.signers,
			 row->version.keys, r, c.why);
	}
	assert_int_equal(sim_trusts(&c, "root"), 2);
	if (row->good) {
		sim_stored_is(&c, role, sim_last(s, role));
	} else {
		assert_int_not_equal(sim_trusts(&c, role), 2);
	}
	sim_client_fini(&c);
	sim_free(s);
}

static void test_other_roles(void **state)
{
	static const char *const roles[] = { "timestamp", "snapshot",
					     "targets" };

	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		for (size_t j = 0; j < 3; j++) {
			other_case(&others[i], roles[j]);
		}
	}
}

/* A role gets other keys, and nothing is published by them yet. */
static void test_old_copies_are_not_believed(void **state)
{
	static const char *const roles[] = { "timestamp", "snapshot",
					     "targets" };

	for (size_t i = 0; i < 3; i++) {
		struct sim *s = sim_new();
		struct sim_client c;

		sim_client_init(&c, s);
		sim_expect(&c, sim_refresh(&c), 0);
		sim_rotate(s, roles[i]);
		sim_publish(s, "root");
		sim_expect(&c, sim_refresh(&c), -EKEYREJECTED);
		sim_publish(s, "targets snapshot timestamp");
		sim_expect(&c, sim_refresh(&c), 0);
		sim_client_fini(&c);
		sim_free(s);
	}
}

/* At most so many in one refresh; the next one goes on. */
static void test_many_rotations(void **state)
{
	struct sim *s = sim_new();
	struct sim_client c;

	sim_client_init(&c, s);
	for (unsigned i = 0; i < TUF_ROTATIONS_MAX + 10; i++) {
		sim_publish(s, "root");
	}
	sim_expect(&c, sim_refresh(&c), 0);
	assert_int_equal(sim_trusts(&c, "root"), 1 + TUF_ROTATIONS_MAX);
	sim_expect(&c, sim_refresh(&c), 0);
	assert_int_equal(sim_trusts(&c, "root"), 11 + TUF_ROTATIONS_MAX);
	sim_client_fini(&c);
	sim_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_root),
		cmocka_unit_test(test_other_roles),
		cmocka_unit_test(test_old_copies_are_not_believed),
		cmocka_unit_test(test_many_rotations),
	};
	int failed = cmocka_run_group_tests_name("a handle each", tests, NULL,
						 NULL);

	sim_one_handle = true;
	return failed + cmocka_run_group_tests_name("one handle", tests, NULL,
						    NULL);
}
