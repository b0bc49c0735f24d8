/* SPDX-License-Identifier: Apache-2.0 */
/* publish/prune.h - what no host asks for any more, goes */
#ifndef PUBLISH_PRUNE_H
#define PUBLISH_PRUNE_H

#include "publish/publish.h"

#define PRUNE_AGE_S 3600        /* a slow host may still be at an older one */
#define PRUNE_KEEP 8            /* versions of each role, whatever their age */

/*
 * Old snapshots and delegated roles, and leases and lists of revocations that
 * are no longer named: a gate that is renewed every minute leaves 1,500 of each
 * a day. Roots and targets stay; descriptions and blobs go by `prune`
 * (cmd_prune.c). Needs p->doc as it was
 * before the release: the names in there are kept too. Failing is no harm.
 */
void prune_repository(const struct publish *p);

#endif
