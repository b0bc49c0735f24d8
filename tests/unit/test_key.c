/* SPDX-License-Identifier: Apache-2.0 */
/* Does a key verify what was signed and nothing else, and stay a secret? */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "key_vectors.h"
#include "update/key.h"

static size_t unhex(const char *hex, uint8_t *ret_bytes)
{
	size_t n = 0;
	unsigned byte;

	for (; sscanf(hex, "%2x", &byte) == 1; hex += 2) {
		ret_bytes[n++] = (uint8_t)byte;
	}
	return n;
}

static int parse(const char *keytype, const char *scheme, const char *public,
		 struct key **ret_key, struct json_fault *fault)
{
	cleanup_json_tree json_t *object = json_pack(
		"{s:s,s:s,s:{s:s},s:i}", "keytype", keytype, "scheme", scheme,
		"keyval", "public", public, "x-unknown", 1);
	struct json_at at = { .value = object, .fault = fault };

	assert_non_null(object);
	fault->text[0] = '\0';
	return key_parse(&at, ret_key);
}

/* A vector verifies; with any bit changed, or cut, or longer, it does not. */
static void check_vector(const struct key *key, const void *message,
			 size_t length, const char *hex)
{
	uint8_t signature[KEY_SIGNATURE + 1] = { 0 };
	uint8_t changed[8];
	size_t n = unhex(hex, signature);

	assert_int_equal(key_verify(key, message, length, signature, n), 0);
	for (size_t i = 0; i < n; i++) {
		signature[i] ^= 1;
		assert_int_equal(key_verify(key, message, length, signature,
					    n), KEY_BAD_SIGNATURE);
		signature[i] ^= 1;
	}
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(key_verify(key, message, length, signature,
					    i), KEY_BAD_SIGNATURE);
	}
	assert_int_equal(key_verify(key, message, length, signature, n + 1),
			 KEY_BAD_SIGNATURE);
	memcpy(changed, message, length);
	changed[0] ^= 0x20;
	assert_int_equal(key_verify(key, changed, length, signature, n),
			 KEY_BAD_SIGNATURE);
	assert_int_equal(key_verify(key, message, length, signature, n), 0);
}

static void test_ed25519(void **state)
{
	cleanup_key struct key *key = NULL;
	struct json_fault fault;

	assert_int_equal(parse("ed25519", "ed25519", ED_PUBLIC, &key, &fault),
			 0);
	assert_false(key_is_private(key));
	check_vector(key, "\xaf\x82", 2, ed_signature);
}

static void test_ecdsa(void **state)
{
	static const char *const names[] = { "ecdsa", "ecdsa-sha2-nistp256" };
	struct json_fault fault;

	for (size_t i = 0; i < 2; i++) {
		cleanup_key struct key *key = NULL;

		assert_int_equal(parse(names[i], "ecdsa-sha2-nistp256",
				       ec_public, &key, &fault), 0);
		assert_string_equal(key_kind_name(key_kind(key)), names[i]);
		check_vector(key, "sample", 6, ec_signature);
	}
}

static void test_rsa(void **state)
{
	cleanup_key struct key *key = NULL;
	uint8_t signature[KEY_SIGNATURE];
	struct json_fault fault;
	size_t n;

	assert_int_equal(parse("rsa", "rsassa-pss-sha256", rsa_public, &key,
			       &fault), 0);
	check_vector(key, "sample", 6, rsa_signature);
	n = unhex(rsa_long_salt, signature);
	assert_int_equal(key_verify(key, "sample", 6, signature, n), 0);
	n = unhex(rsa_old_padding, signature);
	assert_int_equal(key_verify(key, "sample", 6, signature, n),
			 KEY_BAD_SIGNATURE);
}

/* The id covers what we do not know, and not how it was written. */
static void test_id(void **state)
{
	cleanup_json_tree json_t *object = json_pack(
		"{s:s,s:s,s:{s:s}}", "scheme", "ed25519", "keytype", "ed25519",
		"keyval", "public", ED_PUBLIC);
	char id[KEY_ID], other[KEY_ID];

	assert_int_equal(key_object_id(object, id), 0);
	/* printf '{"keytype":"ed25519",...}' | sha256sum */
	assert_string_equal(id, ED_ID);
	json_object_set_new(object, "x", json_null());
	assert_int_equal(key_object_id(object, other), 0);
	assert_string_not_equal(id, other);
}

