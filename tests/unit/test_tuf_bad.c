/* SPDX-License-Identifier: Apache-2.0 */
/* Whatever a repository serves as metadata, signed or not: is it refused with a
 * reason, is what is trusted untouched, and is the next refresh good? */
#include "tuf_case.h"

static const struct {
	const char *role, *name;
} files[] = {
	{ "root", "2.root.json" }, { "timestamp", "timestamp.json" },
	{ "snapshot", "2.snapshot.json" }, { "targets", "2.targets.json" },
};

/* Every file of a new publication in turn. */
static void cut_and_flip(const char *role, const char *name)
{
	struct sim_bytes last = sim_last(s, role);
	uint8_t *copy = malloc(last.length);

	assert_non_null(copy);
	memcpy(copy, last.bytes, last.length);
	for (size_t i = 0; i < last.length; i++) {
		sim_serve(s, name, copy, i);
		if (sim_refresh(&c) != -EBADMSG) {
			fail_msg("%s of %zu bytes: %s", name, i, c.why);
		}
	}
	for (size_t i = 0; i < last.length; i++) {
		int r;

		copy[i] ^= 1;
		sim_serve(s, name, copy, last.length);
		r = sim_refresh(&c);
		if (r != -EBADMSG && r != -EKEYREJECTED) {
			fail_msg("%s, byte %zu: %d %s", name, i, r, c.why);
		}
		copy[i] ^= 1;
	}
	sim_serve_none(s);
	free(copy);
}

static void test_cut_and_flipped(void **state)
{
	sim_expect(&c, sim_refresh(&c), 0);
	sim_publish(s, "root targets snapshot timestamp");
	for (size_t i = 0; i < 4; i++) {
		cut_and_flip(files[i].role, files[i].name);
		assert_true(sim_trusts(&c, files[i].role) == 1);
	}
	sim_expect(&c, sim_refresh(&c), 0);
	assert_string_equal(sim_folder(&c),
			    "root 2 snapshot 2 targets 2 timestamp 2");
}

/* In the place of each file of a new publication in turn. */
static void everywhere(const void *bytes, size_t length, int error)
{
	for (size_t i = 0; i < 4; i++) {
		char name[64];

		sim_publish(s, "root targets snapshot timestamp");
		snprintf(name, sizeof(name), "%lld.%s.json",
			 (long long)sim_version(s, files[i].role),
			 files[i].role);
		sim_serve(s, i == 1 ? "timestamp.json" : name, bytes, length);
		sim_expect(&c, sim_refresh(&c), error);
		sim_serve_none(s);
		sim_expect(&c, sim_refresh(&c), 0);
	}
}

static void text_everywhere(const char *text)
{
	everywhere(text, strlen(text), -EBADMSG);
}

static void test_texts(void **state)
{
	static char deep[100001];

	sim_expect(&c, sim_refresh(&c), 0);
	text_everywhere("");
	text_everywhere("null");
	text_everywhere("<html>moved</html>");
	text_everywhere("{}");
	text_everywhere("{\"signatures\":[],\"signed\":{}}");
	text_everywhere("{\"signatures\":{},\"signed\":[]}");
	text_everywhere("{\"signed\":{\"version\":1e99},\"signatures\":[]}");
	text_everywhere("{\"signed\":{\"version\":99999999999999999999999}}");
	text_everywhere("{\"signed\":1,\"signed\":2}");
	text_everywhere("\xff\xfe{\0}\0");
	text_everywhere("{\"signed\":\"\xc0\xaf\"}");
	memset(deep, '[', 16000);
	deep[16000] = '\0';
	text_everywhere(deep);
	sim_expect(&c, sim_refresh(&c), 0);
}

/* Ours, in UTF-16. */
static void test_utf16(void **state)
{
	struct sim_bytes last = sim_last(s, "timestamp");
	uint8_t *wide = calloc(2, last.length + 1);

	assert_non_null(wide);
	wide[0] = 0xff;
	wide[1] = 0xfe;
	for (size_t i = 0; i < last.length; i++) {
		wide[2 + 2 * i] = last.bytes[i];
	}
	sim_serve(s, "timestamp.json", wide, 2 * last.length + 2);
	sim_expect(&c, sim_refresh(&c), -EBADMSG);
	free(wide);
}

static void test_endless(void **state)
{
	size_t size = 8u << 20;
	char *blanks = malloc(size);

	assert_non_null(blanks);
	memset(blanks, ' ', size);
	sim_expect(&c, sim_refresh(&c), 0);
	everywhere(blanks, size, -EFBIG);
	sim_expect(&c, sim_refresh(&c), 0);
	free(blanks);
}

/* Listed with more bytes than we take. */
static void test_listed_too_long(void **state)
{
	json_t *meta = json_object_get(sim_body(s, "timestamp"), "meta");

	json_object_set_new(json_object_get(meta, "snapshot.json"), "length",
			    json_integer(TUF_SNAPSHOT_MAX + 1));
	sim_publish(s, "timestamp");
	sim_expect(&c, sim_refresh(&c), -EFBIG);
	sim_publish(s, "snapshot timestamp");
	meta = json_object_get(sim_body(s, "snapshot"), "meta");
	json_object_set_new(json_object_get(meta, "targets.json"), "length",
			    json_integer(INT64_MAX));
	sim_publish(s, "snapshot timestamp");
	sim_expect(&c, sim_refresh(&c), -EFBIG);
	sim_publish(s, "targets snapshot timestamp");
	sim_expect(&c, sim_refresh(&c), 0);
}

