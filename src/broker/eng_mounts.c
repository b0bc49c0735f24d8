/* SPDX-License-Identifier: Apache-2.0 */
/*
 * eng_mounts.c - which mount ids are the host's own
 *
 * Any user can bind-mount in his own namespace, and the question for his file
 * then says `/usr/bin/ls`. The mount id of the event is not in the host's
 * mountinfo: that tells. The file was opened by the monitor; poll says when it
 * changed. Until it is read again a new mount is `foreign`: path rules and
 * path mutes do not match there yet.
 */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "broker/eng.h"

#define MOUNTINFO_MAX (1024u * 1024u)

static int mount_compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static ssize_t mountinfo_text(char *text)
{
	size_t at = 0;

	while (at < MOUNTINFO_MAX - 1) {
		ssize_t n = pread(HANDOFF_FD_MOUNTINFO, text + at,
				  MOUNTINFO_MAX - 1 - at, (off_t)at);

		if (n < 0) {
			return result_errno();
		}
		if (n == 0) {
			break;
		}
		at += (size_t)n;
	}
	/* Over the limit: the last line may be half of one, its number too. */
	while (at && text[at - 1] != '\n') {
		at--;
	}
	text[at] = '\0';
	return (ssize_t)at;
}

void eng_mounts_read(struct engine *e)
{
	static uint64_t ids[ENG_MOUNTS];
	cleanup_free char *text = malloc(MOUNTINFO_MAX);
	uint32_t n = 0;

	if (!text || mountinfo_text(text) < 0) {
		log_warning("cannot read the mount table: new mounts stay "
			    "foreign");
		return;
	}
	for (char *line = text; *line && n < ENG_MOUNTS;) {
		ids[n++] = strtoull(line, NULL, 10);
		line += strcspn(line, "\n");
		line += *line == '\n';
	}
	qsort(ids, n, sizeof(*ids), mount_compare);
	/* None is the host's while they are exchanged: the safe side. */
	atomic_store(&e->mount_count, 0);
	eng_grace_if_serving(e);
	memcpy(e->mount, ids, n * sizeof(*ids));
	atomic_store(&e->mount_count, n);
}
