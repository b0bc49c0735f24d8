/* SPDX-License-Identifier: Apache-2.0 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/mon.h"

static const char help[] =
	"usage: bailey-monitor [--state DIR] [--etc DIR] [--tree DIR]...\n"
	"                      [--filesystem PATH|local]...\n"
	"                      [--product NAME|FILE]... [--enforce]\n"
	"\n"
	"The privileged process of Bailey. Usually started by the service\n"
	"manager or by `bailey run`; see bailey-monitor(8).\n"
	"\n"
	"  --state DIR         sockets and records (default /run/bailey)\n"
	"  --etc DIR           configuration (default /etc/bailey)\n"
	"  --tree DIR          protect DIR: it is bind-mounted onto itself\n"
	"  --filesystem PATH   protect the whole file system that PATH is on\n"
	"  --filesystem local  protect local file systems, also later ones\n"
	"  --product NAME      start this product (or a manifest's path);\n"
	"                      default: those that bailey.conf enables\n"
	"  --enforce           denials of all products count, whatever their\n"
	"                      manifests and bailey.conf say\n"
	"  --help              this text\n";

static _Noreturn void options_wrong(const char *what, const char *value)
{
	fprintf(stderr, "bailey-monitor: %s%s\nTry bailey-monitor --help.\n",
		what, value);
	exit(2);
}

static void options_scope(struct mon_options *o, const char *value, bool tree)
{
	if (o->scopes == MON_SCOPES) {
		options_wrong("too many scopes: ", value);
	}
	if (value[0] != '/' && (tree || strcmp(value, "local") != 0)) {
		options_wrong("not an absolute path: ", value);
	}
	o->is_tree[o->scopes] = tree;
	o->scope[o->scopes++] = value;
}

static void options_product(struct mon_options *o, const char *value)
{
	size_t used = strlen(o->products);

	if (used + strlen(value) + 2 > sizeof(o->products)) {
		options_wrong("too many products, or too long paths: ", value);
	}
	snprintf(o->products + used, sizeof(o->products) - used, "%s%s",
		 used ? "\n" : "", value);
}

void mon_options_parse(int argc, char **argv, struct mon_options *ret_options)
{
	static const struct option table[] = {
		{ "state", required_argument, NULL, 's' },
		{ "etc", required_argument, NULL, 'e' },
		{ "tree", required_argument, NULL, 't' },
		{ "filesystem", required_argument, NULL, 'f' },
		{ "product", required_argument, NULL, 'p' },
		{ "enforce", no_argument, NULL, 'E' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	struct mon_options *o = ret_options;
	int c;

	*o = (struct mon_options){ .state = "/run/bailey",
				   .etc = "/etc/bailey" };
	while ((c = getopt_long(argc, argv, "", table, NULL)) != -1) {
		switch (c) {
		case 's':
			o->state = optarg;
			break;
		case 'e':
			o->etc = optarg;
			break;
		case 't':
		case 'f':
			options_scope(o, optarg, c == 't');
			break;
		case 'p':
			options_product(o, optarg);
			break;
		case 'E':
			o->enforce = true;
			break;
		case 'h':
			fputs(help, stdout);
			exit(0);
		default:
			options_wrong("see above", "");
		}
	}
	if (optind < argc) {
		options_wrong("unexpected argument: ", argv[optind]);
	}
}
