/* SPDX-License-Identifier: Apache-2.0 */
/* Modes that do to a question's descriptor what they should not. */
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "rogue.h"

static int each_keep(struct bailey_client *client, struct bailey_event *event,
		     const char *argument)
{
	int fd = bailey_event_file(event);

	if (fd >= 0) {
		(void)fcntl(fd, F_DUPFD_CLOEXEC, 3);    /* never closed */
	}
	rogue_allow(client, event);
	return 0;
}

int mode_keep_fds(const char *argument)
{
	return rogue_loop(rogue_serve(BAILEY_WANT_FILE), each_keep, argument);
}

static int each_lock(struct bailey_client *client, struct bailey_event *event,
		     const char *argument)
{
	struct flock lock = { .l_type = F_RDLCK, .l_whence = SEEK_SET };
	int fd = bailey_event_file(event);

	if (fd >= 0) {
		rogue_say(client, "flock", flock(fd, LOCK_EX | LOCK_NB));
		rogue_say(client, "record lock", fcntl(fd, F_OFD_SETLK, &lock));
		rogue_say(client, "lease", fcntl(fd, F_SETLEASE, F_RDLCK));
		(void)fcntl(fd, F_DUPFD_CLOEXEC, 3);    /* keeps the locks */
	}
	rogue_allow(client, event);
	return 0;
}

int mode_lock(const char *argument)
{
	return rogue_loop(rogue_serve(BAILEY_WANT_FILE), each_lock, argument);
}

static int each_seek(struct bailey_client *client, struct bailey_event *event,
		     const char *argument)
{
	int fd = bailey_event_file(event);

	if (fd >= 0) {
		rogue_say(client, "seek", lseek(fd, 1ll << 40, SEEK_SET));
		rogue_say(client, "status flags",
			  fcntl(fd, F_SETFL, O_DIRECT | O_NONBLOCK));
		rogue_say(client, "advice", posix_fadvise(fd, 0, 0,
			  POSIX_FADV_DONTNEED) == 0 ? 0 : -1);
	}
	rogue_allow(client, event);
	return 0;
}

int mode_seek(const char *argument)
{
	return rogue_loop(rogue_serve(BAILEY_WANT_FILE), each_seek, argument);
}
