/* SPDX-License-Identifier: Apache-2.0 */
/*
 * broker/jail.h - the confinement in which a product runs
 *
 * Problem: a product is a guest. It must see its session, the directories it
 * was handed and its own program, and nothing else; and whatever it does must
 * stay inside limits that the administrator gave it.
 *
 * Two halves. *Preparation* (jail_prepare.c and what it calls) runs in a job of
 * the helper, as root, in the host's namespaces: it may block. It finds the
 * shared objects, fills a private tmpfs, makes cgroups, opens directories.
 * *Entry* (jail_enter.c) runs in the new process: it opens no file of the
 * host, takes the prepared descriptors, gives up every right, and executes.
 *
 * Each measure stands once, in JAIL_MEASURE_TABLE. What could not be applied
 * is reported by its row; a required one that fails ends the start.
 *
 * Owner: the helper. Bounds: JAIL_FILES files, JAIL_ROOT_BYTES in the root.
 */
#ifndef BROKER_JAIL_H
#define BROKER_JAIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/result.h"
#include "config/manifest.h"

#define JAIL_FILES 64u                  /* program, interpreter, libraries */
#define JAIL_ROOT_BYTES (256u << 20)    /* ceiling of the private root */
#define JAIL_DIRECTORIES 4u             /* index: enum bailey_directory */
#define JAIL_CGROUPS 4u                 /* hierarchies: v2, or v1 each */
#define JAIL_CGROUP_NAME 96u

/* X(SYMBOL, required, "what", "what is lost without it") */
#define JAIL_MEASURE_TABLE(X)                                                 \
	X(ROOT, 1, "private root",                                            \
	  "the product would see the host's files")                           \
	X(PIVOT, 0, "old root detached",                                      \
	  "the host's tree is hidden below the new root, not gone")           \
	X(DEVICES, 0, "/dev/null and /dev/urandom",                           \
	  "programs that open them fail")                                     \
	X(PID_NAMESPACE, 0, "pid namespace",                                  \
	  "the product sees process numbers of its own uid only by kill")     \
	X(NET_NAMESPACE, 0, "network namespace",                              \
	  "only the system-call filter keeps it from the network")            \
	X(IPC_NAMESPACE, 0, "ipc namespace",                                  \
	  "only the system-call filter keeps it from System V objects")       \
	X(UTS_NAMESPACE, 0, "host name namespace",                            \
	  "the product sees the host's name")                                 \
	X(CGROUP_NAMESPACE, 0, "cgroup namespace",                            \
	  "the product's cgroup path is not hidden")                          \
	X(MEMORY, 0, "memory limit (cgroup)",                                 \
	  "the product can use memory until the host runs out")               \
	X(TASKS, 0, "task limit (cgroup)",                                    \
	  "tasks are bounded by RLIMIT_NPROC alone")                          \
	X(PROCESSOR, 0, "processor limit (cgroup)",                           \
	  "the product can use a whole processor")                            \
	X(STATE, 0, "size of the state directory",                            \
	  "each file is bounded, their number is not")                        \
	X(RLIMITS, 0, "resource limits",                                      \
	  "descriptors, file sizes or core dumps are not bounded")            \
	X(LANDLOCK, 0, "Landlock",                                            \
	  "only the private root bounds what it opens")                       \
	X(CAPABILITIES, 1, "no capabilities",                                 \
	  "the product could change the host")                                \
	X(SECUREBITS, 0, "securebits locked",                                 \
	  "uid 0 would mean capabilities, were it ever reached")              \
	X(IDENTITY, 1, "own uid and gid, no groups",                          \
	  "the product would run as root")                                    \
	X(NO_NEW_PRIVS, 1, "no_new_privs",                                    \
	  "set-user-ID programs would raise it")                              \
	X(DEATH_SIGNAL, 1, "ends with the monitor",                           \
	  "the product would outlive the broker")                             \
	X(FILTER, 1, "system-call filter",                                    \
	  "descriptors of events could be seeked, locked and held")           \
	X(DESCRIPTORS, 1, "descriptors closed",                               \
	  "the product would inherit the broker's descriptors")               \
	X(EXEC, 1, "program started", "the product does not run")

enum jail_measure {
#define JAIL_ENUM(sym, required, what, cost) JAIL_##sym,
	JAIL_MEASURE_TABLE(JAIL_ENUM)
#undef JAIL_ENUM
	JAIL_MEASURES
};

struct jail_measure_row {
	const char *what;
	const char *cost;
	bool required;
};

extern const struct jail_measure_row jail_measures[JAIL_MEASURES];

/* What the entering process says on its status pipe, one write each; the end
 * of the pipe says that exec happened. */
struct jail_note {
	uint32_t measure;       /* enum jail_measure */
	int32_t error;          /* 0 applied; else a positive errno */
};

