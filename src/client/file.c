/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Descriptors of objects.
 *
 * The engine sends each before it publishes the event, tagged with event and
 * slot. They are received when asked for, at the latest when the event is
 * released, and closed before the RELEASE: nothing stays in flight. A
 * descriptor may come out for an event that was not taken yet; it waits in
 * its slot's place. One that nobody can claim any more is closed.
 *
 * The description is shared with the engine and other products: only pread.
 */
#include "client/client.h"

#include <string.h>
#include <sys/socket.h>

/* Takes the descriptors out of one message. Anything but exactly one is
 * closed: -1. */
static int message_take_fd(struct msghdr *message)
{
	struct cmsghdr *c;
	int fd = -1;
	size_t count = 0;

	for (c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
		size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) {
			continue;
		}
		for (size_t i = 0; i < n; i++) {
			if (count++ > 0) {
				close(fd);
			}
			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int),
			       sizeof(int));
		}
	}
	if (count > 1) {
		close(fd);
		return -1;
	}
	return fd;
}

/* Lock held. 1: one message was taken out; 0: none is there. */
static int file_receive(struct bailey_client *client)
{
	struct wire_file tag;
	union {
		char bytes[CMSG_SPACE(4 * sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec iov = { .iov_base = &tag, .iov_len = sizeof(tag) };
	struct msghdr message = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	struct client_file *place;
	ssize_t n;
	int fd;

	do {
		n = recvmsg(client->files, &message,
			    MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	} while (n < 0 && errno == EINTR);
	if (n <= 0) {
		return 0;
	}
	fd = message_take_fd(&message);
	if (fd < 0) {
		return 1;
	}
	if (n != sizeof(tag) || tag.slot >= client->slots) {
		close(fd);
		return 1;
	}
	place = &client->file[tag.slot];
	if (place->fd >= 0) {
		close(place->fd);
	}
	place->id = tag.id;
	place->fd = fd;
	return 1;
}

void client_files_receive(struct bailey_client *client)
{
	while (file_receive(client) > 0) {
	}
}

/* Lock held. Moves the slot's descriptor to its event, if it is there. */
static int file_claim(struct bailey_client *client, struct bailey_event *event)
{
	struct client_file *place = &client->file[event->slot];
	int fd = atomic_load_explicit(&event->file, memory_order_relaxed);

	if (fd >= 0 || !(event->flags & WIRE_EVENT_FILE)) {
		return fd;
	}
	while (place->fd < 0 || place->id != event->id) {
		if (client->files < 0 || file_receive(client) == 0) {
			return -1;
		}
	}
	fd = fd_take(&place->fd);
	atomic_store_explicit(&event->file, fd, memory_order_release);
	return fd;
}

/* Did it not come (too many descriptors are open) there is no content: better
 * than the old one under a new name. */
void client_content_take(struct bailey_client *client,
			 struct bailey_event *event)
{
	int fd = file_claim(client, event);
	int former = atomic_exchange(
		&client->directory[BAILEY_DIRECTORY_CONTENT], fd);

	event->flags &= ~WIRE_EVENT_FILE;
	atomic_store_explicit(&event->file, former, memory_order_relaxed);
}

void client_file_drop(struct bailey_client *client, struct bailey_event *event)
{
	int fd = file_claim(client, event);

	if (fd >= 0) {
		atomic_store_explicit(&event->file, -1, memory_order_relaxed);
		close(fd);
	}
}

int bailey_event_file(struct bailey_event *event)
{
	struct bailey_client *client = event->client;
	int fd = atomic_load_explicit(&event->file, memory_order_acquire);

	if (fd >= 0) {
		return fd;
	}
	if (client_is_child(client)) {
		return -ENODATA;
	}
	pthread_mutex_lock(&client->lock);
	fd = client->record != NULL ? client_record_file(event)
				    : file_claim(client, event);
	pthread_mutex_unlock(&client->lock);
	return fd >= 0 ? fd : -ENODATA;
}

int bailey_file_read(struct bailey_event *event, uint64_t offset, void *buffer,
		     size_t size)
{
	ssize_t n;
	int fd;

	if (offset > INT64_MAX) {
		return -EINVAL;
	}
	size = size < INT32_MAX ? size : INT32_MAX;
	if (event->client->record != NULL) {
		return client_record_file_read(event, offset, buffer, size);
	}
	fd = bailey_event_file(event);
	if (fd < 0) {
		return fd;
	}
	n = pread(fd, buffer, size, (off_t)offset);
	return n < 0 ? result_errno() : (int)n;
}
