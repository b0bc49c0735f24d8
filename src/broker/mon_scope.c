/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mon_scope.c - what is protected: trees, file systems, all local ones
 *
 *   tree         DIR bind-mounted onto itself, and that mount marked; undone
 *                at the end. What a killed monitor left is marked again, not
 *                mounted anew: who stands in it would stay unwatched. Binds
 *                that nobody asks for any more are undone by the next start
 *   filesystem   one superblock
 *   local        every superblock of an allow-listed type in the mount table,
 *                also those that appear later (poll on mountinfo)
 *
 * fanotify_mark() looks a path up but opens nothing: it may be called when
 * marks stand. Overlays are marked only where mon_overlay.c finds that an open
 * through one does not ask on its layers.
 */
#include <fcntl.h>
#include <linux/stat.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fanotify.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "base/log.h"
#include "base/text.h"
#include "broker/mon.h"

#ifndef FAN_OPEN_EXEC_PERM
#define FAN_OPEN_EXEC_PERM 0x00040000
#endif

#ifndef STATX_MNT_ID_UNIQUE    /* Linux 6.8: never given out twice */
#define STATX_MNT_ID_UNIQUE 0x00004000U
#endif

#define SCOPE_EVENTS (FAN_OPEN_PERM | FAN_OPEN_EXEC_PERM)

/* Types that are local, have a real superblock and cannot call back into user
 * mode: anything else can make the reader wait for whom it protects. */
static const char *const markable[] = {
	"ext4", "ext3", "ext2", "xfs", "btrfs", "f2fs", "vfat", "exfat",
	"tmpfs", "squashfs", "erofs", "iso9660",
};

static bool scope_markable(const struct mon *m, const char *type)
{
	if (strcmp(type, "overlay") == 0) {
		return m->overlays;
	}
	for (size_t i = 0; i < sizeof(markable) / sizeof(*markable); i++) {
		if (strcmp(markable[i], type) == 0) {
			return true;
		}
	}
	return false;
}

static struct mon_scope *scope_new(struct mon *m, const char *kind,
				   const char *path)
{
	struct mon_scope *s;

	if (m->scopes == MON_SCOPES) {
		return NULL;
	}
	s = &m->scope[m->scopes++];
	*s = (struct mon_scope){ .view.head = { ADMIN_SCOPE,
						sizeof(s->view) } };
	text_format(s->view.kind, sizeof(s->view.kind), "%s", kind);
	text_format(s->view.path, sizeof(s->view.path), "%s", path);
	return s;
}

/* A file system is what was there at first. After `off` and an umount its path
 * may lead to another one, the host's root even: that is not ours to mark. */
static bool scope_is_there(struct mon_scope *s)
{
	struct stat st;

	if (stat(s->view.path, &st) < 0) {
		text_format(s->view.reason, sizeof(s->view.reason), "%s",
			    strerror(errno));
		return false;
	}
	if (!s->bound && s->superblock && s->superblock != st.st_dev) {
		text_format(s->view.reason, sizeof(s->view.reason),
			    "another file system is mounted there now");
		return false;
	}
	s->superblock = st.st_dev;
	return true;
}

static void scope_mark(struct mon *m, struct mon_scope *s)
{
	unsigned what = s->bound ? FAN_MARK_MOUNT : FAN_MARK_FILESYSTEM;

	if (!scope_is_there(s)) {
		s->view.marked = 0;
		return;
	}
	if (fanotify_mark(m->group, FAN_MARK_ADD | what, SCOPE_EVENTS, AT_FDCWD,
			  s->view.path) < 0) {
		text_format(s->view.reason, sizeof(s->view.reason),
			 "cannot be marked: %s", strerror(errno));
		s->view.marked = 0;
		return;
	}
	s->view.marked = 1;
	s->view.reason[0] = '\0';
	m->marked = true;
}

static void scope_unmark(struct mon *m, struct mon_scope *s)
{
	unsigned what = s->bound ? FAN_MARK_MOUNT : FAN_MARK_FILESYSTEM;

	if (s->view.marked &&
	    fanotify_mark(m->group, FAN_MARK_REMOVE | what, SCOPE_EVENTS,
			  AT_FDCWD, s->view.path) < 0) {
		log_warning("%s: mark not removed: %m", s->view.path);
	}
	s->view.marked = 0;
}

/* ---- trees ---- */

/* Tells a bind of ours from what somebody has mounted there since. */
static uint64_t tree_mount_id(const char *dir)
{
	struct statx s;

	if (statx(AT_FDCWD, dir, AT_NO_AUTOMOUNT | AT_SYMLINK_NOFOLLOW,
		  STATX_MNT_ID | STATX_MNT_ID_UNIQUE, &s) < 0) {
		return 0;
	}
	return s.stx_mnt_id;
}

