/* SPDX-License-Identifier: Apache-2.0 */
/*
 * preflight.c - no version is released that was not tried
 *
 * The program (bailey-preflight) runs the product with the version. That it
 * passed is kept beside the version, with its hash, that of the manifest and
 * that of the product's executable: one byte of any is another, and is tried
 * anew. What another build of the product makes of a version nobody has seen.
 */
#include "publish/publish.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "base/text.h"
#include "config/manifest.h"

#ifndef BAILEY_LIBEXEC
#define BAILEY_LIBEXEC "/usr/lib/bailey"
#endif

#define REPORT (1u << 20)
#define MANIFEST_MOST (64u << 10)

/* What a pass is bound to besides the version. */
struct with {
	char manifest[VERSION_HEX], program[VERSION_HEX];
};

static void record_path(const char *hash, char ret_path[PUB_PATH])
{
	text_format(ret_path, PUB_PATH, "staged/%s/preflight.json", hash);
}

static bool passed_before(const struct publish *p, const char *hash,
			  const struct with *with)
{
	struct json_fault fault;
	cleanup_json_tree json_t *tree = NULL;
	cleanup_free char *bytes = NULL;
	const char *mine, *its, *program;
	char path[PUB_PATH];
	struct json_at top;
	size_t length;
	bool passed;

	record_path(hash, path);
	return pub_read(p->dir, path, REPORT, &bytes, &length) == 0 &&
	       json_read(bytes, length, REPORT, &tree, &top, &fault) == 0 &&
	       json_text(&top, "hash", VERSION_HEX, &mine) == 0 &&
	       json_text(&top, "manifest", VERSION_HEX, &its) == 0 &&
	       json_text(&top, "program", VERSION_HEX, &program) == 0 &&
	       json_flag(&top, "passed", &passed) == 0 && passed &&
	       strcmp(mine, hash) == 0 && strcmp(its, with->manifest) == 0 &&
	       strcmp(program, with->program) == 0;
}

static int keep_record(struct publish *p, const char *hash,
		       const struct with *with, bool passed,
		       const char *report, size_t length)
{
	json_t *verdict = json_loadb(report, length, JSON_REJECT_DUPLICATES,
				     NULL);
	char path[PUB_PATH], at[PUB_TIME];
	cleanup_json_tree json_t *tree = NULL;
	cleanup_free char *text = NULL;
	int r;

	pub_time(p->now, at);
	tree = json_pack("{s:i,s:s,s:s,s:s,s:b,s:s,s:o*}", "format", 1, "hash",
			 hash, "manifest", with->manifest, "program",
			 with->program, "passed", passed, "at", at, "report",
			 verdict);
	text = tree ? json_dumps(tree, JSON_INDENT(1)) : NULL;
	record_path(hash, path);
	r = text ? pub_replace(p->dir, path, text, strlen(text), 0600)
		 : -ENOMEM;
	if (r < 0) {
		pub_error("cannot write %s: %s", path, strerror(-r));
	}
	return r;
}

/* Where it was built or installed, seen from this program. */
static bool find_near(char ret_path[PATH_MAX])
{
	static const char *const places[] = {
		"", "../agent/", "../../bin/", "../bin/"
	};
	char own[PATH_MAX - 64];
	ssize_t n = readlink("/proc/self/exe", own, sizeof(own) - 1);
	char *slash;

	own[n > 0 ? n : 0] = '\0';
	slash = strrchr(own, '/');
	for (size_t i = 0; slash && i < sizeof(places) / sizeof(places[0]);
	     i++) {
		text_format(ret_path, PATH_MAX, "%.*s/%sbailey-preflight",
			    (int)(slash - own), own, places[i]);
		if (access(ret_path, X_OK) == 0) {
			return true;
		}
	}
	text_format(ret_path, PATH_MAX, "%s/bailey-preflight",
		    BAILEY_LIBEXEC);
	return access(ret_path, X_OK) == 0;
}

static int find_program(const char *given, char ret_path[PATH_MAX])
{
	if (given) {
		if (realpath(given, ret_path)) {
			return 0;
		}
		pub_error("cannot run %s: %s", given, strerror(errno));
		return result_errno();
	}
	if (find_near(ret_path)) {
		return 0;
	}
	pub_error("cannot find bailey-preflight in %s; install it, or name it "
		  "with --preflight PROGRAM", BAILEY_LIBEXEC);
	return -ENOENT;
}

static int slot_path(const struct publish *p, const char *hash,
		     char ret_path[PATH_MAX])
{
	char link[128];

	text_format(link, sizeof(link), "/proc/self/fd/%d/staged/%s", p->dir,
		    hash);
	return realpath(link, ret_path) ? 0 : result_errno();
}

struct run {
	const char *program, *manifest, *slot, *baseline;
};

static void child(const struct run *run, int out)
{
	const char *argv[10];
	size_t n = 0;

	argv[n++] = run->program;
	argv[n++] = "--product";
	argv[n++] = run->manifest;
	argv[n++] = "--content";
	argv[n++] = run->slot;
	if (run->baseline) {
		argv[n++] = "--baseline";
		argv[n++] = run->baseline;
	}
	argv[n++] = "--json";
	argv[n] = NULL;
	dup2(out, STDOUT_FILENO);
	signal(SIGPIPE, SIG_DFL);
	execv(run->program, (char *const *)(uintptr_t)argv);
	_exit(127);
}

