/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "budget.h"
#include "engine.h"
#include "finding.h"
#include "limits.h"

#define NOTHING_LOADED UINT64_MAX

/* One scan. libyara walks the blocks once for strings and again, from the
 * first, for each integer function of a condition: what is in the buffer is
 * remembered, so that a file of one span is read once. */
struct walk {
	struct engine *engine;
	const struct scan_source *source;
	enum plan_kind plan;
	uint64_t end;           /* ns, CLOCK_MONOTONIC */
	uint64_t index;         /* span that `block` stands for */
	uint64_t loaded;        /* span that is in the buffer */
	size_t loaded_size;
	int error;              /* first failure, negative; sticky */
	YR_MEMORY_BLOCK block;
	struct bailey_finding finding;
	int found;
};

int engine_init(struct engine *ret_engine, YR_RULES *rules)
{
	struct engine engine = { 0 };

	engine.buffer = mmap(NULL, SCAN_BUFFER, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (engine.buffer == MAP_FAILED) {
		return -ENOMEM;
	}
	if (yr_scanner_create(rules, &engine.scanner) != ERROR_SUCCESS) {
		munmap(engine.buffer, SCAN_BUFFER);
		return -ENOMEM;
	}
	/* The buffer is ours alone: there is no fault to catch, and a real
	 * one must end the product, not be hidden. */
	yr_scanner_set_flags(engine.scanner,
			     SCAN_FLAGS_NO_TRYCATCH |
			     SCAN_FLAGS_REPORT_RULES_MATCHING);
	*ret_engine = engine;
	return 0;
}

void engine_fini(struct engine *engine)
{
	if (engine->scanner != NULL) {
		yr_scanner_destroy(engine->scanner);
		munmap(engine->buffer, SCAN_BUFFER);
	}
	memset(engine, 0, sizeof(*engine));
}

/* Fills the buffer with the span: bytes there are (less if the file became
 * shorter), or -errno. */
static int64_t read_span(struct walk *walk, const struct plan_span *span)
{
	size_t done = 0;

	while (done < span->length) {
		size_t want = span->length - done;
		int n;

		if (budget_now() >= walk->end) {
			return -ETIMEDOUT;
		}
		n = walk->source->read(walk->source->context,
				       span->offset + done,
				       walk->engine->buffer + done,
				       want < SCAN_CHUNK ? want : SCAN_CHUNK);
		if (n == -EINTR) {
			continue;
		}
		if (n < 0) {
			return n;
		}
		if (n == 0) {
			break;
		}
		done += (size_t)n;
	}
	return (int64_t)done;
}

static const uint8_t *fetch(YR_MEMORY_BLOCK *block)
{
	struct walk *walk = block->context;
	struct plan_span span;
	int64_t n;

	if (walk->error != 0) {
		return NULL;
	}
	if (walk->loaded == walk->index) {
		return walk->engine->buffer;
	}
	if (plan_span(walk->plan, walk->source->size, walk->index, &span)) {
		return NULL;
	}
	walk->loaded = NOTHING_LOADED;
	n = read_span(walk, &span);
	if (n < 0) {
		walk->error = (int)n;
		return NULL;
	}
	walk->loaded = walk->index;
	walk->loaded_size = (size_t)n;
	block->size = (size_t)n;
	return n > 0 ? walk->engine->buffer : NULL;
}

/* Span number index as a block, or null after the last or a failure. */
static YR_MEMORY_BLOCK *at(YR_MEMORY_BLOCK_ITERATOR *iterator, uint64_t index)
{
	struct walk *walk = iterator->context;
	struct plan_span span;

	iterator->last_error = ERROR_SUCCESS;
	if (walk->error != 0) {
		iterator->last_error = ERROR_COULD_NOT_READ_FILE;
		return NULL;
	}
	if (plan_span(walk->plan, walk->source->size, index, &span)) {
		return NULL;
	}
	walk->index = index;
	walk->block.base = span.offset;
	walk->block.size = walk->loaded == index ? walk->loaded_size :
						   span.length;
	return &walk->block;
}

static YR_MEMORY_BLOCK *first(YR_MEMORY_BLOCK_ITERATOR *iterator)
{
	return at(iterator, 0);
}

static YR_MEMORY_BLOCK *next(YR_MEMORY_BLOCK_ITERATOR *iterator)
{
	const struct walk *walk = iterator->context;

	return at(iterator, walk->index + 1);
}

static uint64_t file_size(YR_MEMORY_BLOCK_ITERATOR *iterator)
{
	const struct walk *walk = iterator->context;

	return walk->source->size;
}

static int on_message(YR_SCAN_CONTEXT *context, int message, void *data,
		      void *user)
{
	struct bailey_finding finding;
	struct walk *walk = user;

	(void)context;
	if (message != CALLBACK_MSG_RULE_MATCHING) {
		return CALLBACK_CONTINUE;
	}
	finding_from_rule(data, &finding);
	if (!walk->found || finding.severity > walk->finding.severity) {
		walk->finding = finding;
		walk->found = 1;
	}
	return CALLBACK_CONTINUE;
}

static int result_of(const struct walk *walk, int yara)
{
	if (walk->error != 0) {
		return walk->error;
	}
	if (yara == ERROR_SCAN_TIMEOUT) {
		return -ETIMEDOUT;
	}
	if (yara != ERROR_SUCCESS) {
		return yara == ERROR_INSUFFICIENT_MEMORY ? -ENOMEM : -EIO;
	}
	return walk->found ? ENGINE_FOUND : 0;
}

int engine_scan(struct engine *engine, const struct scan_source *source,
		enum plan_kind plan, uint64_t limit_ns,
		struct bailey_finding *ret_finding)
{
	struct walk walk = {
		.engine = engine,
		.source = source,
		.plan = plan,
		.end = budget_now() + limit_ns,
		.loaded = NOTHING_LOADED,
		.block = { .fetch_data = fetch },
	};
	YR_MEMORY_BLOCK_ITERATOR iterator = {
		.context = &walk,
		.first = first,
		.next = next,
		.file_size = file_size,
	};
	int result;

	walk.block.context = &walk;
	yr_scanner_set_callback(engine->scanner, on_message, &walk);
	for (size_t i = 0; i < scan_fields_count; i++) {
		if (yr_scanner_define_integer_variable(engine->scanner,
						       scan_fields[i].name,
						       source->field[i]) !=
		    ERROR_SUCCESS) {
			return -EIO;
		}
	}
	/* 0 would mean no limit to libyara. */
	engine->scanner->timeout = limit_ns > 0 ? limit_ns : 1;
	result = result_of(&walk, yr_scanner_scan_mem_blocks(engine->scanner,
							     &iterator));
	if (result == ENGINE_FOUND) {
		*ret_finding = walk.finding;
	}
	return result;
}
