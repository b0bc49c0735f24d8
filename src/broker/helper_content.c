/* SPDX-License-Identifier: Apache-2.0 */
/*
 * broker/helper_content.c - content that the agent manages, handed over
 *
 *   STATE/content/PRODUCT/current               link to slots/HASH
 *   STATE/content/PRODUCT/slots/HASH/files      the directory
 *   STATE/content/PRODUCT/slots/HASH/expect     struct slot_expect
 *
 * Root opens what another user wrote: never through a link, but for `current`,
 * whose text is read and must name a slot; only what belongs to the agent or
 * to root and nobody else can write; nothing is parsed.
 */
#include "broker/helper_internal.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#define CONTENT_SLOTS SLOT_SLOTS "/"
#define CONTENT_HEX (AGENT_HASH * 2u)

static int content_digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0'
	       : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int content_hash(const char *text, uint8_t ret_hash[AGENT_HASH])
{
	uint8_t hash[AGENT_HASH];

	for (size_t i = 0; i < AGENT_HASH; i++) {
		int high = content_digit(text[2 * i]);
		int low = high < 0 ? -1 : content_digit(text[2 * i + 1]);

		if (low < 0) {
			return -EBADMSG;
		}
		hash[i] = (uint8_t)(high << 4 | low);
	}
	if (text[CONTENT_HEX]) {
		return -EBADMSG;
	}
	memcpy(ret_hash, hash, sizeof(hash));
	return 0;
}

/* Below dir, through no link, and not on another mount. */
static int content_open_below(int dir, const char *path, uint64_t flags)
{
	struct open_how how = {
		.flags = flags | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS |
			   RESOLVE_NO_XDEV,
	};
	long fd = syscall(SYS_openat2, dir, path, &how, sizeof(how));

	return fd < 0 ? result_errno() : (int)fd;
}

static int content_current(int dir, uint8_t ret_hash[AGENT_HASH])
{
	const size_t prefix = sizeof(CONTENT_SLOTS) - 1;
	char text[sizeof(CONTENT_SLOTS) + CONTENT_HEX + 1];
	ssize_t n = readlinkat(dir, SLOT_CURRENT, text, sizeof(text));

	if (n < 0) {
		return result_errno();
	}
	if ((size_t)n != prefix + CONTENT_HEX ||
	    memcmp(text, CONTENT_SLOTS, prefix) != 0) {
		return -EBADMSG;
	}
	text[n] = '\0';
	return content_hash(text + prefix, ret_hash);
}

/* Whoever else could write it could change what was verified. */
static int content_owned(const struct helper *helper, int fd, mode_t type)
{
	struct stat st;

	if (fstat(fd, &st) < 0) {
		return result_errno();
	}
	if ((st.st_mode & S_IFMT) != type || st.st_mode & 022 ||
	    (st.st_uid != 0 &&
	     st.st_uid != helper->start->table->content_uid)) {
		return -EPERM;
	}
	return 0;
}

static int content_expect(const struct helper *helper, int slot,
			  struct handoff_expect *expect)
{
	struct slot_expect read_from;
	cleanup_fd int fd = content_open_below(slot, SLOT_EXPECT,
					       O_RDONLY | O_NONBLOCK);
	int r = fd < 0 ? fd : content_owned(helper, fd, S_IFREG);

	if (r < 0) {
		return r;
	}
	if (read(fd, &read_from, sizeof(read_from)) != sizeof(read_from) ||
	    !slot_expect_good(&read_from) ||
	    memcmp(read_from.hash, expect->hash, sizeof(expect->hash)) != 0) {
		return -EBADMSG;
	}
	expect->managed = 1;
	expect->fields = read_from.fields;
	memcpy(expect->schema, read_from.schema, sizeof(expect->schema));
	return 0;
}

static void content_slot(const uint8_t hash[AGENT_HASH],
			 char ret_path[sizeof(CONTENT_SLOTS) + CONTENT_HEX])
{
	char *at = ret_path + sizeof(CONTENT_SLOTS) - 1;

	memcpy(ret_path, CONTENT_SLOTS, sizeof(CONTENT_SLOTS));
	for (size_t i = 0; i < AGENT_HASH; i++, at += 2) {
		snprintf(at, 3, "%02x", hash[i]);
	}
}

int content_open(const struct helper *helper, const char *product,
		 const uint8_t *hash, int *ret_fd,
		 struct handoff_expect *ret_expect)
{
	struct handoff_expect expect = { 0 };
	char path[sizeof(CONTENT_SLOTS) + CONTENT_HEX];
	cleanup_fd int top = -1;
	cleanup_fd int slot = -1;
	cleanup_fd int files = -1;
	char where[MANIFEST_PATH * 2];
	int r = 0;

	snprintf(where, sizeof(where), "%s/content/%s",
		 helper->start->state_dir, product);
	top = open(where, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (top < 0) {
		return result_errno();
	}
	if (hash) {
		memcpy(expect.hash, hash, sizeof(expect.hash));
	} else {
		r = content_current(top, expect.hash);
	}
	if (r < 0) {
		return r;
	}
	content_slot(expect.hash, path);
	slot = content_open_below(top, path, O_PATH | O_DIRECTORY);
	files = slot < 0 ? slot : content_open_below(slot, SLOT_FILES,
						     O_PATH | O_DIRECTORY);
	r = files < 0 ? files : content_owned(helper, files, S_IFDIR);
	if (r == 0) {
		r = content_expect(helper, slot, &expect);
	}
	if (r == 0) {
		r = prepare_detach(files, MOUNT_ATTR_RDONLY |
				   MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV |
				   MOUNT_ATTR_NOEXEC, ret_fd);
	}
	if (r == 0) {
		*ret_expect = expect;
	}
	return r;
}

void task_content(const struct helper *helper,
		  const struct helper_request *request, int channel)
{
	struct helper_reply reply = { .type = HELPER_DONE };
	cleanup_fd int fd = -1;
	int r = content_open(helper, request->manifest.name, NULL, &fd,
			     &reply.expect);

	if (r < 0) {
		job_done(channel, request, r, strerror(-r));
		return;
	}
	job_reply(channel, request, &reply, &fd, 1);
}
