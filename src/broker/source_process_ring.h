/* SPDX-License-Identifier: Apache-2.0 */
/*
 * broker/source_process_ring.h - the process tracepoints: read the ring
 *
 * Problem: libbpf's reader makes bpf(2) calls, epoll and allocates; the engine
 * may do none of it on the reply path, and a worker must read on where its
 * predecessor died. The ring is only mapped memory: a page with the reader's
 * position, a page with the writer's, the data twice in a row. The kernel
 * keeps all of it with the map.
 *
 * Owner: the keeper maps it (by inherited descriptors, no privilege needed);
 * workers inherit the mapping. One reader at a time: the reply thread.
 * Memory order: the writer publishes a position, then a record's length
 * without its busy bit, each with release; read here with acquire. The
 * reader's position is stored with release *after* the record was applied: a
 * worker killed in between applies it again, so applying must bear that.
 *
 * Poll: ring_fd is readable (POLLIN) while there is something unread; see
 * process_ring_wake for when it wakes a sleeper.
 */
#ifndef BROKER_SOURCE_PROCESS_RING_H
#define BROKER_SOURCE_PROCESS_RING_H

#include <stddef.h>
#include <stdint.h>

#include "base/result.h"
#include "broker/process_record.h"

struct process_ring {
	uint64_t *consumer;             /* first of one page */
	const uint64_t *producer;       /* first of one page, then the data */
	const unsigned char *data;
	struct process_counters *counters;      /* first of one page */
	uint64_t mask;
};

/* Borrowed: the record is gone when it returns. Only `record_bytes` of it are
 * there: those up to `path` of all but an EXEC. */
typedef void process_ring_apply(void *context,
				const struct process_record *record,
				size_t record_bytes);

enum { PROCESS_RING_BUSY = 1 };

/* bytes: as the ring was made. -EINVAL: it was not. The descriptors stay the
 * caller's and may be closed. */
int process_ring_init(struct process_ring *ret_ring, int ring_fd,
		      int counters_fd, size_t bytes) must_use;
void process_ring_fini(struct process_ring *ring);

/*
 * Applies every record that was in the ring at the call: 0. With none it costs
 * two loads. PROCESS_RING_BUSY: stopped, after some microseconds of spinning,
 * at one that a processor has not finished writing (its virtual processor was
 * taken away, maybe); those after it are still there. -EBADMSG: the ring holds
 * something else than records: do not use it any more.
 */
int process_ring_drain(struct process_ring *ring, process_ring_apply *apply,
		       void *context) must_use;

/* Records lost since the ring was made: one load. Read it after draining: who
 * asks now was counted before. */
uint64_t process_ring_lost(const struct process_ring *ring);

/* Unread bytes from which on a sleeper in poll is woken; 0: at each record
 * that finds the ring empty. For a reader that drains anyway: half the ring. */
void process_ring_wake(struct process_ring *ring, uint64_t bytes);

#endif
