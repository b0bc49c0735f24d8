/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz/fuzz_eng.h - the engine with a hostile product 0 and an innocent
 * product 1, in one process; product 0 is begun anew for each input
 */
#ifndef FUZZ_ENG_H
#define FUZZ_ENG_H

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "lib/replay_engine.h"

#define FUZZ_QUESTIONS 4

static struct replay *r;
static struct replay_product hostile, innocent;
static struct session innocent_before;
static int files[FUZZ_QUESTIONS];

static inline void must(bool good)
{
	if (!good) {
		abort();
	}
}

/* The numbers HANDOFF_FD_* are the engine's, before the driver opens any. */
__attribute__((constructor)) static void fuzz_reserve(void)
{
	int fd;

	do {
		fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
		must(fd >= 0);
	} while (fd < HANDOFF_FD_END - 1);
}

static inline void fuzz_begin(void)
{
	struct manifest manifest;

	replay_manifest(&manifest, "hostile");
	manifest.hold = 8;
	if (!r) {
		r = replay_start(0);
		for (int i = 0; i < FUZZ_QUESTIONS; i++) {
			files[i] = replay_file(r, "content");
			replay_process(r, REPLAY_PID + i, 1000, 77);
		}
		replay_product_serve(r, &innocent, 1, &manifest);
		must(replay_request(&innocent, WIRE_REQUEST_SUBSCRIBE, 0, NULL,
				    0) == 0);
	}
	r->group->flows = false;
	replay_advance(r->group, 11000);
	r->group->first = r->group->count = 0;
	manifest.max_denials = 0;
	replay_product_add(r, &hostile, 0, &manifest);
	innocent_before = r->e->session[1];
}

/* All is answered, the hostile session can be begun again, the innocent one is
 * as it was. */
static inline void fuzz_end(void)
{
	struct handoff_message m;

	for (int i = 0; i < 4; i++) {
		replay_advance(r->group, 1100);
		replay_turn(r);
	}
	for (uint32_t i = 0; i < r->group->count; i++) {
		must(replay_answer(r, i) != BAILEY_VERDICT_NONE);
	}
	replay_product_close(&hostile);
	replay_turn(r);
	replay_turn(r);
	must(r->e->session[0].phase == SESSION_EMPTY);
	must(r->e->used_count == 0 && r->e->open_count == 0);
	must(memcmp(&r->e->session[1], &innocent_before,
		    sizeof(innocent_before)) == 0);
	while (replay_told(r, &m)) {
	}
	r->group->flows = true;
}

#endif
