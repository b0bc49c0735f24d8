/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/bench/bench_vendor.h - a vendor's side beside a broker: publishes
 * content by tests/lib/vendor, and sees by `bailey content` what became of it
 *
 * Everything lies in the environment's base: workspaces, web/PRODUCT (the
 * repositories), vendor.log.
 */
#ifndef BENCH_VENDOR_H
#define BENCH_VENDOR_H

#include <stdbool.h>

#include "bench/bench_broker.h"

struct vendor {
	const char *product, *schema, *fields, *good;
	const char *bake;       /* of its versions */
	unsigned number;        /* of the last version */
};

struct vendor_place {
	const struct server *server;
	const struct bench_paths *paths;
	const char *build, *source;
};

/* sh -c; what it says goes to vendor.log. Its exit code. */
int vendor_shell(const struct vendor_place *place, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* Keys, an empty workspace, one innocent case, and base/PRODUCT.ini and
 * base/productINDEX.ini: the manifest that was built as `from`, with managed
 * content at url/PRODUCT. 0 if all went well, as for the next two. */
int vendor_init(const struct vendor_place *place, const struct vendor *v,
		int index, const char *from, const char *url);
/* content: from the source folder, if it does not begin with a slash. */
int vendor_add(const struct vendor_place *place, struct vendor *v,
	       const char *content, const char *fields);
/* For everybody, at once. careless: whatever its preflight would say. */
int vendor_release(const struct vendor_place *place, const struct vendor *v,
		   bool careless);
/* Has it fetched now, and waits until the newest version is in that state, for
 * that reason (what it waits for, where it has none). Was it on trial?
 * Milliseconds, or -1 with what was seen last. */
double vendor_wait(const struct vendor_place *place, const struct vendor *v,
		   const char *state, const char *because, char *ret_reason,
		   size_t size, bool *ret_tried);

#endif
