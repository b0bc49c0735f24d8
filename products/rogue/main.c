/* SPDX-License-Identifier: Apache-2.0 */
/* rogue: chooses the mode; see rogue.h. */
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "rogue.h"

static const struct mode {
	const char *name, *argument, *help;
	int (*run)(const char *argument);
} modes[] = {
#define ROGUE_ROW(symbol, name, argument, help) \
	{ name, argument, help, mode_##symbol },
	ROGUE_MODE_TABLE(ROGUE_ROW)
#undef ROGUE_ROW
};

#define MODES (sizeof(modes) / sizeof(*modes))

static int help(void)
{
	puts("usage: rogue MODE [ARGUMENT]\n"
	     "A test product for Bailey; started by the broker only. Modes:\n");
	for (size_t i = 0; i < MODES; i++) {
		printf("  %-14s %-8s %s\n", modes[i].name, modes[i].argument,
		       modes[i].help);
	}
	return 0;
}

int main(int argc, char **argv)
{
	if (argc < 2 || strcmp(argv[1], "--help") == 0) {
		return help() + (argc < 2 ? EX_USAGE : 0);
	}
	for (size_t i = 0; i < MODES; i++) {
		if (strcmp(argv[1], modes[i].name) == 0) {
			return modes[i].run(argc > 2 ? argv[2] : "");
		}
	}
	fprintf(stderr, "rogue: no mode '%s'; see rogue --help\n", argv[1]);
	return EX_USAGE;
}
