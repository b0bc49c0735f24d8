/* SPDX-License-Identifier: Apache-2.0 */
/*
 * proto/record.h - recorded events: what `bailey record` writes and what
 * replay, tests and benchmarks read in place of a kernel
 *
 *   struct record_head
 *   for each event: struct record_entry, the event's bytes, 0 to a multiple
 *                   of 8, the object's leading bytes, 0 to a multiple of 8
 *   struct record_entry with event_size 0 and check = number of events
 *
 * The event's bytes are those of its slot (struct wire_event and strings), in
 * the byte order of the host that wrote them; another order, another layout
 * or another version is refused. Each entry carries a checksum that is seeded
 * with its place, so that entries cannot be lost, doubled or moved unseen.
 * It guards against damage, not against somebody who wants to forge.
 *
 * The reader is strict: every reserved byte is 0, every string stands inside
 * its event and ends in a NUL, the file ends exactly behind the end entry.
 * The first failure is kept: every later call says the same. record_fault()
 * tells where and why.
 *
 * One thread each. No allocation. Bounds: RECORD_CONTENT_MAX bytes of content
 * an event; events as the file has, read one at a time.
 */
#ifndef PROTO_RECORD_H
#define PROTO_RECORD_H

#include <stddef.h>
#include <stdint.h>

#include "base/result.h"
#include "proto/wire.h"

#define RECORD_MAGIC "bailey\r\n"
#define RECORD_VERSION 1u
#define RECORD_BYTE_ORDER 0x01020304u
#define RECORD_CONTENT_MAX (64u << 20)

struct record_head {
	char magic[8];
	uint32_t byte_order;
	uint32_t version;
	uint32_t wire_version;
	uint32_t event_head;            /* sizeof(struct wire_event) */
	uint64_t reserved;
};

struct record_entry {
	uint32_t event_size;
	uint32_t reserved;
	uint64_t content_size;
	uint64_t check;                 /* of place, sizes, event, content */
};

static_assert(sizeof(struct record_head) == 32, "record_head layout");
static_assert(sizeof(struct record_entry) == 24, "record_entry layout");

/* The object's leading bytes, in the file. size 0: none were recorded. */
struct record_content {
	uint64_t offset;
	uint64_t size;
};

struct record_writer {
	int fd;                         /* borrowed */
	int error;                      /* sticky */
	uint64_t count;
};

int record_writer_init(struct record_writer *writer, int fd) must_use;
/* content may be null if content_size is 0. -EINVAL for an event that the
 * reader would refuse; that alone is not sticky. */
int record_write(struct record_writer *writer, const struct wire_event *event,
		 const void *content, size_t content_size) must_use;
/* Writes the end entry. A file without it is refused. */
int record_writer_end(struct record_writer *writer) must_use;

struct record_reader {
	int fd;                         /* borrowed; only pread */
	int error;                      /* sticky */
	const char *fault;              /* why, static text */
	uint64_t fault_offset;
	uint64_t offset;
	uint64_t size;                  /* of the file, at init */
	uint64_t count;                 /* events read */
	int ended;
};

/* -BAILEY_E_RECORD for a file that is not a record; or an errno. */
int record_reader_init(struct record_reader *reader, int fd) must_use;
/* Reads the next event to slot, WIRE_SLOT_SIZE bytes, the rest of which
 * becomes 0. Returns 1; 0 at the end; -BAILEY_E_RECORD; or an errno. */
int record_read(struct record_reader *reader, void *slot,
		struct record_content *ret_content) must_use;
/* Back to the first event. */
void record_rewind(struct record_reader *reader);
/* Where and why reading failed; null while it did not. */
const char *record_fault(const struct record_reader *reader,
			 uint64_t *ret_offset);

/* Null if the bytes are one event as a record may hold it, else what is
 * wrong with them. */
const char *record_event_fault(const struct wire_event *event, size_t size);

#endif