/* Every file serves for every other: signed by its own role, and not for it. */
static void test_every_file_for_every_other(void **state)
{
	sim_expect(&c, sim_refresh(&c), 0);
	sim_publish(s, "root targets snapshot timestamp");
	for (size_t i = 0; i < 4; i++) {
		for (size_t j = 0; j < 4; j++) {
			struct sim_bytes other = sim_last(s, files[j].role);

			if (i != j) {
				sim_serve(s, files[i].name, other.bytes,
					  other.length);
				sim_expect(&c, sim_refresh(&c), -EBADMSG);
				sim_serve_none(s);
			}
		}
	}
	sim_expect(&c, sim_refresh(&c), 0);
}

/* The n-th value below parent, in order, becomes value: true. n counts down. */
static bool replace_nth(json_t *parent, size_t *n, json_t *value)
{
	const char *key;
	json_t *one;
	void *next;
	size_t i;

	if (json_is_array(parent)) {
		json_array_foreach(parent, i, one) {
			if ((*n)-- == 0) {
				json_array_set(parent, i, value);
				return true;
			}
			if (replace_nth(one, n, value)) {
				return true;
			}
		}
	}
	json_object_foreach_safe(parent, next, key, one) {
		if ((*n)-- == 0) {
			if (value) {
				json_object_set(parent, key, value);
			} else {
				json_object_del(parent, key);
			}
			return true;
		}
		if (replace_nth(one, n, value)) {
			return true;
		}
	}
	return false;
}

/* A role's body with its n-th value replaced, and signed as it should be. */
static bool publish_wrong(const char *role, size_t n, json_t *value)
{
	struct sim_role *r = NULL;
	json_t *before;
	bool replaced;

	for (size_t i = 0; i < s->role_count; i++) {
		r = strcmp(s->roles[i].name, role) == 0 ? &s->roles[i] : r;
	}
	before = json_deep_copy(r->body);
	replaced = replace_nth(r->body, &n, value);
	if (replaced) {
		json_t *version = json_object_get(r->body, "version");

		r->count--;
		free(r->published[r->count].bytes);
		if (json_is_integer(version) && r->count > 0) {
			sim_set_version(s, role, json_integer_value(version) -
					1);
		}
		if (r->count > 0) {
			sim_publish(s, role);
		}
	}
	json_decref(r->body);
	r->body = before;
	return replaced;
}

/* Every value of every role by each wrong type, or none: signed by the right
 * keys. The client says good or why not, and is there the next time. */
static void test_wrong_types(void **state)
{
	json_t *values[] = { json_null(), json_integer(-7), json_string(""),
			     json_array(), json_object(), json_true(),
			     json_integer(INT64_MAX), json_string("x"), NULL };
	size_t tried = 0, refused = 0;

	s->hashes = true;
	sim_delegate(s, "targets", "A", "*", true);
	sim_add_target(s, "targets", "x", "content");
	sim_publish_all(s);
	for (size_t i = 0; i < 4; i++) {
		for (size_t v = 0; v < 9; v++) {
			for (size_t n = 0; publish_wrong(files[i].role, n,
							 values[v]); n++) {
				struct sim_client fresh;
				int r;

				sim_client_init(&fresh, s);
				r = sim_download(&fresh, "missing");
				tried++;
				refused += r < 0;
				sim_client_fini(&fresh);
				sim_publish(s, files[i].role);
				/* the same number again, and right */
			}
			sim_publish_all(s);
		}
	}
	print_message("%zu tried, %zu refused\n", tried, refused);
	assert_true(tried > 500);
	assert_true(refused > tried / 2);
	for (size_t v = 0; v < 8; v++) {
		json_decref(values[v]);
	}
}

static void spec_version(const char *text, int want)
{
	sim_put(s, "timestamp", "spec_version", json_string(text));
	sim_publish(s, "timestamp");
	sim_expect(&c, sim_refresh(&c), want);
}

static void test_specification_versions(void **state)
{
	spec_version("1.0", 0);
	spec_version("1.0.34", 0);
	spec_version("1.99.0", 0);
	spec_version("2.0.0", -EBADMSG);
	spec_version("10.0.0", -EBADMSG);
	spec_version("1.x", -EBADMSG);
	spec_version("", -EBADMSG);
	spec_version("0.9", -EBADMSG);
	spec_version("1.0.34", 0);
}

/* A local copy that was damaged is as good as none; a root is not. */
static void test_damaged_folder(void **state)
{
	char path[200];

	sim_expect(&c, sim_refresh(&c), 0);
	for (size_t i = 0; i < 4; i++) {
		FILE *file;

		snprintf(path, sizeof(path), "%s/%s.json", c.metadata,
			 files[3 - i].role);
		file = fopen(path, "w");
		assert_non_null(file);
		fputs("{\"signed\":", file);
		fclose(file);
		sim_clear_log(s);
		if (i < 3) {
			sim_expect(&c, sim_refresh(&c), 0);
		}
	}
	tuf_close(c.tuf);
	c.tuf = NULL;
	sim_expect(&c, sim_refresh(&c), -EBADMSG);
	assert_string_equal(s->log, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		EACH(test_cut_and_flipped),
		EACH(test_texts),
		EACH(test_utf16),
		EACH(test_endless),
		EACH(test_listed_too_long),
		EACH(test_every_file_for_every_other),
		EACH(test_wrong_types),
		EACH(test_specification_versions),
		EACH(test_damaged_folder),
	};
	int failed = cmocka_run_group_tests_name("a handle each", tests, NULL,
						 NULL);

	sim_one_handle = true;
	return failed + cmocka_run_group_tests_name("one handle", tests, NULL,
						    NULL);
}
