/* SPDX-License-Identifier: Apache-2.0 */
/*
 * eng_records.c - process records enter the table, and go out as news
 *
 * Called by the reply thread after questions were read and before the first of
 * them is judged, so that each is judged with its asker's identity after its
 * latest exec. With nothing new it costs two loads.
 */
#include "broker/eng.h"

#define RECORDS_TRIES 20

static const struct {
	uint32_t kind;
	uint32_t bit;
} record_news[] = {
	[PROCESS_FORK] = { BAILEY_EVENT_PROCESS_FORK, ENG_NEWS_FORK },
	[PROCESS_EXEC] = { BAILEY_EVENT_PROCESS_STARTED, ENG_NEWS_STARTED },
	[PROCESS_EXIT] = { BAILEY_EVENT_PROCESS_EXIT, ENG_NEWS_EXIT },
};

/* A program from a file system that nobody marked: it was not asked about. */
static void record_unmediated(struct engine *e,
			      const struct process_record *record)
{
	uint32_t n = atomic_load_explicit(&e->table->device_count,
					  memory_order_relaxed);

	for (uint32_t i = 0; i < n && i < HANDOFF_DEVICES; i++) {
		if (atomic_load_explicit(&e->table->device[i],
					 memory_order_relaxed) ==
		    record->exe_device) {
			return;
		}
	}
	e->view.unmediated += n && record->exe_inode;
}

static void record_apply(void *context, const struct process_record *record,
			 size_t bytes)
{
	struct engine *e = context;

	(void)bytes;
	if (!process_table_apply(e->processes, record) &&
	    record->type == PROCESS_EXIT) {
		return;         /* said before, or of one never heard of */
	}
	if (record->type == PROCESS_EXEC) {
		record_unmediated(e, record);
	}
	if (record->type >= sizeof(record_news) / sizeof(record_news[0]) ||
	    !record_news[record->type].kind) {
		return;
	}
	for ENG_EACH(i, e->active) {
		struct session *s = &e->session[i];

		if (atomic_load_explicit(&s->news_wanted,
					 memory_order_relaxed) &
			    record_news[record->type].bit &&
		    s->phase == SESSION_SERVING && eng_is_asked(e, s)) {
			eng_news(e, s, record_news[record->type].kind, record);
		}
	}
}

static void records_snapshot(struct engine *e)
{
	const struct process_record *r =
		atomic_load_explicit(&e->snapshot, memory_order_acquire);

	for (uint32_t i = 0; r && i < e->snapshot_count; i++) {
		process_table_apply(e->processes, &r[i]);
	}
	if (r) {
		process_table_snapshot_end(e->processes, e->snapshot_since);
		atomic_store(&e->snapshot, NULL);
	}
}

void eng_records_drain(struct engine *e)
{
	int r = PROCESS_RING_BUSY;
	uint64_t lost;

	records_snapshot(e);
	if (!(e->table->features & HANDOFF_HAS_BPF)) {
		return;
	}
	/* BUSY: another processor is writing one, and the asker's may be behind
	 * it. Some 100 us each. */
	for (int i = 0; r == PROCESS_RING_BUSY && i < RECORDS_TRIES; i++) {
		r = process_ring_drain(&e->ring, record_apply, e);
	}
	if (r < 0) {
		e->table->features &= ~HANDOFF_HAS_BPF;
	}
	lost = process_ring_lost(&e->ring);
	if (lost != e->view.process_lost) {
		e->view.process_lost = lost;
		atomic_store(&e->stale, 1);
		eng_service_kick(e);
		process_table_mark_uncertain(e->processes);
	}
}
