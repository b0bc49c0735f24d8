/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Is the repository one that hosts accept, and is the next attempt possible,
 * when publishing ends at any system call that changes the disk, when any of
 * them fails because it is full, and when it is killed at any moment?
 *
 * The calls come by --wrap. Keys are opened once, by the parent: what is cut is
 * a child that has them.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "publish/publish.h"
#include "update/tuf.h"

#define CUT 77                  /* exit code of a child that was cut */
#define CUTS_MOST 2000
#define KILLS 200
/* a hash of nothing */
#define GARBAGE "11111111111111111111111111111111" \
		"11111111111111111111111111111111"

enum { NEVER, KILL, HALF, FULL };

static int cut_mode;
static long cut_in;             /* calls until it happens */
static char folder[64];
static struct publish p;

/* 0: as usual; -1 with errno: it fails now, and from now on. */
static int cut_here(void)
{
	if (cut_mode == NEVER || --cut_in > 0) {
		return 0;
	}
	if (cut_mode == KILL) {
		_exit(CUT);
	}
	errno = ENOSPC;
	return -1;
}

#define WRAP(type, name, parameters, arguments)                               \
	type __real_##name parameters;                                        \
	type __wrap_##name parameters;                                        \
	type __wrap_##name parameters                                         \
	{                                                                     \
		return cut_here() < 0 ? -1 : __real_##name arguments;         \
	}
WRAP(int, fsync, (int fd), (fd))
WRAP(int, renameat, (int a, const char *old, int b, const char *new),
	(a, old, b, new))
WRAP(int, mkdirat, (int fd, const char *path, mode_t mode), (fd, path, mode))
WRAP(int, unlinkat, (int fd, const char *path, int flags), (fd, path, flags))

ssize_t __real_write(int fd, const void *bytes, size_t size);
ssize_t __wrap_write(int fd, const void *bytes, size_t size);
ssize_t __wrap_write(int fd, const void *bytes, size_t size)
{
	if (fd <= STDERR_FILENO) {
		return __real_write(fd, bytes, size);
	}
	if (cut_mode == HALF && cut_in == 1) {
		(void)!__real_write(fd, bytes, size / 2);
		_exit(CUT);
	}
	return cut_here() < 0 ? -1 : __real_write(fd, bytes, size);
}

__attribute__((format(printf, 1, 2))) static int sh(const char *format, ...)
{
	char line[1024], command[2048];
	va_list list;

	va_start(list, format);
	vsnprintf(line, sizeof(line), format, list);
	va_end(list);
	snprintf(command, sizeof(command), "cd %s && B=${BAILEY_PUBLISH:?} "
		 "P='--passphrase-file %s/pass' GARBAGE=" GARBAGE " && { %s\n"
		 "} >/dev/null", folder, folder, line);
	return system(command);
}

/* ---- what is done, and may be cut ---- */

static int do_release(void)
{
	struct release_options options = {
		.roles = ~0u & ~PUB_BIT(PUB_SNAPSHOT),
		.program = "preflight", .manifest = "scan.ini",
	};

	return draft_refresh(&p, 0, 0) < 0 ? PUB_UNKNOWN
					   : release_run(&p, &options);
}

static int do_gate(void)
{
	static const struct pub_option release = { "release", "V", false, "" };
	static const struct pub_option admit = { "admit", "R", true, "" };
	struct pub_args args = { .command = &pub_cmd_gate, .count = 2,
				 .set = { { &release, "code/1" },
					  { &admit, "early=50%" } } };

	return pub_cmd_gate.run(&p, &args);
}

static int do_revoke(void)
{
	static char hash[] = "code/1";
	char *operand[] = { hash };
	struct pub_args args = { .command = &pub_cmd_revoke,
				 .operand_count = 1, .operand = operand };

	return pub_cmd_revoke.run(&p, &args);
}

static int do_add(void)
{
	static const struct pub_option schema = { "schema", "S", false, "" };
	static const struct pub_option fields = { "fields", "N", false, "" };
	static char rules[] = "rules";
	char *operand[] = { rules };
	struct pub_args args = { .command = &pub_cmd_add, .count = 2,
				 .set = { { &schema, "s/1" },
					  { &fields, "1" } },
				 .operand_count = 1, .operand = operand };

	return pub_cmd_add.run(&p, &args);
}

