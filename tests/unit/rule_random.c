/* SPDX-License-Identifier: Apache-2.0 */
#include "rule_random.h"

#include <sys/sysmacros.h>

static void random_path(uint32_t *seed, unsigned depth, unsigned names,
			char *ret_path)
{
	char *p = ret_path;

	for (unsigned i = 0; i < depth; i++) {
		p += sprintf(p, "/d%u", lib_random(seed, names));
	}
}

static size_t leaf_text(const struct random_node *n, char *t)
{
	const char *any = n->any_namespace ? " any-namespace" : "";

	switch (n->leaf) {
	case LEAF_PATH:
		return (size_t)sprintf(t, "path \"%s\"%s", n->path, any);
	case LEAF_PREFIX:
		return (size_t)sprintf(t, "path-prefix \"%s\"%s", n->path, any);
	case LEAF_GLOB:
		return (size_t)sprintf(t, "path \"%s/*\"%s", n->path, any);
	case LEAF_EXE:
		return (size_t)sprintf(t, "exe \"%s\"%s", n->path, any);
	case LEAF_OBJECT:
		return (size_t)sprintf(t, "object 8:1 %u", (unsigned)n->number);
	case LEAF_UID:
		return (size_t)sprintf(t, "uid %u", (unsigned)n->number);
	case LEAF_OWNER:
		return (size_t)sprintf(t, "owner < %u", (unsigned)n->number);
	case LEAF_SIZE:
		return (size_t)sprintf(t, "size >= %uK", (unsigned)n->number);
	case LEAF_STAFF:
		return (size_t)sprintf(t, "uid in collection staff");
	default:
		return (size_t)sprintf(t, "sha256 in collection bad");
	}
}

/* Builds one node and what hangs below it; returns its index. */
static int random_node(uint32_t *seed, struct random_rule *r, unsigned depth,
		       char **t)
{
	int at = r->nodes++;
	struct random_node *n = &r->node[at];
	unsigned type = depth ? lib_random(seed, 6) : 5;

	memset(n, 0, sizeof(*n));
	if (type == 0) {
		n->type = NODE_NOT;
		*t += sprintf(*t, "not (");
		n->left = random_node(seed, r, depth - 1, t);
		*t += sprintf(*t, ")");
	} else if (type < 3) {
		n->type = type == 1 ? NODE_AND : NODE_OR;
		*t += sprintf(*t, "(");
		n->left = random_node(seed, r, depth - 1, t);
		*t += sprintf(*t, type == 1 ? " and " : " or ");
		n->right = random_node(seed, r, depth - 1, t);
		*t += sprintf(*t, ")");
	} else {
		n->leaf = lib_random(seed, LEAF_TYPES);
		random_path(seed, 1 + lib_random(seed, 4), 7, n->path);
		n->any_namespace = (r->action == RULE_DENY ||
				    r->action == RULE_ASK) &&
				   n->leaf <= LEAF_EXE && !lib_random(seed, 4);
		n->number = lib_random(seed, 2000);
		*t += leaf_text(n, *t);
	}
	return at;
}

size_t random_rule(uint32_t *seed, struct random_rule *ret_rule, char *text)
{
	static const char *const events[] = {
		"", "file.open", "process.exec", "file.open,process.exec"
	};
	struct random_rule *r = ret_rule;
	unsigned event = 1 + lib_random(seed, 3);
	char *t = text;

	r->action = (enum rule_action)(1 + lib_random(seed, 5));
	r->open = event & 1;
	r->exec = event & 2;
	r->nodes = 0;
	r->priority = (int)lib_random(seed, 40) - 20;
	t += sprintf(t, "%s %s ", rule_action_name(r->action), events[event]);
	random_node(seed, r, lib_random(seed, 4), &t);
	t += sprintf(t, " priority %d\n", r->priority);
	return (size_t)(t - text);
}

void random_facts(uint32_t *seed, char storage[2][64], uint8_t hash[32],
		  struct rule_facts *ret_facts)
{
	struct rule_facts *f = ret_facts;

