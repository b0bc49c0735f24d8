/* SPDX-License-Identifier: Apache-2.0 */
/* Does a threshold count keys, not signatures nor names; are all kinds of keys
 * understood; and does a root change hands only when old and new agree? */
#include "tuf_case.h"

/* The last publication of role, to be changed; then put_back(). */
static json_t *take_last(const char *role)
{
	struct sim_bytes last = sim_last(s, role);
	json_t *tree = json_loadb((char *)last.bytes, last.length, 0, NULL);

	assert_non_null(tree);
	return tree;
}

static void put_back(const char *role, json_t *tree)
{
	char *text = json_dumps(tree, JSON_INDENT(2));

	sim_replace_last(s, role, text, strlen(text));
	free(text);
	json_decref(tree);
}

static void test_two_of_three_needed(void **state)
{
	sim_add_key(s, "root", "snapshot");
	sim_add_key(s, "root", "snapshot");
	sim_threshold(s, "root", "snapshot", 3);
	sim_publish_all(s);
	sim_expect(&c, sim_refresh(&c), 0);
	s->roles[2].signer_count = 2;
	sim_publish(s, "snapshot timestamp");
	sim_expect(&c, sim_refresh(&c), -EKEYREJECTED);
	assert_string_equal(c.why, "3.snapshot.json: 2 valid signatures, 3 "
				   "are needed");
	assert_int_equal(sim_trusts(&c, "snapshot"), 2);
}

static void test_more_than_there_are_keys(void **state)
{
	sim_add_key(s, "root", "snapshot");
	sim_threshold(s, "root", "snapshot", 6);
	sim_publish_all(s);
	sim_expect(&c, sim_refresh(&c), -EKEYREJECTED);
	assert_string_equal(sim_folder(&c), "root 2 timestamp 2");
}

/* What is in the folder was signed by enough keys once; now more are needed. */
static void test_a_threshold_rises(void **state)
{
	static const char *const roles[] = { "timestamp", "snapshot",
					     "targets" };

	for (size_t i = 0; i < 3; i++) {
		teardown(NULL);
		setup(NULL);
		sim_expect(&c, sim_refresh(&c), 0);
		sim_add_key(s, "root", roles[i]);
		sim_threshold(s, "root", roles[i], 2);
		sim_publish(s, "root");
		sim_expect(&c, sim_refresh(&c), -EKEYREJECTED);
		sim_publish(s, "targets snapshot timestamp");
		sim_expect(&c, sim_refresh(&c), 0);
		assert_int_equal(sim_trusts(&c, roles[i]), 2);
	}
}

static void threshold_refused(json_t *value)
{
	teardown(NULL);
	setup(NULL);
	json_object_set_new(sim_trusted(s, "root", "snapshot"), "threshold",
			    value);
	sim_publish_all(s);
	sim_expect(&c, sim_refresh(&c), -EBADMSG);
	assert_string_equal(sim_folder(&c), "root 1");
}

static void test_thresholds_that_are_none(void **state)
{
	threshold_refused(json_integer(0));
	threshold_refused(json_integer(-1));
	threshold_refused(json_string("1"));
	threshold_refused(json_integer(1ll << 40));
	threshold_refused(json_null());
}

static void test_a_key_that_stands_twice(void **state)
{
	json_t *ids = json_object_get(sim_trusted(s, "root", "snapshot"),
				      "keyids");

	json_array_append(ids, json_array_get(ids, 0));
	sim_threshold(s, "root", "snapshot", 2);
	sim_publish_all(s);
	sim_expect(&c, sim_refresh(&c), -EBADMSG);
	assert_string_equal(c.why, "2.root.json: signed.roles.snapshot.keyids:"
				   " a key stands there twice");
}

static void test_a_signature_that_stands_twice(void **state)
{
	json_t *tree, *list;

	sim_publish_all(s);
	tree = take_last("snapshot");
	list = json_object_get(tree, "signatures");
	json_array_append(list, json_array_get(list, 0));
	put_back("snapshot", tree);
	sim_expect(&c, sim_refresh(&c), -EBADMSG);
	assert_string_equal(c.why, "2.snapshot.json: signatures[1].keyid: "
				   "signs twice");
	assert_string_equal(sim_folder(&c), "root 2 timestamp 2");
}

