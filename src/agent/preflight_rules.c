/* SPDX-License-Identifier: Apache-2.0 */
/*
 * preflight_rules.c - the product's rules and collections, as the engine
 * would take and apply them
 *
 * A version whose rules are malformed fails here, and one whose rules deny
 * what must be allowed shows it in its verdicts. Bounds: RULE_MAX_TEXT,
 * PREFLIGHT_SETS, PREFLIGHT_MEMBERS.
 */
#include <string.h>

#include "agent/preflight_run.h"

int rules_text_begin(struct preflight_rules *rules)
{
	free(rules->text);
	rules->length = 0;
	rules->text = malloc(RULE_MAX_TEXT);
	return rules->text ? 0 : ENOMEM;
}

int rules_text_add(struct preflight_rules *rules, const void *bytes,
		   size_t size)
{
	if (!rules->text) {
		return EINVAL;
	}
	if (size > RULE_MAX_TEXT - rules->length) {
		return E2BIG;
	}
	memcpy(rules->text + rules->length, bytes, size);
	rules->length += size;
	return 0;
}

/* ---- collections ---- */

static size_t member_size(uint32_t kind)
{
	return kind == BAILEY_COLLECTION_SHA256   ? 32
	       : kind == BAILEY_COLLECTION_NUMBER ? sizeof(uint64_t)
						  : 0;
}

static size_t compare_size;

static int member_compare(const void *a, const void *b)
{
	return memcmp(a, b, compare_size);
}

static int set_index(const void *context, const char *name)
{
	const struct preflight_rules *rules = context;

	for (int i = 0; i < (int)PREFLIGHT_SETS; i++) {
		if (rules->set[i].name[0] &&
		    strcmp(rules->set[i].name, name) == 0) {
			return i;
		}
	}
	return -1;
}

static bool set_contains(const void *context, uint32_t index,
			 const void *member, size_t size)
{
	const struct preflight_rules *rules = context;
	const struct preflight_set *set;

	if (index >= PREFLIGHT_SETS) {
		return false;
	}
	set = &rules->set[index];
	compare_size = size;
	return set->size == size && set->count &&
	       bsearch(member, set->members, set->count, size,
		       member_compare);
}

static size_t members_in_all(const struct preflight_rules *rules)
{
	size_t n = rules->change.count;

	for (size_t i = 0; i < PREFLIGHT_SETS; i++) {
		n += rules->set[i].count;
	}
	return n;
}

static int change_append(struct preflight_rules *rules, const void *members,
			 size_t count)
{
	struct preflight_set *c = &rules->change;
	size_t room = c->room ? c->room : 1024;
	unsigned char *grown;

	if (count > PREFLIGHT_MEMBERS - members_in_all(rules)) {
		return E2BIG;
	}
	while (room < c->count + count) {
		room *= 2;
	}
	if (room != c->room) {
		grown = realloc(c->members, room * c->size);
		if (!grown) {
			return ENOMEM;
		}
		c->members = grown;
		c->room = room;
	}
	if (count) {
		memcpy(c->members + c->count * c->size, members,
		       count * c->size);
	}
	c->count += count;
	return 0;
}

static void change_drop(struct preflight_rules *rules)
{
	free(rules->change.members);
	rules->change = (struct preflight_set){ 0 };
	rules->changing = 0;
}

int rules_set_begin(struct preflight_rules *rules, const struct wire_set *wire)
{
	size_t size = member_size(wire->kind);
	struct preflight_set *set;
	int index, error;

	if (rules->changing) {
		return EBUSY;
	}
	if (!size || !wire->name[0] ||
	    !memchr(wire->name, 0, sizeof(wire->name))) {
		return EINVAL;
	}
	index = set_index(rules, wire->name);
	for (int i = 0; index < 0 && i < (int)PREFLIGHT_SETS; i++) {
		index = rules->set[i].name[0] ? -1 : i;
	}
	if (index < 0) {
		return BAILEY_E_FULL;
	}
	set = &rules->set[index];
	memcpy(set->name, wire->name, sizeof(set->name));
	rules->change = (struct preflight_set){ .size = size };
	rules->changing = (uint32_t)index + 1;
	error = set->size == size
			? change_append(rules, set->members, set->count) : 0;
	if (error) {
		change_drop(rules);
	}
	return error;
}

int rules_set_add(struct preflight_rules *rules, const void *members,
		  size_t bytes)
{
	struct preflight_set *c = &rules->change;

	if (!rules->changing || bytes % c->size) {
		return EINVAL;
	}
	return change_append(rules, members, bytes / c->size);
}

static void change_sort(struct preflight_set *c)
{
	size_t kept = 0;

	compare_size = c->size;
	if (c->count) {
		qsort(c->members, c->count, c->size, member_compare);
	}
	for (size_t i = 0; i < c->count; i++) {
		const unsigned char *m = c->members + i * c->size;

		if (!kept || memcmp(c->members + (kept - 1) * c->size, m,
				    c->size) != 0) {
			memmove(c->members + kept++ * c->size, m, c->size);
		}
	}
	c->count = kept;
}