	memset(f, 0, sizeof(*f));
	random_path(seed, 1 + lib_random(seed, 5), 8, storage[0]);
	random_path(seed, 1 + lib_random(seed, 3), 8, storage[1]);
	memset(hash, lib_random(seed, 3) ? 0xbb : 0, 32);
	f->kind = lib_random(seed, 2) ? BAILEY_EVENT_FILE_OPEN
				      : BAILEY_EVENT_PROCESS_EXEC;
	f->have = 0x1ff;
	for (unsigned i = 0; i < 9; i++) {
		f->have &= lib_random(seed, 12) ? ~0u : ~(1u << i);
	}
	f->path = storage[0];
	f->path_length = strlen(f->path);
	f->path_foreign = !lib_random(seed, 5);
	f->exe_path = storage[1];
	f->exe_path_length = strlen(f->exe_path);
	f->exe_path_foreign = !lib_random(seed, 5);
	f->device = makedev(8, lib_random(seed, 8) ? 1 : 2);
	f->inode = lib_random(seed, 2000);
	f->uid = lib_random(seed, 2000);
	f->owner = lib_random(seed, 2000);
	f->size = (uint64_t)lib_random(seed, 2000) << 10;
	f->sha256 = hash;
}

/* ---- naive ---- */

enum { FALSE, FOREIGN, MISSING, TRUE };

static int truth(bool value)
{
	return value ? TRUE : FALSE;
}

static int naive_path(const struct random_node *n, bool have, bool foreign,
		      const char *path)
{
	size_t length = strlen(n->path);
	bool below = !strncmp(path, n->path, length) && path[length] == '/';

	if (!have) {
		return MISSING;
	}
	if (foreign && !n->any_namespace) {
		return FOREIGN;
	}
	switch (n->leaf) {
	case LEAF_PREFIX:
		return truth(below || !strcmp(path, n->path));
	case LEAF_GLOB:
		return truth(below && !strchr(path + length + 1, '/'));
	default:
		return truth(!strcmp(path, n->path));
	}
}

static int naive_leaf(const struct random_node *n, const struct rule_facts *f)
{
	switch (n->leaf) {
	case LEAF_PATH:
	case LEAF_PREFIX:
	case LEAF_GLOB:
		return naive_path(n, f->have & RULE_FACT_PATH,
				  f->path_foreign, f->path);
	case LEAF_EXE:
		return naive_path(n, f->have & RULE_FACT_EXE,
				  f->exe_path_foreign, f->exe_path);
	case LEAF_OBJECT:
		return f->have & RULE_FACT_OBJECT
			? truth(f->device == makedev(8, 1) &&
				f->inode == n->number) : MISSING;
	case LEAF_UID:
		return f->have & RULE_FACT_UID ? truth(f->uid == n->number)
					       : MISSING;
	case LEAF_OWNER:
		return f->have & RULE_FACT_OWNER
			? truth(f->owner < n->number) : MISSING;
	case LEAF_SIZE:
		return f->have & RULE_FACT_SIZE
			? truth(f->size >= n->number << 10) : MISSING;
	case LEAF_STAFF:
		return f->have & RULE_FACT_UID
			? truth(f->uid >= 1000 && f->uid <= 1009) : MISSING;
	default:
		return f->have & RULE_FACT_SHA256
			? truth(f->sha256[0] == 0xbb) : MISSING;
	}
}

/* negate: the value of `not` this. */
static int naive_node(const struct random_rule *r, int at, bool negate,
		      const struct rule_facts *f)
{
	const struct random_node *n = &r->node[at];
	int a, b;

	if (n->type == NODE_LEAF) {
		a = naive_leaf(n, f);
		return negate && a == TRUE ? FALSE
		       : negate && a == FALSE ? TRUE : a;
	}
	if (n->type == NODE_NOT) {
		return naive_node(r, n->left, !negate, f);
	}
	a = naive_node(r, n->left, negate, f);
	b = naive_node(r, n->right, negate, f);
	if ((n->type == NODE_AND) != negate) {
		return a < b ? a : b;
	}
	return a > b ? a : b;
}

enum rule_action random_eval(const struct random_rule *rules, int count,
			     const struct rule_facts *facts, int *ret_line)
{
	const struct random_rule *best = NULL;
	int best_value = FALSE;

	for (int i = 0; i < count; i++) {
		const struct random_rule *r = &rules[i];
		int value;

		if (!(facts->kind == BAILEY_EVENT_FILE_OPEN ? r->open
							    : r->exec) ||
		    (best && (best->priority > r->priority ||
			      (best->priority == r->priority &&
			       best->action <= r->action)))) {
			continue;
		}
		value = naive_node(r, 0, false, facts);
		if (value >= MISSING) {
			best = r;
			best_value = value;
		}
	}
	*ret_line = best ? (int)(best - rules) + 1 : 0;
	return !best ? RULE_NONE : best_value == MISSING ? RULE_ASK
							 : best->action;
}
