/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/updater_host.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "content/version.h"
#include "update/tuf.h"
#include "update/updater_file.h"

static void host_need(int good, const char *what)
{
	if (!good) {
		perror(what);
		abort();
	}
}

void updater_host_file(const struct updater_host *host, const char *name,
		       const char *text)
{
	char path[256];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", host->dir, name);
	file = fopen(path, "we");
	host_need(file && fputs(text, file) >= 0 && fclose(file) == 0 &&
		  chmod(path, 0644) == 0, path);
}

struct updater_host *updater_host_new(const struct content_repo *repo,
				      const char *url)
{
	struct updater_host *host = calloc(1, sizeof(*host));
	char text[1024], path[160];

	host_need(host != NULL, "calloc");
	strcpy(host->dir, "/tmp/bailey-host.XXXXXX");
	host_need(mkdtemp(host->dir) != NULL, "mkdtemp");
	snprintf(host->etc, sizeof(host->etc), "%s/etc", host->dir);
	snprintf(host->scan, sizeof(host->scan), "%s/staging/scan", host->dir);
	snprintf(path, sizeof(path), "%s/products.d", host->etc);
	host_need(mkdir(host->etc, 0755) == 0 && mkdir(path, 0755) == 0,
		  path);
	updater_host_file(host, "etc/bailey.conf",
			  "[products]\nenable = scan\n");
	snprintf(text, sizeof(text), "[product]\nname = scan\nexec = /bin/true"
		 "\n[events]\nask = file.open\n[content]\nroot = %s/root.json\n"
		 "%s%s\n", host->etc, url ? "url = " : "", url ? url : "");
	updater_host_file(host, "etc/products.d/scan.ini", text);
	snprintf(text, sizeof(text), "cp '%s/metadata/1.root.json' "
		 "'%s/root.json' && chmod 0644 '%s/root.json'", repo->dir,
		 host->etc, host->etc);
	host_need(system(text) == 0, text);
	return host;
}

void updater_host_free(struct updater_host *host)
{
	char command[128];

	if (!host) {
		return;
	}
	snprintf(command, sizeof(command), "rm -rf '%s'", host->dir);
	host_need(system(command) == 0, command);
	free(host);
}

struct run_cli *updater_host_once(const struct updater_host *host)
{
	return RUN_CLI("--state", host->dir, "--etc", host->etc, "--once");
}

json_t *updater_host_status(const struct updater_host *host)
{
	char path[160];
	json_error_t error;
	json_t *root;

	snprintf(path, sizeof(path), "%s/status.json", host->scan);
	root = json_load_file(path, JSON_REJECT_DUPLICATES, &error);
	if (!root) {
		fprintf(stderr, "%s: %s\n", path, error.text);
		abort();
	}
	return root;
}

/* ---- the agent's view ---- */

struct view {
	struct tuf *tuf;
	struct fetch *targets;
	int mirror;             /* staging/scan */
	unsigned whole;
	int bad;
};

static int view_blobs(const struct view *view, const struct version *version)
{
	char hex[VERSION_HEX], name[96];
	size_t i;

	for (i = 0; i < version->files; i++) {
		version_hex(version->file[i].sha256, hex);
		snprintf(name, sizeof(name), "targets/blob/%s", hex);
		if (faccessat(view->mirror, name, F_OK,
			      AT_SYMLINK_NOFOLLOW) < 0) {
			return 0;
		}
		if (!file_is(view->mirror, name, version->file[i].length,
			     version->file[i].sha256)) {
			fprintf(stderr, "%s is there and wrong\n", name);
			return -1;
		}
	}
	return 1;
}

static int view_visit(void *context, const struct tuf_target *target)
{
	struct view *view = context;
	struct version *version = NULL;
	struct json_fault fault;
	uint8_t *bytes;
	size_t length;
	int r = tuf_target_bytes(view->tuf, view->targets, target,
				 VERSION_BYTES, &bytes, &length);

	if (r != 0) {
		fprintf(stderr, "%s: %s\n", target->path, tuf_why(view->tuf));
		view->bad = 1;
		return 0;
	}
	r = version_parse(bytes, length, &version, &fault);
	free(bytes);
	r = r < 0 ? r : view_blobs(view, version);
	version_free(version);
	view->whole += r == 1;
	view->bad |= r < 0;
	return 0;
}

static long view_walk(struct view *view, struct fetch *metadata)
{
	static const char *const chain[] = { "content/scan", "data/scan" };
	struct tuf_fact facts[8];
	int r = tuf_refresh(view->tuf, metadata);

	r = r != 0 ? r : tuf_each(view->tuf, metadata, chain, 1,
				  "content/scan/", view_visit, view);
	r = r != 0 ? r : tuf_each(view->tuf, metadata, chain, 2,
				  "content/scan/", view_visit, view);
	if (r != 0 || view->bad) {
		fprintf(stderr, "the mirror: %s\n", tuf_why(view->tuf));
		return -1;
	}
	host_need(tuf_facts(view->tuf, facts, 8) >= 2, "facts");
	return (long)facts[1].version;
}

long updater_host_verify(const struct updater_host *host, unsigned *ret_whole)
{
	struct view view = { .mirror = open(host->scan, O_RDONLY |
					    O_DIRECTORY | O_CLOEXEC) };
	struct fetch *metadata = NULL;
	char trust[] = "/tmp/bailey-trust.XXXXXX", command[160];
	uint8_t *root = NULL;
	size_t length = 0;
	long version;
	int etc, at;

	*ret_whole = 0;
	if (view.mirror < 0 || faccessat(view.mirror,
					 "metadata/timestamp.json", F_OK, 0)) {
		close(view.mirror);
		return 0;
	}
	etc = open(host->etc, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	host_need(mkdtemp(trust) != NULL && etc >= 0 &&
		  file_read(etc, "root.json", TUF_ROOT_MAX, &root,
			    &length) == 0 &&
		  tuf_open(trust, &view.tuf) == 0 &&
		  tuf_init(view.tuf, root, length, false) == 0, "trust");
	free(root);
	at = openat(view.mirror, "metadata", O_RDONLY | O_DIRECTORY);
	host_need(fetch_folder(at, &metadata) == 0, "metadata");
	close(at);
	at = openat(view.mirror, "targets", O_RDONLY | O_DIRECTORY);
	host_need(fetch_folder(at, &view.targets) == 0, "targets");
	close(at);
	version = view_walk(&view, metadata);
	*ret_whole = view.whole;
	fetch_free(metadata);
	fetch_free(view.targets);
	tuf_close(view.tuf);
	close(etc);
	close(view.mirror);
	snprintf(command, sizeof(command), "rm -rf '%s'", trust);
	host_need(system(command) == 0, command);
	return version;
}
