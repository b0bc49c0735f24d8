/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/content_repo.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/canon.h"
#include "content/version.h"
#include "update/key.h"

#define REPO_EXPIRES "2099-01-01T00:00:00Z"

static void repo_need(int good, const char *what)
{
	if (!good) {
		perror(what);
		abort();
	}
}

void content_repo_hex(const void *bytes, size_t length, char ret_hex[65])
{
	uint8_t digest[32];
	size_t i;

	repo_need(EVP_Digest(bytes, length, digest, NULL, EVP_sha256(), NULL),
		  "digest");
	for (i = 0; i < sizeof(digest); i++) {
		snprintf(ret_hex + 2 * i, 3, "%02x", digest[i]);
	}
}

__attribute__((format(printf, 4, 5)))
static void repo_file(const struct content_repo *repo, const void *bytes,
		      size_t length, const char *format, ...)
{
	char name[512], path[640];
	char *slash;
	va_list list;
	int fd;

	va_start(list, format);
	vsnprintf(name, sizeof(name), format, list);
	va_end(list);
	snprintf(path, sizeof(path), "%s/%s", repo->dir, name);
	for (slash = strchr(path + strlen(repo->dir) + 1, '/'); slash;
	     slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		mkdir(path, 0755);
		*slash = '/';
	}
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	repo_need(fd >= 0 && write(fd, bytes, length) == (ssize_t)length,
		  path);
	close(fd);
}

struct content_repo *content_repo_new(void)
{
	struct content_repo *repo = calloc(1, sizeof(*repo));

	repo_need(repo != NULL, "calloc");
	strcpy(repo->dir, "/tmp/bailey-repo.XXXXXX");
	repo_need(mkdtemp(repo->dir) != NULL, "mkdtemp");
	repo_need(key_generate(KEY_ED25519, &repo->key) == 0, "key");
	repo->content = json_object();
	repo->data = json_object();
	repo->gate = json_object();
	repo->revoked = json_object();
	content_repo_rotate(repo);
	return repo;
}

void content_repo_free(struct content_repo *repo)
{
	char command[128];

	if (!repo) {
		return;
	}
	snprintf(command, sizeof(command), "rm -rf '%s'", repo->dir);
	repo_need(system(command) == 0, command);
	json_decref(repo->content);
	json_decref(repo->data);
	json_decref(repo->gate);
	json_decref(repo->revoked);
	key_free(repo->key);
	free(repo);
}

/* ---- signing ---- */

/* Takes body; the signed document's text. */
static char *repo_sign(const struct content_repo *repo, json_t *body)
{
	uint8_t *bytes, signature[KEY_SIGNATURE];
	char hex[2 * KEY_SIGNATURE + 1];
	size_t length, size, i;
	json_t *whole;
	char *text;

	repo_need(body != NULL, "json");
	repo_need(canon_write(body, &bytes, &length) == 0, "canonical");
	repo_need(key_sign(repo->key, bytes, length, signature, &size) == 0,
		  "sign");
	for (i = 0; i < size; i++) {
		snprintf(hex + 2 * i, 3, "%02x", signature[i]);
	}
	whole = json_pack("{s:o, s:[{s:s, s:s}]}", "signed", body,
			  "signatures", "keyid", key_id(repo->key), "sig",
			  hex);
	text = whole ? json_dumps(whole, JSON_INDENT(1)) : NULL;
	repo_need(text != NULL, "json");
	json_decref(whole);
	free(bytes);
	return text;
}

static json_t *repo_body(const char *type, json_int_t version)
{
	return json_pack("{s:s, s:s, s:I, s:s}", "_type", type,
			 "spec_version", "1.0.31", "version", version,
			 "expires", REPO_EXPIRES);
}

static json_t *repo_keys(const struct content_repo *repo)
{
	json_t *keys = json_object();

	json_object_set(keys, key_id(repo->key),
			(json_t *)(uintptr_t)key_object(repo->key));
	return keys;
}

