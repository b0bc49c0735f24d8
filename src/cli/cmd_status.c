/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_status.c - what runs and what is degraded (status.h) */
#include <stdlib.h>
#include <string.h>

#include "base/result.h"
#include "cli/cli.h"
#include "cli/out.h"
#include "cli/status.h"

static int status_run(const struct cli_args *args)
{
	cleanup_free struct status *status = status_new(args);
	cleanup_json struct json_doc doc = { 0 };
	int r;

	if (!status) {
		return CLI_UNKNOWN;
	}
	if (!cli_has(args, "json")) {
		status_print(status);
		return status_exit(status_verdict(status));
	}
	r = json_open(&doc);
	if (r == 0) {
		status_json(status, &doc);
		r = json_print(&doc, false);
	}
	if (r < 0) {
		cli_error("cannot build the answer: %s", strerror(-r));
		return CLI_UNKNOWN;
	}
	return status_exit(status_verdict(status));
}

static const struct cli_option status_options[] = {
	CLI_OPTION_JSON,
	{ NULL, CLI_FLAG, false, NULL, NULL }
};

const struct cli_command cmd_status = {
	.name = "status",
	.synopsis = "[--json]",
	.summary = "what runs, since when, and what is degraded",
	.help = "Exit code: 0 all is as configured (protected or observing), "
		"1 degraded,\n2 nothing answers.\n",
	.page = "bailey-status",
	.options = status_options,
	.run = status_run,
};