static void test_refused(void **state)
{
	static const struct {
		const char *keytype, *scheme, *public;
		int result;
	} table[] = {
		{ "ed25519", "ed448", ED_PUBLIC, KEY_UNSUPPORTED },
		{ "rsa", "rsassa-pss-sha512", rsa_public, KEY_UNSUPPORTED },
		{ "sphincs", "sphincs", "x", KEY_UNSUPPORTED },
		{ "ed25519", "ed25519", "00", -EBADMSG },
		{ "ed25519", "ed25519", ED_PUBLIC "00", -EBADMSG },
		{ "ed25519", "ed25519", ec_public, -EBADMSG },
		{ "ecdsa", "ecdsa-sha2-nistp256", rsa_public, -EBADMSG },
		{ "ecdsa", "ecdsa-sha2-nistp256", p384_public, -EBADMSG },
		{ "ecdsa", "ecdsa-sha2-nistp256", "", -EBADMSG },
		{ "ecdsa", "ecdsa-sha2-nistp256", ec_sealed_old, -EBADMSG },
		{ "rsa", "rsassa-pss-sha256", ec_public, -EBADMSG },
		{ "rsa", "rsassa-pss-sha256", rsa1024_public, -EBADMSG },
		{ "rsa", "rsassa-pss-sha256", ed_plain, -EBADMSG },
	};
	cleanup_free char *twice = malloc(2 * sizeof(ec_public));
	struct json_fault fault;
	struct key *key = NULL;

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		int r = parse(table[i].keytype, table[i].scheme,
			      table[i].public, &key, &fault);

		if (r != table[i].result || key ||
		    (r < 0 && !fault.text[0])) {
			fail_msg("%zu: %d %s", i, r, fault.text);
		}
	}
	assert_non_null(twice);
	sprintf(twice, "%s%s", ec_public, ec_public);
	assert_int_equal(parse("ecdsa", "ecdsa-sha2-nistp256", twice, &key,
			       &fault), -EBADMSG);
}

static void test_malformed(void **state)
{
	static const char *const objects[] = {
		"{}", "{\"keytype\":\"ed25519\"}",
		"{\"keytype\":1,\"scheme\":\"ed25519\",\"keyval\":{}}",
		"{\"keytype\":\"x\",\"scheme\":\"x\",\"keyval\":[]}",
		"{\"keytype\":\"rsa\",\"scheme\":\"x\",\"keyval\":7}",
		("{\"keytype\":\"ed25519\",\"scheme\":\"ed25519\","
		 "\"keyval\":{\"public\":7}}"),
	};

	for (size_t i = 0; i < sizeof(objects) / sizeof(objects[0]); i++) {
		cleanup_json_tree json_t *tree = NULL;
		struct json_fault fault = { "" };
		struct json_at top;
		struct key *key = NULL;

		assert_int_equal(json_read(objects[i], strlen(objects[i]),
					   4096, &tree, &top, &fault), 0);
		assert_int_equal(key_parse(&top, &key), -EBADMSG);
		assert_true(fault.text[0] && !key);
	}
}

