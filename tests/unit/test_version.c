/* SPDX-License-Identifier: Apache-2.0 */
/* Does a description say what was written, and is all else refused? */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <bailey/event.h>

#include "content/version.h"

#define ZERO "0000000000000000000000000000000000000000000000000000000000000000"
#define FILE_A "{\"path\":\"a\",\"length\":1,\"sha256\":\"" ZERO "\"}"
#define CASE_A "{\"path\":\"a\",\"length\":1,\"sha256\":\"" ZERO "\","         \
	       "\"event\":\"file.open\",\"expect\":\"deny\"}"
#define HEAD                                                                  \
	"\"format\":1,\"product\":\"scan\",\"version\":\"2026.11.25\","       \
	"\"number\":17,\"class\":\"code\",\"schema\":\"scan-rules/1\","       \
	"\"fields\":3,\"bake_s\":3600,\"min_events\":1000,\"floor\":12,"      \
	"\"urgent\":false,"
#define GOOD "{" HEAD "\"files\":[" FILE_A "],\"corpus\":[" CASE_A "]}"

static int parse(const char *text, struct version **ret_version,
		 struct json_fault *fault)
{
	fault->text[0] = '\0';
	return version_parse(text, strlen(text), ret_version, fault);
}

/* The good description with its first `from` replaced by `to`. */
static char *with(const char *from, const char *to)
{
	const char *at = strstr(GOOD, from);
	char *text = malloc(strlen(GOOD) + strlen(to) + 1);

	assert_non_null(at);
	assert_non_null(text);
	memcpy(text, GOOD, (size_t)(at - GOOD));
	strcpy(text + (at - GOOD), to);
	strcat(text, at + strlen(from));
	return text;
}

static void test_reads(void **state)
{
	cleanup_version struct version *v = NULL;
	struct json_fault fault;

	if (parse(GOOD, &v, &fault)) {
		fail_msg("%s", fault.text);
	}
	assert_string_equal(v->product, "scan");
	assert_string_equal(v->version, "2026.11.25");
	assert_int_equal(v->number, 17);
	assert_int_equal(v->kind, VERSION_CODE);
	assert_string_equal(v->schema, "scan-rules/1");
	assert_int_equal(v->fields, 3);
	assert_int_equal(v->bake_s, 3600);
	assert_int_equal(v->min_events, 1000);
	assert_int_equal(v->floor, 12);
	assert_false(v->urgent);
	assert_false(v->has_events);
	assert_int_equal(v->files, 1);
	assert_string_equal(v->file[0].path, "a");
	assert_int_equal(v->cases, 1);
	assert_int_equal(v->corpus[0].event, BAILEY_EVENT_FILE_OPEN);
	assert_int_equal(v->corpus[0].expect, BAILEY_VERDICT_DENY);
	assert_int_equal(v->corpus[0].repeat, 1);
}

