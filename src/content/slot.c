/* SPDX-License-Identifier: Apache-2.0 */
/* slot.c - slots as they stand: look at them, lead to them, remove them */
#include "content/slot.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/sha256.h"
#include "base/text.h"
#include "content/slot_internal.h"

int slot_refuse(char ret_reason[SLOT_REASON], int r, const char *format, ...)
{
	va_list list;

	va_start(list, format);
	vsnprintf(ret_reason, SLOT_REASON, format, list);
	va_end(list);
	return r;
}

int slot_errno(char ret_reason[SLOT_REASON], int r, const char *what,
	       const char *path)
{
	return slot_refuse(ret_reason, r, "%s %s: %s", what, path,
			   strerror(-r));
}

static void close_at(struct disk *disk, int *handle)
{
	if (*handle >= 0) {
		disk->body->close(disk, fd_take(handle));
	}
}

/* The next directory on the way; takes dir. */
static int step_into(struct disk *disk, int dir, const char *name, bool make)
{
	int next = disk->body->open_dir(disk, dir, name);

	if (next == -ENOENT && make) {
		next = disk->body->make_dir(disk, dir, name);
		if (next == 0) {
			next = disk->body->open_dir(disk, dir, name);
		}
	}
	disk->body->close(disk, dir);
	return next;
}

int slot_parent(struct disk *disk, int top, const char *path, bool make,
		const char **ret_leaf)
{
	char name[VERSION_PATH];
	const char *slash;
	int dir = disk->body->open_dir(disk, top, ".");

	while (dir >= 0 && (slash = strchr(path, '/')) != NULL) {
		memcpy(name, path, (size_t)(slash - path));
		name[slash - path] = '\0';
		path = slash + 1;
		dir = step_into(disk, dir, name, make);
	}
	*ret_leaf = path;
	return dir;
}

void slot_expect_fill(const struct version *version,
		      const uint8_t hash[VERSION_HASH],
		      struct slot_expect *ret_expect)
{
	static_assert(VERSION_TEXT == SLOT_SCHEMA, "a schema's name fits");

	*ret_expect = (struct slot_expect){
		.magic = SLOT_EXPECT_MAGIC,
		.size = sizeof(*ret_expect),
		.fields = version->fields,
		.number = version->number,
	};
	text_format(ret_expect->schema, SLOT_SCHEMA, "%s", version->schema);
	memcpy(ret_expect->hash, hash, VERSION_HASH);
}

static int hash_file(struct disk *disk, int file, uint64_t length,
		     uint8_t ret_hash[VERSION_HASH])
{
	cleanup_free char *bytes = malloc(SLOT_CHUNK);
	uint64_t offset = 0;
	struct sha256 sha;
	ssize_t n = 1;
	int r;

	if (bytes == NULL) {
		return -ENOMEM;
	}
	sha256_begin(&sha);
	while (n > 0 && offset <= length) {
		n = disk->body->read(disk, file, offset, bytes, SLOT_CHUNK);
		if (n > 0) {
			sha256_add(&sha, bytes, (size_t)n);
			offset += (uint64_t)n;
		}
	}
	r = sha256_end(&sha, ret_hash);
	if (n < 0) {
		return (int)n;
	}
	return r == 0 && offset != length ? -EBADMSG : r;
}

int slot_file_check(struct disk *disk, int dir, const char *leaf,
		    const struct version_file *file, bool whole)
{
	uint8_t hash[VERSION_HASH];
	struct disk_stat st;
	int r = disk->body->stat(disk, dir, leaf, &st);
	int handle;

	if (r < 0) {
		return r == -ENOENT ? -EBADMSG : r;
	}
	if (st.type != DISK_FILE || st.size != file->length ||
	    st.mode != SLOT_FILE_MODE) {
		return -EBADMSG;
	}
	if (!whole) {
		return 0;
	}
	handle = disk->body->open_read(disk, dir, leaf);
	if (handle < 0) {
		return handle;
	}
	r = hash_file(disk, handle, file->length, hash);
	disk->body->close(disk, handle);
	return r == 0 && memcmp(hash, file->sha256, VERSION_HASH) != 0 ?
		-EBADMSG : r;
}

/* ---- what lies in a slot ---- */

struct look {
	struct disk *disk;
	int slot;                       /* own */
	bool whole;
	char *reason;
	struct version *version;        /* own */
	size_t found;                   /* regular files, in all */
	size_t expected;
};

static void look_fini(struct look *look)
{
	close_at(look->disk, &look->slot);
	version_free(look->version);
}

static int open_slot(struct disk *disk, int slots,
		     const uint8_t hash[VERSION_HASH])
{
	char name[VERSION_HEX];

	version_hex(hash, name);
	return disk->body->open_dir(disk, slots, name);
}

