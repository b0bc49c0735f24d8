/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What one evaluation of the rules costs: nanoseconds, median and worst of
 * BATCHES batches, for a handful of rules and for 10,000 of a mixed kind.
 * Needs no root. Every path is looked up from a rotating set, so that the
 * figure is not that of one warm cache line.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "base/mono.h"
#include "rule/rule.h"

#define BATCHES 200
#define BATCH 2000
#define EVENTS 1024

struct events {
	struct rule_facts facts[EVENTS];
	char path[EVENTS][96];
};

static int order(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static void measure(const char *name, const struct rule_program *program,
		    const struct events *events)
{
	static double ns[BATCHES];
	unsigned long matched = 0;

	for (unsigned b = 0; b < BATCHES; b++) {
		mono_t start = mono_now();

		for (unsigned i = 0; i < BATCH; i++) {
			const struct rule_facts *f =
				&events->facts[(i * 37 + b) % EVENTS];
			struct rule_match match;

			matched += rule_eval(program, f, NULL, &match) !=
				   RULE_NONE;
		}
		ns[b] = (double)mono_between(start, mono_now()) / BATCH;
	}
	qsort(ns, BATCHES, sizeof(ns[0]), order);
	printf("%-34s %7.1f ns  worst batch %7.1f  cost %5u  matched %3.0f%%\n",
	       name, ns[BATCHES / 2], ns[BATCHES - 1],
	       rule_program_cost(program, BAILEY_EVENT_FILE_OPEN),
	       100.0 * (double)matched / BATCHES / BATCH);
}

/* share: of 100 events how many have a path that a rule names. */
static void make_events(struct events *events, unsigned share)
{
	for (unsigned i = 0; i < EVENTS; i++) {
		struct rule_facts *f = &events->facts[i];
		int n = snprintf(events->path[i], sizeof(events->path[i]),
				 i % 100 < share
				 ? "/srv/data/tree%u/sub/file%u.exe"
				 : "/usr/lib/x86_64/other%u/sub/lib%u.so",
				 i * 7 % 2500, i * 7 % 2500);

		*f = (struct rule_facts){
			.kind = BAILEY_EVENT_FILE_OPEN, .have = 0x1bf,
			.path = events->path[i], .path_length = (size_t)n,
			.exe_path = "/usr/bin/cat", .exe_path_length = 12,
			.device = makedev(8, 1), .inode = i * 131,
			.uid = 1000, .mode = 0100644, .size = 4000
		};
	}
}

static struct rule_program *compile(const char *text)
{
	struct rule_program *program = NULL;
	struct rule_error error;

	if (rule_compile(text, strlen(text), NULL, &program, &error)) {
		fprintf(stderr, "line %d: %s\n", error.line, error.text);
		exit(1);
	}
	return program;
}

static void one(const char *name, const char *text,
		const struct events *events)
{
	struct rule_program *program = compile(text);

	measure(name, program, events);
	free(program);
}

/* 10,000: exact paths, prefixes, globs with a literal directory, objects. */
static char *big_text(void)
{
	char *text = malloc(10000 * 80), *t = text;

	if (!text) {
		exit(1);
	}
	for (unsigned i = 0; i < 2500; i++) {
		t += sprintf(t, "deny any path \"/srv/data/tree%u/a/b%u\"\n"
			     "deny any object 8:1 %u\n", i, i, i * 131 + 7);
		t += sprintf(t, "deny any path-prefix \"/opt/app%u/bin\"\n"
			     "deny any path \"/srv/data/tree%u/sub/*.exe\"\n",
			     i, i);
	}
	return text;
}

int main(void)
{
	static struct events events;
	char *big = big_text();
	mono_t start = mono_now();
	struct rule_program *program = compile(big);

	printf("compile 10,000 rules: %.1f ms, %zu kB\n",
	       (double)mono_between(start, mono_now()) / 1e6,
	       rule_program_size(program) / 1024);
	start = mono_now();
	if (rule_program_check(program, rule_program_size(program))) {
		return 1;
	}
	printf("check: %.1f ms\n",
	       (double)mono_between(start, mono_now()) / 1e6);
	make_events(&events, 50);
	one("object, 1 rule", "deny any object 8:1 131\n", &events);
	one("uid, 1 rule", "deny any uid 1000\n", &events);
	one("exact path, 1 rule", "deny any path \"/srv/data/x\"\n", &events);
	one("handful: path, prefix, glob, uid",
	    "deny any path \"/srv/x\"\nallow any path-prefix \"/opt\"\n"
	    "deny any path \"/srv/data/*.exe\" and not uid 0\n"
	    "quiet any path \"/srv/**/*.exe\"\nask any uid 33\n", &events);
	one("4 globs without a directory",
	    "deny any path \"/**/*.bad\"\ndeny any path \"/**/x?z*\"\n"
	    "deny any path \"/**/e*l/**/*.exe\"\n"
	    "deny any path \"/*/*/*/*/*/*.q\"\n", &events);
	measure("10,000 rules, half match", program, &events);
	make_events(&events, 0);
	measure("10,000 rules, none matches", program, &events);
	free(program);
	free(big);
	return 0;
}
