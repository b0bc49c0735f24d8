/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/content_bundle.h - export and import: by bailey-updater
 *
 * Staging is the updater's alone, and bundles come from outside: the program
 * that has the right to write there, and no other, reads them. This command
 * starts it, waits, and tells a running agent to look.
 */
#ifndef CLI_CONTENT_BUNDLE_H
#define CLI_CONTENT_BUNDLE_H

#include "cli/cli.h"

/* verb: "export" or "import". Returns the exit code. */
int content_bundle(const struct cli_args *args, const char *verb);

#endif
