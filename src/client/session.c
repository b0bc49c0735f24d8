/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Control requests: one datagram out, one struct wire_reply back, one at a
 * time under session_lock. A reply that does not come within REPLY_MS, or
 * that answers something else, leaves the session out of step: it is lost,
 * and every later request says -EPIPE.
 */
#include "client/client.h"

#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#define REPLY_MS 30000

static int request_send(int fd, const struct wire_request *head,
			const void *payload, size_t size, int flags)
{
	struct iovec iov[] = {
		{ .iov_base = (void *)(uintptr_t)head,
		  .iov_len = sizeof(*head) },
		{ .iov_base = (void *)(uintptr_t)payload, .iov_len = size },
	};
	struct msghdr message = { .msg_iov = iov, .msg_iovlen = 2 };
	ssize_t n;

	if (size > WIRE_REQUEST_MAX - sizeof(*head)) {
		return -E2BIG;
	}
	do {
		n = sendmsg(fd, &message, MSG_NOSIGNAL | flags);
	} while (n < 0 && errno == EINTR);
	return n < 0 ? result_errno() : 0;
}

/* Takes every descriptor of the message; those beyond capacity are closed
 * and counted. */
static size_t reply_fds(struct msghdr *message, int *ret_fds, size_t capacity)
{
	struct cmsghdr *c;
	size_t count = 0;

	for (c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
		size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) {
			continue;
		}
		for (size_t i = 0; i < n; i++, count++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int),
			       sizeof(int));
			if (count < capacity) {
				ret_fds[count] = fd;
			} else {
				close(fd);
			}
		}
	}
	return count;
}

static int reply_wait(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	mono_t end = mono_add(mono_now(), REPLY_MS * MONO_MS);
	int n;

	do {
		uint64_t left = mono_between(mono_now(), end);

		n = poll(&p, 1, (int)(left / MONO_MS));
	} while (n < 0 && errno == EINTR);
	if (n < 0) {
		return result_errno();
	}
	return n == 0 ? -ETIMEDOUT : 0;
}

