/* SPDX-License-Identifier: Apache-2.0 */
/*
 * eng_cache.c - verdicts that still hold: here, and in the kernel
 *
 * Fourth of the seven files (eng.h). A product says for what else its verdict
 * holds; the answer of all asked products together is as wide as the
 * narrowest. An entry is the object as it was (ctime and size included), the
 * event type, and the opener's program where the scope says so. Rules are
 * applied before the cache, so that no cached verdict can hide one.
 *
 * In the kernel (an ignore mark): allow, for the object alone, when no rule
 * looks at the subject or the name and no unprivileged subject can write the
 * object: ignore marks survive stores through shared mappings, libaio writes,
 * chmod and rename.
 *
 * Here: entered and used only if nobody has the object open or mapped for
 * writing and its ctime is older than 20 ms.
 *
 * Direct-mapped; a new entry replaces an old one. Each entry carries the epoch
 * in which it was judged.
 */
#include <string.h>
#include <sys/fanotify.h>

#include "base/hash.h"
#include "broker/eng.h"

#ifndef FAN_OPEN_EXEC_PERM
#define FAN_OPEN_EXEC_PERM 0x00040000
#endif
#ifndef FAN_MARK_IGNORE         /* Linux 6.0 */
#define FAN_MARK_IGNORE 0x00000400
#endif
#ifndef FAN_MARK_EVICTABLE      /* Linux 5.19 */
#define FAN_MARK_EVICTABLE 0x00000200
#endif

static const uint64_t kind_mask[ENG_KINDS] = {
	[ENG_OPEN] = FAN_OPEN_PERM,
	[ENG_EXEC] = FAN_OPEN_EXEC_PERM,
};

static bool remembered_is(const struct remembered *r, uint32_t kind,
			  const struct object *object)
{
	return r->inode == object->inode && r->kind == kind &&
	       r->device == object->device &&
	       r->generation == object->generation &&
	       r->changed_ns == object->changed_ns && r->size == object->size;
}

static const struct remembered *remembered_find(const struct engine *e,
						uint32_t kind,
						const struct object *object)
{
	for (uint32_t i = 0; i < e->remembered_count; i++) {
		if (remembered_is(&e->remembered[i], kind, object)) {
			return &e->remembered[i];
		}
	}
	return NULL;
}

static void remember(struct engine *e, const struct view_decision *d)
{
	const struct object object = {
		.device = d->device, .inode = d->inode,
		.generation = d->generation, .changed_ns = d->changed_ns,
		.size = d->size };
	uint32_t kind = d->kind == BAILEY_EVENT_PROCESS_EXEC ? ENG_EXEC
							      : ENG_OPEN;

	if (d->verdict == BAILEY_VERDICT_DENY && d->deciders &&
	    d->scope == BAILEY_SCOPE_OBJECT &&
	    !remembered_find(e, kind, &object)) {
		e->remembered[e->remembered_count++] = (struct remembered){
			object.device, object.inode, object.generation,
			object.changed_ns, object.size, d->deciders, kind };
	}
}

/* The newest first, each object once: one that is tried all the time may not
 * wash the others away. */
void eng_cache_remember(struct engine *e)
{
	uint64_t head = atomic_load(&e->denials.head);
	uint64_t n = head < e->denials.size ? head : e->denials.size;

	for (uint64_t i = 1; i <= n && e->remembered_count < ENG_REMEMBERED;
	     i++) {
		remember(e, &e->denials.entry[(head - i) % e->denials.size]);
	}
}

/* Who of those who denied it is not back yet? */
static uint32_t cache_remembered(const struct engine *e,
				 const struct question *q)
{
	const struct remembered *r = remembered_find(e, q->kind, &q->object);
	uint32_t expected = atomic_load(&e->table->hold_products);
	uint32_t absent = 0;

	for (uint32_t i = 0; r && i < HANDOFF_PRODUCTS; i++) {
		const struct session *s = &e->session[i];

		/* the monitor may not have told of it yet */
		bool enforce = s->present ? atomic_load(&s->mode) ==
						    BAILEY_MODE_ENFORCE
					  : expected >> i & 1;

		absent |= !s->served && enforce ? 1u << i : 0;
	}
	return r ? r->deciders & absent : 0;
}