/* One key under two ids (with a member more) signs for one. */
static void test_one_key_under_two_names(void **state)
{
	json_t *keys = json_object_get(sim_body(s, "root"), "keys");
	json_t *ids = json_object_get(sim_trusted(s, "root", "snapshot"),
				      "keyids");
	json_t *again = json_deep_copy(key_object(sim_pool(2))), *tree, *one;
	char id[KEY_ID];

	json_object_set_new(again, "owner", json_string("another"));
	assert_int_equal(key_object_id(again, id), 0);
	json_object_set_new(keys, id, again);
	json_array_append_new(ids, json_string(id));
	sim_threshold(s, "root", "snapshot", 2);
	sim_publish_all(s);
	tree = take_last("snapshot");
	one = json_deep_copy(json_array_get(json_object_get(tree,
						"signatures"), 0));
	json_object_set_new(one, "keyid", json_string(id));
	json_array_append_new(json_object_get(tree, "signatures"), one);
	put_back("snapshot", tree);
	sim_expect(&c, sim_refresh(&c), -EKEYREJECTED);
	assert_string_equal(c.why, "2.snapshot.json: 1 valid signatures, 2 "
				   "are needed");
}

static void test_a_key_under_a_wrong_id(void **state)
{
	json_t *keys = json_object_get(sim_body(s, "root"), "keys");

	json_object_set_new(json_object_get(keys, key_id(sim_pool(2))),
			    "owner", json_string("x"));
	sim_publish_all(s);
	sim_expect(&c, sim_refresh(&c), -EBADMSG);
	assert_non_null(strstr(c.why, "not the id of this key"));
	assert_int_equal(sim_trusts(&c, "root"), 1);
}

static void test_kinds(void **state)
{
	static const enum key_kind kinds[] = { KEY_ED25519, KEY_ECDSA,
					       KEY_RSA };

	for (size_t i = 0; i < 3; i++) {
		struct key *key;
		json_t *tree, *list;

		teardown(NULL);
		setup(NULL);
		key = sim_new_key(s, kinds[i]);
		sim_trust(s, "root", "root", key);
		sim_add_signer(s, "root", key);
		sim_threshold(s, "root", "root", 2);
		sim_publish(s, "root");
		sim_expect(&c, sim_refresh(&c), 0);
		assert_int_equal(sim_trusts(&c, "root"), 2);
		/* its signature of another version */
		tree = take_last("root");
		list = json_incref(json_object_get(tree, "signatures"));
		json_decref(tree);
		sim_publish(s, "root");
		tree = take_last("root");
		json_array_set(json_object_get(tree, "signatures"), 1,
			       json_array_get(list, 1));
		put_back("root", tree);
		json_decref(list);
		sim_expect(&c, sim_refresh(&c), -EKEYREJECTED);
		assert_int_equal(sim_trusts(&c, "root"), 2);
	}
}

static void test_old_name_of_ecdsa(void **state)
{
	struct key *key = sim_new_key(s, KEY_ECDSA);
	json_t *object = json_deep_copy(key_object(key)), *tree, *one;
	char id[KEY_ID];

	json_object_set_new(object, "keytype",
			    json_string("ecdsa-sha2-nistp256"));
	json_object_set_new(object, "keyid_hash_algorithms",
			    json_pack("[s]", "md5"));
	assert_int_equal(key_object_id(object, id), 0);
	json_object_set_new(json_object_get(sim_body(s, "root"), "keys"), id,
			    object);
	sim_trust_none(s, "root", "targets");
	json_array_append_new(json_object_get(
		sim_trusted(s, "root", "targets"), "keyids"), json_string(id));
	sim_drop_signers(s, "targets");
	sim_add_signer(s, "targets", key);
	sim_publish_all(s);
	tree = take_last("targets");
	one = json_array_get(json_object_get(tree, "signatures"), 0);
	json_object_set_new(one, "keyid", json_string(id));
	put_back("targets", tree);
	sim_expect(&c, sim_refresh(&c), 0);
	assert_int_equal(sim_trusts(&c, "targets"), 2);
}

