/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/names.h - names of the numbers in records, from the tables that define
 * them; a number that this version does not know is "unknown".
 */
#ifndef CLI_NAMES_H
#define CLI_NAMES_H

#include <stdint.h>

const char *names_event(uint32_t kind);
uint32_t names_event_number(const char *name);  /* 0: no such type */
const char *names_event_list(void);             /* "file.open, ..." */
const char *names_verdict(uint32_t verdict);
const char *names_mode(uint32_t mode);
const char *names_state(uint32_t state);
const char *names_beside(uint32_t beside);
const char *names_by(uint32_t by);
const char *names_by_help(uint32_t by);
const char *names_known(uint32_t known);

/* Event types in their order, null at the end: for completion. */
extern const char *const names_events[];

#endif
