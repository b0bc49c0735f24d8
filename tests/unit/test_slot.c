/* SPDX-License-Identifier: Apache-2.0 */
/* Is a slot exactly what its description says, on a real disk too? And do both
 * bodies of the disk say the same? */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "content/slot.h"
#include "lib/cut_disk.h"
#include "lib/made_version.h"

static struct made_source source;
static struct made_version made[8];
static char folder[] = "/tmp/test_slot.XXXXXX";
static char reason[SLOT_REASON];
static int slots;                       /* on the real disk */

static int group_setup(void **state)
{
	made_source_init(&source);
	for (unsigned i = 0; i < 8; i++) {
		made_version(&source, i + 1, 0, &made[i]);
	}
	return 0;
}

static int setup(void **state)
{
	strcpy(folder + strlen(folder) - 6, "XXXXXX");
	assert_non_null(mkdtemp(folder));
	slots = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(slots >= 0);
	source.fault = MADE_NONE;
	source.opened = 0;
	return 0;
}

static int teardown(void **state)
{
	close(slots);
	assert_int_equal(disk_remove_tree(disk_real(), AT_FDCWD, folder), 0);
	return 0;
}

static int make(struct disk *disk, int dir, unsigned n, const uint8_t *last)
{
	struct slot_making making = {
		disk, dir, made[n].text, made[n].length, NULL, &source.source,
		last,
	};
	struct version *version = NULL;
	struct json_fault fault;
	int r;

	assert_int_equal(version_parse(made[n].text, made[n].length, &version,
				       &fault), 0);
	making.version = version;
	r = slot_make(&making, reason);
	version_free(version);
	return r;
}

static int check(unsigned n, bool whole)
{
	return slot_check(disk_real(), slots, made[n].hash, whole, reason);
}

/* path in the slot of version n */
static const char *in_slot(unsigned n, const char *path)
{
	static char full[512];
	char name[VERSION_HEX];

	version_hex(made[n].hash, name);
	snprintf(full, sizeof(full), "%s/%s/%s", folder, name, path);
	return full;
}

static struct stat stat_of(unsigned n, const char *path)
{
	struct stat st;

	assert_int_equal(lstat(in_slot(n, path), &st), 0);
	return st;
}

static void open_up(unsigned n, const char *path)
{
	assert_int_equal(chmod(in_slot(n, path), 0755), 0);
}

static void test_whole(void **state)
{
	struct slot_expect expect;
	int fd;

	assert_int_equal(make(disk_real(), slots, 3, NULL), 0);
	assert_int_equal(check(3, false), 0);
	assert_int_equal(check(3, true), 0);
	assert_int_equal(stat_of(3, "files/rules.yar").st_mode, S_IFREG | 0444);
	assert_int_equal(stat_of(3, "files/set/deep").st_mode, S_IFDIR | 0555);
	assert_int_equal(stat_of(3, "corpus/eicar").st_mode, S_IFREG | 0444);
	assert_int_equal(stat_of(3, "events").st_mode, S_IFREG | 0444);
	assert_int_equal(stat_of(3, ".").st_mode, S_IFDIR | 0555);
	fd = open(in_slot(3, "expect"), O_RDONLY);
	assert_int_equal(read(fd, &expect, sizeof(expect)), sizeof(expect));
	close(fd);
	assert_true(slot_expect_good(&expect));
	assert_string_equal(expect.schema, MADE_SCHEMA);
	assert_int_equal(expect.fields, MADE_FIELDS);
	assert_int_equal(expect.number, 4);
	assert_memory_equal(expect.hash, made[3].hash, VERSION_HASH);
}

/* What the last slot has too costs no copy, if it still is what it was. */
static void test_linked(void **state)
{
	int fd;

	assert_int_equal(make(disk_real(), slots, 0, NULL), 0);
	source.opened = 0;
	assert_int_equal(make(disk_real(), slots, 1, made[0].hash), 0);
	assert_int_equal(stat_of(0, "files/set/deep/big.bin").st_ino,
			 stat_of(1, "files/set/deep/big.bin").st_ino);
	assert_int_equal(stat_of(0, "files/set/common.yar").st_ino,
			 stat_of(1, "files/set/common.yar").st_ino);
	assert_int_not_equal(stat_of(0, "files/rules.yar").st_ino,
			     stat_of(1, "files/rules.yar").st_ino);
	assert_int_equal(source.opened, 2);     /* rules and the corpus */
	assert_int_equal(check(1, true), 0);
	/* bit rot in the old one does not come along */
	open_up(1, "files/set/deep/big.bin");
	fd = open(in_slot(1, "files/set/deep/big.bin"), O_WRONLY);
	assert_int_equal(pwrite(fd, "?", 1, 700), 1);
	close(fd);
	assert_int_equal(chmod(in_slot(1, "files/set/deep/big.bin"), 0444), 0);
	assert_int_equal(check(1, false), 0);
	assert_int_equal(check(1, true), -EBADMSG);
	assert_int_equal(make(disk_real(), slots, 2, made[1].hash), 0);
	assert_int_equal(check(2, true), 0);
	/* the old slot gone, the new one stays whole */
	assert_int_equal(slot_remove(disk_real(), slots, made[0].hash), 0);
	assert_int_equal(check(2, true), 0);
}

