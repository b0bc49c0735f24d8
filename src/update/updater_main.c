/* SPDX-License-Identifier: Apache-2.0 */
/*
 * updater_main.c - bailey-updater: the command line, and dropping rights
 *
 * What needs root (making staging, reading a configuration that only root
 * reads) is done first; then this process is its own user, and can write
 * nowhere else (updater_confine.c).
 */
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/log.h"
#include "proto/content.h"
#include "update/bundle.h"
#include "update/updater.h"
#include "update/updater_loop.h"

#define MAIN_STATE "/var/lib/bailey"
#define MAIN_ETC "/etc/bailey"
#define MAIN_NAMED UPDATER_PRODUCTS

enum main_mode { MAIN_RUN, MAIN_ONCE, MAIN_IMPORT, MAIN_EXPORT };

struct options {
	const char *state, *etc, *from;
	const char *named[MAIN_NAMED];
	size_t names;
	enum main_mode mode;
};

static const char main_usage[] =
	"usage: bailey-updater [--state DIR] [--etc DIR] [--product P]... "
	"[--once]\n"
	"       bailey-updater --import [--state DIR] [--etc DIR] < BUNDLE\n"
	"       bailey-updater --export --product P [--from DIR] > BUNDLE\n"
	"Brings content versions to staging; activates nothing. More: "
	"man bailey-updater\n";

static int main_options(int argc, char **argv, struct options *o)
{
	static const struct option longs[] = {
		{ "state", required_argument, NULL, 's' },
		{ "etc", required_argument, NULL, 'e' },
		{ "product", required_argument, NULL, 'p' },
		{ "from", required_argument, NULL, 'f' },
		{ "once", no_argument, NULL, '1' },
		{ "import", no_argument, NULL, 'i' },
		{ "export", no_argument, NULL, 'x' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 }
	};
	int c;

	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		switch (c) {
		case 's': o->state = optarg; break;
		case 'e': o->etc = optarg; break;
		case 'f': o->from = optarg; break;
		case '1': o->mode = MAIN_ONCE; break;
		case 'i': o->mode = MAIN_IMPORT; break;
		case 'x': o->mode = MAIN_EXPORT; break;
		case 'p':
			if (o->names == MAIN_NAMED) {
				log_error("more than %u products", MAIN_NAMED);
				return 2;
			}
			o->named[o->names++] = optarg;
			break;
		case 'h':
			fputs(main_usage, stdout);
			return 1;
		default:
			fputs(main_usage, stderr);
			return 2;
		}
	}
	if (optind != argc) {
		fputs(main_usage, stderr);
		return 2;
	}
	return 0;
}

/* Below the state folder, made by whoever may; *ret_staging is owned. */
static int main_staging(const char *state, int *ret_staging)
{
	cleanup_fd int above = open(state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cleanup_fd int staging = -1;

	if (above < 0 || (mkdirat(above, CONTENT_STAGING, 0750) < 0 &&
			  errno != EEXIST)) {
		return result_errno();
	}
	staging = openat(above, CONTENT_STAGING, O_RDONLY | O_DIRECTORY |
			 O_NOFOLLOW | O_CLOEXEC);
	if (staging < 0 ||
	    (geteuid() == 0 && fchown(staging, UPDATER_UID, UPDATER_GID) < 0)) {
		return result_errno();
	}
	*ret_staging = fd_take(&staging);
	return 0;
}

static void main_complain(const char *text)
{
	log_error("%s", text);
}

static int main_import(struct loop *loop)
{
	cleanup_bundle struct bundle bundle = { .count = 0 };
	uint32_t i;
	int r = bundle_open(STDIN_FILENO, &bundle);

	if (r < 0) {
		log_error("%s", *bundle.why ? bundle.why : strerror(-r));
		return r == -EBADMSG ? 1 : 2;
	}
	for (i = 0; i < loop->config.count; i++) {
		const struct updater_product *p = &loop->config.product[i];

		if (strcmp(p->name, bundle.product) == 0) {
			return updater_import(loop->staging, p, STDIN_FILENO,
					      &bundle);
		}
	}
	log_error("the bundle is for %s, and no enabled product of that name "
		  "has [content] root here", bundle.product);
	return 1;
}

static int main_export(const struct options *o, int staging)
{
	cleanup_fd int folder = -1;
	const char *name = o->names == 1 ? o->named[0] : "";

	if (!*name || strchr(name, '/') || *name == '.') {
		log_error("say whose content: --product NAME");
		return 2;
	}
	folder = openat(staging, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW |
			O_CLOEXEC);
	if (folder < 0) {
		log_error("staging has nothing of %s: %s", name,
			  strerror(errno));
		return 1;
	}
	return updater_export(folder, name, STDOUT_FILENO);
}

static int main_export_from(const struct options *o)
{
	cleanup_fd int from = open(o->from, O_RDONLY | O_DIRECTORY |
				   O_CLOEXEC);
	const char *name = o->names == 1 ? o->named[0] : "";

	if (!*name || strchr(name, '/') || *name == '.') {
		log_error("say whose content: --product NAME");
		return 2;
	}
	if (from < 0) {
		log_error("%s: %s", o->from, strerror(errno));
		return 2;
	}
	return updater_export_from(from, name, STDOUT_FILENO);
}

static int main_work(const struct options *o, struct loop *loop)
{
	if (o->mode == MAIN_IMPORT) {
		return main_import(loop);
	}
	if (o->mode == MAIN_EXPORT) {
		return main_export(o, loop->staging);
	}
	loop->once = o->mode == MAIN_ONCE;
	return loop_run(loop);
}

int main(int argc, char **argv)
{
	struct options o = { .state = NULL };
	char etc[4096];
	static struct loop loop;
	int r;

	log_init("bailey-updater", LOG_INFO);
	r = main_options(argc, argv, &o);
	if (r) {
		return r == 1 ? 0 : 2;
	}
	umask(027);
	if (o.mode == MAIN_EXPORT && o.from) {
		return main_export_from(&o);
	}
	/* where `bailey run --state DIR` has it */
	snprintf(etc, sizeof(etc), "%s/etc", o.state ? o.state : "");
	o.etc = o.etc ? o.etc : o.state ? etc : MAIN_ETC;
	o.state = o.state ? o.state : MAIN_STATE;
	loop.most = UPDATER_STAGED_BYTES;
	loop.etc = o.etc;
	loop.named = o.named;
	loop.names = o.names;
	updater_config_read(o.etc, o.named, o.names, &loop.config,
			    main_complain);
	r = main_staging(o.state, &loop.staging);
	if (r < 0) {
		log_error("%s/" CONTENT_STAGING ": %s", o.state, strerror(-r));
		return 2;
	}
	r = updater_confine(loop.staging);
	if (r < 0) {
		log_error("cannot give up rights: %s", strerror(-r));
		return 2;
	}
	return main_work(&o, &loop);
}
