/* SPDX-License-Identifier: Apache-2.0 */
#include "content/version.h"

#include <string.h>

#include <bailey/event.h>

struct word {
	const char *name;
	uint32_t number;
};

/* Questions only: news have no verdict to expect. */
#define WORD_AUTH(sym, num, name) { name, num },
#define WORD_NOTIFY(sym, num, name)
#define WORD_CONTROL(sym, num, name)
#define WORD_EVENT(sym, num, name, class, help) WORD_##class(sym, num, name)
static const struct word events[] = {
	BAILEY_EVENT_TABLE(WORD_EVENT) { NULL, 0 }
};

static const struct word verdicts[] = {
	{ "allow", BAILEY_VERDICT_ALLOW }, { "deny", BAILEY_VERDICT_DENY },
	{ NULL, 0 }
};

static const char *const version_keys[] = {
	"format", "product", "version", "number", "class", "schema", "fields",
	"bake_s", "min_events", "floor", "urgent", "files", "corpus",
	"events", NULL
};
static const char *const file_keys[] = { "path", "length", "sha256", NULL };
static const char *const case_keys[] = {
	"path", "length", "sha256", "event", "expect", "as", "repeat", NULL
};
static const char *const events_keys[] = { "length", "sha256", NULL };

/* Members that are not in the list, and null ones, are refused: a reader that
 * skips what it does not know would believe less than was signed. */
static int only(const struct json_at *object, const char *const *keys)
{
	struct json_at member;
	void *iterator = NULL;

	while (json_next(object, &iterator, &member)) {
		size_t i = 0;

		while (keys[i] && strcmp(keys[i], member.key) != 0) {
			i++;
		}
		if (!keys[i]) {
			return json_refuse(&member, NULL, "not a member of "
					   "format %d", VERSION_FORMAT);
		}
		if (json_is_null(member.value)) {
			return json_refuse(&member, NULL, "null");
		}
	}
	return 0;
}

static int take_u64(const struct json_at *object, const char *key,
		    uint64_t low, uint64_t high, uint64_t *ret_number)
{
	int64_t number;
	int r = json_int(object, key, (int64_t)low, (int64_t)high, &number);

	if (r == 0) {
		*ret_number = (uint64_t)number;
	}
	return r;
}

static int take_u32(const struct json_at *object, const char *key,
		    uint32_t low, uint32_t high, uint32_t *ret_number)
{
	uint64_t number;
	int r = take_u64(object, key, low, high, &number);

	if (r == 0) {
		*ret_number = (uint32_t)number;
	}
	return r;
}

/* A text that good() agrees with; what says how it has to look. */
static int take_text(const struct json_at *object, const char *key,
		     bool (*good)(const char *), const char *what, size_t size,
		     char *ret_text)
{
	const char *text;
	int r = json_text(object, key, size - 1, &text);

	if (r < 0) {
		return r;
	}
	if (!good(text)) {
		return json_refuse(object, key, "not %s", what);
	}
	memcpy(ret_text, text, strlen(text) + 1);
	return 0;
}

static int take_word(const struct json_at *object, const char *key,
		     const struct word *words, uint32_t *ret_number)
{
	const char *text;
	int r = json_text(object, key, 64, &text);

	if (r < 0) {
		return r;
	}
	for (; words->name; words++) {
		if (strcmp(words->name, text) == 0) {
			*ret_number = words->number;
			return 0;
		}
	}
	return json_refuse(object, key, "a word that is not known");
}

static int take_blob(const struct json_at *object, struct version_file *file)
{
	int r = take_u64(object, "length", 0, VERSION_FILE_BYTES,
			 &file->length);

	return r ? r : json_hex(object, "sha256", file->sha256, VERSION_HASH);
}

static int take_file(const struct json_at *object, struct version_file *file)
{
	int r = take_text(object, "path", version_path_good,
			  "a plain path below a folder", VERSION_PATH,
			  file->path);

	return r ? r : take_blob(object, file);
}

