/* SPDX-License-Identifier: Apache-2.0 */
/*
 * broker/helper_prepare.c - the job that prepares a jail
 *
 * Touches files, as root: finds the program and its libraries, fills the
 * private root unless the one of the last start still fits, makes the cgroups,
 * opens the directories to hand over. Sends all of it to the loop.
 *
 * A directory is handed over as the root of a detached mount of its own:
 * there ".." leads nowhere, and the mount's flags (read-only, noexec) hold
 * whatever the file system behind it allows.
 */
#include "broker/helper_internal.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <bailey/client.h>

#define PREPARE_STATE "products"

int prepare_detach(int directory, uint64_t flags, int *ret_fd)
{
	struct mount_attr attributes = { .attr_set = flags };
	cleanup_fd int tree = open_tree(directory, "", AT_EMPTY_PATH |
					OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	int fd;

	if (tree < 0 || mount_setattr(tree, "", AT_EMPTY_PATH, &attributes,
				      sizeof(attributes)) < 0) {
		return result_errno();
	}
	fd = openat(tree, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0) {
		return result_errno();
	}
	*ret_fd = fd;
	return 0;
}

static int prepare_read_only(const char *path, bool strict, int *ret_fd)
{
	cleanup_fd int directory = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct stat st;

	if (directory < 0 || fstat(directory, &st) < 0) {
		return result_errno();
	}
	if (strict && (st.st_uid != 0 || st.st_mode & 022)) {
		return -EPERM;
	}
	return prepare_detach(directory, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID |
			      MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC, ret_fd);
}

static int prepare_mkdir(int parent, const char *name, mode_t mode,
			 int *ret_fd)
{
	int fd;

	if (mkdirat(parent, name, mode) < 0 && errno != EEXIST) {
		return result_errno();
	}
	fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW |
		    O_CLOEXEC);
	if (fd < 0) {
		return result_errno();
	}
	*ret_fd = fd;
	return 0;
}