static json_t *repo_role(const struct content_repo *repo)
{
	return json_pack("{s:[s], s:i}", "keyids", key_id(repo->key),
			 "threshold", 1);
}

void content_repo_rotate(struct content_repo *repo)
{
	json_t *body = repo_body("root", ++repo->root);
	char *text;

	json_object_set_new(body, "consistent_snapshot", json_true());
	json_object_set_new(body, "keys", repo_keys(repo));
	json_object_set_new(body, "roles", json_pack("{s:o, s:o, s:o, s:o}",
		"root", repo_role(repo), "timestamp", repo_role(repo),
		"snapshot", repo_role(repo), "targets", repo_role(repo)));
	text = repo_sign(repo, body);
	repo_file(repo, text, strlen(text), "metadata/%d.root.json",
		  (int)repo->root);
	free(text);
}

/* ---- content ---- */

static void repo_target(const struct content_repo *repo, json_t *targets,
			const char *path, const char *text)
{
	const char *slash = strrchr(path, '/');
	int folder = slash ? (int)(slash - path) + 1 : 0;
	char hex[65];

	content_repo_hex(text, strlen(text), hex);
	repo_file(repo, text, strlen(text), "targets/%.*s%s.%s", folder, path,
		  hex, path + folder);
	json_object_set_new(targets, path, json_pack("{s:I, s:{s:s}}",
		"length", (json_int_t)strlen(text), "hashes", "sha256", hex));
}

static json_t *repo_blob(const struct content_repo *repo,
			 const struct content_repo_file *file)
{
	char hex[65];

	content_repo_hex(file->bytes, file->length, hex);
	repo_file(repo, file->bytes, file->length, "targets/blob/%s", hex);
	return json_pack("{s:s, s:I, s:s}", "path", file->path, "length",
			 (json_int_t)file->length, "sha256", hex);
}

void content_repo_add(struct content_repo *repo, const char *kind,
		      unsigned number, const struct content_repo_file *files,
		      size_t count)
{
	char rules[32], name[32], path[64];
	struct content_repo_file one = { .path = "rules", .bytes = rules };
	json_t *list = json_array(), *all;
	char *text;
	size_t i;

	one.length = (size_t)snprintf(rules, sizeof(rules), "rules of %s %u\n",
				      kind, number);
	files = files ? files : &one;
	count = files == &one ? 1 : count;
	for (i = 0; i < count; i++) {
		json_array_append_new(list, repo_blob(repo, &files[i]));
	}
	snprintf(name, sizeof(name), "2026.11.%u", number);
	all = json_pack("{s:i, s:s, s:s, s:i, s:s, s:s, s:i, s:i, s:i, s:i, "
			"s:b, s:o, s:[]}", "format", 1, "product", "scan",
			"version", name, "number", (int)number, "class", kind,
			"schema", "scan-rules/1", "fields", 3, "bake_s", 60,
			"min_events", 10, "floor", 1, "urgent", 0, "files",
			list, "corpus");
	text = all ? json_dumps(all, JSON_COMPACT) : NULL;
	repo_need(text != NULL, "description");
	snprintf(path, sizeof(path), "content/scan/%s/%u.json", kind, number);
	repo_target(repo, strcmp(kind, "data") == 0 ? repo->data :
		    repo->content, path, text);
	json_decref(all);
	free(text);
}

