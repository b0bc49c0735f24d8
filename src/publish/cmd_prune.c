/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cmd_prune.c - descriptions, blobs and staged versions that nothing names
 *
 * What goes is what no metadata file in the repository names, neither the
 * newest nor an older one that is still there, nor any version that is wanted.
 * And not at once: a host, or a mirror, may go on from an older timestamp until
 * that ends. So a run first writes down since when it saw a file unnamed
 * (prune.json); a later one removes what stayed so for longer than `keep`,
 * which is never less than a timestamp lasts. A release that names a file again
 * renews its time of change; a note that is older than that says nothing. If
 * anything that names files cannot be read, nothing is removed.
 *
 * A cut leaves a list that is true and some files more; the next run goes on.
 */
#include "publish/publish.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/text.h"

#define FILE_SINCE "prune.json"
#define SINCE_BYTES (16u << 20)
#define SINCE_MOST 65536u       /* files that wait; others are seen next time */
#define KEEP_S (7 * 86400)

struct prune {
	struct publish *p;
	int64_t keep;
	bool dry;
	json_t *named;          /* own; a set: paths below repository */
	json_t *staged;         /* own; a set: folders below staged/ */
	json_t *since;          /* own; path: seconds, by the last run */
	json_t *waits, *due;    /* own; the same, of this run */
	uint64_t removed, bytes, folders;
};

static int put(json_t *set, const char *key, int64_t value)
{
	return json_object_set_new(set, key, json_integer(value)) < 0
		? -ENOMEM : 0;
}

/* ---- what is named ---- */

static int name_blob(struct prune *x, const struct version_file *file)
{
	char path[PUB_PATH], hex[VERSION_HEX];

	version_hex(file->sha256, hex);
	text_format(path, sizeof(path), "targets/blob/%s", hex);
	return put(x->named, path, 1);
}

/* All that a description needs; it is read from dir/path. */
static int name_blobs(struct prune *x, int dir, const char *path)
{
	cleanup_version struct version *v = NULL;
	struct json_fault fault = { "" };
	cleanup_free char *bytes = NULL;
	size_t length;
	int r = pub_read(dir, path, VERSION_BYTES, &bytes, &length);

	r = r ? r : version_parse(bytes, length, &v, &fault);
	if (r < 0) {
		pub_error("cannot tell what %s needs: %s; nothing is removed",
			  path, fault.text[0] ? fault.text : strerror(-r));
		return r;
	}
	for (size_t i = 0; r == 0 && i < v->files; i++) {
		r = name_blob(x, &v->file[i]);
	}
	for (size_t i = 0; r == 0 && i < v->cases; i++) {
		r = name_blob(x, &v->corpus[i].file);
	}
	return r == 0 && v->has_events ? name_blob(x, &v->events) : r;
}

/* What a signed document of the repository names, and what that needs. */
static int name_targets(struct prune *x, const json_t *doc)
{
	json_t *all = json_object_get(json_object_get(doc, "signed"),
				      "targets");
	const char *target;
	json_t *entry;
	int r = 0;

	json_object_foreach(all, target, entry) {
		const char *hash = json_string_value(json_object_get(
			json_object_get(entry, "hashes"), "sha256"));
		char path[PUB_PATH], product[VERSION_NAME];
		enum version_class kind;
		uint64_t number;

		pub_target_file(target, hash ? hash : "", path);
		if (r == 0 && !json_object_get(x->named, path) &&
		    version_target_parse(target, product, &kind,
					 &number) == 0) {
			r = name_blobs(x, x->p->repository, path);
			r = r || !hash ? r : put(x->staged, hash, 1);
		}
		r = r ? r : put(x->named, path, 1);
	}
	return r;
}

/* Is it metadata of role, of any version? */
static bool is_of(const struct prune *x, enum pub_role role, const char *name)
{
	char want[PUB_PATH];

	draft_file(x->p, role, strtoll(name, NULL, 10), want, sizeof(want));
	return strcmp(want + strlen("metadata/"), name) == 0;
}

static int name_by_metadata(struct prune *x, const char *name)
{
	cleanup_json_tree json_t *doc = NULL;
	struct json_fault fault = { "" };
	cleanup_free char *bytes = NULL;
	char path[PUB_PATH];
	size_t length;
	int r;

	text_format(path, sizeof(path), "metadata/%s", name);
	r = pub_read(x->p->repository, path, PUB_METADATA, &bytes, &length);
	r = r ? r : meta_read(bytes, length, &doc, &fault);
	if (r < 0) {
		pub_error("cannot tell what %s names: %s; nothing is removed",
			  path, fault.text[0] ? fault.text : strerror(-r));
		return r;
	}
	return name_targets(x, doc);
}

