/* SPDX-License-Identifier: Apache-2.0 */
/* slot_make.c - a slot from a description and bytes that nobody trusts */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/sha256.h"
#include "base/text.h"
#include "content/slot.h"
#include "content/slot_internal.h"

/* An entry of a table that is sorted by hash. */
struct by_hash {
	const struct version_file *file;
};

struct maker {
	const struct slot_making *making;
	struct disk *disk;
	char *reason;
	char *bytes;                    /* own: SLOT_CHUNK */
	int slot;                       /* own: the one that is made */
	/* The last slot, if there is one and it can be used. */
	int last_files;                 /* own; -1 */
	struct version *last;           /* own; null */
	struct by_hash *by_hash;        /* own: last's files */
};

static void maker_fini(struct maker *maker)
{
	struct disk *disk = maker->disk;

	if (maker->slot >= 0) {
		disk->body->close(disk, maker->slot);
	}
	if (maker->last_files >= 0) {
		disk->body->close(disk, maker->last_files);
	}
	version_free(maker->last);
	free(maker->by_hash);
	free(maker->bytes);
}

/* ---- the last slot ---- */

static int compare_hash(const void *a, const void *b)
{
	const struct by_hash *left = a, *right = b;

	return memcmp(left->file->sha256, right->file->sha256, VERSION_HASH);
}

/* Without it everything is copied: no reason to fail. */
static void maker_last(struct maker *maker)
{
	const struct slot_making *making = maker->making;
	cleanup_free char *bytes = NULL;
	struct json_fault fault;
	size_t length;

	if (making->last == NULL ||
	    slot_description(maker->disk, making->slots, making->last, &bytes,
			     &length) < 0 ||
	    version_parse(bytes, length, &maker->last, &fault) < 0) {
		return;
	}
	maker->by_hash = calloc(maker->last->files, sizeof(*maker->by_hash));
	if (maker->by_hash == NULL) {
		return;
	}
	for (size_t i = 0; i < maker->last->files; i++) {
		maker->by_hash[i].file = &maker->last->file[i];
	}
	qsort(maker->by_hash, maker->last->files, sizeof(*maker->by_hash),
	      compare_hash);
	maker->last_files = slot_open(maker->disk, making->slots,
				      making->last, SLOT_FILES);
}

static const struct version_file *
last_has(const struct maker *maker, const struct version_file *file)
{
	struct by_hash wanted = { file }, *found;

	if (maker->last_files < 0 || maker->by_hash == NULL) {
		return NULL;
	}
	found = bsearch(&wanted, maker->by_hash, maker->last->files,
			sizeof(*maker->by_hash), compare_hash);
	return found != NULL && found->file->length == file->length ?
		found->file : NULL;
}

/* 0: linked; 1: to be copied. Its bytes are looked at first: what lay on a
 * disk for a month may have changed. */
static int link_last(struct maker *maker, const struct version_file *file,
		     int dir, const char *leaf)
{
	const struct version_file *old = last_has(maker, file);
	const char *old_leaf;
	int from, r;

	if (old == NULL) {
		return 1;
	}
	from = slot_parent(maker->disk, maker->last_files, old->path, false,
			   &old_leaf);
	if (from < 0) {
		return 1;
	}
	r = slot_file_check(maker->disk, from, old_leaf, old, true);
	if (r == 0) {
		r = maker->disk->body->link(maker->disk, from, old_leaf, dir,
					    leaf);
	}
	maker->disk->body->close(maker->disk, from);
	return r < 0 ? 1 : 0;
}

/* ---- one file ---- */

