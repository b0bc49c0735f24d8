/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_products.c - the products, with their states and counters */
#include <stdlib.h>
#include <string.h>

#include "base/result.h"
#include "cli/cli.h"
#include "cli/out.h"
#include "cli/status.h"

static int products_json(const struct status *status)
{
	cleanup_json struct json_doc doc = { 0 };
	int r = json_open(&doc);

	if (r == 0) {
		status_json_products(status, &doc, doc.root);
		r = json_print(&doc, false);
	}
	if (r < 0) {
		cli_error("cannot build the answer: %s", strerror(-r));
	}
	return r;
}

static int products_run(const struct cli_args *args)
{
	cleanup_free struct status *status = status_new(args);

	if (!status) {
		return CLI_UNKNOWN;
	}
	if (!status->has_monitor && !status->has_engine) {
		cli_error("nothing answers; start the service or `bailey run`");
		return CLI_UNKNOWN;
	}
	if (!cli_has(args, "json")) {
		status_print_products(status, "");
	} else if (products_json(status) < 0) {
		return CLI_UNKNOWN;
	}
	return status->products ? CLI_YES : CLI_NO;
}

static const struct cli_option products_options[] = {
	CLI_OPTION_JSON,
	{ NULL, CLI_FLAG, false, NULL, NULL }
};

const struct cli_command cmd_products = {
	.name = "products",
	.synopsis = "[--json]",
	.summary = "the products, with their states and counters",
	.help = "Exit code: 0 there are some, 1 there are none, 2 could not "
		"tell.\n",
	.page = "bailey-product",
	.options = products_options,
	.run = products_run,
};
