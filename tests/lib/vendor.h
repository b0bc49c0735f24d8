/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lib/vendor.h - a vendor who publishes content by bailey-publish
 *
 * For tests of the whole: real keys, real metadata, the real preflight, in a
 * workspace below a folder of the test. Each version is admitted to the ring
 * `early` alone, so hosts are to be of that ring (vendor_host).
 */
#ifndef LIB_VENDOR_H
#define LIB_VENDOR_H

#include <stdbool.h>

#define VENDOR_WEB "web"

struct vendor {
	char publish[256], preflight[256];      /* programs */
	char workspace[160], pass[160], log[160];
	char repository[160];                   /* FOLDER/web/PRODUCT */
	char product[32], manifest[160];
	unsigned number;                        /* of the newest version */
};

struct vendor_version {
	const char *name;
	const char *schema;
	unsigned fields;
	const char *content, *corpus;           /* folders */
	const char *bake;                       /* "1s" */
	unsigned events;                        /* of the trial, at least */
	bool unchecked;                         /* released without preflight */
};

/* Keys and an empty workspace below folder, where FOLDER/web is. manifest: of
 * the product. The returns of all: 0, or a negated errno; what was said is in
 * the file vendor.log. */
int vendor_init(struct vendor *ret_vendor, const char *build,
		const char *folder, const char *product, const char *manifest)
	__attribute__((warn_unused_result));
/* Adds, signs and releases it, and names it in the lease. */
int vendor_release(struct vendor *vendor, const struct vendor_version *version)
	__attribute__((warn_unused_result));
/* Copies the root to a file that hosts trust, after the first release. */
int vendor_root(const struct vendor *vendor, const char *to)
	__attribute__((warn_unused_result));
/* ETC/content.d of such a host. */
int vendor_host(const char *etc) __attribute__((warn_unused_result));

#endif
