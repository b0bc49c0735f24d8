/* SPDX-License-Identifier: Apache-2.0 */
/*
 * publish/publish.h - the vendor's side: versions, keys, a repository
 *
 * Problem: what hosts are to believe has to be signed by people who are not at
 * one place, and published such that a host which looks at any moment, also in
 * the middle of it, sees something whole.
 *
 * A workspace is a folder:
 *
 *	workspace.json	what is wanted: keys, roles, versions, lease, policy
 *	keys/NAME.pem	private keys, encrypted, 0600
 *	staged/HASH/	versions: version.json, files/, corpus/, events, and
 *			preflight.json, the record of a passed preflight
 *	drafts/ROLE.json metadata that waits for signatures
 *	prune.json	since when which file was seen to be named by nothing
 *	repository/	metadata/ and targets/: plain files for a web server
 *
 * Commands change what is wanted, then drafts are computed anew (draft.c): for
 * each role whose wanted content differs from what is released, or would no
 * longer be believed. Signatures stay on a draft while it says the same.
 * Release (release.c) writes what is signed: blobs and targets, delegated
 * roles, targets, snapshot, then timestamp, which is when hosts see it; a new
 * root last. Each file is synced before it gets its name, and each name before
 * the next file: a kill at any step leaves the old repository or the new one.
 * While a top-level key is exchanged, what is online carries the signatures of
 * the old and of the new one, because a host may read it before the new root.
 *
 * One process at a time in a workspace (an advisory lock), one thread. Nothing
 * is read from the network. Bounds: those of the formats it writes.
 */
#ifndef PUBLISH_PUBLISH_H
#define PUBLISH_PUBLISH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "base/json.h"
#include "base/result.h"
#include "content/version.h"
#include "update/key.h"

enum pub_exit { PUB_YES = 0, PUB_NO = 1, PUB_UNKNOWN = 2 };

/*
 * X(SYMBOL, "name", days, offline): in the order in which drafts are made,
 * a delegator before what it delegates. Metadata calls CONTENT and DATA
 * content/PRODUCT and data/PRODUCT. days: until a new one expires.
 */
#define PUB_ROLE_TABLE(X)                                                     \
	X(ROOT, "root", 365, true)                                            \
	X(TARGETS, "targets", 365, true)                                      \
	X(CONTENT, "content", 90, true)                                       \
	X(DATA, "data", 30, false)                                            \
	X(GATE, "gate", 1, false)                                             \
	X(REVOKED, "revoked", 30, false)                                      \
	X(SNAPSHOT, "snapshot", 7, false)                                     \
	X(TIMESTAMP, "timestamp", 3, false)

enum pub_role {
#define PUB_ENUM(sym, name, days, offline) PUB_##sym,
	PUB_ROLE_TABLE(PUB_ENUM)
#undef PUB_ENUM
	PUB_ROLES
};

#define PUB_DRAFTS PUB_SNAPSHOT         /* roles below it have drafts */
#define PUB_BIT(role) (1u << (role))
#define PUB_ONLINE (PUB_BIT(PUB_DATA) | PUB_BIT(PUB_GATE) |                   \
		    PUB_BIT(PUB_REVOKED) | PUB_BIT(PUB_SNAPSHOT) |            \
		    PUB_BIT(PUB_TIMESTAMP))

#define PUB_ROLE_NAME (VERSION_NAME + 16u)
#define PUB_KEY_NAME 32u
#define PUB_KEYS 64u            /* in a workspace */
#define PUB_PASSPHRASES 16u     /* given on one command line */
#define PUB_PATH 512u
#define PUB_TIME 24u            /* "2026-11-25T12:00:00Z" */
#define PUB_METADATA (4u << 20) /* bytes of one metadata file */
#define PUB_STATE (8u << 20)    /* bytes of workspace.json */
#define PUB_SPEC "1.0.34"
#define PUB_FORMAT 1

/* A private key that was opened, for as long as the process runs. */
struct pub_opened {
	char name[PUB_KEY_NAME];
	struct key *key;
};

