/* SPDX-License-Identifier: Apache-2.0 */
/*
 * content/version.h - what a content version is: its description
 *
 * Problem: a host is told to load files that somebody else made. What the
 * version is, which files it has, how it is to be tried, stands in one JSON
 * text, the description; its SHA-256 names the version everywhere. Whoever has
 * verified the description has verified, by length and hash, every file.
 *
 * The reader is strict: an unknown, missing or repeated member, a number out
 * of range, a path that could leave its folder, two files of one path, a file
 * that is also a folder, are refused with a reason. A struct version therefore
 * holds only what is good; nobody checks again.
 *
 * One allocation owner: version_free(). No thread state. Bounds below: what is
 * over them is refused, nothing is cut.
 */
#ifndef CONTENT_VERSION_H
#define CONTENT_VERSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/json.h"
#include "base/result.h"

#define VERSION_FORMAT 1
#define VERSION_BYTES (1u << 20)        /* of a description */
#define VERSION_FILES 4096u             /* files; and corpus entries */
#define VERSION_FILE_BYTES (1ull << 30) /* of one file */
#define VERSION_TOTAL_BYTES (4ull << 30) /* files, corpus and events */
#define VERSION_PATH 256u               /* with its NUL */
#define VERSION_NAME 32u                /* product, as in a manifest */
#define VERSION_TEXT 64u                /* version, schema */
#define VERSION_HASH 32u                /* SHA-256 */
#define VERSION_HEX (2u * VERSION_HASH + 1u)
#define VERSION_REPEAT 65536u
#define VERSION_FIELDS 65535u
#define VERSION_BAKE_S (366u * 86400u)
#define VERSION_TARGET (VERSION_NAME + 64u)

/* X(SYMBOL, number, "name") */
#define VERSION_CLASS_TABLE(X)                                                \
	X(CODE, 0, "code")              /* signed by the offline quorum */    \
	X(DATA, 1, "data")              /* by a delegated online key */

enum version_class {
#define VERSION_ENUM(sym, num, name) VERSION_##sym = num,
	VERSION_CLASS_TABLE(VERSION_ENUM)
#undef VERSION_ENUM
};

struct version_file {
	char path[VERSION_PATH];        /* below files/ or corpus/ */
	uint64_t length;
	uint8_t sha256[VERSION_HASH];
};

/* A question with a known answer. */
struct version_case {
	struct version_file file;       /* below corpus/; may stand twice */
	uint32_t event;                 /* enum bailey_event_kind */
	uint32_t expect;                /* enum bailey_verdict */
	char as[VERSION_PATH];          /* path that is told; "": none given */
	uint32_t repeat;                /* 1 or more */
};

struct version {
	char product[VERSION_NAME];
	char version[VERSION_TEXT];     /* for people */
	uint64_t number;                /* 1 or more; grows */
	enum version_class kind;
	char schema[VERSION_TEXT];
	uint32_t fields;
	uint32_t bake_s;                /* how long a trial lasts at least */
	uint64_t min_events;            /* answered in it at least */
	uint64_t floor;                 /* lowest number to go back to */
	bool urgent;
	struct version_file *file;
	size_t files;
	struct version_case *corpus;
	size_t cases;
	bool has_events;                /* a record (proto/record.h) */
	struct version_file events;     /* its path is "" */
};

/* 0; -EBADMSG or -EFBIG with the fault filled; -ENOMEM. */
int version_parse(const void *bytes, size_t length,
		  struct version **ret_version, struct json_fault *fault)
	must_use;
/* Null-safe; returns null. */
struct version *version_free(struct version *version);
/* The description's text, such that parsing gives the same; the caller's, with
 * a NUL behind length bytes. -EBADMSG with the fault filled if the version is
 * not a good one. */
int version_write(const struct version *version, char **ret_text,
		  size_t *ret_length, struct json_fault *fault) must_use;

/* SHA-256 of the description's bytes: the name of the version. */
void version_hash(const void *bytes, size_t length,
		  uint8_t ret_hash[VERSION_HASH]);
void version_hex(const uint8_t hash[VERSION_HASH], char ret_hex[VERSION_HEX]);
/* Exactly 64 digits of lower case, then a NUL. 0, -EBADMSG. */
int version_unhex(const char *hex, uint8_t ret_hash[VERSION_HASH]) must_use;

/* Relative, [A-Za-z0-9._-]+ joined by '/', no `.' and `..'; below 256 bytes. */
bool version_path_good(const char *path);
/* a-z 0-9 - _, as a manifest's name. */
bool version_product_good(const char *name);
/* "scan-rules/1": [A-Za-z0-9._-]+ joined by '/'. */
bool version_schema_good(const char *schema);
/* Printable ASCII without blanks, quotes and backslashes. */
bool version_text_good(const char *text);

const char *version_class_name(enum version_class kind);
/* 0, -ENOENT. */
int version_class_find(const char *name, enum version_class *ret_kind) must_use;

/* "content/scan/code/17.json", the TUF target of a description. */
void version_target(const char *product, enum version_class kind,
		    uint64_t number, char ret_target[VERSION_TARGET]);
/* The reverse, strict: no other spelling of a number. 0, -EBADMSG. */
int version_target_parse(const char *target, char ret_product[VERSION_NAME],
			 enum version_class *ret_kind, uint64_t *ret_number)
	must_use;
/* Does the description say what the path it was found at says? */
bool version_target_agrees(const struct version *version, const char *target);

/* Is the sum of all that it lists over maximum? */
bool version_over(const struct version *version, uint64_t maximum);

static inline void version_freep(struct version **version)
{
	version_free(*version);
}
#define cleanup_version __attribute__((cleanup(version_freep)))

#endif
