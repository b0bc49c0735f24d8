/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/tuf_http.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define REQUEST 8192

struct connection {
	struct sim_http *server;
	int fd;                         /* owned */
	SSL *tls;                       /* owned; null: plain */
};

struct request {
	bool metadata;
	const char *name;
	uint64_t from;
	bool range;
};

static ssize_t send_some(struct connection *c, const void *bytes, size_t n)
{
	return c->tls ? SSL_write(c->tls, bytes, (int)n)
		      : send(c->fd, bytes, n, MSG_NOSIGNAL);
}

static ssize_t receive_some(struct connection *c, void *bytes, size_t n)
{
	return c->tls ? SSL_read(c->tls, bytes, (int)n)
		      : recv(c->fd, bytes, n, 0);
}

/* 0, or -1: the client is gone, or the test is over. */
static int put(struct connection *c, const void *bytes, size_t n)
{
	const char *p = bytes;

	while (n > 0 && !c->server->stop) {
		ssize_t sent = send_some(c, p, n);

		if (sent <= 0) {
			return -1;
		}
		p += sent;
		n -= (size_t)sent;
	}
	return c->server->stop ? -1 : 0;
}

static int put_text(struct connection *c, const char *text)
{
	return put(c, text, strlen(text));
}

static int head(struct connection *c, const char *status, uint64_t length,
		const char *more)
{
	char text[1024];

	snprintf(text, sizeof(text), "HTTP/1.1 %s\r\nContent-Length: %llu\r\n"
		 "%s\r\n", status, (unsigned long long)length, more);
	return put_text(c, text);
}

static void pause_ms(struct connection *c, int ms)
{
	struct pollfd p = { c->fd, POLLRDHUP, 0 };

	(void)poll(&p, 1, ms);
}

static int put_slowly(struct connection *c, const struct sim_bytes *bytes)
{
	int r = head(c, "200 OK", bytes->length, "");

	for (size_t i = 0; r == 0 && i < bytes->length; i++) {
		pause_ms(c, 100);
		r = put(c, bytes->bytes + i, 1);
	}
	return -1;
}

static int silent(struct connection *c)
{
	struct pollfd p = { c->fd, POLLRDHUP, 0 };

	while (!c->server->stop && poll(&p, 1, 50) == 0) {
		continue;
	}
	return -1;
}

static int blanks(struct connection *c)
{
	static char some[65536];
	int r = 0;

	memset(some, ' ', sizeof(some));
	while (r == 0) {
		r = put(c, some, sizeof(some));
	}
	return -1;
}

static int endless(struct connection *c, const char *status)
{
	char text[128];

	snprintf(text, sizeof(text), "HTTP/1.1 %s\r\nConnection: close\r\n"
		 "\r\n", status);
	return put_text(c, text) < 0 ? -1 : blanks(c);
}

static int redirect(struct connection *c, const char *to, const char *name)
{
	char text[512];

	snprintf(text, sizeof(text), "Location: %s%s\r\n", to, name);
	return head(c, "302 Found", 0, text);
}

static int good(struct connection *c, const struct request *q,
		const struct sim_bytes *bytes, uint64_t say_from)
{
	char text[128];

	if (!q->range || c->server->sim->no_range) {
		return head(c, "200 OK", bytes->length, "") < 0 ? -1 :
		       put(c, bytes->bytes, bytes->length);
	}
	if (q->from >= bytes->length) {
		return head(c, "416 Range Not Satisfiable", 0, "");
	}
	snprintf(text, sizeof(text), "Content-Range: bytes %llu-%zu/%zu\r\n",
		 (unsigned long long)say_from, bytes->length - 1,
		 bytes->length);
	return head(c, "206 Partial Content", bytes->length - q->from,
		    text) < 0 ? -1 :
	       put(c, bytes->bytes + q->from, bytes->length - q->from);
}