static int name_by_repository(struct prune *x)
{
	int fd = openat(x->p->repository, "metadata",
			O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *folder = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	int r = 0;

	if (!folder) {
		r = result_errno();
		fd_closep(&fd);
		pub_error("cannot open metadata: %s", strerror(-r));
		return r;
	}
	while (r == 0 && (entry = readdir(folder))) {
		if (is_of(x, PUB_CONTENT, entry->d_name) ||
		    is_of(x, PUB_DATA, entry->d_name)) {
			r = pub_interrupted() ? -EINTR
				: name_by_metadata(x, entry->d_name);
		}
	}
	closedir(folder);
	return r;
}

/* What is wanted and perhaps not released yet, or only half. */
static int name_by_workspace(struct prune *x)
{
	int r = 0;

	for (int kind = 0; kind < 2; kind++) {
		const json_t *list = pub_versions(x->p,
						  (enum version_class)kind);

		for (size_t i = 0; r == 0 && i < json_array_size(list); i++) {
			const json_t *v = json_array_get(list, i);
			const char *hash = json_string_value(
				json_object_get(v, "hash"));
			char target[VERSION_TARGET], path[PUB_PATH];

			version_target(x->p->product, (enum version_class)kind,
				       (uint64_t)json_integer_value(
					       json_object_get(v, "number")),
				       target);
			pub_target_file(target, hash, path);
			r = put(x->named, path, 1);
			r = r ? r : put(x->staged, hash, 1);
			text_format(path, sizeof(path),
				    "staged/%s/version.json", hash);
			r = r ? r : name_blobs(x, x->p->dir, path);
		}
	}
	for (int i = 0; r == 0 && i < PUB_DRAFTS; i++) {
		char target[VERSION_TARGET], path[PUB_PATH], hex[VERSION_HEX];
		uint8_t hash[VERSION_HASH];
		size_t length;
		cleanup_free char *text = body_target(x->p, (enum pub_role)i,
						      target, &length);

		if (text) {
			version_hash(text, length, hash);
			version_hex(hash, hex);
			pub_target_file(target, hex, path);
			r = put(x->named, path, 1);
		}
	}
	return r;
}

/* ---- what is not ---- */

/* HASH or HASH.NAME: ours, under its final name. */
static bool is_hashed(const char *name)
{
	uint8_t hash[VERSION_HASH];
	char hex[VERSION_HEX];

	text_format(hex, sizeof(hex), "%.*s", (int)VERSION_HEX - 1, name);
	return strlen(name) >= VERSION_HEX - 1 &&
	       (name[VERSION_HEX - 1] == '\0' ||
		name[VERSION_HEX - 1] == '.') &&
	       version_unhex(hex, hash) == 0;
}

/* Counts from now if it is seen for the first time, or was published since it
 * was noted, or if the clock went back. */
static int note(struct prune *x, const char *path, int64_t published)
{
	const json_t *known = json_object_get(x->since, path);
	int64_t now = x->p->now, since = json_integer_value(known);

	if (!known || since <= published || since > now) {
		since = now;
	}
	if (since < now && now - since >= x->keep) {
		return put(x->due, path, since);
	}
	return json_object_size(x->waits) < SINCE_MOST
		? put(x->waits, path, since) : 0;
}

static int look_in(struct prune *x, const char *where)
{
	int fd = openat(x->p->repository, where,
			O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *folder = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	int r = 0;

	if (!folder) {
		fd_closep(&fd);
		return errno == ENOENT ? 0 : result_errno();
	}
	while (r == 0 && (entry = readdir(folder))) {
		char path[PUB_PATH];
		struct stat status;

		text_format(path, sizeof(path), "%s/%s", where, entry->d_name);
		if (is_hashed(entry->d_name) &&
		    !json_object_get(x->named, path) &&
		    fstatat(dirfd(folder), entry->d_name, &status,
			    AT_SYMLINK_NOFOLLOW) == 0) {
			r = note(x, path, status.st_mtime);
		}
	}
	closedir(folder);
	return r;
}

static int look(struct prune *x)
{
	static const char *const below[] = { "", "/code", "/data" };
	char where[PUB_PATH];
	int r = look_in(x, "targets/blob");

	for (size_t i = 0; r == 0 && i < sizeof(below) / sizeof(below[0]);
	     i++) {
		text_format(where, sizeof(where), "targets/content/%s%s",
			    x->p->product, below[i]);
		r = look_in(x, where);
	}
	return r;
}

static void load_since(struct prune *x)
{
	cleanup_json_tree json_t *tree = NULL;
	cleanup_free char *bytes = NULL;
	size_t length;

	if (pub_read(x->p->dir, FILE_SINCE, SINCE_BYTES, &bytes,
		     &length) == 0) {
		tree = json_loadb(bytes, length, JSON_REJECT_DUPLICATES, NULL);
	}
	/* without one all is seen for the first time: nothing goes too soon */
	x->since = json_incref(json_object_get(tree, "since"));
}

/* With what is due: a cut while it is removed does not make it wait again. */
static int save_since(struct prune *x)
{
	cleanup_json_tree json_t *all = json_copy(x->waits);
	cleanup_json_tree json_t *tree =
		all && json_object_update(all, x->due) == 0
			? json_pack("{s:i,s:O}", "format", 1, "since", all)
			: NULL;
	cleanup_free char *text = tree ? json_dumps(tree, JSON_INDENT(1))
				       : NULL;
	int r = text ? pub_replace(x->p->dir, FILE_SINCE, text, strlen(text),
				   0600) : -ENOMEM;

	if (r < 0) {
		pub_error("cannot write " FILE_SINCE ": %s; nothing is "
			  "removed", strerror(-r));
	}
	return r;
}

/* ---- away with it ---- */

static int remove_due(struct prune *x)
{
	const char *path;
	json_t *since;

	json_object_foreach(x->due, path, since) {
		struct stat status;

		if (pub_interrupted()) {
			return -EINTR;
		}
		if (fstatat(x->p->repository, path, &status,
			    AT_SYMLINK_NOFOLLOW) < 0) {
			continue;
		}
		if (!x->dry && unlinkat(x->p->repository, path, 0) < 0) {
			pub_error("cannot remove %s: %s", path,
				  strerror(errno));
			return result_errno();
		}
		x->removed++;
		x->bytes += (uint64_t)status.st_size;
	}
	return 0;
}

/* Nobody but this workspace reads them: they go at once. */
static int remove_staged(struct prune *x)
{
	cleanup_fd int staged = openat(x->p->dir, "staged", O_RDONLY |
				       O_DIRECTORY | O_CLOEXEC);
	int again = staged < 0 ? -1 : openat(staged, ".", O_RDONLY |
					     O_DIRECTORY | O_CLOEXEC);
	DIR *folder = again < 0 ? NULL : fdopendir(again);
	struct dirent *entry;
	int r = 0;

	if (!folder) {
		r = result_errno();
		fd_closep(&again);
		return r;
	}
	while (r == 0 && (entry = readdir(folder))) {
		const char *name = entry->d_name;

		if (name[0] == '.' || json_object_get(x->staged, name)) {
			continue;
		}
		r = x->dry ? 0 : pub_remove_tree(staged, name);
		x->folders++;
	}
	closedir(folder);
	if (r < 0) {
		pub_error("cannot remove what is below staged: %s",
			  strerror(-r));
	}
	return r;
}

static int steps(struct prune *x)
{
	int r = draft_refresh(x->p, 0, 0);

	r = r ? r : name_by_repository(x);
	r = r ? r : name_by_workspace(x);
	load_since(x);
	r = r ? r : look(x);
	r = r || x->dry ? r : save_since(x);
	r = r ? r : remove_due(x);
	return r ? r : remove_staged(x);
}

static int prune_run(struct publish *p, const struct pub_args *args)
{
	int64_t life = json_integer_value(json_object_get(
		pub_role_state(p, PUB_TIMESTAMP), "seconds"));
	uint64_t keep = life > KEEP_S ? (uint64_t)life : KEEP_S;
	struct prune x = { .p = p, .dry = pub_has(args, "dry-run"),
			   .named = json_object(), .staged = json_object(),
			   .waits = json_object(), .due = json_object() };
	int r = pub_duration(args, "keep", (uint64_t)life, INT32_MAX, &keep);

	x.keep = (int64_t)keep;
	r = r ? r : x.named && x.staged && x.waits && x.due ? steps(&x)
							     : -ENOMEM;
	if (r == 0) {
		pub_say("%llu files%s removed, %llu bytes; %zu wait; %llu "
			"staged folders%s removed\n",
			(unsigned long long)x.removed,
			x.dry ? " would be" : "",
			(unsigned long long)x.bytes,
			json_object_size(x.waits),
			(unsigned long long)x.folders,
			x.dry ? " would be" : "");
	}
	json_decref(x.named);
	json_decref(x.staged);
	json_decref(x.since);
	json_decref(x.waits);
	json_decref(x.due);
	return r ? PUB_UNKNOWN : PUB_YES;
}

static const struct pub_option options[] = {
	{ "keep", "T", false,
	  "how long after nothing names it (default 7d; a timestamp's life at "
	  "least)" },
	{ "dry-run", NULL, false, "say what would be removed, remove nothing" },
	{ NULL, NULL, false, NULL }
};

const struct pub_command pub_cmd_prune = {
	.name = "prune",
	.synopsis = "[--keep T] [--dry-run]",
	.summary = "remove files that nothing names any more",
	.help = "Descriptions and blobs that no metadata of the repository "
		"and no wanted version\nneeds, once they were seen so for T: "
		"run it now and then, from a timer. And\nfolders below staged/ "
		"of versions that were dropped.\n"
		"Exit code: 0 done, 2 could not tell.\n",
	.options = options,
	.run = prune_run,
};
