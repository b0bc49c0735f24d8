/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent/preflight_process.h - a product's process without a monitor
 *
 * For bailey-preflight and tests: whoever may start a program may try content
 * with it. The confinement is what the caller's rights allow; what could not
 * be applied is said. The monitor's jail is the real one.
 */
#ifndef AGENT_PREFLIGHT_PROCESS_H
#define AGENT_PREFLIGHT_PROCESS_H

#include "agent/preflight.h"

/* X(SYMBOL, "what", "what is lost without it") */
#define PREFLIGHT_MEASURE_TABLE(X)                                            \
	X(NAMESPACES, "namespaces (pid, network, ipc)",                       \
	  "the product can reach the network and other processes")            \
	X(RIGHTS, "no rights of root",                                        \
	  "the product can do what root can")                                 \
	X(FILES, "Landlock",                                                  \
	  "the product can open whatever the caller can")                     \
	X(LIMITS, "resource limits", "descriptors and file sizes are not "    \
	  "bounded")                                                          \
	X(PRIORITY, "idle priority", "the product takes time from others")

enum preflight_measure {
#define PREFLIGHT_ENUM(sym, what, cost) PREFLIGHT_MEASURE_##sym,
	PREFLIGHT_MEASURE_TABLE(PREFLIGHT_ENUM)
#undef PREFLIGHT_ENUM
	PREFLIGHT_MEASURES
};

struct preflight_lack {
	int error[PREFLIGHT_MEASURES];  /* 0, or why it was not applied */
};

const char *preflight_measure_what(enum preflight_measure measure);
const char *preflight_measure_cost(enum preflight_measure measure);

/* In the new process: all measures, as far as they go. */
void preflight_confine(const struct manifest *manifest, const int *directories,
		       int program, struct preflight_lack *lack);

/*
 * Starts the manifest's executable, drives it by the plan, ends it. 0 with the
 * outcome, or an errno: it could not be started. Blocks for as long as the
 * plan allows. tick: called about ten times a second, may be null.
 */
int preflight_drive(const struct preflight_plan *plan,
		    struct preflight_outcome *ret_outcome,
		    struct preflight_lack *ret_lack,
		    void (*tick)(const struct preflight_outcome *so_far))
	must_use;

#endif
