/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lib/content_repo.h - a small repository of one product's content, as a
 * publisher would write it: consistent snapshots, one key for all roles
 *
 * For tests of what reads repositories; the product is "scan". Metadata is
 * valid for ten years. All of it aborts the test program when it fails.
 */
#ifndef LIB_CONTENT_REPO_H
#define LIB_CONTENT_REPO_H

#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

struct key;

struct content_repo_file {
	const char *path;
	const void *bytes;
	size_t length;
};

struct content_repo {
	char dir[64];           /* metadata/ and targets/ */
	struct key *key;
	json_t *content, *data, *gate, *revoked;        /* targets of each */
	json_int_t version;     /* of all metadata but root */
	json_int_t root;        /* version of root */
};

struct content_repo *content_repo_new(void);
/* Null-safe. */
void content_repo_free(struct content_repo *repo);
/* Adds a description and its blobs; kind: "code" or "data". count of files,
 * null: one file `rules` that holds the number. */
void content_repo_add(struct content_repo *repo, const char *kind,
		      unsigned number, const struct content_repo_file *files,
		      size_t count);
/* gate/scan.json releases that version, with poll_s. */
void content_repo_release(struct content_repo *repo, const char *kind,
			  unsigned number, unsigned poll_s);
/* Another root, signed by the same key. */
void content_repo_rotate(struct content_repo *repo);
/* Writes all metadata with the next version. */
void content_repo_publish(struct content_repo *repo);
/* "DIR/targets/blob/<sha256 of bytes>". */
void content_repo_blob_path(const struct content_repo *repo,
			    const void *bytes, size_t length, char *ret_path,
			    size_t size);
/* SHA-256 in hexadecimal digits. */
void content_repo_hex(const void *bytes, size_t length, char ret_hex[65]);

#endif