/* Every kind: made, signed, sealed, opened, signed again, published. */
static void check_kind(enum key_kind kind)
{
	cleanup_key struct key *key = NULL, *again = NULL, *public = NULL;
	uint8_t signature[KEY_SIGNATURE];
	struct json_fault fault = { "" };
	struct json_at at = { .fault = &fault };
	struct key *none = NULL;
	size_t n, length;
	char *pem;

	assert_int_equal(key_generate(kind, &key), 0);
	assert_true(key_is_private(key));
	assert_int_equal(key_sign(key, "x", 1, signature, &n), 0);
	assert_int_equal(key_write_private(key, "", 0, &pem, &length),
			 -EINVAL);
	assert_int_equal(key_write_private(key, "p\xc3\xa4ss", 5, &pem,
					   &length), 0);
	assert_int_equal(strncmp(pem, "-----BEGIN ENCRYPTED", 20), 0);
	assert_int_equal(key_read_private(pem, length, NULL, 0, &none),
			 KEY_ENCRYPTED);
	assert_int_equal(key_read_private(pem, length, "", 0, &none),
			 KEY_WRONG_PASSPHRASE);
	assert_int_equal(key_read_private(pem, length, "pass", 4, &none),
			 KEY_WRONG_PASSPHRASE);
	assert_null(none);
	assert_int_equal(key_read_private(pem, length, "p\xc3\xa4ss", 5,
					  &again), 0);
	key_pem_free(pem, length);
	assert_string_equal(key_id(again), key_id(key));
	assert_true(key_same(again, key));
	assert_int_equal(key_verify(again, "x", 1, signature, n), 0);
	assert_int_equal(key_sign(again, "y", 1, signature, &n), 0);
	at.value = key_object(key);
	assert_int_equal(key_parse(&at, &public), 0);
	assert_string_equal(key_id(public), key_id(key));
	assert_int_equal(key_verify(public, "y", 1, signature, n), 0);
	assert_int_equal(key_verify(public, "x", 1, signature, n),
			 KEY_BAD_SIGNATURE);
	assert_int_equal(key_sign(public, "y", 1, signature, &n), -EPERM);
	assert_int_equal(key_write_private(public, "p", 1, &pem, &length),
			 -EPERM);
}

static void test_kinds(void **state)
{
	check_kind(KEY_ED25519);
	check_kind(KEY_ECDSA);
	check_kind(KEY_RSA);
}

/* Two writings of one key differ: each has a salt of its own. */
static void test_salt(void **state)
{
	cleanup_key struct key *key = NULL;
	size_t length[2];
	char *pem[2];

	assert_int_equal(key_generate(KEY_ED25519, &key), 0);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(key_write_private(key, "p", 1, &pem[i],
						   &length[i]), 0);
	}
	assert_string_not_equal(pem[0], pem[1]);
	for (size_t i = 0; i < 2; i++) {
		key_pem_free(pem[i], length[i]);
	}
}

static void check_import(const char *pem, const char *passphrase,
			 const char *keytype, const char *scheme,
			 const char *public)
{
	cleanup_key struct key *key = NULL, *expected = NULL;
	struct json_fault fault;
	struct key *none = NULL;

	if (passphrase) {
		assert_int_equal(key_read_private(pem, strlen(pem), NULL, 0,
						  &none), KEY_ENCRYPTED);
		assert_int_equal(key_read_private(pem, strlen(pem), "wrong", 5,
						  &none),
				 KEY_WRONG_PASSPHRASE);
	}
	assert_int_equal(key_read_private(pem, strlen(pem), passphrase,
					  passphrase ? strlen(passphrase) : 0,
					  &key), 0);
	assert_int_equal(parse(keytype, scheme, public, &expected, &fault), 0);
	assert_true(key_same(key, expected));
	/* the id of the one has a member that the other has not */
	assert_string_not_equal(key_id(key), key_id(expected));
}

static void test_imports(void **state)
{
	struct key *none = NULL;

	check_import(ed_sealed, "carried", "ed25519", "ed25519",
		     ED_SEALED_PUBLIC);
	check_import(ed_plain, NULL, "ed25519", "ed25519", ED_SEALED_PUBLIC);
	check_import(ec_sealed_old, "carried", "ecdsa", "ecdsa-sha2-nistp256",
		     ec_sealed_public);
	for (size_t n = 0; n < strlen(ed_plain) - 30; n += 7) {
		assert_int_equal(key_read_private(ed_plain, n, NULL, 0, &none),
				 -EBADMSG);
	}
	assert_int_equal(key_read_private(ec_public, strlen(ec_public), NULL,
					  0, &none), -EBADMSG);
	assert_int_equal(key_read_public(p384_public, strlen(p384_public),
					 &none), KEY_UNSUPPORTED);
	assert_int_equal(key_read_public(ed_plain, strlen(ed_plain), &none),
			 -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ed25519),
		cmocka_unit_test(test_ecdsa),
		cmocka_unit_test(test_rsa),
		cmocka_unit_test(test_id),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_malformed),
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_salt),
		cmocka_unit_test(test_imports),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
