/* SPDX-License-Identifier: Apache-2.0 */
/* Do fetchers bring files and nothing else, within their limits of size and
 * time, whatever the server does? */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <netinet/in.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mono.h"
#include "lib/tuf_http.h"

static struct sim *s;
static struct sim_http h;

static int setup(void **state)
{
	s = sim_new();
	sim_http_start(&h, s, false);
	sim_serve(s, "file", "0123456789", 10);
	return 0;
}

static int teardown(void **state)
{
	sim_http_stop(&h);
	sim_free(s);
	return 0;
}

static const struct fetch_options quick = { .connect_s = 2, .slow_s = 1,
					    .slow_bytes = 1000, .total_s = 5 };

static int get(const char *name, size_t maximum, char ret_text[64],
	       char why[FETCH_WHY])
{
	cleanup_fetch struct fetch *f = NULL;
	cleanup_free uint8_t *bytes = NULL;
	size_t length = 0;
	char base[100];
	int r;

	snprintf(base, sizeof(base), "%smetadata", h.base);
	assert_int_equal(fetch_url(base, &quick, &f), 0);
	r = fetch_bytes(f, name, maximum, &bytes, &length);
	if (r == 0) {
		snprintf(ret_text, 64, "%s", (char *)bytes);
		assert_int_equal(length, strlen(ret_text));
	} else {
		assert_true(f->why[0]);
	}
	strcpy(why, f->why);
	return r;
}

static void gives(const char *name, size_t maximum, int want)
{
	char text[64] = "", why[FETCH_WHY];
	int r = get(name, maximum, text, why);

	if (r != want) {
		fail_msg("%s: %d (%s), not %d", name, r, why, want);
	}
	if (want == 0) {
		assert_string_equal(text, "0123456789");
	}
}

static void test_sizes(void **state)
{
	gives("file", 10, 0);
	gives("file", 9, -EFBIG);
	gives("file", 0, -EFBIG);
	gives("missing", 10, FETCH_ABSENT);
}

static void test_misbehaviour(void **state)
{
	static const struct {
		enum http_odd odd;
		int want;
	} rows[] = {
		{ HTTP_SLOW, -ETIMEDOUT }, { HTTP_SILENT, -ETIMEDOUT },
		{ HTTP_ENDLESS, -EFBIG }, { HTTP_LONG, -EFBIG },
		{ HTTP_BREAKS, -ECONNRESET }, { HTTP_CIRCLE, -ELOOP },
		{ HTTP_MOVED, 0 }, { HTTP_TO_FILE, -EPROTO },
		{ HTTP_NOWHERE, -EPROTO }, { HTTP_ERROR, -EPROTO },
		{ HTTP_EMPTY, -EPROTO }, { HTTP_GARBAGE, -EPROTO },
		{ HTTP_ENDLESS_ABSENT, FETCH_ABSENT },
	};

	sim_serve(s, "file", "0123456789", 10);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		mono_t begin = mono_now();
		char text[64] = "", why[FETCH_WHY];
		int r;

		h.odd = rows[i].odd;
		r = get("file", 100, text, why);
		if (r != rows[i].want) {
			fail_msg("%d: %d (%s), not %d", rows[i].odd, r, why,
				 rows[i].want);
		}
		assert_true(mono_between(begin, mono_now()) < 10 * MONO_S);
		h.odd = HTTP_GOOD;
		gives("file", 100, 0);
	}
}

/* Each refresh asks for a root that is not there: with TLS, a connection lost
 * to that would be another handshake. */
static void test_a_missing_file_costs_no_connection(void **state)
{
	cleanup_fetch struct fetch *f = NULL;
	char base[100];

	sim_serve(s, "file", "0123456789", 10);
	snprintf(base, sizeof(base), "%smetadata", h.base);
	assert_int_equal(fetch_url(base, NULL, &f), 0);
	for (int i = 0; i < 3; i++) {
		cleanup_free uint8_t *bytes = NULL;
		size_t length;

		assert_int_equal(fetch_bytes(f, "missing", 10, &bytes,
					     &length), FETCH_ABSENT);
		assert_string_equal(f->why, "status 404");
		h.odd = HTTP_ERROR;
		assert_int_equal(fetch_bytes(f, "file", 10, &bytes, &length),
				 -EPROTO);
		assert_string_equal(f->why, "status 500");
		h.odd = HTTP_GOOD;
		assert_int_equal(fetch_bytes(f, "file", 10, &bytes, &length),
				 0);
	}
	assert_int_equal(h.connections, 1);
}

