/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_bundle.c - can a bundle carry what was put in, and never anything
 * else, however it is written?
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "update/bundle.h"
#include "update/updater_file.h"

static const char *const names[] = {
	"metadata/1.root.json", "metadata/2.content%2Fscan.json",
	"targets/blob/00ff", "targets/content/scan/code/aa.1.json",
};

#define NAMES (sizeof(names) / sizeof(names[0]))

struct folders {
	char in[32], out[32];
	int in_fd, out_fd, file;        /* file: a bundle of names */
};

static int folders_setup(void **state)
{
	struct folders *f = calloc(1, sizeof(*f));
	struct bundle bundle = { .product = "scan" };
	size_t i;

	strcpy(f->in, "/tmp/bailey-in.XXXXXX");
	strcpy(f->out, "/tmp/bailey-out.XXXXXX");
	assert_non_null(mkdtemp(f->in));
	assert_non_null(mkdtemp(f->out));
	f->in_fd = open(f->in, O_RDONLY | O_DIRECTORY);
	f->out_fd = open(f->out, O_RDONLY | O_DIRECTORY);
	f->file = open("/tmp", O_TMPFILE | O_RDWR, 0600);
	assert_true(f->in_fd >= 0 && f->out_fd >= 0 && f->file >= 0);
	for (i = 0; i < NAMES; i++) {
		assert_int_equal(file_write(f->in_fd, names[i], names[i],
					    strlen(names[i])), 0);
	}
	/* in any order */
	for (i = NAMES; i-- > 0;) {
		assert_int_equal(bundle_add(&bundle, f->in_fd, names[i]), 0);
	}
	assert_int_equal(bundle_write(f->file, &bundle, f->in_fd), 0);
	bundle_fini(&bundle);
	*state = f;
	return 0;
}

static int folders_teardown(void **state)
{
	struct folders *f = *state;
	char command[128];

	close(f->in_fd);
	close(f->out_fd);
	close(f->file);
	snprintf(command, sizeof(command), "rm -rf '%s' '%s'", f->in, f->out);
	assert_int_equal(system(command), 0);
	free(f);
	return 0;
}

/* Reads the bundle from its start into out. */
static int carry(struct folders *f, char *why)
{
	struct bundle bundle;
	int r;

	assert_int_equal(lseek(f->file, 0, SEEK_SET), 0);
	r = bundle_open(f->file, &bundle);
	r = r < 0 ? r : bundle_extract(f->file, &bundle, f->out_fd);
	strcpy(why, bundle.why);
	bundle_fini(&bundle);
	return r;
}

static void what_was_put_in_comes_out(void **state)
{
	struct folders *f = *state;
	char why[BUNDLE_WHY];
	size_t i;

	assert_int_equal(carry(f, why), 0);
	for (i = 0; i < NAMES; i++) {
		uint8_t *bytes;
		size_t length;

		assert_int_equal(file_read(f->out_fd, names[i], 1000, &bytes,
					   &length), 0);
		assert_string_equal((char *)bytes, names[i]);
		free(bytes);
	}
}

/* Nothing beside a bundle that is there already is written over. */
static void what_is_there_already_is_not_written_over(void **state)
{
	struct folders *f = *state;
	char why[BUNDLE_WHY];

	assert_int_equal(mkdirat(f->out_fd, "metadata", 0755), 0);
	assert_int_equal(symlinkat("/tmp/bailey-not-there", f->out_fd,
				   "metadata/1.root.json"), 0);
	assert_int_equal(carry(f, why), -EEXIST);
	assert_non_null(strstr(why, "metadata/1.root.json"));
	assert_int_not_equal(access("/tmp/bailey-not-there", F_OK), 0);
}

static void every_cut_is_seen(void **state)
{
	struct folders *f = *state;
	off_t length = lseek(f->file, 0, SEEK_END), at;
	struct bundle bundle;

	for (at = length - 1; at >= 0; at -= at > 1600 ? 1 : 37) {
		int r;

		assert_int_equal(ftruncate(f->file, at), 0);
		assert_int_equal(lseek(f->file, 0, SEEK_SET), 0);
		r = bundle_open(f->file, &bundle);
		if (r == 0) {
			char command[96];

			r = bundle_extract(f->file, &bundle, f->out_fd);
			snprintf(command, sizeof(command), "rm -rf '%s'/*",
				 f->out);
			assert_int_equal(system(command), 0);
		}
		assert_int_equal(r, -EBADMSG);
		assert_non_null(strstr(bundle.why, "carry it over again"));
		bundle_fini(&bundle);
	}
}

static void every_changed_byte_is_seen(void **state)
{
	struct folders *f = *state;
	off_t length = lseek(f->file, 0, SEEK_END), at;
	char why[BUNDLE_WHY], command[96];

	snprintf(command, sizeof(command), "rm -rf '%s'/*", f->out);
	for (at = 0; at < length; at += at < 128 ? 1 : 53) {
		uint8_t byte;

		assert_int_equal(pread(f->file, &byte, 1, at), 1);
		byte ^= 0x20;
		assert_int_equal(pwrite(f->file, &byte, 1, at), 1);
		assert_true(carry(f, why) < 0);
		byte ^= 0x20;
		assert_int_equal(pwrite(f->file, &byte, 1, at), 1);
		assert_int_equal(system(command), 0);
	}
	assert_int_equal(pwrite(f->file, "", 1, length), 1);
	assert_int_equal(carry(f, why), -EBADMSG);
	assert_non_null(strstr(why, "more behind its end"));
}

/* ---- lists that no exporter writes ---- */

