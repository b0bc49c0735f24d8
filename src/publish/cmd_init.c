/* SPDX-License-Identifier: Apache-2.0 */
#include "publish/publish.h"

static int init_run(struct publish *p, const struct pub_args *args)
{
	const char *product = pub_value(args, "product", 0);
	const char *repository = pub_value(args, "repository", 0);
	const char *folder = args->operand_count ? args->operand[0] : NULL;

	(void)p;
	folder = folder ? folder : pub_value(args, "workspace", 0);
	if (!product || !version_product_good(product)) {
		pub_error("say for which product, as in its manifest: init "
			  "--product NAME (a-z 0-9 - _)");
		return PUB_UNKNOWN;
	}
	if (pub_init(folder ? folder : ".", product,
		     repository ? repository : "repository") < 0) {
		return PUB_UNKNOWN;
	}
	pub_say("a workspace for %s; next: bailey publish key generate\n",
		product);
	return PUB_YES;
}

static const struct pub_option options[] = {
	{ "product", "NAME", false, "its name, as in its manifest" },
	{ "repository", "DIR", false,
	  "public folder (default: repository/ in the workspace)" },
	{ NULL, NULL, false, NULL }
};

const struct pub_command pub_cmd_init = {
	.name = "init",
	.synopsis = "--product NAME [--repository DIR] [DIR]",
	.summary = "make a workspace",
	.help = "Exit code: 0 it is made, 2 it is not.\n",
	.options = options,
	.operand_max = 1,
	.alone = true,
	.run = init_run,
};
