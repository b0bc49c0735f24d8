/* SPDX-License-Identifier: Apache-2.0 */
/*
 * preflight_main.c - bailey-preflight: tries a content version with a product
 *
 * For vendors, by hand and before a release. What the agent does on each host
 * is the same driver; only the jail is another.
 */
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <bailey/client.h>

#include "agent/preflight_process.h"
#include "agent/preflight_slot.h"
#include "content/disk.h"

#define MANIFEST_MOST (64u << 10)

enum { PASSED = 0, FAILED = 1, COULD_NOT_TELL = 2 };

static const char help[] =
	"usage: bailey-preflight --product MANIFEST --content SLOT\n"
	"                        [--baseline SLOT] [--json]\n"
	"\n"
	"Starts the product with the content of SLOT and asks it what its\n"
	"corpus asks. A slot is a folder: version.json, files, corpus.\n"
	"\n"
	"  --product MANIFEST  the product's manifest\n"
	"  --content SLOT      the version to try\n"
	"  --baseline SLOT     the version in use: its times are compared\n"
	"  --json              the result as JSON\n"
	"  --help              this text\n"
	"\n"
	"Exit status: 0 passed, 1 failed, 2 could not tell.\n";

struct options {
	const char *product, *content, *baseline;
	bool json;
};

static _Noreturn void give_up(const char *what, const char *why)
{
	fprintf(stderr, "bailey-preflight: %s: %s\n", what, why);
	exit(COULD_NOT_TELL);
}

static struct options options_read(int argc, char **argv)
{
	static const struct option table[] = {
		{ "product", required_argument, NULL, 'p' },
		{ "content", required_argument, NULL, 'c' },
		{ "baseline", required_argument, NULL, 'b' },
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	struct options o = { 0 };
	int c;

	while ((c = getopt_long(argc, argv, "", table, NULL)) != -1) {
		switch (c) {
		case 'p':
			o.product = optarg;
			break;
		case 'c':
			o.content = optarg;
			break;
		case 'b':
			o.baseline = optarg;
			break;
		case 'j':
			o.json = true;
			break;
		case 'h':
			fputs(help, stdout);
			exit(PASSED);
		default:
			exit(COULD_NOT_TELL);
		}
	}
	if (optind < argc || !o.product || !o.content) {
		fputs(help, stderr);
		exit(COULD_NOT_TELL);
	}
	return o;
}

static void manifest_read(const char *path, struct manifest *ret_manifest)
{
	static char text[MANIFEST_MOST];
	cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct manifest_error error;
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text));

	if (n < 0) {
		give_up(path, strerror(errno));
	}
	manifest_defaults(ret_manifest);
	if (manifest_parse(text, (size_t)n, path, ret_manifest, &error) < 0 ||
	    manifest_check(ret_manifest, path, &error) < 0) {
		give_up("manifest", error.text);
	}
}

static void slot_read(const char *path, struct preflight_slot *ret_slot)
{
	cleanup_fd int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char why[PREFLIGHT_TEXT] = "no memory";

	if (fd < 0) {
		give_up(path, strerror(errno));
	}
	if (preflight_slot_open(fd, ret_slot, why) < 0) {
		give_up(path, why);
	}
}

/* ---- on the screen ---- */

static const char *running = "";
static uint32_t questions;

static void progress(const struct preflight_outcome *so_far)
{
	fprintf(stderr, "\r%s: %u of %u questions ", running,
		so_far->figures.answered + so_far->figures.ruled, questions);
	fflush(stderr);
}

static void progress_end(void)
{
	if (isatty(STDERR_FILENO)) {
		fputs("\r\033[K", stderr);
	}
}

static uint32_t questions_of(const struct preflight_slot *slot)
{
	uint64_t n = 0;

	for (size_t i = 0; i < slot->count; i++) {
		n += slot->cases[i].repeat;
	}
	return n < PREFLIGHT_QUESTIONS ? (uint32_t)n : PREFLIGHT_QUESTIONS;
}