/* Each row breaks one thing; `why' must stand in the reason. */
static const struct {
	const char *from, *to, *why;
} broken[] = {
	{ "\"format\":1", "\"format\":2", "format" },
	{ "\"format\":1,", "", "format: missing" },
	{ "\"urgent\"", "\"later\":1,\"urgent\"", "later: not a mem" },
	{ "\"urgent\":false", "\"urgent\":null", "urgent: null" },
	{ "\"urgent\":false", "\"urgent\":0", "urgent" },
	{ "\"urgent\":false,", "\"urgent\":false,\"urgent\":false,",
	  "duplicate" },
	{ "\"scan\"", "\"Scan\"", "product" },
	{ "\"scan\"", "\"../scan\"", "product" },
	{ "\"scan\"", "\"\"", "product" },
	{ "\"scan\"", "\"a-name-of-exactly-32-characters-x\"",
	  "product" },
	{ "2026.11.25", "2026 11", "version" },
	{ "2026.11.25", "\\u001b[2J", "version" },
	{ "17", "0", "number" }, { "17", "-1", "number" },
	{ "17", "9223372036854775808", "" },
	{ "17", "1.5", "whole" }, { "17", "\"17\"", "number" },
	{ "\"code\"", "\"kernel\"", "class" },
	{ "scan-rules/1", "scan-rules//1", "schema" },
	{ "scan-rules/1", "../1", "schema" },
	{ "\"fields\":3", "\"fields\":65536", "fields" },
	{ "\"fields\":3", "\"fields\":-1", "fields" },
	{ "\"bake_s\":3600", "\"bake_s\":99999999999", "bake_s" },
	{ "\"min_events\":1000", "\"min_events\":-1", "min_events" },
	{ "\"floor\":12", "\"floor\":18", "floor" },
	{ "\"files\":[" FILE_A "]", "\"files\":[]", "no file" },
	{ "\"files\":[" FILE_A "]", "\"files\":{}", "files" },
	{ "\"files\":[" FILE_A "]", "\"files\":[1]", "files[0]" },
	{ FILE_A, FILE_A "," FILE_A, "twice" },
	{ "\"files\":[", "\"files\":[{\"path\":\"a/b\",\"length\":1,"
	  "\"sha256\":\"" ZERO "\"},{\"path\":\"a-\",\"length\":1,"
	  "\"sha256\":\"" ZERO "\"},", "a file and a folder" },
	{ "\"length\":1", "\"length\":-1", "length" },
	/* a sparse giant has the length that it claims */
	{ "\"length\":1", "\"length\":1073741825", "length" },
	{ ZERO, "00", "sha256" },
	{ "000000", "00000g", "sha256" },
	{ "\"path\":\"a\"", "\"path\":\"/a\"", "path" },
	{ "\"path\":\"a\"", "\"path\":\"../a\"", "path" },
	{ "\"path\":\"a\"", "\"path\":\"a/../b\"", "path" },
	{ "\"path\":\"a\"", "\"path\":\"./a\"", "path" },
	{ "\"path\":\"a\"", "\"path\":\"a/\"", "path" },
	{ "\"path\":\"a\"", "\"path\":\"a//b\"", "path" },
	{ "\"path\":\"a\"", "\"path\":\"..\"", "path" },
	{ "\"path\":\"a\"", "\"path\":\"\"", "path" },
	{ "\"path\":\"a\"", "\"path\":\"a\\nb\"", "path" },
	{ "\"path\":\"a\"", "\"path\":\"a\\u0000b\"", "" },
	{ "\"path\":\"a\"", "\"path\":\"a b\"", "path" },
	{ "\"path\":\"a\"", "\"path\":\"a\\\\b\"", "path" },
	{ "\"path\":\"a\"", "\"path\":\"caf\\u00e9\"", "path" },
	{ "\"path\":\"a\"", "\"path\":\"a\",\"mode\":511", "mode" },
	{ "\"path\":\"a\"", "\"path\":\"a\",\"link\":\"/etc\"",
	  "link" },
	{ "file.open", "process.fork", "event" },
	{ "file.open", "file.sing", "event" },
	{ "\"deny\"", "\"none\"", "expect" },
	{ "\"deny\"", "\"deny\",\"repeat\":0", "repeat" },
	{ "\"deny\"", "\"deny\",\"as\":\"usr\"", "as" },
	{ "\"deny\"", "\"deny\",\"as\":\"/usr\\n\"", "as" },
	{ "]}", "],\"events\":{\"length\":1}}", "events.sha256" },
	{ "]}", "],\"events\":{\"length\":1,\"sha256\":\"" ZERO
	  "\",\"path\":\"x\"}}", "events.path" },
	{ "]}", "]} x", "" }, { "{", "[", "" }, { "{", "", "" },
	{ CASE_A, CASE_A ",{\"path\":\"a\",\"length\":2,\"sha256\":\""
	  ZERO "\",\"event\":\"file.open\",\"expect\":\"deny\"}",
	  "twice" },
};

