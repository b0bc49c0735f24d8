/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/record.h"

#include <string.h>
#include <sys/stat.h>

#include "base/hash.h"

#define CHUNK 4096u
#define EVENT_FLAGS (WIRE_EVENT_QUESTION | WIRE_EVENT_FILE)
#define HEAD_SIZE sizeof(struct record_head)

static const struct record_head head_wanted = {
	.magic = RECORD_MAGIC,
	.byte_order = RECORD_BYTE_ORDER,
	.version = RECORD_VERSION,
	.wire_version = WIRE_VERSION,
	.event_head = sizeof(struct wire_event),
};

static uint64_t padded(uint64_t size)
{
	return (size + 7) / 8 * 8;
}

/* ---- one event ---- */

static const char *string_fault(const struct wire_event *event, unsigned i,
				size_t size)
{
	const char *bytes = (const char *)event;
	size_t offset = event->string[i].offset;
	size_t length = event->string[i].length;

	if (!(event->present >> (i + WIRE_NUMBERS) & 1u)) {
		return offset || length ? "an absent string has a place" : NULL;
	}
	if (offset < sizeof(*event) || offset + length >= size) {
		return "a string stands outside its event";
	}
	return bytes[offset + length] ? "a string does not end" : NULL;
}

const char *record_event_fault(const struct wire_event *event, size_t size)
{
	if (size < sizeof(*event) || size > WIRE_SLOT_SIZE) {
		return "an event has an impossible size";
	}
	if (event->size != size) {
		return "an event and its entry differ in size";
	}
	if (event->kind == 0 || event->reserved != 0 ||
	    (event->flags & ~EVENT_FLAGS) || (event->present & 1u)) {
		return "an event has an unknown type or flag";
	}
	for (unsigned i = 1; i < WIRE_NUMBERS; i++) {
		if (!(event->present >> i & 1u) && event->number[i] != 0) {
			return "an absent number has a value";
		}
	}
	for (unsigned i = 0; i < WIRE_STRINGS; i++) {
		const char *fault = string_fault(event, i, size);

		if (fault != NULL) {
			return fault;
		}
	}
	return NULL;
}

/* ---- checksum: fed in chunks of CHUNK bytes ---- */

static uint64_t check_bytes(uint64_t check, const void *bytes, size_t size)
{
	const unsigned char *p = bytes;

	for (size_t done = 0; done < size; done += CHUNK) {
		size_t n = size - done < CHUNK ? size - done : CHUNK;

		check = hash_bytes(check, p + done, n);
	}
	return check;
}

static uint64_t check_begin(uint64_t place, const struct record_entry *entry)
{
	return hash_pair(hash_pair(place, entry->event_size),
			 entry->content_size);
}

/* ---- writer ---- */

static void writer_put(struct record_writer *writer, const void *bytes,
		       size_t size)
{
	const char *p = bytes;

	while (writer->error == 0 && size > 0) {
		ssize_t n = write(writer->fd, p, size);

		if (n < 0 && errno != EINTR) {
			writer->error = result_errno();
		} else if (n > 0) {
			p += n;
			size -= (size_t)n;
		}
	}
}

static void writer_put_padded(struct record_writer *writer, const void *bytes,
			      size_t size)
{
	static const char zeros[8];

	writer_put(writer, bytes, size);
	writer_put(writer, zeros, (size_t)padded(size) - size);
}

int record_writer_init(struct record_writer *writer, int fd)
{
	*writer = (struct record_writer){ .fd = fd };
	writer_put(writer, &head_wanted, sizeof(head_wanted));
	return writer->error;
}

int record_write(struct record_writer *writer, const struct wire_event *event,
		 const void *content, size_t content_size)
{
	struct record_entry entry = {
		.event_size = event->size,
		.content_size = content_size,
	};

	if (record_event_fault(event, event->size) != NULL ||
	    content_size > RECORD_CONTENT_MAX) {
		return -EINVAL;
	}
	entry.check = check_begin(writer->count, &entry);
	entry.check = check_bytes(entry.check, event, event->size);
	entry.check = check_bytes(entry.check, content, content_size);
	writer_put(writer, &entry, sizeof(entry));
	writer_put_padded(writer, event, event->size);
	writer_put_padded(writer, content, content_size);
	writer->count++;
	return writer->error;
}

int record_writer_end(struct record_writer *writer)
{
	struct record_entry entry = { .check = writer->count };

	writer_put(writer, &entry, sizeof(entry));
	return writer->error;
}

/* ---- reader ---- */

static int reader_fail(struct record_reader *reader, uint64_t offset,
		       const char *fault)
{
	reader->error = -BAILEY_E_RECORD;
	reader->fault = fault;
	reader->fault_offset = offset;
	return reader->error;
}

