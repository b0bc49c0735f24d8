/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scan/engine.h - one thread's scanner: a buffer, a libyara scanner, a clock
 *
 * The buffer and the scanner are made at start and used again for each file.
 * A file is read through a function, so that tests need no broker.
 *
 * The limit counts reading and matching together and holds within a few
 * milliseconds: libyara keeps its time-out in nanoseconds in the (public)
 * struct of the scanner and looks at it every 4096 bytes; only its setter
 * takes whole seconds. Reads are cut into SCAN_CHUNK and look at the same
 * limit. One read that the disk holds up cannot be cut short: then the
 * question's deadline passes and the broker's fallback stands.
 */
#ifndef SCAN_ENGINE_H
#define SCAN_ENGINE_H

#include <yara.h>

#include <bailey/event.h>

#include "fields.h"
#include "plan.h"

struct scan_source {
	/* As bailey_file_read(): bytes read, 0 at the end, -errno. */
	int (*read)(void *context, uint64_t offset, void *buffer, size_t size);
	void *context;          /* borrowed */
	uint64_t size;
	int64_t field[SCAN_FIELDS];     /* by enum scan_field */
};

struct engine {
	YR_SCANNER *scanner;    /* owned */
	unsigned char *buffer;  /* owned, SCAN_BUFFER bytes */
	unsigned set;           /* content.h's */
};

#define ENGINE_FOUND 1

/* rules is borrowed until engine_fini(). 0, -ENOMEM. */
int engine_init(struct engine *ret_engine, YR_RULES *rules)
	__attribute__((warn_unused_result));
void engine_fini(struct engine *engine);

/*
 * 0: nothing found in what the plan covers. ENGINE_FOUND with the matching
 * rule of the highest severity. -ETIMEDOUT: limit_ns was not enough. -EIO or
 * what the source's read returned.
 */
int engine_scan(struct engine *engine, const struct scan_source *source,
		enum plan_kind plan, uint64_t limit_ns,
		struct bailey_finding *ret_finding)
	__attribute__((warn_unused_result));

#endif
