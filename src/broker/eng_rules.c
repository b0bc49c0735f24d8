/* SPDX-License-Identifier: Apache-2.0 */
/*
 * eng_rules.c - what rules say of a question, before anybody is asked
 *
 * Third of the seven files (eng.h). The keep list comes first: nobody, not
 * even an administrator's slip, denies what the host needs to be repaired.
 * Then the administrator's rules, which are final; then each product's own,
 * where allow, quiet and notify stand for that product's verdict only and
 * anyone's deny denies. Only the facts that rules look at are gathered.
 */
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "broker/eng.h"
#include "broker/eng_set.h"

bool eng_kept(const struct engine *e, const struct object *object)
{
	uint32_t low = 0, high = e->keep_count;

	if (object->owner != 0) {
		return false;
	}
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		const struct handoff_keep *k = &e->keep[middle];

		if (k->inode == object->inode && k->device == object->device) {
			return true;
		}
		if (k->inode < object->inode ||
		    (k->inode == object->inode &&
		     k->device < object->device)) {
			low = middle + 1;
		} else {
			high = middle;
		}
	}
	return false;
}

static void rules_gather(struct engine *e, struct question *q,
			 struct rule_facts *facts)
{
	uint32_t needs = atomic_load_explicit(&e->needs[q->kind],
					      memory_order_acquire);
	const struct process *p;

	*facts = (struct rule_facts){
		.kind = eng_kind_event[q->kind],
		.have = RULE_FACT_OBJECT | RULE_FACT_MODE | RULE_FACT_OWNER |
			RULE_FACT_SIZE,
		.device = q->object.device, .inode = q->object.inode,
		.size = q->object.size, .owner = q->object.owner,
		.mode = q->object.mode,
	};
	if (needs & RULE_FACT_PATH) {
		eng_identify_path(e, q);
		facts->path = eng_path(&facts->path_length);
		facts->path_foreign = q->path_foreign;
		facts->have |= facts->path_length ? RULE_FACT_PATH : 0;
	}
	if (q->asker.uid != UINT32_MAX) {
		facts->uid = q->asker.uid;
		facts->have |= RULE_FACT_UID;
	}
	if (q->asker.known) {
		facts->cgroup = q->asker.cgroup;
		facts->exe_device = q->asker.exe_device;
		facts->exe_inode = q->asker.exe_inode;
		facts->have |= RULE_FACT_CGROUP | RULE_FACT_EXE;
	}
	if (needs & RULE_FACT_EXE) {
		p = process_table_find(e->processes, q->asker.pid);
		if (p) {
			facts->exe_path_foreign = p->exe_foreign;
			facts->exe_path = p->exe_path;
			facts->exe_path_length = p->exe_path_length;
		}
	}
}

static enum rule_action rules_eval(struct program *program,
				   const struct rule_facts *facts,
				   const struct rule_sets *sets,
				   struct rule_match *ret_match)
{
	const struct rule_program *rules =
		atomic_load_explicit(&program->rules, memory_order_acquire);

	return rules ? rule_eval(rules, facts, sets, ret_match) : RULE_NONE;
}

/* Returns true if the administrator's rules are final. */
static bool rules_admin(struct engine *e, const struct rule_facts *facts,
			struct ruling *ruling)
{
	struct rule_match match = { 0 };
	enum rule_action action = rules_eval(&e->admin, facts, NULL, &match);

	ruling->line = match.line;
	ruling->by = VIEW_BY_ADMIN;
	if (action == RULE_ALLOW || action == RULE_QUIET ||
	    action == RULE_NOTIFY) {
		ruling->verdict = BAILEY_VERDICT_ALLOW;
		return true;
	}
	if (action == RULE_DENY) {
		ruling->verdict = BAILEY_VERDICT_DENY;
		return true;
	}
	ruling->ask = action == RULE_ASK;
	return false;
}

static void rules_product(struct engine *e, struct session *product,
			  const struct rule_facts *facts,
			  struct ruling *ruling)
{
	struct session *s = &e->session[eng_asked(e, product->index)];
	const struct rule_sets sets = { eng_set_contains, s };
	struct rule_match match = { 0 };
	enum rule_action action = rules_eval(&s->rules, facts, &sets, &match);

	switch (action) {
	case RULE_DENY:
		if (atomic_load(&product->mode) != BAILEY_MODE_ENFORCE) {
			product->view.would_deny++;
			e->view.would_deny++;
			break;
		}
		ruling->verdict = BAILEY_VERDICT_DENY;
		ruling->by = VIEW_BY_RULE;
		ruling->line = match.line;
		ruling->product = product->index;
		product->view.denied++;
		break;
	case RULE_ALLOW:
	case RULE_QUIET:
	case RULE_NOTIFY:
		ruling->satisfied |= 1u << product->index;
		break;
	case RULE_ASK:
		ruling->ask = true;
		break;
	case RULE_NONE:
		break;
	}
}

void eng_rules_judge(struct engine *e, struct question *q,
		     struct ruling *ret_ruling)
{
	struct rule_facts facts;

	*ret_ruling = (struct ruling){ 0 };
	if (eng_kept(e, &q->object)) {
		e->view.kept++;
		ret_ruling->verdict = BAILEY_VERDICT_ALLOW;
		ret_ruling->by = VIEW_BY_KEEP;
		return;
	}
	if (!atomic_load_explicit(&e->programs, memory_order_acquire)) {
		return;
	}
	rules_gather(e, q, &facts);
	if (rules_admin(e, &facts, ret_ruling)) {
		return;
	}
	ret_ruling->line = 0;
	for (uint32_t i = 0; i < HANDOFF_PRODUCTS; i++) {
		struct session *s = &e->session[i];

		if (s->present && ret_ruling->verdict == BAILEY_VERDICT_NONE) {
			rules_product(e, s, &facts, ret_ruling);
		}
	}
}

/* Service thread, after any program changed. */
void eng_rules_changed(struct engine *e)
{
	uint32_t programs = 0;

	for (uint32_t k = 0; k < ENG_KINDS; k++) {
		const struct rule_program *p = e->admin.rules;
		uint32_t event = eng_kind_event[k];
		uint32_t needs = p ? rule_program_needs(p, event) : 0;

		programs += p != NULL;
		for (uint32_t i = 0; i < HANDOFF_PRODUCTS; i++) {
			p = e->session[i].rules.rules;
			if (p) {
				needs |= rule_program_needs(p, event);
				programs++;
			}
		}
		atomic_store(&e->needs[k], needs);
	}
	atomic_store(&e->programs, programs);
	eng_verdicts_expire(e);
}

/* Whatever was cached may be stale: raise the epoch, then have the ignore
 * marks dropped. */
void eng_verdicts_expire(struct engine *e)
{
	atomic_fetch_add(&e->epoch, 1);
	atomic_store(&e->flush, 1);
}
