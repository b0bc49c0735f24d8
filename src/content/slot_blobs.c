/* SPDX-License-Identifier: Apache-2.0 */
/* slot_blobs.c - a source of files that are named by their hash */
#include "content/disk.h"
#include "content/slot.h"

static int blobs_open(struct slot_source *source, const char *path,
		      const uint8_t hash[VERSION_HASH])
{
	const struct slot_blobs *blobs = (const struct slot_blobs *)source;
	char name[VERSION_HEX];

	version_hex(hash, name);
	return disk_real()->body->open_read(disk_real(), blobs->dir, name);
}

static ssize_t blobs_read(struct slot_source *source, int handle, void *bytes,
			  size_t size)
{
	ssize_t n;

	do {
		n = read(handle, bytes, size);
	} while (n < 0 && errno == EINTR);
	return n < 0 ? result_errno() : n;
}

static void blobs_close(struct slot_source *source, int handle)
{
	close(handle);
}

void slot_blobs_init(struct slot_blobs *blobs, int dir)
{
	*blobs = (struct slot_blobs){
		.source = { blobs_open, blobs_read, blobs_close },
		.dir = dir,
	};
}
