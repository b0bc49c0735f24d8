/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stage.c - a folder becomes a version: looked at, described, copied
 *
 * Only regular files and folders, names as version.h has them. What is copied
 * is hashed again on the way: a file that changes under the walk is refused,
 * not described wrongly.
 */
#include "publish/publish.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <bailey/event.h>

#include "base/text.h"
#include "proto/record.h"

#define DEPTH 32

struct list {
	struct version_file *file;
	size_t count;
};

static int walk(int dir, const char *below, struct list *list, int depth);

static int refuse(const char *path, const char *why)
{
	pub_error("%s: %s", path, why);
	return -EBADMSG;
}

static int add_file(int dir, const char *name, const char *path,
		    struct list *list)
{
	struct version_file *file = &list->file[list->count];
	int r;

	if (list->count == VERSION_FILES) {
		pub_error("more than %u files; leave some out",
			  VERSION_FILES);
		return -E2BIG;
	}
	r = pub_measure(dir, name, VERSION_FILE_BYTES, file);
	if (r == -EFBIG) {
		return refuse(path, "larger than 1 GiB; leave it out");
	}
	if (r < 0) {
		if (r != -EINTR) {
			pub_error("cannot read %s: %s", path, strerror(-r));
		}
		return r;
	}
	text_format(file->path, sizeof(file->path), "%s", path);
	list->count++;
	return 0;
}

static int add_folder(int dir, const char *name, const char *path,
		      struct list *list, int depth)
{
	cleanup_fd int fd = openat(dir, name, O_RDONLY | O_DIRECTORY |
				   O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0) {
		pub_error("cannot open %s: %s", path, strerror(errno));
		return result_errno();
	}
	return walk(fd, path, list, depth + 1);
}

static int add_entry(int dir, const char *name, const char *below,
		     struct list *list, int depth)
{
	char path[VERSION_PATH + 256];
	struct stat status;

	text_format(path, sizeof(path), "%s%s%s", below, *below ? "/" : "",
		    name);
	if (!version_path_good(path) || depth > DEPTH) {
		return refuse(path, "a name may have letters, digits and "
			      "._- only, and a path 255 bytes; rename it");
	}
	if (fstatat(dir, name, &status, AT_SYMLINK_NOFOLLOW) < 0) {
		pub_error("cannot look at %s: %s", path, strerror(errno));
		return result_errno();
	}
	if (S_ISDIR(status.st_mode)) {
		return add_folder(dir, name, path, list, depth);
	}
	if (S_ISLNK(status.st_mode)) {
		return refuse(path, "a symbolic link; put the file itself "
			      "there");
	}
	if (!S_ISREG(status.st_mode)) {
		return refuse(path, "neither a file nor a folder; remove it");
	}
	return add_file(dir, name, path, list);
}

static int walk(int dir, const char *below, struct list *list, int depth)
{
	int again = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *folder = again < 0 ? NULL : fdopendir(again);
	struct dirent *entry;
	int r = 0;

	if (!folder) {
		fd_closep(&again);
		return result_errno();
	}
	while (r == 0 && (entry = readdir(folder))) {
		if (strcmp(entry->d_name, ".") != 0 &&
		    strcmp(entry->d_name, "..") != 0) {
			pub_progress("reading", list->count, VERSION_FILES);
			r = pub_interrupted() ? -EINTR :
			    add_entry(dir, entry->d_name, below, list, depth);
		}
	}
	closedir(folder);
	return r;
}

static int by_path(const void *a, const void *b)
{
	const struct version_file *x = a, *y = b;

	return strcmp(x->path, y->path);
}

/* Opens a folder and lists what is below it, sorted. */
static int list_folder(const char *path, int *ret_fd, struct list *ret_list)
{
	cleanup_fd int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct list list = { calloc(VERSION_FILES + 1, sizeof(*list.file)),
			     0 };
	int r = list.file ? 0 : -ENOMEM;

	if (fd < 0) {
		pub_error("cannot open the folder %s: %s", path,
			  strerror(errno));
		r = result_errno();
	}
	r = r ? r : walk(fd, "", &list, 0);
	if (r < 0) {
		free(list.file);
		return r;
	}
	qsort(list.file, list.count, sizeof(*list.file), by_path);
	*ret_list = list;
	*ret_fd = fd_take(&fd);
	return 0;
}

