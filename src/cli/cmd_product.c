/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cmd_product.c - what the administrator does with one product
 *
 * The verbs are those of ADMIN_REQUEST_TABLE. Enabling gives a program a view
 * of what others do: the words that say what it will see are shown first, and
 * asked about.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mono.h"
#include "base/result.h"
#include "cli/cli.h"
#include "cli/consent.h"
#include "cli/out.h"
#include "cli/peer.h"
#include "cli/status.h"

#define PRODUCT_NAME(sym, num, name)                                          \
	[num] = num >= ADMIN_PRODUCT_START && num <= ADMIN_PRODUCT_DISABLE ?  \
		name : NULL,

static const char *const product_verbs[ADMIN_SHUTDOWN + 1] = {
	ADMIN_REQUEST_TABLE(PRODUCT_NAME)
};

static uint32_t product_verb(const char *verb)
{
	uint32_t i;

	for (i = 0; i <= ADMIN_SHUTDOWN; i++) {
		if (product_verbs[i] && strcmp(product_verbs[i], verb) == 0) {
			return i;
		}
	}
	return 0;
}

static const struct status_product *product_find(const struct status *status,
						 const char *name)
{
	uint32_t i;

	for (i = 0; i < status->products; i++) {
		if (strcmp(status->product[i].name, name) == 0) {
			return &status->product[i];
		}
	}
	cli_error("there is no product %s; see `bailey products`", name);
	return NULL;
}

/* How often it died and of what. */
static int product_crashes(const struct cli_args *args, const char *name)
{
	cleanup_free struct status *status = status_new(args);
	const struct status_product *product;

	if (!status) {
		return CLI_UNKNOWN;
	}
	if (!status->has_monitor) {
		cli_error("the monitor does not answer; start the service or "
			  "`bailey run`");
		return CLI_UNKNOWN;
	}
	product = product_find(status, name);
	if (!product) {
		return CLI_NO;
	}
	out_text("restarts    %u\nlast exit   ", product->monitor.restarts);
	out_foreign(*product->monitor.last_exit ? product->monitor.last_exit :
						  "-");
	out_text("\nlast fault  ");
	out_foreign(*product->engine.last_fault ? product->engine.last_fault :
						  "-");
	out_text("\n");
	return product->monitor.restarts ? CLI_YES : CLI_NO;
}

static int product_consent(const struct cli_args *args, const char *name)
{
	int r;

	if (cli_has(args, "yes")) {
		return 0;
	}
	r = consent_show(name, cli_value(args, "etc", 0));
	if (r < 0) {
		return r;
	}
	if (!isatty(STDIN_FILENO)) {
		cli_error("nobody is here to ask; if that is agreed to, say "
			  "so with --yes");
		return -1;
	}
	return consent_ask(name);
}

static int product_run(const struct cli_args *args)
{
	struct admin_request request = { 0 };
	const char *name = args->operand[0], *verb = args->operand[1];
	bool bypass;

	if (strcmp(verb, "crashes") == 0) {
		return product_crashes(args, name);
	}
	request.type = product_verb(verb);
	bypass = request.type == ADMIN_PRODUCT_BYPASS;
	if (request.type == 0) {
		cli_error("product has no \"%s\"; write: bailey product %s",
			  verb, args->command->synopsis);
		return CLI_UNKNOWN;
	}
	if (strlen(name) >= sizeof(request.product)) {
		cli_error("no product has so long a name; see `bailey "
			  "products`");
		return CLI_UNKNOWN;
	}
	request.number = (cli_duration_ns(args, "for", 0) + MONO_S - 1) /
			 MONO_S;
	if (bypass != cli_has(args, "for") || (bypass && !request.number)) {
		cli_error(bypass ? "bypass needs --for T: how long the product "
				   "is passed over (5m)" :
				   "--for goes with bypass only");
		return CLI_UNKNOWN;
	}
	if (request.type == ADMIN_PRODUCT_ENABLE &&
	    product_consent(args, name) < 0) {
		return CLI_NO;
	}
	strcpy(request.product, name);
	return peer_do(args, &request);
}

static const struct cli_option product_options[] = {
	{ "for", CLI_DURATION, false, "T", "how long to bypass it" },
	{ "yes", CLI_FLAG, false, NULL,
	  "enable without being asked about what it will see" },
	{ "etc", CLI_DIRECTORY, false, "DIR",
	  "where the configuration is (default /etc/bailey)" },
	{ NULL, CLI_FLAG, false, NULL, NULL }
};

static const char *const product_completed[] = {
	"enable", "disable", "start", "stop", "suspend", "resume", "observe",
	"enforce", "bypass", "crashes", NULL
};

const struct cli_command cmd_product = {
	.name = "product",
	.synopsis = "NAME {enable|disable|start|stop|suspend|resume|observe|"
		    "enforce|bypass --for T|crashes}",
	.summary = "change one product, until the next start of the service",
	.help = "For root, but crashes. enable says what the product will see "
		"and may do, and asks.\nWhat bailey.conf enables starts again "
		"with the service.\n"
		"Exit code: 0 done (crashes: there were some), 1 refused, "
		"2 could not tell.\n",
	.page = "bailey-product",
	.options = product_options,
	.operand = CLI_PRODUCT,
	.verbs = product_completed,
	.operand_min = 2,
	.operand_max = 2,
	.run = product_run,
};