/* ---- files of the root ---- */

struct jail_file {
	char from[MANIFEST_PATH];       /* on the host */
	char to[MANIFEST_PATH];         /* below the root, no leading slash */
	uint64_t device, inode, size;   /* as found, to tell a change */
	int64_t ctime_s, ctime_ns;
};

struct jail_files {
	uint32_t count;
	int64_t cache_ctime_s, cache_ctime_ns;  /* of /etc/ld.so.cache */
	struct jail_file file[JAIL_FILES];      /* [0] is the program */
};

/* A registered child (helper.h): fork() in the helper. */
typedef pid_t (*jail_fork)(void);

/* Finds the program's interpreter and libraries. Runs the interpreter itself
 * with --list, as uid, without rights. `strict`: every file must belong to
 * root and not be writable by others. On error ret_error has the reason. */
must_use int jail_files_find(const char *program, uint32_t uid, bool strict,
			     jail_fork fork_child, struct jail_files *ret_files,
			     char *ret_error, size_t error_size);
/* True if nothing changed on the host since files was filled. */
bool jail_files_same(const struct jail_files *files);
/* One line of `ld.so --list`: 0 with name and path, 1 nothing to copy,
 * -EBADMSG. Both buffers MANIFEST_PATH long. */
must_use int jail_files_line(const char *line, char *ret_name, char *ret_path);

/* A detached, read-only tmpfs with the files. */
must_use int jail_root_build(const struct jail_files *files, int *ret_mount);

/* ---- limits ---- */

/* Found once, when the helper starts. Descriptors of parent groups. */
struct jail_cgroups {
	bool unified;                   /* v2 with its controllers; without
					 * them it still freezes */
	int parent[JAIL_CGROUPS];       /* O_PATH directories; -1 absent */
	char prefix[32];                /* of our groups' names */
};

enum {
	JAIL_CGROUP_MEMORY, JAIL_CGROUP_PIDS, JAIL_CGROUP_CPU,
	JAIL_CGROUP_UNIFIED
};

void jail_cgroups_open(struct jail_cgroups *ret_groups, pid_t owner);
/* Makes groups of this name with the product's limits. ret_procs: cgroup.procs
 * of each, ret_freeze: cgroup.freeze, open for writing, or -1. ret_error: 0 or
 * errno by measure. */
void jail_cgroups_make(const struct jail_cgroups *groups,
		       const struct manifest *manifest, const char *name,
		       int ret_procs[JAIL_CGROUPS], int *ret_freeze,
		       int ret_error[JAIL_MEASURES]);
/* A name that no other start has: `serial` counts starts. */
void jail_cgroups_name(const struct jail_cgroups *groups, const char *product,
		       uint64_t serial, char ret_name[JAIL_CGROUP_NAME]);
/* Did the kernel end processes of this group for want of memory? Reads the
 * cgroup's own file system: no mark is on that. */
bool jail_cgroups_out_of_memory(const struct jail_cgroups *groups,
				const char *name)
	__attribute__((warn_unused_result));
/* Removes them; opens nothing. 0, or -EBUSY while tasks are in them. */
int jail_cgroups_remove(const struct jail_cgroups *groups, const char *name);

/* ---- entry ---- */

struct jail_plan {
	const struct manifest *manifest;        /* borrowed */
	uint32_t uid;
	char program[MANIFEST_PATH];    /* path inside the root */
	int root;                       /* detached mount */
	int session;                    /* product's end */
	int standard_error;             /* write end */
	int null;                       /* /dev/null */
	int status;                     /* write end, close-on-exec */
	int monitor;                    /* pidfd of the parent */
	int procs[JAIL_CGROUPS];
	int directory[JAIL_DIRECTORIES];        /* handed over, for Landlock */
	unsigned long namespaces;       /* CLONE_NEW* that clone made */
};

/* In the new process: never returns; a failure is a note on plan->status. */
_Noreturn void jail_enter(const struct jail_plan *plan);
/* The namespaces wanted, and which measure each is. */
extern const struct jail_namespace {
	unsigned long flag;
	enum jail_measure measure;
	bool at_clone;
} jail_namespaces[];
extern const size_t jail_namespaces_count;

/* Parts of the entry, also for tests. */
must_use int jail_filter_load(uint32_t profile, uint64_t secret);
must_use int jail_landlock_make(const struct jail_plan *plan, int *ret_ruleset);
must_use int jail_landlock_enter(int ruleset);
must_use int jail_mount_enter(const struct jail_plan *plan, int *ret_pivot,
			      int *ret_devices);
must_use int jail_rights_drop(uint32_t uid, int *ret_securebits);
must_use int jail_limits_set(const struct manifest *manifest);

#endif