/* Files that nothing names, and were seen so long ago. */
static int leave_garbage(void)
{
	return sh("cd ws && mkdir -p staged/" GARBAGE "/files/a staged/new && "
		  "echo x >staged/" GARBAGE "/files/a/b && cd repository/"
		  "targets && for i in 1 2 3; do echo x >blob/$i${GARBAGE#?}; "
		  "done; echo {} >content/scan/code/$GARBAGE.1.json; touch "
		  "-d @0 blob/*; touch -d @0 content/scan/code/$GARBAGE*; "
		  "cd ../..; { echo '{\"format\":1,\"since\":{'; for i in 1 2 "
		  "3; do echo \"\\\"targets/blob/$i${GARBAGE#?}\\\":9,\"; done;"
		  "echo \"\\\"targets/content/scan/code/$GARBAGE.1.json\\\":9"
		  "}}\"; } >prune.json");
}

static bool garbage_left(void)
{
	return sh("cd ws; ls repository/targets/blob/*${GARBAGE#?} "
		  "repository/targets/content/scan/code/$GARBAGE* "
		  "staged/$GARBAGE staged/new 2>&1 | grep -v 'cannot access'")
	       == 0;
}

static int do_prune(void)
{
	struct pub_args args = { .command = &pub_cmd_prune };
	int code = pub_cmd_prune.run(&p, &args);

	if (code == PUB_YES && cut_mode == NEVER && garbage_left()) {
		fputs("something is left\n", stderr);
		return PUB_NO;
	}
	return code;
}

/* Whatever happened before: one of the two opens it. */
static int do_passphrase(void)
{
	static const struct pub_option next = { "new-passphrase-file", "F",
						false, "" };
	static char word[] = "passphrase", name[] = "alice";
	char *operand[] = { word, name };
	struct pub_args args = { .command = &pub_cmd_key, .count = 1,
				 .set = { { &next, "pass2" } },
				 .operand_count = 2, .operand = operand };
	cleanup_free char *pem = NULL;
	cleanup_key struct key *key = NULL;
	size_t length;

	if (pub_read(p.dir, "keys/alice.pem", KEY_PEM, &pem, &length) < 0 ||
	    (key_read_private(pem, length, "secret", 6, &key) != 0 &&
	     key_read_private(pem, length, "other", 5, &key) != 0)) {
		fputs("the key is lost\n", stderr);
		return PUB_NO;
	}
	return pub_cmd_key.run(&p, &args);
}

/* ---- hosts ---- */