static int copy_bytes(struct maker *maker, int from, int to,
		      const struct version_file *file)
{
	struct slot_source *source = maker->making->source;
	uint8_t hash[VERSION_HASH];
	uint64_t length = 0;
	struct sha256 sha;
	ssize_t n = 1;
	int r = 0, end;

	sha256_begin(&sha);
	while (r == 0 && length <= file->length) {
		n = source->read(source, from, maker->bytes, SLOT_CHUNK);
		if (n <= 0) {
			r = (int)n;
			break;
		}
		sha256_add(&sha, maker->bytes, (size_t)n);
		/* One byte too many is enough to know. */
		if (length + (uint64_t)n <= file->length) {
			r = maker->disk->body->write(maker->disk, to, length,
						     maker->bytes, (size_t)n);
		}
		length += (uint64_t)n;
	}
	end = sha256_end(&sha, hash);
	if (r < 0 || end < 0) {
		return r < 0 ? r : end;
	}
	return length == file->length &&
		memcmp(hash, file->sha256, VERSION_HASH) == 0 ? 0 : -EBADMSG;
}

static int seal_file(struct maker *maker, int file)
{
	int r = maker->disk->body->set_mode(maker->disk, file,
					    SLOT_FILE_MODE);

	return r < 0 ? r : maker->disk->body->sync(maker->disk, file);
}

static int copy_file(struct maker *maker, const struct version_file *file,
		     int dir, const char *leaf)
{
	struct slot_source *source = maker->making->source;
	int from, r;
	int to = maker->disk->body->create(maker->disk, dir, leaf);

	if (to < 0) {
		/* Only the corpus may name a path twice, with the same
		 * bytes. */
		return to == -EEXIST ? 0 : to;
	}
	from = source->open(source, file->path, file->sha256);
	if (from < 0) {
		r = from;
	} else {
		r = copy_bytes(maker, from, to, file);
		source->close(source, from);
		r = r < 0 ? r : seal_file(maker, to);
	}
	maker->disk->body->close(maker->disk, to);
	return r;
}

static int make_file(struct maker *maker, int top, const char *shown,
		     const struct version_file *file)
{
	const char *leaf;
	int dir = slot_parent(maker->disk, top, file->path, true, &leaf);
	int r;

	if (dir < 0) {
		return slot_errno(maker->reason, dir, shown, file->path);
	}
	r = link_last(maker, file, dir, leaf);
	if (r > 0) {
		r = copy_file(maker, file, dir, leaf);
	}
	maker->disk->body->close(maker->disk, dir);
	switch (r) {
	case 0:
		return 0;
	case -EBADMSG:
		return slot_refuse(maker->reason, r, "%s %s is not what the "
				   "description says", shown, file->path);
	case -ENOENT:
		return slot_refuse(maker->reason, r, "%s %s is missing", shown,
				   file->path);
	default:
		return slot_errno(maker->reason, r, shown, file->path);
	}
}

/* ---- the slot ---- */

static int write_small(struct maker *maker, const char *name,
		       const void *bytes, size_t size)
{
	int file = maker->disk->body->create(maker->disk, maker->slot, name);
	int r;

	if (file < 0) {
		return slot_errno(maker->reason, file, "slot", name);
	}
	r = maker->disk->body->write(maker->disk, file, 0, bytes, size);
	r = r < 0 ? r : seal_file(maker, file);
	maker->disk->body->close(maker->disk, file);
	return r < 0 ? slot_errno(maker->reason, r, "slot", name) : 0;
}

static int make_description(struct maker *maker,
			    const uint8_t hash[VERSION_HASH])
{
	struct slot_expect expect;
	int r;

	slot_expect_fill(maker->making->version, hash, &expect);
	r = write_small(maker, SLOT_VERSION, maker->making->description,
			maker->making->length);
	return r < 0 ? r : write_small(maker, SLOT_EXPECT, &expect,
				       sizeof(expect));
}

static int make_files(struct maker *maker, int top)
{
	const struct version *version = maker->making->version;
	int r = 0;

	for (size_t i = 0; r == 0 && i < version->files; i++) {
		r = make_file(maker, top, "file", &version->file[i]);
	}
	return r;
}

static int make_corpus(struct maker *maker, int top)
{
	const struct version *version = maker->making->version;
	int r = 0;

	for (size_t i = 0; r == 0 && i < version->cases; i++) {
		r = make_file(maker, top, "corpus file",
			      &version->corpus[i].file);
	}
	return r;
}

