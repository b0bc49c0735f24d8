/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An unprivileged user with a user and a mount namespace of his own: what he
 * mounts there changes neither what a rule says nor who is asked, and a reader
 * that meets an overlay does not hang.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/hostile_host.h"

static struct hostile host;

enum { REFUSED = 100, WRONG };  /* exit codes of actors beside errno */

static int write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : write(fd, text, strlen(text));

	if (fd >= 0) {
		close(fd);
	}
	return n < 0 ? -errno : 0;
}

/* unshare -Urm */
static int own_namespace(void)
{
	char map[64];
	uid_t uid = getuid();

	prctl(PR_SET_DUMPABLE, 1);      /* lost with the former uid */
	if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0) {
		return REFUSED;
	}
	snprintf(map, sizeof(map), "0 %u 1", uid);
	if (write_text("/proc/self/setgroups", "deny") < 0 ||
	    write_text("/proc/self/uid_map", map) < 0 ||
	    write_text("/proc/self/gid_map", map) < 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) {
		return REFUSED;
	}
	return 0;
}

static int open_error(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0) {
		return errno;
	}
	close(fd);
	return 0;
}

static void check(int code)
{
	if (code == REFUSED) {
		print_message("this kernel gives users no such namespace or "
			      "mount\n");
		skip();
	}
	assert_int_equal(code, 0);
}

/* ---- a false name ---- */

/* His evil file under the path that the administrator allows. */
static int act_false_name(void *argument)
{
	int r = own_namespace();

	if (r) {
		return r;
	}
	if (mount("theirs", "allowed", NULL, MS_BIND, NULL) < 0) {
		return REFUSED;
	}
	r = open_error("allowed/tool");
	return r == EPERM ? 0 : WRONG;
}

static void a_bind_mount_borrows_no_rule(void **state)
{
	/* where the host says it, the rule stands */
	assert_int_equal(hostile_open(&host, HOSTILE_USER, "allowed/tool",
				      NULL), 0);
	assert_int_equal(hostile_open(&host, HOSTILE_USER, "theirs/tool",
				      NULL), EPERM);
	check(hostile_do(&host, HOSTILE_USER, act_false_name, NULL, 10000));
}

/* Out of reach of a path rule that denies: the product is asked all the same,
 * and the content decides. */
static int act_hide_name(void *argument)
{
	int r = own_namespace();

	if (r) {
		return r;
	}
	if (mount("denied", "elsewhere", NULL, MS_BIND, NULL) < 0) {
		return REFUSED;
	}
	return open_error("elsewhere/evil") == EPERM &&
			       open_error("theirs/evil") == EPERM
		       ? 0 : WRONG;
}

static void another_name_hides_no_evil_file(void **state)
{
	assert_int_equal(hostile_open(&host, HOSTILE_USER, "denied/good",
				      NULL), EPERM);
	check(hostile_do(&host, HOSTILE_USER, act_hide_name, NULL, 10000));
}

static void a_foreign_path_is_recorded_as_such(void **state)
{
	static char text[1 << 20];

	assert_true(hostile_command(&host, (const char *[]){ "denials",
			"--json", NULL }, text, sizeof(text)) >= 0);
	assert_non_null(strstr(text, "foreign"));
}

/* ---- overlays ---- */

/* An overlay of his whose lower layer is watched, upper layer too. */
static int act_overlay(void *argument)
{
	int r = own_namespace(), fd;

	if (r) {
		return r;
	}
	if (mount("overlay", "merged", "overlay", 0,
		  "lowerdir=theirs,upperdir=upper,workdir=work,"
		  "userxattr") < 0) {
		return REFUSED;
	}
	if (open_error("merged/evil") != EPERM ||
	    open_error("merged/good") != 0) {
		return WRONG;
	}
	/* copied up: the same content, another object */
	fd = open("merged/good", O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, "EVIL", 4) != 4) {
		return WRONG + 1;
	}
	close(fd);
	return open_error("merged/good") == EPERM ? 0 : WRONG + 2;
}

static void an_overlay_neither_hangs_nor_hides(void **state)
{
	int code = hostile_do(&host, HOSTILE_USER, act_overlay, NULL, 20000);
	uint64_t us;

	assert_int_not_equal(code, -ETIMEDOUT);
	assert_int_equal(hostile_open(&host, HOSTILE_OTHER, "theirs/good",
				      &us), 0);
	assert_true(us < 5000000);
	check(code);
}