static void test_bad_source(void **state)
{
	static const struct {
		enum made_fault fault;
		int wanted;
		const char *says;
	} row[] = {
		{ MADE_MISSING, -ENOENT, "missing" },
		{ MADE_SHORT, -EBADMSG, "not what the description says" },
		{ MADE_LONG, -EBADMSG, "not what the description says" },
		{ MADE_CHANGED, -EBADMSG, "not what the description says" },
		{ MADE_UNREADABLE, -EIO, "Input/output error" },
	};
	const char *file[] = { made_path[0], made_path[1], made_path[2],
			       "eicar" };

	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		for (unsigned in = 0; in < 4; in++) {
			source.opened = 0;
			source.in = in;
			source.fault = row[i].fault;
			if (row[i].fault == MADE_UNREADABLE && in != 2) {
				continue;       /* shorter than one read */
			}
			assert_int_equal(make(disk_real(), slots, 0, NULL),
					 row[i].wanted);
			assert_non_null(strstr(reason, row[i].says));
			assert_non_null(strstr(reason, file[in]));
			assert_int_equal(check(0, false), -ENOENT);
		}
	}
	source.fault = MADE_NONE;
	assert_int_equal(make(disk_real(), slots, 0, NULL), 0);
	assert_int_equal(check(0, true), 0);
}

/* Each of these is seen without reading all the files. */
static void test_changed_form(void **state)
{
	assert_int_equal(make(disk_real(), slots, 3, NULL), 0);
	assert_int_equal(chmod(in_slot(3, "files/rules.yar"), 0644), 0);
	assert_int_equal(check(3, false), -EBADMSG);
	assert_int_equal(truncate(in_slot(3, "files/rules.yar"), 5), 0);
	assert_int_equal(chmod(in_slot(3, "files/rules.yar"), 0444), 0);
	assert_int_equal(check(3, false), -EBADMSG);
	assert_non_null(strstr(reason, "files/rules.yar"));
	/* made again in its place */
	assert_int_equal(make(disk_real(), slots, 3, NULL), 0);
	assert_int_equal(check(3, false), 0);
	open_up(3, "files/set");
	assert_int_equal(check(3, false), -EBADMSG);
	assert_int_equal(unlink(in_slot(3, "files/set/common.yar")), 0);
	assert_int_equal(check(3, false), -EBADMSG);
	assert_int_equal(symlink("/etc/passwd",
				 in_slot(3, "files/set/common.yar")), 0);
	assert_int_equal(check(3, false), -EBADMSG);
}

static void test_something_more(void **state)
{
	assert_int_equal(make(disk_real(), slots, 3, NULL), 0);
	open_up(3, "corpus");
	assert_int_equal(symlink("/", in_slot(3, "corpus/more")), 0);
	assert_int_equal(chmod(in_slot(3, "corpus"), 0555), 0);
	assert_int_equal(check(3, false), -EBADMSG);
	assert_non_null(strstr(reason, "files, the description has"));
	assert_int_equal(make(disk_real(), slots, 3, NULL), 0);
	open_up(3, "expect");
	assert_int_equal(truncate(in_slot(3, "expect"), 10), 0);
	assert_int_equal(check(3, false), -EBADMSG);
	assert_int_equal(make(disk_real(), slots, 3, NULL), 0);
	open_up(3, ".");
	assert_int_equal(unlink(in_slot(3, "version.json")), 0);
	assert_int_equal(check(3, false), -EBADMSG);
}

static bool keep_first(void *context, const uint8_t hash[VERSION_HASH])
{
	return memcmp(hash, made[0].hash, VERSION_HASH) == 0;
}