/* ---- the corpus ---- */

/* allow/, deny/, allow.exec/, deny.exec/: the folder says what is expected. */
static int case_by_folder(struct version_case *one)
{
	static const struct {
		const char *folder;
		uint32_t event, expect;
	} table[] = {
		{ "allow/", BAILEY_EVENT_FILE_OPEN, BAILEY_VERDICT_ALLOW },
		{ "deny/", BAILEY_EVENT_FILE_OPEN, BAILEY_VERDICT_DENY },
		{ "allow.exec/", BAILEY_EVENT_PROCESS_EXEC,
		  BAILEY_VERDICT_ALLOW },
		{ "deny.exec/", BAILEY_EVENT_PROCESS_EXEC,
		  BAILEY_VERDICT_DENY },
	};

	one->repeat = 1;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		const char *folder = table[i].folder;

		if (strncmp(one->file.path, folder, strlen(folder)) == 0) {
			one->event = table[i].event;
			one->expect = table[i].expect;
			return 0;
		}
	}
	return refuse(one->file.path, "put it below allow/, deny/, "
		      "allow.exec/ or deny.exec/, or list it in --cases");
}

static const struct version_file *find_file(const struct list *list,
					    const char *path)
{
	struct version_file wanted = { .length = 0 };

	text_format(wanted.path, sizeof(wanted.path), "%s", path);
	return bsearch(&wanted, list->file, list->count, sizeof(wanted),
		       by_path);
}

static int case_listed(const struct json_at *at, const struct list *list,
		       struct version_case *one)
{
	const struct version_file *file;
	const char *path, *event, *expect, *as = "";
	int64_t repeat = 1;
	int r = json_text(at, "path", VERSION_PATH - 1, &path);

	r = r ? r : json_text(at, "event", 32, &event);
	r = r ? r : json_text(at, "expect", 32, &expect);
	if (r == 0 && json_has(at, "as")) {
		r = json_text(at, "as", VERSION_PATH - 1, &as);
	}
	if (r == 0 && json_has(at, "repeat")) {
		r = json_int(at, "repeat", 1, VERSION_REPEAT, &repeat);
	}
	if (r < 0) {
		return r;
	}
	file = find_file(list, path);
	if (!file) {
		return json_refuse(at, "path", "not in the corpus folder");
	}
	one->file = *file;
	one->event = strcmp(event, "process.exec") == 0
		? BAILEY_EVENT_PROCESS_EXEC
		: strcmp(event, "file.open") == 0 ? BAILEY_EVENT_FILE_OPEN
						  : 0;
	one->expect = strcmp(expect, "deny") == 0 ? BAILEY_VERDICT_DENY
		: strcmp(expect, "allow") == 0 ? BAILEY_VERDICT_ALLOW
					       : BAILEY_VERDICT_NONE;
	one->repeat = (uint32_t)repeat;
	text_format(one->as, sizeof(one->as), "%s", as);
	return 0;
}

/* {"cases":[{"path":..,"event":..,"expect":..,"as":..,"repeat":..}]}: what a
 * description says of a corpus file, but its length and hash. */
static int cases_listed(const char *path, const struct list *list,
			struct version *version)
{
	cleanup_json_tree json_t *tree = NULL;
	struct json_fault fault = { "" };
	cleanup_free char *bytes = NULL;
	struct json_at top, all, at;
	size_t length, count = 0;
	int r = pub_read(AT_FDCWD, path, VERSION_BYTES, &bytes, &length);

