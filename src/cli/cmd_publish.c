/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_publish.c - hands its words to bailey-publish, a program of its own: it
 * holds keys, and this one does not */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/result.h"
#include "cli/cli.h"
#include "cli/out.h"
#include "cli/run.h"

static int publish_run(const struct cli_args *args)
{
	char path[RUN_PATH];
	cleanup_free char **argv = calloc((size_t)args->operand_count + 2,
					  sizeof(*argv));

	if (!argv || run_find_publish(path) < 0) {
		return CLI_UNKNOWN;
	}
	argv[0] = path;
	memcpy(argv + 1, args->operand,
	       (size_t)args->operand_count * sizeof(*argv));
	out_flush();
	signal(SIGPIPE, SIG_DFL);
	execv(path, argv);
	cli_error("cannot run %s: %s", path, strerror(errno));
	return CLI_UNKNOWN;
}

static const char *const publish_words[] = {
	"init", "key", "add", "policy", "sign", "release", "gate", "revoke",
	"expire", "prune", "check", NULL
};

const struct cli_command cmd_publish = {
	.name = "publish",
	.synopsis = "COMMAND [OPTION]... [OPERAND]...",
	.summary = "the vendor's side: sign content and release it",
	.help = "Commands: init, key, add, policy, sign, release, gate, "
		"revoke, expire, prune, check.\nEach has its own --help.\n"
		"Exit code: 0 yes, 1 no, 2 could not tell.\n",
	.page = "bailey-publish",
	.words = publish_words,
	.operand = CLI_WORD,
	.operand_min = 1,
	.operand_max = 64,
	.raw = true,
	.run = publish_run,
};
