/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_key.c - whose signatures count for what */
#include "publish/publish.h"

#include <fcntl.h>
#include <string.h>

#include <openssl/crypto.h>

static bool name_good(const char *name)
{
	return strlen(name) < PUB_KEY_NAME && version_path_good(name) &&
	       !strchr(name, '/') && name[0] != '.';
}

static size_t role_has(const json_t *names, const char *name)
{
	for (size_t i = 0; i < json_array_size(names); i++) {
		const char *each = json_string_value(json_array_get(names,
								    i));

		if (each && strcmp(each, name) == 0) {
			return i + 1;
		}
	}
	return 0;
}

static json_t *role_names(struct publish *p, enum pub_role role)
{
	return json_object_get(pub_role_state(p, role), "keys");
}

/* Gives the key the roles of --role and of the operands from `first` on. */
static int assign(struct publish *p, const struct pub_args *args, int first,
		  const char *name)
{
	const char *word;
	enum pub_role role;
	int r = 0;

	for (unsigned i = 0; r == 0 && (word = pub_value(args, "role", i));
	     i++) {
		r = pub_role_find(word, &role);
		if (r == 0 && !role_has(role_names(p, role), name)) {
			r = json_array_append_new(role_names(p, role),
						  json_string(name));
		}
	}
	for (int i = first; r == 0 && i < args->operand_count; i++) {
		r = pub_role_find(args->operand[i], &role);
		if (r == 0 && !role_has(role_names(p, role), name)) {
			r = json_array_append_new(role_names(p, role),
						  json_string(name));
		}
	}
	return r;
}

/* The same key under two names would count as two people. */
static int check_new(struct publish *p, const char *name,
		     const struct key *key)
{
	json_t *all = json_object_get(p->state, "keys"), *object;
	struct json_fault fault;
	const char *other;

	json_object_foreach(all, other, object) {
		struct json_at at = { .value = object, .fault = &fault };
		cleanup_key struct key *its = NULL;

		if (strcmp(other, name) != 0 && key_parse(&at, &its) == 0 &&
		    key_same(its, key)) {
			pub_error("this is the key that is called %s already",
				  other);
			return -EEXIST;
		}
	}
	return 0;
}

static int check_name(struct publish *p, const char *name)
{
	if (!name_good(name)) {
		pub_error("\"%s\" is no name for a key: letters, digits, "
			  "._-, at most 31", name);
		return -EINVAL;
	}
	if (pub_key_state(p, name)) {
		pub_error("there is a key %s already; choose another name, "
			  "or rotate it", name);
		return -EEXIST;
	}
	if (json_object_size(json_object_get(p->state, "keys")) == PUB_KEYS) {
		pub_error("more than %u keys; drop some", PUB_KEYS);
		return -E2BIG;
	}
	return 0;
}

/* Keeps the key, private part first: a key that is listed is there. */
static int keep(struct publish *p, const char *name, const struct key *key)
{
	struct pub_secret secret;
	int r = check_new(p, name, key);

	if (r == 0 && key_is_private(key)) {
		r = pub_secret_new(p, name, &secret);
		r = r ? r : pub_keep_private(p, name, key, &secret);
		OPENSSL_cleanse(&secret, sizeof(secret));
	}
	if (r == 0 &&
	    json_object_set_new(json_object_get(p->state, "keys"), name,
				json_deep_copy(key_object(key))) < 0) {
		r = -ENOMEM;
	}
	return r;
}

static int generate(struct publish *p, const struct pub_args *args,
		    const char *name, struct key **ret_key)
{
	const char *word = pub_value(args, "kind", 0);
	enum key_kind kind = KEY_ED25519;
	int r = check_name(p, name);

	if (r == 0 && word && key_kind_find(word, &kind) < 0) {
		pub_error("--kind %s: write ed25519, ecdsa or rsa", word);
		r = -EINVAL;
	}
	r = r ? r : key_generate(kind, ret_key);
	return r ? r : keep(p, name, *ret_key);
}

static int do_generate(struct publish *p, const struct pub_args *args)
{
	cleanup_key struct key *key = NULL;
	const char *name = args->operand[1];
	int r = generate(p, args, name, &key);

	r = r ? r : assign(p, args, 2, name);
	r = r ? r : pub_save(p);
	if (r == 0) {
		pub_say("%s %s %s\n", name, key_kind_name(key_kind(key)),
			key_id(key));
	}
	return r;
}