static void test_refused(void **state)
{
	struct json_fault fault;

	for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
		cleanup_free char *text = with(broken[i].from, broken[i].to);
		struct version *v = NULL;

		if (parse(text, &v, &fault) != -EBADMSG || v ||
		    !fault.text[0] || !strstr(fault.text, broken[i].why)) {
			fail_msg("%zu %s -> %s: %s", i, broken[i].from,
				 broken[i].to, fault.text);
		}
	}
	for (size_t n = 0; n < strlen(GOOD); n++) {
		struct version *v = NULL;

		assert_int_equal(version_parse(GOOD, n, &v, &fault), -EBADMSG);
	}
}

/* One case may be asked of as two events; two of one file are one file. */
static void test_case_twice(void **state)
{
	cleanup_free char *text = with(CASE_A, CASE_A ",{\"path\":\"a\","
		"\"length\":1,\"sha256\":\"" ZERO "\",\"as\":\"/usr/bin/x y\","
		"\"event\":\"process.exec\",\"expect\":\"allow\","
		"\"repeat\":9}");
	cleanup_version struct version *v = NULL;
	struct json_fault fault;

	assert_int_equal(parse(text, &v, &fault), 0);
	assert_int_equal(v->cases, 2);
	assert_int_equal(v->corpus[1].event, BAILEY_EVENT_PROCESS_EXEC);
	assert_int_equal(v->corpus[1].expect, BAILEY_VERDICT_ALLOW);
	assert_string_equal(v->corpus[1].as, "/usr/bin/x y");
	assert_int_equal(v->corpus[1].repeat, 9);
}

static void fill(struct version *v, size_t files, size_t cases)
{
	strcpy(v->product, "scan_2-x");
	strcpy(v->version, "1.0~rc1+b");
	strcpy(v->schema, "s");
	v->number = INT64_MAX;
	v->kind = VERSION_DATA;
	v->fields = VERSION_FIELDS;
	v->bake_s = VERSION_BAKE_S;
	v->min_events = INT64_MAX;
	v->floor = INT64_MAX;
	v->urgent = true;
	v->files = files;
	v->file = calloc(files, sizeof(*v->file));
	v->cases = cases;
	v->corpus = calloc(cases, sizeof(*v->corpus));
	assert_true(v->file && v->corpus);
	for (size_t i = 0; i < files; i++) {
		sprintf(v->file[i].path, "d%zu/f.%zu", i % 7, i);
		v->file[i].length = i;
		memset(v->file[i].sha256, (int)i, VERSION_HASH);
	}
	for (size_t i = 0; i < cases; i++) {
		sprintf(v->corpus[i].file.path, "c%zu", i);
		v->corpus[i].event = i % 2 ? BAILEY_EVENT_FILE_OPEN
					   : BAILEY_EVENT_PROCESS_EXEC;
		v->corpus[i].expect = i % 3 ? BAILEY_VERDICT_ALLOW
					    : BAILEY_VERDICT_DENY;
		v->corpus[i].repeat = 1 + (uint32_t)i;
		strcpy(v->corpus[i].as, i % 5 ? "" : "/a \"quoted\" path");
	}
	v->has_events = true;
	v->events.length = VERSION_FILE_BYTES;
}

static void test_round_trip(void **state)
{
	cleanup_version struct version *v = calloc(1, sizeof(*v));
	cleanup_version struct version *again = NULL;
	cleanup_free char *text = NULL, *second = NULL;
	struct json_fault fault = { "" };
	size_t length, second_length;

	assert_non_null(v);
	fill(v, 4096, 1000);
	if (version_write(v, &text, &length, &fault)) {
		fail_msg("%s", fault.text);
	}
	assert_int_equal(strlen(text), length);
	assert_int_equal(version_parse(text, length, &again, &fault), 0);
	assert_memory_equal(v->file, again->file,
			    v->files * sizeof(*v->file));
	assert_memory_equal(v->corpus, again->corpus,
			    v->cases * sizeof(*v->corpus));
	assert_int_equal(again->events.length, VERSION_FILE_BYTES);
	assert_int_equal(again->number, INT64_MAX);
	assert_true(again->urgent);
	assert_int_equal(again->kind, VERSION_DATA);
	assert_int_equal(version_write(again, &second, &second_length,
				       &fault), 0);
	assert_string_equal(text, second);
}

