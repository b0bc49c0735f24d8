/* SPDX-License-Identifier: Apache-2.0 */
#include "publish/publish.h"

#include <stdlib.h>
#include <string.h>

/* The manifest is given once and remembered by its full path. */
static int remember(struct publish *p, const char *manifest)
{
	cleanup_free char *full = realpath(manifest, NULL);

	if (!full) {
		pub_error("cannot find the manifest %s: %s", manifest,
			  strerror(errno));
		return result_errno();
	}
	if (json_object_set_new(p->state, "manifest",
				json_string(full)) < 0) {
		return -ENOMEM;
	}
	return pub_save(p);
}

static int release_cmd(struct publish *p, const struct pub_args *args)
{
	const char *manifest = pub_value(args, "product", 0);
	struct release_options options = {
		.roles = ~0u & ~PUB_BIT(PUB_SNAPSHOT),
		.program = pub_value(args, "preflight", 0),
		.without_old_keys = pub_has(args, "without-old-keys"),
	};

	if ((manifest && remember(p, manifest) < 0) ||
	    draft_refresh(p, 0, 0) < 0) {
		return PUB_UNKNOWN;
	}
	options.manifest = json_string_value(json_object_get(p->state,
							     "manifest"));
	return release_run(p, &options);
}

static const struct pub_option options[] = {
	{ "product", "MANIFEST", false,
	  "the product that a new version is tried with; remembered" },
	{ "preflight", "PROGRAM", false,
	  "tries a version (default: bailey-preflight)" },
	{ "without-old-keys", NULL, false,
	  "the keys that are exchanged are lost: for a moment hosts see an "
	  "error" },
	{ NULL, NULL, false, NULL }
};

const struct pub_command pub_cmd_release = {
	.name = "release",
	.synopsis = "[--product MANIFEST] [--preflight PROGRAM]",
	.summary = "write what is signed to the repository",
	.help = "Each new version runs through its preflight first; one that "
		"does not pass is not\nreleased. Online roles are signed on "
		"the way.\n"
		"Exit code: 0 released, 1 refused, 2 could not tell.\n",
	.options = options,
	.run = release_cmd,
};
