/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_trial_host.h - a host whose content agent is the test
 *
 * `bailey run` as in test_life_host.h, of programs that stand beside a stand-in
 * of bailey-content; a product `brittle` with managed content, slots that the
 * test fills, and the monitor's socket of the agent.
 */
#ifndef TEST_TRIAL_HOST_H
#define TEST_TRIAL_HOST_H

#include "proto/agent.h"
#include "test_life_host.h"

#define TRIAL_FDS 16u
#define TRIAL_FIELDS 21u        /* what `brittle` states */

struct trial {
	struct host host;
	char build[128];        /* programs, copied */
	int listener;
	int relay;              /* to the stand-in; -1 */
	int inherited[AGENT_FD_END - AGENT_FD_MONITOR];
	struct agent_message last;      /* of trial_wait */
	int fds[TRIAL_FDS];     /* that came with it */
	size_t count;
};

/* reload: "parallel", "restart", "live". Slot 0 has the first content. */
void trial_make(struct trial *ret_trial, const char *build,
		const char *source, const char *reload);
void trial_end(struct trial *trial);
/* `bailey run` until brittle serves and the agent was told of it. */
void trial_run(struct trial *trial);
void trial_accept(struct trial *trial);
/* A slot, named by its number, whose content is this text. */
void trial_slot(const struct trial *trial, uint8_t number, const char *rules,
		uint32_t fields);
void trial_current(const struct trial *trial, uint8_t number);
void trial_ask(struct trial *trial, uint32_t type, uint32_t purpose,
	       uint32_t try_id, uint8_t slot);
/* The next message of this type, within 20 s; others are let go. Its
 * descriptors until the next call. */
const struct agent_message *trial_wait(struct trial *trial, uint32_t type);
/* All of these types, in any order, at most 8; 0 ends. */
void trial_wait_all(struct trial *trial, const uint32_t *types,
		    struct agent_message *ret_messages);

#endif
