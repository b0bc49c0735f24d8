/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/bench/bench_managed.h - a product with managed content beside a broker:
 * its vendor publishes (lib/vendor.h), and `bailey content` says what became of
 * it
 *
 * Everything lies in the environment's base: workspaces, web/PRODUCT (the
 * repositories), shell.log.
 */
#ifndef BENCH_MANAGED_H
#define BENCH_MANAGED_H

#include <stdbool.h>

#include "bench/bench_broker.h"
#include "lib/vendor.h"

struct managed {
	const char *product, *schema;
	unsigned fields;
	const char *good;       /* content, in the source folder */
	const char *bake;       /* of its versions */
	struct vendor vendor;
};

struct managed_place {
	const struct server *server;
	const struct bench_paths *paths;
	const char *build, *source;
};

/* sh -c; what it says goes to shell.log. Its exit code. */
int managed_shell(const struct managed_place *place, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* Keys, an empty workspace, one innocent case, and base/PRODUCT.ini and
 * base/productINDEX.ini: the manifest that was built as `from`, with managed
 * content at url/PRODUCT. 0 if all went well, as for the next. */
int managed_init(const struct managed_place *place, struct managed *m,
		 int index, const char *from, const char *url);
/* content: from the source folder, if it does not begin with a slash. */
int managed_add(const struct managed_place *place, struct managed *m,
		const char *content, unsigned fields);
/* Has it fetched now, and waits until the newest version is in that state, for
 * that reason (what it waits for, where it has none). Was it on trial?
 * Milliseconds, or -1 with what was seen last. */
double managed_wait(const struct managed_place *place, const struct managed *m,
		    const char *state, const char *because, char *ret_reason,
		    size_t size, bool *ret_tried);

#endif
