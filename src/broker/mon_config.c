/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mon_config.c - what bailey.conf says to the monitor
 *
 * Read once, before any mark stands. Scopes on the command line replace those
 * of the file; so do products. A malformed file is told and left out.
 */
#include <string.h>

#include "base/log.h"
#include "base/text.h"
#include "broker/config_read.h"
#include "broker/mon.h"

static struct config config;

/* Started for the host, not tried out with a state directory of one's own. */
bool mon_is_system(const struct mon *m)
{
	return strcmp(m->options.state, "/run/bailey") == 0;
}

void mon_complain(struct mon *m, const char *text)
{
	log_warning("%s", text);
	if (m->complaints < MON_COMPLAINTS) {
		text_format(m->complaint[m->complaints++], VIEW_REASON, "%s",
			    text);
	}
}

static void config_complain(void *context, const char *text)
{
	mon_complain(context, text);
}

static void config_scopes(struct mon_options *o, const struct config_list *list,
			  bool tree)
{
	for (uint32_t i = 0; i < list->count && o->scopes < MON_SCOPES; i++) {
		o->is_tree[o->scopes] = tree;
		o->scope[o->scopes++] = list->entry[i];
	}
}

void mon_config(struct mon *m)
{
	struct mon_options *o = &m->options;

	config_read(o->etc, mon_is_system(m), &config, config_complain, m);
	m->table->overload_denies = config.overload == CONFIG_OVERLOAD_DENY;
	m->table->open_per_uid = config.open_per_uid;
	m->table->open_total = config.open_total;
	if (!o->scopes) {
		config_scopes(o, &config.tree, true);
		config_scopes(o, &config.filesystem, false);
	}
}

bool mon_config_enables(const char *product)
{
	for (uint32_t i = 0; i < config.enable.count; i++) {
		if (strcmp(config.enable.entry[i], product) == 0) {
			return true;
		}
	}
	return false;
}

uint32_t mon_config_mode(void)
{
	return config.mode;
}
