/* SPDX-License-Identifier: Apache-2.0 */
/* Is a target only ever what its metadata says, is one that is there not
 * fetched again, and does a transfer that broke go on where it stopped? */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/sha.h>

#include "tuf_case.h"

static void have(const char *name, const char *text)
{
	const char *got = sim_downloaded(&c, name);

	assert_non_null(got);
	assert_string_equal(got, text);
}

/* What the repository has under path is other than what it says. */
static void swap_text(const char *path, const char *text)
{
	for (size_t i = 0; i < s->target_count; i++) {
		if (strcmp(s->targets[i].name, path) == 0) {
			free(s->targets[i].data.bytes);
			s->targets[i].data.bytes = (uint8_t *)strdup(text);
			s->targets[i].data.length = strlen(text);
			return;
		}
	}
	fail();
}

static void test_by_its_hash(void **state)
{
	char want[200], hex[65];
	uint8_t digest[32];

	sim_add_target(s, "targets", "path/to/a/file.txt", "content");
	sim_publish(s, "targets snapshot timestamp");
	sim_expect(&c, sim_download(&c, "path/to/a/file.txt"), 0);
	have("path%2Fto%2Fa%2Ffile.txt", "content");
	SHA256((const uint8_t *)"content", 7, digest);
	for (size_t i = 0; i < 32; i++) {
		sprintf(hex + 2 * i, "%02x", digest[i]);
	}
	snprintf(want, sizeof(want), "path/to/a/%s.file.txt", hex);
	assert_non_null(strstr(s->log, want));
	assert_int_equal(sim_target_files(&c), 1);
}

static void test_not_fetched_again(void **state)
{
	sim_add_target(s, "targets", "file", "content");
	sim_publish(s, "targets snapshot timestamp");
	sim_expect(&c, sim_download(&c, "file"), 0);
	swap_text("file", "evil!!!");
	sim_clear_log(s);
	sim_expect(&c, sim_download(&c, "file"), 0);
	assert_string_equal(s->log, "2.root.json timestamp.json");
	have("file", "content");
}

static void test_substituted(void **state)
{
	static const char *const bad[] = { "evil!!!", "longer than it is",
					   "short", "" };

	sim_add_target(s, "targets", "file", "content");
	sim_add_target(s, "targets", "other", "another");
	sim_publish(s, "targets snapshot timestamp");
	sim_expect(&c, sim_download(&c, "other"), 0);
	for (size_t i = 0; i < 4; i++) {
		swap_text("file", bad[i]);
		sim_expect(&c, sim_download(&c, "file"),
			   strlen(bad[i]) > 7 ? -EFBIG : -EBADMSG);
		assert_int_equal(sim_target_files(&c), 1);
	}
	swap_text("file", "content");
	sim_expect(&c, sim_download(&c, "file"), 0);
	have("file", "content");
}

static void test_changes(void **state)
{
	char text[64];

	for (int i = 0; i < 12; i++) {
		snprintf(text, sizeof(text), "modified %d", i);
		sim_add_target(s, "targets", "file", text);
		sim_publish(s, "targets snapshot timestamp");
		if (i % 3 == 0) {
			sim_expect(&c, sim_download(&c, "file"), 0);
			have("file", text);
			assert_int_equal(sim_target_files(&c), 1);
		}
	}
	/* newly listed, but an old one is served: the old one stays */
	sim_add_target(s, "targets", "file", "the newest");
	sim_publish(s, "targets snapshot timestamp");
	swap_text("file", "modified 9");
	sim_expect(&c, sim_download(&c, "file"), -EBADMSG);
	have("file", "modified 9");
	assert_int_equal(sim_target_files(&c), 1);
}

static void set_hashes(const char *path, const char *key, const char *text,
		       bool alone)
{
	json_t *hashes = json_object_get(json_object_get(json_object_get(
		sim_body(s, "targets"), "targets"), path), "hashes");
	uint8_t digest[64];
	char hex[129];

	SHA512((const uint8_t *)text, strlen(text), digest);
	for (size_t i = 0; i < 64; i++) {
		sprintf(hex + 2 * i, "%02x", digest[i]);
	}
	if (alone) {
		json_object_clear(hashes);
	}
	json_object_set_new(hashes, key, json_string(hex));
	sim_publish(s, "targets snapshot timestamp");
}