static void test_not_written(void **state)
{
	cleanup_version struct version *v = calloc(1, sizeof(*v));
	cleanup_free char *text = NULL;
	struct json_fault fault = { "" };
	size_t length = 77;

	assert_non_null(v);
	fill(v, 4, 1);
	v->corpus[0].expect = BAILEY_VERDICT_NONE;
	assert_int_equal(version_write(v, &text, &length, &fault), -EBADMSG);
	v->corpus[0].expect = BAILEY_VERDICT_DENY;
	strcpy(v->file[1].path, "../x");
	assert_int_equal(version_write(v, &text, &length, &fault), -EBADMSG);
	assert_non_null(strstr(fault.text, "files[1].path"));
	v->file[1].path[0] = '\0';
	assert_int_equal(version_write(v, &text, &length, &fault), -EBADMSG);
	strcpy(v->file[1].path, "x");
	for (size_t i = 0; i < 4; i++) {
		v->file[i].length = VERSION_FILE_BYTES;
	}
	assert_int_equal(version_write(v, &text, &length, &fault), -EBADMSG);
	assert_non_null(strstr(fault.text, "bytes in all"));
	assert_null(text);
	assert_int_equal(length, 77);
}

static void test_too_large(void **state)
{
	cleanup_free char *text = malloc(VERSION_BYTES + 2);
	struct json_fault fault = { "" };
	struct version *v = NULL;

	assert_non_null(text);
	memset(text, ' ', VERSION_BYTES + 1);
	memcpy(text, GOOD, strlen(GOOD));
	assert_int_equal(version_parse(text, VERSION_BYTES + 1, &v, &fault),
			 -EFBIG);
	assert_int_equal(version_parse(text, VERSION_BYTES, &v, &fault), 0);
	version_free(v);
}

static void test_targets(void **state)
{
	static const char *const bad[] = {
		"content/scan/code/017.json", "content/scan/code/0.json",
		"content/scan/code/17.json/", "content/scan/code/+7.json",
		"content/scan/code/17.jso", "content/scan/core/17.json",
		"content//code/17.json", "content/../code/17.json",
		"content/scan/code/ 17.json", "/content/scan/code/17.json",
		"content/scan/code/9223372036854775808.json", "",
	};
	char product[VERSION_NAME], target[VERSION_TARGET];
	enum version_class kind;
	cleanup_version struct version *v = NULL;
	struct json_fault fault;
	uint64_t number;

	version_target("scan", VERSION_DATA, INT64_MAX, target);
	assert_string_equal(target,
			    "content/scan/data/9223372036854775807.json");
	assert_int_equal(version_target_parse(target, product, &kind,
					      &number), 0);
	assert_string_equal(product, "scan");
	assert_int_equal(kind, VERSION_DATA);
	assert_int_equal(number, INT64_MAX);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (!version_target_parse(bad[i], product, &kind, &number)) {
			fail_msg("%s", bad[i]);
		}
	}
	assert_int_equal(parse(GOOD, &v, &fault), 0);
	assert_true(version_target_agrees(v, "content/scan/code/17.json"));
	assert_false(version_target_agrees(v, "content/scan/data/17.json"));
	assert_false(version_target_agrees(v, "content/scan/code/18.json"));
}

static void test_hashes(void **state)
{
	uint8_t hash[VERSION_HASH], again[VERSION_HASH];
	char hex[VERSION_HEX];

	version_hash("abc", 3, hash);
	version_hex(hash, hex);
	assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223"
				 "b00361a396177a9cb410ff61f20015ad");
	assert_int_equal(version_unhex(hex, again), 0);
	assert_memory_equal(hash, again, VERSION_HASH);
	hex[3] = 'A';
	assert_int_equal(version_unhex(hex, again), -EBADMSG);
	hex[3] = '\0';
	assert_int_equal(version_unhex(hex, again), -EBADMSG);
	assert_int_equal(version_unhex(ZERO "0", again), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reads),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_case_twice),
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_not_written),
		cmocka_unit_test(test_too_large),
		cmocka_unit_test(test_targets),
		cmocka_unit_test(test_hashes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
