/* SPDX-License-Identifier: Apache-2.0 */
/* What most tests of the TUF client share: a repository, and a client that has
 * its first root. */
#ifndef TESTS_TUF_CASE_H
#define TESTS_TUF_CASE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/tuf_sim.h"

static struct sim *s;
static struct sim_client c;

static int setup(void **state)
{
	s = sim_new();
	sim_client_init(&c, s);
	return 0;
}

static int teardown(void **state)
{
	sim_client_fini(&c);
	sim_free(s);
	return 0;
}

#define EACH(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

#endif
