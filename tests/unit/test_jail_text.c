/* SPDX-License-Identifier: Apache-2.0 */
/* What do helper and jail make of text that others wrote? */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "broker/helper_internal.h"

static void line_of_the_loader_is(const char *line, int wanted,
				  const char *name, const char *path)
{
	char got_name[MANIFEST_PATH] = "", got_path[MANIFEST_PATH] = "";

	assert_int_equal(jail_files_line(line, got_name, got_path), wanted);
	assert_string_equal(got_name, name);
	assert_string_equal(got_path, path);
}

static void reads_the_lines_of_the_loader(void **state)
{
	char longest[600];

	line_of_the_loader_is("\tlinux-vdso.so.1 (0x00007ffd)", 1, "", "");
	line_of_the_loader_is("\tliba.so.9 => /lib/x/liba.so.9 (0x7f)", 0,
			      "liba.so.9", "/lib/x/liba.so.9");
	line_of_the_loader_is("\t/lib64/ld.so.2 (0x7f)", 0, "/lib64/ld.so.2",
			      "/lib64/ld.so.2");
	line_of_the_loader_is("\tlibb.so => not found", -EBADMSG, "", "");
	line_of_the_loader_is("\tlibb.so => /x", -EBADMSG, "", "");
	line_of_the_loader_is("\t => /x (0x1)", -EBADMSG, "", "");
	line_of_the_loader_is("", 1, "", "");
	memset(longest, 'x', sizeof(longest));
	memcpy(longest, "a => /", 6);
	strcpy(longest + 590, " (0)");
	line_of_the_loader_is(longest, -EBADMSG, "", "");
}

static char said[8192];
static unsigned lines;

static void hear(void *context, const char *line)
{
	lines++;
	if (strlen(said) + strlen(line) + 2 < sizeof(said)) {
		strcat(strcat(said, line), "\n");
	}
}

static void product_says(const char *text, size_t length, mono_t when,
			 struct guest_text *reader, int in)
{
	said[0] = '\0';
	lines = 0;
	assert_int_equal(write(in, text, length), (ssize_t)length);
	guest_text_read(reader, when, hear, NULL);
}

static void cleans_and_splits_what_a_product_says(void **state)
{
	static const char dirty[] = "a\033[1m\x9b\tb\r\n\n\0c\nrest";
	struct guest_text reader;
	mono_t now = { 100 * MONO_S };
	char whole[700];
	int ends[2];

	assert_int_equal(pipe2(ends, O_NONBLOCK), 0);
	guest_text_init(&reader, ends[0]);
	product_says(dirty, sizeof(dirty) - 1, now, &reader, ends[1]);
	assert_string_equal(said, "a?[1m??b?\n?c\n");
	assert_true(mono_between(now, reader.again) > 0);
	product_says(" of it\n", 7, mono_add(now, MONO_S), &reader, ends[1]);
	assert_string_equal(said, "rest of it\n");
	memset(whole, 'w', sizeof(whole));
	product_says(whole, sizeof(whole), mono_add(now, 2 * MONO_S), &reader,
		     ends[1]);
	assert_int_equal(lines, 2);     /* cut at the longest line */
	close(ends[1]);
	guest_text_read(&reader, mono_add(now, 3 * MONO_S), hear, NULL);
	assert_int_equal(lines, 3);
	assert_int_equal(reader.fd, -1);
}

static void drops_and_counts_what_is_too_much(void **state)
{
	struct guest_text reader;
	mono_t now = { 100 * MONO_S };
	char flood[20000];
	int ends[2];

	assert_int_equal(pipe2(ends, O_NONBLOCK), 0);
	guest_text_init(&reader, ends[0]);
	for (size_t i = 0; i < sizeof(flood); i += 2) {
		memcpy(flood + i, "x\n", 2);
	}
	product_says(flood, sizeof(flood), now, &reader, ends[1]);
	assert_int_equal(lines, 20);
	product_says(flood, sizeof(flood), mono_add(now, MONO_S / 2), &reader,
		     ends[1]);
	assert_int_equal(lines, 0);
	product_says("y\n", 2, mono_add(now, MONO_S), &reader, ends[1]);
	assert_string_equal(said, "(19980 lines dropped)\ny\n");
	close(ends[0]);
	close(ends[1]);
}

static void refuses_files_that_are_not_roots_alone(void **state)
{
	char directory[] = "/tmp/test_jail_text.XXXXXX";
	char *text = NULL;
	size_t length = 0;
	int dir, r;

	assert_non_null(mkdtemp(directory));
	dir = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(file_write(dir, "f", "one", 3), 0);
	assert_int_equal(file_write(dir, "f", "other", 5), 0);
	assert_int_equal(file_read(dir, "f", false, &text, &length), 0);
	assert_string_equal(text, "other");
	free(text);
	assert_int_equal(fchmodat(dir, "f", 0664, 0), 0);
	text = NULL;
	assert_int_equal(file_read(dir, "f", true, &text, &length), -EPERM);
	assert_null(text);
	assert_int_equal(fchmodat(dir, "f", 0644, 0), 0);
	r = file_read(dir, "f", true, &text, &length);
	assert_int_equal(r, geteuid() == 0 ? 0 : -EPERM);
	free(text);
	assert_int_equal(mkfifoat(dir, "p", 0644), 0);
	assert_int_equal(file_read(dir, "p", false, &text, &length), -EINVAL);
	unlinkat(dir, "p", 0);
	unlinkat(dir, "f", 0);
	close(dir);
	assert_int_equal(rmdir(directory), 0);  /* nothing was left beside */
}

static void each_measure_says_what_is_lost(void **state)
{
	for (unsigned i = 0; i < JAIL_MEASURES; i++) {
		assert_true(jail_measures[i].what[0] != '\0');
		assert_true(jail_measures[i].cost[0] != '\0');
		assert_true(strlen(jail_measures[i].what) <
			    sizeof(((struct admin_doctor *)0)->what));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_the_lines_of_the_loader),
		cmocka_unit_test(cleans_and_splits_what_a_product_says),
		cmocka_unit_test(drops_and_counts_what_is_too_much),
		cmocka_unit_test(refuses_files_that_are_not_roots_alone),
		cmocka_unit_test(each_measure_says_what_is_lost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
