/* SPDX-License-Identifier: Apache-2.0 */
/* What the simulated repository answers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/tuf_sim.h"

struct sim_fetcher {
	struct fetch fetch;
	struct sim *sim;
	bool metadata;
};

void sim_clear_log(struct sim *s)
{
	s->log[0] = '\0';
}

static void write_down(struct sim *s, const char *name)
{
	size_t used = strlen(s->log);

	snprintf(s->log + used, sizeof(s->log) - used, "%s%s",
		 used ? " " : "", name);
}

static void unquote(const char *text, char *ret_text, size_t size)
{
	size_t n = 0;

	for (; *text && n + 1 < size; text++) {
		unsigned byte;

		if (*text == '%' && sscanf(text + 1, "%2x", &byte) == 1) {
			ret_text[n++] = (char)byte;
			text += 2;
		} else {
			ret_text[n++] = *text;
		}
	}
	ret_text[n] = '\0';
}

static bool consistent(struct sim *s)
{
	return json_is_true(json_object_get(sim_body(s, "root"),
					    "consistent_snapshot"));
}

static bool published(struct sim *s, const char *role, long version,
		      struct sim_bytes *ret_bytes)
{
	for (size_t i = 0; i < s->role_count; i++) {
		struct sim_role *r = &s->roles[i];

		if (strcmp(r->name, role) != 0 || !r->count) {
			continue;
		}
		if (version < 0) {
			*ret_bytes = r->published[r->count - 1];
			return true;
		}
		if (version >= 1 && (size_t)version <= r->count) {
			*ret_bytes = r->published[version - 1];
			return true;
		}
	}
	return false;
}

static bool find_metadata(struct sim *s, const char *name,
			  struct sim_bytes *ret_bytes)
{
	char text[1024], role[1024];
	char *dot = strchr(strcpy(text, name), '.');
	size_t n = strlen(text);
	long version = -1;

	if (n < 5 || strcmp(text + n - 5, ".json") != 0 || !dot) {
		return false;
	}
	text[n - 5] = '\0';
	if (strcmp(text, "timestamp") != 0 &&
	    (consistent(s) || strcmp(dot, ".root") == 0)) {
		version = strtol(text, NULL, 10);
		unquote(dot + 1, role, sizeof(role));
	} else {
		unquote(text, role, sizeof(role));
	}
	return published(s, role, version, ret_bytes);
}

static bool find_target(struct sim *s, const char *name,
			struct sim_bytes *ret_bytes)
{
	char path[1024], *base, *dot;

	unquote(name, path, sizeof(path));
	base = strrchr(path, '/');
	base = base ? base + 1 : path;
	dot = strchr(base, '.');
	if (consistent(s) && dot) {
		memmove(base, dot + 1, strlen(dot));
	}
	for (size_t i = 0; i < s->target_count; i++) {
		if (strcmp(s->targets[i].name, path) == 0) {
			*ret_bytes = s->targets[i].data;
			return true;
		}
	}
	return false;
}

bool sim_answer(struct sim *s, bool metadata, const char *name,
		struct sim_bytes *ret_bytes)
{
	write_down(s, name);
	for (size_t i = 0; i < s->instead_count; i++) {
		if (strcmp(s->instead[i].name, name) == 0) {
			*ret_bytes = s->instead[i].data;
			return true;
		}
	}
	return metadata ? find_metadata(s, name, ret_bytes)
			: find_target(s, name, ret_bytes);
}

static int sim_get(struct fetch *fetch, const char *name, uint64_t from,
		   uint64_t maximum, fetch_sink sink, void *context)
{
	struct sim_fetcher *f = (struct sim_fetcher *)fetch;
	struct sim *s = f->sim;
	struct sim_bytes answer;
	bool there = sim_answer(s, f->metadata, name, &answer);
	bool fails = s->fail_name && strcmp(s->fail_name, name) == 0;
	uint64_t end;

	snprintf(fetch->why, sizeof(fetch->why), "%s",
		 fails ? "made to fail" : "there is no such file");
	if (!there || (fails && s->fail == FETCH_ABSENT)) {
		return FETCH_ABSENT;
	}
	from = s->no_range ? 0 : from;
	if (from > answer.length) {
		return -ERANGE;
	}
	end = fails && s->cut < answer.length ? s->cut : answer.length;
	while (from < end) {
		size_t n = end - from < 1000 ? (size_t)(end - from) : 1000;
		int r = from + n > maximum ? -EFBIG :
			sink(context, from, answer.bytes + from, n);

		if (r) {
			return r;
		}
		from += n;
	}
	return fails ? s->fail : 0;
}

static void sim_fetch_free(struct fetch *f)
{
	free(f);
}

struct fetch *sim_fetch(struct sim *s, bool metadata)
{
	struct sim_fetcher *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	f->fetch.get = sim_get;
	f->fetch.free = sim_fetch_free;
	f->sim = s;
	f->metadata = metadata;
	return &f->fetch;
}
