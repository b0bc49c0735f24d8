/* SPDX-License-Identifier: Apache-2.0 */
/*
 * broker/eng_known.h - what this host knows: the mediation table
 *
 * For each event type: absent, notify, rule or ask; for each of its fields:
 * absent, hint or exact. One table (eng_known.c), printed by `bailey doctor`
 * and queryable by products (bailey_field_known).
 */
#ifndef BROKER_ENG_KNOWN_H
#define BROKER_ENG_KNOWN_H

#include <stdbool.h>
#include <stdint.h>

#include "broker/eng.h"

enum known_mediation { KNOWN_ABSENT, KNOWN_NOTIFY, KNOWN_RULE, KNOWN_ASK };

bool eng_known_event(const struct engine *e, uint32_t kind);
/* For one product (arguments only where its manifest says so). */
void eng_known_fill(const struct engine *e, const struct session *s,
		    uint8_t ret_known[WIRE_KNOWN_ROWS][64]);
/* Row by row, for viewers: false after the last. */
bool eng_known_row(const struct engine *e, uint32_t row,
		   struct view_known *ret_row);

#endif
