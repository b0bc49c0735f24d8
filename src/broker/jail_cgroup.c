/* SPDX-License-Identifier: Apache-2.0 */
/*
 * broker/jail_cgroup.c - memory, task and processor limits
 *
 * v2 where the controllers are there for us (delegated to our service, or at
 * the top of the hierarchy), else v1, hierarchy by hierarchy. Our groups are
 * named after the monitor's pid and the product, below the group that the
 * broker itself is in, so that limits set on Bailey hold for its guests.
 *
 * The parents stay open as O_PATH descriptors: groups are removed by name from
 * there, without a look-up from the root. Groups that a killed helper left
 * behind are swept at the next start.
 */
#include "broker/jail.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define CGROUP_TOP "/sys/fs/cgroup"
#define CGROUP_PERIOD_US 100000u
#define CGROUP_BROKER "bailey-broker"

struct cgroup_value {
	unsigned group;                 /* JAIL_CGROUP_* */
	enum jail_measure measure;
	bool optional;                  /* extra: its absence is no loss */
	bool zero;                      /* 0 is a limit, not "none" */
	const char *file;
	const char *format;
	uint64_t (*value)(const struct manifest *manifest);
};

static uint64_t cgroup_memory(const struct manifest *m)
{
	return m->memory_bytes;
}

static uint64_t cgroup_tasks(const struct manifest *m)
{
	return m->tasks;
}

static uint64_t cgroup_cpu(const struct manifest *m)
{
	return (uint64_t)m->cpu_percent * CGROUP_PERIOD_US / 100;
}

static uint64_t cgroup_zero(const struct manifest *m)
{
	return 0;
}

static uint64_t cgroup_one(const struct manifest *m)
{
	return 1;
}

#define CGROUP_VALUE(at, what, file_name, text, from)                         \
	{ .group = JAIL_CGROUP_##at, .measure = JAIL_##what,                  \
	  .file = file_name, .format = text, .value = from }
#define CGROUP_EXTRA(at, what, file_name, from, null)                         \
	{ .group = JAIL_CGROUP_##at, .measure = JAIL_##what,                  \
	  .file = file_name, .format = "%llu", .value = from,                 \
	  .optional = true, .zero = null }

static const struct cgroup_value cgroup_v1[] = {
	CGROUP_VALUE(MEMORY, MEMORY, "memory.limit_in_bytes", "%llu",
		     cgroup_memory),
	CGROUP_EXTRA(MEMORY, MEMORY, "memory.memsw.limit_in_bytes",
		     cgroup_memory, false),
	CGROUP_VALUE(PIDS, TASKS, "pids.max", "%llu", cgroup_tasks),
	CGROUP_VALUE(CPU, PROCESSOR, "cpu.cfs_quota_us", "%llu", cgroup_cpu),
};

static const struct cgroup_value cgroup_v2[] = {
	CGROUP_VALUE(UNIFIED, MEMORY, "memory.max", "%llu", cgroup_memory),
	CGROUP_EXTRA(UNIFIED, MEMORY, "memory.swap.max", cgroup_zero, true),
	CGROUP_EXTRA(UNIFIED, MEMORY, "memory.oom.group", cgroup_one, false),
	CGROUP_VALUE(UNIFIED, TASKS, "pids.max", "%llu", cgroup_tasks),
	CGROUP_VALUE(UNIFIED, PROCESSOR, "cpu.max", "%llu 100000", cgroup_cpu),
};

static int cgroup_read(int dir, const char *file, char *ret_text, size_t size)
{
	cleanup_fd int fd = openat(dir, file, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, ret_text, size - 1);

	if (n < 0) {
		return result_errno();
	}
	ret_text[n] = '\0';
	return 0;
}

static int cgroup_write(int dir, const char *file, const char *text)
{
	cleanup_fd int fd = openat(dir, file, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) < 0) {
		return result_errno();
	}
	return 0;
}

/* Path of our own group in the hierarchy of `controller` ("" is v2). */
static int cgroup_own_path(const char *controller, char *ret_path, size_t size)
{
	char text[4096];
	char *rest = text;

	int r = cgroup_read(AT_FDCWD, "/proc/self/cgroup", text, sizeof(text));

	if (r < 0) {
		return r;
	}
	for (char *line = strsep(&rest, "\n"); line && *line;
	     line = strsep(&rest, "\n")) {
		char *names, *path = line;

		(void)strsep(&path, ":");
		names = strsep(&path, ":");
		if (path && strcmp(names, controller) == 0) {
			snprintf(ret_path, size, "%s", path);
			return 0;
		}
	}
	return -ENOENT;
}