static struct cache_entry *cache_slot(struct engine *e,
				      const struct question *q, bool exe)
{
	uint64_t h = hash_pair(q->object.inode ^ e->seed, q->object.device);

	h = hash_pair(h, q->kind);
	if (exe) {
		h = hash_pair(h, q->asker.exe_inode);
	}
	return &e->cache[h % ENG_CACHE_ENTRIES];
}

static bool cache_matches(const struct cache_entry *c,
			  const struct question *q, bool exe)
{
	return c->verdict && c->epoch == q->epoch && c->kind == q->kind &&
	       c->inode == q->object.inode && c->device == q->object.device &&
	       c->generation == q->object.generation &&
	       c->changed_ns == q->object.changed_ns &&
	       c->size == q->object.size &&
	       c->exe_inode == (exe ? q->asker.exe_inode : 0) &&
	       c->exe_device == (exe ? (uint32_t)q->asker.exe_device : 0);
}

/* The verdict is cleared first and written last: a worker that dies in between
 * leaves an entry that matches nothing. */
static void cache_write(struct cache_entry *c, const struct question *q,
			bool exe, uint32_t verdict)
{
	c->verdict = BAILEY_VERDICT_NONE;
	atomic_signal_fence(memory_order_seq_cst);
	c->inode = q->object.inode;
	c->device = q->object.device;
	c->generation = q->object.generation;
	c->changed_ns = q->object.changed_ns;
	c->size = q->object.size;
	c->exe_inode = exe ? q->asker.exe_inode : 0;
	c->exe_device = exe ? (uint32_t)q->asker.exe_device : 0;
	c->epoch = q->epoch;
	c->kind = (uint8_t)q->kind;
	c->deciders = verdict == BAILEY_VERDICT_DENY ? q->denied : 0;
	atomic_signal_fence(memory_order_seq_cst);
	c->verdict = (uint8_t)verdict;
}

/* May a verdict about the object as it is now be kept, or used? Not while
 * somebody has it open or mapped for writing, root's own files too: a user who
 * mapped it before root took it over stores on, and no time stamp moves. */
static bool cache_stable(const struct question *q)
{
	return q->object.changed_ns + ENG_CTIME_AGE_NS <= wall_now_ns() &&
	       !eng_object_has_writer(q->fd);
}

bool eng_cache_find(struct engine *e, struct question *q,
		    enum bailey_verdict *ret_verdict)
{
	const struct cache_entry *c = cache_slot(e, q, false);
	uint32_t deciders = e->remembered_count ? cache_remembered(e, q) : 0;

	if (deciders) {
		q->denied = deciders;   /* in the record: remembered again */
		q->scope = BAILEY_SCOPE_OBJECT;
		*ret_verdict = BAILEY_VERDICT_DENY;
		return true;
	}
	if (!cache_matches(c, q, false)) {
		if (!q->asker.known || q->asker.uncertain) {
			return false;
		}
		c = cache_slot(e, q, true);
		if (!cache_matches(c, q, true)) {
			return false;
		}
	}
	if (!cache_stable(q)) {
		return false;
	}
	q->denied = c->deciders;
	q->scope = c->exe_inode ? BAILEY_SCOPE_OBJECT_EXE : BAILEY_SCOPE_OBJECT;
	*ret_verdict = c->verdict;
	return true;
}

bool eng_cache_denies(struct engine *e, const struct question *q)
{
	const struct cache_entry *c = cache_slot(e, q, false);

	return cache_matches(c, q, false) && c->verdict == BAILEY_VERDICT_DENY;
}

/* The asker has its answer and may have written, closed and given the object
 * away before the mark stood: a mark that came after the change would hide it.
 * What changes later drops the mark. */
static bool cache_kernel_late(const struct question *q)
{
	struct object now;

	return eng_identify_object(q->fd, &now) < 0 ||
	       !eng_object_same(&now, &q->object) ||
	       !eng_object_protected(&now, q->fd);
}

