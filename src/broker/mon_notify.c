/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mon_notify.c - the service manager's protocol: one datagram a word
 * (sd_notify(3)); silent where nobody listens.
 */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "broker/mon.h"

void mon_notify_open(struct mon *m)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	const char *name = getenv("NOTIFY_SOCKET");
	size_t n = name ? strlen(name) : 0;

	m->notify = -1;
	if (n < 2 || n >= sizeof(a.sun_path)) {
		return;
	}
	memcpy(a.sun_path, name, n);
	if (a.sun_path[0] == '@') {
		a.sun_path[0] = '\0';
	}
	m->notify = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (m->notify >= 0 &&
	    connect(m->notify, (struct sockaddr *)&a,
		    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n))) {
		close(fd_take(&m->notify));
	}
}

void mon_notify(const struct mon *m, const char *text)
{
	if (m->notify >= 0) {
		ssize_t n = send(m->notify, text, strlen(text),
				 MSG_DONTWAIT | MSG_NOSIGNAL);
		(void)n;
	}
}
