/* SPDX-License-Identifier: Apache-2.0 */
/* run_place.c - where things are (run.h): state, programs, manifests */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/result.h"
#include "cli/run.h"
#include "cli/state.h"

#ifndef BAILEY_LIBEXEC
#define BAILEY_LIBEXEC "/usr/lib/bailey"
#endif

/* ---- the state directory ---- */

static int place_make(struct run_place *place)
{
	static const char *const under[] = { "/run", NULL, "/tmp" };
	size_t i;

	for (i = 0; i < 3; i++) {
		const char *base = under[i] ? under[i] : getenv("TMPDIR");

		if (!base || *base != '/') {
			continue;
		}
		snprintf(place->state, sizeof(place->state),
			 "%.400s/bailey-run.XXXXXX", base);
		if (mkdtemp(place->state)) {
			place->made = true;
			return 0;
		}
	}
	cli_error("cannot make a directory under /run or /tmp: %s; give one "
		  "with --state DIR", strerror(errno));
	return result_errno();
}

static int place_named(struct run_place *place, const char *path)
{
	char *real;

	if (mkdir(path, 0700) < 0 && errno != EEXIST) {
		cli_error("cannot make %s: %s; give another --state DIR", path,
			  strerror(errno));
		return result_errno();
	}
	real = path[0] == '/' ? strdup(path) : realpath(path, NULL);
	if (!real) {
		cli_error("cannot use %s: %s", path, strerror(errno));
		return result_errno();
	}
	snprintf(place->state, sizeof(place->state), "%s", real);
	free(real);
	return 0;
}

/* Opens for reading what state_open() found good, and takes its lock. */
static int place_lock(struct run_place *place)
{
	cleanup_fd int checked = -1;
	cleanup_fd int fd = -1;
	int r = state_open(place->state, &checked);

	if (r < 0) {
		return r;
	}
	fd = openat(checked, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0) {
		cli_error("cannot open %s: %s", place->state, strerror(errno));
		return result_errno();
	}
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		cli_error("another `bailey run` uses %s; end it, or give "
			  "another --state DIR", place->state);
		return -EBUSY;
	}
	place->state_fd = fd_take(&fd);
	return 0;
}

static int place_etc(const struct cli_args *args, struct run_place *place)
{
	const char *etc = cli_value(args, "etc", 0);
	int n;

	if (etc) {
		cleanup_free char *real = realpath(etc, NULL);

		if (!real || strlen(real) >= sizeof(place->etc)) {
			cli_error("cannot use --etc %s: %s", etc,
				  strerror(real ? ENAMETOOLONG : errno));
			return -ENOENT;
		}
		strcpy(place->etc, real);
		return 0;
	}
	n = snprintf(place->etc, sizeof(place->etc), "%.400s/etc",
		     place->state);
	if (n < 0 || (mkdirat(place->state_fd, "etc", 0700) < 0 &&
		      errno != EEXIST)) {
		cli_error("cannot make %s: %s", place->etc, strerror(errno));
		return -EIO;
	}
	return 0;
}

int run_place_open(const struct cli_args *args, struct run_place *ret_place)
{
	const char *path = cli_value(args, "state", 0);
	int r;

	*ret_place = (struct run_place){ .state_fd = -1 };
	r = path ? place_named(ret_place, path) : place_make(ret_place);
	if (r < 0) {
		return r;
	}
	if (strlen(ret_place->state) > RUN_STATE_LONGEST) {
		cli_error("%s is longer than %u bytes, and a socket's name "
			  "would not fit; give a shorter --state DIR",
			  ret_place->state, RUN_STATE_LONGEST);
		r = -ENAMETOOLONG;
	}
	r = r < 0 ? r : place_lock(ret_place);
	r = r < 0 ? r : place_etc(args, ret_place);
	if (r < 0) {
		run_place_close(ret_place);
	}
	return r;
}

#define PLACE_DEEPEST 16u