static void lacks_say(const struct preflight_lack *lack)
{
	for (unsigned i = 0; i < PREFLIGHT_MEASURES; i++) {
		if (lack->error[i]) {
			fprintf(stderr, "bailey-preflight: not applied: %s "
				"(%s): %s\n", preflight_measure_what(i),
				strerror(lack->error[i]),
				preflight_measure_cost(i));
		}
	}
}

static void say(const struct manifest *m, const struct version *v,
		const struct preflight_result *result)
{
	const struct preflight_outcome *o = &result->candidate;
	const struct preflight_figures *f = &o->figures;

	printf("%s %s with %s: %s\n", v->product, v->version, m->exec,
	       preflight_verdict_name(o->verdict));
	printf("  %s\n", o->text);
	printf("  ready after %llu ms; %u asked, %u answered, %u by rules, "
	       "%u denied\n", (unsigned long long)(f->ready_ns / MONO_MS),
	       f->asked, f->answered, f->ruled, f->denied);
	if (f->median_ns) {
		printf("  an event takes %llu us, at most %llu us; memory "
		       "%llu MiB\n", (unsigned long long)(f->median_ns / 1000),
		       (unsigned long long)(f->slowest_ns / 1000),
		       (unsigned long long)(f->memory_bytes >> 20));
	}
	if (result->compared) {
		printf("  %u %% of the time of the version before\n",
		       result->ratio_percent);
	}
	for (size_t i = 0; i < o->logs; i++) {
		printf("  it said: %s\n", o->log[i]);
	}
}

/* ---- */

/* The product's own folder, for one that keeps state: empty, private. */
static int state_make(const struct manifest *m, char *path)
{
	int fd;

	if (!m->state_bytes) {
		return -1;
	}
	if (!mkdtemp(path) || chmod(path, 01777) < 0) {
		give_up("state folder", strerror(errno));
	}
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0) {
		give_up("state folder", strerror(errno));
	}
	return fd;
}

static void drive(const struct manifest *m, const struct preflight_slot *loaded,
		  const struct preflight_slot *asked, const char *name,
		  struct preflight_outcome *ret_outcome,
		  struct preflight_lack *ret_lack)
{
	char path[] = "/tmp/bailey-preflight-XXXXXX";
	cleanup_fd int state = state_make(m, path);
	struct preflight_plan plan;
	int r;

	preflight_slot_plan(loaded, asked, m, &plan);
	plan.directory[BAILEY_DIRECTORY_STATE] = state;
	running = name;
	questions = questions_of(asked);
	r = preflight_drive(&plan, ret_outcome, ret_lack,
			    isatty(STDERR_FILENO) ? progress : NULL);
	progress_end();
	if (state >= 0) {
		int left = disk_remove_tree(disk_real(), AT_FDCWD, path);

		if (left < 0) {
			fprintf(stderr, "bailey-preflight: left behind: %s: "
				"%s\n", path, strerror(-left));
		}
	}
	if (r < 0) {
		give_up(m->exec, strerror(-r));
	}
}

int main(int argc, char **argv)
{
	struct options o = options_read(argc, argv);
	struct preflight_slot candidate, baseline;
	struct preflight_outcome new, old;
	struct preflight_result result;
	struct preflight_lack lack;
	struct manifest manifest;

	(void)signal(SIGPIPE, SIG_IGN);
	manifest_read(o.product, &manifest);
	slot_read(o.content, &candidate);
	if (o.baseline) {
		slot_read(o.baseline, &baseline);
		drive(&manifest, &baseline, &candidate, "baseline", &old,
		      &lack);
		preflight_slot_close(&baseline);
	}
	drive(&manifest, &candidate, &candidate, "candidate", &new, &lack);
	preflight_judge(&new, o.baseline ? &old : NULL, &result);
	if (o.json) {
		cleanup_free char *text = preflight_json(&result);

		puts(text ? text : "{}");
	} else {
		lacks_say(&lack);
		say(&manifest, candidate.version, &result);
	}
	preflight_slot_close(&candidate);
	return result.candidate.verdict == PREFLIGHT_PASSED ? PASSED
	       : preflight_could_not_tell(result.candidate.verdict)
		       ? COULD_NOT_TELL : FAILED;
}