/* Which trees are bound, for the next start if we are killed. */
static void tree_note(const struct mon *m)
{
	char path[4096];
	FILE *f;

	text_format(path, sizeof(path), "%s/trees", m->options.state);
	f = fopen(path, "we");
	for (uint32_t i = 0; f && i < m->scopes; i++) {
		if (m->scope[i].bound) {
			fprintf(f, "%llu %s\n", (unsigned long long)
				tree_mount_id(m->scope[i].view.path),
				m->scope[i].view.path);
		}
	}
	if (!f || fclose(f)) {
		log_warning("%s: %m: a killed monitor's binds will stay", path);
	}
}

static bool tree_wanted(const struct mon *m, const char *dir)
{
	for (uint32_t i = 0; i < m->options.scopes; i++) {
		if (m->options.is_tree[i] &&
		    strcmp(m->options.scope[i], dir) == 0) {
			return true;
		}
	}
	return false;
}

static void tree_former(struct mon *m, const char *dir)
{
	struct mon_scope *s;

	if (tree_wanted(m, dir)) {
		s = scope_new(m, "tree", dir);
		if (s) {
			s->own = true;
			s->bound = true;
			log_notice("%s: a killed monitor's bind goes on", dir);
		}
	} else if (umount2(dir, MNT_DETACH | UMOUNT_NOFOLLOW) == 0) {
		log_notice("%s: undid what a killed monitor had bound", dir);
	}
}

static void trees_former(struct mon *m)
{
	char path[4096], line[4096], *dir;
	FILE *f;

	text_format(path, sizeof(path), "%s/trees", m->options.state);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f)) {
		uint64_t id = strtoull(line, &dir, 10);

		dir += *dir == ' ';
		dir[strcspn(dir, "\n")] = '\0';
		if (id && tree_mount_id(dir) == id) {
			tree_former(m, dir);
		}
	}
	if (f) {
		fclose(f);
		unlink(path);
	}
}

static bool tree_is_bound(const struct mon *m, const char *dir)
{
	for (uint32_t i = 0; i < m->scopes; i++) {
		if (m->scope[i].bound &&
		    strcmp(m->scope[i].view.path, dir) == 0) {
			return true;
		}
	}
	return false;
}

static void tree_add(struct mon *m, const char *dir)
{
	struct mon_scope *s;

	if (tree_is_bound(m, dir)) {
		return;
	}
	s = scope_new(m, "tree", dir);
	if (!s) {
		return;         /* mon_options.c allows no more */
	}
	s->own = true;
	if (mount(dir, dir, NULL, MS_BIND | MS_REC, NULL) < 0 ||
	    mount(NULL, dir, NULL, MS_PRIVATE, NULL) < 0) {
		text_format(s->view.reason, sizeof(s->view.reason),
			 "cannot be bound onto itself: %s", strerror(errno));
		log_error("%s: %s", dir, s->view.reason);
		return;
	}
	s->bound = true;
}

/* ---- the mount table ---- */

struct mount_line {
	char path[VIEW_PATH];
	char type[32];
	char device[16];        /* major:minor */
};

/* Octal escapes of mountinfo: \040 and the like. */
static void mount_unescape(const char *from, size_t n, char *ret_path,
			   size_t size)
{
	size_t out = 0;

	for (size_t i = 0; i < n && out + 1 < size; i++) {
		if (from[i] == '\\' && i + 3 < n) {
			ret_path[out++] = (char)((from[i + 1] - '0') * 64 +
						 (from[i + 2] - '0') * 8 +
						 (from[i + 3] - '0'));
			i += 3;
		} else {
			ret_path[out++] = from[i];
		}
	}
	ret_path[out] = '\0';
}

/* "36 35 98:0 /root /mnt opts [optional]... - type source super" */
static bool mount_parse(const char *line, struct mount_line *ret_mount)
{
	int path_at = 0, path_end = 0;
	const char *dash = strstr(line, " - ");

	if (!dash ||
	    sscanf(line, "%*d %*d %15s %*s %n%*s%n", ret_mount->device,
		   &path_at, &path_end) < 1 || !path_end ||
	    sscanf(dash, " - %31s", ret_mount->type) != 1) {
		return false;
	}
	mount_unescape(line + path_at, (size_t)(path_end - path_at),
		       ret_mount->path, sizeof(ret_mount->path));
	return true;
}

static void mount_each(struct mon *m,
		       void (*each)(struct mon *, const struct mount_line *))
{
	static char text[1 << 18];
	struct mount_line mount;
	size_t at = 0;
	ssize_t n;

	while (at < sizeof(text) - 1 &&
	       (n = pread(m->mountinfo, text + at, sizeof(text) - 1 - at,
			  (off_t)at)) > 0) {
		at += (size_t)n;
	}
	text[at] = '\0';
	for (char *line = text, *end; *line; line = end) {
		end = line + strcspn(line, "\n");
		if (*end) {
			*end++ = '\0';
		}
		if (mount_parse(line, &mount)) {
			each(m, &mount);
		}
	}
}

