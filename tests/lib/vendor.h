/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lib/vendor.h - a vendor who publishes content by bailey-publish
 *
 * Real keys, real metadata, the real preflight, in a workspace below a folder
 * of the caller: FOLDER/vendor-PRODUCT. Two people sign; what they release is
 * admitted to the ring `early` alone, so hosts are to be of that ring
 * (vendor_host): a lease for all rings at once is one that agents hold back.
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
	const char *name;                       /* null: the day */
	const char *schema;
	unsigned fields;
	const char *content, *corpus;           /* folders */
	const char *bake;                       /* "1s" */
	unsigned events;                        /* of the trial, at least */
};

/* Keys and an empty workspace below folder, where FOLDER/web is. manifest: of
 * the product; it may name FOLDER/web/PRODUCT/metadata/1.root.json as its root.
 * The returns of all: 0, or a negated errno; what was said is in the file
 * vendor.log. */
int vendor_init(struct vendor *ret_vendor, const char *build,
		const char *folder, const char *product, const char *manifest)
	__attribute__((warn_unused_result));
/* Adds and signs it. */
int vendor_add(struct vendor *vendor, const struct vendor_version *version)
	__attribute__((warn_unused_result));
/* Releases what was added, and names it in the lease. unchecked:
 * whatever the vendor's preflight would say. */
int vendor_release(const struct vendor *vendor, bool unchecked)
	__attribute__((warn_unused_result));
/* ETC, and ETC/content.d, of such a host. */
int vendor_host(const char *etc) __attribute__((warn_unused_result));

#endif