	r = r ? r : json_read(bytes, length, VERSION_BYTES, &tree, &top,
			      &fault);
	r = r ? r : json_list(&top, "cases", VERSION_FILES, &all, &count);
	version->corpus = calloc(count + 1, sizeof(*version->corpus));
	r = r || version->corpus ? r : -ENOMEM;
	for (size_t i = 0; r == 0 && i < count; i++) {
		r = json_element(&all, i, &at);
		r = r ? r : case_listed(&at, list, &version->corpus[i]);
		version->cases += r == 0;
	}
	if (r < 0) {
		pub_error("%s: %s", path,
			  fault.text[0] ? fault.text : strerror(-r));
	}
	return r;
}

static int make_corpus(const struct stage_options *options, int *ret_fd,
		       struct version *version)
{
	struct list list;
	int r;

	if (!options->corpus) {
		return 0;
	}
	r = list_folder(options->corpus, ret_fd, &list);
	if (r < 0) {
		return r;
	}
	if (options->cases) {
		r = cases_listed(options->cases, &list, version);
		free(list.file);
		return r;
	}
	version->corpus = calloc(list.count + 1, sizeof(*version->corpus));
	r = version->corpus ? 0 : -ENOMEM;
	for (size_t i = 0; r == 0 && i < list.count; i++) {
		version->corpus[i].file = list.file[i];
		r = case_by_folder(&version->corpus[i]);
		version->cases += r == 0;
	}
	free(list.file);
	return r;
}

/* Is it a record, from its first byte to its last? */
static int check_events(const char *path)
{
	cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
	cleanup_free void *slot = malloc(WIRE_SLOT_SIZE);
	struct record_content content;
	struct record_reader reader;
	uint64_t offset;
	int r = fd < 0 ? result_errno() : slot ? 0 : -ENOMEM;

	if (r < 0) {
		pub_error("cannot read %s: %s", path, strerror(-r));
		return r;
	}
	r = record_reader_init(&reader, fd);
	r = r ? r : 1;
	while (r == 1 && !pub_interrupted()) {
		pub_progress("events", reader.offset, reader.size);
		r = record_read(&reader, slot, &content);
	}
	if (r == 1) {
		return -EINTR;
	}
	if (r < 0) {
		const char *why = record_fault(&reader, &offset);

		pub_error("%s is no record of events: %s at byte %llu", path,
			  why ? why : strerror(-r),
			  (unsigned long long)(why ? offset : 0));
	}
	return r;
}

static int make_events(const struct stage_options *options,
		       struct version *version)
{
	int r;

	if (!options->events) {
		return 0;
	}
	r = check_events(options->events);
	if (r == 0) {
		r = pub_measure(AT_FDCWD, options->events, VERSION_FILE_BYTES,
				&version->events);
	}
	version->has_events = r == 0;
	return r;
}

/* ---- into staged/ ---- */

static int copy_one(struct publish *p, int from, const char *path,
		    const char *to, const struct version_file *file)
{
	int r = pub_folders(p->dir, to);

	if (r == 0 && !pub_exists(p->dir, to)) {
		r = pub_copy(from, path, p->dir, to, file);
	}
	if (r == -EBADMSG) {
		pub_error("%s changed while it was read; try again", path);
	} else if (r < 0 && r != -EINTR) {
		pub_error("cannot copy %s: %s", path, strerror(-r));
	}
	return r;
}

static int copy_all(struct publish *p, const struct version *version,
		    const char *folder, int files, int corpus,
		    const char *events)
{
	char to[PUB_PATH];
	int r = 0;

	for (size_t i = 0; r == 0 && i < version->files; i++) {
		const struct version_file *file = &version->file[i];

		text_format(to, sizeof(to), "%s/files/%s", folder,
			    file->path);
		r = copy_one(p, files, file->path, to, file);
		pub_progress("copying", i, version->files);
	}
	for (size_t i = 0; r == 0 && i < version->cases; i++) {
		const struct version_file *file = &version->corpus[i].file;

		text_format(to, sizeof(to), "%s/corpus/%s", folder,
			    file->path);
		r = copy_one(p, corpus, file->path, to, file);
	}
	if (r == 0 && version->has_events) {
		text_format(to, sizeof(to), "%s/events", folder);
		r = copy_one(p, AT_FDCWD, events, to, &version->events);
	}
	return r;
}