static int make_below(struct maker *maker, const char *name,
		      int (*make)(struct maker *maker, int dir))
{
	struct disk *disk = maker->disk;
	int r = disk->body->make_dir(disk, maker->slot, name);
	int dir = r < 0 ? r : disk->body->open_dir(disk, maker->slot, name);

	if (dir < 0) {
		return slot_errno(maker->reason, dir, "slot", name);
	}
	r = make(maker, dir);
	disk->body->close(disk, dir);
	return r;
}

static int make_events(struct maker *maker)
{
	const struct version *version = maker->making->version;
	struct version_file events = version->events;

	if (!version->has_events) {
		return 0;
	}
	text_format(events.path, sizeof(events.path), "%s", SLOT_EVENTS);
	return make_file(maker, maker->slot, "recorded", &events);
}

struct seal {
	struct disk *disk;
	int dir;
};

static int seal_dir(struct disk *disk, int dir);

static int seal_entry(void *context, const char *name)
{
	const struct seal *seal = context;
	struct disk_stat st;
	int r = seal->disk->body->stat(seal->disk, seal->dir, name, &st);
	int dir;

	if (r < 0 || st.type != DISK_DIR) {
		return r;
	}
	dir = seal->disk->body->open_dir(seal->disk, seal->dir, name);
	if (dir < 0) {
		return dir;
	}
	r = seal_dir(seal->disk, dir);
	seal->disk->body->close(seal->disk, dir);
	return r;
}

/* Leaves first: a directory is synced when what it names is. */
static int seal_dir(struct disk *disk, int dir)
{
	struct seal seal = { disk, dir };
	int r = disk->body->list(disk, dir, seal_entry, &seal);

	r = r < 0 ? r : disk->body->set_mode(disk, dir, SLOT_DIR_MODE);
	return r < 0 ? r : disk->body->sync(disk, dir);
}

static int fill(struct maker *maker, const uint8_t hash[VERSION_HASH])
{
	int r = make_description(maker, hash);

	r = r < 0 ? r : make_below(maker, SLOT_FILES, make_files);
	r = r < 0 ? r : make_below(maker, SLOT_CORPUS, make_corpus);
	r = r < 0 ? r : make_events(maker);
	if (r < 0) {
		return r;
	}
	r = seal_dir(maker->disk, maker->slot);
	return r < 0 ? slot_errno(maker->reason, r, "slot", "sync") : 0;
}

static int begin(struct maker *maker, const char *part)
{
	struct disk *disk = maker->disk;
	int slots = maker->making->slots;
	int r = disk_remove_tree(disk, slots, part);

	r = r < 0 ? r : disk->body->make_dir(disk, slots, part);
	if (r < 0) {
		return slot_errno(maker->reason, r, "slot", part);
	}
	maker->slot = disk->body->open_dir(disk, slots, part);
	return maker->slot < 0 ? slot_errno(maker->reason, maker->slot,
					    "slot", part) : 0;
}

static int into_place(struct maker *maker, const char *part, const char *name)
{
	struct disk *disk = maker->disk;
	int slots = maker->making->slots;
	int r = disk_remove_tree(disk, slots, name);

	r = r < 0 ? r : disk->body->rename(disk, slots, part, name);
	r = r < 0 ? r : disk->body->sync(disk, slots);
	return r < 0 ? slot_errno(maker->reason, r, "slot", name) : 0;
}

int slot_make(const struct slot_making *making, char ret_reason[SLOT_REASON])
{
	struct maker maker = {
		.making = making, .disk = making->disk, .reason = ret_reason,
		.bytes = malloc(SLOT_CHUNK), .slot = -1, .last_files = -1,
	};
	uint8_t hash[VERSION_HASH];
	char name[VERSION_HEX], part[SLOT_NAME];
	int r = maker.bytes == NULL ? -ENOMEM : 0;

	version_hash(making->description, making->length, hash);
	version_hex(hash, name);
	snprintf(part, sizeof(part), "%s%s", name, SLOT_PART);
	r = r < 0 ? r : begin(&maker, part);
	if (r == 0) {
		maker_last(&maker);
		r = fill(&maker, hash);
	}
	r = r < 0 ? r : into_place(&maker, part, name);
	maker_fini(&maker);
	return r;
}