int rules_set_remove(struct preflight_rules *rules, const void *members,
		     size_t bytes)
{
	struct preflight_set *c = &rules->change;

	if (!rules->changing || bytes % c->size) {
		return EINVAL;
	}
	change_sort(c);
	for (size_t i = 0; i < bytes && c->count; i += c->size) {
		unsigned char *at = bsearch((const char *)members + i,
					    c->members, c->count, c->size,
					    member_compare);

		if (at) {
			size_t index = (size_t)(at - c->members) / c->size;

			memmove(at, at + c->size,
				(c->count - index - 1) * c->size);
			c->count--;
		}
	}
	return 0;
}

int rules_set_commit(struct preflight_rules *rules)
{
	struct preflight_set *set;

	if (!rules->changing) {
		return EINVAL;
	}
	change_sort(&rules->change);
	set = &rules->set[rules->changing - 1];
	memcpy(rules->change.name, set->name, sizeof(set->name));
	free(set->members);
	*set = rules->change;
	rules->change = (struct preflight_set){ 0 };
	rules->changing = 0;
	return 0;
}

/* ---- rules ---- */

int rules_text_commit(struct preflight_rules *rules,
		      const struct manifest *manifest,
		      struct rule_error *ret_error)
{
	struct rule_limits limits = {
		.product = true, .deny_nothing = !manifest->may_deny[0][0],
		.set_index = set_index, .set_context = rules,
	};
	struct rule_program *program;
	int r;

	if (!rules->text) {
		return EINVAL;
	}
	memcpy(limits.may_deny, manifest->may_deny, sizeof(limits.may_deny));
	*ret_error = (struct rule_error){ 0 };
	r = rule_compile(rules->text, rules->length, &limits, &program,
			 ret_error);
	free(rules->text);
	rules->text = NULL;
	if (r < 0) {
		return r == -EBADMSG ? BAILEY_E_RULE : -r;
	}
	free(rules->program);
	rules->program = program;
	return 0;
}

static int64_t number(const struct wire_event *event, unsigned field)
{
	return event->present >> field & 1 ? event->number[field] : 0;
}

uint32_t rules_verdict(const struct preflight_rules *rules,
		       const struct wire_event *event)
{
	const struct wire_string *path =
		&event->string[BAILEY_FIELD_PATH - WIRE_NUMBERS];
	const struct wire_string *exe =
		&event->string[BAILEY_FIELD_EXE_PATH - WIRE_NUMBERS];
	const struct rule_sets sets = { set_contains, rules };
	struct rule_facts facts = {
		.kind = event->kind,
		.have = RULE_FACT_OBJECT | RULE_FACT_MODE | RULE_FACT_OWNER |
			RULE_FACT_SIZE | RULE_FACT_UID | RULE_FACT_EXE,
		.path = (const char *)event + path->offset,
		.path_length = path->length,
		.path_foreign = number(event, BAILEY_FIELD_PATH_FOREIGN) != 0,
		.exe_path = (const char *)event + exe->offset,
		.exe_path_length = exe->length,
		.exe_device = (uint64_t)number(event, BAILEY_FIELD_EXE_DEVICE),
		.exe_inode = (uint64_t)number(event, BAILEY_FIELD_EXE_INODE),
		.device = (uint64_t)number(event, BAILEY_FIELD_DEVICE),
		.inode = (uint64_t)number(event, BAILEY_FIELD_INODE),
		.size = (uint64_t)number(event, BAILEY_FIELD_SIZE),
		.uid = (uint32_t)number(event, BAILEY_FIELD_UID),
		.owner = (uint32_t)number(event, BAILEY_FIELD_OWNER),
		.mode = (uint32_t)number(event, BAILEY_FIELD_FILE_MODE),
	};
	struct rule_match match;

	if (!rules->program) {
		return BAILEY_VERDICT_NONE;
	}
	facts.have |= facts.path_length ? RULE_FACT_PATH : 0;
	switch (rule_eval(rules->program, &facts, &sets, &match)) {
	case RULE_DENY:
		return BAILEY_VERDICT_DENY;
	case RULE_ALLOW:
	case RULE_QUIET:
	case RULE_NOTIFY:
		return BAILEY_VERDICT_ALLOW;
	case RULE_ASK:
	case RULE_NONE:
		break;
	}
	return BAILEY_VERDICT_NONE;
}

void rules_fini(struct preflight_rules *rules)
{
	free(rules->text);
	free(rules->program);
	free(rules->change.members);
	for (size_t i = 0; i < PREFLIGHT_SETS; i++) {
		free(rules->set[i].members);
	}
	*rules = (struct preflight_rules){ 0 };
}