/* Empties a directory; takes fd. Bounded depth: nothing of ours is deeper. */
static int place_empty(int fd, dev_t device, unsigned depth)
{
	DIR *list = fdopendir(fd);
	struct dirent *entry;
	int r = 0;

	if (!list) {
		close(fd);
		return result_errno();
	}
	while ((entry = readdir(list))) {
		struct stat st;
		int child;

		if (strcmp(entry->d_name, ".") == 0 ||
		    strcmp(entry->d_name, "..") == 0) {
			continue;
		}
		if (fstatat(fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
		    st.st_dev != device) {
			r = -EXDEV;
			continue;
		}
		if (!S_ISDIR(st.st_mode)) {
			r = unlinkat(fd, entry->d_name, 0) < 0 ?
				result_errno() : r;
			continue;
		}
		child = openat(fd, entry->d_name, O_RDONLY | O_DIRECTORY |
			       O_NOFOLLOW | O_CLOEXEC);
		if (child < 0 || depth == 0) {
			fd_closep(&child);
			r = -ELOOP;
			continue;
		}
		r = place_empty(child, device, depth - 1) < 0 ? -EIO : r;
		r = unlinkat(fd, entry->d_name, AT_REMOVEDIR) < 0 ?
			result_errno() : r;
	}
	closedir(list);
	return r;
}

void run_place_close(struct run_place *place)
{
	struct stat st;
	int fd, r = 0;

	if (place->made && place->state_fd >= 0 &&
	    fstat(place->state_fd, &st) == 0) {
		fd = openat(place->state_fd, ".", O_RDONLY | O_DIRECTORY |
			    O_CLOEXEC);
		r = fd < 0 ? result_errno() :
			     place_empty(fd, st.st_dev, PLACE_DEEPEST);
	}
	if (place->made && (rmdir(place->state) < 0 || r < 0)) {
		cli_error("%s could not be removed whole: %s; see what is "
			  "mounted there and remove it by hand", place->state,
			  strerror(r < 0 ? -r : errno));
	}
	fd_closep(&place->state_fd);
	place->state_fd = -1;
	place->made = false;
}

/* ---- programs and manifests ---- */

/* The directory of this program; "" if unknown. */
static void place_own_directory(char ret_path[RUN_PATH])
{
	ssize_t n = readlink("/proc/self/exe", ret_path, RUN_PATH - 1);
	char *slash;

	ret_path[n > 0 ? n : 0] = '\0';
	slash = strrchr(ret_path, '/');
	if (slash) {
		*slash = '\0';
	}
}

/* First of the paths "own/format" that is there. */
static int place_first(const char *const *formats, const char *own,
		       const char *name, int mode, char ret_path[RUN_PATH])
{
	size_t i;

	for (i = 0; formats[i]; i++) {
		char path[RUN_PATH * 3];
		const char *from = formats[i], *end = path + sizeof(path) - 1;
		char *to = path;

		/* %o: own directory, %n: name */
		for (; *from && to < end; from++) {
			const char *part = *from != '%' ? NULL :
				*++from == 'o' ? own : name;

			if (part) {
				to = stpncpy(to, part, (size_t)(end - to));
			} else {
				*to++ = *from;
			}
		}
		*to = '\0';
		if (access(path, mode) == 0) {
			cleanup_free char *real = realpath(path, NULL);

			if (real && strlen(real) < RUN_PATH) {
				strcpy(ret_path, real);
				return 0;
			}
		}
	}
	return -ENOENT;
}

/* built: where it stands in a build folder, seen from this program. */
static int find_program(const char *name, const char *built,
			char ret_path[RUN_PATH])
{
	const char *const places[] = {
		"%o/%n", built, BAILEY_LIBEXEC "/%n",
		"%o/../lib/bailey/%n", "%o/../libexec/bailey/%n", NULL
	};
	char own[RUN_PATH];
	int r;

	place_own_directory(own);
	r = place_first(places, own, name, X_OK, ret_path);
	if (r < 0) {
		cli_error("%s is neither beside this program nor in %s; build "
			  "or install all of Bailey", name, BAILEY_LIBEXEC);
	}
	return r;
}

int run_find_monitor(char ret_path[RUN_PATH])
{
	return find_program("bailey-monitor", "%o/../broker/%n", ret_path);
}

int run_find_updater(char ret_path[RUN_PATH])
{
	return find_program("bailey-updater", "%o/../update/%n", ret_path);
}

int run_find_publish(char ret_path[RUN_PATH])
{
	return find_program("bailey-publish", "%o/../publish/%n", ret_path);
}

int run_find_manifest(const char *name, const char *etc,
		      char ret_path[RUN_PATH])
{
	static const char *const paths[] = { "%n", NULL };
	static const char *const places[] = {
		"%o/../../products/%n/%n.ini",
		"%o/../lib/bailey/products/%n.ini",
		BAILEY_LIBEXEC "/products/%n.ini", NULL
	};
	char own[RUN_PATH], dropped[RUN_PATH * 2];
	const char *const first[] = { dropped, NULL };
	bool is_path = strchr(name, '/') != NULL;
	int r = -ENOENT;

	place_own_directory(own);
	if (!is_path && etc && !strchr(etc, '%')) {
		snprintf(dropped, sizeof(dropped), "%s/products.d/%%n.ini",
			 etc);
		r = place_first(first, own, name, R_OK, ret_path);
	}
	if (r < 0 && !is_path) {
		r = place_first(places, own, name, R_OK, ret_path);
	}
	if (r < 0) {
		r = place_first(paths, own, name, R_OK, ret_path);
	}
	if (r < 0) {
		cli_error("there is no product %s here; give the path of its "
			  "manifest (NAME.ini)", name);
	}
	return r;
}
