/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include <openssl/sha.h>

#include "update/tuf_internal.h"

int tuf_listed_read(struct tuf *tuf, const json_t *tree, const char *role,
		    struct tuf_listed *ret_listed)
{
	struct json_at top = { tree, NULL, NULL, 0, &tuf->fault };
	struct tuf_listed listed = { .length = -1 };
	struct json_at body, meta, file;
	char name[TUF_ROLE_MAX + 8];
	int r = json_member(&top, "signed", &body);

	snprintf(name, sizeof(name), "%s.json", role);
	r = r ? r : json_member(&body, "meta", &meta);
	r = r ? r : json_member(&meta, name, &file);
	r = r ? r : json_int(&file, "version", 1, INT64_MAX, &listed.version);
	if (r == 0 && json_has(&file, "length")) {
		r = json_int(&file, "length", 1, INT64_MAX, &listed.length);
	}
	if (r == 0 && json_has(&file, "hashes")) {
		listed.has_hashes = true;
		r = tuf_form_hashes(&file, &listed.hashes);
	}
	if (r < 0) {
		const char *type = json_string_value(json_object_get(
			tuf_signed(tree), "_type"));

		return tuf_fail(tuf, r, "%s: %s", type, tuf->fault.text);
	}
	*ret_listed = listed;
	return 0;
}

void tuf_hashes_of(const uint8_t *bytes, size_t length,
		   struct tuf_hashes *ret_hashes)
{
	ret_hashes->has_sha256 = true;
	ret_hashes->has_sha512 = true;
	SHA256(bytes, length, ret_hashes->sha256);
	SHA512(bytes, length, ret_hashes->sha512);
}

bool tuf_hashes_match(const struct tuf_hashes *want,
		      const struct tuf_hashes *have)
{
	return (want->has_sha256 || want->has_sha512) &&
	       (!want->has_sha256 ||
		memcmp(want->sha256, have->sha256, 32) == 0) &&
	       (!want->has_sha512 ||
		memcmp(want->sha512, have->sha512, 64) == 0);
}

bool tuf_listed_fits(const struct tuf_listed *listed,
		     const struct tuf_meta *meta)
{
	return meta->version == listed->version &&
	       (listed->length < 0 ||
		(uint64_t)listed->length == meta->length) &&
	       (!listed->has_hashes ||
		tuf_hashes_match(&listed->hashes, &meta->hashes));
}

int tuf_listed_check(struct tuf *tuf, const char *name,
		     const struct tuf_listed *listed, const uint8_t *bytes,
		     size_t length)
{
	struct tuf_hashes hashes;

	if (listed->length >= 0 && (uint64_t)listed->length != length) {
		return tuf_fail(tuf, -EBADMSG,
				"%s: %zu bytes, listed with %lld", name,
				length, (long long)listed->length);
	}
	tuf_hashes_of(bytes, length, &hashes);
	if (listed->has_hashes &&
	    !tuf_hashes_match(&listed->hashes, &hashes)) {
		return tuf_fail(tuf, -EBADMSG,
				"%s: not the hash that is listed", name);
	}
	return 0;
}