static void test_hash_functions(void **state)
{
	sim_add_target(s, "targets", "file", "content");
	set_hashes("file", "sha512", "content", false);
	sim_expect(&c, sim_download(&c, "file"), 0);
	/* both must be right */
	sim_add_target(s, "targets", "file2", "content");
	set_hashes("file2", "sha512", "another", false);
	sim_expect(&c, sim_download(&c, "file2"), -EBADMSG);
	set_hashes("file2", "sha512", "content", true);
	sim_expect(&c, sim_download(&c, "file2"), 0);
	/* one that we do not know beside one that we do */
	set_hashes("file", "sha3", "whatever", false);
	sim_expect(&c, sim_download(&c, "file"), 0);
	sim_add_target(s, "targets", "file3", "content");
	set_hashes("file3", "sha3", "content", true);
	sim_expect(&c, sim_download(&c, "file3"), -EBADMSG);
	assert_string_equal(c.why,
			    "file3: hashes: neither sha256 nor sha512");
	/* and it spoils no other */
	sim_expect(&c, sim_download(&c, "file"), 0);
	assert_int_equal(sim_target_files(&c), 2);
}

static void test_empty(void **state)
{
	sim_add_target(s, "targets", "file", "");
	sim_publish(s, "targets snapshot timestamp");
	sim_expect(&c, sim_download(&c, "file"), 0);
	have("file", "");
	swap_text("file", "x");
	assert_int_equal(sim_target_files(&c), 1);
}

static void test_absent(void **state)
{
	sim_add_target(s, "targets", "file", "content");
	sim_publish(s, "targets snapshot timestamp");
	s->no_targets = true;
	sim_expect(&c, sim_download(&c, "file"), -ENODATA);
	sim_expect(&c, sim_download(&c, "nobody's"), TUF_NO_TARGET);
	assert_int_equal(sim_target_files(&c), 0);
}

static void test_paths_that_lead_elsewhere(void **state)
{
	static const char *const paths[] = { "/file", "../file", "a/../file",
					     "./file", "a//file", "file/",
					     "a/..", "." };

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		sim_add_target(s, "targets", paths[i], "content");
	}
	sim_add_target(s, "targets", "..file/a..b/%2e%2e?#", "odd");
	sim_publish(s, "targets snapshot timestamp");
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		sim_expect(&c, sim_download(&c, paths[i]), -EBADMSG);
	}
	sim_expect(&c, sim_download(&c, "..file/a..b/%2e%2e?#"), 0);
	assert_non_null(strstr(s->log, ".%252e%252e%3F%23"));
}

static const char *large(void)
{
	static char text[20001];

	for (size_t i = 0; i < sizeof(text) - 1; i++) {
		text[i] = (char)('a' + i * i % 23);
	}
	return text;
}

/* The name under which the repository was asked for the target. */
static const char *remote_name(void)
{
	static char name[200];
	const char *last = strrchr(s->log, ' ');

	snprintf(name, sizeof(name), "%s", last + 1);
	return name;
}

static void break_off(uint64_t at)
{
	sim_add_target(s, "targets", "file", large());
	sim_publish(s, "targets snapshot timestamp");
	s->no_targets = true;
	sim_expect(&c, sim_download(&c, "file"), -ENODATA);
	s->fail_name = remote_name();
	s->no_targets = false;
	s->fail = -ECONNRESET;
	s->cut = at;
	sim_expect(&c, sim_download(&c, "file"), -ECONNRESET);
	assert_int_equal(sim_target_files(&c), at > 0);
}

static void test_goes_on(void **state)
{
	char *bad;

	break_off(7000);
	s->cut = 13000;
	sim_expect(&c, sim_download(&c, "file"), -ECONNRESET);
	/* the first 13000 bytes are not asked for again */
	bad = strdup(large());
	memset(bad, 'x', 13000);
	swap_text("file", bad);
	free(bad);
	s->fail_name = NULL;
	sim_expect(&c, sim_download(&c, "file"), 0);
	have("file", large());
	assert_int_equal(sim_target_files(&c), 1);
}

static void test_broke_at_once(void **state)
{
	break_off(0);
	s->fail_name = NULL;
	sim_expect(&c, sim_download(&c, "file"), 0);
	have("file", large());
}