/* root makes one over a watched file system, on the host. */
static int act_root_overlay(void *argument)
{
	int r;

	if (unshare(CLONE_NEWNS) < 0 ||
	    mount("overlay", "merged", "overlay", 0,
		  "lowerdir=theirs,upperdir=upper2,workdir=work2") < 0) {
		return REFUSED;
	}
	r = open_error("merged/evil") != EPERM ? WRONG
	    : open_error("merged/good") != 0 ? WRONG + 1 : 0;
	return r;
}

static void roots_overlay_neither_hangs_nor_hides(void **state)
{
	int code = hostile_do(&host, 0, act_root_overlay, NULL, 20000);

	assert_int_not_equal(code, -ETIMEDOUT);
	check(code);
}

/* ---- a file system of his own ---- */

/* Nobody is asked there: a known limit, never a hang. */
static int act_tmpfs(void *argument)
{
	int r = own_namespace(), fd;

	if (r) {
		return r;
	}
	if (mount("own", "elsewhere", "tmpfs", 0, "size=1m") < 0) {
		return REFUSED;
	}
	fd = open("elsewhere/evil", O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
	if (fd < 0 || write(fd, "EVIL", 4) != 4) {
		return WRONG;
	}
	close(fd);
	return open_error("elsewhere/evil");
}

static void his_own_tmpfs_is_not_asked_about(void **state)
{
	check(hostile_do(&host, HOSTILE_USER, act_tmpfs, NULL, 20000));
}

/* ---- the group ---- */

static void nothing_is_wrong_in_the_end(void **state)
{
	assert_true(hostile_protects(&host, 20000));
	assert_true(hostile_status(&host, "worker.restarts") == 0);
	assert_true(hostile_status(&host, "keeper.restarts") == 0);
}

static int act_make(void *argument)
{
	static const char *const names[] = { "allowed", "theirs", "denied",
		"elsewhere", "merged", "upper", "work", "upper2", "work2" };

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		if (mkdir(names[i], 0755) < 0 ||
		    (names[i][0] != 'a' &&
		     chown(names[i], HOSTILE_USER, HOSTILE_USER) < 0)) {
			return errno;
		}
	}
	return 0;
}

static int start(void **state)
{
	char rules[512];
	int r = hostile_do(&host, 0, act_make, NULL, 20000);

	hostile_file(&host, "allowed/tool", "EVIL but allowed", 0644, 0);
	hostile_file(&host, "theirs/tool", "EVIL", 0644, HOSTILE_USER);
	hostile_file(&host, "theirs/evil", "EVIL", 0644, HOSTILE_USER);
	hostile_file(&host, "theirs/good", "GOOD", 0644, HOSTILE_USER);
	hostile_file(&host, "denied/evil", "EVIL", 0644, HOSTILE_USER);
	hostile_file(&host, "denied/good", "GOOD", 0644, HOSTILE_USER);
	snprintf(rules, sizeof(rules),
		 "allow any path-prefix \"%s/allowed/\"\n"
		 "deny any path-prefix \"%s/denied/\"\n",
		 host.env.tree, host.env.tree);
	return r ? -r : hostile_run(&host, &(struct hostile_wish){
					.rules = rules });
}

static int stop(void **state)
{
	return hostile_stop(&host);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_bind_mount_borrows_no_rule),
		cmocka_unit_test(another_name_hides_no_evil_file),
		cmocka_unit_test(a_foreign_path_is_recorded_as_such),
		cmocka_unit_test(an_overlay_neither_hangs_nor_hides),
		cmocka_unit_test(roots_overlay_neither_hangs_nor_hides),
		cmocka_unit_test(his_own_tmpfs_is_not_asked_about),
		cmocka_unit_test(nothing_is_wrong_in_the_end),
	};

	hostile_require_root();
	if (argc < 2 || hostile_place(&host, argv[1]) < 0) {
		fputs("usage: test_hostile_namespaces BUILD [PATTERN]\n",
		      stderr);
		return 1;
	}
	if (argc > 2) {
		cmocka_set_test_filter(argv[2]);
	}
	return cmocka_run_group_tests(tests, start, stop);
}
