/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent_site.c - a bundle that a site signed for its own hosts
 *
 *   site.json      {"signed": {"format":1, "product":..., "hash":...,
 *                   "valid_until":..., "lease": {...} optional},
 *                   "signatures": [{"keyid":..., "sig":...}]}
 *   version.json   the description, of that hash
 *   targets/blob/  files by their hash
 *
 * signed is signed in canonical form by one of the keys in site-keys.d,
 * beside content.d: whoever may write there stands in for a publisher. lease
 * is one of the gate's form, at most 90 days long. Everything else is as for
 * any version: slot, preflight, policy, trial.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "agent/agent.h"
#include "base/canon.h"
#include "base/json.h"
#include "base/text.h"
#include "update/key.h"

#define SITE_BYTES (64u << 10)
#define SITE_SIGNATURES 16u

struct site {
	struct agent_product_state *p;
	int dir;
	char *why;
	uint8_t hash[VERSION_HASH];
	int64_t until_s;
	uint8_t *canonical;
	size_t canonical_length;
};

/* One key file verifies one of the signatures. */
static bool key_signs(const struct site *site, int keys, const char *name,
		      const struct json_at *top)
{
	cleanup_json_tree json_t *tree = NULL;
	cleanup_free char *text = NULL;
	cleanup_key struct key *key = NULL;
	struct json_fault fault;
	struct json_at object, list, one;
	size_t length, count;

	if (agent_file_read(keys, name, SITE_BYTES, &text, &length) < 0 ||
	    json_read(text, length, SITE_BYTES, &tree, &object, &fault) < 0 ||
	    key_parse(&object, &key) != 0 ||
	    json_list(top, "signatures", SITE_SIGNATURES, &list, &count) < 0) {
		return false;
	}
	for (size_t i = 0; i < count; i++) {
		uint8_t bytes[KEY_SIGNATURE];
		const char *id, *hex;
		size_t size;

		if (json_element(&list, i, &one) < 0 ||
		    json_text(&one, "keyid", KEY_ID - 1, &id) < 0 ||
		    json_text(&one, "sig", 2 * KEY_SIGNATURE, &hex) < 0) {
			return false;
		}
		size = strlen(hex) / 2;
		if (strcmp(id, key_id(key)) == 0 &&
		    json_hex(&one, "sig", bytes, size) == 0 &&
		    key_verify(key, site->canonical, site->canonical_length,
			       bytes, size) == 0) {
			return true;
		}
	}
	return false;
}

static bool is_signed(const struct site *site, const struct json_at *top)
{
	cleanup_fd int keys = openat(site->p->agent->policy, "../site-keys.d",
				     O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = keys < 0 ? NULL : fdopendir(dup(keys));
	struct dirent *entry;
	bool found = false;

	while (dir && !found && (entry = readdir(dir)) != NULL) {
		size_t n = strlen(entry->d_name);

		found = n > 5 && entry->d_name[0] != '.' &&
			strcmp(entry->d_name + n - 5, ".json") == 0 &&
			key_signs(site, keys, entry->d_name, top);
	}
	if (dir) {
		closedir(dir);
	}
	return found;
}

static int take_lease(struct site *site, const struct json_at *body)
{
	struct agent_product_state *p = site->p;
	cleanup_free uint8_t *bytes = NULL;
	struct lease_error error = { "" };
	struct json_at object;
	struct lease lease;
	size_t length;
	int r;

	if (!json_has(body, "lease")) {
		return 0;
	}
	r = json_member(body, "lease", &object);
	if (r == 0) {
		r = canon_write(object.value, &bytes, &length);
	}
	if (r == 0) {
		r = lease_parse(bytes, length, p->told.name, &lease, &error);
		if (r < 0) {
			text_format(site->why, AGENT_WHY, "lease: %s",
				    error.text);
		}
	}
	if (r == 0) {
		r = agent_lease_take(p, &lease, bytes, length);
	}
	if (r < 0) {
		return r;
	}
	p->site_until_s = site->until_s < lease.valid_until_s
				  ? site->until_s : lease.valid_until_s;
	return 0;
}

static int check(struct site *site, const struct json_at *body)
{
	const char *product, *hex;
	int64_t until, format;
	int r = json_int(body, "format", 1, 1, &format);

	if (r == 0) {
		r = json_text(body, "product", VERSION_NAME - 1, &product);
	}
	if (r == 0) {
		r = json_text(body, "hash", VERSION_HEX - 1, &hex);
	}
	if (r == 0) {
		r = json_time(body, "valid_until", &until);
	}
	if (r < 0) {
		text_format(site->why, AGENT_WHY, "site.json: %s",
			    body->fault->text);
		return r;
	}
	if (version_unhex(hex, site->hash) < 0 ||
	    strcmp(product, site->p->told.name) != 0) {
		text_format(site->why, AGENT_WHY,
			    "site.json: of another product, or not a hash");
		return -EBADMSG;
	}
	if (until <= agent_now_s(site->p)) {
		text_format(site->why, AGENT_WHY, "site.json has expired");
		return -EKEYEXPIRED;
	}
	site->until_s = until;
	return 0;
}

static int take_version(struct site *site)
{
	cleanup_fd int blobs = agent_open_below(site->dir, "targets/blob",
						O_RDONLY | O_DIRECTORY);
	uint8_t hash[VERSION_HASH];
	char *text;
	size_t length;
	int r = blobs < 0 ? blobs : agent_file_read(site->dir, "version.json",
						    VERSION_BYTES, &text,
						    &length);

	if (r < 0) {
		text_format(site->why, AGENT_WHY, "%s: %s",
			    blobs < 0 ? "targets/blob" : "version.json",
			    strerror(-r));
		return r;
	}
	version_hash(text, length, hash);
	if (!agent_hash_same(hash, site->hash)) {
		free(text);
		text_format(site->why, AGENT_WHY,
			    "version.json is not what site.json signs");
		return -EBADMSG;
	}
	agent_listed_clear(site->p, true);
	return agent_listed_add(site->p, text, length, blobs, true, site->why);
}

int agent_site_read(struct agent_product_state *p, int dir,
		    char ret_why[AGENT_WHY])
{
	struct site site = { .p = p, .dir = dir, .why = ret_why };
	cleanup_json_tree json_t *tree = NULL;
	cleanup_free char *text = NULL;
	struct json_fault fault = { "" };
	struct json_at top, body;
	size_t length;
	int r = agent_file_read(dir, "site.json", SITE_BYTES, &text, &length);

	if (r == 0) {
		r = json_read(text, length, SITE_BYTES, &tree, &top, &fault);
	}
	if (r == 0) {
		r = json_member(&top, "signed", &body);
	}
	if (r == 0) {
		r = canon_write(body.value, &site.canonical,
				&site.canonical_length);
	}
	if (r < 0) {
		text_format(ret_why, AGENT_WHY, "site.json: %s",
			    fault.text[0] ? fault.text : strerror(-r));
		return r;
	}
	if (!is_signed(&site, &top)) {
		text_format(ret_why, AGENT_WHY,
			    "site.json: no key of site-keys.d signed it");
		r = -EKEYREJECTED;
	}
	free(site.canonical);
	if (r == 0) {
		r = check(&site, &body);
	}
	if (r == 0) {
		r = take_version(&site);
	}
	return r == 0 ? take_lease(&site, &body) : r;
}
