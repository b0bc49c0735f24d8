/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/demo/demo_content.c - content, good and bad, from a web server to the
 * product; see demo.h
 *
 * Two products with managed content: scan, whose rules find the test file all
 * the time, and brittle, which states 21 fields and supplies 20. Their vendor
 * publishes (bench/bench_managed.h); `bailey run` fetches, tries and decides by
 * itself. The load tells what the host felt.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "bench/bench_managed.h"
#include "demo/demo.h"
#include "lib/web.h"

#define LOAD ((1u << LOAD_OPENS) | (1u << LOAD_EXECS) | (1u << LOAD_EVIL_ONCE))

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

static int publish_good(struct demo *demo, const struct managed_place *place,
			struct managed *m)
{
	int r = managed_add(place, m, m->good, m->fields);

	r = r ? r : vendor_release(&m->vendor, false);
	demo_check(demo, r == 0, "%s: version %u of its content passed the "
		   "vendor's preflight and is signed by two people",
		   m->product, m->vendor.number);
	return r;
}

static void good(struct demo *demo, const struct managed_place *place,
		 const struct managed *m)
{
	char reason[256];
	bool tried;
	double ms = managed_wait(place, m, "good", "", reason, sizeof reason,
				 &tried);

	demo_check(demo, ms >= 0, "%s: fetched, tried in a jail, on trial, "
		   "good after %.1f s%s%s", m->product, ms / 1000,
		   ms < 0 ? ": " : "", ms < 0 ? reason : "");
}

struct bad {
	const char *what, *content;
	unsigned fields;
	const char *stage, *state, *because;
};

static void bad(struct demo *demo, const struct managed_place *place,
		struct managed *m, const struct bad *b)
{
	char reason[256];
	bool trial = strcmp(b->stage, "trial") == 0, tried;
	uint32_t from;
	double ms;

	demo_title("%s: %s", m->product, b->what);
	if (managed_add(place, m, b->content, b->fields) != 0) {
		demo_check(demo, false, "cannot be added");
		return;
	}
	from = load_now_us(demo->load);
	if (trial) {
		demo_check(demo, vendor_release(&m->vendor, false) == 0, "the "
			   "vendor's preflight passes it: its corpus has one "
			   "case");
	} else {
		demo_check(demo, vendor_release(&m->vendor, false) != 0,
			   "bailey publish refuses to release it");
		demo_check(demo, vendor_release(&m->vendor, true) == 0,
			   "a careless vendor releases it all the same");
	}
	ms = managed_wait(place, m, b->state, b->because, reason, sizeof reason,
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

static int prepare(struct demo *demo, const struct managed_place *place,
		   struct managed *m, const char *url)
{
	static const char *const manifest[] = { "scan/scan.ini",
						"brittle/parallel.ini" };
	const char *base = demo->server.env.base;
	int r = managed_shell(place, "mkdir %s/everything && echo 'rule "
			      "everything { condition: true }' "
			      ">%s/everything/all.yar", base, base);

	for (int i = 0; r == 0 && i < 2; i++) {
		r = managed_init(place, &m[i], i, manifest[i], url);
		r = r ? r : publish_good(demo, place, &m[i]);
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
	const struct managed_place place = { &demo->server, &demo->paths,
					     demo->build, demo->source };
	char everything[128], folder[128];
	struct managed m[2] = {
		{ "scan", "scan-rules/1", 3, "products/scan/rules", "1s",
		  { .number = 0 } },
		{ "brittle", "brittle/1", 21, "products/brittle/content/good",
		  "1s", { .number = 0 } },
	};
	const struct bad bads[] = {
		{ "a version that denies everything", everything, 3,
		  "preflight", "quarantined", "wrong-verdict" },
		{ "a version for code with one field more",
		  "products/brittle/content/good", 22, "schema", "fetched",
		  "schema" },
		{ "a version that ends it while it loads",
		  "products/brittle/content/load", 21, "preflight",
		  "quarantined", "crash" },
		{ "a version that ends it at the third event (21 fields "
		  "declared, 20 supplied)",
		  "products/brittle/content/third", 21, "trial",
		  "quarantined", "crash" },
	};
	struct web *web;

	snprintf(everything, sizeof everything, "%s/everything",
		 demo->server.env.base);
	snprintf(folder, sizeof folder, "%s/web", demo->server.env.base);
	demo_title("Content: signed, tried, on trial");
	if (mkdir(folder, 0755) != 0) {
		demo_check(demo, false, "%s: %s", folder, strerror(errno));
		return;
	}
	web = web_new(folder);
	if (demo_check(demo, prepare(demo, &place, m, web->url) == 0,
		       "a vendor's repositories, served at %s", web->url) &&
	    start(demo) == 0) {
		uint32_t from = load_now_us(demo->load);

		good(demo, &place, &m[0]);
		good(demo, &place, &m[1]);
		ns_sleep_ms(500);
		say_evil(demo, from);
		for (size_t i = 0; i < sizeof bads / sizeof *bads &&
				   !ns_stopped(); i++) {
			bad(demo, &place, &m[i > 0], &bads[i]);
		}
		load_stop(demo->load);
		demo_host_stop(demo);
	}
	web_free(web);
}
