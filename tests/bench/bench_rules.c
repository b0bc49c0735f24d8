/* SPDX-License-Identifier: Apache-2.0 */
/* tests/bench/bench_rules.c - see bench_rules.h */
#include "bench/bench_rules.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "bench/bench_server.h"

static void write_objects(FILE *out)
{
	char name[32];
	struct stat st;

	for (unsigned i = 0; i < SERVER_FILES; i++) {
		snprintf(name, sizeof name, "root%u", i);
		if (stat(name, &st) == 0) {
			fprintf(out, "allow file.open object %u:%u %llu\n",
				major(st.st_dev), minor(st.st_dev),
				(unsigned long long)st.st_ino);
		}
	}
}

/* Rules of several shapes; none is about a file that the bench opens. */
static void write_many(FILE *out, const char *tree)
{
	for (unsigned i = 0; i < 9999; i++) {
		switch (i % 4) {
		case 0:
			fprintf(out, "deny file.open path \"%s/no%u/file\"\n",
				tree, i);
			break;
		case 1:
			fprintf(out, "deny file.open path-prefix "
				"\"%s/away%u\"\n", tree, i);
			break;
		case 2:
			fprintf(out, "deny process.exec object 0:%u %u\n",
				i % 4000 + 60000, i);
			break;
		default:
			fprintf(out, "deny file.open path \"/opt/no%u/x\" "
				"and uid %u\n", i, 70000 + i);
		}
	}
}

int bench_rules_write(const struct ns_env *env, enum bench_rules rules)
{
	char path[160];
	FILE *out;

	if (rules == BENCH_RULES_NONE) {
		return 0;
	}
	snprintf(path, sizeof path, "%s/etc", env->state);
	mkdir(path, 0755);
	snprintf(path, sizeof path, "%s/etc/rules.d", env->state);
	mkdir(path, 0755);
	snprintf(path, sizeof path, "%s/etc/rules.d/bench.rules", env->state);
	out = fopen(path, "we");
	if (out == NULL) {
		return -errno;
	}
	if (rules == BENCH_RULES_OBJECT) {
		write_objects(out);
	}
	if (rules == BENCH_RULES_BIG) {
		write_many(out, env->tree);
	}
	if (rules == BENCH_RULES_PATH || rules == BENCH_RULES_BIG) {
		fprintf(out, "allow file.open path-prefix \"%s\"\n",
			env->tree);
	}
	if (rules == BENCH_RULES_EVIL) {
		fprintf(out, "deny file.open path \"%s/admin_evil0\"\n",
			env->tree);
	}
	return fclose(out) != 0 ? -errno : 0;
}