int client_reply(struct bailey_client *client, uint32_t type,
		 struct wire_reply *ret_reply, int *ret_fds, size_t *fd_count)
{
	union {
		char bytes[CMSG_SPACE(16 * sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec iov = { .iov_base = ret_reply,
			     .iov_len = sizeof(*ret_reply) };
	struct msghdr message = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	size_t capacity = *fd_count;
	ssize_t n;
	int r = reply_wait(client->session);

	*fd_count = 0;
	if (r < 0) {
		return r;
	}
	do {
		n = recvmsg(client->session, &message, MSG_CMSG_CLOEXEC);
	} while (n < 0 && errno == EINTR);
	if (n < 0) {
		return result_errno();
	}
	*fd_count = reply_fds(&message, ret_fds, capacity);
	if (n == 0) {
		return -EPIPE;
	}
	if (message.msg_flags & MSG_CTRUNC) {
		*fd_count = *fd_count < capacity ? *fd_count : capacity;
		return -EMFILE;
	}
	if (*fd_count > capacity) {
		*fd_count = capacity;
		return -EPROTO;
	}
	if ((size_t)n != sizeof(*ret_reply) ||
	    (message.msg_flags & MSG_TRUNC) || ret_reply->type != type ||
	    ret_reply->error < 0 || ret_reply->error > 65535) {
		return -EPROTO;
	}
	return 0;
}

int client_request(struct bailey_client *client, uint32_t type,
		   const void *payload, size_t size, uint32_t count,
		   uint32_t *ret_detail)
{
	struct wire_request head = { .type = type, .count = count };
	struct wire_reply reply;
	size_t no_fds = 0;
	int r;

	if (client->record != NULL) {
		return 0;
	}
	if (client->session_lost) {
		return -EPIPE;
	}
	r = request_send(client->session, &head, payload, size, 0);
	if (r == -E2BIG) {
		return r;
	}
	if (r == 0) {
		r = client_reply(client, type, &reply, NULL, &no_fds);
	}
	if (r < 0) {
		client->session_lost = true;
		return r == -ECONNRESET || r == -EPROTO ? -EPIPE : r;
	}
	if (reply.error != 0 && ret_detail != NULL) {
		*ret_detail = reply.detail;
	}
	return -reply.error;
}

static int request_locked(struct bailey_client *client, uint32_t type,
			  const void *payload, size_t size, size_t count)
{
	int r;

	if (client_is_child(client)) {
		return -EPIPE;
	}
	pthread_mutex_lock(&client->session_lock);
	r = client_request(client, type, payload, size, (uint32_t)count, NULL);
	pthread_mutex_unlock(&client->session_lock);
	return r;
}

int bailey_subscribe(struct bailey_client *client,
		     const struct bailey_subscription *list, size_t count)
{
	if (count > WIRE_SUBSCRIPTIONS) {
		return -EINVAL;
	}
	for (size_t i = 0; i < count; i++) {
		if (list[i].size != sizeof(list[i])) {
			return -EINVAL;
		}
	}
	if (client->record != NULL) {
		return client_record_subscribe(client, list, count);
	}
	return request_locked(client, WIRE_REQUEST_SUBSCRIBE, list,
			      count * sizeof(*list), count);
}

int bailey_ready(struct bailey_client *client)
{
	return request_locked(client, WIRE_REQUEST_READY, NULL, 0, 0);
}

/* session_lock held. */
static int rules_send(struct bailey_client *client, const char *text,
		      size_t length, uint32_t *ret_line)
{
	size_t most = WIRE_REQUEST_MAX - sizeof(struct wire_request);
	int r = client_request(client, WIRE_REQUEST_TEXT_BEGIN, NULL, 0, 0,
			       NULL);

	for (size_t done = 0; r == 0 && done < length;) {
		size_t n = length - done < most ? length - done : most;

		r = client_request(client, WIRE_REQUEST_TEXT_ADD, text + done,
				   n, (uint32_t)n, ret_line);
		done += n;
	}
	return r < 0 ? r : client_request(client, WIRE_REQUEST_TEXT_COMMIT,
					  NULL, 0, 0, ret_line);
}

int bailey_rules_replace(struct bailey_client *client, const char *text,
			 size_t length, int *ret_line)
{
	uint32_t line = 0;
	int r;

	if (client_is_child(client)) {
		return -EPIPE;
	}
	pthread_mutex_lock(&client->session_lock);
	r = rules_send(client, text, length, &line);
	pthread_mutex_unlock(&client->session_lock);
	if (r == -BAILEY_E_RULE && ret_line != NULL) {
		*ret_line = (int)line;
	}
	return r;
}

int bailey_directory(struct bailey_client *client, enum bailey_directory which)
{
	int fd = -1;

	if ((unsigned)which <= BAILEY_DIRECTORY_STATE) {
		fd = atomic_load(&client->directory[which]);
	}
	return fd >= 0 ? fd : -ENOENT;
}

int bailey_content_done(struct bailey_client *client,
			const struct bailey_event *event, int error)
{
	struct wire_content_done done = { .id = event->id,
					  .error = error < 0 ? -error : error };

	if (event->kind != BAILEY_EVENT_CONTENT) {
		return -EINVAL;
	}
	return request_locked(client, WIRE_REQUEST_CONTENT_DONE, &done,
			      sizeof(done), 1);
}

/* Never waits: a line that the socket does not take at once is dropped, and
 * the next one that goes says how many were. */
int bailey_log(struct bailey_client *client, int level, const char *text)
{
	struct wire_request head = { .type = WIRE_REQUEST_LOG, .count = 1 };
	struct wire_log line = { 0 };
	int r;

	if (level < 0 || level > 7) {
		return -EINVAL;
	}
	if (client_is_child(client)) {
		return -EPIPE;
	}
	if (client->record != NULL) {
		return 0;
	}
	line.level = (uint32_t)level;
	memcpy(line.text, text, strnlen(text, sizeof(line.text) - 1));
	line.dropped = atomic_exchange(&client->log_dropped, 0);
	r = request_send(client->session, &head, &line, sizeof(line),
			 MSG_DONTWAIT);
	if (r < 0) {
		atomic_fetch_add(&client->log_dropped, line.dropped + 1);
	}
	return r == -ECONNRESET ? -EPIPE : r;
}