static int prepare_state(const char *state_dir, const char *name, uint32_t uid,
			 int *ret_fd)
{
	cleanup_fd int top = open(state_dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	cleanup_fd int products = -1;
	cleanup_fd int own = -1;
	int r;

	if (top < 0) {
		return result_errno();
	}
	r = prepare_mkdir(top, PREPARE_STATE, 0711, &products);
	if (r < 0) {
		return r;
	}
	r = prepare_mkdir(products, name, 0700, &own);
	if (r < 0) {
		return r;
	}
	if (fchown(own, uid, uid) < 0 || fchmod(own, 0700) < 0) {
		return result_errno();
	}
	return prepare_detach(own, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV |
			      MOUNT_ATTR_NOEXEC, ret_fd);
}

/* A preflight neither sees nor changes what the product has kept. */
static int prepare_scratch(uint64_t bytes, uint32_t uid, int *ret_fd)
{
	cleanup_fd int context = fsopen("tmpfs", FSOPEN_CLOEXEC);
	cleanup_fd int mount = -1;
	char size[24], owner[12];
	int fd;

	snprintf(size, sizeof(size), "%llu", (unsigned long long)bytes);
	snprintf(owner, sizeof(owner), "%u", uid);
	if (context < 0 ||
	    fsconfig(context, FSCONFIG_SET_STRING, "size", size, 0) < 0 ||
	    fsconfig(context, FSCONFIG_SET_STRING, "mode", "0700", 0) < 0 ||
	    fsconfig(context, FSCONFIG_SET_STRING, "uid", owner, 0) < 0 ||
	    fsconfig(context, FSCONFIG_SET_STRING, "gid", owner, 0) < 0 ||
	    fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0) {
		return result_errno();
	}
	mount = fsmount(context, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID |
			MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
	fd = mount < 0 ? -1 : openat(mount, ".", O_RDONLY | O_DIRECTORY |
				     O_CLOEXEC);
	if (fd < 0) {
		return result_errno();
	}
	*ret_fd = fd;
	return 0;
}

/* Managed content; until there is a version of it, and without `root', the
 * folder that the manifest names. */
static int prepare_content(const struct helper *helper,
			   const struct helper_request *request,
			   struct handoff_expect *ret_expect, int *ret_fd,
			   char *ret_error, size_t size)
{
	const struct manifest *m = &request->manifest;
	int r = m->content_root[0]
			? content_open(helper, m->name, request->purpose
					       ? request->hash : NULL,
				       ret_fd, ret_expect)
			: -ENOENT;

	if (r < 0 && (r != -ENOENT || request->purpose)) {
		snprintf(ret_error, size, "content of %s: %s", m->name,
			 r == -EPERM ? "others than the agent can write it"
				     : strerror(-r));
		return r;
	}
	if (r == 0 || !m->content[0]) {
		return 0;
	}
	r = prepare_read_only(m->content, helper->strict, ret_fd);
	if (r < 0) {
		snprintf(ret_error, size, "content %.200s: %s", m->content,
			 r == -EPERM ? "must be root's alone"
				     : strerror(-r));
	}
	return r;
}

/* Returns 0, or ends the job with the reason. ret_fd by PREPARED_*. */
static int prepare_directories(const struct helper *helper,
			       const struct helper_request *request,
			       struct handoff_expect *ret_expect, int *ret_fd,
			       char *ret_error, size_t size)
{
	const struct manifest *m = &request->manifest;
	char path[MANIFEST_PATH * 2];
	int *slot = ret_fd + PREPARED_DIRECTORIES;
	int r = prepare_content(helper, request, ret_expect,
				&slot[BAILEY_DIRECTORY_CONTENT], ret_error,
				size);

	if (r < 0) {
		return r;
	}
	snprintf(path, sizeof(path), "%s/products.d/%s.config",
		 helper->start->etc_dir, m->name);
	r = prepare_read_only(path, helper->strict,
			      &slot[BAILEY_DIRECTORY_CONFIG]);
	if (r < 0 && r != -ENOENT) {
		snprintf(ret_error, size, "configuration %.200s: %s", path,
			 strerror(-r));
		return r;
	}
	if (m->state_bytes) {
		r = request->purpose == AGENT_PREFLIGHT
			    ? prepare_scratch(m->state_bytes, request->uid,
					      &slot[BAILEY_DIRECTORY_STATE])
			    : prepare_state(helper->start->state_dir, m->name,
					    request->uid,
					    &slot[BAILEY_DIRECTORY_STATE]);
		if (r < 0) {
			snprintf(ret_error, size, "state of %s, below %.100s: "
				 "%s", m->name, helper->start->state_dir,
				 strerror(-r));
			return r;
		}
	}
	return 0;
}

static int prepare_root(const struct helper *helper,
			const struct helper_request *request,
			struct helper_prepared *prepared, int *ret_fd,
			char *ret_error, size_t size)
{
	const struct root_cache *cache = &helper->cache[request->index];
	const struct manifest *m = &request->manifest;
	int r;

	if (cache->root >= 0 &&
	    strcmp(cache->files.file[0].from, m->exec) == 0 &&
	    jail_files_same(&cache->files)) {
		return 0;
	}
	r = jail_files_find(m->exec, request->uid, helper->strict, own_fork,
			    &prepared->files, ret_error, size);
	if (r < 0) {
		return r;
	}
	r = jail_root_build(&prepared->files, ret_fd);
	if (r < 0) {
		snprintf(ret_error, size, "%.200s: private root: %s", m->exec,
			 strerror(-r));
	}
	return r;
}

void task_prepare(const struct helper *helper,
		  const struct helper_request *request, int channel)
{
	static struct helper_message message;
	struct helper_prepared *prepared = &message.product;
	const struct manifest *m = &request->manifest;
	int fd[PREPARED_END], send[PREPARED_END];
	int error[JAIL_MEASURES] = { 0 };
	char cgroup[JAIL_CGROUP_NAME], text[512] = "";
	size_t count = 0;
	int r;

	for (unsigned i = 0; i < PREPARED_END; i++) {
		fd[i] = -1;
	}
	r = request->uid == 0 ? -EINVAL :
	    prepare_root(helper, request, prepared, &fd[PREPARED_ROOT], text,
			 sizeof(text));
	if (r == 0) {
		r = prepare_directories(helper, request, &prepared->expect, fd,
					text, sizeof(text));
	}
	if (r < 0) {
		job_done(channel, request, r, text);
		return;
	}
	/* Project quotas are few file systems' and nobody's default. */
	error[JAIL_STATE] = m->state_bytes ? ENOTSUP : 0;
	jail_cgroups_name(&helper->cgroups, m->name, helper->serial, cgroup);
	jail_cgroups_make(&helper->cgroups, m, cgroup, &fd[PREPARED_PROCS],
			  &fd[PREPARED_FREEZE], error);
	message.prepared = 1;
	for (unsigned i = 0; i < PREPARED_END; i++) {
		if (fd[i] >= 0) {
			prepared->have |= 1u << i;
			send[count++] = fd[i];
		}
	}
	for (unsigned i = 0; i < JAIL_MEASURES; i++) {
		prepared->error[i] = error[i];
	}
	if (pass_send(channel, &message, sizeof(message), send, count, 0) < 0) {
		_exit(1);
	}
}