static int open_folder(const char *name, struct fetch **ret_fetch)
{
	cleanup_fd int fd = openat(p.repository, name,
				   O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? result_errno() : fetch_folder(fd, ret_fetch);
}

/* What a host sees that keeps its trust in `name`. */
static int host(const char *name, bool fresh)
{
	cleanup_fetch struct fetch *metadata = NULL, *targets = NULL;
	cleanup_free char *root = NULL;
	cleanup_free uint8_t *bytes = NULL;
	cleanup_tuf struct tuf *tuf = NULL;
	struct tuf_target target;
	size_t length;
	int r = open_folder("metadata", &metadata);

	r = r ? r : open_folder("targets", &targets);
	r = r ? r : tuf_open(name, &tuf);
	r = r ? r : pub_read(p.repository, "metadata/1.root.json",
			     PUB_METADATA, &root, &length);
	if (r == 0 && fresh) {
		r = tuf_init(tuf, root, length, true);
	}
	r = r ? r : tuf_refresh(tuf, metadata);
	r = r ? r : tuf_find(tuf, metadata, "content/scan/code/1.json",
			     &target);
	r = r ? r : tuf_target_bytes(tuf, targets, &target, VERSION_BYTES,
				     &bytes, &length);
	if (r) {
		fprintf(stderr, "%s: %d %s\n", name, r,
			tuf ? tuf_why(tuf) : "");
	}
	return r;
}

static bool repository_good(void)
{
	cleanup_json_tree json_t *result = NULL;
	bool good;

	if (draft_refresh(&p, 0, 0) < 0) {
		return false;
	}
	result = check_repository(&p);
	good = json_is_true(json_object_get(result, "good"));
	if (!good) {
		json_dumpf(result, stderr, JSON_INDENT(1));
	}
	return good;
}

/* In a process of its own: hosts first, then the next attempt, hosts again. */
static int look(int (*act)(void))
{
	cut_mode = NEVER;
	if (host("old", false) || host("fresh", true) || !repository_good()) {
		fputs("after the cut\n", stderr);
		return 1;
	}
	if (act() != PUB_YES) {
		fputs("the next attempt\n", stderr);
		return 2;
	}
	if (host("old", false) || host("fresh", true) || !repository_good()) {
		fputs("after the next attempt\n", stderr);
		return 3;
	}
	return 0;
}

/* ---- the loop ---- */

/* Everything but keys as it was before. */
static void restore(void)
{
	assert_int_equal(sh("rm -rf ws/repository ws/staged ws/drafts "
			    "ws/client old fresh && cp -a before/. . && mkdir "
			    "fresh"), 0);
}

/* A child with its own view of the restored folder. */
static pid_t begin(void)
{
	pid_t pid;

	fflush(stdout);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		cleanup_free char *bytes = NULL;
		size_t length;

		close(p.repository);
		p.repository = openat(p.dir, "repository", O_RDONLY |
				      O_DIRECTORY | O_CLOEXEC);
		/* what was saved is what counts, also after a cut */
		if (p.repository < 0 ||
		    pub_read(p.dir, "workspace.json", PUB_STATE, &bytes,
			     &length) < 0) {
			_exit(99);
		}
		json_decref(p.state);
		p.state = json_loadb(bytes, length, 0, NULL);
		if (!p.state) {
			_exit(98);
		}
	}
	return pid;
}