static int read_whole(struct disk *disk, int dir, const char *name,
		      size_t most, char **ret_bytes, size_t *ret_length)
{
	int file = disk->body->open_read(disk, dir, name);
	char *bytes;
	size_t length = 0;
	ssize_t n = 1;

	if (file < 0) {
		return file;
	}
	bytes = malloc(most + 1);
	while (bytes != NULL && n > 0 && length <= most) {
		n = disk->body->read(disk, file, length, bytes + length,
				     most + 1 - length);
		length += n > 0 ? (size_t)n : 0;
	}
	disk->body->close(disk, file);
	if (bytes == NULL || n < 0 || length > most) {
		free(bytes);
		return bytes == NULL ? -ENOMEM : n < 0 ? (int)n : -EBADMSG;
	}
	*ret_bytes = bytes;
	*ret_length = length;
	return 0;
}

static int description_at(struct disk *disk, int slot,
			  const uint8_t hash[VERSION_HASH], char **ret_bytes,
			  size_t *ret_length)
{
	uint8_t found[VERSION_HASH];
	struct disk_stat st;
	char *bytes;
	size_t length;
	int r = disk->body->stat(disk, slot, SLOT_VERSION, &st);

	if (r < 0 || st.type != DISK_FILE || st.size > VERSION_BYTES) {
		return r < 0 && r != -ENOENT ? r : -EBADMSG;
	}
	r = read_whole(disk, slot, SLOT_VERSION, (size_t)st.size, &bytes,
		       &length);
	if (r < 0) {
		return r;
	}
	version_hash(bytes, length, found);
	if (memcmp(found, hash, VERSION_HASH) != 0) {
		free(bytes);
		return -EBADMSG;
	}
	*ret_bytes = bytes;
	*ret_length = length;
	return 0;
}

int slot_description(struct disk *disk, int slots,
		     const uint8_t hash[VERSION_HASH], char **ret_bytes,
		     size_t *ret_length)
{
	int slot = open_slot(disk, slots, hash);
	int r;

	if (slot < 0) {
		return slot;
	}
	r = description_at(disk, slot, hash, ret_bytes, ret_length);
	disk->body->close(disk, slot);
	return r;
}

static int look_description(struct look *look,
			    const uint8_t hash[VERSION_HASH])
{
	cleanup_free char *bytes = NULL;
	struct json_fault fault;
	size_t length;
	int r = description_at(look->disk, look->slot, hash, &bytes, &length);

	if (r < 0) {
		return slot_refuse(look->reason, r, "its description is not "
				   "that of its name");
	}
	r = version_parse(bytes, length, &look->version, &fault);
	return r < 0 ? slot_refuse(look->reason, r, "its description: %s",
				   fault.text) : 0;
}

static int look_expect(struct look *look, const uint8_t hash[VERSION_HASH])
{
	cleanup_free char *bytes = NULL;
	struct slot_expect wanted;
	size_t length = 0;
	int r = read_whole(look->disk, look->slot, SLOT_EXPECT, sizeof(wanted),
			   &bytes, &length);

	slot_expect_fill(look->version, hash, &wanted);
	if (r == -ENOENT || (r == 0 && (length != sizeof(wanted) ||
					memcmp(bytes, &wanted,
					       sizeof(wanted)) != 0))) {
		r = -EBADMSG;
	}
	return r < 0 ? slot_errno(look->reason, r, "slot", SLOT_EXPECT) : 0;
}

static int look_file(struct look *look, int top,
		     const struct version_file *file, const char *shown)
{
	const char *leaf;
	int dir = slot_parent(look->disk, top, file->path, false, &leaf);
	int r;

	if (dir < 0) {
		return slot_errno(look->reason,
				  dir == -ENOENT ? -EBADMSG : dir, shown,
				  file->path);
	}
	r = slot_file_check(look->disk, dir, leaf, file, look->whole);
	look->disk->body->close(look->disk, dir);
	look->expected++;
	if (r == -EBADMSG) {
		return slot_refuse(look->reason, r, "%s/%s is not as the "
				   "description says", shown, file->path);
	}
	return r < 0 ? slot_errno(look->reason, r, shown, file->path) : 0;
}

/* A path may stand twice in the corpus: it counts once. */
static bool stood_before(const struct version *version, size_t i)
{
	for (size_t j = 0; j < i; j++) {
		if (strcmp(version->corpus[j].file.path,
			   version->corpus[i].file.path) == 0) {
			return true;
		}
	}
	return false;
}

static int look_files(struct look *look, int files)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < look->version->files; i++) {
		r = look_file(look, files, &look->version->file[i],
			      SLOT_FILES);
	}
	return r;
}

static int look_corpus(struct look *look, int corpus)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < look->version->cases; i++) {
		if (!stood_before(look->version, i)) {
			r = look_file(look, corpus,
				      &look->version->corpus[i].file,
				      SLOT_CORPUS);
		}
	}
	return r;
}

static int look_below(struct look *look, const char *name,
		      int (*look_at)(struct look *look, int dir))
{
	int dir = look->disk->body->open_dir(look->disk, look->slot, name);
	int r;

	if (dir < 0) {
		return slot_errno(look->reason,
				  dir == -ENOENT ? -EBADMSG : dir, "slot",
				  name);
	}
	r = look_at(look, dir);
	look->disk->body->close(look->disk, dir);
	return r;
}

