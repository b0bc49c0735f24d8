/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "proto/content.h"
#include "update/updater.h"
#include "update/updater_file.h"

#define STATUS_BYTES 1024u
static_assert(STATUS_BYTES <= CONTENT_STATUS_MOST, "status.json");

#define STATUS_ROW(sym, name) name,
static const char *const status_steps[] = {
	UPDATER_STEP_TABLE(STATUS_ROW)
};
#undef STATUS_ROW

bool updater_is_disk(int error)
{
	return error == -ENOSPC || error == -EDQUOT || error == -EROFS ||
	       error == -EIO;
}

int updater_fail(struct updater_outcome *outcome, enum updater_step step,
		 int error, const char *format, ...)
{
	va_list list;

	if (outcome->error) {
		return error;
	}
	outcome->error = error;
	outcome->step = updater_is_disk(error) ? UPDATER_STEP_DISK : step;
	va_start(list, format);
	vsnprintf(outcome->reason, sizeof(outcome->reason), format, list);
	va_end(list);
	return error;
}

/* What came from a repository is in it: only printable ASCII stays. */
static json_t *status_text(const char *text)
{
	char plain[UPDATER_REASON];
	size_t i;

	for (i = 0; i + 1 < sizeof(plain) && text[i]; i++) {
		plain[i] = text[i] >= ' ' && text[i] < 127 ? text[i] : '?';
	}
	plain[i] = '\0';
	return i ? json_string(plain) : json_null();
}

static json_t *status_time(int64_t seconds)
{
	return seconds > 0 ? json_integer(seconds) : json_null();
}

/* Whole, by rename; on a full disk over the one before, which has as many
 * bytes: blanks behind the text. */
static int status_put(int folder, const char *text)
{
	char padded[STATUS_BYTES + 1];
	cleanup_fd int fd = -1;
	int r;

	if (snprintf(padded, sizeof(padded), "%-*s", (int)STATUS_BYTES,
		     text) != (int)STATUS_BYTES) {
		return -E2BIG;
	}
	r = file_write(folder, CONTENT_STATUS, padded, STATUS_BYTES);
	if (r != -ENOSPC && r != -EDQUOT) {
		return r;
	}
	fd = openat(folder, CONTENT_STATUS, O_WRONLY | O_NOFOLLOW | O_CLOEXEC);
	return fd >= 0 && pwrite(fd, padded, STATUS_BYTES, 0) ==
	       (ssize_t)STATUS_BYTES ? 0 : r;
}

int updater_status_write(int folder, const char *product,
			 const struct updater_outcome *outcome,
			 int64_t reached_s, int64_t next_s, uint32_t failures)
{
	uint32_t step = outcome->step < UPDATER_STEPS ? outcome->step : 0;
	cleanup_free char *text = NULL;
	json_t *root = json_pack(
		"{s:s, s:I, s:o, s:o, s:I, s:o, s:I, s:o, s:I, s:I, s:I}",
		"product", product, "checked", (json_int_t)time(NULL),
		"reached", status_time(reached_s), "next", status_time(next_s),
		"failures", (json_int_t)failures,
		"step", status_text(status_steps[step]),
		"error", (json_int_t)-outcome->error,
		"reason", status_text(outcome->reason),
		"bytes", (json_int_t)outcome->bytes,
		"files", (json_int_t)outcome->files,
		"staged", (json_int_t)outcome->staged);
	int r;

	text = root ? json_dumps(root, JSON_COMPACT) : NULL;
	json_decref(root);
	if (!text) {
		return -ENOMEM;
	}
	r = status_put(folder, text);
	/* also on a full disk: the agent may be waiting for a word */
	return file_touch(folder, CONTENT_READY, 0640) < 0 && r == 0 ? -EIO : r;
}
