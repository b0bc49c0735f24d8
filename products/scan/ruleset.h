/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scan/ruleset.h - all *.yar files of a folder, compiled
 *
 * The folder is a descriptor: in the jail there is no path that leads to it.
 * Each file is a namespace of its own, so that two vendors may use one rule
 * name. A file that does not compile is left out with its file, line and
 * reason; the others still count. `include` is refused: a rule file reads
 * nothing but itself. Files are taken in the order of their names.
 *
 * How: libyara's compiler is of no use after an error, so all are compiled
 * together first, which is what nearly always works; if that fails each is
 * tried alone, and the good ones are compiled together.
 */
#ifndef SCAN_RULESET_H
#define SCAN_RULESET_H

#include <yara.h>

/* One complaint: "file:line: reason". */
typedef void ruleset_complain_fn(void *context, const char *text);

struct ruleset {
	YR_RULES *rules;        /* owned */
	unsigned files;         /* that count */
	unsigned broken;        /* left out */
	unsigned count;         /* rules */
};

/* yr_initialize() must have been called. 0; -ENOENT if no file is usable;
 * -ENOMEM and the errors of openat(2). directory is borrowed. */
int ruleset_load(int directory, ruleset_complain_fn *complain, void *context,
		 struct ruleset *ret_set) __attribute__((warn_unused_result));
void ruleset_fini(struct ruleset *set);

#endif
