/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_off.c - nothing is asked or denied, for a time or until `bailey on` */
#include "base/mono.h"
#include "cli/cli.h"
#include "cli/out.h"
#include "cli/peer.h"
#include "cli/when.h"

static int off_run(const struct cli_args *args)
{
	uint64_t ns = cli_duration_ns(args, "for", 0);
	struct admin_request request = {
		.type = ADMIN_OFF,
		.number = (ns + MONO_S - 1) / MONO_S,
	};
	char buffer[WHEN_TEXT];
	int code;

	if (cli_has(args, "for") && ns == 0) {
		cli_error("--for 0: that is no time; leave --for out to stay "
			  "off until `bailey on`");
		return CLI_UNKNOWN;
	}
	code = peer_do(args, &request);
	if (code != CLI_YES) {
		return code;
	}
	if (ns) {
		out_text("off for %s: nothing is asked or denied\n",
			 when_length_text(request.number * MONO_S, buffer));
	} else {
		out_text("off until `bailey on`: nothing is asked or "
			 "denied\n");
	}
	return CLI_YES;
}

static const struct cli_option off_options[] = {
	{ "for", CLI_DURATION, false, "T",
	  "switch on again after this time (30s, 5m, 2h, 1d)" },
	{ NULL, CLI_FLAG, false, NULL, NULL }
};

const struct cli_command cmd_off = {
	.name = "off",
	.synopsis = "[--for T]",
	.summary = "deny nothing, for a time or until `bailey on`",
	.help = "For root. Works whatever a product does.\n"
		"Exit code: 0 it is off, 1 refused, 2 could not tell.\n",
	.page = "bailey-off",
	.options = off_options,
	.run = off_run,
};
