/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bailey-tuf - the client of signed metadata as a program
 *
 * The command line is the one that the public conformance suite drives. Exit
 * 0: done; 1: not, with one line that says why.
 */
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <openssl/sha.h>

#include "base/log.h"
#include "update/tuf.h"

#define TARGET_NAMES 256u

struct options {
	const char *metadata_dir, *metadata_url;
	const char *target_dir, *target_url;
	const char *names[TARGET_NAMES];
	size_t name_count;
};

/* X(option, field, argument, help) */
#define OPTION_TABLE(X) \
	X("metadata-dir", 'd', "DIR", "where trusted metadata is kept") \
	X("metadata-url", 'u', "URL", "metadata of the repository") \
	X("target-name", 'n', "PATH", "a target; may be given again") \
	X("target-base-url", 'b', "URL", "targets of the repository") \
	X("target-dir", 't', "DIR", "where targets are put")

static const struct option longs[] = {
#define OPTION_ROW(name, letter, argument, text) \
	{ name, required_argument, NULL, letter },
	OPTION_TABLE(OPTION_ROW)
#undef OPTION_ROW
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 }
};

static void usage(FILE *to)
{
	fprintf(to, "usage: bailey-tuf OPTION... init ROOT.json | refresh | "
		"download\n");
#define OPTION_HELP(name, letter, argument, text) \
	fprintf(to, "  --%-16s %-5s %s\n", name, argument, text);
	OPTION_TABLE(OPTION_HELP)
#undef OPTION_HELP
}

static int fail(const struct tuf *tuf, int error, const char *what)
{
	const char *why = tuf ? tuf_why(tuf) : "";

	log_error("%s: %s", what, *why ? why :
		  strerror(error < 0 ? -error : EINVAL));
	return 1;
}

/* A whole file, at most maximum bytes. */
static int read_file(const char *path, size_t maximum, uint8_t **ret_bytes,
		     size_t *ret_length)
{
	FILE *file = fopen(path, "re");
	uint8_t *bytes = malloc(maximum + 1);
	size_t n = file && bytes ? fread(bytes, 1, maximum + 1, file) : 0;
	int r = !file ? result_errno() : !bytes ? -ENOMEM :
		ferror(file) ? -EIO : n > maximum ? -EFBIG : 0;

	if (file) {
		fclose(file);
	}
	if (r < 0) {
		free(bytes);
		return r;
	}
	*ret_bytes = bytes;
	*ret_length = n;
	return 0;
}

static int run_init(const struct options *o, const char *root)
{
	cleanup_tuf struct tuf *tuf = NULL;
	cleanup_free uint8_t *bytes = NULL;
	size_t length = 0;
	int r = read_file(root, TUF_ROOT_MAX, &bytes, &length);

	if (r < 0) {
		return fail(NULL, r, root);
	}
	if (mkdir(o->metadata_dir, 0755) < 0 && errno != EEXIST) {
		return fail(NULL, result_errno(), o->metadata_dir);
	}
	r = tuf_open(o->metadata_dir, &tuf);
	if (r < 0) {
		return fail(NULL, r, o->metadata_dir);
	}
	r = tuf_init(tuf, bytes, length, true);
	return r ? fail(tuf, r, "init") : 0;
}

/* Opened and refreshed. */
static int refresh(const struct options *o, struct tuf **ret_tuf,
		   struct fetch **ret_metadata)
{
	int r = tuf_open(o->metadata_dir, ret_tuf);

	if (r < 0) {
		return fail(NULL, r, o->metadata_dir);
	}
	r = fetch_url(o->metadata_url, NULL, ret_metadata);
	if (r < 0) {
		return fail(NULL, r, o->metadata_url);
	}
	r = tuf_refresh(*ret_tuf, *ret_metadata);
	return r ? fail(*ret_tuf, r, "refresh") : 0;
}

static int run_refresh(const struct options *o)
{
	cleanup_tuf struct tuf *tuf = NULL;
	cleanup_fetch struct fetch *metadata = NULL;

	return refresh(o, &tuf, &metadata);
}

/* The whole path as one name; its hash where that is too long. */
static void local_name(const char *path, char ret_name[256])
{
	uint8_t digest[SHA256_DIGEST_LENGTH];

	if (fetch_quote(path, 0, ret_name, 240) == 0 &&
	    ret_name[0] != '.') {
		return;
	}
	SHA256((const uint8_t *)path, strlen(path), digest);
	for (size_t i = 0; i < sizeof(digest); i++) {
		snprintf(ret_name + 2 * i, 3, "%02x", digest[i]);
	}
}

static int run_download(const struct options *o)
{
	cleanup_tuf struct tuf *tuf = NULL;
	cleanup_fetch struct fetch *metadata = NULL, *targets = NULL;
	cleanup_fd int folder = open(o->target_dir, O_RDONLY | O_DIRECTORY |
						    O_CLOEXEC);
	int r;

	if (folder < 0) {
		return fail(NULL, result_errno(), o->target_dir);
	}
	if (refresh(o, &tuf, &metadata)) {
		return 1;
	}
	r = fetch_url(o->target_url, NULL, &targets);
	if (r < 0) {
		return fail(NULL, r, o->target_url);
	}
	for (size_t i = 0; i < o->name_count; i++) {
		struct tuf_target target = { .length = 0 };
		char name[256];

		local_name(o->names[i], name);
		r = tuf_find(tuf, metadata, o->names[i], &target);
		r = r ? r : tuf_target_file(tuf, targets, &target, folder,
					    name);
		if (r) {
			return fail(tuf, r, "download");
		}
	}
	return 0;
}

static int take_option(struct options *o, int letter)
{
	switch (letter) {
	case 'd': o->metadata_dir = optarg; return 0;
	case 'u': o->metadata_url = optarg; return 0;
	case 'b': o->target_url = optarg; return 0;
	case 't': o->target_dir = optarg; return 0;
	case 'n':
		if (o->name_count == TARGET_NAMES) {
			return -E2BIG;
		}
		o->names[o->name_count++] = optarg;
		return 0;
	default:
		return -EINVAL;
	}
}

static int run(const struct options *o, char *const *words, int count)
{
	if (count == 2 && strcmp(words[0], "init") == 0) {
		return run_init(o, words[1]);
	}
	if (count == 1 && strcmp(words[0], "refresh") == 0 &&
	    o->metadata_url) {
		return run_refresh(o);
	}
	if (count == 1 && strcmp(words[0], "download") == 0 &&
	    o->metadata_url && o->target_url && o->target_dir &&
	    o->name_count) {
		return run_download(o);
	}
	usage(stderr);
	return 1;
}

int main(int argc, char **argv)
{
	struct options o = { .name_count = 0 };
	int letter;

	log_init("bailey-tuf", LOG_INFO);
	while ((letter = getopt_long(argc, argv, "h", longs, NULL)) != -1) {
		if (letter == 'h') {
			usage(stdout);
			return 0;
		}
		if (take_option(&o, letter) < 0) {
			usage(stderr);
			return 1;
		}
	}
	if (!o.metadata_dir) {
		usage(stderr);
		return 1;
	}
	return run(&o, argv + optind, argc - optind);
}
