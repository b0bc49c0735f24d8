/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tuf_verify.c - is a file signed by a threshold of keys?
 *
 * Each key counts once, whatever it is called: two ids of one key are one. A
 * signature that is wrong, or by a key that is not understood, counts nothing
 * and spoils nothing. It ends as soon as the threshold is reached.
 */
#include <string.h>

#include "base/canon.h"
#include "update/key.h"
#include "update/tuf_internal.h"

struct count {
	const json_t *signatures, *keys;
	uint8_t *bytes;                 /* owned: canonical form */
	size_t length;
	struct key *counted[TUF_KEYS_MAX];      /* owned */
	size_t reached;
};

static void count_fini(struct count *c)
{
	free(c->bytes);
	for (size_t i = 0; i < c->reached; i++) {
		key_free(c->counted[i]);
	}
}

static const char *signature_of(const json_t *signatures, const char *id)
{
	for (size_t i = 0; i < json_array_size(signatures); i++) {
		const json_t *one = json_array_get(signatures, i);
		const char *keyid =
			json_string_value(json_object_get(one, "keyid"));

		if (keyid && strcmp(keyid, id) == 0) {
			return json_string_value(json_object_get(one, "sig"));
		}
	}
	return NULL;
}

static int digit(char c)
{
	const char *digits = "0123456789abcdef", *at;

	c = c >= 'A' && c <= 'F' ? (char)(c - 'A' + 'a') : c;
	at = c ? strchr(digits, c) : NULL;
	return at ? (int)(at - digits) : -1;
}

/* Bytes of hexadecimal text; 0 if it is empty, odd, too long or no such. */
static size_t unhex(const char *text, uint8_t ret_bytes[KEY_SIGNATURE])
{
	size_t n = strlen(text);

	if (n % 2 || n / 2 > KEY_SIGNATURE) {
		return 0;
	}
	for (size_t i = 0; i < n / 2; i++) {
		int high = digit(text[2 * i]), low = digit(text[2 * i + 1]);

		if (high < 0 || low < 0) {
			return 0;
		}
		ret_bytes[i] = (uint8_t)(high << 4 | low);
	}
	return n / 2;
}

static bool counted_before(const struct count *c, const struct key *key)
{
	for (size_t i = 0; i < c->reached; i++) {
		if (key_same(c->counted[i], key)) {
			return true;
		}
	}
	return false;
}

/* Counts the key of this id, if it signed. */
static int count_key(struct count *c, const char *id)
{
	uint8_t signature[KEY_SIGNATURE];
	struct json_fault fault;
	struct json_at object = { json_object_get(c->keys, id), NULL, NULL, 0,
				  &fault };
	const char *text = signature_of(c->signatures, id);
	cleanup_key struct key *key = NULL;
	size_t n = text ? unhex(text, signature) : 0;
	int r;

	if (!n || !object.value) {
		return 0;
	}
	r = key_parse(&object, &key);
	r = r ? r : key_verify(key, c->bytes, c->length, signature, n);
	if (r == 0 && !counted_before(c, key)) {
		c->counted[c->reached++] = key;
		key = NULL;
	}
	return r == -ENOMEM ? r : 0;
}

int tuf_verify(struct tuf *tuf, const char *name, const json_t *tree,
	       const json_t *keys, const json_t *role)
{
	__attribute__((cleanup(count_fini))) struct count c = {
		json_object_get(tree, "signatures"), keys, NULL, 0,
		{ NULL }, 0
	};
	const json_t *ids = json_object_get(role, "keyids");
	json_int_t threshold =
		json_integer_value(json_object_get(role, "threshold"));
	int r = canon_write(tuf_signed(tree), &c.bytes, &c.length);

	for (size_t i = 0; r == 0 && i < json_array_size(ids) &&
			   i < TUF_KEYS_MAX; i++) {
		r = count_key(&c, json_string_value(json_array_get(ids, i)));
		if (threshold >= 1 && (json_int_t)c.reached >= threshold) {
			return r;
		}
	}
	if (r < 0) {
		return tuf_fail(tuf, r, "%s: out of memory", name);
	}
	return tuf_fail(tuf, -EKEYREJECTED,
			"%s: %zu valid signatures, %lld are needed", name,
			c.reached, (long long)threshold);
}

int tuf_verify_top(struct tuf *tuf, const char *name, const json_t *tree,
		   const json_t *root, enum tuf_kind kind)
{
	const json_t *body = tuf_signed(root);

	return tuf_verify(tuf, name, tree, json_object_get(body, "keys"),
			  json_object_get(json_object_get(body, "roles"),
					  tuf_kind_name(kind)));
}