/* Moves size bytes out; what is not there is a fault. */
static int reader_get(struct record_reader *reader, void *bytes, size_t size)
{
	char *p = bytes;

	if (size > reader->size - reader->offset) {
		return reader_fail(reader, reader->offset,
				   "the file ends in the middle");
	}
	while (size > 0) {
		ssize_t n = pread(reader->fd, p, size, (off_t)reader->offset);

		if (n < 0 && errno == EINTR) {
			continue;
		}
		if (n < 0) {
			reader->error = result_errno();
			return reader->error;
		}
		if (n == 0) {
			return reader_fail(reader, reader->offset,
					   "the file became shorter");
		}
		p += n;
		size -= (size_t)n;
		reader->offset += (uint64_t)n;
	}
	return 0;
}

static int reader_padding(struct record_reader *reader, uint64_t size)
{
	uint64_t zeros = 0;
	uint64_t at = reader->offset;
	int r = reader_get(reader, &zeros, (size_t)(padded(size) - size));

	if (r == 0 && zeros != 0) {
		return reader_fail(reader, at, "padding is not 0");
	}
	return r;
}

int record_reader_init(struct record_reader *reader, int fd)
{
	struct record_head head;
	struct stat st;
	int r;

	*reader = (struct record_reader){ .fd = fd };
	if (fstat(fd, &st) < 0) {
		return reader->error = result_errno();
	}
	if (!S_ISREG(st.st_mode)) {
		return reader_fail(reader, 0, "not a regular file");
	}
	reader->size = (uint64_t)st.st_size;
	r = reader_get(reader, &head, sizeof(head));
	if (r < 0) {
		return r;
	}
	if (memcmp(head.magic, head_wanted.magic, sizeof(head.magic)) != 0) {
		return reader_fail(reader, 0, "not a record of events");
	}
	if (memcmp(&head, &head_wanted, sizeof(head)) != 0) {
		return reader_fail(reader, sizeof(head.magic),
				   "another version, layout or byte order");
	}
	return 0;
}

static int reader_event(struct record_reader *reader,
			const struct record_entry *entry, void *slot,
			uint64_t *check)
{
	uint64_t at = reader->offset;
	const char *fault;
	int r;

	if (entry->event_size > WIRE_SLOT_SIZE) {
		return reader_fail(reader, at,
				   "an event has an impossible size");
	}
	memset(slot, 0, WIRE_SLOT_SIZE);
	r = reader_get(reader, slot, entry->event_size);
	if (r == 0) {
		r = reader_padding(reader, entry->event_size);
	}
	if (r < 0) {
		return r;
	}
	fault = record_event_fault(slot, entry->event_size);
	if (fault != NULL) {
		return reader_fail(reader, at, fault);
	}
	*check = check_bytes(*check, slot, entry->event_size);
	return 0;
}

static int reader_content(struct record_reader *reader, uint64_t size,
			  uint64_t *check)
{
	unsigned char chunk[CHUNK];
	int r = 0;

	if (size > RECORD_CONTENT_MAX) {
		return reader_fail(reader, reader->offset,
				   "content is too large");
	}
	for (uint64_t left = size; r == 0 && left > 0;) {
		size_t n = left < CHUNK ? (size_t)left : CHUNK;

		r = reader_get(reader, chunk, n);
		if (r == 0) {
			*check = check_bytes(*check, chunk, n);
		}
		left -= n;
	}
	return r < 0 ? r : reader_padding(reader, size);
}

static int reader_end(struct record_reader *reader, uint64_t at,
		      const struct record_entry *entry)
{
	if (entry->reserved != 0 || entry->content_size != 0 ||
	    entry->check != reader->count) {
		return reader_fail(reader, at, "the end does not count right");
	}
	if (reader->offset != reader->size) {
		return reader_fail(reader, reader->offset,
				   "something follows the end");
	}
	reader->ended = 1;
	return 0;
}

int record_read(struct record_reader *reader, void *slot,
		struct record_content *ret_content)
{
	struct record_entry entry;
	struct record_content content;
	uint64_t at = reader->offset;
	uint64_t check;
	int r;

	if (reader->error != 0 || reader->ended) {
		return reader->error;
	}
	r = reader_get(reader, &entry, sizeof(entry));
	if (r < 0) {
		return r;
	}
	if (entry.event_size == 0) {
		return reader_end(reader, at, &entry);
	}
	if (entry.reserved != 0) {
		return reader_fail(reader, at, "a reserved field is not 0");
	}
	check = check_begin(reader->count, &entry);
	r = reader_event(reader, &entry, slot, &check);
	content.offset = reader->offset;
	content.size = entry.content_size;
	if (r == 0) {
		r = reader_content(reader, entry.content_size, &check);
	}
	if (r < 0) {
		return r;
	}
	if (check != entry.check) {
		return reader_fail(reader, at, "the checksum is wrong");
	}
	reader->count++;
	*ret_content = content;
	return 1;
}

void record_rewind(struct record_reader *reader)
{
	if (reader->error == 0) {
		reader->offset = HEAD_SIZE;
		reader->count = 0;
		reader->ended = 0;
	}
}

const char *record_fault(const struct record_reader *reader,
			 uint64_t *ret_offset)
{
	if (reader->fault != NULL) {
		*ret_offset = reader->fault_offset;
	}
	return reader->fault;
}
