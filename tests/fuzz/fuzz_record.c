/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A file of any bytes, read as a record: an answer or a named fault, nothing
 * else. What reads whole must, written again, be the same bytes.
 *
 * Checksums would stop every input at its first entry; so where an input
 * starts with 'F' they are made right before it is read.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/hash.h"
#include "proto/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ROOM (1u << 20)

static int file_with(const uint8_t *data, size_t size)
{
	static int fd = -1;

	if (fd < 0) {
		fd = memfd_create("fuzz", MFD_CLOEXEC);
	}
	if (fd < 0 || ftruncate(fd, 0) < 0 ||
	    pwrite(fd, data, size, 0) != (ssize_t)size) {
		abort();
	}
	return fd;
}

static uint64_t chunked(uint64_t check, const uint8_t *p, size_t size)
{
	for (size_t done = 0; done < size; done += 4096) {
		size_t n = size - done < 4096 ? size - done : 4096;

		check = hash_bytes(check, p + done, n);
	}
	return check;
}

static size_t padded(size_t size)
{
	return (size + 7) / 8 * 8;
}

/* Makes the checksum of each entry that fits right. */
static void repair(uint8_t *data, size_t size)
{
	size_t at = sizeof(struct record_head);

	for (uint64_t place = 0;; place++) {
		struct record_entry entry;
		size_t content;

		if (at > size || size - at < sizeof(entry)) {
			return;
		}
		memcpy(&entry, data + at, sizeof(entry));
		content = at + sizeof(entry) + padded(entry.event_size);
		if (entry.event_size == 0) {
			entry.check = place;
			memcpy(data + at, &entry, sizeof(entry));
			return;
		}
		if (entry.event_size > WIRE_SLOT_SIZE || content > size ||
		    entry.content_size > size - content) {
			return;
		}
		entry.check = hash_pair(hash_pair(place, entry.event_size),
					entry.content_size);
		entry.check = chunked(entry.check, data + at + sizeof(entry),
				      entry.event_size);
		entry.check = chunked(entry.check, data + content,
				      (size_t)entry.content_size);
		memcpy(data + at, &entry, sizeof(entry));
		at = content + padded((size_t)entry.content_size);
	}
}

/* Copies one event to the writer, content included. */
static void copy(struct record_writer *writer, int from,
		 const struct wire_event *event,
		 const struct record_content *content)
{
	uint8_t *bytes = malloc(content->size + 1);

	if (!bytes || pread(from, bytes, content->size,
			    (off_t)content->offset) !=
			      (ssize_t)content->size ||
	    record_write(writer, event, bytes, content->size) < 0) {
		abort();
	}
	free(bytes);
}

static void same_again(int to, const uint8_t *data, size_t size)
{
	static uint8_t again[ROOM + 64];

	if (lseek(to, 0, SEEK_CUR) != (off_t)size ||
	    pread(to, again, size, 0) != (ssize_t)size ||
	    memcmp(again, data, size) != 0) {
		abort();
	}
}

static void read_whole(const uint8_t *data, size_t size)
{
	_Alignas(8) static uint8_t slot[WIRE_SLOT_SIZE];
	struct record_reader reader;
	struct record_writer writer;
	struct record_content content;
	int from = file_with(data, size);
	int to = memfd_create("again", MFD_CLOEXEC);
	uint64_t at = 0;
	int r = record_reader_init(&reader, from);

	if (to < 0 || record_writer_init(&writer, to) < 0) {
		abort();
	}
	while (r >= 0 && (r = record_read(&reader, slot, &content)) > 0) {
		copy(&writer, from, (const void *)slot, &content);
	}
	if (r == 0) {
		if (record_writer_end(&writer) < 0) {
			abort();
		}
		same_again(to, data, size);
	} else if (!record_fault(&reader, &at) || at > size) {
		abort();
	}
	close(to);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t repaired[ROOM];

	if (size > ROOM) {
		return 0;
	}
	if (size > 0 && data[0] == 'F') {
		memcpy(repaired, data + 1, size - 1);
		repair(repaired, size - 1);
		read_whole(repaired, size - 1);
		return 0;
	}
	read_whole(data, size);
	return 0;
}
