/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Does bailey-tuf talk TLS only to whom the machine's authorities vouch for
 * under the very name that it asked, say why it does not, leave what is trusted
 * as it is, and go on once that is mended?
 *
 * The authority is made here. It stands alone in the machine's folder of
 * authorities, in a mount namespace of this test.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/tls_ca.h"
#include "lib/tuf_http.h"

#define AUTHORITIES "/etc/ssl/certs"
#define HOUR 3600l
#define DAY 86400l
#define SKIP 77

static struct sim *s;
static struct sim_http h, other;        /* the second one redirects */
static struct sim_client c;
static struct tls_ca *ca, *stranger;
static SSL_CTX *good_server;
static char said[1024];

static int setup(void **state)
{
	s = sim_new();
	s->now = time(NULL);            /* the program's clock */
	for (size_t i = 0; i < 4; i++) {
		sim_expires(s, s->roles[i].name, s->now + SIM_DAY);
		sim_unpublish(s, s->roles[i].name);
	}
	sim_publish(s, "root targets snapshot timestamp");
	sim_client_init(&c, s);
	sim_http_start(&h, s, false);
	sim_http_start(&other, s, false);
	return 0;
}

static int teardown(void **state)
{
	sim_http_stop(&h);
	sim_http_stop(&other);
	sim_client_fini(&c);
	sim_free(s);
	return 0;
}