struct pub_secret {
	char text[KEY_PASSPHRASE];
	size_t length;
};

struct pub_doc {
	json_t *released;       /* what hosts see; null: nothing */
	json_t *draft;          /* null: none is needed */
};

struct publish {
	int dir, repository;    /* own; -1 */
	json_t *state;          /* own: workspace.json */
	char product[VERSION_NAME];
	int64_t now;
	struct pub_doc doc[PUB_ROLES];
	struct pub_opened opened[PUB_KEYS];
	size_t openeds;
	struct pub_secret secret[PUB_PASSPHRASES];
	size_t secrets;
};

/* ---- say.c: words to people ---- */

/* "bailey-publish: what is wrong; what to do". */
__attribute__((format(printf, 1, 2))) void pub_error(const char *format, ...);
__attribute__((format(printf, 1, 2))) void pub_say(const char *format, ...);
/* Flushes; an output that could not be written makes the code UNKNOWN. */
int pub_say_end(int code);
/* True after SIGINT, SIGTERM, SIGHUP: end where things are whole. */
bool pub_interrupted(void);
void pub_signals(void);
/* A line that is drawn over, on a terminal only. total 0 removes it. */
void pub_progress(const char *what, uint64_t done, uint64_t total);

/* ---- file.c: whole or not at all, and synced ---- */

/* -ENOENT, -EFBIG, -ELOOP (a link), -EBADMSG (no regular file). */
int pub_read(int dir, const char *path, size_t maximum, char **ret_bytes,
	     size_t *ret_length) must_use;
/* The file has these bytes or is as it was. */
int pub_replace(int dir, const char *path, const void *bytes, size_t length,
		uint32_t mode) must_use;
/* Copies a file, counting and hashing: fails with -EBADMSG if its length or
 * hash are not those of file. */
int pub_copy(int from_dir, const char *from, int to_dir, const char *to,
	     const struct version_file *file) must_use;
/* All folders on the way to path, and synced. */
int pub_folders(int dir, const char *path) must_use;
bool pub_exists(int dir, const char *path);
/* Removes dir/name and what is below. */
int pub_remove_tree(int dir, const char *name) must_use;
/* Length and hash of a regular file. */
int pub_measure(int dir, const char *path, uint64_t maximum,
		struct version_file *ret_file) must_use;

/* ---- workspace.c ---- */

/* Opens and locks; says what is wrong. 0 or an errno. */
int pub_open(struct publish *p, const char *folder) must_use;
void pub_close(struct publish *p);
int pub_init(const char *folder, const char *product, const char *repository)
	must_use;
/* Writes workspace.json. Says what is wrong. */
int pub_save(struct publish *p) must_use;

const char *pub_role_word(enum pub_role role);          /* "content" */
int pub_role_find(const char *word, enum pub_role *ret_role) must_use;
bool pub_role_offline(enum pub_role role);
/* As metadata calls it: "content/scan". */
void pub_role_name(const struct publish *p, enum pub_role role,
		   char ret_name[PUB_ROLE_NAME]);
/* {"keys":[names],"threshold":n,"seconds":n}; borrowed, changeable. */
json_t *pub_role_state(const struct publish *p, enum pub_role role);
/* The key object of a name; borrowed. Null: there is none. */
json_t *pub_key_state(const struct publish *p, const char *name);
/* The list of versions of a class; borrowed. */
json_t *pub_versions(const struct publish *p, enum version_class kind);
/* "code/17" or a hash; says what is wrong. ret_hash in hexadecimal. */
int pub_find_version(const struct publish *p, const char *word,
		     char ret_hash[VERSION_HEX], enum version_class *ret_kind,
		     uint64_t *ret_number) must_use;
void pub_time(int64_t seconds, char ret_text[PUB_TIME]);
/* Where a target's bytes are in the repository: targets/DIR/HASH.NAME. */
void pub_target_file(const char *target, const char *hex,
		     char ret_path[PUB_PATH]);