static int cgroup_open(const char *base, const char *path)
{
	char whole[512];
	int fd;

	snprintf(whole, sizeof(whole), "%s/%s", base, path);
	fd = open(whole, O_PATH | O_DIRECTORY | O_CLOEXEC);
	/* in a container the path may be that of the host: take the top */
	return fd >= 0 ? fd : open(base, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

/* A group with members cannot have children with controllers: monitor and
 * helper move into a leaf of their own. Undone if others are there too. */
static int cgroup_delegate(int group, pid_t owner)
{
	static const char wanted[] = "+memory +pids +cpu";
	char pid[16];

	if (cgroup_write(group, "cgroup.subtree_control", wanted) == 0) {
		return 0;
	}
	if (mkdirat(group, CGROUP_BROKER, 0755) < 0 && errno != EEXIST) {
		return result_errno();
	}
	snprintf(pid, sizeof(pid), "%d", owner);
	if (cgroup_write(group, CGROUP_BROKER "/cgroup.procs", pid) == 0 &&
	    cgroup_write(group, CGROUP_BROKER "/cgroup.procs", "0") == 0 &&
	    cgroup_write(group, "cgroup.subtree_control", wanted) == 0) {
		return 0;
	}
	(void)cgroup_write(group, "cgroup.procs", pid);
	(void)cgroup_write(group, "cgroup.procs", "0");
	(void)unlinkat(group, CGROUP_BROKER, AT_REMOVEDIR);
	return -EBUSY;
}

static bool cgroup_has_controllers(int group, const char *file)
{
	char text[512];

	return cgroup_read(group, file, text, sizeof(text)) == 0 &&
	       strstr(text, "memory") && strstr(text, "pids");
}

static int cgroup_open_unified(pid_t owner, int *ret_group)
{
	char path[256];
	cleanup_fd int top = open(CGROUP_TOP, O_PATH | O_DIRECTORY | O_CLOEXEC);
	cleanup_fd int own = -1;

	if (top < 0 || !cgroup_has_controllers(top, "cgroup.controllers") ||
	    cgroup_own_path("", path, sizeof(path)) < 0) {
		return -ENOTSUP;
	}
	own = cgroup_open(CGROUP_TOP, path);
	if (own >= 0 && cgroup_has_controllers(own, "cgroup.controllers") &&
	    cgroup_delegate(own, owner) == 0) {
		*ret_group = fd_take(&own);
		return 0;
	}
	if (!cgroup_has_controllers(top, "cgroup.subtree_control")) {
		return -ENOTSUP;
	}
	*ret_group = fd_take(&top);
	return 0;
}

/* v2 beside v1, without controllers: good for freezing alone. Not v1's own
 * freezer: what that holds does not die when it is killed. */
static int cgroup_open_hybrid(const char *path)
{
	static const char base[] = CGROUP_TOP "/unified";
	int fd = access(CGROUP_TOP "/unified/cgroup.procs", F_OK) < 0
			 ? -1 : cgroup_open(base, path);

	return fd;
}

static void cgroup_sweep(int parent)
{
	int fd = openat(parent, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *list = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;
	int pid;

	if (!list) {
		return;
	}
	while ((entry = readdir(list))) {
		if (sscanf(entry->d_name, "bailey-%d-", &pid) == 1 &&
		    kill(pid, 0) < 0 && errno == ESRCH) {
			(void)unlinkat(parent, entry->d_name, AT_REMOVEDIR);
		}
	}
	closedir(list);
}

void jail_cgroups_open(struct jail_cgroups *ret_groups, pid_t owner)
{
	static const char *const v1[JAIL_CGROUP_UNIFIED] = {
		[JAIL_CGROUP_MEMORY] = "memory", [JAIL_CGROUP_PIDS] = "pids",
		[JAIL_CGROUP_CPU] = "cpu",
	};
	char base[64], path[256];

	for (unsigned i = 0; i < JAIL_CGROUPS; i++) {
		ret_groups->parent[i] = -1;
	}
	snprintf(ret_groups->prefix, sizeof(ret_groups->prefix), "bailey-%d-",
		 owner);
	ret_groups->unified = cgroup_open_unified(
		owner, &ret_groups->parent[JAIL_CGROUP_UNIFIED]) == 0;
	for (unsigned i = 0; !ret_groups->unified && i < JAIL_CGROUP_UNIFIED;
	     i++) {
		if (cgroup_own_path(v1[i], path, sizeof(path)) < 0 &&
		    (i != JAIL_CGROUP_CPU ||
		     cgroup_own_path("cpu,cpuacct", path, sizeof(path)) < 0)) {
			continue;
		}
		snprintf(base, sizeof(base), CGROUP_TOP "/%s", v1[i]);
		ret_groups->parent[i] = cgroup_open(base, path);
	}
	if (!ret_groups->unified &&
	    cgroup_own_path("", path, sizeof(path)) == 0) {
		ret_groups->parent[JAIL_CGROUP_UNIFIED] =
			cgroup_open_hybrid(path);
	}
	for (unsigned i = 0; i < JAIL_CGROUPS; i++) {
		if (ret_groups->parent[i] >= 0) {
			cgroup_sweep(ret_groups->parent[i]);
		}
	}
}

void jail_cgroups_name(const struct jail_cgroups *groups, const char *product,
		       uint64_t serial, char ret_name[JAIL_CGROUP_NAME])
{
	snprintf(ret_name, JAIL_CGROUP_NAME, "%s%s-%llu", groups->prefix,
		 product, (unsigned long long)serial);
}

/* Returns the new group, or a negative errno. */
static int cgroup_make(int parent, const char *name)
{
	int fd;

	/* One that is there is not ours to join: its limits are unknown. */
	if (mkdirat(parent, name, 0755) < 0) {
		return result_errno();
	}
	fd = openat(parent, name, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? result_errno() : fd;
}

void jail_cgroups_make(const struct jail_cgroups *groups,
		       const struct manifest *manifest, const char *name,
		       int ret_procs[JAIL_CGROUPS], int *ret_freeze,
		       int ret_error[JAIL_MEASURES])
{
	const struct cgroup_value *table = groups->unified ? cgroup_v2 :
					   cgroup_v1;
	size_t count = groups->unified ? sizeof(cgroup_v2) / sizeof(*table) :
		       sizeof(cgroup_v1) / sizeof(*table);
	int group[JAIL_CGROUPS];
	char text[64];

	for (unsigned i = 0; i < JAIL_CGROUPS; i++) {
		ret_procs[i] = -1;
		group[i] = groups->parent[i] < 0 ? -ENOTSUP :
			   cgroup_make(groups->parent[i], name);
	}
	for (size_t i = 0; i < count; i++) {
		const struct cgroup_value *v = &table[i];
		uint64_t value = v->value(manifest);
		int r = group[v->group];

		if (r >= 0 && (value || v->zero)) {
			snprintf(text, sizeof(text), v->format,
				 (unsigned long long)value);
			r = cgroup_write(group[v->group], v->file, text);
		}
		if (r < 0 && !v->optional) {
			ret_error[v->measure] = -r;
		}
	}
	*ret_freeze = group[JAIL_CGROUP_UNIFIED] < 0 ? -1 :
		      openat(group[JAIL_CGROUP_UNIFIED], "cgroup.freeze",
			     O_WRONLY | O_CLOEXEC);
	for (unsigned i = 0; i < JAIL_CGROUPS; i++) {
		if (group[i] >= 0) {
			ret_procs[i] = openat(group[i], "cgroup.procs",
					      O_WRONLY | O_CLOEXEC);
			close(group[i]);
		}
	}
}

bool jail_cgroups_out_of_memory(const struct jail_cgroups *groups,
				const char *name)
{
	static const char word[] = "\noom_kill ";
	int parent = groups->parent[groups->unified ? JAIL_CGROUP_UNIFIED
						    : JAIL_CGROUP_MEMORY];
	char path[JAIL_CGROUP_NAME + 32], text[512];
	const char *at;

	snprintf(path, sizeof(path), "%s/%s", name, groups->unified
		 ? "memory.events" : "memory.oom_control");
	if (parent < 0 ||
	    cgroup_read(parent, path, text, sizeof(text)) < 0) {
		return false;
	}
	at = strstr(text, word);
	return at && at[sizeof(word) - 1] != '0';
}

int jail_cgroups_remove(const struct jail_cgroups *groups, const char *name)
{
	int result = 0;

	for (unsigned i = 0; i < JAIL_CGROUPS; i++) {
		if (groups->parent[i] >= 0 &&
		    unlinkat(groups->parent[i], name, AT_REMOVEDIR) < 0 &&
		    errno != ENOENT) {
			result = result_errno();
		}
	}
	return result;
}
