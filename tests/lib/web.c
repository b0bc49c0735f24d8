/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/web.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void web_need(int good, const char *what)
{
	if (!good) {
		perror(what);
		abort();
	}
}

static int web_send(struct web *web, int fd, const char *bytes, size_t n)
{
	while (n) {
		ssize_t w = send(fd, bytes, n, MSG_NOSIGNAL);

		if (w <= 0) {
			return -1;
		}
		__atomic_add_fetch(&web->seen->bytes, (uint64_t)w,
				   __ATOMIC_RELAXED);
		bytes += w;
		n -= (size_t)w;
	}
	return 0;
}

static void web_head(int fd, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void web_head(int fd, const char *format, ...)
{
	char head[512];
	va_list list;
	int n;

	va_start(list, format);
	n = vsnprintf(head, sizeof(head), format, list);
	va_end(list);
	(void)!send(fd, head, (size_t)n, MSG_NOSIGNAL);
}

static void web_endless(struct web *web, int fd)
{
	char chunk[8192];

	memset(chunk, '{', sizeof(chunk));
	web_head(fd, "HTTP/1.0 200 OK\r\n\r\n");
	while (web_send(web, fd, chunk, sizeof(chunk)) == 0) {
	}
}

static void web_body(struct web *web, int fd, char *bytes, size_t length,
		     int mischief)
{
	size_t i;

	if (mischief == WEB_WRONG) {
		memset(bytes, 'x', length);
	}
	if (mischief == WEB_CUT) {
		web_send(web, fd, bytes, length / 2);
	} else if (mischief == WEB_SLOW) {
		for (i = 0; i < length &&
			    web_send(web, fd, bytes + i, 1) == 0; i++) {
			sleep(1);
		}
	} else {
		web_send(web, fd, bytes, length);
	}
}

static void web_file(struct web *web, int fd, const char *name, size_t from,
		     int mischief)
{
	struct stat st;
	int file = open(name + 1, O_RDONLY | O_CLOEXEC);
	char *bytes;

	if (file < 0 || fstat(file, &st) < 0 || !S_ISREG(st.st_mode) ||
	    mischief == WEB_ABSENT) {
		web_head(fd, "HTTP/1.0 404 Not Found\r\n"
			 "Content-Length: 0\r\n\r\n");
		close(file);
		return;
	}
	from = mischief == WEB_WHOLE || (off_t)from >= st.st_size ? 0 : from;
	bytes = malloc((size_t)st.st_size + 1);
	web_need(bytes && read(file, bytes, (size_t)st.st_size) == st.st_size,
		 name);
	if (from) {
		web_head(fd, "HTTP/1.0 206 Partial\r\nContent-Length: %zu\r\n"
			 "Content-Range: bytes %zu-%zu/%zu\r\n\r\n",
			 (size_t)st.st_size - from, from,
			 (size_t)st.st_size - 1, (size_t)st.st_size);
	} else {
		web_head(fd, "HTTP/1.0 200 OK\r\nContent-Length: %zu\r\n\r\n",
			 (size_t)st.st_size);
	}
	web_body(web, fd, bytes + from, (size_t)st.st_size - from, mischief);
	free(bytes);
	close(file);
}

static void web_serve(struct web *web, int fd)
{
	char request[4096], name[160] = "/";
	size_t used = 0, from = 0;
	unsigned index;
	const char *range;
	int mischief;

	request[0] = '\0';
	while (used + 1 < sizeof(request) && !strstr(request, "\r\n\r\n")) {
		ssize_t n = recv(fd, request + used,
				 sizeof(request) - 1 - used, 0);

		if (n <= 0) {
			return;
		}
		used += (size_t)n;
		request[used] = '\0';
	}
	sscanf(request, "GET %159s", name);
	range = strcasestr(request, "range: bytes=");
	from = range ? strtoul(range + strlen("range: bytes="), NULL, 10) : 0;
	index = __atomic_fetch_add(&web->seen->count, 1, __ATOMIC_RELAXED);
	if (index < WEB_ASKED) {
		strcpy(web->seen->asked[index], name);
	}
	mischief = strstr(name, web->seen->holds) ? web->seen->mischief :
						     WEB_GOOD;
	if (mischief == WEB_ENDLESS) {
		web_endless(web, fd);
	} else if (mischief == WEB_ROUND) {
		web_head(fd, "HTTP/1.0 302 Found\r\nLocation: %s\r\n"
			 "Content-Length: 0\r\n\r\n", name);
	} else {
		web_file(web, fd, name, from, mischief);
	}
}

static void web_loop(struct web *web, int listener, pid_t parent)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent) {
		_exit(1);               /* it ended before that */
	}
	signal(SIGCHLD, SIG_IGN);
	for (;;) {
		int fd = accept(listener, NULL, NULL);

		if (fd < 0) {
			_exit(1);
		}
		parent = getpid();
		if (fork() == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			if (getppid() == parent) {
				web_serve(web, fd);
			}
			_exit(0);
		}
		close(fd);
	}
}

struct web *web_new(const char *folder)
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	socklen_t length = sizeof(address);
	struct web *web = calloc(1, sizeof(*web));
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	pid_t parent = getpid();

	web_need(web && listener >= 0, "socket");
	web->seen = mmap(NULL, sizeof(*web->seen), PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	web_need(web->seen != MAP_FAILED, "mmap");
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	web_need(bind(listener, (struct sockaddr *)&address,
		      sizeof(address)) == 0 && listen(listener, 16) == 0 &&
		 getsockname(listener, (struct sockaddr *)&address,
			     &length) == 0, "listen");
	snprintf(web->url, sizeof(web->url), "http://127.0.0.1:%u",
		 ntohs(address.sin_port));
	fflush(NULL);
	web->pid = fork();
	web_need(web->pid >= 0, "fork");
	if (web->pid == 0) {
		web_need(chdir(folder) == 0, folder);
		web_loop(web, listener, parent);
	}
	close(listener);
	return web;
}

void web_mischief(struct web *web, enum web_mischief mischief,
		  const char *holds)
{
	snprintf(web->seen->holds, sizeof(web->seen->holds), "%s", holds);
	web->seen->mischief = mischief;
}

unsigned web_asked(const struct web *web, const char *holds)
{
	unsigned i, count = 0;

	for (i = 0; i < web->seen->count && i < WEB_ASKED; i++) {
		count += strstr(web->seen->asked[i], holds) != NULL;
	}
	return count;
}

void web_forget(struct web *web)
{
	web->seen->count = 0;
	web->seen->bytes = 0;
}

void web_free(struct web *web)
{
	if (!web) {
		return;
	}
	kill(web->pid, SIGKILL);
	waitpid(web->pid, NULL, 0);
	munmap(web->seen, sizeof(*web->seen));
	free(web);
}
