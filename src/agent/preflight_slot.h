/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent/preflight_slot.h - a version in its slot, as a preflight needs it
 *
 * A slot is version.json, files/, corpus/ and events (proto/slot.h). Here it
 * is opened once; a plan then borrows all of it.
 */
#ifndef AGENT_PREFLIGHT_SLOT_H
#define AGENT_PREFLIGHT_SLOT_H

#include "agent/preflight.h"
#include "content/version.h"

struct preflight_slot {
	struct version *version;
	uint8_t hash[VERSION_HASH];
	int files, corpus, events;      /* corpus and events may be -1 */
	struct preflight_case *cases;
	size_t count;
};

/* 0; -EBADMSG or an errno with the reason in ret_text. directory: borrowed. */
int preflight_slot_open(int directory, struct preflight_slot *ret_slot,
			char ret_text[PREFLIGHT_TEXT]) must_use;
void preflight_slot_close(struct preflight_slot *slot);

/* The version that stands in `loaded` is driven by the questions of `asked`;
 * the same for a candidate, others for what it is compared with. */
void preflight_slot_plan(const struct preflight_slot *loaded,
			 const struct preflight_slot *asked,
			 const struct manifest *manifest,
			 struct preflight_plan *ret_plan);

#endif
