/* SPDX-License-Identifier: Apache-2.0 */
/* What is said on content.sock, while the stand-in serves the agent. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cmocka.h>
#include <jansson.h>

#include "base/mono.h"
#include "base/pass.h"
#include "lib/agent_host.h"

#define WAIT_MS 20000u

static int ask_connect(const struct host *host)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	mono_t end = mono_add(mono_now(), WAIT_MS * MONO_MS);
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	snprintf(to.sun_path, sizeof(to.sun_path), "%s/content.sock",
		 host->dir);
	while (connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0) {
		assert_true(mono_now().ns < end.ns);
		usleep(1000);
	}
	return fd;
}

/* 1 + the end's error, or 0. */
static int ask_record(const char *bytes, char *ret_records, size_t size)
{
	json_t *o = json_loads(bytes, 0, NULL);
	int error = -1;

	assert_non_null(o);
	if (json_object_get(o, "end")) {
		error = (int)json_integer_value(json_object_get(o, "error"));
	}
	if (ret_records) {
		size_t n = strlen(ret_records);

		snprintf(ret_records + n, size - n, "%s\n", bytes);
	}
	json_decref(o);
	return error + 1;
}

int host_ask(struct host *host, const char *request, int fd,
	     char *ret_records, size_t size)
{
	mono_t end = mono_add(mono_now(), WAIT_MS * MONO_MS);
	char bytes[65537];
	int client = ask_connect(host), r = 0;

	if (ret_records) {
		ret_records[0] = '\0';
	}
	assert_int_equal(pass_send(client, request, strlen(request), &fd,
				   fd >= 0, 0), 0);
	while (!r) {
		unsigned kills = host->kills;
		ssize_t n;

		host_turn(host, 2);
		n = recv(client, bytes, sizeof(bytes) - 1, MSG_DONTWAIT);
		if (n > 0) {
			bytes[n] = '\0';
			r = ask_record(bytes, ret_records, size);
		} else if (host->kills != kills) {
			close(client);  /* of the agent that was killed */
			return host_ask(host, request, fd, ret_records, size);
		} else if (n == 0 || errno != EAGAIN) {
			fail_msg("no end to %s", request);
		}
		if (mono_now().ns >= end.ns) {
			fail_msg("no answer to %s in 20 s", request);
		}
	}
	close(client);
	return r - 1;
}

static void request_make(const struct host *host, const char *word,
			 char ret_request[128])
{
	snprintf(ret_request, 128, "{\"do\":\"%s\",\"product\":\"%s\"}", word,
		 host->options.name);
}

int host_submit(struct host *host, const struct host_version *version,
		uint8_t ret_hash[32])
{
	char path[128], request[128];
	int fd, r;

	host_bundle(host, version, path, ret_hash);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	request_make(host, "submit", request);
	r = host_ask(host, request, fd, NULL, 0);
	close(fd);
	return r;
}

void host_bring(struct host *host, const struct host_version *version,
		uint8_t ret_hash[32])
{
	char path[128], request[128];
	int fd, client = ask_connect(host);

	host_bundle(host, version, path, ret_hash);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	request_make(host, "submit", request);
	assert_int_equal(pass_send(client, request, strlen(request), &fd, 1,
				   0), 0);
	close(fd);
	host_serve(host, 50);
	close(client);
}

int host_show(struct host *host, char *ret_records, size_t size)
{
	char request[128];

	request_make(host, "show", request);
	return host_ask(host, request, -1, ret_records, size);
}

void host_version(struct host *host, const uint8_t hash[32], char *ret_text,
		  size_t size)
{
	char hex[VERSION_HEX], *records = malloc(1 << 16), *line, *rest;

	version_hex(hash, hex);
	assert_int_equal(host_show(host, records, 1 << 16), 0);
	ret_text[0] = '\0';
	rest = records;
	while ((line = strsep(&rest, "\n")) != NULL) {
		if (strstr(line, "\"type\":\"version\"") &&
		    strstr(line, hex)) {
			snprintf(ret_text, size, "%s", line);
		}
	}
	free(records);
}

void host_await(struct host *host, const uint8_t hash[32], const char *state)
{
	mono_t end = mono_add(mono_now(), WAIT_MS * MONO_MS);
	char want[64], text[4096];

	snprintf(want, sizeof(want), "\"state\":\"%s\"", state);
	do {
		host_version(host, hash, text, sizeof(text));
		if (strstr(text, want)) {
			return;
		}
		host_serve(host, 20);
	} while (mono_now().ns < end.ns);
	fail_msg("not %s: %s", state, text);
}
