/* SPDX-License-Identifier: Apache-2.0 */
/*
 * eng_poison.c - whose fault is it: objects that make products fail
 *
 * An object that was with a product at two of its crashes, kills or misses is
 * poison for it: not shown to it any more until the object changes, answered
 * by `on_poison`. An answer clears it. Direct-mapped: a collision forgets. Each
 * content of a product has its own: what one version died over says nothing of
 * the next, or of the one before.
 */
#include "base/hash.h"
#include "broker/eng.h"

#define POISON_STRIKES 2u

static uint64_t poison_key(const struct engine *e, const struct question *q,
			   const struct session *s)
{
	uint64_t h = hash_pair(q->object.inode ^ e->seed, q->object.device);

	h = hash_pair(h, q->object.changed_ns ^ q->object.size << 17);
	return hash_pair(h, s->index | (uint64_t)s->serial << 8) | 1;
}

static struct poison *poison_slot(struct engine *e, uint64_t key)
{
	return &e->poison[key / 2 % ENG_POISON];
}

bool eng_poisoned(struct engine *e, const struct question *q,
		  const struct session *s)
{
	uint64_t key = poison_key(e, q, s);
	const struct poison *p = poison_slot(e, key);

	return p->key == key && p->strikes >= POISON_STRIKES;
}

void eng_poison_strike(struct engine *e, const struct question *q,
		       const struct session *s)
{
	uint64_t key = poison_key(e, q, s);
	struct poison *p = poison_slot(e, key);

	if (p->key != key) {
		*p = (struct poison){ .key = key };
	}
	if (p->strikes < POISON_STRIKES && ++p->strikes == POISON_STRIKES) {
		e->session[s->product].view.poison++;
	}
}

void eng_poison_clear(struct engine *e, const struct question *q,
		      const struct session *s)
{
	uint64_t key = poison_key(e, q, s);
	struct poison *p = poison_slot(e, key);

	if (p->key == key && p->strikes < POISON_STRIKES) {
		p->strikes = 0;
	}
}