static int ended(pid_t pid)
{
	int status = 0;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int attempt(int mode, long n, int (*act)(void))
{
	pid_t pid = begin();

	if (pid == 0) {
		if (!freopen("/dev/null", "w", stdout) ||
		    !freopen("/dev/null", "w", stderr)) {
			_exit(97);
		}
		cut_mode = mode;
		cut_in = n;
		_exit(act());
	}
	return ended(pid);
}

static void check_after(int mode, long n, int (*act)(void))
{
	pid_t pid = begin();
	int code;

	if (pid == 0) {
		_exit(freopen("/dev/null", "w", stdout) ? look(act) : 97);
	}
	code = ended(pid);
	if (code) {
		fail_msg("mode %d, call %ld: %d", mode, n, code);
	}
}

static long cut_everywhere(int mode, int (*act)(void))
{
	long n = 1;
	int code;

	do {
		restore();
		code = attempt(mode, n, act);
		if (code != PUB_YES && code != PUB_UNKNOWN && code != CUT) {
			fail_msg("mode %d, call %ld: exit %d", mode, n, code);
		}
		/* looking is what costs: where it cannot differ much, at every
		 * third */
		if (mode == KILL || n % 3 == 0 || code == PUB_YES) {
			check_after(mode, n, act);
		}
		n++;
	} while (code != PUB_YES && n < CUTS_MOST);
	assert_int_equal(code, PUB_YES);
	return n - 2;
}

static void test_release_cut(void **state)
{
	long calls = cut_everywhere(KILL, do_release);

	printf("%ld calls\n", calls);
	assert_true(calls > 60);
	assert_true(cut_everywhere(HALF, do_release) > 60);
}

static void test_release_full(void **state)
{
	assert_true(cut_everywhere(FULL, do_release) > 50);
}

static void test_others_cut(void **state)
{
	assert_true(cut_everywhere(KILL, do_gate) > 20);
	assert_true(cut_everywhere(KILL, do_revoke) > 20);
	assert_true(cut_everywhere(KILL, do_add) > 20);
	assert_true(cut_everywhere(FULL, do_gate) > 5);
}

static void test_prune_cut(void **state)
{
	assert_true(cut_everywhere(KILL, do_prune) > 8);
	assert_true(cut_everywhere(HALF, do_prune) > 0);
	assert_true(cut_everywhere(FULL, do_prune) > 8);
}

static void test_passphrase_cut(void **state)
{
	assert_true(cut_everywhere(KILL, do_passphrase) > 2);
	assert_true(cut_everywhere(HALF, do_passphrase) > 0);
	assert_true(cut_everywhere(FULL, do_passphrase) > 2);
}

/* From outside, at a moment that nobody chose. */
static void test_killed(void **state)
{
	struct timespec start, end;
	long within;
	int early = 0;

	srandom(4711);
	restore();
	clock_gettime(CLOCK_MONOTONIC, &start);
	assert_int_equal(attempt(NEVER, 0, do_release), PUB_YES);
	clock_gettime(CLOCK_MONOTONIC, &end);
	within = (end.tv_sec - start.tv_sec) * 1000000 +
		(end.tv_nsec - start.tv_nsec) / 1000;
	for (int i = 0; i < KILLS; i++) {
		pid_t pid;

		restore();
		pid = begin();
		if (pid == 0) {
			if (!freopen("/dev/null", "w", stdout)) {
				_exit(97);
			}
			_exit(do_release());
		}
		usleep((useconds_t)(random() % (within + 1)));
		kill(pid, SIGKILL);
		/* on a busy machine the first one may have been a slow one */
		if (ended(pid) == -1) {
			early++;
			within += within / 16;
		} else {
			within -= within / 16;
		}
		if (i % 4 == 0) {
			check_after(NEVER, i, do_release);
		} else {
			pid = begin();
			if (pid == 0) {
				_exit(host("old", false) ||
				      host("fresh", true));
			}
			assert_int_equal(ended(pid), 0);
		}
	}
	printf("%d of %d killed before their end\n", early, KILLS);
	assert_true(early > KILLS / 4);
}

/* Released with one set of keys; then all of them exchanged, a second version
 * added, all signed, and a host that has seen the first. */
static int make_folder(void **state)
{
	const struct key *key;
	const char *name;
	json_t *object;

	strcpy(folder, access("/dev/shm", W_OK) == 0
	       ? "/dev/shm/test_publish_cut.XXXXXX"
	       : "/tmp/test_publish_cut.XXXXXX");
	if (!mkdtemp(folder) ||
	    sh("umask 077; echo secret >pass; umask 022; "
	       "umask 077; echo other >pass2; umask 022;"
	       "printf '[product]\nname = scan\nexec = /bin/true\n[events]\n"
	       "ask = file.open\n' >scan.ini;"
	       "mkdir rules fresh old; echo a >rules/a; echo b >rules/b;"
	       "printf '#!/bin/sh\nexit 0\n' >preflight; chmod 755 preflight;"
	       "$B init --product scan ws && cd ws &&"
	       "$B key generate alice root targets content $P &&"
	       "$B key generate robot snapshot timestamp gate revoked $P &&"
	       "$B add --schema s/1 --fields 1 ../rules && $B sign $P &&"
	       "$B release $P --product ../scan.ini --preflight ../preflight")
	    || sh("cp ws/repository/metadata/1.root.json old/root.json; cd ws;"
		  "$B key rotate alice carol $P && $B key rotate robot robot2 "
		  "$P && echo c >>../rules/a && $B add --schema s/1 --fields 1 "
		  "../rules && $B sign $P") ||
	    chdir(folder) < 0) {
		return -1;
	}
	p.dir = p.repository = -1;
	p.now = time(NULL);
	if (pub_open(&p, "ws") < 0 || pub_secret_file(&p, "pass") < 0 ||
	    host("old", false)) {
		return -1;
	}
	json_object_foreach(json_object_get(p.state, "keys"), name, object) {
		if (pub_private(&p, name, &key) < 0) {
			return -1;
		}
	}
	if (leave_garbage() != 0) {
		return -1;
	}
	return sh("mkdir before && cp -a ws old before/ && rm -r "
		  "before/ws/keys");
}

static int remove_folder(void **state)
{
	pub_close(&p);
	return sh("cd /; rm -rf %s", folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_release_cut),
		cmocka_unit_test(test_release_full),
		cmocka_unit_test(test_others_cut),
		cmocka_unit_test(test_prune_cut),
		cmocka_unit_test(test_passphrase_cut),
		cmocka_unit_test(test_killed),
	};

	if (!getenv("BAILEY_PUBLISH")) {
		puts("BAILEY_PUBLISH: say where it is");
		return 1;
	}
	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