/* A mile of bytes, each of them in time, but never an end. */
static void test_total_time(void **state)
{
	const struct fetch_options options = { .slow_s = 60, .total_s = 1 };
	cleanup_fetch struct fetch *f = NULL;
	cleanup_free uint8_t *bytes = NULL;
	mono_t begin = mono_now();
	size_t length;
	char base[100];

	sim_serve(s, "file", base, sizeof(base));
	h.odd = HTTP_SLOW;
	snprintf(base, sizeof(base), "%smetadata", h.base);
	assert_int_equal(fetch_url(base, &options, &f), 0);
	assert_int_equal(fetch_bytes(f, "file", 1000, &bytes, &length),
			 -ETIMEDOUT);
	assert_true(mono_between(begin, mono_now()) < 5 * MONO_S);
}

struct piece {
	uint64_t first;
	char text[64];
	size_t length;
};

static int collect(void *context, uint64_t offset, const void *bytes, size_t n)
{
	struct piece *p = context;

	p->first = p->length ? p->first : offset;
	if (n > sizeof(p->text) - 1 - p->length) {
		return -E2BIG;
	}
	memcpy(p->text + p->length, bytes, n);
	p->length += n;
	return 0;
}

static int from(uint64_t at, struct piece *ret_piece)
{
	cleanup_fetch struct fetch *f = NULL;
	char base[100];

	*ret_piece = (struct piece){ .length = 0 };
	snprintf(base, sizeof(base), "%smetadata/", h.base);
	assert_int_equal(fetch_url(base, &quick, &f), 0);
	return f->get(f, "file", at, 10, collect, ret_piece);
}

static void test_ranges(void **state)
{
	struct piece piece;

	assert_int_equal(from(4, &piece), 0);
	assert_int_equal(piece.first, 4);
	assert_string_equal(piece.text, "456789");
	assert_int_equal(from(10, &piece), -ERANGE);
	assert_int_equal(from(11, &piece), -ERANGE);
	s->no_range = true;
	assert_int_equal(from(4, &piece), 0);
	assert_int_equal(piece.first, 0);
	assert_string_equal(piece.text, "0123456789");
	s->no_range = false;
	h.odd = HTTP_WRONG_RANGE;
	assert_int_equal(from(4, &piece), -EPROTO);
}

/* What the sink says ends it. */
static void test_sink(void **state)
{
	cleanup_fetch struct fetch *f = NULL;
	struct piece full = { .length = 63 };
	char base[100];

	snprintf(base, sizeof(base), "%smetadata/", h.base);
	assert_int_equal(fetch_url(base, &quick, &f), 0);
	assert_int_equal(f->get(f, "file", 0, 10, collect, &full), -E2BIG);
}

static void test_nobody_there(void **state)
{
	cleanup_fetch struct fetch *f = NULL;
	cleanup_free uint8_t *bytes = NULL;
	size_t length;
	struct sockaddr_in address = { .sin_family = AF_INET };
	socklen_t size = sizeof(address);
	int unused = socket(AF_INET, SOCK_STREAM, 0);
	char base[100];

	/* a port of our own on which nobody listens */
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(unused, (void *)&address, size), 0);
	assert_int_equal(getsockname(unused, (void *)&address, &size), 0);
	snprintf(base, sizeof(base), "http://127.0.0.1:%u/",
		 ntohs(address.sin_port));
	assert_int_equal(fetch_url(base, &quick, &f), 0);
	assert_int_equal(fetch_bytes(f, "file", 10, &bytes, &length),
			 -ECONNREFUSED);
	close(unused);
}

static void test_ipv6(void **state)
{
	cleanup_fetch struct fetch *f = NULL;
	cleanup_free uint8_t *bytes = NULL;
	struct sim_http six;
	size_t length;
	char base[100];
	int probe = socket(AF_INET6, SOCK_STREAM, 0);
	struct sockaddr_in6 address = { .sin6_family = AF_INET6,
					.sin6_addr = IN6ADDR_LOOPBACK_INIT };

	if (probe < 0 ||
	    bind(probe, (void *)&address, sizeof(address)) < 0) {
		close(probe);
		skip();
	}
	close(probe);
	sim_http_start(&six, s, true);
	snprintf(base, sizeof(base), "%smetadata", six.base);
	assert_int_equal(fetch_url(base, &quick, &f), 0);
	assert_int_equal(fetch_bytes(f, "file", 10, &bytes, &length), 0);
	assert_int_equal(length, 10);
	sim_http_stop(&six);
}