static int move_in(struct publish *p, const char *from, const char *to)
{
	cleanup_fd int staged = openat(p->dir, "staged", O_RDONLY |
				       O_DIRECTORY | O_CLOEXEC);

	if (staged < 0 || pub_remove_tree(p->dir, to) < 0 ||
	    renameat(p->dir, from, p->dir, to) < 0 || fsync(staged) < 0) {
		pub_error("cannot make %s: %s", to, strerror(errno));
		return result_errno();
	}
	return 0;
}

static int list_version(struct publish *p, const struct version *version,
			const char *hash, size_t length)
{
	json_t *list = pub_versions(p, version->kind);
	size_t most = version->kind == VERSION_CODE ? 64 : 32;

	if (json_array_append_new(
		    list, json_pack("{s:I,s:s,s:I}", "number",
				    (json_int_t)version->number, "hash", hash,
				    "length", (json_int_t)length)) < 0) {
		return -ENOMEM;
	}
	while (json_array_size(list) > most) {
		json_array_remove(list, 0);
	}
	return pub_save(p);
}

static int store(struct publish *p, const struct stage_options *options,
		 const struct version *version, int files, int corpus)
{
	struct json_fault fault = { "" };
	cleanup_free char *text = NULL;
	char hex[VERSION_HEX], from[PUB_PATH], to[PUB_PATH], path[PUB_PATH];
	uint8_t hash[VERSION_HASH];
	size_t length;
	int r = version_write(version, &text, &length, &fault);

	if (r < 0) {
		pub_error("the version would not be valid: %s",
			  fault.text[0] ? fault.text : strerror(-r));
		return r;
	}
	version_hash(text, length, hash);
	version_hex(hash, hex);
	text_format(from, sizeof(from), "staged/new");
	text_format(to, sizeof(to), "staged/%s", hex);
	text_format(path, sizeof(path), "%s/version.json", from);
	r = pub_remove_tree(p->dir, from);
	r = r ? r : pub_folders(p->dir, path);
	r = r ? r : pub_replace(p->dir, path, text, length, 0444);
	r = r ? r : copy_all(p, version, from, files, corpus,
			     options->events);
	r = r ? r : move_in(p, from, to);
	r = r ? r : list_version(p, version, hex, length);
	if (r == 0) {
		pub_say("%s %s/%llu (%s), %zu files, %zu cases\n  %s\n",
			version->product, version_class_name(version->kind),
			(unsigned long long)version->number, version->version,
			version->files, version->cases, hex);
	}
	return r;
}

/* Sizes that the policy bounds, for data. */
static int check_sizes(const struct publish *p, const struct version *version)
{
	const json_t *policy = json_object_get(p->state, "policy");
	uint64_t bytes = (uint64_t)json_integer_value(
		json_object_get(policy, "max_bytes"));
	uint64_t files = (uint64_t)json_integer_value(
		json_object_get(policy, "max_files"));

	if (version->kind == VERSION_DATA &&
	    (version_over(version, bytes) || version->files > files)) {
		pub_error("more than the policy for data allows: %llu files, "
			  "%llu bytes", (unsigned long long)files,
			  (unsigned long long)bytes);
		return -EFBIG;
	}
	return 0;
}

int stage_add(struct publish *p, const struct stage_options *options)
{
	cleanup_version struct version *version = malloc(sizeof(*version));
	cleanup_fd int files = -1, corpus = -1;
	struct list list = { NULL, 0 };
	int r;

	if (!version) {
		return -ENOMEM;
	}
	*version = options->about;
	version->file = NULL;
	version->corpus = NULL;
	r = list_folder(options->folder, &files, &list);
	version->file = list.file;
	version->files = list.count;
	r = r ? r : make_corpus(options, &corpus, version);
	r = r ? r : make_events(options, version);
	r = r ? r : check_sizes(p, version);
	return r ? r : store(p, options, version, files, corpus);
}