static int odd(struct connection *c, const struct request *q, enum http_odd how,
	       const struct sim_bytes *bytes)
{
	switch (how) {
	case HTTP_SLOW: return put_slowly(c, bytes);
	case HTTP_SILENT: return silent(c);
	case HTTP_ENDLESS: return endless(c, "200 OK");
	case HTTP_ENDLESS_ABSENT: return endless(c, "404 Not Found");
	case HTTP_LONG:
		return head(c, "200 OK", 1u << 30, "") < 0 ? -1
							   : blanks(c);
	case HTTP_BREAKS:
		(void)head(c, "200 OK", bytes->length, "");
		(void)put(c, bytes->bytes, bytes->length / 2);
		return -1;
	case HTTP_CIRCLE: return redirect(c, "/metadata/", q->name);
	case HTTP_MOVED: return redirect(c, "/metadata/moved/", q->name);
	case HTTP_ELSEWHERE:
		return redirect(c, c->server->elsewhere, q->name);
	case HTTP_TO_FILE: return redirect(c, "file:///etc/passwd", "");
	case HTTP_NOWHERE:
		return head(c, "302 Found", bytes->length, "") < 0 ? -1 :
		       put(c, bytes->bytes, bytes->length);
	case HTTP_ERROR:
		return head(c, "500 Internal Server Error", bytes->length,
			    "") < 0 ? -1 : put(c, bytes->bytes, bytes->length);
	case HTTP_EMPTY: return put_text(c, "HTTP/1.1 204 No Content\r\n\r\n");
	case HTTP_WRONG_RANGE: return good(c, q, bytes, q->from + 1);
	case HTTP_GARBAGE: return put_text(c, "220 ready\r\n"), -1;
	default: return good(c, q, bytes, q->from);
	}
}

/* A file server: the path is decoded once; what is left is a file's name. */
static bool plain_answer(struct sim_http *h, const struct request *q,
			 struct sim_bytes *ret_bytes)
{
	char name[1024];
	size_t n = 0;

	for (const char *p = q->name; *p && n + 1 < sizeof(name); p++) {
		unsigned byte;

		if (*p == '%' && sscanf(p + 1, "%2x", &byte) == 1) {
			name[n++] = (char)byte;
			p += 2;
		} else {
			name[n++] = *p;
		}
	}
	name[n] = '\0';
	return !strchr(name, '/') && !strchr(name, '?') &&
	       sim_answer(h->sim, q->metadata, name, ret_bytes);
}

static int answer(struct connection *c, struct request *q)
{
	struct sim_http *h = c->server;
	struct sim_bytes bytes = { (uint8_t *)"", 0 };
	enum http_odd how = h->odd;
	bool there;

	if (strncmp(q->name, "moved/", 6) == 0) {
		q->name += 6;
		how = HTTP_GOOD;
	} else if (h->odd_name && strcmp(h->odd_name, q->name) != 0) {
		how = HTTP_GOOD;
	}
	there = h->plain ? plain_answer(h, q, &bytes)
			 : sim_answer(h->sim, q->metadata, q->name, &bytes);
	if (!there && how == HTTP_GOOD) {
		return head(c, "404 Not Found", 9, "") < 0 ? -1 :
		       put_text(c, "not here\n");
	}
	return odd(c, q, how, &bytes);
}

static int take_request(struct connection *c, char *text)
{
	struct request q = { false, NULL, 0, false };
	char *path = strchr(text, ' '), *end, *range;

	end = path ? strchr(path + 1, ' ') : NULL;
	if (!end) {
		return -1;
	}
	*end = '\0';
	range = strcasestr(end + 1, "\r\nrange: bytes=");
	if (range) {
		q.range = true;
		q.from = strtoull(range + strlen("\r\nrange: bytes="), NULL,
				  10);
	}
	path++;
	if (strncmp(path, "/metadata/", 10) == 0) {
		q.metadata = true;
		q.name = path + 10;
	} else if (strncmp(path, "/targets/", 9) == 0) {
		q.name = path + 9;
	} else {
		return head(c, "404 Not Found", 0, "");
	}
	return answer(c, &q);
}

