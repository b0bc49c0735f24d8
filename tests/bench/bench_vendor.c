/* SPDX-License-Identifier: Apache-2.0 */
/* tests/bench/bench_vendor.c - see bench_vendor.h */
#include "bench/bench_vendor.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATIENCE_MS 20000

int vendor_shell(const struct vendor_place *place, const char *format, ...)
{
	char command[1600], whole[2048];
	va_list list;

	va_start(list, format);
	vsnprintf(command, sizeof command, format, list);
	va_end(list);
	snprintf(whole, sizeof whole, "(%s) >>%s/vendor.log 2>&1", command,
		 place->server->env.base);
	return system(whole);
}

static int vendor_do(const struct vendor_place *place, const struct vendor *v,
		     const char *what)
{
	return vendor_shell(place, "%s/tests/lib/vendor %s %s %s %s %s",
			    place->source, place->build,
			    place->server->env.base, v->product, v->schema,
			    what);
}

static int write_manifest(const struct vendor_place *place,
			  const struct vendor *v, int index, const char *from,
			  const char *url)
{
	const char *base = place->server->env.base;

	return vendor_shell(place, "sed -e '/^root = /d' "
			    "-e 's|^\\[content\\]|&\\n"
			    "root = %s/web/%s/metadata/1.root.json\\n"
			    "url = %s/%s|' -e 's/^mode = .*/mode = enforce/' "
			    "%s/products/%s >%s/%s.ini && cp %s/%s.ini "
			    "%s/product%d.ini", base, v->product, url,
			    v->product, place->build, from, base, v->product,
			    base, v->product, base, index);
}

int vendor_init(const struct vendor_place *place, const struct vendor *v,
		int index, const char *from, const char *url)
{
	const char *base = place->server->env.base;
	int r = vendor_shell(place, "mkdir -p %s/corpus-%s/allow && "
			     "echo a document >%s/corpus-%s/allow/document",
			     base, v->product, base, v->product);

	r = r ? r : vendor_do(place, v, "init");
	return r ? r : write_manifest(place, v, index, from, url);
}

int vendor_add(const struct vendor_place *place, struct vendor *v,
	       const char *content, const char *fields)
{
	bool whole = *content == '/';
	char what[512];

	v->number++;
	snprintf(what, sizeof what, "add %s%s%s %s %s/corpus-%s %s",
		 whole ? "" : place->source, whole ? "" : "/", content,
		 fields, place->server->env.base, v->product, v->bake);
	return vendor_do(place, v, what);
}

int vendor_release(const struct vendor_place *place, const struct vendor *v,
		   bool careless)
{
	char what[64];

	snprintf(what, sizeof what, "release %u%s", v->number,
		 careless ? " careless" : "");
	return vendor_do(place, v, what);
}

static void text_of(const json_t *row, const char *name, char *ret_text,
		    size_t size)
{
	const char *text = json_string_value(json_object_get(row, name));

	snprintf(ret_text, size, "%s", text ? text : "");
}

/* "": it is not known yet. */
static void version_read(const struct vendor_place *place,
			 const struct vendor *v, char *ret_state,
			 char *ret_reason, size_t size)
{
	const char *const arguments[] = { "content", "show", v->product,
					  "--json", NULL };
	static char text[1 << 16];
	json_t *tree, *row;
	size_t i;

	*ret_state = *ret_reason = '\0';
	if (broker_command(place->server, place->paths, arguments, text,
			   sizeof text) < 0) {
		return;
	}
	tree = json_loads(text, 0, NULL);
	json_array_foreach(json_object_get(tree, "versions"), i, row) {
		if (json_integer_value(json_object_get(row, "number")) ==
		    v->number) {
			text_of(row, "state", ret_state, size);
			text_of(row, "reason", ret_reason, size);
		}
	}
	if (*ret_state && !*ret_reason) {
		row = json_array_get(json_object_get(tree, "products"), 0);
		text_of(row, "waits_for", ret_reason, size);
	}
	json_decref(tree);
}

double vendor_wait(const struct vendor_place *place, const struct vendor *v,
		   const char *state, const char *because, char *ret_reason,
		   size_t size, bool *ret_tried)
{
	const char *const check[] = { "content", "check", v->product, NULL };
	uint64_t start = ns_now_ns();
	char now[256] = "";
	double ms = 0;
	int r = broker_command(place->server, place->paths, check, NULL, 0);

	*ret_tried = false;
	while (r >= 0 && ms < PATIENCE_MS && !ns_stopped()) {
		version_read(place, v, now, ret_reason, size);
		ms = (double)(ns_now_ns() - start) / 1e6;
		*ret_tried |= strcmp(now, "trial") == 0;
		if (strcmp(now, state) == 0 && strstr(ret_reason, because)) {
			return ms;
		}
		ns_sleep_ms(20);
	}
	snprintf(ret_reason, size, "it is \"%s\"", now);
	return -1;
}
