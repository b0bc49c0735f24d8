/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/agent_socket.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/pass.h"
#include "base/text.h"

static void client_free(struct agent *agent, size_t place)
{
	struct agent_client *c = agent->client[place];

	while (c->first) {
		struct client_datagram *next = c->first->next;

		free(c->first);
		c->first = next;
	}
	fd_closep(&c->fd);
	free(c);
	agent->client[place] = NULL;
}

void agent_clients_close(struct agent *agent)
{
	for (size_t i = 0; i < AGENT_CLIENTS; i++) {
		if (agent->client[i]) {
			client_free(agent, i);
		}
	}
}

void agent_accept(struct agent *agent)
{
	struct ucred peer = { .uid = (uid_t)-1 };
	socklen_t size = sizeof(peer);
	struct agent_client *c;
	size_t place = 0;
	int fd;

	while (place < AGENT_CLIENTS && agent->client[place]) {
		place++;
	}
	if (place == AGENT_CLIENTS) {
		return;
	}
	fd = accept4(agent->listen, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	c = fd < 0 ? NULL : calloc(1, sizeof(*c));
	if (!c) {
		fd_closep(&fd);
		return;
	}
	c->root = getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 &&
		  peer.uid == 0;
	c->fd = fd;
	c->last = &c->first;
	c->limit = mono_add(mono_now(), CLIENT_ASK_S * MONO_S);
	agent->client[place] = c;
}

int agent_client_fd(const struct agent_client *client, short *ret_events)
{
	*ret_events = client->first ? POLLOUT : POLLIN;
	return client->fd;
}

/* ---- out ---- */

static void flush(struct agent_client *c)
{
	while (c->first) {
		struct client_datagram *d = c->first;
		ssize_t n = send(c->fd, d->bytes, d->length,
				 MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
			return;
		}
		c->broken |= n < 0;
		c->first = d->next;
		c->last = c->first ? c->last : &c->first;
		c->out -= d->length;
		free(d);
	}
}

void client_say(struct agent_client *client, json_t *object)
{
	char *text = json_dumps(object, JSON_COMPACT);
	size_t length = text ? strlen(text) : 0;
	struct client_datagram *d = NULL;

	json_decref(object);
	if (text && !client->ended && length <= CONTENT_RECORD_MOST &&
	    client->out + length <= CLIENT_OUT) {
		d = malloc(sizeof(*d) + length);
	}
	if (d) {
		d->next = NULL;
		d->length = length;
		memcpy(d->bytes, text, length);
		*client->last = d;
		client->last = &d->next;
		client->out += length;
	} else {
		client->broken = !client->ended;
	}
	free(text);
	flush(client);
}

void client_end(struct agent_client *client, int error, const char *format,
		...)
{
	char text[CONTENT_TEXT_MOST];
	va_list list;
	json_t *string;

	va_start(list, format);
	vsnprintf(text, sizeof(text), format, list);
	va_end(list);
	string = json_string(text);
	client_say(client, json_pack("{s:b, s:i, s:o}", "end", 1, "error",
				     error, "text",
				     string ? string : json_string("?")));
	client->ended = true;
	client->waits = NULL;
}

void agent_progress(struct agent_product_state *p,
		    const uint8_t hash[VERSION_HASH], const char *step,
		    const char *reason, bool last, int error)
{
	for (size_t i = 0; i < AGENT_CLIENTS; i++) {
		struct agent_client *c = p->agent->client[i];

		if (!c || c->waits != p ||
		    (!agent_hash_none(c->hash) &&
		     !agent_hash_same(c->hash, hash))) {
			continue;
		}
		client_say(c, row_progress(p, hash, step, reason));
		if (last) {
			client_end(c, error, "%s", error ? reason : "");
		}
	}
}

/* ---- in ---- */

/* One request, and nothing after it. At most one descriptor is taken. */
static void client_read(struct agent *agent, struct agent_client *c)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control;
	char text[CONTENT_REQUEST_MOST + 1];
	struct iovec iov = { text, CONTENT_REQUEST_MOST };
	struct msghdr h = { .msg_iov = &iov, .msg_iovlen = 1,
			    .msg_control = &control,
			    .msg_controllen = sizeof(control) };
	cleanup_fd int fd = -1;
	ssize_t n = recvmsg(c->fd, &h, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	struct cmsghdr *m;

	if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
		return;
	}
	if (n <= 0) {
		c->broken = true;
		return;
	}
	m = CMSG_FIRSTHDR(&h);
	if (m && m->cmsg_level == SOL_SOCKET && m->cmsg_type == SCM_RIGHTS &&
	    m->cmsg_len == CMSG_LEN(sizeof(int))) {
		memcpy(&fd, CMSG_DATA(m), sizeof(int));
	}
	if (c->asked) {
		c->broken = true;       /* one request a connection */
		return;
	}
	c->asked = true;
	c->limit = mono_add(mono_now(), CLIENT_WAIT_S * MONO_S);
	if (h.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) {
		client_end(c, EINVAL, "the request is too long");
		return;
	}
	text[n] = '\0';
	client_request(agent, c, text, (size_t)n, fd);
}

void agent_client_turn(struct agent *agent, struct agent_client *client)
{
	size_t place = 0;

	while (agent->client[place] != client) {
		place++;
	}
	flush(client);
	if (!client->first && !client->ended) {
		client_read(agent, client);
	}
	if (client->broken || (client->ended && !client->first) ||
	    mono_now().ns >= client->limit.ns) {
		client_free(agent, place);
	}
}