/* A label: absolute, and nothing that a terminal would act on. */
static bool label_good(const char *text)
{
	if (text[0] != '/') {
		return false;
	}
	for (; *text; text++) {
		if ((unsigned char)*text < 0x20 || *text == 0x7f) {
			return false;
		}
	}
	return true;
}

static int take_case(const struct json_at *object, struct version_case *one)
{
	int r = only(object, case_keys);

	one->repeat = 1;
	r = r ? r : take_file(object, &one->file);
	r = r ? r : take_word(object, "event", events, &one->event);
	r = r ? r : take_word(object, "expect", verdicts, &one->expect);
	if (r == 0 && json_has(object, "as")) {
		r = take_text(object, "as", label_good,
			      "an absolute, printable path", VERSION_PATH,
			      one->as);
	}
	if (r == 0 && json_has(object, "repeat")) {
		r = take_u32(object, "repeat", 1, VERSION_REPEAT,
			     &one->repeat);
	}
	return r;
}

/* Paths in an order in which a file stands right before what would be below
 * it: '/' comes first. */
static int compare_paths(const void *a, const void *b)
{
	const struct version_file *const *one = a, *const *other = b;
	const char *x = (*one)->path, *y = (*other)->path;

	for (; *x && *x == *y; x++, y++) {
	}
	return (*x == '/' ? 1 : (unsigned char)*x) -
	       (*y == '/' ? 1 : (unsigned char)*y);
}

static bool same_bytes(const struct version_file *a,
		       const struct version_file *b)
{
	return a->length == b->length &&
	       memcmp(a->sha256, b->sha256, VERSION_HASH) == 0;
}

/* One path, one file; and no file that is a folder of another. twice: a path
 * may stand again if it is the same file. Sorts the pointers. */
static int check_paths(const struct json_at *at, const char *key,
		       const struct version_file **file, size_t count,
		       bool twice)
{
	if (count) {
		qsort(file, count, sizeof(void *), compare_paths);
	}
	for (size_t i = 1; i < count; i++) {
		const char *before = file[i - 1]->path, *path = file[i]->path;
		size_t n = strlen(before);

		if (strcmp(before, path) == 0) {
			if (!twice || !same_bytes(file[i - 1], file[i])) {
				return json_refuse(at, key, "%s stands twice",
						   path);
			}
		} else if (strncmp(before, path, n) == 0 && path[n] == '/') {
			return json_refuse(at, key, "%s is a file and a "
					   "folder", before);
		}
	}
	return 0;
}

static int take_files(const struct json_at *top, struct version *version,
		      const struct version_file **sorted)
{
	struct json_at list, object;
	int r = json_list(top, "files", VERSION_FILES, &list,
			  &version->files);

	if (r < 0) {
		version->files = 0;
		return r;
	}
	if (!version->files) {
		return json_refuse(top, "files", "no file");
	}
	version->file = calloc(version->files, sizeof(*version->file));
	if (!version->file) {
		return -ENOMEM;
	}
	for (size_t i = 0; i < version->files; i++) {
		r = json_element(&list, i, &object);
		r = r ? r : only(&object, file_keys);
		r = r ? r : take_file(&object, &version->file[i]);
		if (r < 0) {
			return r;
		}
		sorted[i] = &version->file[i];
	}
	return check_paths(top, "files", sorted, version->files, false);
}

static int take_corpus(const struct json_at *top, struct version *version,
		       const struct version_file **sorted)
{
	struct json_at list, object;
	int r = json_list(top, "corpus", VERSION_FILES, &list,
			  &version->cases);

	if (r < 0 || !version->cases) {
		version->cases = 0;
		return r;
	}
	version->corpus = calloc(version->cases, sizeof(*version->corpus));
	if (!version->corpus) {
		return -ENOMEM;
	}
	for (size_t i = 0; i < version->cases; i++) {
		r = json_element(&list, i, &object);
		r = r ? r : take_case(&object, &version->corpus[i]);
		if (r < 0) {
			return r;
		}
		sorted[i] = &version->corpus[i].file;
	}
	return check_paths(top, "corpus", sorted, version->cases, true);
}

