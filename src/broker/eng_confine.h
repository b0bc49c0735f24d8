/* SPDX-License-Identifier: Apache-2.0 */
/*
 * broker/eng_confine.h - the engine gives up what it does not need
 */
#ifndef BROKER_ENG_CONFINE_H
#define BROKER_ENG_CONFINE_H

#include <stdbool.h>
#include <stdint.h>

/* Own uid and gid, no groups, CAP_DAC_READ_SEARCH (ignore marks on files that
 * are not ours to read) and CAP_LEASE (leases on them) at most, bounding set
 * emptied, not dumpable, no new privileges, system-call filter without open
 * and exec. Ends the process if any step fails. reads_proc: where there are no
 * tracepoints the engine opens files of /proc, which is never marked. */
void eng_confine(uint32_t uid, uint32_t gid, bool reads_proc);

#endif
