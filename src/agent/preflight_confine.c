/* SPDX-License-Identifier: Apache-2.0 */
/*
 * preflight_confine.c - what an unprivileged caller can take from a product
 *
 * Namespaces were made, or not, by the clone. Here: files by Landlock, limits,
 * priority. A dynamic program needs its loader and libraries, so the system's
 * folders stay readable.
 */
#include <fcntl.h>
#include <grp.h>
#include <linux/landlock.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include <bailey/client.h>

#include "agent/preflight_process.h"

#define READ (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define RUN (READ | LANDLOCK_ACCESS_FS_EXECUTE)
#define NOBODY 65534
#define ALL ((1u << 13) - 1)            /* version 1 of the interface */

static const char *const names[] = {
#define NAME(sym, what, cost) what,
	PREFLIGHT_MEASURE_TABLE(NAME)
#undef NAME
};

static const char *const costs[] = {
#define COST(sym, what, cost) cost,
	PREFLIGHT_MEASURE_TABLE(COST)
#undef COST
};

const char *preflight_measure_what(enum preflight_measure measure)
{
	return measure < PREFLIGHT_MEASURES ? names[measure] : "";
}

const char *preflight_measure_cost(enum preflight_measure measure)
{
	return measure < PREFLIGHT_MEASURES ? costs[measure] : "";
}

static int allow(int ruleset, int fd, uint64_t rights)
{
	struct landlock_path_beneath_attr rule = { .allowed_access = rights,
						   .parent_fd = fd };

	return syscall(SYS_landlock_add_rule, ruleset,
		       LANDLOCK_RULE_PATH_BENEATH, &rule, 0) < 0
		       ? result_errno() : 0;
}

/* What a host lacks needs no grant. */
static void allow_path(int ruleset, const char *path, uint64_t rights)
{
	cleanup_fd int fd = open(path, O_PATH | O_CLOEXEC);
	int r = fd < 0 ? 0 : allow(ruleset, fd, rights);

	(void)r;
}

static int files_confine(const int *directories, int program)
{
	static const char *const system[] = { "/usr", "/lib", "/lib64",
					      "/bin" };
	const struct landlock_ruleset_attr attributes = {
		.handled_access_fs = ALL
	};
	cleanup_fd int ruleset = (int)syscall(SYS_landlock_create_ruleset,
					      &attributes, sizeof(attributes),
					      0);
	int r;

	if (ruleset < 0) {
		return result_errno();
	}
	for (size_t i = 0; i < sizeof(system) / sizeof(*system); i++) {
		allow_path(ruleset, system[i], RUN);
	}
	allow_path(ruleset, "/etc/ld.so.cache", LANDLOCK_ACCESS_FS_READ_FILE);
	allow_path(ruleset, "/proc", READ);
	allow_path(ruleset, "/dev/urandom", LANDLOCK_ACCESS_FS_READ_FILE);
	allow_path(ruleset, "/dev/null", LANDLOCK_ACCESS_FS_READ_FILE |
					 LANDLOCK_ACCESS_FS_WRITE_FILE);
	r = allow(ruleset, program, LANDLOCK_ACCESS_FS_EXECUTE |
				    LANDLOCK_ACCESS_FS_READ_FILE);
	for (unsigned i = 1; r == 0 && i < PREFLIGHT_DIRECTORIES; i++) {
		if (directories[i] >= 0) {
			r = allow(ruleset, directories[i],
				  i == BAILEY_DIRECTORY_STATE ? ALL : READ);
		}
	}
	if (r == 0 && syscall(SYS_landlock_restrict_self, ruleset, 0) < 0) {
		r = result_errno();
	}
	return r;
}

static int limit(int resource, uint64_t value)
{
	struct rlimit l;

	if (getrlimit((__rlimit_resource_t)resource, &l) < 0) {
		return result_errno();
	}
	if (l.rlim_max == RLIM_INFINITY || value < l.rlim_max) {
		l.rlim_max = (rlim_t)value;
	}
	l.rlim_cur = l.rlim_max;
	return setrlimit((__rlimit_resource_t)resource, &l) < 0
		       ? result_errno() : 0;
}

/* Not RLIMIT_NPROC: it counts all that the caller runs. */
static int limits_set(const struct manifest *manifest)
{
	int core = limit(RLIMIT_CORE, 1);
	int files = limit(RLIMIT_NOFILE, manifest->files ? manifest->files
							 : 256);
	int size = limit(RLIMIT_FSIZE, manifest->state_bytes);

	return core < 0 ? core : files < 0 ? files : size;
}

/* Root starts it as nobody. */
static int rights_drop(void)
{
	if (geteuid() != 0) {
		return 0;
	}
	if (setgroups(0, NULL) < 0 || setresgid(NOBODY, NOBODY, NOBODY) < 0 ||
	    setresuid(NOBODY, NOBODY, NOBODY) < 0) {
		return result_errno();
	}
	return 0;
}

void preflight_confine(const struct manifest *manifest, const int *directories,
		       int program, struct preflight_lack *lack)
{
	const struct sched_param none = { 0 };
	int *e = lack->error;

	(void)setpriority(PRIO_PROCESS, 0, 19);
	e[PREFLIGHT_MEASURE_PRIORITY] =
		sched_setscheduler(0, SCHED_IDLE, &none) < 0 ? errno : 0;
	e[PREFLIGHT_MEASURE_LIMITS] = -limits_set(manifest);
	e[PREFLIGHT_MEASURE_RIGHTS] = -rights_drop();
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) {
		e[PREFLIGHT_MEASURE_FILES] = errno;
		return;
	}
	e[PREFLIGHT_MEASURE_FILES] = -files_confine(directories, program);
}
