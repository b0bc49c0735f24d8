/* SPDX-License-Identifier: Apache-2.0 */
/* tests/bench/bench_managed.c - see bench_managed.h */
#include "bench/bench_managed.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATIENCE_MS 20000

int managed_shell(const struct managed_place *place, const char *format, ...)
{
	char command[1600], whole[2048];
	va_list list;

	va_start(list, format);
	vsnprintf(command, sizeof command, format, list);
	va_end(list);
	snprintf(whole, sizeof whole, "(%s) >>%s/shell.log 2>&1", command,
		 place->server->env.base);
	return system(whole);
}

static int write_manifest(const struct managed_place *place,
			  const struct managed *m, int index, const char *from,
			  const char *url)
{
	const char *base = place->server->env.base;

	return managed_shell(place, "sed -e '/^root = /d' "
			     "-e 's|^\\[content\\]|&\\n"
			     "root = %s/web/%s/metadata/1.root.json\\n"
			     "url = %s/%s|' -e 's/^mode = .*/mode = enforce/' "
			     "%s/products/%s >%s/%s.ini && cp %s/%s.ini "
			     "%s/product%d.ini", base, m->product, url,
			     m->product, place->build, from, base, m->product,
			     base, m->product, base, index);
}

int managed_init(const struct managed_place *place, struct managed *m,
		 int index, const char *from, const char *url)
{
	const char *base = place->server->env.base;
	char manifest[128], etc[128];
	int r = managed_shell(place, "mkdir -p %s/corpus-%s/allow && "
			      "echo a document >%s/corpus-%s/allow/document",
			      base, m->product, base, m->product);

	snprintf(manifest, sizeof manifest, "%s/%s.ini", base, m->product);
	snprintf(etc, sizeof etc, "%s/etc", place->server->env.state);
	r = r ? r : vendor_host(etc);
	r = r ? r : vendor_init(&m->vendor, place->build, base, m->product,
				manifest);
	return r ? r : write_manifest(place, m, index, from, url);
}

int managed_add(const struct managed_place *place, struct managed *m,
		const char *content, unsigned fields)
{
	char folder[300], corpus[128];
	const struct vendor_version version = {
		.schema = m->schema, .fields = fields, .content = folder,
		.corpus = corpus, .bake = m->bake, .events = 20,
	};

	snprintf(folder, sizeof folder, "%s%s%s",
		 *content == '/' ? "" : place->source,
		 *content == '/' ? "" : "/", content);
	snprintf(corpus, sizeof corpus, "%s/corpus-%s",
		 place->server->env.base, m->product);
	return vendor_add(&m->vendor, &version);
}

static void text_of(const json_t *row, const char *name, char *ret_text,
		    size_t size)
{
	const char *text = json_string_value(json_object_get(row, name));

	snprintf(ret_text, size, "%s", text ? text : "");
}

/* "": it is not known yet. */
static void version_read(const struct managed_place *place,
			 const struct managed *m, char *ret_state,
			 char *ret_reason, size_t size)
{
	const char *const arguments[] = { "content", "show", m->product,
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
		    m->vendor.number) {
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

double managed_wait(const struct managed_place *place, const struct managed *m,
		   const char *state, const char *because, char *ret_reason,
		   size_t size, bool *ret_tried)
{
	const char *const check[] = { "content", "check", m->product, NULL };
	uint64_t start = ns_now_ns();
	char now[256] = "";
	double ms = 0;
	int r = broker_command(place->server, place->paths, check, NULL, 0);

	*ret_tried = false;
	while (r >= 0 && ms < PATIENCE_MS && !ns_stopped()) {
		version_read(place, m, now, ret_reason, size);
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
