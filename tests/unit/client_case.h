/* SPDX-License-Identifier: Apache-2.0 */
/* What tests of the client share: one that is connected to a fake broker. */
#ifndef TESTS_CLIENT_CASE_H
#define TESTS_CLIENT_CASE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include <bailey/client.h>

#include "lib/fake_broker.h"

struct pair {
	struct fake *fake;
	struct bailey_client *client;
};

static int setup(void **state)
{
	struct pair *pair = calloc(1, sizeof(*pair));

	assert_non_null(pair);
	pair->fake = fake_start(NULL);
	assert_int_equal(bailey_client_connect(&pair->client, BAILEY_API, "",
					       0), 0);
	*state = pair;
	return 0;
}

static int teardown(void **state)
{
	struct pair *pair = *state;

	bailey_client_close(pair->client);
	fake_stop(pair->fake);
	free(pair);
	return 0;
}

#endif
