/* SPDX-License-Identifier: Apache-2.0 */
/*
 * broker/eng_text.h - a product's rule text: taken in parts, compiled, in force
 *
 * Service thread only. One text a session is open at a time, RULE_MAX_TEXT
 * bytes at most. All results: 0, or a positive errno or enum bailey_error for
 * the reply; a text that is refused leaves the rules in force as they were.
 */
#ifndef BROKER_ENG_TEXT_H
#define BROKER_ENG_TEXT_H

#include "broker/eng.h"

int eng_text_begin(struct session *s) must_use;
int eng_text_add(struct session *s, const void *bytes, size_t size) must_use;
/* ret_line: of a rule that is refused (BAILEY_E_RULE). */
int eng_text_commit(struct engine *e, struct session *s, uint32_t *ret_line)
	must_use;
void eng_text_abandon(struct session *s);       /* the text that is open */

#endif