/* The server knows no ranges, and sends all of it again. */
static void test_starts_again(void **state)
{
	break_off(7000);
	s->fail_name = NULL;
	s->no_range = true;
	sim_expect(&c, sim_download(&c, "file"), 0);
	have("file", large());
	assert_int_equal(sim_target_files(&c), 1);
}

/* What is there is of another version: once more from the start. */
static void test_part_of_another_version(void **state)
{
	char path[200];
	FILE *part;

	break_off(7000);
	s->fail_name = NULL;
	snprintf(path, sizeof(path), "%s/.file.part", c.targets);
	part = fopen(path, "r+");
	assert_non_null(part);
	fputs("something else", part);
	fclose(part);
	sim_expect(&c, sim_download(&c, "file"), 0);
	have("file", large());
	/* longer than the whole */
	sim_add_target(s, "targets", "file", "now short");
	sim_publish(s, "targets snapshot timestamp");
	part = fopen(path, "w");
	assert_non_null(part);
	fputs(large(), part);
	fclose(part);
	sim_expect(&c, sim_download(&c, "file"), 0);
	have("file", "now short");
}

static void test_into_memory(void **state)
{
	cleanup_fetch struct fetch *metadata = sim_fetch(s, true);
	cleanup_fetch struct fetch *targets = sim_fetch(s, false);
	struct tuf_target target;
	uint8_t *bytes = NULL;
	size_t length = 0;
	struct tuf *tuf;

	sim_add_target(s, "targets", "file", "content");
	sim_publish(s, "targets snapshot timestamp");
	tuf = sim_handle(&c);
	assert_int_equal(tuf_find(tuf, metadata, "file", &target), 0);
	assert_int_equal(target.length, 7);
	assert_string_equal(target.role, "targets");
	assert_int_equal(target.role_version, 2);
	assert_int_equal(tuf_target_bytes(tuf, targets, &target, 6, &bytes,
					  &length), -EFBIG);
	assert_int_equal(tuf_target_bytes(tuf, targets, &target, 7, &bytes,
					  &length), 0);
	assert_int_equal(length, 7);
	assert_string_equal((char *)bytes, "content");
	free(bytes);
	swap_text("file", "contenT");
	assert_int_equal(tuf_target_bytes(tuf, targets, &target, 7, &bytes,
					  &length), -EBADMSG);
	swap_text("file", "conten");
	assert_int_equal(tuf_target_bytes(tuf, targets, &target, 7, &bytes,
					  &length), -EBADMSG);
	swap_text("file", "content and more");
	assert_int_equal(tuf_target_bytes(tuf, targets, &target, 7, &bytes,
					  &length), -EFBIG);
}

/* What stands in the way is not written through. */
static void test_links_in_the_way(void **state)
{
	char link[200], elsewhere[200];
	struct stat status;

	sim_add_target(s, "targets", "file", "content");
	sim_publish(s, "targets snapshot timestamp");
	snprintf(elsewhere, sizeof(elsewhere), "%s/elsewhere", c.folder);
	snprintf(link, sizeof(link), "%s/.file.part", c.targets);
	assert_int_equal(symlink(elsewhere, link), 0);
	sim_expect(&c, sim_download(&c, "file"), -ELOOP);
	assert_int_equal(lstat(elsewhere, &status), -1);
	assert_int_equal(unlink(link), 0);
	snprintf(link, sizeof(link), "%s/file", c.targets);
	assert_int_equal(symlink(elsewhere, link), 0);
	sim_expect(&c, sim_download(&c, "file"), 0);
	assert_int_equal(lstat(link, &status), 0);
	assert_true(S_ISREG(status.st_mode));
	assert_int_equal(lstat(elsewhere, &status), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		EACH(test_by_its_hash),
		EACH(test_not_fetched_again),
		EACH(test_substituted),
		EACH(test_changes),
		EACH(test_hash_functions),
		EACH(test_empty),
		EACH(test_absent),
		EACH(test_paths_that_lead_elsewhere),
		EACH(test_goes_on),
		EACH(test_broke_at_once),
		EACH(test_starts_again),
		EACH(test_part_of_another_version),
		EACH(test_into_memory),
		EACH(test_links_in_the_way),
	};
	int failed = cmocka_run_group_tests_name("a handle each", tests, NULL,
						 NULL);

	sim_one_handle = true;
	return failed + cmocka_run_group_tests_name("one handle", tests, NULL,
						    NULL);
}