static int read_any(struct publish *p, const char *name, const char *path,
		    struct key **ret_key)
{
	size_t length;
	char *pem;
	int r = pub_read(AT_FDCWD, path, KEY_PEM, &pem, &length);

	if (r < 0) {
		pub_error("cannot read %s: %s", path, strerror(-r));
		return r;
	}
	r = key_read_public(pem, length, ret_key);
	if (r) {
		r = pub_secret_open(p, name, pem, length, ret_key);
	}
	key_pem_free(pem, length);
	return r;
}

static int do_import(struct publish *p, const struct pub_args *args)
{
	cleanup_key struct key *key = NULL;
	const char *name = args->operand[1];
	int r = check_name(p, name);

	if (r == 0 && args->operand_count < 3) {
		pub_error("write: bailey publish key import NAME FILE [ROLE]");
		r = -EINVAL;
	}
	r = r ? r : read_any(p, name, args->operand[2], &key);
	r = r ? r : keep(p, name, key);
	r = r ? r : assign(p, args, 3, name);
	r = r ? r : pub_save(p);
	if (r == 0) {
		pub_say("%s %s %s%s\n", name, key_kind_name(key_kind(key)),
			key_id(key), key_is_private(key) ? ""
			: " (public part only; its holder signs elsewhere)");
	}
	return r;
}

static int need_key(struct publish *p, const char *name)
{
	if (!pub_key_state(p, name)) {
		pub_error("there is no key %s; bailey publish key list shows "
			  "them", name);
		return -ENOENT;
	}
	return 0;
}

static int do_assign(struct publish *p, const struct pub_args *args)
{
	int r = need_key(p, args->operand[1]);

	r = r ? r : assign(p, args, 2, args->operand[1]);
	return r ? r : pub_save(p);
}

static int do_drop(struct publish *p, const struct pub_args *args)
{
	const char *name = args->operand[1];
	bool all = args->operand_count == 2;
	int r = need_key(p, name);

	for (int i = 0; r == 0 && i < PUB_ROLES; i++) {
		enum pub_role role = (enum pub_role)i;
		size_t at = role_has(role_names(p, role), name);
		bool asked = all;

		for (int k = 2; k < args->operand_count; k++) {
			asked |= strcmp(args->operand[k],
					pub_role_word(role)) == 0;
		}
		if (at && asked) {
			r = json_array_remove(role_names(p, role), at - 1);
		}
	}
	for (int k = 2; r == 0 && k < args->operand_count; k++) {
		enum pub_role role;

		r = pub_role_find(args->operand[k], &role);
	}
	return r ? r : pub_save(p);
}

/* NEW stands where OLD stood, in every role at once. */
static int do_rotate(struct publish *p, const struct pub_args *args)
{
	cleanup_key struct key *key = NULL;
	const char *old = args->operand[1];
	const char *new = args->operand_count > 2 ? args->operand[2] : NULL;
	int r = need_key(p, old);

	if (r == 0 && !new) {
		pub_error("write: bailey publish key rotate OLD NEW");
		r = -EINVAL;
	}
	if (r == 0 && !pub_key_state(p, new)) {
		r = generate(p, args, new, &key);
	}
	for (int i = 0; r == 0 && i < PUB_ROLES; i++) {
		json_t *names = role_names(p, (enum pub_role)i);
		size_t at = role_has(names, old);

		if (at && role_has(names, new)) {
			r = json_array_remove(names, at - 1);
		} else if (at) {
			r = json_array_set_new(names, at - 1,
					       json_string(new));
		}
	}
	return r ? r : pub_save(p);
}

/* The file is the old one or the new one, whatever happens meanwhile. */
static int do_passphrase(struct publish *p, const struct pub_args *args)
{
	const char *name = args->operand[1];
	struct pub_secret secret = { .length = 0 };
	const struct key *key;
	int r = need_key(p, name);

	if (r == 0 && !pub_has_private(p, name)) {
		pub_error("the private key of %s is not here; its holder "
			  "changes it", name);
		r = -ENOENT;
	}
	r = r ? r : pub_private(p, name, &key);
	r = r ? r : pub_secret_next(name,
				    pub_value(args, "new-passphrase-file", 0),
				    &secret);
	r = r ? r : pub_keep_private(p, name, key, &secret);
	OPENSSL_cleanse(&secret, sizeof(secret));
	return r;
}

