/* SPDX-License-Identifier: Apache-2.0 */
/*
 * broker/source_process.h - the process tracepoints: load and attach
 *
 * Problem: only root may load BPF, only the engine wants what it tells. The
 * monitor opens the source before its first mark and hands the two map
 * descriptors on (HANDOFF_FD_PROCESS_RING, HANDOFF_FD_PROCESS_LOST); the
 * engine reads them through source_process_ring.h without any privilege.
 *
 * Owner: the monitor, once, at start. Allocates while it opens and gives all
 * of it back; afterwards six descriptors are left, close-on-exec. The hooks
 * stay attached as long as one copy of the link descriptors lives, so they go
 * with the monitor. Before 6.6 the kernel counts listeners of the connector
 * that do not say goodbye: a monitor that is killed leaves it building a
 * message for nobody at each fork, until the next boot.
 */
#ifndef BROKER_SOURCE_PROCESS_H
#define BROKER_SOURCE_PROCESS_H

#include <stddef.h>

#include "base/result.h"

#define PROCESS_HOOKS 3

struct process_source {                 /* closed by process_source_close */
	int ring_fd;
	int counters_fd;
	int link_fd[PROCESS_HOOKS];
	int ids_fd;                     /* connector socket, never read; -1:
					 * changes of ids are not seen */
};

/*
 * ring_bytes: PROCESS_RING_BYTES, or another power of two of whole pages.
 * -EXDEV: not in the first pid namespace, where the records' numbers would be
 * somebody else's. -EPERM, -ENOSYS, -ESRCH (no BTF), ...: what the kernel or
 * libbpf said. The host is as before on failure.
 */
int process_source_open(size_t ring_bytes, struct process_source *ret_source)
	must_use;
void process_source_close(struct process_source *source);

#endif
