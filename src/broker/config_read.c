/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/config_read.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "broker/helper_internal.h"

struct reading {
	bool strict;
	struct config *config;
	void (*complain)(void *context, const char *text);
	void *context;
};

static void conf_file(const struct reading *r, int dir, const char *name,
		      const char *shown)
{
	cleanup_free char *text = NULL;
	struct manifest_error error;
	char told[512];
	size_t length;
	int e = file_read(dir, name, r->strict, &text, &length);

	if (e == -ENOENT) {
		return;
	}
	if (e < 0) {
		text_format(told, sizeof(told), "%s:0: refused: %s", shown,
			    e == -EPERM ? "it must be root's, and writable by "
					  "nobody else"
					: strerror(-e));
		r->complain(r->context, told);
	} else if (config_parse(text, length, shown, r->config, &error) < 0) {
		r->complain(r->context, error.text);
	}
}

void config_read(const char *etc, bool strict, struct config *ret_config,
	       void (*complain)(void *context, const char *text),
	       void *context)
{
	const struct reading r = { strict, ret_config, complain, context };
	cleanup_fd int dir = open(etc, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cleanup_fd int drop_ins = -1;
	char shown[512];
	char **names;
	size_t count;

	config_defaults(ret_config);
	if (dir < 0) {
		return;
	}
	text_format(shown, sizeof(shown), "%s/bailey.conf", etc);
	conf_file(&r, dir, "bailey.conf", shown);
	drop_ins = openat(dir, "bailey.conf.d",
			  O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (drop_ins < 0 || file_list(drop_ins, ".conf", &names, &count) < 0) {
		return;
	}
	for (size_t i = 0; i < count; i++) {
		text_format(shown, sizeof(shown), "%s/bailey.conf.d/%s", etc,
			    names[i]);
		conf_file(&r, drop_ins, names[i], shown);
	}
	file_list_free(names, count);
}