static int do_threshold(struct publish *p, const struct pub_args *args)
{
	const char *word = args->operand_count > 2 ? args->operand[2] : "";
	enum pub_role role;
	long n = strtol(word, NULL, 10);
	int r = pub_role_find(args->operand[1], &role);

	if (r == 0 && (n < 1 || n > (long)PUB_KEYS || strlen(word) > 2)) {
		pub_error("write: bailey publish key threshold ROLE N, N from "
			  "1 to %u", PUB_KEYS);
		r = -EINVAL;
	}
	if (r == 0) {
		r = json_object_set_new(pub_role_state(p, role), "threshold",
					json_integer(n));
	}
	return r ? r : pub_save(p);
}

static void list_roles(struct publish *p, const char *name)
{
	for (int i = 0; i < PUB_ROLES; i++) {
		if (role_has(role_names(p, (enum pub_role)i), name)) {
			pub_say(" %s", pub_role_word((enum pub_role)i));
		}
	}
}

static int do_list(struct publish *p, const struct pub_args *args)
{
	json_t *all = json_object_get(p->state, "keys"), *object;
	const char *name;
	char id[KEY_ID];

	(void)args;
	json_object_foreach(all, name, object) {
		if (key_object_id(object, id) == 0) {
			pub_say("%-12s %.16s %s ", name, id,
				pub_has_private(p, name) ? "private"
							 : "public ");
			list_roles(p, name);
			pub_say("\n");
		}
	}
	for (int i = 0; i < PUB_ROLES; i++) {
		json_t *state = pub_role_state(p, (enum pub_role)i);

		pub_say("%-12s %lld of %zu\n",
			pub_role_word((enum pub_role)i),
			(long long)json_integer_value(
				json_object_get(state, "threshold")),
			json_array_size(json_object_get(state, "keys")));
	}
	return 0;
}

static int key_run(struct publish *p, const struct pub_args *args)
{
	static const struct {
		const char *word;
		int operands;
		int (*act)(struct publish *p, const struct pub_args *args);
	} table[] = {
		{ "list", 1, do_list }, { "generate", 2, do_generate },
		{ "import", 2, do_import }, { "assign", 2, do_assign },
		{ "drop", 2, do_drop }, { "rotate", 2, do_rotate },
		{ "threshold", 2, do_threshold },
		{ "passphrase", 2, do_passphrase },
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		if (strcmp(table[i].word, args->operand[0]) == 0 &&
		    args->operand_count >= table[i].operands) {
			int r = table[i].act(p, args);

			r = r || i == 0 ? r : draft_refresh(p, 0, 0);
			return r ? PUB_UNKNOWN : PUB_YES;
		}
	}
	pub_error("write: bailey publish key %s", args->command->synopsis);
	return PUB_UNKNOWN;
}

static const struct pub_option options[] = {
	{ "kind", "KIND", false,
	  "of one that is made: ed25519 (default), ecdsa, rsa" },
	{ "new-passphrase-file", "FILE", false,
	  "with passphrase: the new one is its first line" },
	{ "role", "ROLE", true, "a role whose metadata it signs" },
	{ NULL, NULL, false, NULL }
};

const struct pub_command pub_cmd_key = {
	.name = "key",
	.synopsis = "list | generate NAME [ROLE]... | import NAME FILE "
		    "[ROLE]... |\n"
		    "    assign NAME ROLE... | drop NAME [ROLE]... | "
		    "rotate OLD NEW | threshold ROLE N |\n"
		    "    passphrase NAME",
	.summary = "make, import and exchange keys; say how many must sign",
	.help = "Roles: root targets content (offline, by several people), "
		"data gate revoked\nsnapshot timestamp (online). An imported "
		"public key is one whose holder signs on\nanother machine. "
		"What changes takes effect with sign and release.\n"
		"Exit code: 0 done, 2 not done.\n",
	.options = options,
	.operand_min = 1,
	.operand_max = 12,
	.run = key_run,
};