static int look_events(struct look *look)
{
	int r;

	if (!look->version->has_events) {
		return 0;
	}
	look->expected++;
	r = slot_file_check(look->disk, look->slot, SLOT_EVENTS,
			    &look->version->events, look->whole);
	return r < 0 ? slot_errno(look->reason, r, "slot", SLOT_EVENTS) : 0;
}

struct walk {
	struct look *look;
	int dir;
};

/* Counts what is there; directories by what they hold, links and others as
 * much as files: there may be none. */
static int walk_entry(void *context, const char *name)
{
	const struct walk *walk = context;
	struct look *look = walk->look;
	struct walk below = { look, -1 };
	struct disk_stat st;
	int r = look->disk->body->stat(look->disk, walk->dir, name, &st);

	if (r < 0) {
		return r;
	}
	if (st.type != DISK_DIR) {
		look->found++;
		return 0;
	}
	if (st.mode != SLOT_DIR_MODE) {
		return slot_refuse(look->reason, -EBADMSG,
				   "%s has another mode", name);
	}
	below.dir = look->disk->body->open_dir(look->disk, walk->dir, name);
	if (below.dir < 0) {
		return below.dir;
	}
	r = look->disk->body->list(look->disk, below.dir, walk_entry, &below);
	look->disk->body->close(look->disk, below.dir);
	return r;
}

static int look_nothing_else(struct look *look)
{
	struct walk walk = { look, look->slot };
	int r = look->disk->body->list(look->disk, look->slot, walk_entry,
				       &walk);

	if (r == 0 && look->found != look->expected) {
		return slot_refuse(look->reason, -EBADMSG, "%zu files, the "
				   "description has %zu", look->found,
				   look->expected);
	}
	return r;
}

int slot_check(struct disk *disk, int slots, const uint8_t hash[VERSION_HASH],
	       bool whole, char ret_reason[SLOT_REASON])
{
	/* Two files are always there: description and expect. */
	struct look look = {
		.disk = disk, .whole = whole, .reason = ret_reason,
		.expected = 2,
	};
	int r;

	look.slot = open_slot(disk, slots, hash);
	if (look.slot < 0) {
		return slot_errno(ret_reason, look.slot, "slot", "itself");
	}
	r = look_description(&look, hash);
	r = r < 0 ? r : look_expect(&look, hash);
	r = r < 0 ? r : look_below(&look, SLOT_FILES, look_files);
	r = r < 0 ? r : look_below(&look, SLOT_CORPUS, look_corpus);
	r = r < 0 ? r : look_events(&look);
	r = r < 0 ? r : look_nothing_else(&look);
	look_fini(&look);
	return r;
}

int slot_open(struct disk *disk, int slots, const uint8_t hash[VERSION_HASH],
	      const char *what)
{
	int slot = open_slot(disk, slots, hash);
	int dir;

	if (slot < 0) {
		return slot;
	}
	dir = disk->body->open_dir(disk, slot, what);
	disk->body->close(disk, slot);
	return dir;
}

/* ---- removing ---- */

int slot_remove(struct disk *disk, int slots,
		const uint8_t hash[VERSION_HASH])
{
	char name[VERSION_HEX];

	version_hex(hash, name);
	return disk_remove_tree(disk, slots, name);
}

struct sweep {
	struct disk *disk;
	int slots;
	slot_keep *keep;
	void *context;
};

static int sweep_entry(void *context, const char *name)
{
	const struct sweep *sweep = context;
	uint8_t hash[VERSION_HASH];

	if (version_unhex(name, hash) == 0 &&
	    sweep->keep(sweep->context, hash)) {
		return 0;
	}
	return disk_remove_tree(sweep->disk, sweep->slots, name);
}

int slot_sweep(struct disk *disk, int slots, slot_keep *keep, void *context)
{
	struct sweep sweep = { disk, slots, keep, context };

	return disk->body->list(disk, slots, sweep_entry, &sweep);
}

/* ---- current ---- */

int slot_point(struct disk *disk, int product, const uint8_t *hash)
{
	char target[sizeof(SLOT_SLOTS) + VERSION_HEX];
	char name[VERSION_HEX];
	int r;

	if (hash != NULL) {
		version_hex(hash, name);
		text_format(target, sizeof(target), "%s/%s", SLOT_SLOTS,
			    name);
		return disk_point(disk, product, SLOT_CURRENT, target);
	}
	r = disk_remove_tree(disk, product, SLOT_CURRENT);
	return r < 0 ? r : disk->body->sync(disk, product);
}

int slot_pointed(struct disk *disk, int product,
		 uint8_t ret_hash[VERSION_HASH])
{
	char target[sizeof(SLOT_SLOTS) + VERSION_HEX];
	size_t skip = strlen(SLOT_SLOTS "/");
	int r = disk->body->read_link(disk, product, SLOT_CURRENT, target,
				      sizeof(target));

	if (r == -ENOENT || r == -EINVAL || r == -ENAMETOOLONG) {
		return 1;
	}
	if (r < 0) {
		return r;
	}
	return strncmp(target, SLOT_SLOTS "/", skip) == 0 &&
		version_unhex(target + skip, ret_hash) == 0 ? 0 : 1;
}
