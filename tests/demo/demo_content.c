/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/demo/demo_content.c - content, good and bad, from a web server to the
 * product; see demo.h
 *
 * Two products with managed content: scan, whose rules find the test file all
 * the time, and brittle, which states 21 fields and supplies 20. Their vendor
 * (tests/demo/vendor) publishes; `bailey run` fetches, tries and decides by
 * itself. The load tells what the host felt.
 */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "demo/demo.h"
#include "lib/web.h"

#define LOAD ((1u << LOAD_OPENS) | (1u << LOAD_EXECS) | (1u << LOAD_EVIL_ONCE))
#define PATIENCE_MS 20000

struct vendor {
	const char *product, *schema, *fields, *good;
	unsigned number;        /* of the last version */
};

static int shell(struct demo *demo, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static int shell(struct demo *demo, const char *format, ...)
{
	char command[1600], whole[2048];
	va_list list;

	va_start(list, format);
	vsnprintf(command, sizeof command, format, list);
	va_end(list);
	snprintf(whole, sizeof whole, "(%s) >>%s/vendor.log 2>&1", command,
		 demo->server.env.base);
	return system(whole);
}

static int vendor_do(struct demo *demo, const struct vendor *v,
		     const char *what)
{
	return shell(demo, "%s/tests/demo/vendor %s %s %s %s %s", demo->source,
		     demo->build, demo->server.env.base, v->product, v->schema,
		     what);
}

static int vendor_add(struct demo *demo, struct vendor *v, const char *content,
		      const char *fields)
{
	char what[512];

	v->number++;
	snprintf(what, sizeof what, "add %s %s %s/corpus-%s", content, fields,
		 demo->server.env.base, v->product);
	return vendor_do(demo, v, what);
}

/* 0: it is out. careless: as by a vendor who does not try it. */
static int vendor_release(struct demo *demo, const struct vendor *v,
			  const char *careless)
{
	char what[64];

	snprintf(what, sizeof what, "release %u %s", v->number, careless);
	return vendor_do(demo, v, what);
}

/* The manifest as it is built, with its content managed. */
static int write_manifest(struct demo *demo, const struct vendor *v, int index,
			  const char *from, const char *url)
{
	const char *base = demo->server.env.base;

	return shell(demo, "sed -e '/^root = /d' -e 's|^\\[content\\]|&\\n"
		     "root = %s/web/%s/metadata/1.root.json\\n"
		     "url = %s/%s|' -e 's/^mode = .*/mode = enforce/' "
		     "%s/products/%s >%s/%s.ini && cp %s/%s.ini "
		     "%s/product%d.ini", base, v->product, url, v->product,
		     demo->build, from, base, v->product, base, v->product,
		     base, index);
}

/* One version as `bailey content show` has it; "" if it is not known yet. Of
 * one that has no reason of its own, what it waits for. */
static void version_read(struct demo *demo, const struct vendor *v,
			 char *ret_state, char *ret_reason, size_t size)
{
	const char *const arguments[] = { "content", "show", v->product,
					  "--json", NULL };
	static char text[1 << 16];
	json_t *tree, *row;
	size_t i;

	*ret_state = *ret_reason = '\0';
	if (broker_command(&demo->server, &demo->paths, arguments, text,
			   sizeof text) < 0) {
		return;
	}
	tree = json_loads(text, 0, NULL);
	json_array_foreach(json_object_get(tree, "versions"), i, row) {
		const char *state = json_string_value(
			json_object_get(row, "state"));
		const char *reason = json_string_value(
			json_object_get(row, "reason"));

		if (json_integer_value(json_object_get(row, "number")) ==
		    v->number) {
			snprintf(ret_state, size, "%s", state ? state : "");
			snprintf(ret_reason, size, "%s", reason ? reason : "");
		}
	}
	row = json_array_get(json_object_get(tree, "products"), 0);
	if (*ret_state && !*ret_reason) {
		const char *why = json_string_value(
			json_object_get(row, "waits_for"));

		snprintf(ret_reason, size, "%s", why ? why : "");
	}
	json_decref(tree);
}

/* Has it fetched now, and waits until the version is in that state, for that
 * reason. Was it on trial? Milliseconds, or -1. */
static double version_end(struct demo *demo, const struct vendor *v,
			  const char *state, const char *because,
			  char *ret_reason, size_t size, bool *ret_tried)
{
	const char *const check[] = { "content", "check", v->product, NULL };
	uint64_t start = ns_now_ns();
	char now[256] = "";
	double ms = 0;
	int r = broker_command(&demo->server, &demo->paths, check, NULL, 0);

	*ret_tried = false;
	while (r >= 0 && ms < PATIENCE_MS && !ns_stopped()) {
		version_read(demo, v, now, ret_reason, size);
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

static void say_evil(struct demo *demo, uint32_t from)
{
	uint32_t to = load_now_us(demo->load);
	uint32_t denied = load_count(demo->load, LOAD_EVIL_ONCE, false, from,
				     to);
	uint32_t allowed = load_count(demo->load, LOAD_EVIL_ONCE, true, from,
				      to);

	demo_check(demo, allowed == 0 && denied > 0, "the test file was tried "
		   "%u times meanwhile and refused each time",
		   denied + allowed);
	demo_check_innocents(demo, from);
}

/* How long nobody was asked, as the monitor tells; us, or -1. */
static long last_revert_us(struct demo *demo)
{
	static const char words[] = "former content is asked again after ";
	char line[512], path[128];
	long us = -1;
	FILE *log;

	snprintf(path, sizeof path, "%s/log", demo->server.env.base);
	log = fopen(path, "re");
	while (log && fgets(line, sizeof line, log)) {
		const char *at = strstr(line, words);

		us = at ? strtol(at + strlen(words), NULL, 10) : us;
	}
	if (log) {
		fclose(log);
	}
	return us;
}

static int publish_good(struct demo *demo, struct vendor *v)
{
	int r = vendor_add(demo, v, v->good, v->fields);

	r = r ? r : vendor_release(demo, v, "");
	demo_check(demo, r == 0, "%s: version %u of its content passed the "
		   "vendor's preflight and is signed by two people",
		   v->product, v->number);
	return r;
}

static void good(struct demo *demo, const struct vendor *v)
{
	char reason[256];
	bool tried;
	double ms = version_end(demo, v, "good", "", reason, sizeof reason,
				&tried);

	demo_check(demo, ms >= 0, "%s: fetched, tried in a jail, on trial, "
		   "good after %.1f s%s%s", v->product, ms / 1000,
		   ms < 0 ? ": " : "", ms < 0 ? reason : "");
}

struct bad {
	const char *what, *content, *fields, *stage, *state, *because;
};

static void bad(struct demo *demo, struct vendor *v, const struct bad *b)
{
	char content[256], reason[256];
	bool trial = strcmp(b->stage, "trial") == 0, tried;
	uint32_t from;
	double ms;

	demo_title("%s: %s", v->product, b->what);
	snprintf(content, sizeof content, "%s%s%s",
		 *b->content == '/' ? "" : demo->source,
		 *b->content == '/' ? "" : "/", b->content);
	if (vendor_add(demo, v, content, b->fields) != 0) {
		demo_check(demo, false, "cannot be added");
		return;
	}
	from = load_now_us(demo->load);
	if (trial) {
		demo_check(demo, vendor_release(demo, v, "") == 0, "the "
			   "vendor's preflight passes it: its corpus has one "
			   "case");
	} else {
		demo_check(demo, vendor_release(demo, v, "") != 0,
			   "bailey publish refuses to release it");
		demo_check(demo, vendor_release(demo, v, "careless") == 0,
			   "a careless vendor releases it all the same");
	}
	ms = version_end(demo, v, b->state, b->because, reason, sizeof reason,
			 &tried);
	demo_check(demo, ms >= 0 && (trial || !tried),
		   "stopped by %s after %.1f s (%s): %s", b->stage, ms / 1000,
		   b->state, reason);
	if (trial) {
		long us = last_revert_us(demo);

		demo_check(demo, us >= 0, "the version before was asked again "
			   "%ld us after each crash", us);
	}
	say_evil(demo, from);
}

static int prepare(struct demo *demo, struct vendor *v, const char *url)
{
	const char *base = demo->server.env.base;
	int r = shell(demo, "mkdir -p %s/corpus-scan/allow "
		      "%s/corpus-brittle/allow %s/everything && "
		      "echo a document >%s/corpus-scan/allow/document && "
		      "cp %s/corpus-scan/allow/document "
		      "%s/corpus-brittle/allow/ && echo 'rule everything "
		      "{ condition: true }' >%s/everything/all.yar", base, base,
		      base, base, base, base, base);

	for (int i = 0; r == 0 && i < 2; i++) {
		r = vendor_do(demo, &v[i], "init");
		r = r ? r : write_manifest(demo, &v[i], i,
					   i == 0 ? "scan/scan.ini"
						  : "brittle/parallel.ini",
					   url);
		r = r ? r : publish_good(demo, &v[i]);
	}
	return r;
}

static int start(struct demo *demo)
{
	uint64_t begin = ns_now_ns();
	int r = broker_launch(&demo->server, 2, &demo->paths);

	r = r == 0 ? broker_wait_up(&demo->server, &demo->paths, 15000) : r;
	if (!demo_check(demo, r == 0, "bailey run: protects after %.0f ms, "
			"by the content that came with the products",
			(double)(ns_now_ns() - begin) / 1e6)) {
		broker_show_log(&demo->server.env);
	}
	return r == 0 ? load_start(demo->load, &demo->server, LOAD) : r;
}

void demo_steps_content(struct demo *demo)
{
	char rules[256], fine[256], everything[128];
	struct vendor v[2] = {
		{ "scan", "scan-rules/1", "3", rules, 0 },
		{ "brittle", "brittle/1", "21", fine, 0 },
	};
	const struct bad bads[] = {
		{ "a version that denies everything", everything, "3",
		  "preflight", "quarantined", "wrong-verdict" },
		{ "a version for code with one field more",
		  "products/brittle/content/good", "22", "schema", "fetched",
		  "schema" },
		{ "a version that ends it while it loads",
		  "products/brittle/content/load", "21", "preflight",
		  "quarantined", "crash" },
		{ "a version that ends it at the third event (21 fields "
		  "declared, 20 supplied)",
		  "products/brittle/content/third", "21", "trial",
		  "quarantined", "crash" },
	};
	struct web *web;
	char folder[128];

	snprintf(rules, sizeof rules, "%s/products/scan/rules", demo->source);
	snprintf(fine, sizeof fine, "%s/products/brittle/content/good",
		 demo->source);
	snprintf(everything, sizeof everything, "%s/everything",
		 demo->server.env.base);
	snprintf(folder, sizeof folder, "%s/web", demo->server.env.base);
	if (mkdir(folder, 0755) != 0) {
		demo_check(demo, false, "%s: %s", folder, strerror(errno));
		return;
	}
	web = web_new(folder);
	demo_title("Content: signed, tried, on trial");
	if (demo_check(demo, prepare(demo, v, web->url) == 0,
		       "a vendor's repositories, served at %s", web->url) &&
	    start(demo) == 0) {
		uint32_t from = load_now_us(demo->load);

		good(demo, &v[0]);
		good(demo, &v[1]);
		ns_sleep_ms(500);
		say_evil(demo, from);
		for (size_t i = 0; i < sizeof bads / sizeof *bads &&
				   !ns_stopped(); i++) {
			bad(demo, &v[i > 0], &bads[i]);
		}
		load_stop(demo->load);
		demo_host_stop(demo);
	}
	web_free(web);
}
