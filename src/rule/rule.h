/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rule/rule.h - rules: decisions that the broker applies itself
 *
 * Text, one rule a line (docs/man/bailey.rules.5), is compiled to one block of
 * memory without pointers, so that it can be built in one process, passed in a
 * sealed memfd, and evaluated in another. Evaluation allocates nothing, never
 * recurses, and its cost has a stated bound (rule_program_cost()).
 *
 * The same grammar serves administrators and products; what a product's rules
 * may do is limited by struct rule_limits at compile time.
 */
#ifndef RULE_RULE_H
#define RULE_RULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <bailey/event.h>

/* X(SYMBOL, number, "name", "meaning"); within one priority a lower number
 * wins: deny before ask before allow. */
#define RULE_ACTION_TABLE(X)                                                  \
	X(NONE,   0, "none",   "no rule matched")                             \
	X(DENY,   1, "deny",   "refuse")                                      \
	X(ASK,    2, "ask",    "ask the products, whatever is cached")        \
	X(ALLOW,  3, "allow",  "let it happen")                               \
	X(NOTIFY, 4, "notify", "let it happen, and tell the product")         \
	X(QUIET,  5, "quiet",  "let it happen, tell nobody")

enum rule_action {
#define RULE_ENUM(sym, num, name, help) RULE_##sym = num,
	RULE_ACTION_TABLE(RULE_ENUM)
#undef RULE_ENUM
};

/* Which facts a program looks at; gather only these. */
#define RULE_FACT_TABLE(X)                                                    \
	X(PATH,   0x01, "path")         /* host path of the object */         \
	X(EXE,    0x02, "exe")          /* identity or path of the program */ \
	X(UID,    0x04, "uid")                                                \
	X(CGROUP, 0x08, "cgroup")                                             \
	X(OBJECT, 0x10, "object")       /* device and inode */                \
	X(MODE,   0x20, "mode")         /* file type and permission bits */   \
	X(SHA256, 0x40, "sha256")       /* content hash */                    \
	X(OWNER,  0x80, "owner")                                              \
	X(SIZE,   0x100, "size")

enum rule_fact {
#define RULE_ENUM(sym, num, name) RULE_FACT_##sym = num,
	RULE_FACT_TABLE(RULE_ENUM)
#undef RULE_ENUM
};

/* What is known of one event. Borrowed pointers; `have` says which are set. */
struct rule_facts {
	uint32_t kind;                  /* enum bailey_event_kind */
	uint32_t have;                  /* RULE_FACT_* bits */
	const char *path;
	size_t path_length;
	bool path_foreign;              /* path rules do not match, unless
					 * "any-namespace" */
	const char *exe_path;
	size_t exe_path_length;
	bool exe_path_foreign;          /* likewise for "exe" */
	uint64_t exe_device, exe_inode;
	uint64_t device, inode;
	uint64_t cgroup;
	uint64_t size;
	uint32_t uid, owner, mode;
	const uint8_t *sha256;          /* 32 bytes */
};

/* Named sets of fixed-size members; looked up by index at run time so that a
 * set of a million changes without recompiling. Supplied by the caller. */
struct rule_sets {
	bool (*contains)(const void *context, uint32_t set_index,
			 const void *member, size_t size);
	const void *context;
};

/* What the text may say; zeroed = an administrator's file, no limits. */
struct rule_limits {
	bool product;                   /* a product's rules: no any-namespace
					 * allow; deny below may_deny */
	bool deny_nothing;              /* no path prefix in may_deny:
					 * every deny rule is refused */
	char may_deny[8][256];          /* path prefixes, "" ends the list */
	/* index of a named collection, or negative if it does not exist */
	int (*set_index)(const void *context, const char *name);
	const void *set_context;
};

#define RULE_MAX_RULES 16384u
#define RULE_MAX_TEXT (4u * 1024u * 1024u)
#define RULE_ERROR_TEXT 160

struct rule_error {
	int line;                       /* 1-based */
	char text[RULE_ERROR_TEXT];     /* what is wrong and what to write */
};

struct rule_program;                    /* position-independent block */

/*
 * Compiles text. *ret_program is malloc'd (free() it); its size is
 * rule_program_size(). Returns 0, -EBADMSG with ret_error filled, -E2BIG,
 * -ENOMEM.
 */
int rule_compile(const char *text, size_t length,
		 const struct rule_limits *limits,
		 struct rule_program **ret_program,
		 struct rule_error *ret_error)
	__attribute__((warn_unused_result));

size_t rule_program_size(const struct rule_program *program);
/* For a block that came from elsewhere: checks every offset and count, so that
 * evaluation cannot leave it. 0 or -EBADMSG. */
int rule_program_check(const void *block, size_t size)
	__attribute__((warn_unused_result));
/* Facts that rules for this event type look at (RULE_FACT_* bits). */
uint32_t rule_program_needs(const struct rule_program *program, uint32_t kind);
uint32_t rule_program_count(const struct rule_program *program);
/* Upper bound of rules examined linearly for one event of this type. */
uint32_t rule_program_cost(const struct rule_program *program, uint32_t kind);

struct rule_match {
	int line;                       /* of the rule in its text; 0: none */
	int priority;
	uint32_t missing;               /* facts that a rule needed and had
					 * not: the action is then ASK */
};

/* The action of the best matching rule. program may be null (RULE_NONE). */
enum rule_action rule_eval(const struct rule_program *program,
			   const struct rule_facts *facts,
			   const struct rule_sets *sets,
			   struct rule_match *ret_match);

const char *rule_action_name(enum rule_action action);

#endif