struct made {
	const char *first, *second;
	uint64_t length, total;
	uint32_t count;
	const char *why;
};

static int parse_made(const struct made *made, char *why)
{
	static uint8_t bytes[BUNDLE_HEAD + 2 * BUNDLE_ENTRY + BUNDLE_DIGEST];
	size_t n = made->second ? 2 : 1, i;
	size_t listed = BUNDLE_HEAD + n * BUNDLE_ENTRY;
	struct bundle bundle;
	int r;

	memset(bytes, 0, sizeof(bytes));
	memcpy(bytes, BUNDLE_MAGIC, 16);
	strcpy((char *)bytes + 16, "scan");
	for (i = 0; i < 4; i++) {
		bytes[48 + i] = (uint8_t)((made->count ? made->count : n) >>
					  (8 * i));
	}
	for (i = 0; i < 8; i++) {
		bytes[56 + i] = (uint8_t)(made->total >> (8 * i));
		bytes[BUNDLE_HEAD + 256 + i] =
			(uint8_t)(made->length >> (8 * i));
	}
	strncpy((char *)bytes + BUNDLE_HEAD, made->first, 256);
	if (made->second) {
		strncpy((char *)bytes + BUNDLE_HEAD + BUNDLE_ENTRY,
			made->second, 256);
	}
	EVP_Digest(bytes, listed, bytes + listed, NULL, EVP_sha256(), NULL);
	r = bundle_parse(bytes, listed + BUNDLE_DIGEST, &bundle);
	strcpy(why, bundle.why);
	bundle_fini(&bundle);
	return r;
}

static void names_that_leave_or_repeat_are_refused(void **state)
{
#define LONG32 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define LONG64 LONG32 LONG32
	static const struct made rows[] = {
		{ "/etc/passwd", NULL, 0, 0, 0, "the name" },
		{ "../metadata/x", NULL, 0, 0, 0, "the name" },
		{ "metadata/../../x", NULL, 0, 0, 0, "the name" },
		{ "metadata/..", NULL, 0, 0, 0, "the name" },
		{ "metadata/.x", NULL, 0, 0, 0, "the name" },
		{ "metadata/a/b", NULL, 0, 0, 0, "the name" },
		{ "metadata/", NULL, 0, 0, 0, "the name" },
		{ "metadata", NULL, 0, 0, 0, "the name" },
		{ "targets//x", NULL, 0, 0, 0, "the name" },
		{ "targets/x/", NULL, 0, 0, 0, "the name" },
		{ "targets/a\nb", NULL, 0, 0, 0, "the name" },
		{ "targets/a\\b", NULL, 0, 0, 0, "the name" },
		{ "targets/1/2/3/4/5/6/7/8/9", NULL, 0, 0, 0, "the name" },
		{ "trust/root.json", NULL, 0, 0, 0, "the name" },
		{ "status.json", NULL, 0, 0, 0, "the name" },
		{ "", NULL, 0, 0, 0, "the name" },
		{ "targets/" LONG64 LONG64 LONG64 LONG64, NULL, 0, 0, 0,
		  "the name" },
		{ "targets/b", "targets/a", 0, 0, 0, "out of order" },
		{ "targets/a", "targets/a", 0, 0, 0, "out of order" },
		{ "targets/a", NULL, (1u << 20) + 1, (1u << 20) + 1, 0,
		  "over the limit" },
		{ "metadata/a", NULL, (8u << 20) + 1, (8u << 20) + 1, 0,
		  "over the limit" },
		{ "targets/blob/a", NULL, (1ull << 30) + 1, (1ull << 30) + 1,
		  0, "over the limit" },
		{ "targets/a", NULL, UINT64_MAX, UINT64_MAX, 0,
		  "over the limit" },
		{ "targets/a", NULL, 5, 6, 0, "not the sum" },
		{ "targets/a", NULL, 0, 0, BUNDLE_FILES + 1, "20001 files" },
		{ "targets/a", NULL, 0, 0, UINT32_MAX, "files" },
	};
	static const struct made good = { "targets/a", "targets/b", 5, 5, 0,
					  NULL };
	char why[BUNDLE_WHY];
	size_t i;

	(void)state;
	assert_int_equal(parse_made(&good, why), 0);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (parse_made(&rows[i], why) != -EBADMSG ||
		    !strstr(why, rows[i].why)) {
			fail_msg("row %zu: %s", i, why);
		}
	}
}

static void what_is_no_regular_file_is_not_added(void **state)
{
	struct folders *f = *state;
	struct bundle bundle = { .product = "scan" };

	assert_int_equal(mkfifoat(f->in_fd, "metadata/fifo", 0600), 0);
	assert_int_equal(symlinkat("/etc/passwd", f->in_fd, "metadata/link"),
			 0);
	assert_true(bundle_add(&bundle, f->in_fd, "metadata/fifo") < 0);
	assert_true(bundle_add(&bundle, f->in_fd, "metadata/link") < 0);
	assert_true(bundle_add(&bundle, f->in_fd, "metadata") < 0);
	assert_true(bundle_add(&bundle, f->in_fd, "../x") < 0);
	assert_int_equal(bundle_write(f->file, &bundle, f->in_fd), -EBADMSG);
	bundle_fini(&bundle);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, folders_setup,               \
					     folders_teardown)
	const struct CMUnitTest tests[] = {
		T(what_was_put_in_comes_out),
		T(what_is_there_already_is_not_written_over),
		T(every_cut_is_seen),
		T(every_changed_byte_is_seen),
		T(what_is_no_regular_file_is_not_added),
		cmocka_unit_test(names_that_leave_or_repeat_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
