/* SPDX-License-Identifier: Apache-2.0 */
/*
 * content/policy_key.h - the keys of content.d, shared by the files of policy
 */
#ifndef CONTENT_POLICY_KEY_H
#define CONTENT_POLICY_KEY_H

#include <assert.h>

#include "config/conf.h"
#include "content/policy.h"

#define POLICY_KEYS 9u
static_assert(POLICY_KEYS < 32 && POLICY_KEYS < CONF_KEYS, "bits of given");

/* Bit i of policy_section.given is row i. Objects are sections. */
extern const struct conf_key policy_keys[POLICY_KEYS];

/* Copies what the section's lines gave. */
void policy_lay_over(const struct policy_section *section,
		     struct policy_section *over);

#endif
