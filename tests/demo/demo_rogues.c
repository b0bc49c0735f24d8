/* SPDX-License-Identifier: Apache-2.0 */
/* tests/demo/demo_rogues.c - products that lie and deny; see demo.h */
#include <stdio.h>
#include <string.h>

#include "demo/demo.h"

#define INNOCENT ((1u << LOAD_OPENS) | (1u << LOAD_EXECS))

static void say_rogue(struct demo *demo)
{
	struct broker_status status;
	int i = demo_host_product(demo, "rogue", &status);

	if (i < 0) {
		demo_check(demo, false, "bailey status does not know it");
		return;
	}
	demo_remark("bailey status: rogue is %s, %.0f restarts%s%s",
		    status.product[i].state, status.product[i].restarts,
		    status.product[i].last_fault[0] != '\0' ? ": " : "",
		    status.product[i].last_fault);
}

/* A liar next to an honest product: only its own session may suffer. */
static void liar(struct demo *demo, const char *mode, const char *what)
{
	double ms = 0;
	uint32_t from;
	int r;

	demo_title("%s", what);
	if (demo_host_run(demo, mode) != 0) {
		return;
	}
	if (load_start(demo->load, &demo->server, INNOCENT) != 0) {
		demo_check(demo, false, "no load");
		return;
	}
	from = load_now_us(demo->load);
	ns_sleep_ms(2500);
	demo_check_innocents(demo, from);
	demo_check(demo, demo_host_wait_refused(demo, 1000) >= 0,
		   "scan still decides: the test file is refused");
	r = demo_host_open(demo, "user0", &ms);
	demo_check(demo, r == 0, "and a document opens, in %.2f ms", ms);
	say_rogue(demo);
	load_stop(demo->load);
	demo_host_stop(demo);
}

#define OBSERVED_MS 10000

/* It may deny until it has denied too many different things. */
static double wait_observed(struct demo *demo)
{
	uint64_t start = ns_now_ns();
	struct broker_status status;

	while (!ns_stopped()) {
		double ms = (double)(ns_now_ns() - start) / 1e6;
		int i = demo_host_product(demo, "rogue", &status);

		if (i >= 0 && strcmp(status.product[i].mode, "observe") == 0) {
			return ms;
		}
		if (ms > OBSERVED_MS) {
			break;
		}
		ns_sleep_ms(20);
	}
	return -1;
}

static void denier(struct demo *demo)
{
	uint32_t from, brake, refused;
	double ms;

	demo_title("A product denies everything");
	if (demo_host_run(demo, "deny-all") != 0) {
		return;
	}
	if (load_start(demo->load, &demo->server, INNOCENT) != 0) {
		demo_check(demo, false, "no load");
		return;
	}
	ms = wait_observed(demo);
	brake = load_now_us(demo->load);
	refused = load_count(demo->load, LOAD_OPENS, false, 0, brake) +
		  load_count(demo->load, LOAD_EXECS, false, 0, brake);
	demo_check(demo, ms >= 0, "the brake (max_denials) took its word away "
		   "after %.0f ms and %u refused operations", ms, refused);
	ns_sleep_ms(200);
	from = load_now_us(demo->load);
	ns_sleep_ms(2000);
	demo_check_innocents(demo, from);
	demo_check(demo, demo_host_wait_refused(demo, 1000) >= 0,
		   "scan still decides: the test file is refused");
	say_rogue(demo);
	load_stop(demo->load);
	demo_host_stop(demo);
}

void demo_steps_rogues(struct demo *demo)
{
	static const struct {
		const char *mode, *what;
	} liars[] = {
		{ "scribble", "A product scribbles over all it may write" },
		{ "others", "A product answers what it was never asked" },
	};

	for (size_t i = 0; i < sizeof liars / sizeof *liars; i++) {
		if (!ns_stopped()) {
			liar(demo, liars[i].mode, liars[i].what);
		}
	}
	if (!ns_stopped()) {
		denier(demo);
	}
}