static void test_sweep(void **state)
{
	struct stat st;

	assert_int_equal(make(disk_real(), slots, 0, NULL), 0);
	assert_int_equal(make(disk_real(), slots, 1, NULL), 0);
	source.opened = 0;
	source.in = 3;
	source.fault = MADE_SHORT;
	assert_int_equal(make(disk_real(), slots, 2, NULL), -EBADMSG);
	assert_int_equal(mkdirat(slots, "lost", 0700), 0);
	assert_int_equal(symlinkat("/", slots, "link"), 0);
	assert_int_equal(slot_sweep(disk_real(), slots, keep_first, NULL), 0);
	assert_int_equal(check(0, true), 0);
	assert_int_equal(unlinkat(slots, "lost", AT_REMOVEDIR), -1);
	assert_int_equal(check(1, false), -ENOENT);
	assert_int_equal(slot_remove(disk_real(), slots, made[0].hash), 0);
	/* only `.` and `..` */
	assert_int_equal(fstat(slots, &st), 0);
	assert_int_equal(st.st_nlink, 2);
}

static void test_current(void **state)
{
	uint8_t hash[VERSION_HASH];

	assert_int_equal(slot_pointed(disk_real(), slots, hash), 1);
	assert_int_equal(slot_point(disk_real(), slots, NULL), 0);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(slot_point(disk_real(), slots, made[i].hash),
				 0);
		assert_int_equal(slot_pointed(disk_real(), slots, hash), 0);
		assert_memory_equal(hash, made[i].hash, VERSION_HASH);
	}
	/* a left-over of one that was cut short */
	assert_int_equal(symlinkat("x", slots, "current.new"), 0);
	assert_int_equal(slot_point(disk_real(), slots, made[0].hash), 0);
	assert_int_equal(slot_point(disk_real(), slots, NULL), 0);
	assert_int_equal(slot_pointed(disk_real(), slots, hash), 1);
	assert_int_equal(symlinkat("slots/../../etc", slots, "current"), 0);
	assert_int_equal(slot_pointed(disk_real(), slots, hash), 1);
}

/* From a repository's blobs, among which lies what is not a file. */
static void test_blobs(void **state)
{
	struct slot_blobs blobs;
	char name[VERSION_HEX];
	uint8_t odd[VERSION_HASH] = { 1 };
	int fd;

	slot_blobs_init(&blobs, slots);
	version_hex(odd, name);
	assert_int_equal(blobs.source.open(&blobs.source, "x", odd), -ENOENT);
	assert_int_equal(mkfifoat(slots, name, 0600), 0);
	assert_int_equal(blobs.source.open(&blobs.source, "x", odd),
			 -EBADMSG);
	assert_int_equal(unlinkat(slots, name, 0), 0);
	assert_int_equal(symlinkat("/etc/passwd", slots, name), 0);
	assert_int_equal(blobs.source.open(&blobs.source, "x", odd),
			 -EBADMSG);
	assert_int_equal(unlinkat(slots, name, 0), 0);
	assert_int_equal(mkdirat(slots, name, 0700), 0);
	assert_int_equal(blobs.source.open(&blobs.source, "x", odd),
			 -EBADMSG);
	for (size_t i = 0; i < source.blobs; i++) {
		version_hex(source.blob[i].hash, name);
		fd = openat(slots, name, O_WRONLY | O_CREAT, 0600);
		assert_int_equal(write(fd, source.blob[i].bytes,
				       source.blob[i].length),
				 (ssize_t)source.blob[i].length);
		close(fd);
	}
	{
		struct slot_making making = {
			disk_real(), slots, made[3].text, made[3].length,
			NULL, &blobs.source, NULL,
		};
		struct version *version = NULL;
		struct json_fault fault;

		assert_int_equal(version_parse(made[3].text, made[3].length,
					       &version, &fault), 0);
		making.version = version;
		assert_int_equal(slot_make(&making, reason), 0);
		version_free(version);
	}
	assert_int_equal(check(3, true), 0);
}

/* ---- the disk in memory behaves like the kernel's ---- */

struct script {
	struct disk *disk;
	int dir;
	int results[64];
	size_t count;
};

static void note(struct script *script, int r)
{
	/* Which handle it is does not matter. */
	assert_true(script->count < 64);
	script->results[script->count++] = r > 0 ? 1 : r;
}

static int count_names(void *context, const char *name)
{
	int *count = context;

	(*count)++;
	return strcmp(name, "stop") == 0 ? -ECANCELED : 0;
}