static void test_bases_that_are_none(void **state)
{
	struct fetch *f = NULL;

	assert_int_equal(fetch_url("ftp://x/", NULL, &f), -EINVAL);
	assert_int_equal(fetch_url("", NULL, &f), -EINVAL);
	assert_int_equal(fetch_url("/tmp", NULL, &f), -EINVAL);
	assert_int_equal(fetch_url("file://host/tmp", NULL, &f), -EINVAL);
	assert_int_equal(fetch_url("file:///nowhere/at/all", NULL, &f),
			 -ENOENT);
	assert_null(f);
}

/* A file server that decodes once: the encoded name is that of the file. */
static void test_plain_file_server(void **state)
{
	h.plain = true;
	sim_serve(s, "1.a%2Fb.json", "0123456789", 10);
	gives("1.a%2Fb.json", 10, 0);
	gives("1.%3F.json", 10, FETCH_ABSENT);
}

static void put_file(int folder, const char *name, const char *text)
{
	int fd = openat(folder, name, O_WRONLY | O_CREAT | O_TRUNC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

static void reads(struct fetch *f, const char *name, size_t maximum, int want)
{
	cleanup_free uint8_t *bytes = NULL;
	size_t length = 0;
	int r = fetch_bytes(f, name, maximum, &bytes, &length);

	if (r != want) {
		fail_msg("%s: %d (%s), not %d", name, r, f->why, want);
	}
	if (r == 0) {
		assert_string_equal((char *)bytes, "0123456789");
	}
}

static void test_folder(void **state)
{
	static const char *const names[] = { "sub/file", "fifo", "link", "file",
					     "1.a%2Fb.json", "with blank",
					     "sub" };
	char path[] = "/tmp/bailey-fetch.XXXXXX", url[100];
	cleanup_fetch struct fetch *f = NULL;
	cleanup_fd int folder = -1;

	assert_non_null(mkdtemp(path));
	folder = open(path, O_RDONLY | O_DIRECTORY);
	assert_int_equal(mkdirat(folder, "sub", 0755), 0);
	put_file(folder, "file", "0123456789");
	put_file(folder, "sub/file", "0123456789");
	put_file(folder, "1.a%2Fb.json", "0123456789");
	put_file(folder, "with blank", "0123456789");
	assert_int_equal(symlinkat("file", folder, "link"), 0);
	assert_int_equal(mkfifoat(folder, "fifo", 0644), 0);
	snprintf(url, sizeof(url), "file://%s", path);
	assert_int_equal(fetch_url(url, NULL, &f), 0);
	reads(f, "file", 10, 0);
	reads(f, "file", 9, -EFBIG);
	reads(f, "sub/file", 10, 0);
	reads(f, "1.a%2Fb.json", 10, 0);
	reads(f, "with%20blank", 10, 0);
	reads(f, "missing", 10, FETCH_ABSENT);
	reads(f, "file/x", 10, FETCH_ABSENT);
	reads(f, "sub%2Ffile", 10, FETCH_ABSENT);
	reads(f, "link", 10, -ELOOP);
	reads(f, "fifo", 10, -EPROTO);
	reads(f, "sub", 10, -EPROTO);
	reads(f, "../file", 10, -EXDEV);
	reads(f, "/etc/passwd", 10, -EXDEV);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		unlinkat(folder, names[i], i == 6 ? AT_REMOVEDIR : 0);
	}
	assert_int_equal(rmdir(path), 0);
}

static void test_quoting(void **state)
{
	char text[32];

	assert_int_equal(fetch_quote("aZ0-_.~/ %\xc3\xa4", 0, text, 32), 0);
	assert_string_equal(text, "aZ0-_.~%2F%20%25%C3%A4");
	assert_int_equal(fetch_quote("a/?#", 1, text, 32), 0);
	assert_string_equal(text, "a/%3F%23");
	assert_int_equal(fetch_quote("??", 0, text, 7), 0);
	assert_int_equal(fetch_quote("??", 0, text, 6), -ENAMETOOLONG);
	assert_int_equal(fetch_quote("", 0, text, 1), 0);
}

#define EACH(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		EACH(test_sizes),
		EACH(test_misbehaviour),
		EACH(test_a_missing_file_costs_no_connection),
		EACH(test_total_time),
		EACH(test_ranges),
		EACH(test_sink),
		EACH(test_nobody_there),
		EACH(test_ipv6),
		EACH(test_bases_that_are_none),
		EACH(test_plain_file_server),
		cmocka_unit_test(test_folder),
		cmocka_unit_test(test_quoting),
	};

	setenv("no_proxy", "*", 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