void content_repo_release(struct content_repo *repo, const char *kind,
			  unsigned number, unsigned poll_s)
{
	char path[64], text[1024];
	const char *hash = NULL;

	snprintf(path, sizeof(path), "content/scan/%s/%u.json", kind, number);
	json_unpack(json_object_get(strcmp(kind, "data") == 0 ? repo->data :
				    repo->content, path), "{s:{s:s}}",
		    "hashes", "sha256", &hash);
	repo_need(hash != NULL, path);
	snprintf(text, sizeof(text), "{\"format\":1,\"product\":\"scan\","
		 "\"release\":\"%s\",\"hash\":\"%s\",\"salt\":"
		 "\"00112233445566778899aabbccddeeff\",\"admitted\":{\"early\":"
		 "{\"*\":281474976710656}},\"rings\":[\"early\",\"general\","
		 "\"late\"],\"valid_until\":\"" REPO_EXPIRES "\",\"poll_s\":%u,"
		 "\"jitter_s\":1}", path, hash, poll_s);
	repo_target(repo, repo->gate, "gate/scan.json", text);
}

/* ---- metadata ---- */

/* delegations: taken; null: none. */
static void repo_targets(const struct content_repo *repo, json_t *meta,
			 const char *quoted, const char *name, json_t *targets,
			 json_t *delegations)
{
	json_t *body = repo_body("targets", repo->version);
	char file[128];
	char *text;

	json_object_set(body, "targets", targets);
	if (delegations) {
		json_object_set_new(body, "delegations", json_pack(
			"{s:o, s:o}", "keys", repo_keys(repo), "roles",
			delegations));
	}
	text = repo_sign(repo, body);
	repo_file(repo, text, strlen(text), "metadata/%d.%s.json",
		  (int)repo->version, quoted);
	snprintf(file, sizeof(file), "%s.json", name);
	json_object_set_new(meta, file, json_pack("{s:I}", "version",
						  repo->version));
	free(text);
}

static json_t *repo_delegation(const struct content_repo *repo,
			       const char *name, json_t *paths)
{
	return json_pack("{s:s, s:[s], s:i, s:b, s:o}", "name", name,
			 "keyids", key_id(repo->key), "threshold", 1,
			 "terminating", 0, "paths", paths);
}

static void repo_roles(const struct content_repo *repo, json_t *meta)
{
	json_t *none = json_object();

	repo_targets(repo, meta, "targets", "targets", none, json_pack(
		"[o, o, o]",
		repo_delegation(repo, "content/scan", json_pack("[s, s, s]",
			"content/scan/code/*", "content/scan/policy.json",
			"content/scan/data/*")),
		repo_delegation(repo, "gate", json_pack("[s]", "gate/*")),
		repo_delegation(repo, "revoked", json_pack("[s]",
			"revoked.json"))));
	repo_targets(repo, meta, "content%2Fscan", "content/scan",
		     repo->content, json_pack("[o]",
		repo_delegation(repo, "data/scan", json_pack("[s]",
			"content/scan/data/*"))));
	repo_targets(repo, meta, "data%2Fscan", "data/scan", repo->data, NULL);
	repo_targets(repo, meta, "gate", "gate", repo->gate, NULL);
	repo_targets(repo, meta, "revoked", "revoked", repo->revoked, NULL);
	json_decref(none);
}

void content_repo_publish(struct content_repo *repo)
{
	json_t *body, *meta = json_object();
	char *text;

	repo->version++;
	repo_roles(repo, meta);
	body = repo_body("snapshot", repo->version);
	json_object_set_new(body, "meta", meta);
	text = repo_sign(repo, body);
	repo_file(repo, text, strlen(text), "metadata/%d.snapshot.json",
		  (int)repo->version);
	free(text);
	body = repo_body("timestamp", repo->version);
	json_object_set_new(body, "meta", json_pack("{s:{s:I}}",
		"snapshot.json", "version", repo->version));
	text = repo_sign(repo, body);
	repo_file(repo, text, strlen(text), "metadata/timestamp.json");
	free(text);
}

void content_repo_blob_path(const struct content_repo *repo,
			    const void *bytes, size_t length, char *ret_path,
			    size_t size)
{
	char hex[65];

	content_repo_hex(bytes, length, hex);
	snprintf(ret_path, size, "%s/targets/blob/%s", repo->dir, hex);
}
