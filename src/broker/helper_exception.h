/* SPDX-License-Identifier: Apache-2.0 */
/*
 * broker/helper_exception.h - the live exceptions: `bailey allow`
 *
 * One file, `live`, in exceptions.d: below --state where there is one, else in
 * etc_dir. One exception a line, tab-separated: id, added, expires (ns since
 * 1970, 0 never), reason, rule text. Written whole beside and renamed over,
 * under a lock on the directory. Expired ones are skipped, and gone with the
 * next change. A line that is malformed is skipped. At most EXCEPTIONS; a new
 * one beyond is refused.
 */
#ifndef BROKER_HELPER_EXCEPTION_H
#define BROKER_HELPER_EXCEPTION_H

#include "broker/helper_internal.h"

#define EXCEPTIONS 512u

struct exception_list {
	uint64_t last_id;
	uint32_t count;
	struct admin_exception exception[EXCEPTIONS];
};

/* Directory of the file. */
void exceptions_path(const struct helper *helper, char *ret_path, size_t size);
/* Those that are live now. malloc'd: free() it. */
must_use int exceptions_read(const struct helper *helper,
			     struct exception_list **ret_list);
must_use int exceptions_add(const struct helper *helper,
			    const struct helper_request *request,
			    uint64_t *ret_id);
/* One line, without its newline: 0 or -EBADMSG. */
must_use int exception_parse(const char *line, struct admin_exception *ret);

#endif
