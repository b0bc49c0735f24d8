/* SPDX-License-Identifier: Apache-2.0 */
/*
 * broker/eng_set.h - named collections that a product's rules refer to
 *
 * All results that are int: 0, or a positive errno or enum bailey_error for
 * the reply. The service thread changes, the reply thread looks up.
 */
#ifndef BROKER_ENG_SET_H
#define BROKER_ENG_SET_H

#include "broker/eng.h"

int eng_set_begin(struct session *s, const struct wire_set *request) must_use;
int eng_set_add(struct session *s, const void *members, size_t bytes) must_use;
int eng_set_remove(struct session *s, const void *members, size_t bytes)
	must_use;
int eng_set_commit(struct engine *e, struct session *s) must_use;
void eng_set_abandon(struct session *s);        /* the change that is open */
void eng_sets_drop(struct engine *e, struct session *s);
void eng_sets_map(struct session *s);           /* a new worker, once */

/* For struct rule_limits and struct rule_sets; context: struct session. */
int eng_set_index(const void *context, const char *name);
bool eng_set_contains(const void *context, uint32_t index, const void *member,
		      size_t size);

#endif
