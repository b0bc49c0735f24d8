/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rule/block.h - layout of a compiled rule program
 *
 * One block of memory, no pointers; offsets count from its start:
 *
 *   struct block_head
 *   struct block_rule [rules]    best first: a rule's index is its *rank*
 *   struct block_leaf [leaves]   predicates, rule by rule
 *   struct block_key  [keys]     open-addressed hash: key -> list of ranks
 *   uint32_t          [ranks]    the lists, each ascending
 *   uint8_t           [code]     per rule: postfix over its leaves
 *   uint8_t           [text]     paths, glob parts, hashes
 *
 * A rule is found by a *key* that it cannot match without (its object, exact
 * path, a directory that its path lies below, program, uid...), or else stands
 * in the linear list of its event types. A key is only a 64-bit hash: a
 * collision costs one evaluation and changes no result, as the whole filter
 * is always evaluated.
 *
 * Filters hold `not` at leaves only, so AND is the minimum and OR the maximum
 * of enum block_value. That makes "not known" exact: a missing fact matters
 * only where the result depends on it.
 */
#ifndef RULE_BLOCK_H
#define RULE_BLOCK_H

#include <assert.h>
#include <stdint.h>

#include "rule/rule.h"

#define BLOCK_MAGIC 0x31524c42u
#define BLOCK_KINDS 16u         /* rows of BAILEY_EVENT_TABLE */
#define BLOCK_LEAVES 32u        /* predicates in one rule */
#define BLOCK_CODE 64u          /* leaves and operators in one rule */
#define BLOCK_STACK 16u         /* values at once */
#define BLOCK_RULE_KEYS 8u      /* keys under which one rule is found */

enum block_value {
	BLOCK_FALSE,
	BLOCK_FOREIGN,          /* depends on a name that is not the host's */
	BLOCK_MISSING,          /* depends on a fact that is not there */
	BLOCK_TRUE
};

/* X(SYMBOL, what the key is made of) */
#define BLOCK_KEY_TABLE(X)                                                    \
	X(OBJECT, RULE_FACT_OBJECT)                                           \
	X(PATH, RULE_FACT_PATH)         /* whole path */                      \
	X(PREFIX, RULE_FACT_PATH)       /* a directory on the way to it */    \
	X(EXE, RULE_FACT_EXE)           /* whole path of the program */       \
	X(EXE_OBJECT, RULE_FACT_EXE)                                          \
	X(UID, RULE_FACT_UID)                                                 \
	X(CGROUP, RULE_FACT_CGROUP)                                           \
	X(OWNER, RULE_FACT_OWNER)                                             \
	X(SHA256, RULE_FACT_SHA256)

enum block_key_type {
#define BLOCK_ENUM(sym, fact) BLOCK_KEY_##sym,
	BLOCK_KEY_TABLE(BLOCK_ENUM)
#undef BLOCK_ENUM
	BLOCK_KEY_TYPES
};

enum block_op {
	BLOCK_OP_PATH = 1,      /* a: text, prefix: length */
	BLOCK_OP_PREFIX,        /* a: text, prefix: length; no '/' at its end */
	BLOCK_OP_GLOB,          /* a: text: prefix bytes, mid tokens, suffix */
	BLOCK_OP_OBJECT,        /* a: device, b: inode */
	BLOCK_OP_NUMBER,        /* field compare a */
	BLOCK_OP_MODE,          /* (mode & a) == b */
	BLOCK_OP_SHA256,        /* a: text, 32 bytes */
	BLOCK_OP_SET            /* field in set a */
};

enum block_flag {
	BLOCK_NOT = 1,
	BLOCK_EXE = 2,          /* of the program, not of the object */
	BLOCK_ANY_NAMESPACE = 4
};

enum block_compare { BLOCK_EQ, BLOCK_LT, BLOCK_LE, BLOCK_GT, BLOCK_GE };

/* Code: a byte below BLOCK_LEAVES is a leaf of the rule. */
#define BLOCK_AND 0x80u
#define BLOCK_OR 0x81u

struct block_leaf {
	uint8_t op;             /* enum block_op */
	uint8_t flags;          /* BLOCK_NOT ... */
	uint8_t compare;        /* enum block_compare */
	uint8_t reserved;
	uint32_t fact;          /* one RULE_FACT_ bit */
	uint64_t a, b;
	uint16_t prefix, mid, suffix;   /* bytes, tokens, bytes */
	uint16_t reserved2;
};

struct block_rule {
	int32_t line, priority;
	uint32_t kinds;         /* bit per row of BAILEY_EVENT_TABLE */
	uint32_t leaf, code;    /* index of the first */
	uint8_t action;         /* enum rule_action */
	uint8_t leaves, codes;
	uint8_t reserved;
};

struct block_list {
	uint32_t first, count;  /* in ranks[] */
};

struct block_key {
	uint64_t hash;
	struct block_list list; /* count 0: empty place */
};

struct block_kind {
	uint32_t needs;         /* RULE_FACT_ bits */
	uint32_t cost;
	uint32_t key_types;     /* bit per enum block_key_type in use */
	uint32_t reserved;
	struct block_list linear;
};

struct block_head {
	uint32_t magic;
	uint32_t size;          /* of the whole block */
	uint32_t rules, leaves, keys, ranks, code, text;        /* counts */
	uint64_t seed;          /* of the key hash */
	uint64_t depths;        /* bit n: a PREFIX key n components deep */
	uint32_t probes;        /* longest search in keys */
	uint32_t reserved;
	struct block_kind kind[BLOCK_KINDS];
	struct block_list by_type[BLOCK_KEY_TYPES]; /* all ranks so keyed */
};

static_assert(sizeof(struct block_leaf) == 32, "layout");
static_assert(sizeof(struct block_rule) == 24, "layout");
static_assert(sizeof(struct block_key) == 16, "layout");
static_assert(sizeof(struct block_head) % 8 == 0, "layout");

/* Where the parts stand; computed from the counts alone. */
struct block_view {
	const struct block_head *head;
	const struct block_rule *rule;
	const struct block_leaf *leaf;
	const struct block_key *key;
	const uint32_t *rank;
	const uint8_t *code;
	const uint8_t *text;
};

/* Size that the counts in head ask for. */
uint64_t block_size(const struct block_head *head);
/* block must have been checked, or have just been built. */
struct block_view block_view(const void *block);
/* Row of an event type in BAILEY_EVENT_TABLE, or -1. */
int block_kind_row(uint32_t kind);
/* The fact that a leaf with these looks at must be one of these bits. */
uint32_t block_op_facts(unsigned op, unsigned flags);

#endif
