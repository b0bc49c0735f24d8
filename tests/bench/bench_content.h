/* SPDX-License-Identifier: Apache-2.0 */
/* tests/bench/bench_content.h - what bad content costs, and trying it */
#ifndef BENCH_CONTENT_H
#define BENCH_CONTENT_H

#include "bench/bench_case.h"

/* revert_content_ms_p99, preflight_ms, refresh_*. Returns how many could not
 * be measured (said on standard error), or -EINTR. */
int content_run(const struct bench_options *options, struct figures *figures)
	__attribute__((warn_unused_result));

#endif