/* A client that does not believe us goes away here. */
static bool greet(struct connection *c)
{
	SSL_CTX *tls = c->server->tls;

	if (!tls) {
		return true;
	}
	c->tls = SSL_new(tls);
	return c->tls && SSL_set_fd(c->tls, c->fd) && SSL_accept(c->tls) == 1;
}

static void *serve(void *context)
{
	struct connection *c = context;
	char text[REQUEST];
	size_t n = 0;

	while (!c->server->stop && (c->tls || greet(c))) {
		struct pollfd p = { c->fd, POLLIN, 0 };
		ssize_t got;

		if (!(c->tls && SSL_pending(c->tls)) &&
		    poll(&p, 1, 50) == 0) {
			continue;
		}
		got = receive_some(c, text + n, sizeof(text) - 1 - n);
		if (got <= 0) {
			break;
		}
		n += (size_t)got;
		text[n] = '\0';
		if (strstr(text, "\r\n\r\n")) {
			if (take_request(c, text) < 0) {
				break;
			}
			n = 0;
		}
	}
	SSL_free(c->tls);
	close(c->fd);
	free(c);
	return NULL;
}

static void *listen_on(void *context)
{
	struct sim_http *h = context;
	pthread_t threads[1024];
	unsigned n = 0;

	while (!h->stop && n < 1024) {
		struct pollfd p = { h->listener, POLLIN, 0 };
		struct connection *c;
		int fd = poll(&p, 1, 50) > 0 ? accept(h->listener, NULL, NULL)
					     : -1;

		if (fd < 0) {
			continue;
		}
		/* head and body go out by themselves: nobody waits for an
		 * acknowledgement between them */
		(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 },
				 sizeof(int));
		h->connections++;
		c = malloc(sizeof(*c));
		*c = (struct connection){ h, fd, NULL };
		pthread_create(&threads[n++], NULL, serve, c);
	}
	while (n) {
		pthread_join(threads[--n], NULL);
	}
	return NULL;
}

void sim_http_tls(struct sim_http *h, SSL_CTX *tls)
{
	h->tls = tls;
	snprintf(h->base, sizeof(h->base), "%s://%s:%u/",
		 tls ? "https" : "http", h->ipv6 ? "[::1]" : "127.0.0.1",
		 h->port);
}

void sim_http_start(struct sim_http *h, struct sim *s, bool ipv6)
{
	struct sockaddr_in6 six = { .sin6_family = AF_INET6,
				    .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	struct sockaddr_in four = { .sin_family = AF_INET };
	const void *address = ipv6 ? (const void *)&six : &four;
	socklen_t size = ipv6 ? sizeof(six) : sizeof(four);

	/* OpenSSL writes without MSG_NOSIGNAL */
	signal(SIGPIPE, SIG_IGN);
	memset(h, 0, sizeof(*h));
	four.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	h->sim = s;
	h->listener = socket(ipv6 ? AF_INET6 : AF_INET,
			     SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(h->listener >= 0);
	assert_int_equal(bind(h->listener, address, size), 0);
	assert_int_equal(listen(h->listener, 16), 0);
	if (ipv6) {
		assert_int_equal(getsockname(h->listener, (void *)&six,
					     &size), 0);
		h->port = ntohs(six.sin6_port);
	} else {
		assert_int_equal(getsockname(h->listener, (void *)&four,
					     &size), 0);
		h->port = ntohs(four.sin_port);
	}
	h->ipv6 = ipv6;
	sim_http_tls(h, NULL);
	assert_int_equal(pthread_create(&h->thread, NULL, listen_on, h), 0);
}

void sim_http_stop(struct sim_http *h)
{
	h->stop = 1;
	pthread_join(h->thread, NULL);
	close(h->listener);
}