/* What it prints, to its end; more than REPORT is thrown away. */
static size_t listen_to(int fd, pid_t pid, char *report)
{
	size_t length = 0;
	bool told = false;
	char rest[4096] = "";
	ssize_t n;

	do {
		bool room = length < REPORT;

		n = read(fd, room ? report + length : rest,
			 room ? REPORT - length : sizeof(rest));
		length += room && n > 0 ? (size_t)n : 0;
		if (pub_interrupted() && !told) {
			kill(pid, SIGTERM);
			told = true;
		}
	} while (n > 0 || (n < 0 && errno == EINTR));
	return length;
}

/* Its exit code, or -1 if it did not get to one. */
static int run_program(const struct run *run, char *report,
		       size_t *ret_length)
{
	int pipes[2], status = 0;
	pid_t pid;

	if (pipe2(pipes, O_CLOEXEC) < 0) {
		return -1;
	}
	pid = fork();
	if (pid == 0) {
		child(run, pipes[1]);
	}
	close(pipes[1]);
	*ret_length = pid > 0 ? listen_to(pipes[0], pid, report) : 0;
	close(pipes[0]);
	if (pid < 0) {
		return -1;
	}
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
		if (pub_interrupted()) {
			kill(pid, SIGTERM);
		}
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* Why it failed, from its report, for people. */
static void say_why(const char *hash, const char *report, size_t length,
		    int code)
{
	cleanup_json_tree json_t *tree = json_loadb(report, length, 0, NULL);
	const json_t *one = json_object_get(tree, "candidate");
	const char *text;

	one = one ? one : tree;
	text = json_string_value(json_object_get(one, "text"));
	if (code == 1) {
		pub_error("%.16s... did not pass its preflight%s%s; it is not "
			  "released: make a version that passes", hash,
			  text ? ": " : "", text ? text : "");
	} else {
		pub_error("the preflight of %.16s... could not tell%s%s; "
			  "nothing is released", hash, text ? ": " : "",
			  text ? text : code == 127 ? ": it could not be run"
						    : "");
	}
}

static int hash_program(const char *path, const char *exec,
			char ret_hex[VERSION_HEX])
{
	char real[PATH_MAX];
	struct version_file file;
	int r = realpath(exec, real) ? pub_measure(AT_FDCWD, real,
						   VERSION_FILE_BYTES, &file)
				     : result_errno();

	if (r < 0) {
		pub_error("cannot read %s, the program of %s: %s", exec, path,
			  strerror(-r));
		return r;
	}
	version_hex(file.sha256, ret_hex);
	return 0;
}

static int hash_with(const char *path, struct with *ret_with)
{
	cleanup_free struct manifest *manifest = calloc(1, sizeof(*manifest));
	struct manifest_error error = { .text = "" };
	cleanup_free char *text = NULL;
	uint8_t hash[VERSION_HASH];
	size_t length;
	int r = manifest ? pub_read(AT_FDCWD, path, MANIFEST_MOST, &text,
				    &length) : -ENOMEM;

	if (r == 0) {
		manifest_defaults(manifest);
		r = manifest_parse(text, length, path, manifest, &error);
	}
	r = r ? r : manifest_check(manifest, path, &error);
	if (r < 0) {
		pub_error("cannot read the manifest %s: %s", path,
			  error.text[0] ? error.text : strerror(-r));
		return -EBADMSG;
	}
	version_hash(text, length, hash);
	version_hex(hash, ret_with->manifest);
	return hash_program(path, manifest->exec, ret_with->program);
}

int preflight_pass(struct publish *p, const char *hash, const char *baseline,
		   const char *program, const char *manifest)
{
	char path[PATH_MAX], slot[PATH_MAX], before[PATH_MAX];
	char product[PATH_MAX];
	struct with with;
	struct run run = { path, product, slot, NULL };
	cleanup_free char *report = malloc(REPORT);
	size_t length = 0;
	int code;

	if (!report || !manifest || !realpath(manifest, product)) {
		pub_error("say for which product it is tried: --product "
			  "MANIFEST%s%s", manifest ? "; cannot find " : "",
			  manifest ? manifest : "");
		return PUB_UNKNOWN;
	}
	if (hash_with(product, &with) < 0) {
		return PUB_UNKNOWN;
	}
	if (passed_before(p, hash, &with)) {
		return PUB_YES;
	}
	if (find_program(program, path) < 0 || slot_path(p, hash, slot) < 0) {
		return PUB_UNKNOWN;
	}
	if (baseline && slot_path(p, baseline, before) == 0) {
		run.baseline = before;
	}
	pub_progress("preflight", 1, 2);
	code = run_program(&run, report, &length);
	if (pub_interrupted()) {
		return PUB_UNKNOWN;
	}
	if ((code == 0 || code == 1) &&
	    keep_record(p, hash, &with, code == 0, report, length) < 0) {
		return PUB_UNKNOWN;
	}
	if (code != 0) {
		say_why(hash, report, length, code);
	}
	return code == 0 ? PUB_YES : code == 1 ? PUB_NO : PUB_UNKNOWN;
}
