/* SPDX-License-Identifier: Apache-2.0 */
/* tests/bench/bench_floor.c - see bench_floor.h */
#include "bench/bench_floor.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/fanotify.h>
#include <unistd.h>

int floor_serve(const char *tree)
{
	struct fanotify_event_metadata buffer[64];
	int group = fanotify_init(FAN_CLASS_CONTENT | FAN_CLOEXEC |
				  FAN_UNLIMITED_QUEUE,
				  O_RDONLY | O_LARGEFILE | O_CLOEXEC);

	if (group < 0 ||
	    fanotify_mark(group, FAN_MARK_ADD | FAN_MARK_MOUNT,
			  FAN_OPEN_PERM | FAN_OPEN_EXEC_PERM, AT_FDCWD,
			  tree) != 0) {
		return errno;
	}
	for (;;) {
		ssize_t n = read(group, buffer, sizeof buffer);
		const struct fanotify_event_metadata *event = buffer;

		if (n <= 0) {
			return errno;
		}
		while (FAN_EVENT_OK(event, n)) {
			struct fanotify_response answer = {
				.fd = event->fd, .response = FAN_ALLOW
			};

			if (write(group, &answer, sizeof answer) < 0) {
				return errno;
			}
			close(event->fd);
			event = FAN_EVENT_NEXT(event, n);
		}
	}
}
