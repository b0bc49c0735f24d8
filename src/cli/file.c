/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/result.h"
#include "cli/cli.h"

static int file_open(const char *path)
{
	struct stat st;
	int fd;

	if (strcmp(path, "-") == 0) {
		return dup(STDIN_FILENO);
	}
	/* not to wait for the other end of a FIFO */
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd >= 0 && fstat(fd, &st) == 0 && S_ISDIR(st.st_mode)) {
		close(fd);
		errno = EISDIR;
		return -1;
	}
	return fd;
}

int file_read(const char *path, char **ret_text, size_t *ret_length)
{
	cleanup_free char *text = malloc(FILE_MOST + 2);
	cleanup_fd int fd = file_open(path);
	size_t length = 0;
	char *whole;
	ssize_t n = 1;

	if (!text || fd < 0) {
		cli_error("cannot read %s: %s", path, strerror(errno));
		return result_errno();
	}
	while (length <= FILE_MOST && n != 0) {
		n = read(fd, text + length, FILE_MOST + 1 - length);
		if (n < 0 && (errno != EINTR || cli_interrupted())) {
			cli_error("cannot read %s: %s", path, strerror(errno));
			return result_errno();
		}
		length += n > 0 ? (size_t)n : 0;
	}
	if (length > FILE_MOST) {
		cli_error("%s is larger than %u MiB; split it", path,
			  FILE_MOST >> 20);
		return -EFBIG;
	}
	text[length] = '\0';
	whole = realloc(text, length + 1);
	*ret_text = whole ? whole : text;
	*ret_length = length;
	text = NULL;
	return 0;
}
