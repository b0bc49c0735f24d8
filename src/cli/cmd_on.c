/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_on.c - the end of `bailey off` */
#include "cli/cli.h"
#include "cli/out.h"
#include "cli/peer.h"

static int on_run(const struct cli_args *args)
{
	struct admin_request request = { .type = ADMIN_ON };
	int code = peer_do(args, &request);

	if (code == CLI_YES) {
		out_text("on\n");
	}
	return code;
}

const struct cli_command cmd_on = {
	.name = "on",
	.synopsis = "",
	.summary = "end `bailey off`",
	.help = "For root.\n"
		"Exit code: 0 it is on, 1 refused, 2 could not tell.\n",
	.page = "bailey-off",
	.run = on_run,
};
