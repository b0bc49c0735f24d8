/* SPDX-License-Identifier: Apache-2.0 */
/* workspace.c - the folder, and workspace.json: what is wanted */
#include "publish/publish.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>

#include <openssl/crypto.h>

#include "base/text.h"

#define FILE_STATE "workspace.json"

#define ROLE_ROW(sym, name, days, offline) { name, days, offline },
static const struct {
	const char *word;
	int days;
	bool offline;
} roles[] = { PUB_ROLE_TABLE(ROLE_ROW) };

const char *pub_role_word(enum pub_role role)
{
	return roles[role].word;
}

bool pub_role_offline(enum pub_role role)
{
	return roles[role].offline;
}

int pub_role_find(const char *word, enum pub_role *ret_role)
{
	for (int i = 0; i < PUB_ROLES; i++) {
		if (strcmp(roles[i].word, word) == 0) {
			*ret_role = (enum pub_role)i;
			return 0;
		}
	}
	pub_error("there is no role \"%s\"; roles are root, targets, content, "
		  "data, gate, revoked, snapshot, timestamp", word);
	return -ENOENT;
}

void pub_role_name(const struct publish *p, enum pub_role role,
		   char ret_name[PUB_ROLE_NAME])
{
	bool own = role == PUB_CONTENT || role == PUB_DATA;

	text_format(ret_name, PUB_ROLE_NAME, "%s%s%s", roles[role].word,
		    own ? "/" : "", own ? p->product : "");
}

json_t *pub_role_state(const struct publish *p, enum pub_role role)
{
	return json_object_get(json_object_get(p->state, "roles"),
			       roles[role].word);
}

json_t *pub_key_state(const struct publish *p, const char *name)
{
	return json_object_get(json_object_get(p->state, "keys"), name);
}

json_t *pub_versions(const struct publish *p, enum version_class kind)
{
	return json_object_get(json_object_get(p->state, "versions"),
			       version_class_name(kind));
}

void pub_time(int64_t seconds, char ret_text[PUB_TIME])
{
	time_t t = (time_t)seconds;
	struct tm tm;

	if (!gmtime_r(&t, &tm) ||
	    !strftime(ret_text, PUB_TIME, "%Y-%m-%dT%H:%M:%SZ", &tm)) {
		text_format(ret_text, PUB_TIME, "?");
	}
}

void pub_target_file(const char *target, const char *hex,
		     char ret_path[PUB_PATH])
{
	const char *slash = strrchr(target, '/');
	const char *name = slash ? slash + 1 : target;

	text_format(ret_path, PUB_PATH, "targets/%.*s%s.%s",
		    (int)(name - target), target, hex, name);
}

int pub_find_version(const struct publish *p, const char *word,
		     char ret_hash[VERSION_HEX], enum version_class *ret_kind,
		     uint64_t *ret_number)
{
	char name[VERSION_TARGET];

	for (int kind = 0; kind < 2; kind++) {
		const json_t *list = pub_versions(p, (enum version_class)kind);

		for (size_t i = 0; i < json_array_size(list); i++) {
			const json_t *v = json_array_get(list, i);
			const char *hash = json_string_value(
				json_object_get(v, "hash"));
			json_int_t number = json_integer_value(
				json_object_get(v, "number"));

			snprintf(name, sizeof(name), "%s/%lld",
				 version_class_name((enum version_class)kind),
				 (long long)number);
			if (strcmp(name, word) == 0 ||
			    strcmp(hash, word) == 0) {
				memcpy(ret_hash, hash, VERSION_HEX);
				*ret_kind = (enum version_class)kind;
				*ret_number = (uint64_t)number;
				return 0;
			}
		}
	}
	pub_error("there is no version %s; name it as code/17, data/17 or by "
		  "its hash", word);
	return -ENOENT;
}

/* ---- the file ---- */

static int check_key(const struct json_at *member)
{
	cleanup_key struct key *key = NULL;
	int r = key_parse(member, &key);

	return r == KEY_UNSUPPORTED
		? json_refuse(member, NULL, "a kind of key that is not known")
		: r;
}