/* A key of a kind that we do not know neither signs nor spoils. */
static void test_unknown_and_broken_keys(void **state)
{
	json_t *keys = json_object_get(sim_body(s, "root"), "keys");
	json_t *strange[] = {
		json_pack("{s:s,s:s,s:{s:s}}", "keytype", "sphincs", "scheme",
			  "x", "keyval", "public", "00"),
		json_pack("{s:s,s:s,s:{s:s}}", "keytype", "ed25519", "scheme",
			  "ed25519", "keyval", "public", "00"),
		json_pack("{s:s,s:s,s:{s:s}}", "keytype", "rsa", "scheme",
			  "rsassa-pss-sha256", "keyval", "public", "-----"),
		json_pack("{s:i}", "keytype", 1),
	};

	for (size_t i = 0; i < 4; i++) {
		json_t *ids = json_object_get(
			sim_trusted(s, "root", "snapshot"), "keyids");
		char id[KEY_ID];

		assert_int_equal(key_object_id(strange[i], id), 0);
		json_object_set_new(keys, id, strange[i]);
		json_array_insert_new(ids, 0, json_string(id));
	}
	sim_publish_all(s);
	sim_expect(&c, sim_refresh(&c), 0);
	assert_int_equal(sim_trusts(&c, "snapshot"), 2);
}

static void with_signature(const char *sig, int want)
{
	json_t *tree, *list;

	sim_publish(s, "timestamp");
	tree = take_last("timestamp");
	list = json_object_get(tree, "signatures");
	json_object_set_new(json_array_get(list, 0), "sig",
			    sig ? json_string(sig) : json_integer(5));
	put_back("timestamp", tree);
	sim_expect(&c, sim_refresh(&c), want);
}

static void test_an_invalid_signature_beside_enough_valid_ones(void **state)
{
	char long_one[3000];

	memset(long_one, 'a', sizeof(long_one) - 1);
	long_one[sizeof(long_one) - 1] = '\0';
	sim_add_key(s, "root", "timestamp");
	sim_publish(s, "root");
	with_signature("", 0);
	with_signature("abc", 0);
	with_signature("zz", 0);
	with_signature("00112233", 0);
	with_signature(long_one, 0);
	with_signature("\xc3\xa4\xc3\xa4", 0);
	assert_int_equal(sim_trusts(&c, "timestamp"), 7);
	with_signature(NULL, -EBADMSG);
}

static void test_no_signature(void **state)
{
	json_t *tree;

	sim_publish(s, "timestamp");
	tree = take_last("timestamp");
	json_array_clear(json_object_get(tree, "signatures"));
	put_back("timestamp", tree);
	sim_expect(&c, sim_refresh(&c), -EKEYREJECTED);
	tree = take_last("timestamp");
	json_object_del(tree, "signatures");
	put_back("timestamp", tree);
	sim_expect(&c, sim_refresh(&c), -EBADMSG);
}

/* Another vendor's: same form, same numbers, other keys. */
static void test_another_vendor(void **state)
{
	static const char *const roles[] = { "timestamp", "snapshot",
					     "targets" };
	struct sim *other = sim_new();

	for (size_t i = 0; i < 3; i++) {
		json_t *ids = json_object_get(
			sim_trusted(other, "root", roles[i]), "keyids");
		struct key *key = sim_new_key(other, KEY_ED25519);

		json_array_clear(ids);
		sim_trust(other, "root", roles[i], key);
		sim_drop_signers(other, roles[i]);
		sim_add_signer(other, roles[i], key);
	}
	sim_publish(other, "root targets snapshot timestamp");
	sim_serve(s, "timestamp.json", sim_last(other, "timestamp").bytes,
		  sim_last(other, "timestamp").length);
	sim_expect(&c, sim_refresh(&c), -EKEYREJECTED);
	sim_serve_none(s);
	sim_publish(s, "targets snapshot timestamp");
	sim_serve(s, "2.targets.json", sim_last(other, "targets").bytes,
		  sim_last(other, "targets").length);
	sim_expect(&c, sim_refresh(&c), -EKEYREJECTED);
	sim_free(other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		EACH(test_two_of_three_needed),
		EACH(test_more_than_there_are_keys),
		EACH(test_a_threshold_rises),
		EACH(test_thresholds_that_are_none),
		EACH(test_a_key_that_stands_twice),
		EACH(test_a_signature_that_stands_twice),
		EACH(test_one_key_under_two_names),
		EACH(test_a_key_under_a_wrong_id),
		EACH(test_kinds),
		EACH(test_old_name_of_ecdsa),
		EACH(test_unknown_and_broken_keys),
		EACH(test_an_invalid_signature_beside_enough_valid_ones),
		EACH(test_no_signature),
		EACH(test_another_vendor),
	};
	int failed = cmocka_run_group_tests_name("a handle each", tests, NULL,
						 NULL);

	sim_one_handle = true;
	return failed + cmocka_run_group_tests_name("one handle", tests, NULL,
						    NULL);
}