static bool scope_has_device(const struct mon *m, const char *device)
{
	for (uint32_t i = 0; i < m->scopes; i++) {
		if (!m->scope[i].bound &&
		    strcmp(m->scope[i].device, device) == 0) {
			return true;
		}
	}
	return false;
}

static void local_add(struct mon *m, const struct mount_line *mount)
{
	struct mon_scope *s;

	if (!scope_markable(m, mount->type)) {
		return;
	}
	if (scope_has_device(m, mount->device)) {
		return;
	}
	s = scope_new(m, "filesystem", mount->path);
	if (!s) {
		m->unmarked++;
		return;
	}
	text_format(s->view.fstype, sizeof(s->view.fstype), "%s", mount->type);
	text_format(s->device, sizeof(s->device), "%s", mount->device);
	scope_mark(m, s);
	log_info("%s (%s): %s", s->view.path, s->view.fstype,
		 s->view.marked ? "protected" : s->view.reason);
}

static const char *type_of_path;        /* argument of type_find */
static char type_found[32];
static size_t type_length;

static void type_find(struct mon *m, const struct mount_line *mount)
{
	size_t n = strlen(mount->path);

	(void)m;
	if (n == 1) {
		n = 0;          /* "/" is a prefix of all */
	}
	if (n >= type_length && strncmp(mount->path, type_of_path, n) == 0 &&
	    (type_of_path[n] == '/' || type_of_path[n] == '\0')) {
		type_length = n;
		memcpy(type_found, mount->type, sizeof(type_found));
	}
}

static void filesystem_add(struct mon *m, const char *path)
{
	struct mon_scope *s = scope_new(m, "filesystem", path);

	s->own = true;
	type_of_path = path;
	type_length = 0;
	type_found[0] = '\0';
	mount_each(m, type_find);
	memcpy(s->view.fstype, type_found, sizeof(type_found));
	if (!scope_markable(m, type_found)) {
		text_format(s->view.reason, sizeof(s->view.reason),
			 "%s is not of a kind that can be marked safely",
			 type_found[0] ? type_found : "it");
		log_error("%s: %s", path, s->view.reason);
	}
}

static void unmarked_count(struct mon *m, const struct mount_line *mount)
{
	struct stat st;
	char device[16];

	if (!scope_markable(m, mount->type) ||
	    scope_has_device(m, mount->device)) {
		return;
	}
	for (uint32_t i = 0; i < m->scopes; i++) {
		if (m->scope[i].view.marked &&
		    stat(m->scope[i].view.path, &st) == 0) {
			text_format(device, sizeof(device), "%u:%u",
				 (unsigned)(st.st_dev >> 8 & 0xfff),
				 (unsigned)(st.st_dev & 0xff));
			if (strcmp(device, mount->device) == 0) {
				return;
			}
		}
	}
	m->unmarked++;
}

/* So that the engine can tell an exec from an unmarked file system. */
static void devices_tell(struct mon *m)
{
	uint32_t count = 0;
	struct stat st;

	for (uint32_t i = 0; m->local && i < m->scopes; i++) {
		if (m->scope[i].view.marked && count < HANDOFF_DEVICES &&
		    stat(m->scope[i].view.path, &st) == 0) {
			atomic_store(&m->table->device[count++], st.st_dev);
		}
	}
	atomic_store(&m->table->device_count, count);
}

/* ---- all of them ---- */

void mon_scopes_bind(struct mon *m)
{
	trees_former(m);
	m->overlays = mon_overlay_markable(m);
	for (uint32_t i = 0; i < m->options.scopes; i++) {
		if (m->options.is_tree[i]) {
			tree_add(m, m->options.scope[i]);
		} else if (strcmp(m->options.scope[i], "local") == 0) {
			m->local = true;
		} else {
			filesystem_add(m, m->options.scope[i]);
		}
	}
	tree_note(m);
}

void mon_scopes_mark(struct mon *m)
{
	for (uint32_t i = 0; i < m->scopes; i++) {
		if (!m->scope[i].view.reason[0]) {
			scope_mark(m, &m->scope[i]);
		}
	}
	mon_scopes_again(m);
}

void mon_scopes_again(struct mon *m)
{
	if (m->local) {
		mount_each(m, local_add);
	}
	m->unmarked = 0;
	mount_each(m, unmarked_count);
	devices_tell(m);
}

void mon_scopes_unmark(struct mon *m)
{
	for (uint32_t i = 0; i < m->scopes; i++) {
		scope_unmark(m, &m->scope[i]);
	}
}

void mon_scopes_undo(struct mon *m)
{
	char path[4096];

	mon_scopes_unmark(m);
	for (uint32_t i = 0; i < m->scopes; i++) {
		if (m->scope[i].bound &&
		    umount2(m->scope[i].view.path,
			    MNT_DETACH | UMOUNT_NOFOLLOW) < 0) {
			log_warning("%s: bind not undone: %m",
				    m->scope[i].view.path);
		}
		m->scope[i].bound = false;
	}
	text_format(path, sizeof(path), "%s/trees", m->options.state);
	unlink(path);
}
