/* SPDX-License-Identifier: Apache-2.0 */
/* What tests of a trial share: one host, made anew for each. */
#ifndef TEST_TRIAL_CASE_H
#define TEST_TRIAL_CASE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#include "test_trial_host.h"

#define WAIT_MS 20000
/* reload: parallel, restart or live */
#define TEST(reload, name)                                                    \
	cmocka_unit_test_prestate_setup_teardown(name, set_up, tear_down,     \
						 (void *)(uintptr_t)#reload)

static const char *build, *source;
static struct trial t;

static int set_up(void **state)
{
	trial_make(&t, build, source, *state);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	trial_end(&t);
	return 0;
}

/* 0: to be run; else main's result. */
static int trial_case_begin(int argc, char **argv)
{
	if (argc < 3) {
		fprintf(stderr, "usage: %s BUILD SOURCE [TEST]\n", argv[0]);
		return 2;
	}
	if (geteuid() != 0) {
		puts("skipped: needs root (a mount of its own, fanotify)");
		return 77;
	}
	build = argv[1];
	source = argv[2];
	cmocka_set_test_filter(argc > 3 ? argv[3] : NULL);
	return 0;
}

#endif
