/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/consent.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/result.h"
#include "cli/file.h"
#include "cli/names.h"
#include "cli/out.h"
#include "cli/run.h"
#include "config/manifest.h"

static void consent_events(const struct manifest *manifest)
{
	size_t i;

	for (i = 0; i < MANIFEST_EVENTS && manifest->ask[i].kind; i++) {
		out_text("  is asked about %s, and such calls wait for its "
			 "answer\n", names_event(manifest->ask[i].kind));
	}
	for (i = 0; i < MANIFEST_EVENTS && manifest->notify[i].kind; i++) {
		out_text("  is told about %s\n",
			 names_event(manifest->notify[i].kind));
	}
}

static void consent_sight(const struct manifest *manifest)
{
	static const char *const words[] = {
		"  sees the contents of the files it is asked about\n",
		"  sees the arguments of programs, which may hold passwords\n",
	};
	const uint32_t sees[] = { manifest->see_files,
				  manifest->see_arguments };
	size_t i;

	for (i = 0; i < 2; i++) {
		if (sees[i]) {
			out_text("%s", words[i]);
		}
	}
}

static void consent_powers(const struct manifest *manifest)
{
	size_t i;

	out_text(manifest->mode == BAILEY_MODE_ENFORCE ?
		 "  may deny what it is asked about\n" :
		 "  denies nothing until it is set to enforce\n");
	for (i = 0; i < MANIFEST_DENY_PREFIXES && *manifest->may_deny[i];
	     i++) {
		out_text("  may by its rules deny all below ");
		out_foreign(manifest->may_deny[i]);
		out_text("\n");
	}
	if (manifest->on_miss == MANIFEST_DENY ||
	    manifest->while_loading == MANIFEST_DENY) {
		out_text("  where it does not answer, calls are denied\n");
	}
	out_text("  has no network and no file system of the host\n");
}

int consent_show(const char *name, const char *etc)
{
	cleanup_free struct manifest *manifest = calloc(1, sizeof(*manifest));
	cleanup_free char *text = NULL;
	struct manifest_error error;
	char path[RUN_PATH];
	size_t length;
	int r;

	if (!manifest) {
		cli_error("out of memory; try again");
		return -ENOMEM;
	}
	r = run_find_manifest(name, etc ? etc : "/etc/bailey", path);
	r = r < 0 ? r : file_read(path, &text, &length);
	if (r < 0) {
		return r;
	}
	manifest_defaults(manifest);
	r = manifest_parse(text, length, path, manifest, &error);
	r = r < 0 ? r : manifest_check(manifest, path, &error);
	if (r < 0) {
		cli_error("%s", error.text);
		return r;
	}
	out_foreign(*manifest->title ? manifest->title : manifest->name);
	out_text("%s", *manifest->vendor ? ", by " : "");
	out_foreign(manifest->vendor);
	out_text(" (%s)\n", path);
	consent_events(manifest);
	consent_sight(manifest);
	consent_powers(manifest);
	return 0;
}

int consent_ask(const char *name)
{
	char answer[16] = "";
	size_t n = 0;
	ssize_t r;

	out_text("Enable %s? [y/N] ", name);
	out_flush();
	while (n < sizeof(answer) - 1 &&
	       (r = read(STDIN_FILENO, answer + n, 1)) == 1 &&
	       answer[n] != '\n') {
		n++;
	}
	answer[n] = '\0';
	if (strcmp(answer, "y") == 0 || strcmp(answer, "yes") == 0) {
		return 0;
	}
	cli_error("%s stays disabled", name);
	return -ECANCELED;
}
