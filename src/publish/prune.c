/* SPDX-License-Identifier: Apache-2.0 */
#include "publish/prune.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/text.h"

static const enum pub_role pruned[] = { PUB_CONTENT, PUB_DATA, PUB_GATE,
					PUB_REVOKED, PUB_SNAPSHOT };

static bool old_enough(const struct publish *p, int dir, const char *name)
{
	struct stat status;

	return fstatat(dir, name, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
	       S_ISREG(status.st_mode) &&
	       status.st_mtime < p->now - PRUNE_AGE_S;
}

/* Removes file, and the folder that an encoded role has beside it. */
static void drop(const struct publish *p, int metadata, const char *name)
{
	const char *code = strstr(name, "%2F");
	char plain[PUB_PATH], folder[PUB_PATH];

	(void)p;
	(void)unlinkat(metadata, name, 0);
	if (code) {
		text_format(folder, sizeof(folder), "%.*s",
			    (int)(code - name), name);
		text_format(plain, sizeof(plain), "%s/%s", folder, code + 3);
		(void)unlinkat(metadata, plain, 0);
		(void)unlinkat(metadata, folder, AT_REMOVEDIR);
	}
}

/* Is it VERSION.ROLE.json of an old version of that role? */
static bool old_version(const struct publish *p, enum pub_role role,
			const char *name)
{
	char want[PUB_PATH];
	char *end;
	long long version = strtoll(name, &end, 10);
	int64_t released = p->doc[role].released
		? meta_version(p->doc[role].released) : 0;

	if (version < 1 || version >= released - PRUNE_KEEP) {
		return false;
	}
	draft_file(p, role, version, want, sizeof(want));
	return strcmp(want + strlen("metadata/"), name) == 0;
}

static void prune_metadata(const struct publish *p)
{
	int fd = openat(p->repository, "metadata",
			O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *folder = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	if (!folder) {
		fd_closep(&fd);
		return;
	}
	while ((entry = readdir(folder))) {
		for (size_t i = 0; i < sizeof(pruned) / sizeof(pruned[0]);
		     i++) {
			if (old_version(p, pruned[i], entry->d_name) &&
			    old_enough(p, dirfd(folder), entry->d_name)) {
				drop(p, dirfd(folder), entry->d_name);
				break;
			}
		}
	}
	closedir(folder);
}

/* The hash under which a role's one target is published, in doc. */
static bool named(const json_t *doc, const char *file)
{
	const json_t *targets = json_object_get(json_object_get(doc,
						"signed"), "targets");
	const char *path;
	json_t *target;

	json_object_foreach((json_t *)(uintptr_t)targets, path, target) {
		const char *hash = json_string_value(json_object_get(
			json_object_get(target, "hashes"), "sha256"));

		if (hash && strncmp(file, hash, strlen(hash)) == 0) {
			return true;
		}
	}
	return false;
}

static void prune_targets(const struct publish *p, enum pub_role role,
			  const char *where, const char *name)
{
	int fd = openat(p->repository, where,
			O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *folder = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	if (!folder) {
		fd_closep(&fd);
		return;
	}
	while ((entry = readdir(folder))) {
		const char *file = entry->d_name;

		if (strlen(file) > VERSION_HEX &&
		    strcmp(file + VERSION_HEX, name) == 0 &&
		    !named(p->doc[role].draft, file) &&
		    !named(p->doc[role].released, file) &&
		    old_enough(p, dirfd(folder), file)) {
			(void)unlinkat(dirfd(folder), file, 0);
		}
	}
	closedir(folder);
}

void prune_repository(const struct publish *p)
{
	char lease[VERSION_NAME + 8];

	text_format(lease, sizeof(lease), "%s.json", p->product);
	prune_metadata(p);
	prune_targets(p, PUB_GATE, "targets/gate", lease);
	prune_targets(p, PUB_REVOKED, "targets", "revoked.json");
}