/* ---- secret.c: passphrases, private keys ---- */

int pub_secret_file(struct publish *p, const char *path) must_use;
int pub_secret_fd(struct publish *p, int fd) must_use;
/* From those given, else asked for (twice if it is a new one). */
int pub_secret_new(struct publish *p, const char *name,
		   struct pub_secret *ret_secret) must_use;
/* Another one for a key that is there: the first line of that file, or asked
 * for if it is null. */
int pub_secret_next(const char *name, const char *file,
		    struct pub_secret *ret_secret) must_use;
/* Opens a PEM text by the passphrases given, else asks. Says why not. */
int pub_secret_open(struct publish *p, const char *name, const char *pem,
		    size_t length, struct key **ret_key) must_use;
bool pub_has_private(const struct publish *p, const char *name);
/* The private key of that name: borrowed, kept until the end. */
int pub_private(struct publish *p, const char *name,
		const struct key **ret_key) must_use;
int pub_keep_private(struct publish *p, const char *name,
		     const struct key *key, const struct pub_secret *secret)
	must_use;

/* ---- meta.c: signed documents ---- */

/* The envelope's type and version are looked at, nothing else. */
int meta_read(const char *bytes, size_t length, json_t **ret_tree,
	      struct json_fault *fault) must_use;
/* The text as it is published; the caller's. */
char *meta_text(const json_t *tree, size_t *ret_length);
int64_t meta_version(const json_t *tree);
int64_t meta_expires(const json_t *tree);
/* Do both say the same, but for version, expiry and signatures? */
bool meta_same(const json_t *tree, const json_t *other);
/* A new envelope around body (taken over), without signatures. */
json_t *meta_new(json_t *body, const char *type, int64_t version,
		 int64_t expires);
/* The keys that `delegator` (an envelope: root, or targets) names for a role;
 * borrowed. -ENOENT: none. */
struct meta_keys {
	const json_t *keys;     /* id: object */
	const json_t *ids;
	int64_t threshold;
};
int meta_keys(const json_t *delegator, const char *role,
	      struct meta_keys *ret_keys) must_use;
/* How many different keys of these have signed it validly. -ENOMEM. */
int meta_count(const json_t *tree, const struct meta_keys *keys) must_use;
bool meta_enough(const json_t *tree, const struct meta_keys *keys);
/* Adds, or replaces, the signature under this id. */
int meta_sign(json_t *tree, const struct key *key, const char *id) must_use;
/* Takes a signature over if it is valid. 1 taken, 0 not, -ENOMEM. */
int meta_take(json_t *tree, const struct meta_keys *keys,
	      const json_t *signature) must_use;
bool meta_names(const struct meta_keys *keys, const char *id);

/* ---- body.c: what each role has to say ---- */

/* Null without memory. */
json_t *body_make(const struct publish *p, enum pub_role role);
/* Bytes of a target of which workspace.json holds the content: policy, lease,
 * list of revocations; the caller's. Null: there is none, or no memory. */
char *body_target(const struct publish *p, enum pub_role role,
		  char ret_path[VERSION_TARGET], size_t *ret_length);
const char *body_type(enum pub_role role);      /* its _type */
bool body_wanted(const struct publish *p, enum pub_role role);
enum pub_role body_delegator(enum pub_role role);

/* ---- draft.c ---- */

/* Reads what is released and the drafts, makes the latter anew where needed.
 * renew: bits of roles that get a new draft in any case; seconds: how long it
 * lasts, 0: as the role does. Says what is wrong. */
int draft_refresh(struct publish *p, uint32_t renew, int64_t seconds) must_use;
int draft_save(struct publish *p, enum pub_role role) must_use;
/* Draft, or else what is released; null. Borrowed. */
const json_t *draft_current(const struct publish *p, enum pub_role role);
/* Groups of keys of which each must have signed enough: the wanted delegator's
 * and, for a top-level role under a new root, the released root's. */