static void cache_kernel(struct engine *e, struct question *q)
{
	uint64_t mask = kind_mask[q->kind];

	if (q->object.changed_ns + ENG_CTIME_AGE_NS > wall_now_ns() ||
	    fanotify_mark(HANDOFF_FD_GROUP,
			  FAN_MARK_ADD | FAN_MARK_IGNORE | FAN_MARK_EVICTABLE,
			  mask, q->fd, NULL) < 0) {
		return;
	}
	if (cache_kernel_late(q)) {
		fanotify_mark(HANDOFF_FD_GROUP,
			      FAN_MARK_REMOVE | FAN_MARK_IGNORE, mask, q->fd,
			      NULL);
		return;
	}
	e->view.kernel_cached++;
	if (atomic_load(&e->epoch) != q->epoch) {
		atomic_store(&e->flush, 1);     /* it slipped past a flush */
		eng_service_kick(e);
	}
}

void eng_cache_enter(struct engine *e, struct question *q)
{
	uint32_t needs = atomic_load(&e->needs[q->kind]);
	bool exe = q->scope == BAILEY_SCOPE_OBJECT_EXE;
	if (q->scope == BAILEY_SCOPE_ONCE ||
	    atomic_load(&e->epoch) != q->epoch ||
	    (exe && (!q->asker.known || q->asker.uncertain))) {
		return;
	}
	if (!exe && q->verdict == BAILEY_VERDICT_ALLOW &&
	    !(needs & ~(uint32_t)(RULE_FACT_OBJECT | RULE_FACT_SIZE)) &&
	    eng_object_protected(&q->object, q->fd)) {
		cache_kernel(e, q);
	}
	if (!cache_stable(q)) {
		return;
	}
	cache_write(cache_slot(e, q, exe), q, exe, q->verdict);
}

static bool revise_holds(const struct wire_event *w,
			 const struct bailey_object *object)
{
	return w->id && (w->present & 1ull << BAILEY_FIELD_INODE) &&
	       (uint64_t)w->number[BAILEY_FIELD_INODE] == object->inode &&
	       (uint64_t)w->number[BAILEY_FIELD_DEVICE] == object->device &&
	       (uint64_t)w->number[BAILEY_FIELD_OBJECT_GENERATION] ==
		       object->generation;
}

/* The object as it was when this product was asked about it, from the slots
 * that it still holds; it may speak of no other. */
static bool revise_object(struct engine *e, struct session *s,
			  const struct bailey_object *object,
			  struct object *ret_object)
{
	for (uint32_t i = 0; i < WIRE_SLOTS; i++) {
		const struct wire_event *w = (const void *)
			((char *)e->region[s->index].events +
			 WIRE_SLOTS_OFFSET + (size_t)i * WIRE_SLOT_SIZE);

		if (s->slot[i].id && revise_holds(w, object)) {
			*ret_object = (struct object){
				.device = object->device,
				.inode = object->inode,
				.generation = object->generation,
				.changed_ns = (uint64_t)
					w->number[BAILEY_FIELD_CHANGED],
				.size = (uint64_t)w->number[BAILEY_FIELD_SIZE],
				.owner = (uint32_t)
					w->number[BAILEY_FIELD_OWNER],
			};
			return true;
		}
	}
	return false;
}

void eng_revise(struct engine *e, struct session *s,
		const struct bailey_object *object, enum bailey_verdict verdict,
		const struct bailey_finding *finding)
{
	struct session *product = &e->session[s->product];
	struct question q = { .finding = *finding,
			      .denied = 1u << s->product };
	bool enforce;

	/* One that is not asked says what its content says, not the one that
	 * counts. */
	if (!eng_is_asked(e, s) || !revise_object(e, s, object, &q.object)) {
		product->view.late++;
		return;
	}
	enforce = verdict == BAILEY_VERDICT_DENY &&
		  atomic_load(&product->mode) == BAILEY_MODE_ENFORCE &&
		  !eng_verdict_brake(e, product, &q.object, mono_now());
	q.epoch = atomic_load(&e->epoch);
	for (uint32_t k = 0; k < ENG_KINDS; k++) {
		struct cache_entry *c;

		q.kind = k;
		c = cache_slot(e, &q, false);
		if (enforce) {
			cache_write(c, &q, false, verdict);
		} else if (cache_matches(c, &q, false)) {
			c->verdict = BAILEY_VERDICT_NONE;
		}
	}
	atomic_store(&e->flush, 1);     /* it may be an ignore mark */
	eng_service_kick(e);
}