static int check_role(const struct publish *p, const struct json_at *all,
		      enum pub_role role)
{
	struct json_at at, names;
	const char *name;
	size_t count;
	int64_t number;
	int r = json_member(all, roles[role].word, &at);

	r = r ? r : json_int(&at, "threshold", 1, PUB_KEYS, &number);
	r = r ? r : json_int(&at, "seconds", 1, INT32_MAX, &number);
	r = r ? r : json_list(&at, "keys", PUB_KEYS, &names, &count);
	for (size_t i = 0; r == 0 && i < count; i++) {
		r = json_element_text(&names, i, PUB_KEY_NAME, &name);
		if (r == 0 && !pub_key_state(p, name)) {
			r = json_refuse(&names, NULL, "no key %s", name);
		}
	}
	return r;
}

static int check_versions(const struct json_at *top, const char *class)
{
	struct json_at all, list, at;
	uint8_t hash[VERSION_HASH];
	size_t count;
	int64_t number;
	int r = json_member(top, "versions", &all);

	r = r ? r : json_list(&all, class, 1u << 20, &list, &count);
	for (size_t i = 0; r == 0 && i < count; i++) {
		r = json_element(&list, i, &at);
		r = r ? r : json_int(&at, "number", 1, INT64_MAX, &number);
		r = r ? r : json_int(&at, "length", 1, VERSION_BYTES, &number);
		r = r ? r : json_hex(&at, "hash", hash, sizeof(hash));
	}
	return r;
}

/* It is our own file, and still is checked: hands may have been at it. */
static int check_state(struct publish *p, const struct json_at *top)
{
	struct json_at keys, all, key;
	const char *product;
	void *iterator = NULL;
	int64_t format;
	int r = json_int(top, "format", PUB_FORMAT, PUB_FORMAT, &format);

	r = r ? r : json_text(top, "product", VERSION_NAME - 1, &product);
	r = r ? r : json_member(top, "keys", &keys);
	r = r ? r : json_all_objects(&keys, PUB_KEYS);
	r = r ? r : json_member(top, "roles", &all);
	if (r == 0 && !version_product_good(product)) {
		r = json_refuse(top, "product", "not a product's name");
	}
	while (r == 0 && json_next(&keys, &iterator, &key)) {
		r = check_key(&key);
	}
	for (int role = 0; r == 0 && role < PUB_ROLES; role++) {
		r = check_role(p, &all, (enum pub_role)role);
	}
	r = r ? r : check_versions(top, "code");
	r = r ? r : check_versions(top, "data");
	if (r == 0) {
		text_format(p->product, sizeof(p->product), "%s", product);
	}
	return r;
}

static int load(struct publish *p, const char *folder)
{
	struct json_fault fault = { "" };
	cleanup_free char *bytes = NULL;
	struct json_at top;
	size_t length;
	int r = pub_read(p->dir, FILE_STATE, PUB_STATE, &bytes, &length);

	if (r == -ENOENT) {
		pub_error("%s is not a workspace; make one: bailey publish "
			  "init --product NAME DIR", folder);
		return r;
	}
	if (r == 0) {
		r = json_read(bytes, length, PUB_STATE, &p->state, &top,
			      &fault);
		r = r ? r : check_state(p, &top);
	}
	if (r < 0) {
		pub_error("%s/" FILE_STATE ": %s; restore it from a copy",
			  folder, fault.text[0] ? fault.text : strerror(-r));
	}
	return r;
}

static int open_repository(struct publish *p)
{
	const char *path = json_string_value(
		json_object_get(p->state, "repository"));

	path = path ? path : "repository";
	p->repository = openat(p->dir, path, O_RDONLY | O_DIRECTORY |
			       O_CLOEXEC);
	if (p->repository < 0) {
		pub_error("cannot open the repository %s: %s; it is named in "
			  FILE_STATE, path, strerror(errno));
		return result_errno();
	}
	return 0;
}

