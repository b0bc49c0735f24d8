/* SPDX-License-Identifier: Apache-2.0 */
/* lib/site.c - see lib/site.h */
#include "lib/site.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include <cmocka.h>
#include <jansson.h>

#include "base/canon.h"
#include "content/version.h"

static void put(const char *folder, const char *name, const char *text)
{
	char path[512];
	FILE *out;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	out = fopen(path, "we");
	assert_non_null(out);
	assert_int_equal(fwrite(text, 1, strlen(text), out), strlen(text));
	assert_int_equal(fclose(out), 0);
}

static void folder_below(const char *folder, const char *name)
{
	char path[512];

	snprintf(path, sizeof(path), "%s%s", folder, name);
	assert_true(mkdir(path, 0755) == 0 || errno == EEXIST);
}

void site_write_key(const char *path, const struct key *key)
{
	char *text = json_dumps(key_object(key), JSON_COMPACT);
	FILE *out = fopen(path, "we");

	assert_non_null(text);
	assert_non_null(out);
	assert_true(fputs(text, out) >= 0);
	assert_int_equal(fclose(out), 0);
	free(text);
}

static json_t *blob(const char *folder, const char *path, const char *text)
{
	uint8_t hash[VERSION_HASH];
	char hex[VERSION_HEX], name[128];

	version_hash(text, strlen(text), hash);
	version_hex(hash, hex);
	snprintf(name, sizeof(name), "targets/blob/%s", hex);
	put(folder, name, text);
	return json_pack("{s:s, s:I, s:s}", "path", path, "length",
			 (json_int_t)strlen(text), "sha256", hex);
}

static json_t *corpus(const char *folder, const struct site_case *cases)
{
	json_t *list = json_array();

	for (int i = 0; i < SITE_CASES && cases[i].name; i++) {
		json_t *one = blob(folder, cases[i].name, cases[i].text);

		json_object_set_new(one, "event", json_string("file.open"));
		json_object_set_new(one, "expect", json_string(cases[i].deny ?
					"deny" : "allow"));
		json_object_set_new(one, "repeat", json_integer(1));
		json_array_append_new(list, one);
	}
	return list;
}

static void utc(time_t seconds, char ret_text[32])
{
	struct tm tm;

	assert_non_null(gmtime_r(&seconds, &tm));
	assert_true(strftime(ret_text, 32, "%Y-%m-%dT%H:%M:%SZ", &tm) > 0);
}

/* For every bucket of every ring, at once. */
static json_t *lease(const struct site_version *v, const char *hex)
{
	char target[VERSION_TARGET], from[32], until[32];
	time_t now = time(NULL);

	version_target(v->product, VERSION_CODE, v->number, target);
	utc(now, from);
	utc(now + (time_t)v->lease_s, until);
	return json_pack(
		"{s:i, s:s, s:s, s:s, s:s, s:[s,s,s],"
		" s:{s:{s:I}, s:{s:I}, s:{s:I}}, s:{s:i, s:i, s:i},"
		" s:s, s:s, s:i, s:i, s:[], s:[], s:n}",
		"format", 1, "product", v->product, "release", target, "hash",
		hex, "salt", "5e884898da280471", "rings", "early", "general",
		"late", "admitted", "early", "*", (json_int_t)1 << 48,
		"general", "*", (json_int_t)1 << 48, "late", "*",
		(json_int_t)1 << 48, "dwell_s", "early", 0, "general", 0,
		"late", 0, "issued", from, "valid_until", until, "poll_s", 60,
		"jitter_s", 0, "halted", "quarantined", "roll_back_to");
}

static void sign(const char *folder, const struct site_version *v,
		 const uint8_t hash[VERSION_HASH], const struct key *key)
{
	uint8_t signature[KEY_SIGNATURE], *bytes;
	char hex[VERSION_HEX], sig[2 * KEY_SIGNATURE + 1], *text;
	size_t length, size;
	json_t *body, *whole;

	version_hex(hash, hex);
	body = json_pack("{s:i, s:s, s:s, s:s}", "format", 1, "product",
			 v->product, "hash", hex, "valid_until",
			 v->until ? v->until : "2099-01-01T00:00:00Z");
	if (v->lease_s) {
		assert_int_equal(json_object_set_new(body, "lease",
						     lease(v, hex)), 0);
	}
	assert_int_equal(canon_write(body, &bytes, &length), 0);
	assert_int_equal(key_sign(key, bytes, length, signature, &size), 0);
	for (size_t i = 0; i < size; i++) {
		snprintf(sig + 2 * i, 3, "%02x", signature[i]);
	}
	whole = json_pack("{s:o, s:[{s:s, s:s}]}", "signed", body,
			  "signatures", "keyid", key_id(key), "sig", sig);
	text = json_dumps(whole, JSON_COMPACT);
	put(folder, "site.json", text);
	free(text);
	free(bytes);
	json_decref(whole);
}

void site_write(const char *folder, const struct site_version *v,
		const struct key *key, uint8_t ret_hash[32])
{
	json_t *d;
	char *text;

	folder_below(folder, "");
	folder_below(folder, "/targets");
	folder_below(folder, "/targets/blob");
	d = json_pack("{s:i, s:s, s:s, s:i, s:s, s:s, s:i, s:i, s:i, s:i, s:b,"
		      " s:[o], s:o}",
		      "format", 1, "product", v->product, "version", v->name,
		      "number", (int)v->number, "class", "code", "schema",
		      v->schema, "fields", (int)v->fields, "bake_s",
		      (int)v->bake_s, "min_events", (int)v->min_events,
		      "floor", 1, "urgent", 0, "files",
		      blob(folder, "rules", v->rules), "corpus",
		      corpus(folder, v->corpus));
	assert_non_null(d);
	text = json_dumps(d, JSON_COMPACT);
	put(folder, "version.json", text);
	version_hash(text, strlen(text), ret_hash);
	sign(folder, v, ret_hash, key);
	free(text);
	json_decref(d);
}