#define DRAFT_GROUPS 2u
size_t draft_groups(const struct publish *p, enum pub_role role,
		    struct meta_keys ret_groups[DRAFT_GROUPS]);
/* Enough signatures of each group? */
bool draft_signed(const struct publish *p, enum pub_role role,
		  const json_t *tree);
/* Signs by private keys that are here until each group has enough; ret_count:
 * new signatures. Says what goes wrong. */
int draft_sign(struct publish *p, json_t *tree, const struct meta_keys *groups,
	       size_t count, size_t *ret_count) must_use;
/* Whose signatures are still missing, for people. */
void draft_missing(const struct publish *p, enum pub_role role, char *ret_text,
		   size_t size);
/* The released file of a role, below metadata/. */
void draft_file(const struct publish *p, enum pub_role role, int64_t version,
		char *ret_path, size_t size);

/* ---- stage.c, preflight.c, release.c ---- */

struct stage_options {
	const char *folder;
	const char *corpus, *cases, *events;    /* may be null */
	struct version about;                   /* all but the lists */
};
/* Copies a folder to staged/ and lists the version. Says what is wrong. */
int stage_add(struct publish *p, const struct stage_options *options) must_use;

/* Runs the program, unless a record says that this version passed.
 * PUB_YES, PUB_NO, PUB_UNKNOWN; says why. */
int preflight_pass(struct publish *p, const char *hash, const char *baseline,
		   const char *program, const char *manifest);

struct release_options {
	uint32_t roles;                 /* bits: which drafts */
	const char *program, *manifest; /* of the preflight; may be null */
	bool without_old_keys;          /* those are lost */
	int64_t seconds;                /* life of a snapshot and timestamp
					 * that are among roles; 0: usual */
};
/* PUB_YES, PUB_NO (refused), PUB_UNKNOWN; says why. */
int release_run(struct publish *p, const struct release_options *options);

/* ---- check.c ---- */

/* The result as a JSON object, the caller's; null without memory. */
json_t *check_repository(struct publish *p);

/* ---- option.c ---- */

struct pub_option {
	const char *name;       /* without the dashes; null ends the table */
	const char *argument;   /* null: a flag */
	bool repeat;
	const char *help;
};

#define PUB_SET 128u

struct pub_args {
	const struct pub_command *command;
	unsigned count;
	struct {
		const struct pub_option *option;
		const char *value;
	} set[PUB_SET];
	int operand_count;
	char **operand;         /* borrowed from argv */
};

struct pub_command {
	const char *name, *synopsis, *summary, *help;
	const struct pub_option *options;
	int operand_min, operand_max;
	bool alone;             /* without a workspace */
	int (*run)(struct publish *p, const struct pub_args *args);
};

/* X(symbol): the variable is pub_cmd_SYMBOL, in cmd_SYMBOL.c */
#define PUB_COMMAND_TABLE(X)                                                  \
	X(init)                                                               \
	X(key)                                                                \
	X(add)                                                                \
	X(policy)                                                             \
	X(sign)                                                               \
	X(release)                                                            \
	X(gate)                                                               \
	X(revoke)                                                             \
	X(expire)                                                             \
	X(prune)                                                              \
	X(check)

#define PUB_DECLARE(symbol) extern const struct pub_command pub_cmd_##symbol;
PUB_COMMAND_TABLE(PUB_DECLARE)
#undef PUB_DECLARE

int pub_main(int argc, char **argv);
bool pub_has(const struct pub_args *args, const char *name);
/* The n-th value of an option, or null. */
const char *pub_value(const struct pub_args *args, const char *name,
		      unsigned n);
/* A number, a duration: *number stays if the option is not given. Says what is
 * wrong. 0, -EINVAL. */
int pub_number(const struct pub_args *args, const char *name, uint64_t low,
	       uint64_t high, uint64_t *number) must_use;
int pub_duration(const struct pub_args *args, const char *name, uint64_t low,
		 uint64_t high, uint64_t *seconds) must_use;

#endif