/* Runs a refresh from there; what it said is in said. */
static int refresh(const struct sim_http *from)
{
	char url[100];
	const char *words[] = { getenv("BAILEY_TUF"), "--metadata-dir",
				c.metadata, "--metadata-url", url, "refresh",
				NULL };
	int pipes[2], status = 0;
	ssize_t n = 0, got;
	pid_t child;

	snprintf(url, sizeof(url), "%smetadata", from->base);
	sim_clear_log(s);
	assert_int_equal(pipe(pipes), 0);
	child = fork();
	if (child == 0) {
		dup2(pipes[1], 1);
		dup2(pipes[1], 2);
		execv(words[0], (char *const *)words);
		_exit(127);
	}
	close(pipes[1]);
	while ((got = read(pipes[0], said + n,
			   sizeof(said) - 1 - (size_t)n)) > 0) {
		n += got;
	}
	said[n] = '\0';
	close(pipes[0]);
	assert_int_equal(waitpid(child, &status, 0), child);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void good(const struct sim_http *from)
{
	if (refresh(from) != 0) {
		fail_msg("refused: %s", said);
	}
	assert_string_equal(said, "");
}

/* Refused for this reason; not a request was made, nothing is other. */
static void refused(const struct sim_http *from, const char *why)
{
	char before[512];

	snprintf(before, sizeof(before), "%s", sim_folder(&c));
	assert_int_equal(refresh(from), 1);
	if (!strstr(said, why)) {
		fail_msg("\"%s\", not \"%s\"", said, why);
	}
	assert_string_equal(sim_folder(&c), before);
}

/* This server is not believed; the good one is, right after. */
static void test_bad_server(SSL_CTX *server, const char *why)
{
	assert_non_null(server);
	sim_http_tls(&h, server);
	refused(&h, why);
	assert_string_equal(s->log, "");
	sim_publish(s, "timestamp");
	sim_http_tls(&h, good_server);
	good(&h);
	sim_stored_is(&c, "timestamp", sim_last(s, "timestamp"));
	SSL_CTX_free(server);
}

static void test_good(void **state)
{
	sim_http_tls(&h, good_server);
	good(&h);
	assert_string_equal(s->log, "2.root.json timestamp.json "
				    "1.snapshot.json 1.targets.json");
	good(&h);
	assert_string_equal(s->log, "2.root.json timestamp.json");
}

static void test_unknown_authority(void **state)
{
	test_bad_server(tls_ca_server(stranger, "IP:127.0.0.1", -HOUR, HOUR),
			"unable to get local issuer certificate");
}

static void test_another_name(void **state)
{
	test_bad_server(tls_ca_server(ca, "DNS:example.org,IP:127.0.0.2",
				      -HOUR, HOUR),
			"127.0.0.1");
	/* an address is no name */
	test_bad_server(tls_ca_server(ca, "DNS:127.0.0.1", -HOUR, HOUR),
			"127.0.0.1");
}

static void test_expired(void **state)
{
	test_bad_server(tls_ca_server(ca, "IP:127.0.0.1", -DAY, -HOUR),
			"certificate has expired");
}

static void test_not_yet(void **state)
{
	test_bad_server(tls_ca_server(ca, "IP:127.0.0.1", HOUR, DAY),
			"certificate is not yet valid");
}

/* Whoever offers less than TLS is not spoken to in the clear. */
static void test_no_tls(void **state)
{
	sim_http_tls(&h, good_server);
	h.tls = NULL;
	refused(&h, "2.root.json: ");
	assert_string_equal(s->log, "");
	sim_http_tls(&h, good_server);
	good(&h);
}

static void test_redirects(void **state)
{
	char place[100];

	/* from http to https: there the certificate counts */
	sim_http_tls(&h, good_server);
	snprintf(place, sizeof(place), "%smetadata/", h.base);
	other.elsewhere = place;
	other.odd = HTTP_ELSEWHERE;
	good(&other);
	assert_string_equal(sim_folder(&c),
			    "root 1 snapshot 1 targets 1 timestamp 1");
	/* from https to https */
	sim_http_tls(&other, good_server);
	good(&other);
	/* from https to http: never */
	sim_http_tls(&h, NULL);
	snprintf(place, sizeof(place), "%smetadata/", h.base);
	sim_publish(s, "timestamp");
	refused(&other, "Protocol \"http\" not supported");
	/* by who redirects, not by who stands behind */
	assert_string_equal(s->log, "2.root.json");
	other.odd = HTTP_GOOD;
	good(&other);
	sim_stored_is(&c, "timestamp", sim_last(s, "timestamp"));
}

static void test_redirect_to_a_stranger(void **state)
{
	SSL_CTX *server = tls_ca_server(stranger, "IP:127.0.0.1", -HOUR, HOUR);
	char place[100];

	sim_http_tls(&h, server);
	snprintf(place, sizeof(place), "%smetadata/", h.base);
	other.elsewhere = place;
	other.odd = HTTP_ELSEWHERE;
	refused(&other, "unable to get local issuer certificate");
	assert_string_equal(s->log, "2.root.json");
	SSL_CTX_free(server);
}

static void test_ipv6(void **state)
{
	SSL_CTX *server = tls_ca_server(ca, "IP:::1", -HOUR, HOUR);
	struct sim_http six;

	sim_http_start(&six, s, true);
	sim_http_tls(&six, good_server);        /* of 127.0.0.1 */
	refused(&six, "::1");
	sim_http_tls(&six, server);
	good(&six);
	sim_http_stop(&six);
	SSL_CTX_free(server);
}

#define EACH(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		EACH(test_good),
		EACH(test_unknown_authority),
		EACH(test_another_name),
		EACH(test_expired),
		EACH(test_not_yet),
		EACH(test_no_tls),
		EACH(test_redirects),
		EACH(test_redirect_to_a_stranger),
		EACH(test_ipv6),
	};
	int r;

	if (unshare(CLONE_NEWNS) < 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("tmpfs", AUTHORITIES, "tmpfs", 0, "mode=0755") < 0) {
		printf("cannot stand alone in " AUTHORITIES ": %s\n",
		       strerror(errno));
		return SKIP;
	}
	ca = tls_ca_new("authority of this test");
	stranger = tls_ca_new("somebody else");
	tls_ca_write(ca, AUTHORITIES "/ca-certificates.crt");
	good_server = tls_ca_server(ca, "IP:127.0.0.1", -HOUR, HOUR);
	setenv("no_proxy", "*", 1);
	r = cmocka_run_group_tests(tests, NULL, NULL);
	SSL_CTX_free(good_server);
	tls_ca_free(ca);
	tls_ca_free(stranger);
	return r;
}
