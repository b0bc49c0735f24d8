/* SPDX-License-Identifier: Apache-2.0 */
/* What a site brings: a version, its files, and its signature. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>
#include <jansson.h>

#include "base/canon.h"
#include "lib/agent_host.h"
#include "update/key.h"

void host_file(const char *dir, const char *name, const void *bytes,
		       size_t length)
{
	char path[256];
	FILE *out;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	out = fopen(path, "we");
	assert_non_null(out);
	assert_int_equal(fwrite(bytes, 1, length, out), length);
	fclose(out);
}

void host_dir(const char *dir, const char *name)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	assert_true(mkdir(path, 0755) == 0 || errno == EEXIST);
}

void host_key(struct host *host)
{
	char *text;

	assert_int_equal(key_generate(KEY_ED25519, &host->key), 0);
	text = json_dumps(key_object(host->key), JSON_COMPACT);
	host_file(host->dir, "etc/site-keys.d/site.json", text,
		   strlen(text));
	free(text);
}

static json_t *blob(const char *bundle, const char *path, const char *text)
{
	uint8_t hash[32];
	char hex[VERSION_HEX], name[128];

	version_hash(text, strlen(text), hash);
	version_hex(hash, hex);
	snprintf(name, sizeof(name), "targets/blob/%s", hex);
	host_file(bundle, name, text, strlen(text));
	return json_pack("{s:s, s:I, s:s}", "path", path, "length",
			 (json_int_t)strlen(text), "sha256", hex);
}

static json_t *corpus(const char *bundle, const struct host_case *cases)
{
	json_t *list = json_array();

	for (int i = 0; i < 4 && cases[i].name; i++) {
		json_t *one = blob(bundle, cases[i].name, cases[i].text);

		json_object_set_new(one, "event", json_string("file.open"));
		json_object_set_new(one, "expect", json_string(cases[i].deny ?
					"deny" : "allow"));
		json_object_set_new(one, "repeat", json_integer(1));
		json_array_append_new(list, one);
	}
	return list;
}

static void site_sign(struct host *host, const char *bundle,
		      const uint8_t hash[32])
{
	uint8_t signature[KEY_SIGNATURE], *bytes;
	char hex[VERSION_HEX], sig[2 * KEY_SIGNATURE + 1], *text;
	size_t length, size;
	json_t *body, *whole;

	version_hex(hash, hex);
	body = json_pack("{s:i, s:s, s:s, s:s}", "format", 1, "product",
			 host->options.name, "hash", hex,
			 "valid_until", "2099-01-01T00:00:00Z");
	assert_int_equal(canon_write(body, &bytes, &length), 0);
	assert_int_equal(key_sign(host->key, bytes, length, signature, &size),
			 0);
	for (size_t i = 0; i < size; i++) {
		snprintf(sig + 2 * i, 3, "%02x", signature[i]);
	}
	whole = json_pack("{s:o, s:[{s:s, s:s}]}", "signed", body,
			  "signatures", "keyid", key_id(host->key), "sig",
			  sig);
	text = json_dumps(whole, JSON_COMPACT);
	host_file(bundle, "site.json", text, strlen(text));
	free(text);
	free(bytes);
	json_decref(whole);
}

void host_bundle(struct host *host, const struct host_version *v,
		 char ret_path[128], uint8_t ret_hash[32])
{
	char name[32], version[32], *text;
	json_t *d;

	snprintf(name, sizeof(name), "bundle%u", v->number);
	snprintf(version, sizeof(version), "v%u", v->number);
	snprintf(ret_path, 128, "%s/%s", host->dir, name);
	host_dir(host->dir, name);
	host_dir(ret_path, "targets");
	host_dir(ret_path, "targets/blob");
	d = json_pack("{s:i, s:s, s:s, s:i, s:s, s:s, s:i, s:i, s:i, s:i, s:b,"
		      " s:[o], s:o}",
		      "format", 1, "product", host->options.name,
		      "version", version,
		      "number", (int)v->number, "class", "code", "schema",
		      host->options.schema, "fields", (int)v->fields, "bake_s",
		      (int)v->bake_s, "min_events", (int)v->min_events,
		      "floor", 1, "urgent", 0, "files",
		      blob(ret_path, "rules", v->rules), "corpus",
		      corpus(ret_path, v->corpus));
	assert_non_null(d);
	text = json_dumps(d, JSON_COMPACT);
	host_file(ret_path, "version.json", text, strlen(text));
	version_hash(text, strlen(text), ret_hash);
	site_sign(host, ret_path, ret_hash);
	free(text);
	json_decref(d);
}
