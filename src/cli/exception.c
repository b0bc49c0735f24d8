/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/exception.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <sys/types.h>

int exception_by_object(uint64_t device, uint64_t inode,
			char ret_text[EXCEPTION_TEXT])
{
	snprintf(ret_text, EXCEPTION_TEXT, "allow any object %u:%u %" PRIu64,
		 major((dev_t)device), minor((dev_t)device), inode);
	return 0;
}

static bool exception_is_plain(const char *path)
{
	const char *p = path;

	if (*p != '/') {
		return false;
	}
	while (*p) {
		size_t n = strcspn(++p, "/");

		if (n == 0 || (n == 1 && p[0] == '.') ||
		    (n == 2 && p[0] == '.' && p[1] == '.')) {
			return false;
		}
		p += n;
	}
	return true;
}

int exception_by_path(const char *path, char ret_text[EXCEPTION_TEXT])
{
	static const char start[] = "allow any path \"";
	char text[EXCEPTION_TEXT];
	size_t n = sizeof(start) - 1;

	if (!exception_is_plain(path)) {
		return -EINVAL;
	}
	memcpy(text, start, n);
	for (; *path; path++) {
		unsigned char c = (unsigned char)*path;

		if (n + 6 > sizeof(text)) {     /* \xHH " NUL */
			return -ENAMETOOLONG;
		}
		if (c < 0x20 || c >= 0x7f) {
			n += (size_t)snprintf(text + n, sizeof(text) - n,
					      "\\x%02x", c);
			continue;
		}
		if (strchr("\"\\*?", c)) {
			text[n++] = '\\';
		}
		text[n++] = (char)c;
	}
	text[n++] = '"';
	text[n] = '\0';
	memcpy(ret_text, text, n + 1);
	return 0;
}

int exception_by_sha256(const char *hash, char ret_text[EXCEPTION_TEXT])
{
	if (strlen(hash) != 64 ||
	    strspn(hash, "0123456789abcdefABCDEF") != 64) {
		return -EINVAL;
	}
	snprintf(ret_text, EXCEPTION_TEXT, "allow any sha256 %s", hash);
	return 0;
}
