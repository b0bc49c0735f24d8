/* SPDX-License-Identifier: Apache-2.0 */
/*
 * broker/helper_exception.h - the live exceptions: `bailey allow`
 *
 * One file, `live`, in exceptions.d: below --state where there is one, else in
 * etc_dir; lines as config/exception.h has them, and one comment that keeps
 * the last id, so that none is given twice. Written whole beside and renamed
 * over, under a lock on the directory. Expired ones are skipped, and gone with
 * the next change. A malformed line is skipped and named; while there is one
 * the file is not changed, so that no administrator's line is lost. At most
 * EXCEPTIONS; a new one beyond is refused.
 */
#ifndef BROKER_HELPER_EXCEPTION_H
#define BROKER_HELPER_EXCEPTION_H

#include "broker/helper_internal.h"
#include "config/exception.h"

#define EXCEPTIONS 512u
#define EXCEPTION_FILE "live"

struct exception_list {
	uint64_t last_id;
	struct rule_error bad;          /* line 0: none */
	uint32_t count;
	struct exception exception[EXCEPTIONS];
};

/* Directory of the file. */
void exceptions_path(const struct helper *helper, char *ret_path, size_t size);
/* Those that are live now. malloc'd: free() it. */
must_use int exceptions_read(const struct helper *helper,
			     struct exception_list **ret_list);
must_use int exceptions_add(const struct helper *helper,
			    const struct helper_request *request,
			    uint64_t *ret_id);

#endif