static int take_events(const struct json_at *top, struct version *version)
{
	struct json_at object;
	int r;

	if (!json_has(top, "events")) {
		return 0;
	}
	version->has_events = true;
	r = json_member(top, "events", &object);
	r = r ? r : only(&object, events_keys);
	return r ? r : take_blob(&object, &version->events);
}

static int take_class(const struct json_at *top, struct version *version)
{
	const char *text;
	int r = json_text(top, "class", 16, &text);

	if (r < 0) {
		return r;
	}
	if (version_class_find(text, &version->kind)) {
		return json_refuse(top, "class", "neither code nor data");
	}
	return 0;
}

static int take_head(const struct json_at *top, struct version *version)
{
	uint64_t format;
	int r = take_u64(top, "format", VERSION_FORMAT, VERSION_FORMAT,
			 &format);

	r = r ? r : only(top, version_keys);
	r = r ? r : take_text(top, "product", version_product_good,
			      "a product's name (a-z 0-9 - _)", VERSION_NAME,
			      version->product);
	r = r ? r : take_text(top, "version", version_text_good,
			      "one printable word", VERSION_TEXT,
			      version->version);
	r = r ? r : take_u64(top, "number", 1, INT64_MAX, &version->number);
	r = r ? r : take_class(top, version);
	r = r ? r : take_text(top, "schema", version_schema_good,
			      "a schema's name (scan-rules/1)", VERSION_TEXT,
			      version->schema);
	r = r ? r : take_u32(top, "fields", 0, VERSION_FIELDS,
			     &version->fields);
	r = r ? r : take_u32(top, "bake_s", 0, VERSION_BAKE_S,
			     &version->bake_s);
	r = r ? r : take_u64(top, "min_events", 0, INT64_MAX,
			     &version->min_events);
	r = r ? r : take_u64(top, "floor", 0, version->number,
			     &version->floor);
	return r ? r : json_flag(top, "urgent", &version->urgent);
}

bool version_over(const struct version *version, uint64_t maximum)
{
	uint64_t sum = version->has_events ? version->events.length : 0;

	/* 2 * 4096 + 1 lengths of at most 2^30 cannot overflow */
	for (size_t i = 0; i < version->files; i++) {
		sum += version->file[i].length;
	}
	for (size_t i = 0; i < version->cases; i++) {
		sum += version->corpus[i].file.length;
	}
	return sum > maximum;
}

int version_parse(const void *bytes, size_t length,
		  struct version **ret_version, struct json_fault *fault)
{
	cleanup_free const struct version_file **sorted =
		calloc(VERSION_FILES, sizeof(const struct version_file *));
	cleanup_version struct version *version = calloc(1, sizeof(*version));
	cleanup_json_tree json_t *tree = NULL;
	struct json_at top;
	int r;

	if (!sorted || !version) {
		return -ENOMEM;
	}
	r = json_read(bytes, length, VERSION_BYTES, &tree, &top, fault);
	r = r ? r : take_head(&top, version);
	r = r ? r : take_files(&top, version, sorted);
	r = r ? r : take_corpus(&top, version, sorted);
	r = r ? r : take_events(&top, version);
	if (r < 0) {
		return r;
	}
	if (version_over(version, VERSION_TOTAL_BYTES)) {
		return json_refuse(&top, NULL, "more than %llu bytes in all",
				   VERSION_TOTAL_BYTES);
	}
	*ret_version = version;
	version = NULL;
	return 0;
}

struct version *version_free(struct version *version)
{
	if (version) {
		free(version->file);
		free(version->corpus);
		free(version);
	}
	return NULL;
}