int pub_open(struct publish *p, const char *folder)
{
	int r;

	p->dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (p->dir < 0) {
		pub_error("cannot open %s: %s; give the workspace with "
			  "--workspace DIR", folder, strerror(errno));
		return result_errno();
	}
	if (flock(p->dir, LOCK_EX | LOCK_NB) < 0) {
		pub_error("another bailey-publish works in %s; wait for its "
			  "end", folder);
		return result_errno();
	}
	r = load(p, folder);
	return r ? r : open_repository(p);
}

void pub_close(struct publish *p)
{
	for (int i = 0; i < PUB_ROLES; i++) {
		json_decref(p->doc[i].released);
		json_decref(p->doc[i].draft);
	}
	for (size_t i = 0; i < p->openeds; i++) {
		key_free(p->opened[i].key);
	}
	OPENSSL_cleanse(p->secret, sizeof(p->secret));
	json_decref(p->state);
	fd_closep(&p->dir);
	fd_closep(&p->repository);
}

int pub_save(struct publish *p)
{
	char *text = json_dumps(p->state, JSON_INDENT(1));
	int r = text ? pub_replace(p->dir, FILE_STATE, text, strlen(text),
				   0600) : -ENOMEM;

	free(text);
	if (r < 0) {
		pub_error("cannot write " FILE_STATE ": %s; what is published "
			  "is unchanged", strerror(-r));
	}
	return r;
}

/* ---- a new one ---- */

static json_t *new_roles(void)
{
	json_t *all = json_object();

	for (int i = 0; all && i < PUB_ROLES; i++) {
		if (json_object_set_new(
			    all, roles[i].word,
			    json_pack("{s:[],s:i,s:i}", "keys", "threshold", 1,
				      "seconds", roles[i].days * 86400)) < 0) {
			json_decref(all);
			return NULL;
		}
	}
	return all;
}

static int make_folder(int dir, const char *name, mode_t mode)
{
	if (mkdirat(dir, name, mode) < 0 && errno != EEXIST) {
		pub_error("cannot make %s: %s; give another folder", name,
			  strerror(errno));
		return result_errno();
	}
	return 0;
}

static int make_repository(int dir)
{
	int r = make_folder(dir, "metadata", 0755);

	r = r ? r : make_folder(dir, "targets", 0755);
	r = r ? r : make_folder(dir, "targets/blob", 0755);
	if (r == 0 && fsync(dir) < 0) {
		r = result_errno();
	}
	return r;
}

int pub_init(const char *folder, const char *product, const char *repository)
{
	struct publish p = { .dir = -1, .repository = -1 };
	/* a web server's user passes through it to the repository, and sees
	 * nothing on the way */
	int r = make_folder(AT_FDCWD, folder, 0711);

	if (r == 0) {
		p.dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	}
	if (p.dir >= 0 && pub_exists(p.dir, FILE_STATE)) {
		pub_error("%s is a workspace already", folder);
		r = -EEXIST;
	}
	r = r ? r : p.dir < 0 ? result_errno() : 0;
	r = r ? r : make_folder(p.dir, "keys", 0700);
	r = r ? r : make_folder(p.dir, "staged", 0700);
	r = r ? r : make_folder(p.dir, "drafts", 0700);
	r = r ? r : make_folder(p.dir, repository, 0755);
	p.state = json_pack("{s:i,s:s,s:s,s:{},s:o,s:{s:[],s:[]},"
			    "s:{s:i,s:[],s:[]}}", "format", PUB_FORMAT,
			    "product", product, "repository", repository,
			    "keys", "roles", new_roles(), "versions", "code",
			    "data", "revoked", "format", 1, "hashes",
			    "lifted");
	r = r ? r : p.state ? open_repository(&p) : -ENOMEM;
	r = r ? r : make_repository(p.repository);
	r = r ? r : pub_save(&p);
	pub_close(&p);
	return r;
}
