/* SPDX-License-Identifier: Apache-2.0 */
/*
 * broker/config_read.h - bailey.conf and its drop-ins, from the disk
 *
 * Read by the monitor before its first mark (scopes, limits, products), and by
 * the helper for each job that needs it (the keep list).
 */
#ifndef BROKER_CONFIG_READ_H
#define BROKER_CONFIG_READ_H

#include <stdbool.h>

#include "config/config.h"

/*
 * ETC/bailey.conf, then ETC/bailey.conf.d/NAME.conf in the order of names, one
 * over the other. What is malformed or writable by others is left out, and
 * told; the rest counts. strict: files must be root's.
 */
void config_read(const char *etc, bool strict, struct config *ret_config,
	       void (*complain)(void *context, const char *text),
	       void *context);

#endif
