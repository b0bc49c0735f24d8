/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Does the agent remember what later decisions need: which releases admitted
 * this host, when a lease was last accepted, how late it is?
 */
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "agent/agent.h"

/* Of nothing. */
#define EMPTY                                                                 \
	"e3b0c44298fc1c149afbf4c8996fb924"                                    \
	"27ae41e4649b934ca495991b7852b855"
#define DESCRIPTION                                                           \
	"{\"format\":1,\"product\":\"scan\",\"version\":\"v1\",\"number\":1," \
	"\"class\":\"code\",\"schema\":\"s/1\",\"fields\":1,\"bake_s\":0,"    \
	"\"min_events\":0,\"floor\":1,\"urgent\":false,\"files\":["          \
	"{\"path\":\"f\",\"length\":0,\"sha256\":\"" EMPTY "\"}],"            \
	"\"corpus\":[]}"

int __real_clock_gettime(clockid_t id, struct timespec *ret_time);
int __wrap_clock_gettime(clockid_t id, struct timespec *ret_time);

static time_t ahead_s;                  /* how late it is for the agent */

int __wrap_clock_gettime(clockid_t id, struct timespec *ret_time)
{
	int r = __real_clock_gettime(id, ret_time);

	ret_time->tv_sec += ahead_s;
	return r;
}

static struct agent agent;
static struct agent_product_state *p = &agent.product[0];
static char dir[64];

static int opens(void)
{
	struct store_setup setup = { .product = "scan" };

	memset(&agent, 0, sizeof(agent));
	snprintf(agent.stratum, sizeof(agent.stratum), "any");
	p->agent = &agent;
	p->present = true;
	snprintf(p->told.name, sizeof(p->told.name), "scan");
	p->dir = setup.dir = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (p->dir < 0 || store_open(&setup, &p->store) < 0 ||
	    store_recover(p->store) < 0) {
		return -1;
	}
	health_init(&p->health);
	agent_memory_load(p);
	return 0;
}

static void closes(void)
{
	agent_listed_clear(p, true);
	p->store = store_close(p->store);
	fd_closep(&p->dir);
}

static int set_up(void **state)
{
	snprintf(dir, sizeof(dir), "/tmp/agent-memory-XXXXXX");
	return mkdtemp(dir) ? opens() : -1;
}

static int remove_one(const char *path, const struct stat *st, int type,
		      struct FTW *ftw)
{
	return remove(path);
}

static int tear_down(void **state)
{
	closes();
	ahead_s = 0;
	return nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void hash_make(unsigned n, uint8_t ret_hash[VERSION_HASH])
{
	memset(ret_hash, (int)n, VERSION_HASH);
}

static void are_several_leased_releases_remembered(void **state)
{
	uint8_t hash[VERSION_HASH];

	for (unsigned n = 1; n <= AGENT_LEASED + 2; n++) {
		hash_make(n, hash);
		assert_false(agent_is_leased(p, hash));
		agent_leased_add(p, hash);
		agent_leased_add(p, hash);
		assert_true(agent_is_leased(p, hash));
	}
	closes();
	assert_int_equal(opens(), 0);
	for (unsigned n = 1; n <= AGENT_LEASED + 2; n++) {
		hash_make(n, hash);
		assert_int_equal(agent_is_leased(p, hash), n > 2);
	}
}

/* One with a slot stays, however many come after it. */
static void is_a_kept_release_not_forgotten(void **state)
{
	struct slot_blobs blobs;
	struct store_words words = { 0 };
	uint8_t kept[VERSION_HASH], hash[VERSION_HASH];

	close(openat(p->dir, EMPTY, O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
	slot_blobs_init(&blobs, p->dir);
	assert_int_equal(store_admit(p->store, DESCRIPTION,
				     strlen(DESCRIPTION), &blobs.source,
				     &words, kept), 0);
	agent_leased_add(p, kept);
	for (unsigned n = 1; n <= 3 * AGENT_LEASED; n++) {
		hash_make(n, hash);
		agent_leased_add(p, hash);
	}
	assert_true(agent_is_leased(p, kept));
	hash_make(1, hash);
	assert_false(agent_is_leased(p, hash));
}

static void lease_give(const uint8_t hash[VERSION_HASH])
{
	struct lease_error error = { "" };
	char hex[VERSION_HEX], text[512];
	struct lease lease;

	version_hex(hash, hex);
	snprintf(text, sizeof(text), "{\"format\":1,\"product\":\"scan\","
		 "\"release\":\"content/scan/code/1.json\",\"hash\":\"%s\","
		 "\"salt\":\"00112233445566778899\",\"admitted\":{\"early\":"
		 "{\"*\":281474976710656}},\"rings\":[\"early\"],"
		 "\"valid_until\":\"2090-01-01T00:00:00Z\"}", hex);
	if (lease_parse(text, strlen(text), "scan", &lease, &error) < 0) {
		fail_msg("%s", error.text);
	}
	assert_int_equal(agent_lease_take(p, &lease, text, strlen(text)), 0);
}

/* At every decision, though nothing else of it changed: an old time would make
 * a jump over a ring look allowed. */
static void does_each_decision_renew_the_time_of_the_lease(void **state)
{
	struct timespec pause = { .tv_nsec = 20000000 };
	struct agent_inputs inputs;
	char why[AGENT_WHY] = "", *text = strdup(DESCRIPTION);
	uint64_t before = 0;
	int blobs = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	assert_int_equal(agent_listed_add(p, text, strlen(text), blobs, true,
					  why), 0);
	close(blobs);
	lease_give(p->listed[0].hash);
	for (int i = 0; i < 3; i++) {
		(void)agent_decide(p, &inputs);
		assert_true(p->memory.prior.known);
		assert_true(p->memory.prior_at.boot_ms > before);
		before = p->memory.prior_at.boot_ms;
		nanosleep(&pause, NULL);
	}
	/* Written with the first one, then after minutes only. */
	closes();
	assert_int_equal(opens(), 0);
	assert_true(p->memory.prior.known);
	assert_true(p->memory.prior_at.boot_ms < before);
}

static void does_a_start_move_the_floor_on(void **state)
{
	struct clock_reading now = agent_reading();
	int64_t before = p->memory.floor.at_s;

	/* Five seconds of this boot were not counted yet. */
	p->memory.floor.boot_ms = now.boot_ms > 5000 ? now.boot_ms - 5000 : 0;
	agent_memory_save(p);
	closes();
	assert_int_equal(opens(), 0);
	assert_true(p->memory.floor.at_s >= before + 4);
}

static int64_t floor_written(void)
{
	struct agent_memory kept;

	memcpy(&kept, store_state(p->store)->memory, sizeof(kept));
	return kept.floor.at_s;
}

/* Where nothing else is to be written: no lease ever came. */
static void is_the_floor_written_once_an_hour(void **state)
{
	int64_t before = floor_written();

	ahead_s = 3500;
	agent_memory_keep(p);
	assert_int_equal(floor_written(), before);
	ahead_s = 3700;
	agent_memory_keep(p);
	assert_in_range(floor_written(), before + 3699, before + 3760);
	before = floor_written();
	ahead_s += 3500;
	agent_memory_keep(p);
	assert_int_equal(floor_written(), before);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(are_several_leased_releases_remembered),
		TEST(is_a_kept_release_not_forgotten),
		TEST(does_each_decision_renew_the_time_of_the_lease),
		TEST(does_a_start_move_the_floor_on),
		TEST(is_the_floor_written_once_an_hour),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