static void play_names(struct script *s, const struct disk_body *b)
{
	int count = 0;

	note(s, b->make_dir(s->disk, s->dir, "d"));
	note(s, b->make_dir(s->disk, s->dir, "d"));
	note(s, b->create(s->disk, s->dir, "d"));
	note(s, b->make_link(s->disk, "to", s->dir, "l"));
	note(s, b->make_link(s->disk, "to", s->dir, "l"));
	note(s, b->open_dir(s->disk, s->dir, "l"));
	note(s, b->open_read(s->disk, s->dir, "l"));
	note(s, b->open_read(s->disk, s->dir, "d"));
	note(s, b->open_write(s->disk, s->dir, "d"));
	note(s, b->open_dir(s->disk, s->dir, "f"));
	note(s, b->open_dir(s->disk, s->dir, "none"));
	note(s, b->open_read(s->disk, s->dir, "none"));
	note(s, b->unlink(s->disk, s->dir, "none"));
	note(s, b->unlink(s->disk, s->dir, "d"));
	note(s, b->rename(s->disk, s->dir, "none", "x"));
	note(s, b->link(s->disk, s->dir, "none", s->dir, "x"));
	note(s, b->link(s->disk, s->dir, "f", s->dir, "d"));
	note(s, b->link(s->disk, s->dir, "f", s->dir, "g"));
	note(s, b->rename(s->disk, s->dir, "g", "h"));
	note(s, b->rename(s->disk, s->dir, "h", "f"));
	note(s, b->remove_dir(s->disk, s->dir, "none"));
	note(s, b->list(s->disk, s->dir, count_names, &count));
	note(s, count);
	note(s, b->create(s->disk, s->dir, "stop"));
	note(s, b->list(s->disk, s->dir, count_names, &count));
}

static void play_files(struct script *s, const struct disk_body *b)
{
	char text[64] = "";
	struct disk_stat st = { 0 };
	int f = b->create(s->disk, s->dir, "f");

	note(s, f);
	note(s, b->write(s->disk, f, 0, "hello", 5));
	note(s, b->write(s->disk, f, 10, "there", 5));
	note(s, (int)b->read(s->disk, f, 0, text, sizeof(text)));
	assert_memory_equal(text, "hello\0\0\0\0\0there", 15);
	note(s, (int)b->read(s->disk, f, 15, text, sizeof(text)));
	note(s, b->set_mode(s->disk, f, 0444));
	note(s, b->sync(s->disk, f));
	note(s, b->stat(s->disk, s->dir, "f", &st));
	note(s, st.type == DISK_FILE && st.mode == 0444 && st.size == 15);
	note(s, b->stat(s->disk, s->dir, "none", &st));
	note(s, b->read_link(s->disk, s->dir, "f", text, sizeof(text)));
	note(s, b->read_link(s->disk, s->dir, "none", text, sizeof(text)));
	b->close(s->disk, f);
}

static void play_rest(struct script *s, const struct disk_body *b)
{
	char text[64] = "";
	int d = b->open_dir(s->disk, s->dir, "d");
	int one, two;

	note(s, b->create(s->disk, d, "in"));
	note(s, b->remove_dir(s->disk, s->dir, "d"));
	note(s, b->read_link(s->disk, s->dir, "l", text, sizeof(text)));
	assert_string_equal(text, "to");
	note(s, b->read_link(s->disk, s->dir, "l", text, 2));
	note(s, b->sync(s->disk, d));
	b->close(s->disk, d);
	one = b->open_dir(s->disk, s->dir, ".");
	two = b->open_dir(s->disk, s->dir, ".");
	note(s, b->lock(s->disk, one));
	note(s, b->lock(s->disk, two));
	b->close(s->disk, one);
	note(s, b->lock(s->disk, two));
	b->close(s->disk, two);
	note(s, disk_point(s->disk, s->dir, "l", "elsewhere"));
	note(s, disk_remove_tree(s->disk, s->dir, "d"));
	note(s, disk_remove_tree(s->disk, s->dir, "d"));
	note(s, b->stat(s->disk, s->dir, "d", &(struct disk_stat){ 0 }));
}

static void play(struct script *script)
{
	play_files(script, script->disk->body);
	play_names(script, script->disk->body);
	play_rest(script, script->disk->body);
}

static void test_bodies_agree(void **state)
{
	struct cut_disk *cut = cut_disk_new();
	struct script real = { disk_real(), slots, { 0 }, 0 };
	struct script mine = { cut_disk_disk(cut), cut_disk_top(cut), { 0 },
			       0 };

	play(&real);
	play(&mine);
	assert_int_equal(real.count, mine.count);
	for (size_t i = 0; i < real.count; i++) {
		if (real.results[i] != mine.results[i]) {
			print_error("call %zu\n", i);
		}
		assert_int_equal(real.results[i], mine.results[i]);
	}
	cut_disk_free(cut);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_whole),
		TEST(test_linked),
		TEST(test_bad_source),
		TEST(test_changed_form),
		TEST(test_something_more),
		TEST(test_sweep),
		TEST(test_current),
		TEST(test_blobs),
		TEST(test_bodies_agree),
	};

	return cmocka_run_group_tests(tests, group_setup, NULL);
}
