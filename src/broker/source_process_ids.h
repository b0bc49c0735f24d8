/* SPDX-License-Identifier: Apache-2.0 */
/*
 * broker/source_process_ids.h - the connector socket behind PROCESS_IDS
 *
 * Its filter (bpf/process_ids.bpf.c) takes everything; nothing is ever queued.
 * Owner: the monitor, through source_process.c.
 */
#ifndef BROKER_SOURCE_PROCESS_IDS_H
#define BROKER_SOURCE_PROCESS_IDS_H

#include "base/result.h"

/* filter_fd: the loaded program; borrowed. */
int process_ids_open(int filter_fd, int *ret_socket) must_use;
/* Says goodbye and closes; -1 is good. */
void process_ids_close(int socket);

#endif
