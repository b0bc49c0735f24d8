/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch_folder.c - a fetcher whose base is a folder
 *
 * Names stand in the folder as they stand in a URL, percent-encoded (as role
 * names do), or decoded, as a web server would look for them. Nothing outside
 * the folder is reached, no link is followed, and only a regular file is read.
 */
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "base/text.h"
#include "update/fetch.h"

#define CHUNK 16384

struct folder {
	struct fetch fetch;
	int fd;                         /* owned */
};

static int open_below(int folder, const char *name)
{
	struct open_how how = {
		.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS |
			   RESOLVE_NO_MAGICLINKS
	};

	return (int)syscall(SYS_openat2, folder, name, &how, sizeof(how));
}

static int digit(char c)
{
	const char *digits = "0123456789ABCDEF", *at;

	c = c >= 'a' && c <= 'f' ? (char)(c - 'a' + 'A') : c;
	at = c ? strchr(digits, c) : NULL;
	return at ? (int)(at - digits) : -1;
}

/* What a server would look for. 0 if it is another name, and one that has the
 * same components. */
static int decode(const char *name, char ret_name[FETCH_NAME])
{
	size_t n = 0;

	for (const char *at = name; *at; at++) {
		char c = *at;

		if (n + 1 == FETCH_NAME) {
			return -ENAMETOOLONG;
		}
		if (c == '%' && digit(at[1]) >= 0 && digit(at[2]) >= 0) {
			c = (char)(digit(at[1]) << 4 | digit(at[2]));
			at += 2;
			if (c == '/' || c == '\0') {
				return -EINVAL;
			}
		}
		ret_name[n++] = c;
	}
	ret_name[n] = '\0';
	return strcmp(name, ret_name) == 0 ? -EINVAL : 0;
}

static int fail(struct fetch *f, int error, const char *what)
{
	text_format(f->why, sizeof(f->why), "%s", what);
	return error;
}

static int send(struct fetch *f, int fd, uint64_t from, uint64_t maximum,
		fetch_sink sink, void *context)
{
	char bytes[CHUNK];

	for (;;) {
		ssize_t n = pread(fd, bytes, sizeof(bytes), (off_t)from);
		int r;

		if (n < 0 && errno == EINTR) {
			continue;
		}
		if (n < 0) {
			r = result_errno();
			return fail(f, r, strerror(-r));
		}
		if (n == 0) {
			return 0;
		}
		if ((uint64_t)n > maximum - from) {
			return fail(f, -EFBIG, "larger than it may be");
		}
		r = sink(context, from, bytes, (size_t)n);
		if (r) {
			return r;
		}
		from += (uint64_t)n;
	}
}

static int folder_get(struct fetch *f, const char *name, uint64_t from,
		      uint64_t maximum, fetch_sink sink, void *context)
{
	const struct folder *folder = (const struct folder *)f;
	cleanup_fd int fd = open_below(folder->fd, name);
	char decoded[FETCH_NAME];
	struct stat status;
	int r;

	if (fd < 0 && errno == ENOENT && decode(name, decoded) == 0) {
		fd = open_below(folder->fd, decoded);
	}
	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR)) {
		return fail(f, FETCH_ABSENT, "there is no such file");
	}
	if (fd < 0 || fstat(fd, &status) < 0) {
		r = result_errno();
		return fail(f, r, strerror(-r));
	}
	if (!S_ISREG(status.st_mode)) {
		return fail(f, -EPROTO, "not a file");
	}
	if (from > (uint64_t)status.st_size) {
		return fail(f, -ERANGE, "shorter than what is there");
	}
	if ((uint64_t)status.st_size > maximum) {
		return fail(f, -EFBIG, "larger than it may be");
	}
	return send(f, fd, from, maximum, sink, context);
}

static void folder_free(struct fetch *f)
{
	fd_closep(&((struct folder *)f)->fd);
	free(f);
}

int fetch_folder(int folder, struct fetch **ret_fetch)
{
	struct folder *f = calloc(1, sizeof(*f));
	int r;

	if (!f) {
		return -ENOMEM;
	}
	f->fetch.get = folder_get;
	f->fetch.free = folder_free;
	f->fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (f->fd < 0) {
		r = result_errno();
		free(f);
		return r;
	}
	*ret_fetch = &f->fetch;
	return 0;
}
